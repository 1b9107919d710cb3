package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// HookSettings say which hooks run. The zero value is none.
type HookSettings = hook.Settings

// Shim confines a hook if the program was started for that, and returns its exit code. Nothing else may be done before.
func Shim(args []string) (code int, asked bool) { return hook.Shim(args) }

// maxHookFile bounds a file of hooks, in bytes.
const maxHookFile = 1 << 20

// isHookFile reports whether a word that names hooks is the path of a file with settings of them.
func isHookFile(word string) bool {
	return strings.HasSuffix(word, ".yaml") || strings.HasSuffix(word, ".yml")
}

// otherHooks reports whether the plan leaves out hooks of the policy, or defines some: a definition can have the name of
// one that the policy requires.
func otherHooks(p Plan, judge *policy.Policy) bool {
	if p.Hooks != noHooks {
		return isHookFile(p.Hooks)
	}
	own, err := policyHooks(judge)
	return err != nil || own.Auto || len(own.Hooks) > 0
}

// noHooks is the word for none, also of those that the policy names.
const noHooks = "none"

// policyHooks returns the hooks of a policy: those that it names, and the presets among what it requires.
func policyHooks(judge *policy.Policy) (HookSettings, error) {
	presets, err := hook.Presets()
	if err != nil {
		return HookSettings{}, err
	}
	var own HookSettings
	if said := judge.Hooks(); said.Value != nil {
		if own, err = hook.ReadSettings(said.File, said.Value, presets); err != nil {
			return own, err
		}
	}
	for _, preset := range presets {
		if slices.Contains(judge.Required(), preset.Name) && !hasHook(own.Hooks, preset.Name) {
			preset.Asked = true
			own.Hooks = append(own.Hooks, preset)
		}
	}
	return own, nil
}

func hasHook(all []hook.Hook, name string) bool {
	return slices.ContainsFunc(all, func(h hook.Hook) bool { return h.Name == name })
}

// runs returns the hooks that run: those of the policy, if there is one, and those that the plan names besides. Of two
// with one name the policy's runs.
func (s *sources) runs(p Plan, judge *policy.Policy) (all HookSettings, err error) {
	if judge != nil {
		if all, err = policyHooks(judge); err != nil {
			return all, err
		}
	}
	if p.Hooks == noHooks {
		return HookSettings{RequireBarriers: all.RequireBarriers}, nil
	}
	named, err := s.namedHooks(p.Hooks)
	if err != nil {
		return all, err
	}
	all.Auto = all.Auto || named.Auto
	for _, h := range named.Hooks {
		if !hasHook(all.Hooks, h.Name) {
			all.Hooks = append(all.Hooks, h)
		}
	}
	all.RequireBarriers = append(all.RequireBarriers, named.RequireBarriers...)
	return all, nil
}

// namedHooks reads which hooks run beside those of the policy: "auto", names separated by commas, or a YAML file that says
// what the key "hooks" of a policy says. When a change is judged, a file of the repository is the base's.
func (s *sources) namedHooks(word string) (HookSettings, error) {
	if word == "" {
		return HookSettings{}, nil
	}
	presets, err := hook.Presets()
	if err != nil {
		return HookSettings{}, err
	}
	if !isHookFile(word) {
		return hook.Named(word, presets)
	}
	data, err := s.read(word, maxHookFile)
	switch {
	case errors.Is(err, ErrNoBase):
		return HookSettings{}, s.noBase(err)
	case err != nil:
		return HookSettings{}, &core.Failure{Doing: "read the hooks in " + word, Err: err, Usage: true}
	}
	return hook.ParseSettings(word, data, presets)
}

// hooking is a run of hooks beside the walk.
type hooking struct {
	done    chan struct{}
	results []hook.Result
	err     error
}

// hooked reports whether hooks may run.
func (s *sources) hooked() bool { return s != nil && (s.hooks.Auto || len(s.hooks.Hooks) > 0) }

// startHooks runs the plan's hooks for an opened target, while the target is read. Wait for it with join.
func (g *Gate) startHooks(ctx context.Context, p Plan, s *sources, name string, opened *target.Target) *hooking {
	h := &hooking{done: make(chan struct{})}
	if !s.hooked() || opened.Subject.Kind == core.KindSBOM {
		close(h.done)
		return h
	}
	go func() {
		defer close(h.done)
		h.results, h.err = g.runHooks(ctx, p, s.hooks, name, opened)
	}()
	return h
}

