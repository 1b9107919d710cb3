package cli

import (
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

// plan returns the part of a plan that these flags make.
func (f *lookFlags) plan(targets []string) (gate.Plan, error) {
	plan := gate.Plan{Targets: targets, Parallel: f.parallel}
	if f.parallel < 0 {
		return plan, &core.Failure{Doing: "understand --parallel", Err: fmt.Errorf("%d is negative", f.parallel), Usage: true}
	}
	for _, s := range f.platforms {
		platform, err := core.ParsePlatform(s)
		if err != nil {
			return plan, &core.Failure{Doing: "understand --platform", Err: err, Usage: true}
		}
		plan.Platforms = append(plan.Platforms, platform)
	}
	for _, s := range f.limits {
		if err := plan.Limits.Set(s); err != nil {
			return plan, &core.Failure{Doing: "understand --limit " + s, Err: err, Usage: true}
		}
	}
	return plan, nil
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

func (f *advisoryFlags) plan(plan *gate.Plan) {
	plan.Advisories, plan.Offline, plan.VEX = f.set, f.offline, f.vex
	plan.Imports = f.imports
}

func registerPolicy(p *Program, cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "policy", "standard", "judge by this `POLICY`: "+strings.Join(policy.Profiles(), ", ")+", or a file")
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
