package walk

import (
	"sync"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// EventKind says what happened.
type EventKind string

// The kinds of Event.
const (
	EventStarted EventKind = "started"
	EventRead    EventKind = "read" // at most ten times a second for each layer
	EventDone    EventKind = "done"
	EventFailed  EventKind = "failed"
)

// Event is one step of the work on a layer or source tree.
type Event struct {
	Kind EventKind
	// Image is the first image that has the layer; empty for a source tree.
	Image core.Digest
	// Layer is the digest of the blob and Index its number in that image; empty and 0 for a source tree.
	Layer core.Digest
	Index int
	// Size is that of the blob and Read how much of it was read, in bytes. The size of a source tree is not known
	// before: it is 0.
	Size, Read int64
	// Files are the regular files seen so far.
	Files int
}

const progressInterval = 100 * time.Millisecond

// reporter hands events to the watcher, one at a time.
type reporter struct {
	mu    sync.Mutex
	watch func(Event)
}

type watchFunc func(kind EventKind, read int64, files int)

func (p *reporter) layer(l *layer) watchFunc {
	return p.throttled(Event{Image: l.of, Layer: l.Digest, Index: l.Index, Size: l.Size})
}

// throttled returns a function that reports about one thing; it is for one goroutine.
func (p *reporter) throttled(about Event) watchFunc {
	if p.watch == nil {
		return func(EventKind, int64, int) {}
	}
	var last time.Time
	return func(kind EventKind, read int64, files int) {
		now := time.Now()
		if kind == EventRead && now.Sub(last) < progressInterval {
			return
		}
		last = now
		e := about
		e.Kind, e.Read, e.Files = kind, read, files
		p.mu.Lock()
		defer p.mu.Unlock()
		p.watch(e)
	}
}
