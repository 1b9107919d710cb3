package vuln

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// JoinReach writes into the findings what tools found out about whether code can run into them, by any id of the flaw and
// the package. Of several tools, or several programs of one tool, the one that found a call is believed.
func JoinReach(e *core.Evidence) {
	type key struct{ ecosystem, name, id string }
	by := map[key][]core.Reach{}
	for _, r := range e.Reach {
		for _, id := range r.IDs {
			k := key{r.Ecosystem, advisory.NormalName(r.Ecosystem, r.Package), id}
			by[k] = append(by[k], r)
		}
	}
	if len(by) == 0 {
		return
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		if f.Kind != core.KindVulnerability || f.Package == nil {
			continue
		}
		family := advisory.Family(f.Package.Ecosystem)
		for _, id := range append([]string{f.Rule}, f.Aliases...) {
			for _, r := range by[key{family, advisory.NormalName(family, f.Package.Name), id}] {
				if r.Version == "" || plainVersion(r.Version) == plainVersion(f.Package.Version) {
					f.Reachable = surer(f.Reachable, r.Reachable)
				}
			}
		}
	}
}

// plainVersion drops the v of Go's module versions and the go of its toolchain's.
func plainVersion(v string) string {
	for _, prefix := range []string{"go", "v"} {
		if len(v) > len(prefix) && v[:len(prefix)] == prefix && v[len(prefix)] >= '0' && v[len(prefix)] <= '9' {
			return v[len(prefix):]
		}
	}
	return v
}

// surer returns the answer that is to be believed of two: a call that was found, then what cannot be told, then that there
// is none.
func surer(a, b core.Reachability) core.Reachability {
	order := []core.Reachability{"", core.ReachableNo, core.ReachableUnknown, core.ReachableYes}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
