package gate

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// FindTrusting finds by signers that no file names.
func FindTrusting(t testing.TB, g *Gate, trust signature.Trust, p FindPlan) *Find {
	t.Helper()
	f, err := g.newFleetTrusting(p.FleetPlan, trust)
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.find(t.Context(), p, f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
