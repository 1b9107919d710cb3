package walk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

const (
	// fileTime is how long one analyzer may take for one file.
	fileTime = 60 * time.Second
	// grace is how long an analyzer has to notice that its context ended before it is left behind.
	grace = 250 * time.Millisecond
	// maxAbandoned is how many analyzers may be left behind in one run. Each keeps its memory and a processor.
	maxAbandoned = 4
)

// result is what one analyzer made of one version of a file. It exists only if there is something to tell.
type result struct {
	analyzer int
	// real is the file's path in its layer, as the path under which it was analyzed. They differ where a link leads
	// from one to the other.
	real, as string
	seq      uint32
	// viaLink marks a file that was analyzed for its hard link's sake: it says nothing about the path real.
	viaLink bool
	found   core.Found
	err     error
}

func (r result) empty() bool {
	f := r.found
	return r.err == nil && f.Distro == nil && len(f.Packages) == 0 && len(f.Findings) == 0 && len(f.Problems) == 0
}

// results collects from several goroutines.
type results struct {
	mu   sync.Mutex
	list []result
}

func (r *results) add(one result) {
	if one.empty() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

// wanted is who wants a file under which name.
type wanted struct {
	as string
	// direct are analyzers that need the file alone.
	direct []int
	// deferred are analyzers that need related files beside; their files are kept.
	deferred []int
	// related is true if the file must be kept for the sake of others.
	related bool
	viaLink bool
}

func (w wanted) keep() bool  { return w.related || len(w.deferred) > 0 }
func (w wanted) empty() bool { return !w.keep() && len(w.direct) == 0 }

// who asks the analyzers. A panic of one of them is its error for this file.
func (r *run) who(as string, info fs.FileInfo, failed func(analyzer int, err error)) wanted {
	w := wanted{as: as}
	for i := range r.analyzers {
		r.ask(&w, i, info, failed)
	}
	return w
}

// ask asks one analyzer.
func (r *run) ask(w *wanted, i int, info fs.FileInfo, failed func(analyzer int, err error)) {
	defer func() {
		if p := recover(); p != nil {
			failed(i, fmt.Errorf("the analyzer panicked: %v", p))
		}
	}()
	a := &r.analyzers[i]
	if a.relater != nil && !w.related && a.relater.Related(w.as) {
		w.related = true
	}
	switch {
	case slices.Contains(w.direct, i) || slices.Contains(w.deferred, i): // asked before
	case !a.Wants(w.as, info):
	case a.relater != nil:
		w.deferred = append(w.deferred, i)
	default:
		w.direct = append(w.direct, i)
	}
}

// sniff drops the analyzers that decline the file by its beginning.
func (r *run) sniff(w *wanted, head []byte, failed func(analyzer int, err error)) {
	keep := func(list []int) []int {
		var kept []int
		for _, i := range list {
			if r.sniffs(i, w.as, head, failed) {
				kept = append(kept, i)
			}
		}
		return kept
	}
	w.direct, w.deferred = keep(w.direct), keep(w.deferred)
}

func (r *run) sniffs(i int, as string, head []byte, failed func(analyzer int, err error)) (yes bool) {
	s := r.analyzers[i].sniffer
	if s == nil {
		return true
	}
	defer func() {
		if p := recover(); p != nil {
			failed(i, fmt.Errorf("the analyzer panicked: %v", p))
		}
	}()
	return s.Sniff(as, head)
}

func (r *run) hasSniffer(w wanted) bool {
	for _, list := range [][]int{w.direct, w.deferred} {
		for _, i := range list {
			if r.analyzers[i].sniffer != nil {
				return true
			}
		}
	}
	return false
}

// offer shows a file of a layer that streams by to all analyzers.
func (r *run) offer(ctx context.Context, l *layer, f image.File, in io.Reader) error {
	w := r.who(f.Path, f.Info, func(i int, err error) {
		l.results.add(result{analyzer: i, real: f.Path, as: f.Path, seq: f.Seq, err: err})
	})
	if w.empty() {
		return nil
	}
	return r.take(ctx, l, f, []wanted{w}, in)
}

// take reads a file for those who want it, and analyzes it beside the reading or keeps it for later.
func (r *run) take(ctx context.Context, l *layer, f image.File, all []wanted, in io.Reader) error {
	var buf [core.SniffLength]byte
	head, all, err := r.sniffAll(l, f, all, buf[:], in)
	if err != nil || len(all) == 0 {
		return err
	}
	keep := false
	for _, w := range all {
		keep = keep || w.keep()
	}
	var c content
	if keep {
		k, err := r.store.keep(ctx, f.Info, head, in, r.reading.Keep)
		if err != nil {
			return err
		}
		k.seq = f.Seq
		if err := r.reading.Keep(keptCost + int64(len(f.Path))); err != nil {
			return err
		}
		l.kept.add(f.Path, k, all)
		c = content{ReaderAt: k, size: f.Info.Size(), release: func(bool) {}}
	} else if r.onlyGlances(all) {
		c = content{ReaderAt: bytes.NewReader(nil), release: func(bool) {}}
	} else if c, err = r.buffers.hold(ctx, r.tempDir, f.Info.Size(), head, in); err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(w wanted) bool { return len(w.direct) > 0 }) {
		c.release(true)
		return nil
	}
	r.pool.submit(func() { r.analyzeAll(ctx, l, f, all, c) })
	return nil
}

