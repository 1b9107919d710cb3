package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/target"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// maxVEX bounds one document, in bytes.
const maxVEX = 32 << 20

// The predicate types of attestations that hold VEX.
const (
	predicateOpenVEX      = "https://openvex.dev/ns"
	predicateCycloneDX    = "https://cyclonedx.org/bom"
	predicateCycloneDXVEX = "https://cyclonedx.org/vex"
)

// vexFile is a document on this machine, or beside a policy.
type vexFile struct {
	name string // as it was named
	read func() ([]byte, error)
	// trustedBy says why it counts without a signature; empty if it does not.
	trustedBy string
	// optional is true for one that a flag names: what a change adds counts when it is merged.
	optional bool
}

// vexFiles lists the documents that the policy and the plan name. What a flag names counts only if the policy says so:
// whoever changes the code can often change the flags as well.
func (s *sources) vexFiles(p Plan, judge *policy.Policy) []vexFile {
	var out []vexFile
	by, v := "", policy.VEX{}
	if judge != nil {
		v, by = judge.VEX(), "policy "+judge.Ref().Name
	}
	for _, f := range v.Files {
		out = append(out, vexFile{name: f.Name, read: func() ([]byte, error) { return judge.ReadFile(f, maxVEX) }, trustedBy: by})
	}
	if !v.AcceptUnsigned {
		by = ""
	}
	for _, name := range p.VEX {
		out = append(out, vexFile{name: name, read: func() ([]byte, error) { return s.read(name, maxVEX) }, trustedBy: by, optional: true})
	}
	return out
}

// statements are the VEX documents of a run, as far as they were read before the targets were.
type statements struct {
	trust     signature.Trust
	documents []*vuln.VEX
	// bundles are signed documents, whose subject is not known before the target was opened.
	bundles []vexBundle
}

type vexBundle struct {
	name string
	raw  []byte
}

// readVEX reads the documents that are named. One that cannot be read is the user's mistake.
func (s *sources) readVEX(files []vexFile, trust signature.Trust) (*statements, error) {
	said := &statements{trust: trust}
	for _, f := range files {
		raw, err := f.read()
		switch {
		case f.optional && errors.Is(err, errNotOnBase):
			continue
		case err == nil && isBundle(raw):
			said.bundles = append(said.bundles, vexBundle{f.name, raw})
			continue
		}
		var d *vuln.VEX
		if err == nil {
			d, err = vuln.ParseVEX(f.name, raw)
		}
		if err != nil {
			return nil, &core.Failure{Doing: "read the VEX document " + f.name, Err: err, Usage: true,
				Hint: "OpenVEX and CycloneDX documents are read, in JSON, plain or as the Sigstore bundle of an attestation"}
		}
		d.TrustedBy = f.trustedBy
		said.documents = append(said.documents, d)
	}
	return said, nil
}

// isBundle reports whether a file is a Sigstore bundle.
func isBundle(raw []byte) bool {
	head := string(raw[:min(len(raw), 64<<10)])
	return strings.Contains(head, `"application/vnd.dev.sigstore.bundle`)
}

// attested adds what trusted signers attested to a target and its platforms, and what the named bundles say of them.
func (s *statements) attested(ctx context.Context, g *Gate, t *target.Target) []core.Examination {
	if s.trust.Empty() {
		return nil
	}
	digests := []core.Digest{t.Subject.Digest}
	for _, i := range t.Images {
		if i.Subject.Digest != t.Subject.Digest {
			digests = append(digests, i.Subject.Digest)
		}
	}
	var out []core.Examination
	for _, d := range digests {
		if d == "" {
			continue // a source tree, whose digest is not known yet
		}
		for _, b := range s.bundles {
			s.bundle(g, b.name, b.raw, d)
		}
		bundles, err := t.Bundles(ctx, d)
		if err != nil {
			out = append(out, core.Examination{Name: "vex", Subject: d, Tool: "cleanbill", Version: g.Version, Status: core.Partial,
				Why: []string{err.Error()}, Remedy: core.HintOf(err)})
			continue
		}
		for _, raw := range bundles {
			s.bundle(g, "attestation of "+t.Subject.Name, raw, d)
		}
	}
	return out
}

// bundle adds the document of a bundle that a trusted signer made about the digest. Any other says nothing to us.
func (s *statements) bundle(g *Gate, name string, raw []byte, d core.Digest) {
	log := g.named("vex")
	v, err := s.trust.Bundle(raw, d)
	if err != nil {
		log.Debug("an attestation does not count", "name", name, "subject", d, "error", err)
		return
	}
	if !strings.HasPrefix(v.PredicateType, predicateOpenVEX) && v.PredicateType != predicateCycloneDX && v.PredicateType != predicateCycloneDXVEX {
		return
	}
	document, err := vuln.ParseVEX(name, v.Predicate)
	if err != nil {
		log.Debug("an attestation is no VEX document", "name", name, "subject", d, "error", err)
		return
	}
	document.TrustedBy, document.Subject = fmt.Sprintf("%s, verified", v.Signer), d
	s.documents = append(s.documents, document)
}
