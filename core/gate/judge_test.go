package gate

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestAFindingThatOneJobSawUnsuppressedIsNotSuppressed(t *testing.T) {
	mark := core.Suppression{Kind: core.SuppressedInline, By: "#nosec", Path: "a.py", Line: 1, Base: true}
	brought := mark
	brought.Base = false
	with := func(marks ...core.Suppression) core.Finding {
		return core.Finding{Subject: "sha256:1", Kind: core.KindCode, Rule: "r", Fingerprint: "f", Suppressions: marks}
	}
	for name, tc := range map[string]struct {
		a, b        core.Finding
		count, base int
	}{
		"both":                 {with(mark), with(mark), 1, 1},
		"only one":             {with(mark), with(), 0, 0},
		"one says it is newer": {with(mark), with(brought), 1, 0},
	} {
		for _, findings := range [][]core.Finding{{tc.a, tc.b}, {tc.b, tc.a}} {
			unified := unify(findings)
			base := 0
			for _, s := range unified[0].Suppressions {
				if s.Base {
					base++
				}
			}
			if len(unified) != 1 || len(unified[0].Suppressions) != tc.count || base != tc.base {
				t.Errorf("%s: %+v", name, unified)
			}
		}
	}
}
