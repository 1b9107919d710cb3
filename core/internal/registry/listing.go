package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// maxListings is how often referrers are written until they are listed, where others write as well.
const maxListings = 12

// parallelListings is how many requests are made at a time.
const parallelListings = 6

// Referrer is a manifest that names another as its subject.
type Referrer struct {
	Subject core.Digest
	Descriptor
	Raw []byte
}

// PutReferrers stores manifests whose subjects are there, and returns when each is found by whoever asks for the referrers of
// its subject. In a registry that does not list them by itself, they are listed under a tag.
func (r *Repository) PutReferrers(ctx context.Context, all []Referrer) error {
	listed := make([]core.Digest, len(all))
	g, putting := errgroup.WithContext(ctx)
	g.SetLimit(parallelListings)
	for i, m := range all {
		g.Go(func() (err error) {
			listed[i], err = r.PutManifest(putting, string(m.Digest), m.Raw, m.MediaType)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	promised, unlisted := map[core.Digest][]Referrer{}, map[core.Digest][]Descriptor{}
	for i, m := range all {
		if listed[i] == m.Subject {
			promised[m.Subject] = append(promised[m.Subject], m)
		} else {
			unlisted[m.Subject] = append(unlisted[m.Subject], m.Descriptor)
		}
	}
	g, listing := errgroup.WithContext(ctx)
	g.SetLimit(parallelListings)
	for subject, add := range unlisted {
		g.Go(func() error { return r.list(listing, subject, add) })
	}
	for subject, want := range promised {
		g.Go(func() error { return r.confirm(listing, subject, want) })
	}
	return g.Wait()
}

// confirm reads what the registry lists by itself, and stores again what it lost: some keep one of two referrers that arrive
// at the same time, and some list what is new a moment later.
func (r *Repository) confirm(ctx context.Context, subject core.Digest, want []Referrer) error {
	for attempt := range maxListings {
		list, err := r.Referrers(ctx, subject)
		if err != nil {
			return err
		}
		want = slices.DeleteFunc(slices.Clone(want), func(m Referrer) bool { return contains(list, m.Digest) })
		if len(want) == 0 {
			return nil
		}
		if attempt > 0 { // stored alone it was not listed either
			if err := r.Settle(ctx); err != nil {
				return err
			}
		}
		for _, m := range want {
			if _, err := r.PutManifest(ctx, string(m.Digest), m.Raw, m.MediaType); err != nil {
				return err
			}
		}
	}
	return advice.Unavailable("run it again; if it stays so, report it to whoever runs the registry",
		"%s says that it lists %s as a referrer of %s, and does not", r.host(), want[0].Digest.Short(), subject.Short())
}

// list adds descriptors to the tag that lists the referrers of a digest in a registry without the API. Nothing protects
// that tag from two writers who both keep what they read, so it is read again after it was written, and written again
// until what was added stays.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *Repository) list(ctx context.Context, subject core.Digest, add []Descriptor) error {
	tag := FallbackTag(subject)
	stayed := false
	for attempt := range maxListings {
		list, err := r.referrersTag(ctx, subject)
		if err != nil {
			return err
		}
		if len(list) > maxReferrers {
			return fmt.Errorf("%s lists more than %d referrers of %s", r.host(), maxReferrers, subject.Short())
		}
		missing := slices.DeleteFunc(slices.Clone(add), func(d Descriptor) bool { return contains(list, d.Digest) })
		switch {
		case len(missing) == 0 && (stayed || attempt == 0):
			return nil
		case len(missing) == 0:
			stayed = true
		default:
			stayed = false
			raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex,
				"manifests": append(list, missing...)})
			if err != nil {
				return err
			}
			if _, err := r.PutManifest(ctx, tag, raw, string(types.OCIImageIndex)); err != nil {
				return err
			}
		}
		if err := r.Settle(ctx); err != nil {
			return err
		}
	}
	return advice.Unavailable("run it again when nobody else attaches something to it",
		"the list of referrers of %s was overwritten by others %d times", subject.Short(), maxListings)
}

func contains(list []Descriptor, d core.Digest) bool {
	return slices.ContainsFunc(list, func(l Descriptor) bool { return l.Digest == d })
}

// Settle waits for as long as what was written has to stay to count as staying: longer than another writer takes from reading
// it to writing it. Two who collide do not wait for the same time.
func (r *Repository) Settle(ctx context.Context) error {
	d := r.options.Patience.Delay
	return network.Sleep(ctx, d*3/10+rand.N(d*4/10+1))
}
