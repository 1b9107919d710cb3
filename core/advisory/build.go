package advisory

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
)

// BuildOptions say what a set is built from.
type BuildOptions struct {
	// From is a directory or an address in the layout of the public OSV bucket: ecosystems.txt and <Ecosystem>/all.zip.
	// A directory without ecosystems.txt counts with every all.zip in it.
	// https://google.github.io/osv.dev/data/
	From string
	// Ecosystems restrict the build to these, without their releases; nil means all.
	Ecosystems []string
	// KEV, EPSS and EndOfLife are files or addresses of CISA's catalog (JSON), FIRST's scores (CSV) and a table of releases
	// (CSV, or endoflife.date's JSON), gzipped or not. Empty means their public addresses if From is the public bucket, and
	// otherwise kev.json, epss.csv.gz or epss.csv, and eol-distros.csv in From or beside it, where they exist.
	KEV, EPSS, EndOfLife string
	// Now is the time of the build. What claims to be from later is not believed. The zero time believes everything.
	Now time.Time
	// Created writes Now down as the time of the build, which makes each build another set.
	Created bool
	// Limits bound each record (MetadataSize) and the records of one export (Entries).
	Limits limit.Limits
	// Parallel is how many records are read at a time; 0 means as many as processors.
	Parallel int
	// Network reaches addresses, and Cache keeps what comes from there; nil for no cache.
	Network Network
	Cache   *Cache
	// Progress is told what is being done, one line at a time; nil for nothing. It is called by one goroutine at a time.
	Progress func(string)
	// Log may be nil.
	Log hclog.Logger
	// Select, if set, says which of the packages that a record affects go into the set; the set is then marked as a
	// choice, which can find but not clear. It is called in one order, by one goroutine.
	Select func(r Record, affected []Affected) []Affected
	// FactsOnly leaves out summaries, references, and what is needed to look up by id.
	FactsOnly bool
}

// BuildReport says what came of a build.
type BuildReport struct {
	Digest  core.Digest // of the manifest
	Records int         // in the set
	AsOf    time.Time
	// Ecosystems as exported, sorted by name.
	Ecosystems []EcosystemCount
	// Unreadable names each record that does not parse, and why: "Debian: DSA-1.json: …".
	Unreadable []string
	Sources    []Dated
	Shards     int
	// Bytes is the size of all blobs of the set; Written those that were not there before.
	Bytes, Written int64
	Elapsed        time.Duration
}

// Build reads OSV exports and makes the OCI layout in the directory out hold their set. It replaces a set that is
// there, at once and last, reusing the shards that did not change; whatever else it finds there is an error. The same
// input gives the same digest.
func Build(ctx context.Context, o BuildOptions, out string) (BuildReport, error) {
	return o.build(ctx, func() (sink, error) {
		w, err := newWriter(out)
		if err != nil {
			return nil, &core.Failure{Doing: "write advisories to " + out, Err: err, Usage: true,
				Hint: "name a new directory, or one that holds a set of advisories"}
		}
		return w, nil
	})
}

// sink is where a set is written: blobs first, the switch to them last.
type sink interface {
	// has reports whether a blob is there already. It may be called by several goroutines, as blob may.
	has(ctx context.Context, d descriptor) (bool, error)
	// blob keeps a blob and returns its descriptor.
	blob(mediaType string, blob []byte) (descriptor, error)
	// finish keeps the manifest and makes it, with its signatures, the set. What they name was kept before.
	finish(manifest []byte, signatures []attached) (descriptor, error)
	// undo takes back what was kept, after a failure.
	undo()
	// new is the size of the blobs that were not there before.
	new() int64
}

func (o BuildOptions) build(ctx context.Context, open func() (sink, error)) (BuildReport, error) {
	started := time.Now()
	b := builder{BuildOptions: o, index: index{Format: formatVersion}}
	b.Limits = o.Limits.Filled()
	if b.Parallel <= 0 {
		b.Parallel = runtime.GOMAXPROCS(0)
	}
	if b.Progress == nil {
		b.Progress = func(string) {}
	}
	b.exports = exports{from: o.From, get: newDownloader(o.Network, o.Cache, o.Log, b.Progress)}
	if err := b.build(ctx, open); err != nil {
		var known *core.Failure
		if errors.As(err, &known) {
			return BuildReport{}, err
		}
		return BuildReport{}, &core.Failure{Doing: "build advisories from " + o.From, Err: err}
	}
	b.report.Elapsed = time.Since(started)
	return b.report, nil
}

type builder struct {
	BuildOptions
	exports exports
	read    []*export
	lists   lists
	index   index
	report  BuildReport
}

// export is what one all.zip holds.
type export struct {
	count   EcosystemCount
	records []*packed
	bad     []string
}

func (b *builder) build(ctx context.Context, open func() (sink, error)) error {
	names, err := b.exports.ecosystems(ctx, b.Ecosystems)
	if err != nil {
		return err
	}
	if err := b.readLists(ctx); err != nil {
		return err
	}
	for _, name := range names {
		x, err := b.readExport(ctx, name)
		if err != nil {
			return err
		}
		b.read = append(b.read, x)
		b.report.Unreadable = append(b.report.Unreadable, x.bad...)
		b.Progress(fmt.Sprintf("read %s: %d records", name, x.count.Records))
	}
	tables := b.tables()
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.write(ctx, tables, open)
}

// lists are the small sources beside the exports.
type lists struct {
	kev  map[string]core.Exploited
	epss map[string]core.EPSS
	eol  map[string][2]string
}

