package policy

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
)

// appliesTo says which branches, images and paths a rule is for. What it does not say, it is for all of them.
type appliesTo struct {
	Branches []string `json:"branches,omitempty"`
	Images   []string `json:"images,omitempty"`
	Paths    []string `json:"paths,omitempty"`

	branches, images, paths []*glob
}

func (r *reader) appliesTo(n *yaml.Node) *appliesTo {
	a := &appliesTo{}
	seen := r.Keys(n, map[string]func(*yaml.Node){
		"branches": func(n *yaml.Node) { a.Branches, a.branches = r.globs(n) },
		"images":   func(n *yaml.Node) { a.Images, a.images = r.globs(n) },
		"paths":    func(n *yaml.Node) { a.Paths, a.paths = r.globs(n) },
	})
	if n.Kind == yaml.MappingNode && len(seen) == 0 {
		r.Reject(n, "say which branches, images or paths this rule is for, or leave the key out")
	}
	return a
}

func (r *reader) globs(n *yaml.Node) ([]string, []*glob) {
	texts := r.texts(n)
	if n.Kind != yaml.SequenceNode {
		return nil, nil
	}
	if len(texts) == 0 || len(texts) > maxGlobs {
		r.Reject(n, "a list of patterns has at least one, and at most %d", maxGlobs)
		return nil, nil
	}
	globs := make([]*glob, 0, len(texts))
	for i, text := range texts {
		if text == "" {
			continue // that was reported
		}
		g, err := parseGlob(text)
		if err != nil {
			r.Reject(n.Content[i], "%v", err)
			continue
		}
		globs = append(globs, g)
	}
	return texts, globs
}

// fit says whether a rule is for something.
type fit byte

const (
	fitNo fit = iota
	fitYes
	// fitUnknown means that nobody knows: the branch of a build that does not say it, the registry of an archive.
	fitUnknown
)

// decides reports whether the rule is tried. Where it is not known whether a rule is for something, one that fails is,
// and one that warns or ignores is not: what is not known must not excuse anything.
func (r *rule) decides(f fit) bool {
	return f == fitYes || f == fitUnknown && r.Action == core.ActionFail
}

// fitsBranch compares the branch that is built or, for a request, the one that it would be merged into.
func (r *rule) fitsBranch(c *core.Change) fit {
	switch {
	case r.AppliesTo == nil || r.AppliesTo.branches == nil:
		return fitYes
	case c == nil || c.Branch == "":
		return fitUnknown
	}
	return fitOf(matchAny(r.AppliesTo.branches, strings.TrimPrefix(c.Branch, "refs/heads/")))
}

// fitsImage compares the name of an image without tag and digest. A source tree or a bill of materials is no image.
func (r *rule) fitsImage(s *core.Subject) fit {
	switch {
	case r.AppliesTo == nil || r.AppliesTo.images == nil:
		return fitYes
	case s.Kind == core.KindSource || s.Kind == core.KindSBOM:
		return fitNo
	}
	name := referenceOf(s).name()
	if name == "" {
		return fitUnknown
	}
	return fitOf(matchAny(r.AppliesTo.images, name))
}

func fitOf(matches bool, _ int) fit {
	if matches {
		return fitYes
	}
	return fitNo
}

// stepsPerUnit is how many steps of a glob take as long as one of CEL's. maxUncounted is how many are taken before they
// are counted.
const (
	stepsPerUnit = 25
	maxUncounted = 10_000
)

// within reports whether a rule is for the image and the paths of what the setter has set.
func (s *setter) within(n int) (bool, error) {
	r := s.policy.rules[n]
	if s.imageFits == nil || s.imageFitsOf != s.scope.subject.Digest {
		s.imageFits, s.imageFitsOf = make([]fit, len(s.policy.rules)), s.scope.subject.Digest
		for i, other := range s.policy.rules {
			s.imageFits[i] = other.fitsImage(s.scope.subject)
		}
	}
	if !r.decides(s.imageFits[n]) || r.AppliesTo.paths == nil {
		return r.decides(s.imageFits[n]), nil
	}
	if s.tooDear || s.spent.Load() > s.budget {
		return false, errTooDear
	}
	return r.decides(s.fitsPaths(r)), nil
}

// fitsPaths compares the places of a finding or package. A rule that fails is for what lies in one of its paths; a rule
// that excuses is only for what lies there as a whole.
func (s *setter) fitsPaths(r *rule) fit {
	locations := s.scope.finding.Locations
	if len(locations) == 0 {
		locations = s.scope.pkg.Locations
	}
	if len(locations) == 0 {
		return fitUnknown
	}
	matched := 0
	for i := range locations {
		if len(locations[i].Path) > maxGlobText {
			return fitUnknown
		}
		matches, steps := matchAny(r.AppliesTo.paths, locations[i].Path)
		s.count(steps)
		if matches {
			matched++
		}
	}
	if matched == len(locations) || matched > 0 && r.Action == core.ActionFail {
		return fitYes
	}
	return fitNo
}

// count adds the steps of globs to what the judgement has spent.
func (s *setter) count(steps int) {
	if s.steps += steps; s.steps > maxUncounted {
		s.spent.Add(uint64(s.steps) / stepsPerUnit)
		s.steps = 0
	}
}
