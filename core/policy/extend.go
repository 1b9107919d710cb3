package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

// maxExtends is how many policies a policy may stand on. A company has one, a department another.
const maxExtends = 8

// Resolver finds the policies that a policy extends and the files that it names. Package policy itself reads nothing.
//
// What cannot be found or does not fit is the user's mistake, any error but a core.Failure that says otherwise.
type Resolver interface {
	// Extended returns the policy that another extends.
	Extended(ctx context.Context, e Extension) (Source, error)
	// File returns a file that a policy names, or an error if it has more bytes than most.
	File(f File, most int64) ([]byte, error)
}

// ModuleResolver is a Resolver that finds Rego modules too. Of one that does not, a policy that names some is refused.
type ModuleResolver interface {
	Resolver
	// Modules returns what an entry of the key "rego" names: a directory, a file, or a bundle.
	Modules(ctx context.Context, f File) (Modules, error)
}

// Modules are Rego modules.
type Modules struct {
	// Texts are they, by names that begin with that of the entry.
	Texts map[string][]byte
	// Files are what holds them, as a policy would name it; none for what is in a registry.
	Files []File
}

// Extension is what a policy says of the one that it extends.
type Extension struct {
	// Reference is a path relative to From, or "oci://REGISTRY/REPOSITORY@sha256:…".
	Reference string
	From      string
	// SignedBy are those of whom one must have signed the bundle, and TrustedRoot confirms identities.
	SignedBy    []Signer
	TrustedRoot File
}

// Source is the text of a policy.
type Source struct {
	// Name is where it is, for people: a path or a reference. No two policies have the same.
	Name string
	// From is what the files that it names are relative to.
	From string
	Data []byte
}

// File is a file that a policy names.
type File struct {
	Name string
	// From is where the policy is that names it: a directory, or what a Resolver calls its place. It is no part of what
	// the policy means.
	From string
}

// MarshalText writes the name, for the digest of the policy.
func (f File) MarshalText() ([]byte, error) { return []byte(f.Name), nil }

// UnmarshalText reads the name.
func (f *File) UnmarshalText(text []byte) error {
	f.Name = string(text)
	return nil
}

