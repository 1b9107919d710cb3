package vuln

import (
	"archive/zip"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
)

// almaNames are the packages that real advisories of AlmaLinux name, by ecosystem.
func almaNames(t *testing.T) map[string]map[string]bool {
	t.Helper()
	z, err := zip.OpenReader(shared(t, "data/osv/AlmaLinux/all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	names := map[string]map[string]bool{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		var record struct {
			Affected []struct {
				Package struct{ Ecosystem, Name string }
			}
		}
		if err != nil || json.Unmarshal(raw, &record) != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		for _, a := range record.Affected {
			if names[a.Package.Ecosystem] == nil {
				names[a.Package.Ecosystem] = map[string]bool{}
			}
			names[a.Package.Ecosystem][a.Package.Name] = true
		}
	}
	return names
}

// TestAnUpToDateAlmaLinuxHasNoFlaws installs, of every package that real advisories name and of every stream of it, the
// newest build that they list: nothing is newer, so that whatever is found is a false alarm.
func TestAnUpToDateAlmaLinuxHasNoFlaws(t *testing.T) {
	set := realSet(t, "AlmaLinux")
	order, _ := version.For("AlmaLinux")
	var packages []core.Package
	streams := map[string]bool{}
	for ecosystem, names := range almaNames(t) {
		for name := range names {
			list, err := set.Affected(t.Context(), ecosystem, name)
			if err != nil {
				t.Fatal(err)
			}
			for module, newest := range newestBuilds(t, order, list) {
				p := pkg(ecosystem, name, newest, strings.ToLower(name)+"-source 0-0")
				p.Module = module
				streams[module] = true
				packages = append(packages, p)
			}
		}
	}
	t.Logf("%d packages, %d streams", len(packages), len(streams))
	if len(packages) < 5000 || !streams["nodejs:12"] {
		t.Fatalf("only %d packages of %d streams", len(packages), len(streams))
	}
	e := match(t, set, packages...)
	if e.Examinations[0].Status != core.Complete {
		t.Errorf("%+v", e.Examinations)
	}
	unsure := map[string]bool{}
	for _, f := range e.Findings {
		if f.Confidence != core.ConfidenceLow {
			t.Errorf("a false alarm: %s", lines([]core.Finding{f})[0])
		}
		for _, id := range append(slices.Clone(f.Aliases), f.Rule) {
			if strings.HasPrefix(id, "ALSA-") {
				unsure[id] = true
			}
		}
	}
	// Those of low confidence are about a module whose stream the advisory does not say.
	t.Logf("%d findings of low confidence from %d advisories", len(e.Findings), len(unsure))
	if len(unsure) > 15 {
		t.Errorf("%d advisories are unsure: %v", len(unsure), slices.Sorted(maps.Keys(unsure)))
	}
}

// newestBuilds returns the newest version that fixes something, by stream.
func newestBuilds(t *testing.T, order version.Order, list []advisory.Affected) map[string]string {
	newest := map[string]string{}
	for _, a := range list {
		for _, fixed := range a.FixedVersions() {
			for module := range strings.SplitSeq(a.Module, ",") {
				if module == "" && advisory.IsModular(fixed) {
					continue // of a stream that is not known
				}
				at, err := order.Parse(fixed)
				if err != nil {
					t.Fatal(err)
				}
				known, err := order.Parse(newest[module])
				if c := 0; err == nil {
					if c, err = at.Compare(known); err != nil {
						t.Fatal(err)
					}
					if c <= 0 {
						continue
					}
				}
				newest[module] = fixed
			}
		}
	}
	return newest
}