// runHooks chooses and runs the hooks.
func (g *Gate) runHooks(ctx context.Context, p Plan, hooks HookSettings, name string, opened *target.Target) ([]hook.Result, error) {
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
		return unreachable(hooks.Hooks, name), nil
	}
	return g.hookRunner(p, hooks.RequireBarriers).Run(ctx, t, hook.Choose(hooks, presets, t.Survey)), nil
}

func (g *Gate) hookRunner(p Plan, barriers []string) *hook.Runner {
	return &hook.Runner{Getenv: g.Getenv, Require: barriers, Guarded: p.Publish != nil, Parallel: p.Parallel}
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

// join waits for the hooks and adds what they found, under the subject that was opened or, of a source tree, read. What is
// suppressed in their reports counts only where no change is judged.
func (h *hooking) join(e *core.Evidence, opened *target.Target, s *sources) error {
	<-h.done
	if h.err != nil {
		return h.err
	}
	subject := opened.Subject.Digest
	if subject == "" && len(e.Subjects) > 0 {
		subject = e.Subjects[0].Digest
	}
	var found core.Evidence
	if s != nil {
		found.Change = s.about()
	}
	for _, r := range h.results {
		r.Examination.Subject, r.Report.Examinations = subject, nil // what the tool says of itself is in the hook's
		found.Examinations = append(found.Examinations, r.Examination)
		report := imported{report: r.Report}
		report.join(&found, subject)
	}
	e.Examinations = append(e.Examinations, found.Examinations...)
	e.Findings = append(e.Findings, found.Findings...)
	e.Reach = append(e.Reach, found.Reach...)
	return nil
}

// HookPlan is one hook to run by itself, where the tool's own image has nothing else.
type HookPlan struct {
	// Hook is the name of a hook of the policy or of a preset, or a YAML file with one definition.
	Hook string
	// Source is the directory of the sources.
	Source string
	// Policy, Change and Limits are as in Plan.
	Policy string
	Change core.Change
	Limits Limits
}

// RunHook runs one hook over a source tree and returns evidence about that tree: the hook's examination and findings, and
// that every file could be read, which gives the tree its digest. It judges nothing; of the policy it takes the definition
// of the hook, and which barriers it must have.
func (g *Gate) RunHook(ctx context.Context, p HookPlan) (_ *Result, err error) {
	plan := Plan{Targets: []string{"dir:" + p.Source}, Source: p.Source, Policy: p.Policy, Change: p.Change, Limits: p.Limits}
	s, err := g.openSources(plan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	judge, err := s.choose(ctx, p.Policy)
	if err != nil {
		return nil, err
	}
	own, err := policyHooks(judge.Policy)
	if err != nil {
		return nil, err
	}
	s.hooksOnly = true
	s.hooks = HookSettings{RequireBarriers: own.RequireBarriers}
	if i := slices.IndexFunc(own.Hooks, func(h hook.Hook) bool { return h.Name == p.Hook }); i >= 0 {
		s.hooks.Hooks = own.Hooks[i : i+1]
	} else {
		plan.Hooks = p.Hook
		named, err := s.namedHooks(p.Hook)
		if err != nil {
			return nil, err
		}
		if len(named.Hooks) != 1 || named.Auto {
			return nil, &core.Failure{Doing: "run the hook " + p.Hook, Usage: true, Err: errors.New("it is not the name of one hook"),
				Hint: "see: cleanbill hooks list"}
		}
		s.hooks.Hooks = named.Hooks
		s.hooks.RequireBarriers = append(s.hooks.RequireBarriers, named.RequireBarriers...)
	}
	if s.changing() {
		if err := plan.tightened(judge.Policy, ""); err != nil {
			return nil, err
		}
	}
	if s.hooks.Hooks[0].Over != hook.OverSource {
		return nil, &core.Failure{Doing: "run the hook " + p.Hook, Usage: true, Err: errors.New("it looks at images, not at sources"),
			Hint: "run it with: cleanbill gate oci:DIR --hooks " + p.Hook}
	}
	return g.examine(ctx, plan, s, &statements{}, func(_ context.Context, r *Result) error {
		r.Evidence.Change = s.about()
		r.Evidence.Findings = unify(r.Evidence.Findings)
		return s.compare(&r.Evidence)
	})
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
	runner := g.hookRunner(Plan{}, nil)
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
