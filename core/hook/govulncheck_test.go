package hook_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

const stream = `{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck","scanner_version":"v1.9.0","scan_level":"symbol"}}
{"progress":{"message":"Scanning"}}
{"osv":{"id":"GO-1","aliases":["CVE-2024-1","GHSA-1"]}}
{"osv":{"id":"GO-2"}}
{"finding":{"osv":"GO-1","trace":[{"module":"example.org/a","version":"v1.0.0"}]}}
{"finding":{"osv":"GO-1","trace":[{"module":"example.org/a","version":"v1.0.0","package":"example.org/a","function":"F"},{"module":"main","package":"main","function":"main"}]}}
{"finding":{"osv":"GO-1","trace":[{"module":"example.org/a","version":"v1.0.0","package":"example.org/a"}]}}
{"finding":{"osv":"GO-2","trace":[{"module":"example.org/b","version":"v2.0.0","package":"example.org/b"}]}}
`

func TestACallMakesAFlawReachable(t *testing.T) {
	got, err := hook.Read(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	want := hook.Report{Format: "govulncheck", Tool: "govulncheck", Version: "v1.9.0", Examinations: []core.Examination{
		{Name: "import:govulncheck", Tool: "govulncheck", Version: "v1.9.0",
			Status: core.Complete}}, Reach: []core.Reach{
		{IDs: []string{"CVE-2024-1", "GHSA-1", "GO-1"}, Ecosystem: "Go", Package: "example.org/a", Version: "v1.0.0",
			Reachable: core.ReachableYes, SeenBy: "govulncheck"},
		{IDs: []string{"GO-2"}, Ecosystem: "Go", Package: "example.org/b", Version: "v2.0.0",
			Reachable: core.ReachableNo, SeenBy: "govulncheck"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAScanThatDidNotLookForCallsKnowsNothingOfThem(t *testing.T) {
	for _, level := range []string{"package", "module", ""} {
		got, err := hook.Read(strings.NewReader(strings.Replace(stream, `"symbol"`, `"`+level+`"`, 1)))
		if err != nil || got.Reach[1].Reachable != core.ReachableUnknown {
			t.Errorf("%q: %+v, %v", level, got.Reach, err)
		}
	}
}

func TestOtherStreamsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":               "",
		"something else":        `{"version":"2.1.0","runs":[]}`,
		"truncated":             stream[:len(stream)-20],
		"another scanner":       strings.Replace(stream, `"scanner_name":"govulncheck"`, `"scanner_name":"x"`, 1),
		"another protocol":      strings.Replace(stream, "v1.0.0", "v2.0.0", 1),
		"two scans":             stream + stream,
		"a member twice":        strings.Replace(stream, `"scanner_name"`, `"scanner_name":"x","scanner_name"`, 1),
		"no configuration":      strings.Replace(stream, `{"config"`, `{"scanner_name":1,"konfig"`, 1),
		"a finding of nothing":  stream + `{"finding":{"osv":"GO-1"}}`,
		"a finding without one": stream + `{"finding":{"trace":[{"module":"x"}]}}`,
	} {
		if r, err := hook.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s was read: %+v", name, r)
		}
	}
}

func TestRealOutputIsRead(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	for name, reachable := range map[string]bool{
		"sast-outputs/govulncheck.json": true,
		"tool-reports/DefectDojo__django-DefectDojo/unittests/scans/govulncheck/issue_15033.json": true,
		"tool-reports/DefectDojo__django-DefectDojo/unittests/scans/govulncheck/issue_14642.json": true,
	} {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Skipf("real data is not beside the repository: %v", err)
		}
		defer f.Close()
		r, err := hook.Read(f)
		if err != nil || len(r.Reach) == 0 {
			t.Errorf("%s: %d results, %v", name, len(r.Reach), err)
		}
		yes := 0
		for _, x := range r.Reach {
			if x.Reachable == core.ReachableYes {
				yes++
			}
		}
		if (yes > 0) != reachable {
			t.Errorf("%s: %d of %d are reachable", name, yes, len(r.Reach))
		}
	}
}
