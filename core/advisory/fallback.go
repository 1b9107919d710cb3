package advisory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// rebuildAfter is how long a set that was built here serves before its exports are asked again whether they changed.
const rebuildAfter = 12 * time.Hour

// FallbackOptions say what to do when the published set cannot be used.
type FallbackOptions struct {
	OpenOptions
	// Bucket is where exports are; empty means Bucket.
	Bucket string
	// Build bounds the build of a set and says how the bucket is reached.
	Build BuildOptions
	// Progress is told what is being done, one line at a time; nil for nothing.
	Progress func(string)
}

// Fallback opens the set to use in place of the published one, which failed: one that is built from the public exports of
// the ecosystems, and kept for half a day; or the starter set, whose note then says why it was all that could be had. It
// is the failure itself if a trusted signer was asked for, because nobody signs what is built here. Errors are
// core.Failures.
func Fallback(ctx context.Context, ecosystems []string, failed error, o FallbackOptions) (*Set, error) {
	o.OpenOptions = o.filled()
	if o.Bucket == "" {
		o.Bucket = Bucket
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if !o.Trust.Empty() || ctx.Err() != nil {
		return nil, failed
	}
	o.Log.Debug("no published advisories", "error", failed)
	s, built := o.built(ctx, ecosystems)
	if built == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, advice.Failure(ctx, "build advisories", built)
	}
	o.Log.Debug("no advisories could be built", "from", o.Bucket, "error", built)
	s, err := Starter()
	if err != nil {
		return nil, err
	}
	s.source.Note = "nothing better could be had: " + redact.Limited(failed.Error(), 300)
	if !errors.Is(built, errOffline) {
		s.source.Note += "; " + redact.Limited(built.Error(), 300)
	}
	return s, nil
}

// built opens a set of these ecosystems that was built from the bucket, building it if it is missing or old.
func (o FallbackOptions) built(ctx context.Context, ecosystems []string) (*Set, error) {
	families := familiesOf(ecosystems)
	if o.Cache == nil {
		return nil, errors.New("there is no cache to build it in: set CLEANBILL_CACHE_DIR to a directory that can be written")
	}
	reference := builtReference(o.Bucket, families)
	for _, r := range []string{builtReference(o.Bucket, nil), reference} {
		if h, ok := o.Cache.head(r); ok && (o.Offline || o.Now.Sub(h.Checked) < rebuildAfter) {
			if s, err := o.openBuilt(ctx, h); err == nil {
				return s, nil
			}
		}
	}
	if o.Offline {
		return nil, errOffline
	}
	if len(families) == 0 {
		return nil, errors.New("nothing was found that advisories are published for")
	}
	b := o.Build
	b.From, b.Ecosystems, b.Now, b.Cache, b.Progress, b.Log = o.Bucket, families, o.Now, o.Cache, o.Progress, o.Log
	if _, err := BuildCached(ctx, b, reference); err != nil {
		// Better what was built before, whose age policy judges, than next to nothing.
		if h, ok := o.Cache.head(reference); ok && ctx.Err() == nil {
			if s, opened := o.openBuilt(ctx, h); opened == nil {
				s.source.Note = fmt.Sprintf("%s could not be read (%s): what was built at %s was used", o.Bucket,
					redact.Limited(err.Error(), 200), h.Checked.UTC().Format(time.RFC3339))
				return s, nil
			}
		}
		return nil, err
	}
	h, ok := o.Cache.head(reference)
	if !ok {
		return nil, errors.New("the set that was built is gone from the cache")
	}
	return o.openBuilt(ctx, h)
}

func (o FallbackOptions) openBuilt(ctx context.Context, h head) (*Set, error) {
	s, err := openSet(ctx, o.Cache, h.Descriptor)
	if err != nil {
		return nil, err
	}
	s.source.Name = h.Reference
	return s, nil
}

// builtReference names a set that was built here; no families means all.
func builtReference(bucket string, families []string) string {
	return strings.TrimSpace("built from " + bucket + " " + strings.Join(families, ", "))
}

// familiesOf returns the ecosystems without their releases, sorted, each once.
func familiesOf(ecosystems []string) []string {
	var out []string
	for _, e := range ecosystems {
		out = append(out, Family(Canonical(e)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// BuildCached builds a set into the cache of the options, under the reference under which Fallback finds it: that of all
// ecosystems, unless the options choose some. Errors are core.Failures.
func BuildCached(ctx context.Context, o BuildOptions, reference string) (BuildReport, error) {
	if o.Cache == nil {
		return BuildReport{}, &core.Failure{Doing: "build advisories", Usage: true,
			Err:  errors.New("there is no cache to keep them in"),
			Hint: "set CLEANBILL_CACHE_DIR to a directory that can be written, or name one with --out oci:DIR"}
	}
	if reference == "" {
		reference = builtReference(o.From, familiesOf(o.Ecosystems))
	}
	r, err := o.build(ctx, func() (sink, error) {
		return cacheSink{Cache: o.Cache, reference: reference, now: o.Now, size: new(atomic.Int64)}, nil
	})
	if err == nil {
		o.Cache.sweep(ctx, o.Now)
	}
	return r, err
}
