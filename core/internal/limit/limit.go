// Package limit holds the bounds on everything that is read from outside, and the error that says which one was
// exceeded. Exceeding is always an error, never a truncation: what was not read was not examined.
//
// Nothing that reads or decides belongs here.
package limit

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Limits bound one run. A zero field means the default; there is no way to say "unlimited".
type Limits struct {
	// Entries is the greatest number of entries in one layer or source tree.
	Entries int64
	// PathLength is the longest path or link target, in bytes.
	PathLength int64
	// FileSize is the largest single file, uncompressed, in bytes.
	FileSize int64
	// LayerSize is the largest layer, uncompressed, in bytes.
	LayerSize int64
	// TotalSize is the largest sum of all layers of one target, uncompressed, in bytes.
	TotalSize int64
	// Ratio is the greatest expansion: uncompressed bytes for one compressed byte. It is applied from 16 MiB on,
	// because small files of zeros are common and harmless.
	Ratio int64
	// MetadataSize bounds manifests, configurations and SBOM files, in bytes.
	MetadataSize int64
	// KeptSize bounds what is kept of one subject beside its analysis: links, related files, package databases in
	// memory, in bytes.
	KeptSize int64
	// Nesting is how many archives within archives are opened.
	Nesting int64
	// HistoryCommits is how many commits of a history are searched, HistorySize how many bytes of files in them, and
	// HistoryTime how long that may take.
	HistoryCommits, HistorySize int64
	HistoryTime                 time.Duration
	// Time is how long the whole run may take.
	Time time.Duration
}

// Defaults returns limits that every ordinary image keeps: they are several times what the largest published images
// need.
func Defaults() Limits {
	return Limits{
		Entries:        500_000,
		PathLength:     4096, // PATH_MAX of Linux: a longer one cannot be extracted there
		FileSize:       16 << 30,
		LayerSize:      32 << 30,
		TotalSize:      64 << 30,
		Ratio:          400,
		MetadataSize:   8 << 20,
		KeptSize:       256 << 20,
		Nesting:        8,
		HistoryCommits: 200_000,
		HistorySize:    32 << 30,
		HistoryTime:    10 * time.Minute,
		Time:           30 * time.Minute,
	}
}

// Filled returns l with defaults in place of its zero fields.
func (l Limits) Filled() Limits {
	d := Defaults()
	fill(&l.Entries, d.Entries)
	fill(&l.PathLength, d.PathLength)
	fill(&l.FileSize, d.FileSize)
	fill(&l.LayerSize, d.LayerSize)
	fill(&l.TotalSize, d.TotalSize)
	fill(&l.Ratio, d.Ratio)
	fill(&l.MetadataSize, d.MetadataSize)
	fill(&l.KeptSize, d.KeptSize)
	fill(&l.Nesting, d.Nesting)
	fill(&l.HistoryCommits, d.HistoryCommits)
	fill(&l.HistorySize, d.HistorySize)
	fill(&l.HistoryTime, d.HistoryTime)
	fill(&l.Time, d.Time)
	return l
}

func fill[T int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Exceeded is the error for a limit that was exceeded.
type Exceeded struct {
	// Limit is the name of the setting, as flags write it: "entries", "file-size".
	Limit string
	// Max is its value and Unit what it counts: "bytes", "entries".
	Max  int64
	Unit string
	// What exceeded it: a path, or empty for the whole.
	What string
}

// Error says which limit, and how to raise it.
func (e *Exceeded) Error() string {
	subject := "it"
	if e.What != "" {
		subject = e.What
	}
	return fmt.Sprintf("%s exceeds the limit of %d %s (raise it with --limit %s=N if this is expected)", subject, e.Max, e.Unit, e.Limit)
}

// Counter sums what several readers take from one bound. Its methods may be called from several goroutines.
type Counter struct {
	limit, unit, what string
	max               int64
	used              atomic.Int64
}

// NewCounter returns a counter for the named limit of max units. What is the whole that the sum is of.
func NewCounter(name string, maximum int64, unit, what string) *Counter {
	return &Counter{limit: name, max: maximum, unit: unit, what: what}
}

// Add takes n more, or returns an Exceeded error.
func (c *Counter) Add(n int64) error {
	if c.used.Add(n) > c.max {
		return c.Err()
	}
	return nil
}

// Err returns the Exceeded error if more was taken than the limit allows, otherwise nil.
func (c *Counter) Err() error {
	if c.used.Load() <= c.max {
		return nil
	}
	return &Exceeded{Limit: c.limit, Max: c.max, Unit: c.unit, What: c.what}
}
