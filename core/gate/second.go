package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// checkDocuments finds out before anything is read that a document is not there.
func checkDocuments(documents []string) error {
	for _, name := range documents {
		if _, err := os.Stat(name); err != nil {
			return &core.Failure{Doing: "read evidence " + name, Err: localfile.Pathless(err), Usage: true,
				Hint: "check the path, and that the job that wrote it has ended and handed it on"}
		}
	}
	return nil
}

// joined judges what this run saw, and passed, together with the evidence of other jobs. That evidence is not
// authenticated: it can add findings and gaps, and it can excuse nothing, because what was seen here has passed by itself.
func (g *Gate) joined(ctx context.Context, documents []string, s *sources, judge *policy.Policy, seen *Result) (*Result, error) {
	var tops []core.Digest
	for _, subject := range seen.Evidence.Subjects {
		if subject.Parent == "" {
			tops = append(tops, subject.Digest)
		}
	}
	all, err := copied(seen.Evidence)
	if err != nil {
		return nil, err
	}
	change := all.Change
	var bases []string
	for _, name := range documents {
		if err := ctx.Err(); err != nil {
			return nil, interrupted(ctx, ctx, err)
		}
		evidence, _, err := documentAbout(name, tops)
		if err != nil {
			return nil, err
		}
		base := ""
		if evidence.Change != nil {
			base = evidence.Change.Base
		}
		bases = append(bases, base)
		evidence.Change = nil // this run knows what it is about
		if err := merge(&all, evidence); err != nil {
			return nil, &core.Failure{Doing: "merge " + name, Err: err, Usage: true}
		}
	}
	settle(&all)
	all.Change = change
	if err := s.compareAgain(&all, bases); err != nil {
		return nil, err
	}
	r := *seen
	r.Evidence, r.Published = all, nil
	r.Verdict = judge.Judge(&r.Evidence, nil, seen.Started)
	r.Elapsed = g.Now().Sub(seen.Started)
	return &r, nil
}

// copied shares nothing with the evidence that it is a copy of.
func copied(e core.Evidence) (core.Evidence, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return core.Evidence{}, fmt.Errorf("copy the evidence: %w", err)
	}
	var out core.Evidence
	if err := json.Unmarshal(raw, &out); err != nil {
		return core.Evidence{}, fmt.Errorf("copy the evidence: %w", err)
	}
	return out, nil
}
