package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/inventory"
	"github.com/cleanbill-ci/cleanbill/core/misconfig"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
	"github.com/cleanbill-ci/cleanbill/core/secret"
	"github.com/cleanbill-ci/cleanbill/core/target"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
	"github.com/cleanbill-ci/cleanbill/core/walk"
)

// Gate runs plans. Version, Now and Getenv are required.
type Gate struct {
	// Version and Commit are of the program, for reports.
	Version string
	Commit  string
	// Now gives the time of the verdict.
	Now func() time.Time
	// Getenv reads where daemons and registry credentials are configured, the token for SonarQube, and SOURCE_DATE_EPOCH;
	// nothing else.
	Getenv func(string) string
	// Log may be nil.
	Log hclog.Logger
	// Patience is with registries that are written to; its zero value is the usual one.
	Patience network.Patience
	// Progress may be nil. It is called by one goroutine at a time and must not block for long.
	Progress func(Event)

	telling sync.Mutex
}

// Scan opens and reads every target of the plan, and matches the packages against advisories. It judges nothing and
// ignores the plan's outputs.
//
// The error is a core.Failure if the plan is wrong, or if no target could be opened. A target that could not be opened
// beside others that could is an Examination that failed.
func (g *Gate) Scan(ctx context.Context, p Plan) (_ *Result, err error) {
	s, err := g.openSources(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return g.scan(ctx, p, s, nil, nil)
}

// scan does so under a policy and for a comparison, if there are any.
func (g *Gate) scan(ctx context.Context, p Plan, s *sources, judge *policy.Policy, c *comparing) (*Result, error) {
	var trust trusts
	if judge != nil {
		if s.changing() {
			if err := p.tightened(judge, g.Getenv(variableAdvisories)); err != nil {
				return nil, err
			}
		}
		var err error
		if p, trust, err = p.under(judge); err != nil {
			return nil, err
		}
	}
	p.Advisories = cmp.Or(p.Advisories, g.Getenv(variableAdvisories))
	if judge != nil && !judge.Allows("advisories") && trust.advisories.Empty() {
		if err := s.checkAdvisories(p.Advisories); err != nil {
			return nil, err
		}
	}
	var err error
	if s.hooks, err = s.runs(p, judge); err != nil {
		return nil, err
	}
	if c != nil {
		c.trust = trust.baseline
	}
	if err := c.named(ctx); err != nil {
		return nil, err
	}
	said, err := s.readVEX(s.vexFiles(p, judge), trust.vex)
	if err != nil {
		return nil, err
	}
	imported, err := readImports(p.Imports, rootsOf(p.Targets))
	if err != nil {
		return nil, err
	}
	asked, err := g.asking(p.Sonar)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	advisories := g.openAdvisories(reading, p, s, trust.advisories, stop)
	r, err := g.examine(reading, p, s, said, func(ctx context.Context, r *Result) error {
		if err := g.match(ctx, advisories, &r.Evidence, r.Started); err != nil {
			return err
		}
		if imported, err = asked.add(ctx, imported); err != nil {
			return err
		}
		r.Evidence.Change = s.about() // before results are joined: what they suppress counts only where nothing changes
		if err := attach(&r.Evidence, imported, ""); err != nil {
			return err
		}
		if len(imported) > 0 || s.hooked() {
			r.Evidence.Findings = unify(r.Evidence.Findings)
		}
		if err := g.examineBases(ctx, judge, trust.bases, p, &r.Evidence); err != nil {
			return err
		}
		vuln.JoinReach(&r.Evidence)
		vuln.Excuse(&r.Evidence, said.documents)
		if err := s.compare(&r.Evidence); err != nil {
			return err
		}
		return c.against(ctx, advisories.used, r.Evidence.Change, r.Started)
	})
	if err != nil && ctx.Err() == nil && reading.Err() != nil {
		return nil, context.Cause(reading) // the advisories, without which there was no use in reading on
	}
	return r, err
}

// Run scans, judges, writes the reports and, if the plan says so and the verdict is a pass, publishes.
//
// The error is a core.Failure as from Scan, or says which report could not be written or what could not be published; the
// result is then complete all the same.
func (g *Gate) Run(ctx context.Context, p Plan) (_ *Result, err error) {
	s, err := g.openSources(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return nil, err
	}
	p.Policy = judge.path
	if err := CheckOutputs(p.Outputs); err != nil {
		return nil, err
	}
	if err := checkDocuments(p.Evidence); err != nil {
		return nil, err
	}
	publisher, err := g.publisher(ctx, &p)
	if err != nil {
		return nil, err
	}
	s.keeps = publisher != nil
	c := g.comparesWith(p, judge.Policy, s)
	r, err := g.scan(ctx, p, s, judge.Policy, c)
	if err != nil {
		return nil, err
	}
	r.Evidence.Publication = publisher.publication()
	r.Verdict = judge.Judge(&r.Evidence, c.judgedAgainst(), r.Started)
	seen := r // what this run looked at itself, which is all that it signs
	if r.Verdict.Decision == core.Passed && len(p.Evidence) > 0 {
		if r, err = g.joined(ctx, p.Evidence, s, judge.Policy, seen); err != nil {
			return nil, err
		}
	}
	if err := g.write(r, p.Outputs); err != nil {
		return r, err
	}
	if publisher == nil || r.Verdict.Decision != core.Passed {
		return r, nil
	}
	bounded, cancel := timed(ctx, p.Limits) // no less than reading took
	defer cancel()
	if r.Published, err = publisher.publish(bounded, s.kept, seen); err != nil {
		return r, interrupted(ctx, bounded, err)
	}
	return r, nil
}

// timed bounds how long something takes: a registry that sends byte by byte must not hold up whoever asks it.
func timed(ctx context.Context, l Limits) (context.Context, context.CancelFunc) {
	most := l.Filled().Time
	return context.WithTimeoutCause(ctx, most, &limit.Exceeded{Limit: "time", Max: int64(most.Seconds()), Unit: "seconds", What: "the run"})
}

// Inventory opens and reads one target without advisories or policy, for a bill of materials.
func (g *Gate) Inventory(ctx context.Context, p Plan) (*Result, error) {
	return g.examine(ctx, p, nil, &statements{}, func(context.Context, *Result) error { return nil })
}

// examine opens and reads every target, and lets further add to the evidence before it is sorted.
func (g *Gate) examine(ctx context.Context, p Plan, s *sources, said *statements, further func(context.Context, *Result) error) (*Result, error) {
	if len(p.Targets) == 0 {
		return nil, &core.Failure{Doing: "start", Err: errors.New("no target was named"), Usage: true,
			Hint: "name an image, an archive, a directory or an SBOM file"}
	}
	r := &Result{Started: g.Now(), Category: p.Category}
	var err error
	if r.Created, err = creationTime(g.Getenv, r.Started); err != nil {
		return nil, err
	}
	bounded, cancel := timed(ctx, p.Limits)
	defer cancel()
	if r.Evidence, err = g.look(bounded, p, s, said); err != nil {
		return nil, interrupted(ctx, bounded, err)
	}
	inventory.Finish(&r.Evidence)
	if err := further(bounded, r); err != nil {
		return nil, interrupted(ctx, bounded, err)
	}
	r.Evidence.Sort()
	r.Elapsed = g.Now().Sub(r.Started)
	return r, nil
}

// Document returns the versioned document of a result.
func (g *Gate) Document(r *Result) report.Document {
	d := g.EvidenceDocument(r)
	d.Verdict = &r.Verdict
	return d
}

// EvidenceDocument returns the versioned document of a result that was not judged.
func (g *Gate) EvidenceDocument(r *Result) report.Document {
	d := report.NewDocument(report.Tool{Name: "cleanbill", Version: g.Version, Commit: g.Commit}, r.Evidence, nil)
	d.Created, d.Category = r.Created, r.Category
	return d
}

// look opens and reads all targets. One that fails beside others that do not is recorded; the user's own mistakes and
// an interruption end the run at once.
func (g *Gate) look(ctx context.Context, p Plan, s *sources, said *statements) (core.Evidence, error) {
	var analyzers []core.Analyzer
	if s == nil || !s.hooksOnly {
		all, err := Analyzers(p.Limits.Filled())
		if err != nil {
			return core.Evidence{}, fmt.Errorf("prepare the analyzers: %w", err)
		}
		analyzers = all
	}
	var evidence core.Evidence
	var failures []error
	for _, name := range p.Targets {
		seen, err := g.lookAt(ctx, name, p, s, analyzers, said)
		switch {
		case err == nil:
			evidence.Add(seen)
		case core.Usage(err) || ctx.Err() != nil:
			return core.Evidence{}, err
		default:
			failures = append(failures, err)
		}
	}
	if len(evidence.Subjects) == 0 {
		return core.Evidence{}, errors.Join(failures...)
	}
	for _, err := range failures {
		evidence.Examinations = append(evidence.Examinations, core.Examination{
			Name: core.ExamineTarget, Tool: "cleanbill", Version: g.Version, Status: core.Failed,
			Why: []string{err.Error()}, Remedy: core.HintOf(err),
		})
	}
	if err := uniqueSubjects(evidence.Subjects); err != nil {
		return core.Evidence{}, err
	}
	return evidence, nil
}

func (g *Gate) lookAt(ctx context.Context, name string, p Plan, s *sources, analyzers []core.Analyzer, said *statements) (_ core.Evidence, err error) {
	g.tell(Event{Kind: EventOpening, Target: name})
	opened, err := target.Open(ctx, name, target.Options{
		Platforms: p.Platforms,
		Limits:    p.Limits,
		Getenv:    g.Getenv,
		Log:       g.named("target"),
		UserAgent: "cleanbill/" + g.Version,
	})
	if err != nil {
		return core.Evidence{}, err
	}
	if !s.keep(opened) {
		defer func() { err = errors.Join(err, opened.Close()) }()
	}
	g.tell(Event{Kind: EventOpened, Target: name, Subject: opened.Subject})
	g.named("gate").Debug("opened a target", "name", opened.Subject.Name, "kind", opened.Subject.Kind,
		"digest", opened.Subject.Digest, "platforms", len(opened.Images))

	o := walk.Options{
		Analyzers: AnalyzersOf(opened.Subject.Kind, analyzers),
		Limits:    p.Limits,
		Parallel:  p.Parallel,
		Log:       g.named("walk"),
		Progress:  g.layerProgress,
	}
	var secrets *secret.Detector
	if s != nil && !s.hooksOnly && opened.Subject.Kind != core.KindSBOM { // for a bill of materials nobody looks for secrets
		if secrets, err = s.secrets(cmp.Or(opened.Dir, s.dir)); err != nil {
			return core.Evidence{}, err
		}
	}
	reading, stop := context.WithCancel(ctx)
	defer stop() // ends the hooks of a target that cannot be read
	running := g.startHooks(reading, p, s, name, opened)
	withHooks := func(e core.Evidence, err error) (core.Evidence, error) {
		if err != nil {
			stop()
		}
		return e, errors.Join(err, running.join(&e, opened, s))
	}
	switch opened.Subject.Kind {
	case core.KindSource:
		if secrets != nil {
			o.Analyzers = slices.Concat(o.Analyzers, []core.Analyzer{secrets})
		}
		evidence, err := walk.Tree(ctx, opened.Dir, opened.Subject.Name, o)
		for _, subject := range evidence.Subjects {
			s.examined(subject.Digest, opened.Dir)
		}
		if err == nil && secrets != nil {
			err = s.searchHistory(ctx, p.History, secrets, opened.Dir, p.Limits, &evidence)
		}
		return withHooks(withOpening(evidence, opened), err)
	case core.KindSBOM:
		evidence, err := sbom.Read(ctx, opened.Subject.Name, opened.SBOM, p.Limits.Filled())
		return withOpening(evidence, opened), err
	default:
		opened.Examinations = append(opened.Examinations, said.attested(ctx, g, opened)...)
		if secrets != nil {
			o.Analyzers = slices.Concat(o.Analyzers, []core.Analyzer{secrets.Images()})
		}
		return withHooks(g.readImages(ctx, opened, o, secrets))
	}
}

// withOpening adds how the one subject was opened. What has no digest before it is read, as a source tree, gets it here.
func withOpening(e core.Evidence, opened *target.Target) core.Evidence {
	for _, x := range opened.Examinations {
		if x.Subject == "" && len(e.Subjects) == 1 {
			x.Subject = e.Subjects[0].Digest
		}
		e.Examinations = append(e.Examinations, x)
	}
	return e
}

func (g *Gate) readImages(ctx context.Context, t *target.Target, o walk.Options, secrets *secret.Detector) (core.Evidence, error) {
	evidence := core.Evidence{Examinations: t.Examinations}
	if t.Subject.Kind == core.KindIndex {
		evidence.Subjects = append(evidence.Subjects, t.Subject)
	}
	var images []*image.Image
	for _, opened := range t.Images {
		evidence.Subjects = append(evidence.Subjects, opened.Subject)
		parsed, err := image.Parse(opened, o.Limits.Filled())
		if err != nil {
			evidence.Examinations = append(evidence.Examinations, core.Examination{
				Name: core.ExamineLayers, Subject: opened.Subject.Digest, Tool: "cleanbill", Version: g.Version,
				Status: core.Failed, Why: []string{err.Error()}, Remedy: core.HintOf(err),
			})
			continue
		}
		images = append(images, parsed)
		if secrets != nil {
			for i := range parsed.Layers {
				parsed.Layers[i].CreatedBy = secrets.Redact(parsed.Layers[i].CreatedBy)
			}
			secrets.RedactFacts(&parsed.Facts)
			found, examined := secrets.Config(opened.Subject.Digest, opened.Config)
			evidence.Findings = append(evidence.Findings, found...)
			evidence.Examinations = append(evidence.Examinations, examined)
		}
	}
	seen, err := walk.Images(ctx, images, o)
	if err != nil {
		return core.Evidence{}, err
	}
	seen.Subjects = nil
	examineImages(images, &seen, g.Now())
	evidence.Add(seen)
	return evidence, nil
}

// examineImages adds what is wrong with the images as wholes to what was seen in their layers.
func examineImages(images []*image.Image, seen *core.Evidence, now time.Time) {
	facts := make(map[core.Digest]core.ImageFacts, len(seen.Images))
	for _, f := range seen.Images {
		facts[f.Subject] = f
	}
	files := make(map[core.Digest][]core.Finding, len(images))
	for _, f := range seen.Findings {
		files[f.Subject] = append(files[f.Subject], f)
	}
	seen.Findings = []core.Finding{}
	for _, img := range images {
		subject := img.Subject.Digest
		seen.Findings = append(seen.Findings, misconfig.Image(img, facts[subject], files[subject], now)...)
	}
}

func (g *Gate) layerProgress(e walk.Event) {
	if e.Layer == "" {
		return
	}
	g.tell(Event{Kind: EventLayer, Layer: LayerProgress{
		Digest: e.Layer, Index: e.Index, Read: e.Read, Size: e.Size, Files: e.Files,
		Done: e.Kind == walk.EventDone || e.Kind == walk.EventFailed,
	}})
}

func (g *Gate) tell(e Event) {
	if g.Progress == nil {
		return
	}
	g.telling.Lock()
	defer g.telling.Unlock()
	g.Progress(e)
}

func (g *Gate) named(room string) hclog.Logger {
	if g.Log == nil {
		return hclog.NewNullLogger()
	}
	return g.Log.Named(room)
}

// uniqueSubjects refuses targets that are the same content twice: evidence names its subject by digest.
func uniqueSubjects(subjects []core.Subject) error {
	names := make(map[core.Digest]string, len(subjects))
	for _, s := range subjects {
		if earlier, twice := names[s.Digest]; twice {
			return &core.Failure{
				Doing: "judge the targets together", Usage: true,
				Err:  fmt.Errorf("%s and %s are the same content (%s)", earlier, s.Name, s.Digest.Short()),
				Hint: "name each target once",
			}
		}
		names[s.Digest] = s.Name
	}
	return nil
}

// interrupted explains an error that came of a context's end: the user's interruption, or the limit on time.
func interrupted(parent, ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	if parent.Err() != nil {
		cause = context.Cause(parent)
	}
	return &core.Failure{Doing: "finish", Err: cause}
}
