package gate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// Since says when a flaw of a released image became known.
type Since string

// When flaws became known.
const (
	SinceRelease Since = "new"     // what was attested at release does not have it
	SinceBefore  Since = "known"   // it does
	SinceUnknown Since = "unknown" // nobody attested what was known
)

// AuditVersion is the version of the form of Audit and Find in JSON.
const AuditVersion = 1

// Audit is what became of released images: their attested packages, matched against today's advisories and judged.
type Audit struct {
	Version    int                 `json:"version"`
	Time       time.Time           `json:"time"`
	Policy     core.PolicyRef      `json:"policy"`
	Advisories core.AdvisorySource `json:"advisories"`
	// Decision is refused if any image is, and undecided if something could not be looked at.
	Decision core.Decision  `json:"decision"`
	Counts   AuditCounts    `json:"counts"`
	Images   []AuditedImage `json:"images"`
	Gaps     []FleetGap     `json:"gaps"`
}

// AuditCounts count images, and the vulnerabilities of all of them.
type AuditCounts struct {
	Images          int `json:"images"`
	Refused         int `json:"refused"`
	Undecided       int `json:"undecided"`
	Passed          int `json:"passed"`
	Vulnerabilities int `json:"vulnerabilities"`
	// New are those that became known since the images were released.
	New int `json:"new"`
}

// AuditedImage is an image as it would be judged today.
type AuditedImage struct {
	FleetImage
	Decision core.Decision `json:"decision"`
	Packages int           `json:"packages"`
	// Vulnerabilities are all of them, whatever the policy makes of them.
	Vulnerabilities []AuditedFlaw `json:"vulnerabilities"`
	// Others are refusals for what is no vulnerability, such as a license.
	Others []core.Outcome `json:"others,omitempty"`
	// Incomplete says what keeps the image from passing because it could not be looked at.
	Incomplete []string `json:"incomplete,omitempty"`
}

// AuditedFlaw is a vulnerability of a package of an image.
type AuditedFlaw struct {
	ID        string          `json:"id"`
	Aliases   []string        `json:"aliases,omitempty"`
	Title     string          `json:"title,omitempty"`
	Severity  core.Severity   `json:"severity"`
	Exploited *core.Exploited `json:"exploited,omitempty"`
	Package   string          `json:"package"`
	Name      string          `json:"name"`
	Installed string          `json:"installed"`
	// Fixed is the version to upgrade to; empty if there is none.
	Fixed string `json:"fixed,omitempty"`
	// Action is what the policy does with it, by which rule and waiver; empty if no rule matches.
	Action core.Action `json:"action,omitempty"`
	Rule   string      `json:"rule,omitempty"`
	Waiver string      `json:"waiver,omitempty"`
	Since  Since       `json:"since"`
	// WaivedThen is the waiver that excused it at release.
	WaivedThen string `json:"waivedThen,omitempty"`
}

// auditing is an audit that is being made.
type auditing struct {
	gate    *Gate
	judge   chosen
	set     *advisory.Set
	matcher *vuln.Matcher
	vex     *statements
	now     time.Time

	mu    sync.Mutex
	audit Audit
}

// fleetSet is the policy, the advisories and the words on exploitability that released images are judged with.
func (g *Gate) fleetSet(ctx context.Context, p FleetPlan) (_ *auditing, err error) {
	plan := Plan{Policy: p.Policy, Advisories: p.Advisories, Offline: p.Offline, Limits: p.Limits}
	s, err := g.openSources(plan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return nil, err
	}
	plan, trust, err := plan.under(judge.Policy)
	if err != nil {
		return nil, err
	}
	said, err := s.readVEX(s.vexFiles(plan, judge.Policy), trust.vex)
	if err != nil {
		return nil, err
	}
	set, err := g.setFor(ctx, plan, trust.advisories)
	if err != nil {
		return nil, err
	}
	a := &auditing{gate: g, judge: judge, set: set, matcher: vuln.NewMatcher(set), vex: said, now: g.Now()}
	a.audit = Audit{Version: AuditVersion, Time: a.now, Policy: judge.Ref(), Advisories: set.Source(),
		Images: []AuditedImage{}}
	return a, nil
}

// setFor opens the set that a plan names, or the published one and what takes its place.
func (g *Gate) setFor(ctx context.Context, p Plan, trust signature.Trust) (*advisory.Set, error) {
	options := g.sets(trust, p.Offline)
	set, err := advisory.Open(ctx, g.defaultAdvisories(p.Advisories), options)
	if err != nil && p.Advisories == "" && g.Getenv(variableAdvisories) == "" {
		return advisory.Fallback(ctx, nil, err, advisory.FallbackOptions{OpenOptions: options,
			Build:    advisory.BuildOptions{Limits: p.Limits, Network: g.network()},
			Progress: func(line string) { g.tell(Event{Kind: EventAdvisories, Text: line}) }})
	}
	return set, err
}

// Audit judges released images by their attested bills of materials and today's advisories. No layer is read.
//
// The error is a core.Failure: of the plan, or because advisories could not be read. Images that could not be looked at
// are gaps of the audit.
func (g *Gate) Audit(ctx context.Context, p FleetPlan) (*Audit, error) {
	f, err := g.newFleet(p)
	if err != nil {
		return nil, err
	}
	a, err := g.fleetSet(ctx, p)
	if err != nil {
		return nil, err
	}
	vex := !a.vex.trust.Empty()
	f.wanted = func(t string) bool { return isSBOM(t) || isVulns(t) || vex && isVEX(t) }
	f.visit = a.visit
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return a.finish(f.gaps), nil
}

