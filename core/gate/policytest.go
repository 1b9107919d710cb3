package gate

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// CaseResult is what came of one case of a policy's tests.
type CaseResult struct {
	Name string
	// Differences say how the verdict is not what was expected; empty if it is.
	Differences []string
}

// TestPolicy runs the table tests in a file. The error is a core.Failure if the file, or what it names, is wrong.
func (g *Gate) TestPolicy(ctx context.Context, name string) ([]CaseResult, error) {
	data, err := localfile.Read(name, maxPolicy)
	if err != nil {
		return nil, &core.Failure{Doing: "read the tests " + name, Err: err, Usage: true}
	}
	tests, err := policy.ParseTests(policy.Source{Name: name, From: policy.PlaceOf(filepath.ToSlash(name)), Data: data})
	if err != nil {
		return nil, err
	}
	place := tests.Policy
	if !slices.Contains(policy.Profiles(), place) {
		place = beside(filepath.Dir(name), place)
	}
	judge, err := g.Policy(ctx, place)
	if err != nil {
		return nil, err
	}
	results := make([]CaseResult, 0, len(tests.Cases))
	for i := range tests.Cases {
		differences, err := runCase(&tests.Cases[i], judge, filepath.Dir(name))
		if err != nil {
			return nil, err
		}
		results = append(results, CaseResult{tests.Cases[i].Name, differences})
	}
	return results, nil
}

// runCase judges one case. A baseline's packages are not looked up again, because a test has no advisories.
func runCase(c *policy.Case, judge *policy.Policy, dir string) ([]string, error) {
	if c.Document != "" {
		d, err := readDocument(beside(dir, c.Document))
		if err != nil {
			return nil, err
		}
		if c.Evidence.Change != nil {
			d.Evidence.Change = c.Evidence.Change
		}
		c.Evidence = d.Evidence
	}
	var baseline *core.Baseline
	if c.Baseline != "" {
		var err error
		if baseline, err = readBaseline(beside(dir, c.Baseline), localfile.Read); err != nil {
			return nil, err
		}
	}
	v := judge.Judge(&c.Evidence, baseline, c.Now)
	return c.Expect.Differences(&v, &c.Evidence), nil
}
