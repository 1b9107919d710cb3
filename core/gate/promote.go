package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// Promotion is what was copied.
type Promotion struct {
	// Source is the image as it was named, and Reference the name of the copy.
	Source    string      `json:"source"`
	Reference string      `json:"reference"`
	Digest    core.Digest `json:"digest"`
	// Attached is how many manifests that belong to the image were copied with it.
	Attached int `json:"attached"`
	// Signer signed the summary that allows it, at the time Verified, by Policy.
	Signer   string         `json:"signer"`
	Verified time.Time      `json:"verified"`
	Policy   core.PolicyRef `json:"policy"`
}

// Promote copies an image that passed, by digest, with all that belongs to it, and gives the copy its name in the end. It
// looks at nothing again: somebody who is trusted has to have signed a summary that says that this digest passed this
// policy, not long ago. To judge again instead, run a plan that publishes with Attached.
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
	bundles, err := t.Bundles(ctx, t.Subject.Digest)
	if err != nil {
		return nil, err
	}
	found, err := findSummary(trust, bundles, t.Subject.Digest, by, p.MaxAge, g.Now())
	if err != nil {
		return nil, err
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
	found.Source, found.Reference, found.Digest, found.Policy = t.Subject.Name, tag.Name(), t.Subject.Digest, by
	if found.Attached, err = attest.CopyAttached(ctx, to, t.Repository, content); err != nil {
		return nil, err
	}
	return found, attest.Tag(ctx, to, tag.TagStr(), content)
}

// findSummary returns who said that the digest passed the policy. The error says of each summary why it does not count.
func findSummary(trust signature.Trust, bundles [][]byte, about core.Digest, by core.PolicyRef, most time.Duration, now time.Time) (*Promotion, error) {
	var reasons []string
	for _, raw := range bundles {
		v, err := trust.Bundle(raw, about)
		if err != nil {
			reasons = append(reasons, err.Error())
			continue
		}
		if v.PredicateType != attest.TypeVSA {
			continue
		}
		said, err := attest.SummaryDemands{Policy: by.Digest, MaxAge: most}.Read(v.Predicate, now)
		if err == nil {
			return &Promotion{Signer: v.Signer, Verified: said.Verified}, nil
		}
		reasons = append(reasons, fmt.Sprintf("the summary by %s: %v", v.Signer, err))
	}
	slices.Sort(reasons)
	reasons = slices.Compact(reasons)
	if more := len(reasons) - maxReasons; more > 0 {
		reasons = append(reasons[:maxReasons], fmt.Sprintf("and %d more", more))
	}
	why := ""
	if len(reasons) > 0 {
		why = ": " + strings.Join(reasons, "; ")
	}
	return nil, advice.Unavailable("judge it again: leave --signed-by and the identity out",
		"nobody who is trusted says that %s passed the policy %s%s", about.Short(), by.Name, why)
}
