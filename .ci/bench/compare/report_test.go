package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportSaysWhichAimsAreMissed(t *testing.T) {
	took := func(name string, aim float64, seconds ...int) *result {
		r := &result{tool: tool{name: name, aim: aim}}
		for _, s := range seconds {
			r.samples = append(r.samples, sample{wall: time.Duration(s) * time.Second, resident: 150_000_000})
		}
		return r
	}
	results := []*result{
		took("floor", 0, 7, 7, 7),
		took("cleanbill", 0, 30, 9, 8),
		took("trivy", 0.9, 10, 10, 1),
		took("syft", 0.5, 16, 17, 18),
	}
	var out strings.Builder
	if err := report(&out, results, []time.Duration{70 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimLeft(`
tool       version  wall     min      max      cpu     resident  packages  exit
floor      -        7.00 s   7.00 s   7.00 s   0.00 s  150 MB    0         0
cleanbill  -        9.00 s   8.00 s   30.00 s  0.00 s  150 MB    0         0
trivy      -        10.00 s  1.00 s   10.00 s  0.00 s  150 MB    0         0
syft       -        17.00 s  16.00 s  18.00 s  0.00 s  150 MB    0         0

floor / cleanbill  0.78
floor / trivy      0.70
floor / syft       0.41
cleanbill / trivy  0.90    want at most 0.90  met
cleanbill / syft   0.53    want at most 0.50  MISSED
resident memory    150 MB  want under 200 MB  met
startup            70 ms   want under 60 ms   MISSED
`, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestMeasureCountsTheWholeProcess(t *testing.T) {
	stand := tool{name: "stand", program: "/bin/sh", exits: []int{3}, args: func(_, sbom, _ string) []string {
		const document = `{"components":[{"type":"library"},{"type":"file"},{"type":"operating-system"}]}`
		return []string{"-c", "echo '" + document + "' > " + sbom + "; exit 3"}
	}}
	work := t.TempDir()
	got, err := measure(t.Context(), stand, "", work)
	if err != nil {
		t.Fatal(err)
	}
	if got.packages != 1 || got.exit != 3 || got.wall <= 0 || got.resident <= 0 {
		t.Errorf("got %+v", got)
	}
	if left, err := filepath.Glob(filepath.Join(work, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAToolThatFailsStopsTheComparison(t *testing.T) {
	broken := tool{name: "broken", program: "/bin/sh", args: func(_, _, _ string) []string {
		return []string{"-c", "echo no such image >&2; exit 2"}
	}}
	_, err := measure(t.Context(), broken, "", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("got %v, want what the tool said", err)
	}
}

func TestPeersAreLeftOutWhenAbsent(t *testing.T) {
	image := t.TempDir()
	if err := os.MkdirAll(filepath.Join(image, "image"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(image, "image", "index.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), &out, image, "/bin/true", "", 1); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "syft is not on PATH: left out") {
		t.Errorf("got:\n%s", out.String())
	}
}
