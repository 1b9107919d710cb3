package vuln

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
)

// maxTried bounds the versions that are tried as the nearest fix; each is compared with all that the records say.
const maxTried = 256

// fixOf finds the versions that fix a flaw, and the nearest: the smallest that is newer than what is installed and that
// no record calls affected, else the smallest that is fixed according to some of them.
func fixOf(f *flaw, ecosystem string) core.Fix {
	order, ok := version.For(ecosystem)
	if !ok {
		order = version.Semver()
	}
	var candidates []version.Version
	installed, known := version.Version{}, false
	for _, p := range f.pieces {
		if v, err := order.Parse(p.hit.version); err == nil {
			installed, known = v, true
		}
		if unsupported(p.hit) {
			return core.Fix{State: core.FixEndOfLife}
		}
		for _, a := range p.hit.affected {
			candidates = append(candidates, fixed(order, a)...)
		}
	}
	candidates = sorted(candidates)
	if len(candidates) == 0 {
		return core.Fix{State: core.FixNone}
	}
	fix := core.Fix{}
	var newer []string
	for _, c := range candidates {
		fix.Versions = append(fix.Versions, c.String())
		if n, err := c.Compare(installed); known && err == nil && n > 0 {
			newer = append(newer, c.String())
		}
	}
	if len(newer) == 0 {
		// There is a fix, but not beyond what is installed: another branch has it.
		fix.State = core.FixNone
		return fix
	}
	fix.State, fix.Version = core.FixAvailable, newer[0]
	for _, v := range newer[:min(len(newer), maxTried)] {
		if clears(f, v) {
			fix.Version = v
			break
		}
	}
	return fix
}

// unsupported reports whether the distributor said that it no longer supports the package, though it does the release.
//
// https://security-team.debian.org/security_tracker.html#end-of-life-packages
func unsupported(h *hit) bool {
	return slices.ContainsFunc(h.affected, func(a advisory.Affected) bool { return a.Urgency == "end-of-life" })
}

// fixed returns the versions at which ranges end.
func fixed(order version.Order, a advisory.Affected) []version.Version {
	var out []version.Version
	for _, r := range a.Ranges {
		for _, e := range r.Events {
			if e.Kind != advisory.Fixed {
				continue
			}
			// A version that cannot be ordered cannot be recommended.
			if v, err := order.Parse(e.Version); err == nil {
				out = append(out, v)
			}
		}
	}
	return out
}

func sorted(versions []version.Version) []version.Version {
	compare := func(a, b version.Version) int {
		c, err := a.Compare(b)
		if err != nil {
			return 0
		}
		return c
	}
	slices.SortStableFunc(versions, compare)
	return slices.CompactFunc(versions, func(a, b version.Version) bool { return compare(a, b) == 0 })
}

// clears reports whether no record of the flaw affects the version.
func clears(f *flaw, v string) bool {
	for _, p := range f.pieces {
		if in, err := affects(p.hit.affected, v); in || err != nil {
			return false
		}
	}
	return true
}
