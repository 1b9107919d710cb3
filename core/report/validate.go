package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// validator checks what the types cannot say: enumerations, digests, ranges, and that everything refers to something
// that is there.
type validator struct {
	data     []byte
	subjects map[core.Digest]core.Subject
	layers   map[core.Digest][]core.LayerFacts
	// findings are the fingerprints of each subject.
	findings map[findingKey]bool
	path     []strictjson.Step
	err      error
}

type findingKey struct {
	subject     core.Digest
	fingerprint string
}

// validate returns the first thing that is wrong with d, whose bytes are data.
func validate(d Document, data []byte) error {
	v := &validator{
		data:     data,
		subjects: map[core.Digest]core.Subject{},
		layers:   map[core.Digest][]core.LayerFacts{},
		findings: map[findingKey]bool{},
	}
	v.in("tool", func() { v.notEmpty("name", d.Tool.Name) })
	v.in("evidence", func() { v.evidence(&d.Evidence) })
	if d.Verdict != nil {
		v.in("verdict", func() { v.verdict(d.Verdict) })
	}
	return v.err
}

func (v *validator) evidence(e *core.Evidence) {
	each(v, "subjects", e.Subjects, v.subject)
	for _, s := range e.Subjects {
		v.subjects[s.Digest] = s
	}
	each(v, "subjects", e.Subjects, v.parent)
	each(v, "images", e.Images, v.image)
	each(v, "packages", e.Packages, v.pkg)
	each(v, "findings", e.Findings, v.finding)
	each(v, "examinations", e.Examinations, v.examination)
	if e.Publication != nil {
		v.in("publication", func() { v.notEmpty("reference", e.Publication.Reference) })
	}
	each(v, "reach", e.Reach, func(r *core.Reach) {
		v.notEmpty("package", r.Package)
		oneOf(v, "reachable", r.Reachable, core.ReachableYes, core.ReachableNo, core.ReachableUnknown)
	})
	v.in("advisories", func() {
		v.optionalDigest("digest", e.Advisories.Digest)
		v.atLeastZero("records", int64(e.Advisories.Records))
	})
}

func (v *validator) subject(s *core.Subject) {
	v.digest("digest", s.Digest)
	v.optionalDigest("parent", s.Parent)
	oneOf(v, "kind", s.Kind, core.KindIndex, core.KindImage, core.KindSource, core.KindSBOM)
	if _, twice := v.subjects[s.Digest]; twice {
		v.fail("digest", "two subjects have this digest")
	}
	v.subjects[s.Digest] = *s
}

func (v *validator) parent(s *core.Subject) {
	if s.Parent != "" && v.subjects[s.Parent].Kind != core.KindIndex {
		v.fail("parent", "no image index among the subjects has this digest")
	}
}

func (v *validator) image(i *core.ImageFacts) {
	v.known("subject", i.Subject)
	if _, twice := v.layers[i.Subject]; twice {
		v.fail("subject", "two images have this subject")
	}
	each(v, "layers", i.Layers, func(l *core.LayerFacts) {
		v.digest("digest", l.Digest)
		v.digest("diffId", l.DiffID)
		v.atLeastZero("size", l.Size)
		v.atLeastZero("uncompressed", l.Uncompressed)
	})
	v.layers[i.Subject] = i.Layers
	if i.Base != nil {
		v.in("base", func() {
			v.optionalDigest("digest", i.Base.Digest)
			v.atLeastZero("layers", int64(i.Base.Layers))
		})
	}
	v.atLeastZero("files", int64(i.Files))
}