func (b *builder) readLists(ctx context.Context) error {
	b.index.Sources = append(b.index.Sources, Dated{Name: SourceOSV})
	for _, l := range []struct {
		source, name string
		read         func(r io.Reader, name string) (date string, err error)
	}{
		{SourceKEV, b.exports.table(b.KEV, publicKEV, "kev.json"), func(r io.Reader, name string) (date string, err error) {
			date, b.lists.kev, err = readKEV(r, name)
			return date, err
		}},
		{SourceEPSS, b.exports.table(b.EPSS, publicEPSS, "epss.csv.gz", "epss.csv"), func(r io.Reader, name string) (date string, err error) {
			date, b.lists.epss, err = readEPSS(r, name)
			return date, err
		}},
		{SourceEndOfLife, b.exports.table(b.EndOfLife, publicEndOfLife, "eol-distros.csv"), func(r io.Reader, name string) (date string, err error) {
			b.lists.eol, err = readEOL(r, name)
			return "", err
		}},
	} {
		if l.name == "" {
			continue
		}
		date, err := b.readList(ctx, l.name, l.read)
		if absent(err) && isURL(b.From) && strings.HasPrefix(l.name, strings.TrimSuffix(b.From, "/")) {
			continue // a mirror need not have them
		}
		if err != nil {
			return fmt.Errorf("read the list %q: %w", l.source, err)
		}
		b.index.Sources = append(b.index.Sources, Dated{Name: l.source, Date: date})
	}
	return nil
}

func (b *builder) readList(ctx context.Context, name string, read func(io.Reader, string) (string, error)) (date string, err error) {
	f, err := b.exports.get.open(ctx, name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r, err := openTable(f, name)
	if err != nil {
		return "", err
	}
	return read(r, name)
}

// outcome is what became of one file of an export.
type outcome struct {
	packed *packed
	err    error
}

func (b *builder) readExport(ctx context.Context, name string) (*export, error) {
	z, err := b.exports.archive(ctx, name)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	if int64(len(z.File)) > b.Limits.Entries {
		return nil, &limit.Exceeded{Limit: "entries", Max: b.Limits.Entries, Unit: "entries", What: z.name}
	}
	outcomes := make([]outcome, len(z.File))
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range b.Parallel {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(z.File); i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				outcomes[i].packed, outcomes[i].err = b.readRecord(z.File[i])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read %s: %w", z.name, err)
	}
	x := collect(name, z.File, outcomes)
	x.count.Exported = z.exported(b.Now)
	for _, p := range x.records {
		if b.believes(p.modified) && p.modified.After(x.count.Newest) {
			x.count.Newest = p.modified
		}
	}
	return x, nil
}

// believes reports whether a date may be true: one slip of a pen must not make a set look new for ever.
func (b *builder) believes(at time.Time) bool { return b.Now.IsZero() || !at.After(b.Now) }

// errNoRecord marks a file that is none, such as a directory.
var errNoRecord = errors.New("not a record")

func (b *builder) readRecord(f *zip.File) (*packed, error) {
	if !strings.HasSuffix(f.Name, ".json") || f.FileInfo().IsDir() {
		return nil, errNoRecord
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, b.Limits.MetadataSize+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > b.Limits.MetadataSize {
		return nil, &limit.Exceeded{Limit: "metadata-size", Max: b.Limits.MetadataSize, Unit: "bytes"}
	}
	p, err := parse(raw)
	if err != nil {
		return nil, err
	}
	for i := range p.affected {
		p.affected[i].dropCovered()
	}
	return b.pack(p), nil
}

// notSecurity are advisories about bugs and enhancements, which rpm distributions publish beside those about flaws.
var notSecurity = regexp.MustCompile(`^(AL|RH|RL|EL)(BA|EA)-`)

func collect(name string, files []*zip.File, outcomes []outcome) *export {
	x := &export{count: EcosystemCount{Name: name}}
	for i, o := range outcomes {
		switch {
		case errors.Is(o.err, errNoRecord):
		case errors.Is(o.err, errWithdrawn):
			x.count.Withdrawn++
		case o.err != nil:
			x.count.Unreadable++
			x.bad = append(x.bad, fmt.Sprintf("%s: %.200q: %v", name, files[i].Name, o.err))
		case len(o.packed.shares) == 0, notSecurity.MatchString(o.packed.id) && len(o.packed.cves) == 0:
			x.count.Other++
		default:
			x.count.Records++
			x.records = append(x.records, o.packed)
		}
	}
	slices.Sort(x.bad)
	slices.SortStableFunc(x.records, func(a, b *packed) int { return cmp.Compare(a.id, b.id) })
	return x
}

// maxCovering bounds the comparisons that making a record smaller is worth.
const maxCovering = 1 << 20

// dropCovered removes the enumerated versions that the ranges include anyway.
func (a *Affected) dropCovered() {
	for _, r := range a.Ranges {
		if len(a.Versions) == 0 || len(a.Versions)*len(r.Events) > maxCovering {
			return
		}
		order, err := r.order(a.Ecosystem)
		if err != nil {
			continue
		}
		events, err := parseEvents(order, r.Events)
		if err != nil {
			continue
		}
		a.Versions = slices.DeleteFunc(a.Versions, func(v string) bool { return covers(order, events, v) })
	}
}

func covers(order version.Order, events []event, v string) bool {
	at, err := order.ParseInstalled(v)
	if err != nil {
		return false
	}
	in, err := evaluate(events, at)
	return in && err == nil
}
