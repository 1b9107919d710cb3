package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// What an incomplete examination says of itself, for policies that accept it.
const (
	CodeMissing  = "hook-missing"  // a program of the hook is not installed
	CodeBarriers = "hook-barriers" // a barrier that it must have does not hold
)

// Runner runs hooks. Getenv is required.
type Runner struct {
	// Self is this program, which is started again for each hook, and calls Shim first; empty: the running one.
	Self string
	// Getenv reads where programs and caches are, the granted secrets, and which credentials are around.
	Getenv func(string) string
	// Require are the barriers without which no hook runs, and Guarded says that those which run code of the project need
	// all of them: credentials to push or sign with are within reach.
	Require []string
	Guarded bool
	// Parallel is how many hooks run at a time; 0: as many as processors, at most 4.
	Parallel int
	// Dir is where hooks get their own folders; empty: the system's temporary directory.
	Dir     string
	choices []namespaces // to try; nil: namespaceChoices
	trying  sync.Once
	tried   trial
}

// trial is what this system gives.
type trial struct {
	namespaces           namespaces
	enforced, unenforced []string
	err                  error
}

// Result is what one hook found, about the source tree or image that it looked at. Its subject is the caller's to fill in.
type Result struct {
	Hook        Hook
	Examination core.Examination
	Report      Report
}

// Target is what hooks look at.
type Target struct {
	// Survey is of the source tree; nil if there is none.
	Survey *Survey
	// Image is the path of an OCI layout or a saved image; empty if there is none.
	Image string
}

