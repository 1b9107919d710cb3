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

// Promotion is what was copied, or why nothing was.
type Promotion struct {
	// Decision is core.Refused if no summary that counts allows it. Refusals then say so, and Ignored what does not count.
	Decision core.Decision `json:"decision"`
	// Source is the image as it was named, and Reference the name of the copy.
	Source    string      `json:"source"`
	Reference string      `json:"reference"`
	Digest    core.Digest `json:"digest"`
	// Policy is the one that it has to have passed.
	Policy core.PolicyRef `json:"policy"`
	// Attached is how many manifests that belong to the image were copied with it.
	Attached int `json:"attached,omitempty"`
	// Summary is the verdict that allows it.
	Summary  *VerifiedSummary `json:"summary,omitempty"`
	Refusals []string         `json:"refusals,omitempty"`
	Ignored  []string         `json:"ignored,omitempty"`
}

// Promote copies an image that passed, by digest, with all that belongs to it, and gives the copy its name in the end. It
// looks at nothing again: somebody who is trusted has to have signed a summary that says that this digest passed this
// policy, not long ago. Without that nothing is written. To judge again instead, run a plan that publishes with Attached.
//
// The error is a core.Failure if nobody could look, or if the copy could not be completed.
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
	promotion, err := g.promote(ctx, p, tag, trust, judge.Ref())
	return promotion, advice.Failure(ctx, "promote "+shown(p.Source), err)
}

func (g *Gate) promote(ctx context.Context, p PromotePlan, tag name.Tag, trust signature.Trust, by core.PolicyRef) (_ *Promotion, err error) {
	t, err := target.Open(ctx, p.Source, target.Options{Limits: p.Limits, Getenv: g.Getenv, Log: g.named("target"),
		UserAgent: "cleanbill/" + g.Version})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	content, ok := t.Content()
	if !ok || t.Repository == nil {
		return nil, &core.Failure{Doing: "promote " + shown(p.Source), Usage: true, Err: errors.New("it is no image in a registry"),
			Hint: "publish it with: cleanbill gate TARGET --push " + tag.Name()}
	}
	found := &Promotion{Source: t.Subject.Name, Reference: tag.Name(), Digest: t.Subject.Digest, Policy: by, Decision: core.Passed}
	v := verifier{gate: g, trust: trust, repository: t.Repository,
		plan: VerifyPlan{Summary: &SummaryDemands{Policy: by.Digest, MaxAge: p.MaxAge}}}
	m := VerifiedManifest{Digest: t.Subject.Digest}
	if err := v.verify(ctx, &m); err != nil {
		return nil, err
	}
	if found.Summary = m.Summary; len(m.Refusals) > 0 {
		found.Decision, found.Refusals, found.Ignored = core.Refused, m.Refusals, m.Ignored
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
	if found.Attached, err = attest.CopyAttached(ctx, to, t.Repository, content); err != nil {
		return nil, err
	}
	return found, attest.Tag(ctx, to, tag.TagStr(), content)
}
