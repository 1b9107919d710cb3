package tekton

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// billOfMaterials is the predicate type of the attestation that SBOM_BLOB_URL names.
//
// https://cyclonedx.org/specification/overview/#recognized-predicate-type
const billOfMaterials = "https://cyclonedx.org/bom"

// pushes reports whether this is a step of the Task that pushes: only that has such a result.
func (a *Adapter) pushes() bool { return a.o.Getenv("CLEANBILL_RESULT_IMAGE_URL") != "" }

// publishing says where an image that passed goes, and who signs it; nil in the other Tasks. Without a key, the service
// account of the run signs.
func (a *Adapter) publishing() (*gate.Publishing, error) {
	if !a.pushes() {
		return nil, nil
	}
	signing, err := gate.EnvironmentSigning(func(name string) string { return strings.TrimSpace(a.o.Getenv(name)) })
	if err != nil {
		return nil, err
	}
	return &gate.Publishing{Reference: strings.TrimSpace(a.o.Getenv("CLEANBILL_PUSH")), Signing: signing}, nil
}

// publishedResults are what Tekton Chains reads of an image that was pushed, and where its bill of materials is. They are
// empty if nothing was pushed, whatever an earlier attempt wrote.
//
// https://tekton.dev/docs/chains/slsa-provenance/#type-hinting
func publishedResults(p *gate.Published) []result {
	if p == nil {
		p = &gate.Published{}
	}
	sbom := ""
	if a := attested(p, billOfMaterials); a.Content != "" {
		sbom = p.Reference[:strings.LastIndex(p.Reference, ":")] + "@" + string(a.Content)
	}
	return []result{
		{name: "IMAGE_URL", value: p.Reference}, {name: "IMAGE_DIGEST", value: string(p.Digest)},
		{name: "SBOM_BLOB_URL", value: sbom},
	}
}

// publishedReport is the digest, in the registry, of the attestation that holds the whole evidence; empty if there is none.
func publishedReport(p *gate.Published) core.Digest {
	if p == nil {
		return ""
	}
	return attested(p, report.PredicateType).Digest
}

// attested returns the attestation of that type about what was pushed.
func attested(p *gate.Published, predicateType string) gate.Attested {
	for _, a := range p.Attestations {
		if a.PredicateType == predicateType && a.Subject == p.Digest {
			return a
		}
	}
	return gate.Attested{}
}
