package walk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// inMemory is the largest file that is buffered for its analysis; larger ones are spooled.
	inMemory = 8 << 20
	// inFlight bounds the buffers of files that wait for their analysis or are in it.
	inFlight = 32 << 20
	// spooledInFlight bounds the open spool files.
	spooledInFlight = 8
	// copySize is the buffer for spooling.
	copySize = 256 << 10
)

// pool runs analyses beside the reading.
type pool struct {
	jobs    chan func()
	pending sync.WaitGroup
	workers sync.WaitGroup
}

func newPool(workers int) *pool {
	p := &pool{jobs: make(chan func(), 4*workers)}
	for range workers {
		p.workers.Go(func() {
			for job := range p.jobs {
				job()
				p.pending.Done()
			}
		})
	}
	return p
}

// submit hands over a job; the channel's capacity holds the reader back.
func (p *pool) submit(job func()) {
	p.pending.Add(1)
	p.jobs <- job
}

// wait waits for all jobs that were submitted.
func (p *pool) wait() { p.pending.Wait() }

func (p *pool) close() {
	close(p.jobs)
	p.workers.Wait()
}

// buffers holds the memory of the files in flight, in classes of powers of two.
type buffers struct {
	classes [24]sync.Pool
	memory  *semaphore.Weighted
	spools  *semaphore.Weighted
}

func newBuffers() *buffers {
	return &buffers{memory: semaphore.NewWeighted(inFlight), spools: semaphore.NewWeighted(spooledInFlight)}
}

// content is one file's bytes.
type content struct {
	io.ReaderAt
	size int64
	// release gives the memory or the file back. Reuse is false if somebody may still read it.
	release func(reuse bool)
}

const smallestClass = 12 // 4 KiB

// hold reads size bytes, of which head was read already, into memory or a spool file.
func (b *buffers) hold(ctx context.Context, dir string, size int64, head []byte, rest io.Reader) (content, error) {
	if size > inMemory {
		return b.spool(ctx, dir, size, head, rest)
	}
	class := max(bits.Len64(uint64(max(size, 1)-1)), smallestClass)
	weight := int64(1) << class
	if err := b.memory.Acquire(ctx, weight); err != nil {
		return content{}, context.Cause(ctx)
	}
	memory, ok := b.classes[class].Get().(*[]byte)
	if !ok {
		fresh := make([]byte, weight)
		memory = &fresh
	}
	release := func(reuse bool) {
		if reuse {
			b.classes[class].Put(memory)
		}
		b.memory.Release(weight)
	}
	data := (*memory)[:size]
	if _, err := io.ReadFull(rest, data[copy(data, head):]); err != nil {
		release(true)
		return content{}, unexpected(err)
	}
	return content{ReaderAt: bytes.NewReader(data), size: size, release: release}, nil
}

func (b *buffers) spool(ctx context.Context, dir string, size int64, head []byte, rest io.Reader) (content, error) {
	if err := b.spools.Acquire(ctx, 1); err != nil {
		return content{}, context.Cause(ctx)
	}
	f, err := newSpool(dir)
	if err != nil {
		b.spools.Release(1)
		return content{}, &fatalError{err}
	}
	release := func(bool) {
		f.Close()
		b.spools.Release(1)
	}
	if err := spoolAt(ctx, f, 0, size, head, rest); err != nil {
		release(true)
		return content{}, err
	}
	return content{ReaderAt: f, size: size, release: release}, nil
}

// spoolAt writes size bytes at offset. Errors of the file are fatal, those of the source are the source's.
func spoolAt(ctx context.Context, f io.WriterAt, offset, size int64, head []byte, rest io.Reader) error {
	buf := make([]byte, min(copySize, max(size, 1)))
	for done, n := int64(0), copy(buf, head); done < size || n > 0; {
		if n == 0 {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			var err error
			if n, err = io.ReadFull(rest, buf[:min(int64(len(buf)), size-done)]); err != nil {
				return unexpected(err)
			}
		}
		if _, err := f.WriteAt(buf[:n], offset+done); err != nil {
			return &fatalError{fmt.Errorf("spool a large file to the temporary folder: %w", err)}
		}
		done += int64(n)
		n = 0
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
