package gate

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// DefaultSummaryAge is how old a summary may be that an image is promoted by: advisories are written every day.
const DefaultSummaryAge = 7 * 24 * time.Hour

// PromotePlan says what is copied where, because of which summary.
type PromotePlan struct {
	// Source is an image in a registry, and Destination a repository and the tag that names the copy.
	Source, Destination string
	// Signers are those whose summaries count; at least one.
	Signers SignerFiles
	// Policy is that by which it has to have passed, as in a Plan.
	Policy string
	// MaxAge is how old the summary may be; 0 is DefaultSummaryAge.
	MaxAge time.Duration
	Limits Limits
}

// PromotionVersion is that of the document that a Promotion is written as.
const PromotionVersion = 1

// Promotion is what was copied, or why nothing was.
type Promotion struct {
	Version int `json:"version"`
	// Decision is passed if the image was copied, and refused if no summary counts; nothing is written then.
	Decision core.Decision `json:"decision"`
	// Source is the image as it was named, and Reference the name of the copy, which a refused one does not have.
	Source    string      `json:"source"`
	Reference string      `json:"reference,omitempty"`
	Digest    core.Digest `json:"digest"`
	// Attached is how many manifests that belong to the image were copied with it.
	Attached int `json:"attached"`
	// Signer signed the summary that allows it, at the time Verified.
	Signer   string    `json:"signer,omitempty"`
	Verified time.Time `json:"verified,omitzero"`
	// Policy is that by which it has to have passed.
	Policy core.PolicyRef `json:"policy"`
	// Refusals say of each summary why it does not count.
	Refusals []string `json:"refusals"`
}

// Promote copies an image that passed, by digest, with all that belongs to it, and gives the copy its name in the end. It
// looks at nothing again: somebody who is trusted has to have signed a summary that says that this digest passed this
// policy, not long ago. To judge again instead, run a plan that publishes with Attached.
//
// The error is a core.Failure if nobody could look, or if the plan makes no sense; an image that may not be promoted is
// none.
func (g *Gate) Promote(ctx context.Context, p PromotePlan) (_ *Promotion, err error) {
	if p.MaxAge == 0 {
		p.MaxAge = DefaultSummaryAge
	}
	tag, err := parseTag(p.Destination)
	switch {
	case err != nil:
		return nil, &core.Failure{Doing: "promote to " + shown(p.Destination), Err: err, Usage: true,
			Hint: "name a repository and a tag, as registry.example/team/app:1.4"}
	case p.MaxAge < 0:
		return nil, &core.Failure{Doing: "promote " + shown(p.Source), Err: errors.New("an age is not negative"), Usage: true}
	case len(p.Signers.Signers) == 0:
		return nil, &core.Failure{Doing: "promote " + shown(p.Source), Usage: true,
			Err:  errors.New("nobody is named whose summary counts"),
			Hint: "name the key with --signed-by, or the identity with --certificate-identity and --certificate-oidc-issuer"}
	}
	if p.Source, err = target.InRegistry(p.Source); err != nil {
		return nil, advice.Failure(ctx, "promote "+shown(p.Source), err)
	}
	trust, err := p.Signers.trust()
	if err != nil {
		return nil, err
	}
	s, err := g.openSources(Plan{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return nil, err
	}
	bounded, cancel := timed(ctx, p.Limits)
	defer cancel()
	promotion, err := g.promote(bounded, p, tag, trust, judge.Ref())
	if err != nil {
		return nil, interrupted(ctx, bounded, advice.Failure(ctx, "promote "+shown(p.Source), err))
	}
	return promotion, nil
}

func (g *Gate) promote(ctx context.Context, p PromotePlan, tag name.Tag, trust signature.Trust, by core.PolicyRef) (_ *Promotion, err error) {
	t, err := target.Open(ctx, "registry:"+p.Source, target.Options{Limits: p.Limits, Getenv: g.Getenv, Log: g.named("target"),
		UserAgent: "cleanbill/" + g.Version})
	if err != nil {
		return nil, errors.Unwrap(err) // what was being done is said here
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	content, ok := t.Content()
	if !ok {
		return nil, advice.Misuse("name an image", "it is no image")
	}
	found := &Promotion{Version: PromotionVersion, Source: p.Source, Digest: t.Subject.Digest, Policy: by, Refusals: []string{}}
	allowed, err := g.allowed(ctx, found, trust, t.Repository, p.MaxAge)
	if err != nil {
		return nil, err
	}
	if !allowed {
		found.Decision = core.Refused
		return found, nil
	}
	to, err := registry.Dial(ctx, tag.Repository, registry.Options{
		Getenv: g.Getenv, Log: g.named("registry"), UserAgent: "cleanbill/" + g.Version, Write: true,
		Patience: g.Patience,
	})
	if err != nil {
		return nil, err
	}
	g.tell(Event{Kind: EventPushing, Target: tag.Name()})
	if err := attest.Push(ctx, to, content); err != nil {
		return nil, err
	}
	found.Decision, found.Reference = core.Passed, tag.Name()
	if found.Attached, err = attest.CopyAttached(ctx, to, t.Repository, content); err != nil {
		return nil, err
	}
	if err := attest.Tag(ctx, to, tag.TagStr(), content); err != nil {
		return nil, err
	}
	return found, nil
}

// allowed notes who said last that the digest passed the policy, as verify reads it, or why nothing that was said counts.
func (g *Gate) allowed(ctx context.Context, p *Promotion, trust signature.Trust, in *registry.Repository, most time.Duration) (bool, error) {
	v := verifier{gate: g, trust: trust, repository: in, plan: VerifyPlan{Summary: &SummaryDemands{Policy: p.Policy.Digest, MaxAge: most}}}
	m := VerifiedManifest{Digest: p.Digest}
	if err := v.verify(ctx, &m); err != nil {
		return false, err
	}
	if len(m.Refusals) == 0 {
		p.Signer, p.Verified = m.Summary.Signer, m.Summary.Verified
		return true, nil
	}
	p.Refusals = someOf(append(m.Refusals, m.Ignored...))
	return false, nil
}
