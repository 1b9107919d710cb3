package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// maxBundleFile bounds a file with a bundle, in bytes.
const maxBundleFile = 32 << 20

// VerifyPlan says what is to be verified of an image, and whose word counts.
type VerifyPlan struct {
	// Image is a reference to a registry. With Bundles it may be anything that names an image, and no registry is asked for
	// attestations.
	Image string
	// Signers are those who count. At least one is needed.
	Signers SignerFiles
	// Bundles are files with what was signed, in place of what the registry has.
	Bundles []string
	// EachPlatform wants the same of every platform of an index. Otherwise the index stands for them: it names them by digest.
	EachPlatform bool
	// Attested are predicate types that somebody who counts has to have attested; short names are those of AttestedTypes.
	Attested []string
	// Summary demands a verdict; nil demands none, and a signature is enough.
	Summary *attest.SummaryDemands
	// Policy is a profile or a policy file whose digest the summary has to have; empty means what Summary says.
	Policy string
	// Limits bound what is read.
	Limits Limits
}

// AttestedTypes are short names of predicate types.
func AttestedTypes() map[string]string {
	return map[string]string{"cyclonedx": attest.TypeCycloneDX, "spdx": attest.TypeSPDX, "vulns": attest.TypeVulns,
		"vsa": attest.TypeVSA, "provenance": attest.TypeProvenance, "evidence": report.PredicateType}
}

// VerificationVersion is that of the document that a Verification is written as.
const VerificationVersion = 1

// Verification is what came of verifying an image.
type Verification struct {
	Version  int           `json:"version"`
	Image    string        `json:"image"`
	Digest   core.Digest   `json:"digest"`
	Decision core.Decision `json:"decision"`
	// Manifests are those that were looked at: the one that is named first.
	Manifests []VerifiedManifest `json:"manifests"`
}

// VerifiedManifest is what is said of one digest, by whom, and why it is not enough.
type VerifiedManifest struct {
	Digest   core.Digest    `json:"digest"`
	Platform *core.Platform `json:"platform,omitempty"`
	// SignedBy are the trusted signers of the digest.
	SignedBy []string `json:"signedBy"`
	// Attestations are what trusted signers attested.
	Attestations []VerifiedAttestation `json:"attestations"`
	// Summary is the latest verdict that counts.
	Summary *VerifiedSummary `json:"summary,omitempty"`
	// Refusals say what is missing, and Ignored what does not count, with the reason.
	Refusals []string `json:"refusals"`
	Ignored  []string `json:"ignored"`
}

// VerifiedSummary is a verdict that a trusted signer attested.
type VerifiedSummary struct {
	attest.Summarized
	Signer string `json:"signer"`
}

// VerifiedAttestation is one statement of a trusted signer.
type VerifiedAttestation struct {
	PredicateType string `json:"predicateType"`
	Signer        string `json:"signer"`
}

// Verify looks at what lies beside an image, in bundles and in cosign's older form, and decides whether that is what the
// plan wants. What does not count hides nothing that does.
//
// The error is a core.Failure if nobody could look, or if the plan wants nothing.
func (g *Gate) Verify(ctx context.Context, p VerifyPlan) (*Verification, error) {
	v, err := g.verifier(ctx, p)
	if err != nil {
		return nil, err
	}
	bounded, cancel := timed(ctx, p.Limits)
	defer cancel()
	out, err := v.all(bounded)
	if err != nil {
		return nil, interrupted(ctx, bounded, advice.Failure(ctx, "verify "+shown(p.Image), err))
	}
	return out, nil
}

// all looks at the image and, if that is wanted, at each of its platforms.
func (v *verifier) all(ctx context.Context) (*Verification, error) {
	manifests, err := v.find(ctx)
	if err != nil {
		return nil, err
	}
	out := &Verification{Version: VerificationVersion, Image: v.plan.Image, Digest: manifests[0].Digest, Decision: core.Passed}
	for _, m := range manifests {
		if err := v.verify(ctx, &m); err != nil {
			return nil, err
		}
		if len(m.Refusals) > 0 {
			out.Decision = core.Refused
		}
		out.Manifests = append(out.Manifests, m)
	}
	return out, nil
}

// verifier is a plan that makes sense.
type verifier struct {
	gate       *Gate
	plan       VerifyPlan
	trust      signature.Trust
	wanted     []string
	bundles    [][]byte
	repository *registry.Repository
}

