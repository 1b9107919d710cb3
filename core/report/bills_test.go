package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
)

// Together the files have each package once, none is too large, and each can be read by itself.
func TestALargeBillIsSpreadOverSeveralFiles(t *testing.T) {
	d := refusedDocument()
	d.Evidence.Packages = nil
	for i := range 3000 {
		name := fmt.Sprintf("p%04d", i)
		if i%7 == 0 {
			name += strings.Repeat("-long", i%50)
		}
		d.Evidence.Packages = append(d.Evidence.Packages, core.Package{Subject: amd64Digest, Name: name, Version: "1", Purl: "pkg:generic/" + name + "@1"})
	}
	for _, tc := range []struct{ most, files int }{{1 << 30, 1}, {200 << 10, 2}, {50 << 10, 10}} {
		bills, err := Bills(d, tc.most)
		if err != nil || len(bills) < tc.files || tc.files == 1 && len(bills) > 1 {
			t.Fatalf("at most %d bytes: %d files, %v", tc.most, len(bills), err)
		}
		seen := map[string]int{}
		for _, bill := range bills {
			if len(bill) > tc.most || bytes.Contains(bill, []byte("\n  ")) {
				t.Errorf("at most %d bytes: one has %d, or white space", tc.most, len(bill))
			}
			if whole := bytes.Contains(bill, []byte(`"aggregate":"complete"`)); whole && len(bills) > 1 {
				t.Errorf("a part is said to be whole")
			}
			e, err := sbom.Read(t.Context(), "part", bill, limit.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range e.Packages {
				seen[p.Purl]++
			}
		}
		for _, p := range d.Evidence.Packages {
			if seen[p.Purl] != 1 {
				t.Errorf("at most %d bytes: %s is there %d times", tc.most, p.Purl, seen[p.Purl])
				break
			}
		}
	}
	if bills, err := Bills(d, 100); err == nil {
		t.Errorf("%d files of 100 bytes", len(bills))
	}
}
