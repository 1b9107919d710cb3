package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// lookFlags are the flags of every command that opens targets.
type lookFlags struct {
	platforms []string
	limits    []string
	parallel  int
}

func (f *lookFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.platforms, "platform", nil, "examine only this `OS/ARCH` of an image index (repeatable; default: every platform)")
	flags.StringArrayVar(&f.limits, "limit", nil, "change a limit, as `NAME=VALUE` (repeatable): "+strings.Join(limit.Names(), ", "))
	flags.IntVar(&f.parallel, "parallel", 0, "read `N` layers at a time (default: one for each processor, at most 4)")
	p.completeWords(cmd, "limit", withSuffix(limit.Names(), "="))
}

// plan puts what these flags say in place of what the environment says.
func (f *lookFlags) plan(plan *gate.Plan, targets []string) error {
	plan.Targets, plan.Parallel = targets, f.parallel
	if f.parallel < 0 {
		return &core.Failure{Doing: "understand --parallel", Err: fmt.Errorf("%d is negative", f.parallel), Usage: true}
	}
	if len(f.platforms) > 0 {
		plan.Platforms = nil
	}
	for _, s := range f.platforms {
		platform, err := core.ParsePlatform(s)
		if err != nil {
			return &core.Failure{Doing: "understand --platform", Err: err, Usage: true}
		}
		plan.Platforms = append(plan.Platforms, platform)
	}
	for _, s := range f.limits {
		if err := plan.Limits.Set(s); err != nil {
			return &core.Failure{Doing: "understand --limit " + s, Err: err, Usage: true}
		}
	}
	return nil
}

// outputFlag is --output. Its value FORMAT=- is standard output, which the verdict on the terminal then leaves free.
type outputFlag struct {
	values []string
}

func (f *outputFlag) register(p *Program, cmd *cobra.Command) {
	var names []string
	for _, format := range gate.Formats() {
		names = append(names, format.Name)
	}
	cmd.Flags().StringArrayVarP(&f.values, "output", "o", nil,
		"write a report, as `FORMAT=FILE` (repeatable; - is standard output): "+strings.Join(names, ", "))
	p.completeWords(cmd, "output", withSuffix(names, "="))
}

// outputs returns the reports for files, and the one for standard output if there is one.
func (f *outputFlag) outputs() (files []gate.Output, stdout string, err error) {
	for _, v := range f.values {
		format, path, ok := strings.Cut(v, "=")
		switch {
		case !ok || format == "" || path == "":
			return nil, "", &core.Failure{Doing: "understand --output " + v, Usage: true,
				Err: errors.New("it has to be FORMAT=FILE"), Hint: "for example: --output json=verdict.json"}
		case path == "-" && stdout != "":
			return nil, "", &core.Failure{Doing: "understand --output " + v, Usage: true,
				Err: errors.New("only one report can go to standard output"), Hint: "give the others a file"}
		case path == "-":
			stdout = format
		default:
			files = append(files, gate.Output{Format: format, Path: path})
		}
	}
	return files, stdout, nil
}

// plan puts the reports for files in place of those that the environment names, and returns the one for standard output.
func (f *outputFlag) plan(plan *gate.Plan) (stdout string, err error) {
	files, stdout, err := f.outputs()
	if len(f.values) > 0 {
		plan.Outputs = files
	}
	return stdout, err
}

// advisoryFlags say what packages are matched against.
type advisoryFlags struct {
	set     string
	offline bool
	vex     []string
	imports []string
}

func (f *advisoryFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.set, "advisories", "", "match against this `SET`: oci:DIR, an artifact in a registry, or "+gate.StarterAdvisories+
		" (default: $CLEANBILL_ADVISORIES, or "+gate.PublishedAdvisories+")")
	flags.BoolVar(&f.offline, "offline", false, "use no network for advisories: what is in the cache, or else the embedded starter set, which can refuse but not pass")
	flags.StringArrayVar(&f.vex, "vex", nil, "read this VEX `FILE` (repeatable): OpenVEX, CycloneDX, or a signed attestation of one; what it excuses counts if the policy lets it")
	flags.StringArrayVar(&f.imports, "import", nil, "join the results of another tool in this `FILE` (repeatable): SARIF, Trivy, GitLab, govulncheck -json and more; its format is told from it, or named as in eslint=FILE")
	p.completeWords(cmd, "advisories", []string{"oci:", gate.StarterAdvisories})
}

// plan puts what these flags say in place of what the environment says.
func (f *advisoryFlags) plan(cmd *cobra.Command, plan *gate.Plan) {
	plan.Advisories = cmp.Or(f.set, plan.Advisories)
	if cmd.Flags().Changed("offline") {
		plan.Offline = f.offline
	}
	if len(f.vex) > 0 {
		plan.VEX = f.vex
	}
	if len(f.imports) > 0 {
		plan.Imports = f.imports
	}
}

// changeFlags say which change is judged.
type changeFlags struct {
	base, branch string
}

func (f *changeFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.base, "base", "", "judge the change from this `REVISION` of the repository: what excuses is read there, and flags may only tighten")
	flags.StringVar(&f.branch, "branch", "", "the `BRANCH` that is built, or that the change would be merged into, for rules that ask")
}

// plan puts what these flags say in place of what the environment says.
func (f *changeFlags) plan(change *core.Change) {
	change.Base, change.Branch = cmp.Or(f.base, change.Base), cmp.Or(f.branch, change.Branch)
}

