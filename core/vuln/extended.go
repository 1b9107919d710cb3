package vuln

import (
	"context"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// withoutStreamFixes drops the flaws that a stream of extended support has fixed in the version installed. The mainline
// fixes them in versions that the stream never gets, so that its advisories alone would call every image of the stream
// affected for ever. What an advisory of the stream says of the version counts more than what one of the mainline does.
func (m *matcher) withoutStreamFixes(ctx context.Context, a *answer) error {
	if len(a.flaws) == 0 || len(a.cleared) == 0 {
		return nil
	}
	fixed := map[string]bool{}
	for _, n := range a.cleared {
		r, err := m.set.Record(ctx, n.Family, n.ID)
		if err != nil {
			return err
		}
		for _, cve := range r.CVEs() {
			fixed[cve] = true
		}
	}
	a.flaws = slices.DeleteFunc(a.flaws, func(f flaw) bool {
		cves := f.cves()
		return len(cves) > 0 && !slices.ContainsFunc(cves, func(cve string) bool { return !fixed[cve] }) &&
			!slices.ContainsFunc(f.pieces, func(p piece) bool { return advisory.IsExtended(p.hit.affected[0].Ecosystem) })
	})
	return nil
}