func (g *Gate) verifier(ctx context.Context, p VerifyPlan) (*verifier, error) {
	v := &verifier{gate: g, plan: p}
	var err error
	if v.trust, err = p.Signers.trust(); err != nil {
		return nil, err
	}
	if v.trust.Empty() {
		return nil, &core.Failure{Doing: "verify " + shown(p.Image), Usage: true, Err: errors.New("nobody is named whose signature counts, so that anybody's would"),
			Hint: "name a key with --key, or an identity with --certificate-identity and --certificate-oidc-issuer"}
	}
	for _, w := range p.Attested {
		if full, ok := AttestedTypes()[w]; ok {
			w = full
		} else if !strings.Contains(w, "://") {
			return nil, &core.Failure{Doing: "understand --attested " + w, Usage: true, Err: errors.New("it is no predicate type"),
				Hint: "name a type's address, or cyclonedx, spdx, vulns, vsa, provenance or evidence"}
		}
		v.wanted = append(v.wanted, w)
	}
	if p.Policy != "" {
		digest, err := g.policyDigest(ctx, p)
		if err != nil {
			return nil, err
		}
		if v.plan.Summary == nil {
			v.plan.Summary = &attest.SummaryDemands{}
		}
		demands := *v.plan.Summary
		demands.Policy = digest
		v.plan.Summary = &demands
	}
	for _, file := range p.Bundles {
		raw, err := localfile.Read(file, maxBundleFile)
		if err != nil {
			return nil, &core.Failure{Doing: "read the bundle " + file, Err: err, Usage: true}
		}
		v.bundles = append(v.bundles, raw)
	}
	return v, nil
}

// policyDigest is that of the policy that is named.
func (g *Gate) policyDigest(ctx context.Context, p VerifyPlan) (core.Digest, error) {
	if p.Summary != nil && p.Summary.Policy != "" {
		return "", &core.Failure{Doing: "verify " + shown(p.Image), Usage: true, Err: errors.New("both a policy and the digest of one are named")}
	}
	s, err := g.openSources(Plan{})
	if err != nil {
		return "", err
	}
	defer s.close()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return "", err
	}
	return judge.Ref().Digest, nil
}

// find resolves the image, once, and lists the manifests that are looked at.
func (v *verifier) find(ctx context.Context) ([]VerifiedManifest, error) {
	if len(v.bundles) > 0 {
		return v.findAnywhere(ctx)
	}
	image, err := target.InRegistry(v.plan.Image)
	if err != nil {
		return nil, err
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return nil, advice.Misuse("name an image in a registry, or give what was signed with --bundle", "%w", err)
	}
	if v.repository, err = registry.Dial(ctx, ref.Context(), v.options()); err != nil {
		return nil, err
	}
	m, err := v.repository.Resolve(ctx, ref.Identifier())
	if err != nil {
		return nil, err
	}
	return v.manifests(m.Digest, m.Raw)
}

func (v *verifier) options() registry.Options {
	return registry.Options{Limits: v.plan.Limits, Getenv: v.gate.Getenv, Log: v.gate.named("registry"),
		UserAgent: "cleanbill/" + v.gate.Version}
}

// findAnywhere finds the digest of what the bundles are about: a reference that has it, or an image on this machine.
func (v *verifier) findAnywhere(ctx context.Context) ([]VerifiedManifest, error) {
	if _, local := target.Local(v.plan.Image); !local {
		if ref, err := registry.ParseReference(v.plan.Image); err == nil {
			if d, ok := ref.(name.Digest); ok && !v.plan.EachPlatform {
				return []VerifiedManifest{{Digest: core.Digest(d.DigestStr())}}, nil
			}
		}
	}
	t, err := target.Open(ctx, v.plan.Image, target.Options{Limits: v.plan.Limits, Getenv: v.gate.Getenv, Log: v.gate.named("target"),
		UserAgent: "cleanbill/" + v.gate.Version})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	content, ok := t.Content()
	if !ok {
		return nil, advice.Misuse("name an image", "%s is no image", v.plan.Image)
	}
	top, raw := content.Root()
	return v.manifests(top.Digest, raw)
}

// manifests are those to verify: the one that is named and, if each is wanted, the platforms of an index.
func (v *verifier) manifests(top core.Digest, raw []byte) ([]VerifiedManifest, error) {
	out := []VerifiedManifest{{Digest: top}}
	if !v.plan.EachPlatform {
		return out, nil
	}
	platforms, err := platformsIn(raw)
	if err != nil {
		return nil, fmt.Errorf("list the platforms of %s: %w", top.Short(), err)
	}
	for _, c := range platforms {
		out = append(out, VerifiedManifest{Digest: c.Digest, Platform: c.Platform})
	}
	return out, nil
}

