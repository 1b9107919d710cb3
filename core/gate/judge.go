package gate

import (
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
}

// Judge merges the evidence of one or several jobs and judges it without looking at anything again.
//
// What such evidence says is not authenticated: whoever could write the files could write anything. Its verdict can
// refuse; before something is signed on its word, the image has to be read again.
func (g *Gate) Judge(ctx context.Context, p JudgePlan) (*Result, error) {
	judge, err := loadPolicy(p.Policy)
	if err != nil {
		return nil, err
	}
	if err := checkOutputs(p.Outputs); err != nil {
		return nil, err
	}
	started := g.Now()
	evidence, err := g.gather(ctx, p)
	if err != nil {
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

func (g *Gate) gather(ctx context.Context, p JudgePlan) (core.Evidence, error) {
	switch {
	case len(p.Documents) == 0:
		return core.Evidence{}, &core.Failure{Doing: "judge", Usage: true, Err: errors.New("no evidence was named"),
			Hint: "make some with: cleanbill scan TARGET --output json=evidence.json"}
	case len(p.Digests) == 0:
		return core.Evidence{}, &core.Failure{Doing: "judge", Usage: true, Err: errors.New("no digest is expected"),
			Hint: "say what the evidence must be about with --digest sha256:…"}
	}
	var merged core.Evidence
	missing := slices.Clone(p.Digests)
	for _, name := range p.Documents {
		if err := ctx.Err(); err != nil {
			return core.Evidence{}, interrupted(ctx, ctx, err)
		}
		document, err := readDocument(name)
		if err != nil {
			return core.Evidence{}, err
		}
		about := subjectsAmong(document.Evidence, p.Digests)
		if len(about) == 0 {
			return core.Evidence{}, &core.Failure{Doing: "judge " + name, Usage: true,
				Err:  fmt.Errorf("it is about %s, not about %s", describe(document.Evidence), join(p.Digests)),
				Hint: "use the evidence of the image that was built, by digest"}
		}
		missing = slices.DeleteFunc(missing, func(d core.Digest) bool { return slices.Contains(about, d) })
		if err := merge(&merged, document.Evidence); err != nil {
			return core.Evidence{}, &core.Failure{Doing: "merge " + name, Err: err, Usage: true}
		}
	}
	if len(missing) > 0 {
		return core.Evidence{}, &core.Failure{Doing: "judge", Usage: true,
			Err:  fmt.Errorf("none of the evidence is about %s", join(missing)),
			Hint: "add the evidence of that image"}
	}
	inventory.Merge(&merged)
	merged.Findings = unify(merged.Findings)
	vuln.JoinReach(&merged)
	merged.Sort()
	return merged, nil
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
