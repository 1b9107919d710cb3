package report

import (
	"bytes"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
)

// maxBills is how many files a bill of materials is spread over at most.
const maxBills = 100

// Bills returns the bill of materials for a platform that takes files of at most that many bytes: CycloneDX without white space,
// the packages spread evenly over as few files as hold them. Each is a bill of its own about the same subjects; where there
// are several, none says that its list is whole.
func Bills(d Document, most int) ([][]byte, error) {
	packages := d.Evidence.Packages
	for n := 1; n <= maxBills; {
		largest := 0
		bills := make([][]byte, 0, n)
		for i := range n {
			part := d.Evidence
			part.Packages = packages[len(packages)*i/n : len(packages)*(i+1)/n]
			bill, err := compactBill(d, part, n > 1)
			if err != nil {
				return nil, err
			}
			if largest = max(largest, len(bill)); largest > most && i == 0 {
				break // the others are about as large
			}
			bills = append(bills, bill)
		}
		if largest <= most {
			return bills, nil
		}
		n = max(n+1, n*largest/most)
	}
	return nil, fmt.Errorf("the bill of materials does not fit into %d files of %d bytes", maxBills, most)
}

func compactBill(d Document, e core.Evidence, part bool) ([]byte, error) {
	var b bytes.Buffer
	err := sbom.Write(&b, sbom.CycloneDX, e, sbom.Options{Timestamp: d.Created, Tool: d.Tool.Name, Version: d.Tool.Version, Compact: true, Part: part})
	if err != nil {
		return nil, fmt.Errorf("write the bill of materials: %w", err)
	}
	return b.Bytes(), nil
}
