// Package walk feeds every file once to all analyzers: the layers of images as they stream by, and source trees. It
// opens, bounds and closes the files, applies whiteouts and links to what the analyzers found, and records what could
// not be looked at.
//
// What a file means is the analyzers' business; nothing in here knows a package format.
package walk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Options say who looks and within which bounds.
type Options struct {
	Analyzers []core.Analyzer
	Limits    limit.Limits
	// Parallel is how many layers are read at a time; 0 means as many as processors, at most 4.
	Parallel int
	// TempDir is where big files are spooled, without a name where the system allows; empty means the system's folder.
	TempDir string
	// Progress is called as the work goes on, never twice at the same time; nil means that nobody watches.
	Progress func(Event)
	// Log may be nil.
	Log hclog.Logger
}

// Images reads all layers of all images of one target, each distinct layer once, and returns the facts, packages,
// findings and examinations of each image.
//
// A layer that is corrupt, too large or cannot be fetched is a failed core.ExamineLayers of the images that have it;
// the others are examined all the same. An error means that ctx ended or that there is no room for temporary files.
func Images(ctx context.Context, images []*image.Image, o Options) (core.Evidence, error) {
	r, ctx := newRun(ctx, o)
	defer r.close()
	layers, stacks := r.stacks(images)
	if err := r.readAll(ctx, layers); err != nil {
		return core.Evidence{}, r.reason(err)
	}
	for _, s := range stacks {
		s.build()
	}
	if err := r.lookAgain(ctx, stacks); err != nil {
		return core.Evidence{}, r.reason(err)
	}
	if err := r.analyzeDeferred(ctx, stacks); err != nil {
		return core.Evidence{}, r.reason(err)
	}
	evidence := core.Evidence{Packages: []core.Package{}, Findings: []core.Finding{}, Examinations: []core.Examination{}}
	for _, s := range stacks {
		evidence.Add(s.evidence())
	}
	evidence.Sort()
	return evidence, nil
}

// run is the state of one call.
type run struct {
	limits    limit.Limits
	analyzers []analyzer
	parallel  int
	reading   *image.Reading
	pool      *pool
	buffers   *buffers
	store     *store
	tempDir   string
	progress  *reporter
	log       hclog.Logger
	stop      context.CancelCauseFunc
	// abandoned counts analyzers that were left behind.
	abandoned atomic.Int32
}

// analyzer is a core.Analyzer with the interfaces that it has beside.
type analyzer struct {
	core.Analyzer
	info    core.Info
	sniffer core.Sniffer
	relater core.Relater
	follows core.Follower
	anchors []string
	// glances is true if it never reads a file.
	glances bool
}

func newRun(ctx context.Context, o Options) (*run, context.Context) {
	ctx, stop := context.WithCancelCause(ctx)
	limits := o.Limits.Filled()
	tempDir := cmp.Or(o.TempDir, os.TempDir())
	r := &run{
		limits:   limits,
		parallel: o.Parallel,
		reading:  image.NewReading(limits),
		pool:     newPool(runtime.GOMAXPROCS(0)),
		buffers:  newBuffers(),
		store:    &store{dir: tempDir, room: keptInMemory},
		tempDir:  tempDir,
		progress: &reporter{watch: o.Progress},
		log:      o.Log,
		stop:     stop,
	}
	if r.parallel <= 0 {
		r.parallel = min(runtime.NumCPU(), 4)
	}
	if r.log == nil {
		r.log = hclog.NewNullLogger()
	}
	for _, a := range o.Analyzers {
		known := analyzer{Analyzer: a, info: a.Info()}
		known.info.Examines = cmp.Or(known.info.Examines, core.ExaminePackages)
		known.sniffer, _ = a.(core.Sniffer)
		known.relater, _ = a.(core.Relater)
		known.follows, _ = a.(core.Follower)
		_, known.glances = a.(core.Glancer)
		if anchored, ok := a.(core.Anchored); ok {
			known.anchors = anchored.Anchors()
		}
		r.analyzers = append(r.analyzers, known)
	}
	return r, ctx
}

func (r *run) close() {
	r.stop(nil)
	r.pool.close()
	r.store.close()
}

// reason turns the end of the context into an error that says why.
func (r *run) reason(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", &limit.Exceeded{
			Limit: "time", Max: int64(r.limits.Time / time.Second), Unit: "seconds", What: "the examination",
		}, err)
	}
	return err
}

// layerKey tells layers apart. The size belongs to it because it is checked.
type layerKey struct {
	digest, diffID core.Digest
	size           int64
}

// layer is one distinct layer, read once for all images that have it.
type layer struct {
	image.Layer
	of       core.Digest // the first image that has it
	contents *image.Contents
	err      error
	results  results
	kept     keptFiles
	// answered are the questions about files that the second reading has answered; nil if there was none.
	answered map[answer]bool
}

// stacks returns the distinct layers and, for each image, its stack of them.
func (r *run) stacks(images []*image.Image) ([]*layer, []*stack) {
	var layers []*layer
	known := make(map[layerKey]*layer)
	var all []*stack
	for _, img := range images {
		s := &stack{run: r, image: img}
		for _, l := range img.Layers {
			key := layerKey{l.Digest, l.DiffID, l.Size}
			one, ok := known[key]
			if !ok {
				one = &layer{Layer: l, of: img.Subject.Digest}
				known[key] = one
				layers = append(layers, one)
			}
			s.layers = append(s.layers, one)
		}
		all = append(all, s)
	}
	return layers, all
}

// readAll reads the layers, the largest first, and waits until all their files are analyzed.
func (r *run) readAll(ctx context.Context, layers []*layer) error {
	ordered := slices.Clone(layers)
	slices.SortStableFunc(ordered, func(a, b *layer) int { return cmp.Compare(b.Size, a.Size) })
	var group errgroup.Group
	group.SetLimit(r.parallel)
	for _, l := range ordered {
		group.Go(func() error { return r.read(ctx, l) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.pool.wait()
	return context.Cause(ctx)
}

// read reads one layer. It returns only errors that end the run.
func (r *run) read(ctx context.Context, l *layer) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if l.err = r.reading.Err(); l.err != nil {
		return nil
	}
	watch := r.progress.layer(l)
	watch(EventStarted, 0, 0)
	contents, err := l.Read(ctx, r.reading, func(read int64, files int) { watch(EventRead, read, files) },
		func(f image.File, content io.Reader) error { return r.offer(ctx, l, f, content) })
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	var fatal *fatalError
	if errors.As(err, &fatal) {
		r.stop(fatal)
		return fatal
	}
	if err != nil {
		l.err = err
		watch(EventFailed, 0, 0)
		return nil
	}
	l.contents = contents
	watch(EventDone, l.Size, contents.Files)
	return nil
}

// fatalError ends the run: there is no way to examine anything.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }
