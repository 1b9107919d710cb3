package gate

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// FleetPlan says which released images are asked about, and whose word about them counts.
type FleetPlan struct {
	// Names are repositories, of which all tags are meant, and images by tag or digest.
	Names []string
	// Tags restrict the tags of repositories to those that match one of these patterns; none means all.
	Tags []string
	// Signers are whose attestations count.
	Signers SignerFiles
	// AllowUnsigned lets attestations count that no trusted signer made, where there is none that one made. They are
	// marked.
	AllowUnsigned bool
	// OwnerLabel is the annotation or label that names an image's owner, before those of the OCI's specification.
	OwnerLabel string
	// Policy judges, Advisories are matched against, and Offline keeps to the cache for them, as in a Plan.
	Policy     string
	Advisories string
	Offline    bool
	// Parallel is how many images are read at a time; 0 means 8.
	Parallel int
	Limits   Limits
}

// The bounds of what is asked about in one run.
const (
	maxFleetNames  = 100_000
	maxFleetLine   = 4096
	maxFleetImages = 500_000
	// keptManifests is how many bytes of manifests are kept between finding an image and reading what lies beside it.
	keptManifests = 64 << 20
	fleetParallel = 8
)

// ReadNames reads a list of repositories and images, one on a line. Empty lines and those that begin with # say nothing.
func ReadNames(r io.Reader) ([]string, error) {
	var out []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxFleetLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if out = append(out, line); len(out) > maxFleetNames {
			return nil, fmt.Errorf("it has more than %d names", maxFleetNames)
		}
	}
	return out, lines.Err()
}

// FleetGap is something that could not be looked at. While there is one, what was not found may be there all the same.
type FleetGap struct {
	// Name is what the user named, or the image.
	Name string `json:"name"`
	Why  string `json:"why"`
	// Remedy is what can be done; empty if nobody knows.
	Remedy string `json:"remedy,omitempty"`
}

// FleetImage is one image of one repository, whatever the number of its tags.
type FleetImage struct {
	Repository string      `json:"repository"`
	Digest     core.Digest `json:"digest"`
	// Tags are those that name it, or the index that it is of, among those that were asked about.
	Tags []string `json:"tags"`
	// Platform and Index are set for an image of an index.
	Platform *core.Platform `json:"platform,omitempty"`
	Index    core.Digest    `json:"index,omitempty"`
	// Owner is as its annotations or labels have it; empty if they do not say.
	Owner string `json:"owner,omitempty"`
	// SBOMs are what its packages were read from.
	SBOMs []FleetSBOM `json:"sboms"`
}

// FleetSBOM is an attested bill of materials.
type FleetSBOM struct {
	// Type is the predicate type, and Digest that of the attestation.
	Type   string      `json:"type"`
	Digest core.Digest `json:"digest"`
	// Authenticated is false if no trusted signer made it, and Signer is then empty.
	Authenticated bool   `json:"authenticated"`
	Signer        string `json:"signer,omitempty"`
}

// Name is how people call the image.
func (i *FleetImage) Name() string {
	s := i.Repository
	if len(i.Tags) > 0 {
		s += ":" + i.Tags[0]
	} else {
		s += "@" + string(cmp.Or(i.Index, i.Digest))
	}
	if i.Platform != nil {
		s += " (" + i.Platform.String() + ")"
	}
	return s
}

// Authenticated reports whether trusted signers made all that is known of the image.
func (i *FleetImage) Authenticated() bool {
	return !slices.ContainsFunc(i.SBOMs, func(s FleetSBOM) bool { return !s.Authenticated })
}

func compareImages(a, b *FleetImage) int {
	return cmp.Or(cmp.Compare(a.Repository, b.Repository), slices.Compare(a.Tags, b.Tags), cmp.Compare(a.Index, b.Index),
		cmp.Compare(platformName(a.Platform), platformName(b.Platform)), cmp.Compare(a.Digest, b.Digest))
}

func platformName(p *core.Platform) string {
	if p == nil {
		return ""
	}
	return p.String() + p.OSVersion
}

// fleet reads what was attested to images, and none of their layers.
type fleet struct {
	gate  *Gate
	plan  FleetPlan
	trust signature.Trust
	// wanted are the predicate types that are read.
	wanted func(predicateType string) bool
	// visit is given every image whose packages are known, by several goroutines at a time.
	visit func(ctx context.Context, r *released) error

	mu    sync.Mutex // guards what follows, and the images of the repositories
	gaps  []FleetGap
	kept  int64
	read  int
	total int
	hosts map[string]*health
}

// shelves is a repository with those of its images that are asked about.
type shelves struct {
	name        string
	ref         name.Repository
	all         bool     // of its tags
	identifiers []string // tags and digests that were named, and all tags if all are asked for
	repository  *registry.Repository
	images      map[core.Digest]*named
}

// named is an image or index that tags or digests name.
type named struct {
	digest core.Digest
	tags   []string
	raw    []byte // nil if it has to be asked for again
}

// health is that of a registry: one that gave no answer several times in a row is not asked any more, because each
// question costs all the patience there is.
type health struct {
	failures atomic.Int32
	last     atomic.Pointer[error]
}

