package gate

import (
	"context"
	"path/filepath"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// PublishedAdvisories is the set that is used when nobody names one, and StarterAdvisories the name of the embedded one.
const (
	PublishedAdvisories = advisory.Published
	StarterAdvisories   = advisory.StarterReference
	PublicBucket        = advisory.Bucket
)

// cacheDir is the directory that keeps advisories between runs; empty for none.
func (g *Gate) cacheDir() string {
	dir := g.Getenv(variableCache)
	switch {
	case dir != "":
	case g.Getenv("XDG_CACHE_HOME") != "":
		dir = filepath.Join(g.Getenv("XDG_CACHE_HOME"), "cleanbill")
	case g.Getenv("HOME") != "":
		dir = filepath.Join(g.Getenv("HOME"), ".cache", "cleanbill")
	default:
		return ""
	}
	return filepath.Join(dir, "advisories")
}

// cache opens that directory, or returns nil if there is none that can be written: a run without it fetches what it
// needs each time.
func (g *Gate) cache() *advisory.Cache {
	dir := g.cacheDir()
	if dir == "" {
		return nil
	}
	c, err := advisory.OpenCache(dir)
	if err != nil {
		g.named("advisories").Debug("no cache", "directory", dir, "error", err)
		return nil
	}
	return c
}

// sets says how this gate opens sets of advisories.
func (g *Gate) sets(trust signature.Trust, offline bool) advisory.OpenOptions {
	return advisory.OpenOptions{
		Registry: registry.Options{Getenv: g.Getenv, UserAgent: "cleanbill/" + g.Version},
		Cache:    g.cache(), Offline: offline, Trust: trust, Now: g.Now(), Log: g.named("advisories"),
	}
}

// network says how this gate reaches servers that are no registries.
func (g *Gate) network() advisory.Network {
	return advisory.Network{Getenv: g.Getenv, UserAgent: "cleanbill/" + g.Version}
}

// opening is a set of advisories that is being opened while the target is read.
type opening struct {
	gate     *Gate
	options  advisory.OpenOptions
	limits   Limits
	named    bool // by the user or the policy: nothing else will do
	finished chan struct{}
	set      *advisory.Set
	err      error
	used     *advisory.Set // what the packages were matched against in the end
}

// openAdvisories begins to open the set that the plan names, or else the published one. When a named one cannot be
// opened, stop is called: there is no use in reading on.
func (g *Gate) openAdvisories(ctx context.Context, p Plan, s *sources, trust signature.Trust, stop context.CancelCauseFunc) *opening {
	o := &opening{gate: g, options: g.sets(trust, p.Offline), limits: p.Limits, named: true, finished: make(chan struct{})}
	if dir := g.cacheDir(); s.brings(dir) {
		g.named("advisories").Warn("no cache is used: the change that is judged brings files of it", "directory", dir)
		o.options.Cache = nil
	}
	ref := p.Advisories
	if ref == "" {
		ref, o.named = advisory.Published, false
	}
	go func() {
		defer close(o.finished)
		if o.set, o.err = advisory.Open(ctx, ref, o.options); o.err != nil && o.named {
			stop(o.err)
		}
	}()
	return o
}

// wait returns the set, or what takes the place of the published one for these packages.
func (o *opening) wait(ctx context.Context, e *core.Evidence) (*advisory.Set, error) {
	select {
	case <-o.finished:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if o.err == nil || o.named {
		return o.set, o.err
	}
	return advisory.Fallback(ctx, vuln.Ecosystems(e), o.err, advisory.FallbackOptions{
		OpenOptions: o.options,
		Build:       advisory.BuildOptions{Limits: o.limits, Network: o.gate.network()},
		Progress:    func(line string) { o.gate.tell(Event{Kind: EventAdvisories, Text: line}) },
	})
}

// match looks the packages of the evidence up.
func (g *Gate) match(ctx context.Context, o *opening, e *core.Evidence, now time.Time) error {
	set, err := o.wait(ctx, e)
	if err != nil {
		return err
	}
	g.tell(Event{Kind: EventMatching, Count: len(e.Packages)})
	log := g.named("gate")
	log.Debug("matching packages", "packages", len(e.Packages), "advisories", set.Source().Name, "digest", set.Source().Digest)
	if err := vuln.Match(ctx, set, e, now); err != nil {
		return err
	}
	o.used = set
	if blobs, bytes := set.Fetched(); blobs > 0 {
		d := set.Describe()
		log.Debug("fetched advisories", "blobs", blobs, "bytes", bytes, "of-blobs", d.Blobs, "of-bytes", d.Bytes)
	}
	return nil
}

// AdvisoryBuild says what to build a set of advisories from.
type AdvisoryBuild struct {
	// From is a directory or an address in the layout of the OSV bucket; empty means the public bucket.
	From string
	// Out is the directory of an OCI layout; empty means the cache, where gate finds it.
	Out string
	// Ecosystems restrict it; none means all.
	Ecosystems []string
	// KEV, EPSS and EndOfLife are files or addresses; empty means to look for them beside the exports.
	KEV, EPSS, EndOfLife string
	Limits               Limits
}

// AdvisoryReport says what came of a build.
type AdvisoryReport = advisory.BuildReport

// BuildAdvisories builds a set. The time of the build is not written into it, so that the same exports give the same
// digest; what says how old it is are the dates of its exports. progress may be nil.
func (g *Gate) BuildAdvisories(ctx context.Context, b AdvisoryBuild, progress func(string)) (AdvisoryReport, error) {
	o := advisory.BuildOptions{
		From: b.From, Ecosystems: b.Ecosystems, KEV: b.KEV, EPSS: b.EPSS, EndOfLife: b.EndOfLife, Limits: b.Limits,
		Progress: progress, Now: g.Now(), Network: g.network(), Cache: g.cache(), Log: g.named("advisories"),
	}
	if o.From == "" {
		o.From = advisory.Bucket
	}
	if b.Out == "" {
		return advisory.BuildCached(ctx, o, "")
	}
	return advisory.Build(ctx, o, b.Out)
}

// AdvisoryAccess says how a command on sets of advisories may reach and trust them.
type AdvisoryAccess struct {
	Offline bool
	Signers SignerFiles
}

// AdvisoryMove says what came of moving a set.
type AdvisoryMove = advisory.Moved

// MirrorAdvisories copies a set from one place to another.
func (g *Gate) MirrorAdvisories(ctx context.Context, from, to string, a AdvisoryAccess, progress func(string)) (AdvisoryMove, error) {
	trust, err := a.Signers.trust()
	if err != nil {
		return AdvisoryMove{}, err
	}
	return advisory.Mirror(ctx, from, to, advisory.MoveOptions{OpenOptions: g.sets(trust, a.Offline), Progress: progress})
}

// UpdateAdvisories fetches all of a set into the cache; no reference means the one that gate uses.
func (g *Gate) UpdateAdvisories(ctx context.Context, ref string, a AdvisoryAccess, progress func(string)) (AdvisoryMove, error) {
	trust, err := a.Signers.trust()
	if err != nil {
		return AdvisoryMove{}, err
	}
	return advisory.Update(ctx, g.defaultAdvisories(ref), advisory.MoveOptions{OpenOptions: g.sets(trust, false), Progress: progress})
}

func (g *Gate) defaultAdvisories(ref string) string {
	for _, r := range []string{ref, g.Getenv(variableAdvisories)} {
		if r != "" {
			return r
		}
	}
	return advisory.Published
}

// AdvisoryDescription is what a set says of itself.
type AdvisoryDescription = advisory.Description

// DescribeAdvisories opens a set and returns what it says of itself; no reference means the one that gate uses.
func (g *Gate) DescribeAdvisories(ctx context.Context, ref string, a AdvisoryAccess) (AdvisoryDescription, error) {
	set, err := g.openSet(ctx, ref, a)
	if err != nil {
		return AdvisoryDescription{}, err
	}
	return set.Describe(), nil
}

// VerifyAdvisories reads all of a set and checks every blob, every key's place, and the signature if a signer is named.
func (g *Gate) VerifyAdvisories(ctx context.Context, ref string, a AdvisoryAccess) (AdvisoryDescription, error) {
	set, err := g.openSet(ctx, ref, a)
	if err != nil {
		return AdvisoryDescription{}, err
	}
	if err := set.Verify(ctx); err != nil {
		return AdvisoryDescription{}, &core.Failure{Doing: "verify advisories " + set.Source().Name, Err: err,
			Hint: "fetch or build the set again"}
	}
	return set.Describe(), nil
}

func (g *Gate) openSet(ctx context.Context, ref string, a AdvisoryAccess) (*advisory.Set, error) {
	trust, err := a.Signers.trust()
	if err != nil {
		return nil, err
	}
	options := g.sets(trust, a.Offline)
	set, err := advisory.Open(ctx, g.defaultAdvisories(ref), options)
	if err != nil && ref == "" && g.Getenv(variableAdvisories) == "" {
		return advisory.Fallback(ctx, nil, err, advisory.FallbackOptions{OpenOptions: options})
	}
	return set, err
}