// environment returns the plan that the variables of the environment make.
func (p *Program) environment() (gate.Plan, error) {
	return gate.EnvironmentInputs(p.Getenv).Settings()
}

// policyFlags name the policy.
type policyFlags struct {
	policy, config string
}

// plan returns the policy that the flags name, or else what the environment says.
func (f *policyFlags) plan(environment string) (string, error) {
	if f.policy == "" && f.config == "" {
		return environment, nil
	}
	return gate.PolicyNamed(f.policy, f.config)
}

func (f *policyFlags) register(p *Program, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.policy, "policy", "", "judge by this `POLICY`: "+strings.Join(policy.Profiles(), ", ")+
		", a file, or oci://…@sha256:… (default: "+gate.PolicyFile+" of the sources, or else "+policy.Default+")")
	cmd.Flags().StringVar(&f.config, "config", "", "judge by the policy in this `FILE`")
	p.completeWords(cmd, "policy", policy.Profiles())
}

// completeWords lets the shell complete a flag's value.
func (p *Program) completeWords(cmd *cobra.Command, flag string, words []string) {
	sorted := slices.Sorted(slices.Values(words))
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return sorted, cobra.ShellCompDirectiveNoSpace
	}
	// It fails only for a flag that does not exist or was completed before, which every test of the command would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, complete)
}

func withSuffix(words []string, suffix string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w + suffix
	}
	return out
}

// historyFlag is --history, which may stand without a value.
type historyFlag struct {
	commits string
}

func (f *historyFlag) register(p *Program, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.commits, "history", "", "look for secrets in the commits of the repository too: all that lead to "+
		"HEAD, or those since a revision, as --history=`REVISION..`; none leaves out those that a change adds")
	cmd.Flags().Lookup("history").NoOptDefVal = gate.HistoryAll
	p.completeWords(cmd, "history", []string{gate.HistoryAll, gate.HistoryNone})
}

// plan puts what this flag says in place of what the environment says.
func (f *historyFlag) plan(plan *gate.Plan) error {
	plan.History = cmp.Or(f.commits, plan.History)
	return gate.CheckHistory(plan.History)
}

// runFlags are the flags of every command that reads targets and judges them.
type runFlags struct {
	look       lookFlags
	history    historyFlag
	advisories advisoryFlags
	judge      policyFlags
	sonar      sonarFlags
	hooks      hookFlags
}

func (f *runFlags) register(p *Program, cmd *cobra.Command) {
	f.look.register(p, cmd)
	f.history.register(p, cmd)
	f.advisories.register(p, cmd)
	f.judge.register(p, cmd)
	f.sonar.register(cmd)
	f.hooks.register(p, cmd)
}

// plan returns what these flags make of the plan that the environment makes.
func (f *runFlags) plan(p *Program, cmd *cobra.Command, targets []string) (gate.Plan, error) {
	plan, err := p.environment()
	if err != nil {
		return plan, err
	}
	if err := f.look.plan(&plan, targets); err != nil {
		return plan, err
	}
	if err := f.history.plan(&plan); err != nil {
		return plan, err
	}
	if plan.Policy, err = f.judge.plan(plan.Policy); err != nil {
		return plan, err
	}
	f.advisories.plan(cmd, &plan)
	f.hooks.plan(&plan)
	return plan, f.sonar.plan(&plan.Sonar)
}

// sonarFlags say what a SonarQube server is asked. The token is no flag: everybody on the machine reads those.
type sonarFlags struct {
	said gate.Sonar
}

func (f *sonarFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.said.Task, "sonar", "", "wait for the analysis that a scan started, by its report-task.txt in this `FILE`, and join what SonarQube found (token: $SONAR_TOKEN)")
	flags.StringVar(&f.said.Project, "sonar-project", "", "join what SonarQube found in the latest analysis of the project with this `KEY`; with --sonar, the project that the scan has to be of")
	flags.StringVar(&f.said.Branch, "sonar-branch", "", "of the project, this `BRANCH` (default: its main branch)")
	flags.StringVar(&f.said.PullRequest, "sonar-pull-request", "", "of the project, the pull request with this `ID`")
	flags.StringVar(&f.said.URL, "sonar-url", "", "the SonarQube server's `ADDRESS`, the only one that the token is sent to (default: $SONAR_HOST_URL, or SonarQube Cloud)")
	flags.DurationVar(&f.said.Wait, "sonar-wait", 0, "wait so `LONG` for the analysis (default: 5m)")
}

// plan puts what these flags say in place of what the environment says.
func (f *sonarFlags) plan(plan *gate.Sonar) error {
	if f.said.Wait < 0 {
		return &core.Failure{Doing: "understand --sonar-wait", Err: fmt.Errorf("%s is negative", f.said.Wait), Usage: true}
	}
	plan.Task, plan.Project = cmp.Or(f.said.Task, plan.Task), cmp.Or(f.said.Project, plan.Project)
	plan.Branch, plan.PullRequest = cmp.Or(f.said.Branch, plan.Branch), cmp.Or(f.said.PullRequest, plan.PullRequest)
	plan.URL, plan.Wait = cmp.Or(f.said.URL, plan.URL), cmp.Or(f.said.Wait, plan.Wait)
	return nil
}