// maxFailures is how many failures in a row end the questions to a registry.
const maxFailures = 12

// newFleet checks the plan and reads whose word counts.
func (g *Gate) newFleet(p FleetPlan) (*fleet, error) {
	trust, err := p.Signers.trust()
	if err != nil {
		return nil, err
	}
	return g.newFleetTrusting(p, trust)
}

func (g *Gate) newFleetTrusting(p FleetPlan, trust signature.Trust) (*fleet, error) {
	if trust.Empty() && !p.AllowUnsigned {
		return nil, &core.Failure{Doing: "ask what was attested", Usage: true,
			Err: errors.New("nobody was named whose attestations count, and anybody who may push can attach some"),
			Hint: "name the signer with --key, or --certificate-identity and --certificate-oidc-issuer; " +
				"--allow-unsigned takes anybody's word"}
	}
	for _, pattern := range p.Tags {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, &core.Failure{Doing: "understand --tags " + pattern, Err: err, Usage: true,
				Hint: "* stands for any characters, ? for one, and [a-z] for one of these: '1.*'"}
		}
	}
	if p.Parallel < 0 {
		return nil, &core.Failure{Doing: "understand --parallel", Err: fmt.Errorf("%d is negative", p.Parallel), Usage: true}
	}
	p.Parallel = cmp.Or(p.Parallel, fleetParallel)
	p.Limits = p.Limits.Filled()
	return &fleet{gate: g, plan: p, trust: trust, hosts: map[string]*health{}}, nil
}

// shelves groups the names by repository, in the order of their names.
func (f *fleet) shelves() ([]*shelves, error) {
	by := map[string]*shelves{}
	for _, said := range f.plan.Names {
		text, err := target.InRegistry(said)
		var reference name.Reference
		if err == nil {
			reference, err = registry.ParseReference(text)
		}
		if err != nil {
			return nil, &core.Failure{Doing: "understand " + redact.Reference(said), Err: err, Usage: true,
				Hint: cmp.Or(advice.HintOf(err), "name a repository, such as registry.example/app, or an image of one by tag or digest")}
		}
		s := by[reference.Context().Name()]
		if s == nil {
			s = &shelves{name: repositoryName(reference), ref: reference.Context(), images: map[core.Digest]*named{}}
			by[reference.Context().Name()] = s
		}
		if isRepository(text) {
			s.all = true
		} else {
			s.identifiers = append(s.identifiers, reference.Identifier())
		}
	}
	if len(by) == 0 {
		return nil, &core.Failure{Doing: "start", Err: errors.New("no repository was named"), Usage: true,
			Hint: "name repositories or images as arguments, or in a file with --from"}
	}
	out := make([]*shelves, 0, len(by))
	for _, s := range by {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *shelves) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}

// isRepository reports whether a name has neither tag nor digest.
func isRepository(text string) bool {
	return !strings.ContainsAny(text[strings.LastIndexByte(text, '/')+1:], ":@")
}

// run finds the images and reads what lies beside them. What could not be read is a gap; an error ends everything.
func (f *fleet) run(ctx context.Context) error {
	all, err := f.shelves()
	if err != nil {
		return err
	}
	bounded, cancel := timed(ctx, f.plan.Limits)
	defer cancel()
	// What the limit on time leaves unread are gaps, because what was read is worth having.
	if err := f.each(bounded, len(all), func(ctx context.Context, i int) error { return f.open(ctx, all[i]) }); err != nil {
		return interrupted(ctx, bounded, err)
	}
	if err := f.resolve(bounded, all); err != nil {
		return interrupted(ctx, bounded, err)
	}
	type job struct {
		of    *shelves
		image *named
	}
	var jobs []job
	for _, s := range all {
		for _, d := range sortedKeys(s.images) {
			slices.Sort(s.images[d].tags)
			s.images[d].tags = slices.Compact(s.images[d].tags)
			jobs = append(jobs, job{s, s.images[d]})
		}
	}
	f.total = len(jobs)
	err = f.each(bounded, len(jobs), func(ctx context.Context, i int) error {
		defer f.progress()
		return f.image(ctx, jobs[i].of, jobs[i].image)
	})
	if ctx.Err() != nil {
		return interrupted(ctx, bounded, ctx.Err())
	}
	slices.SortFunc(f.gaps, func(a, b FleetGap) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Why, b.Why), cmp.Compare(a.Remedy, b.Remedy))
	})
	f.gaps = slices.Compact(f.gaps)
	return err
}