// visit matches and judges one image.
func (a *auditing) visit(ctx context.Context, r *released) error {
	if err := a.match(ctx, r); err != nil {
		return err
	}
	verdict := a.judge.Judge(&r.evidence, nil, a.now)
	image := a.image(r, &verdict)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.audit.Images = append(a.audit.Images, image)
	return nil
}

// match looks the packages of an image up, and adds what is said of the flaws.
func (a *auditing) match(ctx context.Context, r *released) error {
	e := &r.evidence
	e.Examinations = append(e.Examinations, core.Examination{Name: core.ExamineTarget, Subject: r.Digest, Tool: "cleanbill",
		Version: a.gate.Version, Status: core.Complete})
	if err := a.matcher.Match(ctx, e, a.now); err != nil {
		return err
	}
	said := &statements{trust: a.vex.trust, documents: slices.Clone(a.vex.documents)}
	if !said.trust.Empty() {
		for _, b := range a.vex.bundles {
			said.bundle(a.gate, b.name, b.raw, r.Digest)
		}
		for _, h := range r.heard {
			if raw := h.Bundle(); raw != nil {
				said.bundle(a.gate, "attestation of "+r.Name(), raw, r.Digest)
			}
		}
	}
	vuln.Excuse(e, said.documents)
	e.Sort()
	return nil
}

// asked are the examinations that an audit makes. What only the image itself could show, such as secrets in its layers,
// was judged at its release and has not changed since.
func asked(name string) bool {
	return slices.Contains([]string{core.ExamineTarget, core.ExaminePackages, core.ExamineDistro, core.ExamineAdvisories}, name)
}

// image is what a verdict says of an image.
func (a *auditing) image(r *released, v *core.Verdict) AuditedImage {
	out := AuditedImage{FleetImage: r.FleetImage, Packages: len(r.evidence.Packages), Vulnerabilities: []AuditedFlaw{}}
	outcomes := map[string]core.Outcome{}
	for _, o := range slices.Concat(v.Ignored, v.Warnings, v.Refusals) {
		outcomes[o.Fingerprint] = o
	}
	about := map[string]bool{}
	for i := range r.evidence.Findings {
		f := &r.evidence.Findings[i]
		if f.Package == nil {
			continue
		}
		about[f.Fingerprint] = true
		out.Vulnerabilities = append(out.Vulnerabilities, r.flaw(f, outcomes[f.Fingerprint]))
	}
	for _, o := range v.Refusals {
		if !about[o.Fingerprint] {
			out.Others = append(out.Others, o)
		}
	}
	for _, gap := range v.Gaps {
		if asked(gap.Examination) {
			out.Incomplete = append(out.Incomplete, gap.Examination+": "+strings.Join(gap.Why, "; "))
		}
	}
	switch {
	case len(v.Refusals) > 0:
		out.Decision = core.Refused
	case len(out.Incomplete) == 0:
		out.Decision = core.Passed
	}
	slices.SortFunc(out.Vulnerabilities, func(a, b AuditedFlaw) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package))
	})
	return out
}

// flaw is a finding, with what became of it.
func (r *released) flaw(f *core.Finding, o core.Outcome) AuditedFlaw {
	out := AuditedFlaw{ID: f.Rule, Aliases: f.Aliases, Title: f.Title, Severity: f.Severity, Exploited: f.Exploited,
		Package: f.Package.Purl, Name: f.Package.Name, Installed: f.Package.Version, Fixed: f.Fix.Version,
		Action: o.Action, Rule: o.Rule, Waiver: o.Waiver, Since: SinceUnknown}
	if r.then != nil {
		out.Since = SinceRelease
		if then, known := r.then.of(f); known {
			out.Since, out.WaivedThen = SinceBefore, then.Waiver
		}
	}
	return out
}

// finish puts the audit in order and counts.
func (a *auditing) finish(gaps []FleetGap) *Audit {
	out := &a.audit
	if out.Gaps = gaps; gaps == nil {
		out.Gaps = []FleetGap{}
	}
	slices.SortFunc(out.Images, func(a, b AuditedImage) int { return compareImages(&a.FleetImage, &b.FleetImage) })
	for i := range out.Images {
		image := &out.Images[i]
		switch image.Decision {
		case core.Refused:
			out.Counts.Refused++
		case core.Passed:
			out.Counts.Passed++
		default:
			out.Counts.Undecided++
		}
		out.Counts.Vulnerabilities += len(image.Vulnerabilities)
		for _, f := range image.Vulnerabilities {
			if f.Since == SinceRelease {
				out.Counts.New++
			}
		}
	}
	out.Counts.Images = len(out.Images)
	switch {
	case out.Counts.Refused > 0:
		out.Decision = core.Refused
	case len(out.Gaps) == 0 && out.Counts.Undecided == 0 && len(out.Images) > 0:
		out.Decision = core.Passed
	}
	return out
}

// isVEX reports whether a predicate type may hold statements on exploitability.
func isVEX(predicateType string) bool {
	return strings.HasPrefix(predicateType, predicateOpenVEX) || predicateType == predicateCycloneDX ||
		predicateType == predicateCycloneDXVEX
}