// PlaceOf returns the directory of a path, which is what the files that a policy names are relative to. It is empty for
// the working directory.
func PlaceOf(name string) string {
	if dir := path.Dir(strings.ReplaceAll(name, `\`, "/")); dir != "." {
		return dir
	}
	return ""
}

// Files are those that the policy and the policies that it extends name.
func (p *Policy) Files() []File { return slices.Clone(p.files) }

// ReadFile returns a file that the policy names, by way of the resolver that it was loaded with.
func (p *Policy) ReadFile(f File, most int64) ([]byte, error) {
	if p.resolver == nil {
		return nil, fmt.Errorf("%s is named by a policy whose place is not known", f.Name)
	}
	return p.resolver.File(f, most)
}

// loading is one call of Load.
type loading struct {
	ctx      context.Context
	resolver Resolver
	chain    []string
}

func (o *loading) within(name string) *loading {
	return &loading{ctx: o.ctx, resolver: o.resolver, chain: append(slices.Clone(o.chain), name)}
}

// BundlePrefix begins the reference of a policy in a registry.
const BundlePrefix = "oci://"

func isBundle(reference string) bool { return strings.HasPrefix(reference, BundlePrefix) }

// isPath tells the path of a policy from the name of a profile and from the address of anything.
func isPath(reference string) bool {
	return !strings.Contains(reference, ":") && (strings.HasSuffix(reference, ".yaml") || strings.HasSuffix(reference, ".yml"))
}

// base returns the policy that the file extends, or nil for none. A file that does not say extends the default, so
// that an empty or a short policy is never laxer than no policy.
func (l *language) base(r *reader, f *file, o *loading) (*Policy, error) {
	name := f.extends
	switch {
	case f.extendsAt == nil:
		name = Default
	case name == noBase, strings.TrimSpace(name) == "": // the latter was reported
		return nil, nil
	case isBundle(name), isPath(name):
		return l.elsewhere(r, f, o)
	case !slices.Contains(Profiles(), name):
		r.Reject(f.extendsAt, "%q is not a policy that can be extended: accepted are the built-in %s, a path that ends in "+
			".yaml, %sREGISTRY/REPOSITORY@sha256:…, or %q%s", name, strings.Join(Profiles(), ", "), BundlePrefix, noBase,
			nearest.Hint(name, append(Profiles(), noBase)))
		return nil, nil
	}
	source, err := BuiltinSource(name)
	if err != nil {
		return nil, err
	}
	return l.builtin(name, source)
}

// elsewhere loads a policy from a file or a bundle. What is wrong with it joins what is wrong with the one that extends
// it.
func (l *language) elsewhere(r *reader, f *file, o *loading) (*Policy, error) {
	if isBundle(f.extends) {
		if err := CheckBundle(f.extends); err != nil {
			r.Reject(f.extendsAt, "%v", err)
			return nil, nil
		}
	}
	if o.resolver == nil {
		r.Reject(f.extendsAt, "%q cannot be read from here: only built-in policies can be extended", f.extends)
		return nil, nil
	}
	if len(o.chain) > maxExtends {
		r.Reject(f.extendsAt, "this is policy %d of a chain; at most %d can be extended one by the other", len(o.chain),
			maxExtends)
		return nil, nil
	}
	source, err := o.resolver.Extended(o.ctx, Extension{f.extends, r.from, f.extendedBy, f.trustedRoot})
	var failure *core.Failure
	switch {
	case errors.As(err, &failure) && !core.Usage(err):
		return nil, err
	case err != nil:
		r.Reject(f.extendsAt, "%q cannot be extended: %v", f.extends, err)
		return nil, nil
	case slices.Contains(o.chain, source.Name):
		r.Reject(f.extendsAt, "this policy extends itself: %s", strings.Join(append(o.chain, source.Name), " → "))
		return nil, nil
	}
	if !isBundle(f.extends) {
		f.files = append(f.files, File{f.extends, r.from})
	}
	base, err := l.load(source, o)
	var problems diagnostic.Problems
	if errors.As(err, &problems) {
		r.others = append(r.others, problems...)
		return nil, nil
	}
	return base, err
}

// CheckBundle says what is wrong with a reference to a bundle. A tag can lead to another policy tomorrow, and the digest
// of the policy that judged would not tell why.
func CheckBundle(reference string) error {
	name, digest, pinned := strings.Cut(strings.TrimPrefix(reference, BundlePrefix), "@")
	if !pinned {
		return fmt.Errorf("%q has no digest, and a tag may lead to another policy tomorrow; write %s%s@sha256:…, as "+
			"\"cleanbill policy push\" prints it", reference, BundlePrefix, parseReference(name).name())
	}
	if _, err := core.ParseDigest(digest); err != nil {
		return err
	}
	if parseReference(name).registry == "" {
		return fmt.Errorf("%q is not a repository of a registry", name)
	}
	return nil
}

// lockedFirst rejects locked rules that stand after others: extended, they come first, and a policy must mean the same
// alone as under another.
func (r *reader) lockedFirst(f *file) {
	free := ""
	for _, rule := range f.rules {
		switch {
		case !rule.locked:
			free = rule.name
		case free != "":
			r.Reject(rule.node, "a locked rule comes before those that are not: move %q before %q", rule.name, free)
		}
	}
}

// cannotLock are the keys that every file says for itself.
func cannotLock() []string {
	return []string{"version", "name", "extends", "extends-signed-by", "locked"}
}

// locks checks what the file locks, and that it sets nothing that a policy which it extends has locked.
func (r *reader) locks(f *file, base *Policy) {
	keys := slices.DeleteFunc(r.topLevel(), func(key string) bool { return slices.Contains(cannotLock(), key) })
	for i, key := range f.locked {
		if !slices.Contains(keys, key) {
			r.Reject(f.lockedAt.Content[i], "%q is no key that can be locked%s", key, nearest.DidYouMean(key, keys))
		}
	}
	if base == nil {
		return
	}
	for key, k := range f.nodes {
		if by, locked := base.lockedBy[lockOf(key)]; locked {
			r.Reject(k.key, "%q is locked by the policy %s, which this one extends; leave it out here", key, by)
		}
	}
}

// lockOf is the key whose lock holds for another: waivers are the same wherever they are written.
func lockOf(key string) string {
	if key == "waiver-files" {
		return "waivers"
	}
	return key
}

// topLevel are the keys of a policy file.
func (*reader) topLevel() []string {
	var keys []string
	probe := &reader{}
	probe.Visit = func(known map[string]func(*yaml.Node)) { keys = slices.Sorted(maps.Keys(known)) }
	probe.policy(&yaml.Node{Kind: yaml.MappingNode})
	return keys
}