// onlyGlances reports whether nobody who wants the file reads it.
func (r *run) onlyGlances(all []wanted) bool {
	for _, w := range all {
		for _, i := range w.direct {
			if !r.analyzers[i].glances {
				return false
			}
		}
	}
	return true
}

// sniffAll reads the beginning of the file if anybody sniffs, and returns it with those who still want the file.
func (r *run) sniffAll(l *layer, f image.File, all []wanted, buf []byte, in io.Reader) ([]byte, []wanted, error) {
	sniffers := false
	for _, w := range all {
		sniffers = sniffers || r.hasSniffer(w)
	}
	if !sniffers {
		return nil, all, nil
	}
	head := buf[:min(int64(len(buf)), f.Info.Size())]
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, nil, unexpected(err)
	}
	var left []wanted
	for _, w := range all {
		r.sniff(&w, head, func(i int, err error) {
			l.results.add(result{analyzer: i, real: f.Path, as: w.as, seq: f.Seq, err: err, viaLink: w.viaLink})
		})
		if !w.empty() {
			left = append(left, w)
		}
	}
	return head, left, nil
}

// analyzeAll runs the analyzers that need nothing but the file.
func (r *run) analyzeAll(ctx context.Context, l *layer, f image.File, all []wanted, c content) {
	reuse := true
	for _, w := range all {
		for _, i := range w.direct {
			if ctx.Err() != nil {
				break
			}
			found, left, err := r.analyze(ctx, i, core.File{
				Path: w.as, Info: f.Info, Content: io.NewSectionReader(c, 0, c.size),
			})
			reuse = reuse && !left
			l.results.add(result{
				analyzer: i, real: f.Path, as: w.as, seq: f.Seq, viaLink: w.viaLink, found: found, err: err,
			})
		}
	}
	c.release(reuse)
}

var errAbandoned = fmt.Errorf("not analyzed, because %d analyses before did not end when they had to", maxAbandoned)

// analyze runs one analyzer on one file. An analyzer that does not end in time is left behind: left means that it may
// still read the file. After too many of those nothing more is analyzed.
func (r *run) analyze(ctx context.Context, i int, f core.File) (found core.Found, left bool, err error) {
	if r.abandoned.Load() >= maxAbandoned {
		return core.Found{}, false, errAbandoned
	}
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	defer cancel()
	type outcome struct {
		found core.Found
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				r.log.Debug("analyzer panicked", "analyzer", r.analyzers[i].info.Name, "path", f.Path, "stack",
					string(debug.Stack()))
				o = outcome{err: fmt.Errorf("the analyzer panicked: %v", p)}
			}
			done <- o
		}()
		o.found, o.err = r.analyzers[i].Analyze(ctx, f)
	}()
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		select {
		case o = <-done:
		case <-time.After(grace):
			r.abandoned.Add(1)
			left, o.err = true, ctx.Err()
		}
	}
	if o.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		o.err = fmt.Errorf("the analysis did not end within %v: %w", fileTime, o.err)
	}
	if err := r.reading.Keep(foundSize(o.found)); err != nil {
		o.found, o.err = core.Found{}, errors.Join(o.err, err)
	}
	return o.found, left, o.err
}

// foundSize is about what the results of an analysis take in memory until the end of the run, in bytes.
func foundSize(f core.Found) int64 {
	const each = 512
	size := int64(len(f.Packages)+len(f.Findings)+len(f.Problems)) * each
	for _, p := range f.Packages {
		size += int64(len(p.Name) + len(p.Version) + len(p.Purl))
	}
	return size
}
