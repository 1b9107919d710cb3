package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/inventory"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// JudgePlan is what judging evidence of earlier runs needs to know.
type JudgePlan struct {
	// Documents are files of evidence, as scan and gate write them.
	Documents []string
	// Digests are the subjects that are expected. Every document must be about one of them, and every one must have a
	// document: evidence about something else authorises nothing.
	Digests []core.Digest
	Policy  string
	Outputs []Output
	// Source and Change are as in a Plan. Without a base, that of the change that the evidence is about counts.
	Source string
	Change core.Change
}

// Judge merges the evidence of one or several jobs and judges it without looking at anything again.
//
// What such evidence says is not authenticated: whoever could write the files could write anything. Its verdict can
// refuse; before something is signed on its word, the image has to be read again. It is judged in full: there is no
// set of advisories at hand to look up the packages of a baseline in.
func (g *Gate) Judge(ctx context.Context, p JudgePlan) (_ *Result, err error) {
	if err := CheckOutputs(p.Outputs); err != nil {
		return nil, err
	}
	started := g.Now()
	evidence, bases, err := g.gather(ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := g.openSources(Plan{Source: p.Source, Change: p.about(evidence.Change)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return nil, err
	}
	evidence.Change, evidence.Publication = s.about(), nil // nothing is published here
	if err := s.compareAgain(&evidence, bases); err != nil {
		return nil, err
	}
	r := &Result{Evidence: evidence, Started: started}
	if r.Created, err = creationTime(g.Getenv, started); err != nil {
		return nil, err
	}
	r.Verdict = judge.Judge(&r.Evidence, nil, started)
	r.Elapsed = g.Now().Sub(started)
	return r, g.write(r, p.Outputs)
}

// about returns what is judged: what the plan says wins over what the evidence says, which nobody vouches for.
func (p JudgePlan) about(said *core.Change) core.Change {
	c := p.Change
	if said != nil && c.Base == "" {
		branch := c.Branch
		c = *said
		c.Branch = cmp.Or(branch, c.Branch)
	}
	return c
}

// gather merges the evidence, and lists the base of each document: empty for one that is about no change.
func (g *Gate) gather(ctx context.Context, p JudgePlan) (merged core.Evidence, bases []string, err error) {
	switch {
	case len(p.Documents) == 0:
		return core.Evidence{}, nil, &core.Failure{Doing: "judge", Usage: true, Err: errors.New("no evidence was named"),
			Hint: "make some with: cleanbill scan TARGET --output json=evidence.json"}
	case len(p.Digests) == 0:
		return core.Evidence{}, nil, &core.Failure{Doing: "judge", Usage: true, Err: errors.New("no digest is expected"),
			Hint: "say what the evidence must be about with --digest sha256:…"}
	}
	missing := slices.Clone(p.Digests)
	for _, name := range p.Documents {
		if err := ctx.Err(); err != nil {
			return core.Evidence{}, nil, interrupted(ctx, ctx, err)
		}
		document, about, err := documentAbout(name, p.Digests)
		if err != nil {
			return core.Evidence{}, nil, err
		}
		missing = slices.DeleteFunc(missing, func(d core.Digest) bool { return slices.Contains(about, d) })
		base := ""
		if change := document.Change; change != nil {
			base = change.Base
		}
		bases = append(bases, base)
		if err := merge(&merged, document); err != nil {
			return core.Evidence{}, nil, &core.Failure{Doing: "merge " + name, Err: err, Usage: true}
		}
	}
	if len(missing) > 0 {
		return core.Evidence{}, nil, &core.Failure{Doing: "judge", Usage: true,
			Err:  fmt.Errorf("none of the evidence is about %s", join(missing)),
			Hint: "add the evidence of that image"}
	}
	settle(&merged)
	return merged, bases, nil
}

// documentAbout reads evidence, which has to be about some of the digests, and says which.
func documentAbout(name string, digests []core.Digest) (core.Evidence, []core.Digest, error) {
	document, err := readDocument(name)
	if err != nil {
		return core.Evidence{}, nil, err
	}
	about := subjectsAmong(document.Evidence, digests)
	if len(about) == 0 {
		return core.Evidence{}, nil, &core.Failure{Doing: "judge " + name, Usage: true,
			Err:  fmt.Errorf("it is about %s, not about %s", describe(document.Evidence), join(digests)),
			Hint: "use the evidence of the image that was built, by digest"}
	}
	return document.Evidence, about, nil
}

// settle joins what several jobs said of the same things.
func settle(merged *core.Evidence) {
	inventory.Merge(merged)
	merged.Findings = unify(merged.Findings)
	vuln.JoinReach(merged)
	merged.Sort()
}

// subjectsAmong returns the expected digests that the evidence has as a subject. Only the outermost count: evidence
// about one platform is not evidence about its index.
func subjectsAmong(e core.Evidence, expected []core.Digest) []core.Digest {
	var found []core.Digest
	for _, s := range e.Subjects {
		if slices.Contains(expected, s.Digest) {
			found = append(found, s.Digest)
		}
	}
	return found
}

// merge adds the evidence of one more job. Examinations are kept from every job: one that is incomplete anywhere stays
// a gap.
func merge(into *core.Evidence, more core.Evidence) error {
	known := make(map[core.Digest]core.Subject, len(into.Subjects))
	for _, s := range into.Subjects {
		known[s.Digest] = s
	}
	subjects := more.Subjects
	more.Subjects = nil
	for _, s := range subjects {
		earlier, seen := known[s.Digest]
		switch {
		case !seen:
			more.Subjects = append(more.Subjects, s)
		case earlier.Kind != s.Kind || earlier.Parent != s.Parent:
			return fmt.Errorf("two documents disagree about %s: %s and %s", s.Digest.Short(), earlier.Kind, s.Kind)
		}
	}
	switch a, b := into.Change, more.Change; {
	case b == nil:
	case a == nil || a.Base == "":
		into.Change = b
	case b.Base != "" && a.Base != b.Base:
		return fmt.Errorf("two documents are about changes of different bases, %s and %s", a.Base, b.Base)
	}
	more.Images = slices.DeleteFunc(slices.Clone(more.Images), func(f core.ImageFacts) bool {
		return slices.ContainsFunc(into.Images, func(k core.ImageFacts) bool { return k.Subject == f.Subject })
	})
	oldest := older(into.Advisories, more.Advisories)
	into.Add(more)
	into.Advisories = oldest
	return nil
}

// older returns the set that knows less: the starter set, then the one built first. A policy on the age of advisories
// must see the worst of them.
func older(a, b core.AdvisorySource) core.AdvisorySource {
	switch {
	case a.Name == "":
		return b
	case b.Name == "":
		return a
	case a.Starter != b.Starter:
		if a.Starter {
			return a
		}
		return b
	case b.Built.Before(a.Built):
		return b
	default:
		return a
	}
}

func describe(e core.Evidence) string {
	var digests []core.Digest
	for _, s := range e.Subjects {
		digests = append(digests, s.Digest)
	}
	if len(digests) == 0 {
		return "nothing"
	}
	return join(digests)
}

func join(digests []core.Digest) string {
	words := make([]string, len(digests))
	for i, d := range digests {
		words[i] = string(d)
	}
	return strings.Join(words, ", ")
}
