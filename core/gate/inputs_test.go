package gate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestInputsBecomeAPlan(t *testing.T) {
	got, err := gate.Inputs{
		Targets:    "registry.example/app:1\r\n\n  oci:build/image\n",
		Platforms:  "linux/amd64, linux/arm64\nlinux/arm/v7",
		Advisories: " oci:advisories ",
		Policy:     "strict\n",
		Outputs:    "json=verdict.json\ncyclonedx=a=b.json",
		Limits:     "entries=10",
	}.Plan()
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Plan{
		Targets: []string{"registry.example/app:1", "oci:build/image"},
		Platforms: []core.Platform{
			{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "arm", Variant: "v7"},
		},
		Advisories: "oci:advisories",
		Policy:     "strict",
		Outputs:    []gate.Output{{Format: "json", Path: "verdict.json"}, {Format: "cyclonedx", Path: "a=b.json"}},
		Limits:     gate.Limits{Entries: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestWrongInputIsNamed(t *testing.T) {
	for name, in := range map[string]gate.Inputs{
		"target":    {Targets: " \n"},
		"platforms": {Targets: "a", Platforms: "amd64"},
		"outputs":   {Targets: "a", Outputs: "json"},
		"limits":    {Targets: "a", Limits: "speed=1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := in.Plan()
			if !core.Usage(err) {
				t.Fatalf("got %v, want a usage failure", err)
			}
			if !strings.Contains(err.Error(), "input "+name) {
				t.Errorf("%q does not name the input", err)
			}
		})
	}
}