func sortedKeys[V any](m map[core.Digest]V) []core.Digest {
	keys := make([]core.Digest, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// each calls do for every number below n, so many at a time as the plan says.
func (f *fleet) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(f.plan.Parallel)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// gap notes what could not be looked at.
func (f *fleet) gap(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gaps = append(f.gaps, FleetGap{Name: redact.Reference(name), Why: redact.Limited(err.Error(), 600),
		Remedy: cmp.Or(core.HintOf(err), advice.HintOf(err))})
}

// progress tells now and then how far it is.
func (f *fleet) progress() {
	f.mu.Lock()
	f.read++
	read, total := f.read, f.total
	f.mu.Unlock()
	if read == total || read%100 == 0 {
		f.gate.tell(Event{Kind: EventFleet, Text: fmt.Sprintf("read what is attested to %d of %d images", read, total)})
	}
}

// ask puts a question to a repository's registry, unless that has stopped answering.
func (f *fleet) ask(ctx context.Context, s *shelves, question func() error) error {
	f.mu.Lock()
	h := f.hosts[s.ref.RegistryStr()]
	if h == nil {
		h = &health{}
		f.hosts[s.ref.RegistryStr()] = h
	}
	f.mu.Unlock()
	if h.failures.Load() >= maxFailures {
		last := *h.last.Load()
		return advice.Unavailable(advice.HintOf(last), "not asked any more, because its registry failed %d times in a row: %w",
			maxFailures, last)
	}
	err := question()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil, registry.IsAbsent(err), !unavailable(err):
		h.failures.Store(0)
	default:
		h.last.Store(&err)
		h.failures.Add(1)
	}
	return err
}

// unavailable reports whether an error is of a registry, instead of what somebody put into it: that must not keep the
// images of others from being looked at.
func unavailable(err error) bool {
	var a *advice.Error
	return errors.As(err, &a)
}

// open dials a repository and lists its tags, if they are asked for.
func (f *fleet) open(ctx context.Context, s *shelves) error {
	err := f.ask(ctx, s, func() (err error) {
		s.repository, err = registry.Dial(ctx, s.ref, registry.Options{Limits: f.plan.Limits, Getenv: f.gate.Getenv,
			Log: f.gate.named("registry"), UserAgent: "cleanbill/" + f.gate.Version})
		return err
	})
	if err != nil {
		f.gap(s.name, err)
		return nil
	}
	if !s.all {
		return nil
	}
	var tags []string
	err = f.ask(ctx, s, func() (err error) {
		tags, err = s.repository.Tags(ctx)
		return err
	})
	if err != nil {
		f.gap(s.name, fmt.Errorf("its tags could not be listed: %w", err))
		return nil
	}
	images, found := 0, 0
	for _, tag := range tags {
		if belongsToDigest(tag) {
			continue
		}
		images++
		if f.tagWanted(tag) {
			s.identifiers = append(s.identifiers, tag)
			found++
		}
	}
	switch {
	case found > 0:
	case images == 0:
		f.gap(s.name, advice.Unavailable("check the spelling, and that something was pushed", "it has no tag that names an image"))
	default:
		f.gap(s.name, advice.Unavailable("check --tags, or leave the repository out", "of its tags, none is like %s",
			strings.Join(f.plan.Tags, " or ")))
	}
	return nil
}

// belongsToDigest reports whether a tag is one under which something is kept about an image, instead of an image.
func belongsToDigest(tag string) bool {
	if registry.IsAttachedTag(tag) {
		return true
	}
	d, err := core.ParseDigest(strings.Replace(tag, "-", ":", 1))
	return err == nil && registry.FallbackTag(d) == tag
}

func (f *fleet) tagWanted(tag string) bool {
	return len(f.plan.Tags) == 0 || slices.ContainsFunc(f.plan.Tags, func(pattern string) bool {
		ok, _ := path.Match(pattern, tag) // the pattern was checked
		return ok
	})
}

// resolve finds the digests of everything that is asked about. One that several tags name is read once.
func (f *fleet) resolve(ctx context.Context, all []*shelves) error {
	type question struct {
		of         *shelves
		identifier string
	}
	var questions []question
	for _, s := range all {
		if s.repository == nil {
			continue
		}
		slices.Sort(s.identifiers)
		for _, identifier := range slices.Compact(s.identifiers) {
			questions = append(questions, question{s, identifier})
		}
	}
	if len(questions) > maxFleetImages {
		return &core.Failure{Doing: "start", Err: &limit.Exceeded{Limit: "images", Max: maxFleetImages, Unit: "images",
			What: "what is asked about"}, Hint: "name fewer repositories at a time, or some tags with --tags"}
	}
	return f.each(ctx, len(questions), func(ctx context.Context, i int) error {
		s, identifier := questions[i].of, questions[i].identifier
		var m registry.Manifest
		err := f.ask(ctx, s, func() (err error) {
			m, err = s.repository.Resolve(ctx, identifier)
			return err
		})
		_, parsed := core.ParseDigest(identifier)
		if err != nil {
			separator := ":"
			if parsed == nil {
				separator = "@"
			}
			f.gap(s.name+separator+identifier, err)
			return nil
		}
		f.found(s, m, identifier, parsed == nil)
		return nil
	})
}

// found notes an image under the tag or digest that names it.
func (f *fleet) found(s *shelves, m registry.Manifest, identifier string, byDigest bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	image := s.images[m.Digest]
	if image == nil {
		image = &named{digest: m.Digest}
		s.images[m.Digest] = image
		if f.kept+int64(len(m.Raw)) <= keptManifests {
			image.raw = m.Raw
			f.kept += int64(len(m.Raw))
		}
	}
	if !byDigest {
		image.tags = append(image.tags, identifier)
	}
}