// platformsIn lists the platforms of an index; none of an image. One that cannot be told is an error: somebody else may read
// the index more kindly.
func platformsIn(raw []byte) ([]fleetChild, error) {
	var index struct {
		Manifests []fleetChild `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, errors.New("its manifest is not of the right form: " + redact.Limited(err.Error(), 200))
	}
	var out []fleetChild
	for _, c := range index.Manifests {
		if _, err := core.ParseDigest(string(c.Digest)); err != nil {
			return nil, fmt.Errorf("it has an entry without a digest: %w", err)
		}
		if !c.isAbout(index.Manifests) {
			out = append(out, c)
		}
	}
	return out, nil
}

// verify fills in what is said of a manifest.
func (v *verifier) verify(ctx context.Context, m *VerifiedManifest) error {
	m.SignedBy, m.Attestations, m.Refusals, m.Ignored = []string{}, []VerifiedAttestation{}, []string{}, []string{}
	said, simple, err := v.read(ctx, m.Digest)
	if err != nil {
		return err
	}
	var summaries []signature.Verified
	for _, s := range said {
		verified, err := s.Verify(ctx, v.trust, m.Digest)
		if err != nil {
			m.ignore(s.what(m.Digest), err)
			continue
		}
		switch verified.PredicateType {
		case "", attest.TypeSignature:
			m.SignedBy = append(m.SignedBy, verified.Signer)
			continue
		case attest.TypeVSA:
			summaries = append(summaries, verified)
		}
		m.Attestations = append(m.Attestations, VerifiedAttestation{verified.PredicateType, verified.Signer})
	}
	for _, s := range simple {
		verified, err := v.trust.Signed(ctx, m.Digest, signature.Material{Simple: []signature.Simple{s}})
		if err != nil {
			m.ignore("a signature of the older form", err)
			continue
		}
		m.SignedBy = append(m.SignedBy, verified.Signer)
	}
	v.decide(m, summaries)
	return nil
}

func (m *VerifiedManifest) ignore(what string, err error) {
	m.Ignored = append(m.Ignored, what+": "+redact.Limited(err.Error(), 400))
}

// decide says what is missing.
func (v *verifier) decide(m *VerifiedManifest, summaries []signature.Verified) {
	slices.Sort(m.SignedBy)
	m.SignedBy = slices.Compact(m.SignedBy)
	slices.SortFunc(m.Attestations, func(a, b VerifiedAttestation) int {
		return cmp.Or(cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.Signer, b.Signer))
	})
	m.Attestations = slices.Compact(m.Attestations)
	if v.plan.Summary == nil && len(v.wanted) == 0 && len(m.SignedBy) == 0 {
		m.Refusals = append(m.Refusals, "nobody whose word counts signed it")
	}
	if v.plan.Summary != nil {
		latest, by, reasons := v.plan.Summary.Latest(summaries, v.gate.Now())
		if latest == nil {
			m.Refusals = append(m.Refusals, noVerdict(reasons))
		} else {
			m.Summary = &VerifiedSummary{*latest, by}
		}
	}
	for _, w := range v.wanted {
		if !slices.ContainsFunc(m.Attestations, func(a VerifiedAttestation) bool { return ofType(a.PredicateType, w) }) {
			m.Refusals = append(m.Refusals, "nobody whose word counts attested "+w+" to it")
		}
	}
}

// noVerdict says why none counts.
func noVerdict(reasons []string) string {
	if len(reasons) == 0 {
		return "nobody whose word counts attested a verdict to it"
	}
	return "no verdict about it is the one that is wanted: " + strings.Join(someOf(reasons), "; ")
}

// someOf are the first of several reasons.
func someOf(reasons []string) []string {
	if more := len(reasons) - maxReasons; more > 0 {
		return append(slices.Clone(reasons[:maxReasons]), fmt.Sprintf("and %d more", more))
	}
	return reasons
}

// spoken is something that was said of a digest: what a registry has, or what a file holds.
type spoken struct {
	attest.Said
	bundle []byte
	name   string
}

// Verify returns what a trusted signer said.
func (s spoken) Verify(ctx context.Context, t signature.Trust, d core.Digest) (signature.Verified, error) {
	if s.bundle != nil {
		return t.Bundle(s.bundle, d)
	}
	return s.Said.Verify(ctx, t, d)
}

// what names it for people, by what it calls itself.
func (s spoken) what(d core.Digest) string {
	if s.bundle != nil {
		return s.name
	}
	claims, err := s.Claims(d)
	kind := claims.PredicateType
	switch {
	case err != nil:
		kind = "an attestation"
	case kind == attest.TypeSignature:
		kind = "a signature"
	}
	return redact.Limited(kind, 120) + " (" + s.Digest.Short() + ")"
}

// wants reports whether an attestation of that type is of use. Others are not read: an image that is judged again and again
// has many.
func (v *verifier) wants(predicateType string) bool {
	return predicateType == attest.TypeVSA && v.plan.Summary != nil ||
		slices.ContainsFunc(v.wanted, func(w string) bool { return ofType(predicateType, w) })
}

// read reads what is said of a digest: signatures, and what is wanted besides.
func (v *verifier) read(ctx context.Context, d core.Digest) ([]spoken, []signature.Simple, error) {
	var out []spoken
	if v.bundles != nil {
		for i, raw := range v.bundles {
			out = append(out, spoken{bundle: raw, name: v.plan.Bundles[i]})
		}
		return out, nil, nil
	}
	shelf, err := attest.Beside(ctx, v.repository, d)
	if err != nil {
		return nil, nil, err
	}
	said, err := shelf.Read(ctx, v.wants)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range said {
		out = append(out, spoken{Said: s})
	}
	simple, err := attest.OlderSignatures(ctx, v.repository, d)
	if err != nil {
		return nil, nil, fmt.Errorf("read signatures of the older form: %w", err)
	}
	return out, simple, nil
}

// SummaryDemands are what an attested verdict has to say.
type SummaryDemands = attest.SummaryDemands