func (v *validator) pkg(p *core.Package) {
	v.known("subject", p.Subject)
	v.notEmpty("name", p.Name)
	v.notEmpty("analyzer", p.Analyzer)
	oneOf(v, "scope", p.Scope, "", core.ScopeRuntime, core.ScopeDevelopment)
	oneOf(v, "relation", p.Relation, "", core.RelationDirect, core.RelationTransitive)
	each(v, "locations", p.Locations, v.location)
	v.origin(p.Subject, p.Origin)
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (v *validator) location(l *core.Location) {
	v.optionalDigest("layer", l.Layer)
	v.atLeastZero("line", int64(l.Line))
	v.atLeastZero("endLine", int64(l.EndLine))
	v.atLeastZero("column", int64(l.Column))
	if l.Commit != "" && !commitForm.MatchString(l.Commit) {
		v.fail("commit", "want 40 lower-case hex digits")
	}
}

// origin checks a provenance against the layers of its image, if those are in the evidence.
func (v *validator) origin(subject core.Digest, o *core.Origin) {
	if o == nil {
		return
	}
	v.in("origin", func() {
		v.digest("diffId", o.DiffID)
		v.atLeastZero("layer", int64(o.Layer))
		layers, known := v.layers[subject]
		if known && o.Layer >= len(layers) {
			v.fail("layer", fmt.Sprintf("the image has %d layers", len(layers)))
		} else if known && o.Layer >= 0 && layers[o.Layer].DiffID != o.DiffID {
			v.fail("diffId", "the image's layer of that number has another diff-id")
		}
		if o.RemovedIn == nil {
			return
		}
		if *o.RemovedIn < o.Layer || known && *o.RemovedIn >= len(layers) {
			v.fail("removedIn", "want the number of a later layer")
		}
	})
}

// maxEntropy is what a text has of which every character is another, in bits for each character.
const maxEntropy = 32

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (v *validator) finding(f *core.Finding) {
	v.known("subject", f.Subject)
	if !fingerprintForm.MatchString(f.Fingerprint) {
		v.fail("fingerprint", "want 32 lower-case hex digits")
	}
	oneOf(v, "kind", f.Kind, core.FindingKinds()...)
	oneOf(v, "match", f.Match, "", core.MatchExact, core.MatchSource, core.MatchVendored, core.MatchName)
	oneOf(v, "reachable", f.Reachable, "", core.ReachableYes, core.ReachableNo, core.ReachableUnknown)
	each(v, "vex", f.VEX, func(s *core.VEXStatement) {
		oneOf(v, "status", s.Status, core.VEXNotAffected, core.VEXAffected, core.VEXFixed, core.VEXUnderInvestigation)
		v.digest("digest", s.Digest)
	})
	v.notEmpty("rule", f.Rule)
	if f.Score != nil {
		v.between("score", *f.Score, 10)
	}
	v.in("fix", func() {
		oneOf(v, "state", f.Fix.State, core.FixUnknown, core.FixAvailable, core.FixNone, core.FixWontFix, core.FixEndOfLife,
			core.FixNotAffected)
	})
	if f.EPSS != nil {
		v.in("epss", func() {
			v.between("score", f.EPSS.Score, 1)
			v.between("percentile", f.EPSS.Percentile, 1)
		})
	}
	if f.Secret != nil {
		v.in("secret", func() { v.between("entropy", f.Secret.Entropy, maxEntropy) })
	}
	each(v, "suppressions", f.Suppressions, func(s *core.Suppression) {
		oneOf(v, "kind", s.Kind, core.SuppressedInline, core.SuppressedConfig, core.SuppressedReport)
		v.notEmpty("by", s.By)
		v.atLeastZero("line", int64(s.Line))
	})
	each(v, "locations", f.Locations, v.location)
	v.origin(f.Subject, f.Origin)
	v.findings[findingKey{f.Subject, f.Fingerprint}] = true
}

func (v *validator) examination(x *core.Examination) {
	v.knownIfAny("subject", x.Subject)
	v.notEmpty("name", x.Name)
	v.notEmpty("tool", x.Tool)
	v.optionalDigest("input", x.Input)
	oneOf(v, "status", x.Status, core.Complete, core.Partial, core.Failed, core.Skipped)
	if x.Status != core.Complete && len(x.Why) == 0 {
		v.fail("status", "an examination that is not complete must say why")
	}
}

func (v *validator) verdict(d *core.Verdict) {
	v.in("policy", func() { v.digest("digest", d.Policy.Digest) })
	each(v, "refusals", d.Refusals, v.outcome)
	each(v, "warnings", d.Warnings, v.outcome)
	each(v, "ignored", d.Ignored, v.outcome)
	each(v, "gaps", d.Gaps, v.gap)
	each(v, "accepted", d.Accepted, v.gap)
	each(v, "upgrades", d.Upgrades, func(u *core.Upgrade) {
		v.known("subject", u.Subject)
		each(v, "fixes", u.Fixes, func(f *string) { v.knownFinding("", u.Subject, *f) })
	})
	if a := d.AfterUpgrades; a != nil {
		v.in("afterUpgrades", func() {
			v.atLeastZero("refusals", int64(a.Refusals))
			v.atLeastZero("gaps", int64(a.Gaps))
		})
	}
	each(v, "waivers", d.Waivers, func(w *core.WaiverUse) {
		v.notEmpty("id", w.ID)
		oneOf(v, "state", w.State, core.WaiverUsed, core.WaiverUnused, core.WaiverExpired, core.WaiverFixed)
		v.atLeastZero("excused", int64(w.Excused))
	})
	if b := d.Baseline; b != nil {
		v.in("baseline", func() {
			v.optionalDigest("digest", b.Digest)
			v.atLeastZero("known", int64(b.Known))
			v.atLeastZero("new", int64(b.New))
		})
	}
	switch {
	case d.Decision == core.Passed && (len(d.Refusals) > 0 || len(d.Gaps) > 0):
		v.fail("decision", "a verdict with refusals or gaps cannot be passed")
	case d.Decision == core.Refused && len(d.Refusals) == 0:
		v.fail("decision", "a refused verdict needs a refusal")
	}
}

func (v *validator) outcome(o *core.Outcome) {
	v.knownIfAny("subject", o.Subject)
	oneOf(v, "action", o.Action, core.ActionFail, core.ActionWarn, core.ActionIgnore)
	oneOf(v, "cause", o.Cause, append(core.Causes(), "")...)
	if o.Held && (o.Action != core.ActionWarn || o.Cause == "") {
		v.fail("held", "only a warning that has a cause can be a refusal that is held back")
	}
	if o.Fingerprint != "" {
		v.knownFinding("fingerprint", o.Subject, o.Fingerprint)
	}
}

func (v *validator) gap(g *core.Gap) {
	v.knownIfAny("subject", g.Subject)
	oneOf(v, "status", g.Status, "", core.Complete, core.Partial, core.Failed, core.Skipped)
}

// fail notes the first error, for the named member of the current value, or for the value itself.
func (v *validator) fail(member, reason string) {
	if v.err != nil {
		return
	}
	steps := v.path
	if member != "" {
		steps = append(slices.Clone(steps), strictjson.Member(member))
	}
	v.err = strictjson.Locate(v.data, reason, steps...)
}

func (v *validator) in(member string, check func()) {
	v.path = append(v.path, strictjson.Member(member))
	check()
	v.path = v.path[:len(v.path)-1]
}

// each checks the elements of a list until something is wrong.
func each[T any](v *validator, member string, elements []T, check func(*T)) {
	v.in(member, func() {
		v.path = append(v.path, strictjson.Element(0))
		for i := 0; i < len(elements) && v.err == nil; i++ {
			v.path[len(v.path)-1].Index = i
			check(&elements[i])
		}
		v.path = v.path[:len(v.path)-1]
	})
}

func oneOf[T ~string](v *validator, member string, value T, allowed ...T) {
	if !slices.Contains(allowed, value) {
		v.fail(member, fmt.Sprintf("%q is none of %q", redact.Limited(string(value), 64), allowed))
	}
}

func (v *validator) notEmpty(member, value string) {
	if value == "" {
		v.fail(member, "this must not be empty")
	}
}

func (v *validator) atLeastZero(member string, n int64) {
	if n < 0 {
		v.fail(member, "this must not be negative")
	}
}

func (v *validator) between(member string, n, most float64) {
	if math.IsNaN(n) || n < 0 || n > most {
		v.fail(member, fmt.Sprintf("want a number from 0 to %v", most))
	}
}

func (v *validator) digest(member string, d core.Digest) {
	if _, err := core.ParseDigest(string(d)); err != nil {
		v.fail(member, "want a digest: sha256: and 64 lower-case hex digits")
	}
}

func (v *validator) optionalDigest(member string, d core.Digest) {
	if d != "" {
		v.digest(member, d)
	}
}

func (v *validator) known(member string, d core.Digest) {
	v.digest(member, d)
	if _, ok := v.subjects[d]; !ok {
		v.fail(member, "no subject has this digest")
	}
}

func (v *validator) knownIfAny(member string, d core.Digest) {
	if d != "" {
		v.known(member, d)
	}
}

func (v *validator) knownFinding(member string, subject core.Digest, fingerprint string) {
	if !v.findings[findingKey{subject, fingerprint}] {
		v.fail(member, "no finding of this subject has this fingerprint")
	}
}
