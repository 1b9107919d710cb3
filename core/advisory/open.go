package advisory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// Published is the set that the project builds from OSV's exports every day. Its tag is the version of the format.
const Published = "ghcr.io/cleanbill-ci/advisories:v2"

// StarterReference names the set that is embedded in the program.
const StarterReference = "starter"

// OpenOptions say how sets are opened. The zero value reads local sets, and sets in public registries without a cache.
type OpenOptions struct {
	// Registry says how registries are spoken with. Its noun and rights are filled in.
	Registry registry.Options
	// Cache keeps what is fetched; nil for none.
	Cache *Cache
	// Offline forbids the network: a set in a registry must be in the cache.
	Offline bool
	// Trust says whose signature a set needs; the zero value asks for none.
	Trust signature.Trust
	// Now is written down as the time at which a reference was asked.
	Now time.Time
	// Log may be nil.
	Log hclog.Logger
}

func (o OpenOptions) filled() OpenOptions {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	o.Registry.Noun = "set of advisories"
	o.Registry.Log = o.Log
	return o
}

// Open opens the set that ref names:
//
//	starter               the set that is embedded in the program
//	oci:DIR               an OCI image layout; so is a path of a directory
//	NAME[:TAG][@DIGEST]   an artifact in a registry
//
// The manifest and the index are read and verified now, shards when they are needed. Errors are core.Failures.
func Open(ctx context.Context, ref string, o OpenOptions) (*Set, error) {
	s, err := open(ctx, ref, o.filled())
	if err != nil {
		return nil, advice.Failure(ctx, "open advisories "+ref, err)
	}
	return s, nil
}

func open(ctx context.Context, ref string, o OpenOptions) (*Set, error) {
	p, err := parsePlace(ref)
	switch {
	case err != nil:
		return nil, err
	case p.starter:
		return Starter() // it is a part of the program, whose signature vouches for it
	case p.dir != "":
		return openDir(ctx, ref, p.dir, o)
	}
	return openRemote(ctx, p, o)
}

func openDir(ctx context.Context, ref, dir string, o OpenOptions) (*Set, error) {
	l, head, err := layoutOf(dir)
	if err != nil {
		return nil, err
	}
	signer, err := verifySigner(ctx, l, head, o.Trust)
	if err != nil {
		return nil, err
	}
	s, err := openSet(ctx, l, head)
	if err != nil {
		return nil, advice.Unavailable("make the set again with: cleanbill advisories update or build --out "+ref, "%w", err)
	}
	s.source.Name, s.source.SignedBy = ref, signer
	return s, nil
}

// layoutOf opens a directory and finds the one set in it.
func layoutOf(dir string) (layout, descriptor, error) {
	const hint = "make a set with: cleanbill advisories build --from DIR --out oci:DIR"
	info, err := os.Stat(dir)
	if err != nil {
		return layout{}, descriptor{}, advice.Misuse(hint, "%w", err)
	}
	if !info.IsDir() {
		return layout{}, descriptor{}, advice.Misuse(hint, "it is not a directory")
	}
	l := layout{os.DirFS(dir)}
	head, err := l.head()
	if errors.Is(err, fs.ErrNotExist) {
		return layout{}, descriptor{}, advice.Misuse(hint, "it is not an OCI layout: it has no index.json")
	}
	if err != nil {
		return layout{}, descriptor{}, advice.Unavailable(hint, "%w", err)
	}
	return l, head, nil
}

func openRemote(ctx context.Context, p setPlace, o OpenOptions) (*Set, error) {
	r := &remote{reference: p.remote, options: o.Registry, cache: o.Cache, offline: o.Offline, log: o.Log}
	head, err := r.resolve(ctx, o.Now)
	if err != nil {
		return nil, err
	}
	signer, err := verifySigner(ctx, r, head.descriptor, o.Trust)
	if err != nil {
		return nil, err
	}
	s, err := openSet(ctx, r, head.descriptor)
	if err != nil {
		return nil, err
	}
	s.source.Name, s.source.Note, s.source.SignedBy = registry.DisplayName(p.remote), head.note, signer
	o.Log.Debug("opened advisories", "reference", s.source.Name, "digest", head.Digest, "fetched", r.fetched.Load(),
		"bytes", r.bytes.Load())
	return s, nil
}

// Fetched says how many blobs, and how many bytes, came over the network so far.
func (s *Set) Fetched() (blobs int, bytes int64) {
	if r, ok := s.from.(*remote); ok {
		return int(r.fetched.Load()), r.bytes.Load()
	}
	return 0, 0
}

// setPlace is where a set is, or will be.
type setPlace struct {
	starter bool
	dir     string
	remote  name.Reference
}

func (p setPlace) String() string {
	switch {
	case p.starter:
		return StarterReference
	case p.dir != "":
		return "oci:" + p.dir
	}
	return registry.DisplayName(p.remote)
}

// parsePlace understands a reference.
func parsePlace(ref string) (setPlace, error) {
	const hint = "name a set as oci:DIR, as an image in a registry is named, or as " + StarterReference
	if ref == StarterReference {
		return setPlace{starter: true}, nil
	}
	if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
		if dir == "" {
			return setPlace{}, advice.Misuse(hint, "no directory follows oci:")
		}
		return setPlace{dir: dir}, nil
	}
	if _, err := os.Stat(ref); err == nil || strings.HasPrefix(ref, ".") || strings.HasPrefix(ref, "/") {
		return setPlace{dir: ref}, nil
	}
	r, err := registry.ParseReference(ref)
	if err != nil {
		return setPlace{}, advice.Misuse(hint, "%w", err)
	}
	return setPlace{remote: r}, nil
}
