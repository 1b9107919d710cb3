package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// HookSettings say which hooks run. The zero value is none.
type HookSettings = hook.Settings

// Shim confines a hook if the program was started for that, and returns its exit code. Nothing else may be done before.
func Shim(args []string) (code int, asked bool) { return hook.Shim(args) }

// maxHookFile bounds a file of hooks, in bytes.
const maxHookFile = 1 << 20

// ParseHooks reads which hooks run: "auto", "none", names separated by commas, or a YAML file (ending in .yaml or .yml)
// that says what the key "hooks" of a configuration says.
func ParseHooks(value string) (HookSettings, error) {
	presets, err := hook.Presets()
	if err != nil {
		return HookSettings{}, err
	}
	if !strings.HasSuffix(value, ".yaml") && !strings.HasSuffix(value, ".yml") {
		return hook.Named(value, presets)
	}
	data, err := localfile.Read(value, maxHookFile)
	if err != nil {
		return HookSettings{}, &core.Failure{Doing: "read the hooks in " + value, Err: err, Usage: true}
	}
	return hook.ParseSettings(value, data, presets)
}

// hooking is a run of hooks beside the walk.
type hooking struct {
	done    chan struct{}
	results []hook.Result
	err     error
}

// startHooks runs the plan's hooks for an opened target, while the target is read. Wait for it with join.
func (g *Gate) startHooks(ctx context.Context, p Plan, name string, opened *target.Target) *hooking {
	h := &hooking{done: make(chan struct{})}
	if !p.Hooks.Auto && len(p.Hooks.Hooks) == 0 || opened.Subject.Kind == core.KindSBOM {
		close(h.done)
		return h
	}
	go func() {
		defer close(h.done)
		h.results, h.err = g.runHooks(ctx, p, name, opened)
	}()
	return h
}

// runHooks chooses and runs the hooks.
func (g *Gate) runHooks(ctx context.Context, p Plan, name string, opened *target.Target) ([]hook.Result, error) {
	presets, err := hook.Presets()
	if err != nil {
		return nil, err
	}
	var t hook.Target
	if opened.Subject.Kind == core.KindSource {
		if t.Survey, err = hook.Look(ctx, opened.Dir, p.Limits.Filled().Entries); err != nil {
			return nil, &core.Failure{Doing: "look for what hooks are for in " + name, Err: err}
		}
	} else if path, ok := target.Local(name); ok && opened.Subject.Kind == core.KindImage {
		t.Image = path
	} else {
		return unreachable(p.Hooks.Hooks, name), nil
	}
	return g.hookRunner(p).Run(ctx, t, hook.Choose(p.Hooks, presets, t.Survey)), nil
}

func (g *Gate) hookRunner(p Plan) *hook.Runner {
	return &hook.Runner{Getenv: g.Getenv, Require: p.Hooks.RequireBarriers, Parallel: p.Parallel}
}

// unreachable are the examinations of hooks over images, for an image that is not on this machine, or that is several.
func unreachable(hooks []hook.Hook, name string) []hook.Result {
	var all []hook.Result
	for _, h := range hooks {
		if h.Over != hook.OverImage {
			continue
		}
		all = append(all, hook.Result{Hook: h, Examination: core.Examination{Name: h.Name, Tool: h.Argv[0], Status: core.Failed,
			Why:    []string{fmt.Sprintf("%s: %s is not one platform's image on this machine, which is all that the hook can be shown", h.Name, name)},
			Remedy: "save the image first, for example with: crane pull --format oci IMAGE DIR, and judge oci:DIR",
		}})
	}
	return all
}

// join waits for the hooks and adds what they found, under the subject that was opened or, of a source tree, read.
func (h *hooking) join(e *core.Evidence, opened *target.Target) error {
	<-h.done
	if h.err != nil {
		return h.err
	}
	subject := opened.Subject.Digest
	if subject == "" && len(e.Subjects) > 0 {
		subject = e.Subjects[0].Digest
	}
	for _, r := range h.results {
		r.Examination.Subject = subject
		e.Examinations = append(e.Examinations, r.Examination)
		for _, f := range r.Report.Findings {
			f.Subject = subject
			e.Findings = append(e.Findings, f)
		}
		e.Reach = append(e.Reach, r.Report.Reach...)
	}
	return nil
}

// HookPlan is one hook to run by itself, where the tool's own image has nothing else.
type HookPlan struct {
	// Hook is a name, or a YAML file with one definition, as ParseHooks reads them.
	Hook string
	// Source is the directory of the sources.
	Source string
	Limits Limits
}

