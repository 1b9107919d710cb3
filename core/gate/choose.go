package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// PolicyFile is the name of the policy that is found by itself, in the directory that is judged or, without one, in the
// working directory.
const PolicyFile = ".cleanbill.yaml"

// otherPolicyFile is how some would spell it. Two names would be two policies.
const otherPolicyFile = ".cleanbill.yml"

// chosen is the policy that judges, and the path that its own files are relative to.
type chosen struct {
	*policy.Policy
	path string
	// file is true for a policy that was read from a file, inside for one that lies in the repository of the change.
	file, inside bool
}

// choose returns the policy that judges: the one that is named, or else the file of the sources, or else the default.
//
// On a change it is the base's, and what flags and inputs name instead has to be as strict, or left to them by a policy
// that the base has.
func (s *sources) choose(ctx context.Context, named string) (chosen, error) {
	if named != "" && !s.changing() {
		return s.load(ctx, named)
	}
	own, err := s.found(ctx)
	if err != nil || named == "" {
		return own, err
	}
	asked, err := s.load(ctx, named)
	switch {
	case errors.Is(err, errNotOnBase):
		return own, nil // it is part of the change, and counts when that is merged
	case err != nil:
		return chosen{}, err
	case asked.Ref().Digest == own.Ref().Digest, !own.file && !asked.file && stricter(named, policy.Default):
		return asked.unlessSame(own), nil
	case own.Allows("policy"), asked.inside && asked.Allows("policy"):
		return asked, nil
	}
	where := "the policy " + own.Ref().Name + " of the base does not leave that to flags and inputs"
	if !own.file {
		where = "the base has no " + PolicyFile + ", which means " + policy.Default
	}
	return chosen{}, &core.Failure{Doing: "judge a change by the policy " + named, Usage: true, Err: errors.New(where),
		Hint: fmt.Sprintf(`name no policy, or let %s on the base extend that one or list "allow: [policy]"`, PolicyFile)}
}

// unlessSame returns the base's own policy if both mean the same: their files may not be the same.
func (c chosen) unlessSame(own chosen) chosen {
	if c.Ref().Digest == own.Ref().Digest {
		return own
	}
	return c
}

// stricter reports whether a profile is at least as strict as another.
func stricter(name, than string) bool {
	all := policy.Profiles()
	return slices.Index(all, name) >= slices.Index(all, than)
}

// found returns the policy file of the sources, or the default.
func (s *sources) found(ctx context.Context) (chosen, error) {
	name, other := filepath.Join(s.dir, PolicyFile), filepath.Join(s.dir, otherPolicyFile)
	if _, err := s.read(other, maxPolicy); !errors.Is(err, fs.ErrNotExist) {
		if errors.Is(err, ErrNoBase) {
			return chosen{}, s.noBase(err)
		}
		return chosen{}, &core.Failure{Doing: "find the policy", Err: fmt.Errorf("there is a file %s", other), Usage: true,
			Hint: "name it " + PolicyFile + "; only that is read"}
	}
	c, err := s.loadFile(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return s.load(ctx, policy.Default)
	}
	return c, err
}

// load returns a built-in profile or the policy in a file.
func (s *sources) load(ctx context.Context, name string) (chosen, error) {
	if slices.Contains(policy.Profiles(), name) {
		p, err := policy.Builtin(name)
		return chosen{Policy: p, path: name}, err
	}
	if strings.HasPrefix(name, policy.BundlePrefix) {
		p, err := s.bundled(ctx, name)
		if err == nil {
			_, err = policyHooks(p)
		}
		return chosen{Policy: p, path: name, file: true}, err
	}
	c, err := s.loadFile(ctx, name)
	var f *core.Failure
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotOnBase) && errors.As(err, &f) {
		return c, &core.Failure{Doing: f.Doing, Usage: true, Err: errors.New("there is no such file, and no built-in profile of that name"),
			Hint: "built in are " + strings.Join(policy.Profiles(), ", ")}
	}
	return c, err
}

func (s *sources) loadFile(ctx context.Context, name string) (chosen, error) {
	data, err := s.read(name, maxPolicy)
	switch {
	case errors.Is(err, ErrNoBase):
		return chosen{}, s.noBase(err)
	case err != nil:
		return chosen{}, &core.Failure{Doing: "read policy " + name, Err: err, Usage: true}
	}
	p, err := policy.Load(ctx, policy.Source{Name: name, From: policy.PlaceOf(filepath.ToSlash(name)), Data: data}, s.places())
	if errors.Is(err, ErrNoBase) {
		return chosen{}, s.noBase(err)
	}
	if err == nil {
		_, err = policyHooks(p) // what is wrong with them is told where the policy is read
	}
	if err != nil {
		return chosen{}, err
	}
	c := chosen{Policy: p, path: name, file: true}
	if inside, ok, err := s.within(name); err != nil {
		return chosen{}, err
	} else if ok {
		c.inside = true
		c.Policy = p.From(inside + " of commit " + s.change.Base)
	}
	return c, nil
}

// namedFile returns the path of a policy file that a user calls by that name, whatever profiles there are.
func namedFile(file string) string {
	if slices.Contains(policy.Profiles(), file) {
		return "." + string(os.PathSeparator) + file
	}
	return file
}