// Choose returns the hooks that settings ask for: those that are named, and with "auto" the proved presets that something
// in the tree selects.
func Choose(s Settings, presets []Hook, survey *Survey) []Hook {
	chosen := slices.Clone(s.Hooks)
	if !s.Auto || survey == nil {
		return chosen
	}
	for _, p := range presets {
		named := slices.ContainsFunc(chosen, func(h Hook) bool { return h.Name == p.Name })
		// Nothing is asked of the network that nobody named.
		if p.Proved && !named && p.Over == OverSource && len(p.Network) == 0 && len(survey.selected(&p)) > 0 {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// Run runs the hooks that are for the target and returns a result for each, in their order. What went wrong is in the
// examinations.
func (r *Runner) Run(ctx context.Context, t Target, hooks []Hook) []Result {
	hooks = slices.DeleteFunc(slices.Clone(hooks), func(h Hook) bool {
		return h.Over == OverImage && t.Image == "" || h.Over == OverSource && t.Survey == nil
	})
	results := make([]Result, len(hooks))
	slots := make(chan struct{}, r.parallel())
	var all sync.WaitGroup
	for i, h := range hooks {
		all.Add(1)
		go func() {
			defer all.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = r.one(ctx, t, h)
		}()
	}
	all.Wait()
	return results
}

func (r *Runner) parallel() int {
	if r.Parallel > 0 {
		return r.Parallel
	}
	return min(runtime.GOMAXPROCS(0), 4)
}

// one runs one hook and turns what came of it into a result.
func (r *Runner) one(ctx context.Context, t Target, h Hook) Result {
	run := &run{runner: r, target: t, hook: h}
	run.x = core.Examination{Name: h.Name, Tool: h.Argv[0], Status: core.Complete, Granted: h.Granted()}
	if err := run.do(ctx); err != nil {
		run.fail(err)
	}
	slices.Sort(run.x.Enforced)
	run.x.Enforced = slices.Compact(run.x.Enforced)
	slices.Sort(run.x.Unenforced)
	run.x.Unenforced = slices.Compact(run.x.Unenforced)
	if run.x.Status == core.Failed || run.x.Status == core.Skipped {
		run.report = Report{Tool: run.report.Tool, Version: run.report.Version}
	}
	return Result{Hook: h, Examination: run.x, Report: run.report}
}

// run is one run of one hook.
type run struct {
	runner *Runner
	target Target
	hook   Hook
	x      core.Examination
	report Report

	tool    tool
	own     string // the hook's own folder
	secrets []string
	grants  []grant
}

// unable says why a hook does not run, and what to do about it.
type unable struct {
	why, remedy, code string
}

func (u *unable) Error() string { return u.why }

// fail records why the hook did not do what it should. A hook that nobody asked for and whose program is missing is left
// out; every other reason is a gap.
func (r *run) fail(err error) {
	r.x.Status, r.x.Why = core.Failed, []string{fmt.Sprintf("%s: %v", r.hook.Name, err)}
	var u *unable
	if errors.As(err, &u) {
		r.x.Remedy, r.x.Code = u.remedy, u.code
		if u.code == CodeMissing && !r.hook.Asked {
			r.x.Status = core.Skipped
		}
	}
}

// do goes through the steps. An error means that nothing of what the hook may have found counts.
func (r *run) do(ctx context.Context) error {
	files := []string{}
	if r.target.Survey != nil && r.hook.Over == OverSource {
		if files = r.target.Survey.selected(&r.hook); len(files) == 0 {
			r.x.Why = []string{fmt.Sprintf("nothing in the tree is for it: %s", r.hook.selectors())}
			return nil
		}
	}
	if err := r.locate(); err != nil {
		return err
	}
	if err := r.allow(ctx); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return err
	}
	defer removeAll(r.own)
	if err := r.askVersion(ctx); err != nil {
		return err
	}
	return r.everywhere(ctx, files)
}

// selectors names what would select the hook.
func (h *Hook) selectors() string {
	return "no files of " + strings.Join(slices.Concat(h.Languages, h.Files), ", ")
}

// locate finds the hook's programs.
func (r *run) locate() error {
	source := ""
	if r.target.Survey != nil {
		source = r.target.Survey.Dir
	}
	home, searchPath := r.runner.Getenv("HOME"), r.runner.Getenv("PATH")
	for i, name := range append([]string{r.hook.Argv[0]}, r.hook.Needs...) {
		found, err := findTool(name, searchPath, source)
		if err != nil {
			return &unable{why: err.Error(), remedy: r.hook.Install, code: CodeMissing}
		}
		if i == 0 {
			r.tool = found
		}
		r.grants = append(r.grants, found.grants(home)...)
	}
	return r.tool.check(r.hook.SHA256)
}

// allow checks what must hold before this hook may run here.
func (r *run) allow(ctx context.Context) error {
	if !confinable {
		return &unable{why: "hooks are confined on Linux only", remedy: "run it on Linux, with: cleanbill hook run", code: CodeBarriers}
	}
	tried := r.runner.try(ctx)
	if tried.err != nil {
		return fmt.Errorf("try the barriers: %w", tried.err)
	}
	for _, name := range r.hook.Secrets {
		value := r.runner.Getenv(name)
		if value == "" {
			return &unable{why: fmt.Sprintf("the secret %s that it is granted is not set", name), remedy: "set the variable " + name}
		}
		r.secrets = append(r.secrets, value)
	}
	if lacking := r.lacking(); len(lacking) > 0 {
		r.x.Unenforced = tried.unenforced
		why := "the policy requires barriers that do not hold here: " + strings.Join(lacking, ", ")
		if found := credentials(r.runner.Getenv); len(found) > 0 && r.hook.Class == ClassExecutes {
			why = fmt.Sprintf("it executes the project's code, and here are credentials to sign or push (%s) without all barriers: %s",
				strings.Join(found, ", "), strings.Join(lacking, ", "))
		}
		return &unable{why: why, code: CodeBarriers,
			remedy: "run it in a job without credentials, with: cleanbill hook run " + r.hook.Name + "; see: cleanbill hooks doctor"}
	}
	return nil
}

// required are the barriers without which this hook does not start.
func (r *run) required() []string {
	required := slices.Clone(r.runner.Require)
	if r.runner.Guarded && r.hook.Class != ClassStatic {
		required = append(required, Barriers()...)
	}
	if r.hook.Class == ClassExecutes && len(credentials(r.runner.Getenv)) > 0 {
		required = append(required, Barriers()...)
	}
	if len(r.hook.Network) == 0 { // there are no hosts to keep it from
		required = slices.DeleteFunc(required, func(b string) bool { return b == BarrierHosts })
	}
	slices.Sort(required)
	return slices.Compact(required)
}

// lacking are the required barriers that the trial did not have.
func (r *run) lacking() []string {
	return slices.DeleteFunc(r.required(), func(b string) bool {
		held := r.runner.tried.enforced
		return slices.Contains(held, b) || b == BarrierHosts && slices.Contains(held, BarrierNetwork)
	})
}

// prepare makes the hook's own folder, and collects its rights.
func (r *run) prepare() error {
	own, err := os.MkdirTemp(r.runner.Dir, "cleanbill-hook-")
	if err != nil {
		return err
	}
	if r.own, err = filepath.EvalSymlinks(own); err != nil {
		return err
	}
	for _, dir := range []string{"home", "tmp", "out", "config"} {
		if err := os.Mkdir(filepath.Join(r.own, dir), 0o700); err != nil {
			return err
		}
	}
	if r.hook.Config != "" {
		if err := os.WriteFile(filepath.Join(r.own, "config", r.hook.ConfigName), []byte(r.hook.Config), 0o600); err != nil {
			return err
		}
	}
	r.grants = append(r.grants, systemGrants()...)
	r.grants = append(r.grants, grant{r.own, accessWrite})
	for _, p := range r.hook.Reads {
		if p = r.fill(p); filepath.IsAbs(p) {
			r.grants = append(r.grants, grant{filepath.Clean(p), accessRead})
		}
	}
	if r.hook.Over == OverImage {
		r.grants = append(r.grants, grant{r.target.Image, accessRead})
	}
	return nil
}

// fill puts the values of placeholders in. A value is never looked at again.
func (r *run) fill(s string) string {
	getenv := r.runner.Getenv
	modules := getenv("GOMODCACHE")
	if modules == "" {
		if gopath := filepath.SplitList(getenv("GOPATH")); len(gopath) > 0 {
			modules = filepath.Join(gopath[0], "pkg", "mod")
		} else if home := getenv("HOME"); home != "" {
			modules = filepath.Join(home, "go", "pkg", "mod")
		}
	}
	source := ""
	if r.target.Survey != nil {
		source = r.target.Survey.Dir
	}
	return strings.NewReplacer("{source}", source, "{output}", r.output(), "{out}", filepath.Dir(r.output()), "{image}", r.target.Image,
		"{config}", filepath.Join(r.own, "config", r.hook.ConfigName), "{home}", getenv("HOME"), "{gomodcache}", modules,
		"{modules}", r.modules()).Replace(s)
}

// modules is the folder node_modules that the program is installed in.
func (r *run) modules() string {
	if i := strings.LastIndex(r.tool.real, "/node_modules/"); i >= 0 {
		return r.tool.real[:i+len("/node_modules")]
	}
	return filepath.Join(filepath.Dir(r.tool.real), "node_modules")
}

func (r *run) output() string { return filepath.Join(r.own, "out", r.hook.ReportFile) }

// environment is all that the hook sees of the environment.
func (r *run) environment() []string {
	source := ""
	if r.target.Survey != nil {
		source = r.target.Survey.Dir
	}
	env := []string{"PATH=" + safePath(r.runner.Getenv("PATH"), source), "HOME=" + filepath.Join(r.own, "home"),
		"TMPDIR=" + filepath.Join(r.own, "tmp"), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=dumb", "NO_COLOR=1", "CI=true",
		"PYTHONDONTWRITEBYTECODE=1"}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "JAVA_HOME"} {
		if value := r.runner.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range r.hook.Env {
		env = append(env, name+"="+r.fill(value))
	}
	for _, name := range r.hook.Secrets {
		env = append(env, name+"="+r.runner.Getenv(name))
	}
	return env
}

// try finds out once which barriers this system gives, by starting the shim for nothing.
func (r *Runner) try(ctx context.Context) *trial {
	r.trying.Do(func() {
		own, err := os.MkdirTemp(r.Dir, "cleanbill-hook-")
		if err != nil {
			r.tried.err = err
			return
		}
		defer os.RemoveAll(own)
		choices := r.choices
		if choices == nil {
			choices = namespaceChoices()
		}
		for _, n := range choices {
			l, err := launch(ctx, r.self(), request{Own: own, Dir: "/", Grants: append(systemGrants(), grant{own, accessWrite}),
				Namespaces: n, Memory: 1 << 30, Disk: 1 << 20, Tasks: 256, Time: time.Minute}, io.Discard, io.Discard, nil)
			r.tried = trial{n, l.enforced, l.unenforced, err}
			if err == nil {
				return
			}
			var start *startError
			if !errors.As(err, &start) {
				return
			}
		}
	})
	return &r.tried
}

// Barriers says which barriers hold on this system and which do not.
func (r *Runner) Barriers(ctx context.Context) (enforced, unenforced []string, err error) {
	if !confinable {
		return nil, Barriers(), errors.New("hooks are confined on Linux only")
	}
	tried := r.try(ctx)
	return slices.Clone(tried.enforced), slices.Clone(tried.unenforced), tried.err
}

// Version finds a hook's program, and asks it for its version as a run would.
func (r *Runner) Version(ctx context.Context, h Hook, survey *Survey) (path, version string, err error) {
	one := &run{runner: r, target: Target{Survey: survey}, hook: h}
	if err := one.locate(); err != nil {
		return "", "", err
	}
	if err := one.allow(ctx); err != nil {
		return one.tool.path, "", err
	}
	if err := one.prepare(); err != nil {
		return one.tool.path, "", err
	}
	defer removeAll(one.own)
	err = one.askVersion(ctx)
	return one.tool.path, one.x.Version, err
}

func (r *Runner) self() string {
	if r.Self != "" {
		return r.Self
	}
	return "/proc/self/exe"
}

// askVersion asks the program for its version, within the same barriers, and compares it with the one that it must be.
func (r *run) askVersion(ctx context.Context) error {
	v := r.hook.Version
	if len(v.Argv) == 0 {
		return nil
	}
	limits := r.hook.Limits
	limits.Time, limits.Output = min(limits.Time, time.Minute), 1<<20
	var printed strings.Builder
	_, err := r.start(ctx, v.Argv, r.own, limits, nil, func(stdout, stderr *capture) error {
		for _, c := range []*capture{stdout, stderr} {
			text, err := c.reader()
			if err != nil {
				return err
			}
			if _, err := io.Copy(&printed, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask for its version: %w", err)
	}
	pattern, err := regexp.Compile(v.Pattern)
	if err != nil {
		return err
	}
	if m := pattern.FindStringSubmatch(printed.String()); len(m) > 1 {
		r.x.Version = m[1]
	}
	if v.Want != "" && r.x.Version != v.Want {
		return &unable{why: fmt.Sprintf("its version is %q, and must be %q", r.x.Version, v.Want), remedy: r.hook.Install}
	}
	return nil
}

// Bounds on how often a hook is started for one target.
const (
	maxPlaces    = 200
	batchFiles   = 1000
	batchArgtext = 96 << 10 // bytes
)

// everywhere runs the hook in each place, on each batch of files. All must succeed.
func (r *run) everywhere(ctx context.Context, files []string) error {
	if r.hook.Over == OverImage {
		return r.once(ctx, r.own, "", nil, nil)
	}
	survey := r.target.Survey
	tree, err := survey.grants()
	if err != nil {
		return err
	}
	places := survey.places(&r.hook)
	switch {
	case len(places) == 0:
		return fmt.Errorf("it runs beside each %s, and there is none for %s", r.hook.Each, files[0])
	case len(places) > maxPlaces:
		return fmt.Errorf("there are %d places to run it in; at most %d are accepted", len(places), maxPlaces)
	}
	for _, place := range places {
		dir := filepath.Join(survey.Dir, filepath.FromSlash(place))
		for _, batch := range r.batches(files) {
			if err := r.once(ctx, dir, place, batch, tree); err != nil {
				if place != "." {
					err = fmt.Errorf("in %s: %w", place, err)
				}
				return err
			}
		}
	}
	return nil
}

// batches cuts the files into what fits on a command line; a hook that takes no files gets one empty batch.
func (r *run) batches(files []string) [][]string {
	if !slices.Contains(r.hook.Argv, "{files}") {
		return [][]string{nil}
	}
	var all [][]string
	var batch []string
	size := 0
	for _, f := range files {
		f = "./" + f // a name that begins with a dash is no option
		if len(batch) == batchFiles || size+len(f) > batchArgtext && len(batch) > 0 {
			all, batch, size = append(all, batch), nil, 0
		}
		batch, size = append(batch, f), size+len(f)+1
	}
	return append(all, batch)
}

// once runs the hook one time and adds what it reports.
func (r *run) once(ctx context.Context, dir, place string, files []string, tree []grant) error {
	var argv []string
	for _, word := range r.hook.Argv {
		if word == "{files}" {
			argv = append(argv, files...)
		} else {
			argv = append(argv, r.fill(word))
		}
	}
	var found Report
	complaint, err := r.start(ctx, argv, dir, r.hook.Limits, tree, func(stdout, stderr *capture) error {
		report, err := r.open(stdout, stderr)
		if err != nil {
			return err
		}
		if c, ok := report.(io.Closer); ok {
			defer c.Close()
		}
		if found, err = ReadAs(r.hook.Format, report, dir); err != nil {
			return fmt.Errorf("read its report: %w", err)
		}
		return nil
	})
	if err != nil {
		if complaint != "" {
			err = fmt.Errorf("%w; it said: %s", err, complaint)
		}
		return err
	}
	r.add(found, place)
	return nil
}

// open returns the report. One in a file must be a regular file of the hook's own folder, and no second name of another.
func (r *run) open(stdout, stderr *capture) (io.ReadSeeker, error) {
	switch r.hook.From {
	case FromStdout:
		return stdout.reader()
	case FromStderr:
		return stderr.reader()
	}
	root, err := os.OpenRoot(filepath.Join(r.own, "out"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(r.hook.ReportFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("it wrote no report")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || hardLinks(info) > 1:
		return nil, errors.New("its report is no plain file")
	case info.Size() > r.hook.Limits.Output:
		return nil, fmt.Errorf("its report has %d bytes; its output limit is %d", info.Size(), r.hook.Limits.Output)
	}
	return root.Open(r.hook.ReportFile)
}

// add joins one report to what was found so far. Paths become relative to the tree. What the tool says that it could not
// look at is missing in the hook's examination.
func (r *run) add(found Report, place string) {
	r.report.Tool, r.report.Version = found.Tool, found.Version
	if r.x.Version == "" {
		r.x.Version = found.Version
	}
	for _, x := range found.Examinations {
		if x.Status != core.Complete {
			r.x.Status = core.Partial
			r.x.Why = append(r.x.Why, x.Why...)
		}
	}
	for i := range found.Findings {
		f := &found.Findings[i]
		if place == "" || place == "." {
			continue
		}
		for j := range f.Locations {
			if p := f.Locations[j].Path; p != "" && !path.IsAbs(p) {
				f.Locations[j].Path = path.Join(place, p)
			}
		}
		for j := range f.Suppressions {
			if p := f.Suppressions[j].Path; p != "" && !path.IsAbs(p) {
				f.Suppressions[j].Path = path.Join(place, p)
			}
		}
		// The tool named the flaw within its own directory, of which there may be several.
		f.Fingerprint = core.FingerprintOf(f.Kind, "hook", place, f.Fingerprint)
	}
	r.report.Findings = append(r.report.Findings, found.Findings...)
	r.report.Reach = append(r.report.Reach, found.Reach...)
}