// RunHook runs one hook over a source tree and returns evidence about that tree: the hook's examination and findings, and
// that every file could be read, which gives the tree its digest. It judges nothing.
func (g *Gate) RunHook(ctx context.Context, p HookPlan) (*Result, error) {
	settings, err := ParseHooks(p.Hook)
	if err != nil {
		return nil, err
	}
	if len(settings.Hooks) != 1 || settings.Auto {
		return nil, &core.Failure{Doing: "run the hook " + p.Hook, Usage: true, Err: errors.New("it is not the name of one hook"),
			Hint: "see: cleanbill hooks list"}
	}
	if settings.Hooks[0].Over != hook.OverSource {
		return nil, &core.Failure{Doing: "run the hook " + p.Hook, Usage: true, Err: errors.New("it looks at images, not at sources"),
			Hint: "run it with: cleanbill gate oci:DIR --hooks " + p.Hook}
	}
	r := &Result{Started: g.Now()}
	if r.Created, err = creationTime(g.Getenv, r.Started); err != nil {
		return nil, err
	}
	limits := p.Limits.Filled()
	bounded, cancel := context.WithTimeoutCause(ctx, limits.Time,
		&limit.Exceeded{Limit: "time", Max: int64(limits.Time.Seconds()), Unit: "seconds", What: "the run"})
	defer cancel()
	plan := Plan{Targets: []string{"dir:" + p.Source}, Limits: p.Limits, Hooks: settings}
	if r.Evidence, err = g.lookAt(bounded, plan.Targets[0], plan, nil, nil, &statements{}); err != nil {
		return nil, interrupted(ctx, bounded, err)
	}
	r.Evidence.Sort()
	r.Elapsed = g.Now().Sub(r.Started)
	return r, nil
}

// HookInfo is what is known of a hook on this machine.
type HookInfo struct {
	Name      string   `json:"name"`
	Program   string   `json:"program"`
	Languages []string `json:"languages"` // and patterns of files
	Class     string   `json:"class"`
	Proved    bool     `json:"proved"`
	Granted   []string `json:"granted,omitempty"`
	Install   string   `json:"install,omitempty"`
	Source    string   `json:"source,omitempty"`
	// Found is the path of the program and Version its version; empty where it is not installed or was not asked.
	Found   string `json:"found,omitempty"`
	Version string `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Selects counts the files that it would scan.
	Selects int  `json:"selects"`
	Auto    bool `json:"auto"` // "auto" would run it
}

// HookReport is what this machine gives hooks.
type HookReport struct {
	Hooks      []HookInfo `json:"hooks"`
	Enforced   []string   `json:"enforced,omitempty"`
	Unenforced []string   `json:"unenforced,omitempty"`
	Problem    string     `json:"problem,omitempty"`
}

// ListHooks returns all presets, without looking at the machine.
func ListHooks() (HookReport, error) {
	presets, err := hook.Presets()
	if err != nil {
		return HookReport{}, err
	}
	var r HookReport
	for _, h := range presets {
		r.Hooks = append(r.Hooks, infoOf(h))
	}
	return r, nil
}

func infoOf(h hook.Hook) HookInfo {
	return HookInfo{Name: h.Name, Program: h.Argv[0], Languages: slices.Concat(h.Languages, h.Files), Class: string(h.Class),
		Proved: h.Proved, Granted: h.Granted(), Install: h.Install, Source: h.Source}
}

// ExamineHooks says which presets can run here, in which version, what they would scan in a directory, and which barriers
// this system gives.
func (g *Gate) ExamineHooks(ctx context.Context, dir string) (HookReport, error) {
	presets, err := hook.Presets()
	if err != nil {
		return HookReport{}, err
	}
	survey, err := hook.Look(ctx, dir, Limits{}.Filled().Entries)
	if err != nil {
		return HookReport{}, &core.Failure{Doing: "look for what hooks are for in " + dir, Err: err, Usage: true}
	}
	runner := g.hookRunner(Plan{})
	var r HookReport
	if r.Enforced, r.Unenforced, err = runner.Barriers(ctx); err != nil {
		r.Problem = err.Error()
	}
	chosen := hook.Choose(hook.Settings{Auto: true}, presets, survey)
	for _, h := range presets {
		info := infoOf(h)
		info.Selects = survey.Selects(h)
		info.Auto = slices.ContainsFunc(chosen, func(c hook.Hook) bool { return c.Name == h.Name })
		info.Found, info.Version, err = runner.Version(ctx, h, survey)
		if err != nil {
			info.Problem = err.Error()
		}
		r.Hooks = append(r.Hooks, info)
	}
	return r, nil
}
