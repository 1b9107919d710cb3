package gate_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// withMode is an entry with another mode.
func withMode(e images.Entry, mode int64) images.Entry {
	e.Header.Mode = mode
	return e
}

// misconfigured lists the misconfigurations of a result, with the layer that brought them and the one that took
// them away.
func misconfigured(r *gate.Result) []string {
	var all []string
	for _, f := range r.Evidence.Findings {
		if f.Kind != core.KindMisconfiguration {
			continue
		}
		line := f.Rule
		if len(f.Locations) > 0 {
			line += " " + f.Locations[0].Path
		}
		if f.Origin != nil {
			line += fmt.Sprintf(" since %d", f.Origin.Layer)
			if f.Origin.RemovedIn != nil {
				line += fmt.Sprintf(" until %d", *f.Origin.RemovedIn)
			}
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

func examined(t *testing.T, r *gate.Result, status core.Completeness) {
	t.Helper()
	if !slices.ContainsFunc(r.Evidence.Examinations, func(x core.Examination) bool {
		return x.Name == core.ExamineMisconfigurations && x.Subject != "" && x.Status == status
	}) {
		t.Errorf("no %s examination of misconfigurations: %+v", status, r.Evidence.Examinations)
	}
}

func TestWhatWasReallyBuiltIsExaminedAndALaterLayerCanMendIt(t *testing.T) {
	spec := images.Clean("amd64")
	spec.Config = v1.Config{
		ExposedPorts: map[string]struct{}{"22/tcp": {}}, Env: []string{"DB_PASSWORD=hunter22"}, User: "0",
	}
	first := 0 // of the layers below
	for _, l := range spec.Layers {
		if !l.Empty {
			first++
		}
	}
	spec.Layers = append(spec.Layers,
		images.Layer{CreatedBy: "RUN /bin/sh -c curl -fsSL https://x.example/i | sh # buildkit", Entries: []images.Entry{
			withMode(images.Program("usr/bin/mended", []byte("x")), 0o4755), withMode(images.Program("usr/bin/left",
				[]byte("x")), 0o4755),
			withMode(images.Program("usr/bin/gone", []byte("x")), 0o6755), withMode(images.File("app/a", "x"), 0o666),
			withMode(images.File("app/b", "x"), 0o666), images.HardLink("usr/bin/again", "usr/bin/gone"),
			images.File("app/Dockerfile", "FROM alpine\n"),
		}},
		images.Layer{CreatedBy: "RUN chmod", Entries: []images.Entry{
			images.Program("usr/bin/mended", []byte("x")), images.Whiteout("usr/bin/gone"),
		}},
	)
	r := run(t, gate.Plan{Targets: []string{layout(t, spec)}})
	got := misconfigured(r)
	for _, want := range []string{
		"image-admin-port", "image-curl-pipe-shell", "image-missing-healthcheck", "image-root-user", "image-secret-variable",
		fmt.Sprintf("image-setuid usr/bin/left since %d", first), fmt.Sprintf("image-setuid usr/bin/mended since %d until %d",
			first, first+1),
		fmt.Sprintf("image-setuid usr/bin/gone since %d until %d", first, first+1),
		fmt.Sprintf("image-setuid usr/bin/again since %d", first),
		fmt.Sprintf("image-world-writable app/a since %d", first),
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return s == "dockerfile-latest-base app/Dockerfile" }) {
		t.Error("a file within an image is examined as if the image was built by it")
	}
	examined(t, r, core.Complete)
	if bytes.Contains(mustJSON(t, r.Evidence), []byte("hunter22")) {
		t.Error("the evidence holds a secret")
	}
}

func TestAnImageWithoutFlawsHasNone(t *testing.T) {
	spec := images.Clean("amd64")
	spec.Config.User = "1000"
	for _, line := range misconfigured(run(t, gate.Plan{Targets: []string{layout(t, spec)}})) {
		if line != "image-from-the-future" { // these tests judge in the past
			t.Error(line)
		}
	}
}

func TestASourceTreeIsExaminedAndItsGapsAreTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), "FROM alpine\n# cleanbill:ignore dockerfile-sudo the base has no "+
		"USER\nRUN sudo ls\n")
	write(t, filepath.Join(dir, "go.mod"), "module x\n")
	r := run(t, gate.Plan{Targets: []string{dir}})
	want := []string{"dockerfile-latest-base Dockerfile", "dockerfile-root-user Dockerfile", "dockerfile-sudo Dockerfile"}
	if got := misconfigured(r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, f := range r.Evidence.Findings {
		if f.Rule == "dockerfile-sudo" && (len(f.Suppressions) != 1 || f.Suppressions[0].By != "cleanbill:ignore") {
			t.Errorf("%+v", f.Suppressions)
		}
	}
	examined(t, r, core.Complete)
	write(t, filepath.Join(dir, "Dockerfile"), "NONSENSE\n")
	examined(t, run(t, gate.Plan{Targets: []string{dir}}), core.Partial)
}
