package gate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

// BenchmarkAudit1000 audits 1,000 images of 300 packages each, in 20 repositories of a registry on this machine: half of
// the packages are those of a base that all of them share.
func BenchmarkAudit1000(b *testing.B) {
	_, plan := manyReleased(b, 1000, 300)
	file := filepath.Join(b.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nextends: standard\nstarter-ok: true\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	plan.Policy = file
	for b.Loop() {
		a, err := newGate().Audit(b.Context(), plan)
		if err != nil {
			b.Fatal(err)
		}
		if a.Counts.Images != 1000 || len(a.Gaps) > 0 {
			b.Fatalf("%+v, %d gaps", a.Counts, len(a.Gaps))
		}
	}
}

// BenchmarkFind1000 looks for one package in them.
func BenchmarkFind1000(b *testing.B) {
	_, plan := manyReleased(b, 1000, 300)
	for b.Loop() {
		f, err := newGate().Find(b.Context(), gate.FindPlan{FleetPlan: plan, Query: exposed})
		if err != nil {
			b.Fatal(err)
		}
		if f.Searched != 1000 || len(f.Found) != 1000 || !f.Complete {
			b.Fatalf("found %d of %d, %d gaps", len(f.Found), f.Searched, len(f.Gaps))
		}
	}
}

func manyReleased(b *testing.B, images, packages int) (*port, gate.FleetPlan) {
	b.Helper()
	p, key := newPort(b, registry.WithReferrersSupport(true)), signaturetest.NewKey(b)
	plan := gate.FleetPlan{Signers: keyFile(b, key)}
	for i := range images {
		purls := []string{exposed}
		for n := 1; n < packages; n++ {
			if n%2 == 0 {
				purls = append(purls, fmt.Sprintf("pkg:npm/shared-%d@1.0.%d", n, n))
			} else {
				purls = append(purls, fmt.Sprintf("pkg:npm/own-%d@1.%d.0", n, i%100))
			}
		}
		name := fmt.Sprintf("shop-%d", i%20)
		p.release(name, fmt.Sprint(i), fmt.Sprintf("team %d", i%7), key, purls...)
		if i < 20 {
			plan.Names = append(plan.Names, p.host+"/"+name)
		}
	}
	return p, plan
}
