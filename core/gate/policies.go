package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// Policy returns a built-in profile, or the policy in a file or in a bundle in a registry, with all that it extends. The
// error is a core.Failure: of the user's input, unless a registry could not be asked.
func (g *Gate) Policy(ctx context.Context, name string) (*policy.Policy, error) {
	c, err := (&sources{gate: g}).load(ctx, cmp.Or(name, policy.Default))
	return c.Policy, err
}

// CheckPolicy reads a policy as Policy does, and the keys and documents that it names, as a run would: a policy is not
// right while a run by it ends with an error.
func (g *Gate) CheckPolicy(ctx context.Context, name string) (*policy.Policy, error) {
	s := &sources{gate: g}
	c, err := s.load(ctx, cmp.Or(name, policy.Default))
	if err != nil {
		return nil, err
	}
	if _, _, err := (Plan{}).under(c.Policy); err != nil {
		return nil, err
	}
	_, err = s.readVEX(s.vexFiles(Plan{}, c.Policy), signature.Trust{})
	return c.Policy, err
}

// bundled returns the policy in a registry that a reference names.
func (s *sources) bundled(ctx context.Context, reference string) (*policy.Policy, error) {
	if err := policy.CheckBundle(reference); err != nil {
		return nil, &core.Failure{Doing: "read policy " + reference, Err: err, Usage: true}
	}
	places := s.places()
	source, err := places.Extended(ctx, policy.Extension{Reference: reference})
	if err != nil {
		return nil, err
	}
	return policy.Load(ctx, source, places)
}

// places is where the policies of these sources are found, and the files that they name.
func (s *sources) places() *policyPlaces {
	return &policyPlaces{gate: s.gate, read: s.read, folder: s.folder, bundles: map[string]*policyBundle{}}
}

// policyPlaces finds the policies that a policy extends and the files that it names, each relative to the policy that
// names it: beside it on this machine, or in its bundle. What a bundle names is never looked for on this machine.
type policyPlaces struct {
	gate *Gate
	// read reads what is no part of a bundle: of the base, where a change is judged.
	read    readFunc
	folder  folderFunc
	bundles map[string]*policyBundle
}

// memberMark separates a bundle's reference from a folder in it, in the place of a policy.
const memberMark = "//"

// Extended implements policy.Resolver.
func (p *policyPlaces) Extended(ctx context.Context, e policy.Extension) (policy.Source, error) {
	if strings.HasPrefix(e.Reference, policy.BundlePrefix) {
		b, err := p.bundle(ctx, e)
		if err != nil {
			return policy.Source{}, err
		}
		return policy.Source{Name: e.Reference, From: e.Reference, Data: b.policy}, nil
	}
	if !strings.HasPrefix(e.From, policy.BundlePrefix) {
		name := beside(e.From, e.Reference)
		data, err := p.read(name, maxPolicy)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no file %s", name)
		}
		return policy.Source{Name: name, From: policy.PlaceOf(filepath.ToSlash(name)), Data: data}, err
	}
	reference, member, err := memberOf(policy.File{Name: e.Reference, From: e.From})
	if err != nil {
		return policy.Source{}, err
	}
	data, err := p.bundles[reference].file(member, maxPolicy)
	place := policy.Source{Name: reference + memberMark + member, From: reference, Data: data}
	if dir := policy.PlaceOf(member); dir != "" {
		place.From += memberMark + dir
	}
	return place, err
}

// File implements policy.Resolver.
func (p *policyPlaces) File(f policy.File, most int64) ([]byte, error) {
	if !strings.HasPrefix(f.From, policy.BundlePrefix) {
		return p.read(beside(f.From, f.Name), most)
	}
	reference, member, err := memberOf(f)
	if err != nil {
		return nil, err
	}
	return p.bundles[reference].file(member, most)
}

// beside is a path relative to a directory.
func beside(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// memberOf splits what a policy in a bundle names into the bundle and the path in it.
func memberOf(f policy.File) (reference, member string, err error) {
	rest := strings.TrimPrefix(f.From, policy.BundlePrefix)
	name, dir, _ := strings.Cut(rest, memberMark)
	member = path.Join(dir, f.Name)
	if path.IsAbs(f.Name) || !fs.ValidPath(member) {
		return "", "", fmt.Errorf("%q is not in the bundle %s%s, and a bundle names nothing outside itself", f.Name, policy.BundlePrefix, name)
	}
	return policy.BundlePrefix + name, member, nil
}
