package cli

import (
	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func (p *Program) replayCommand() *cobra.Command {
	var plan gate.PastPlan
	cmd := &cobra.Command{
		Use:     "replay VERDICT.json",
		GroupID: "judge",
		Short:   "Judge the evidence of a verdict again, and say whether the verdict is the same",
		Long: `Replay judges the evidence in a document by the policy and the baseline that its verdict names, at the time of
the verdict, and compares the two verdicts byte for byte.

It ends with 0 if they are the same, and with 3 if not; then it names each input that is missing or another.`,
		Example: `  cleanbill gate registry.example/app:1.4 --output json=verdict.json
  cleanbill replay verdict.json`,
		Args: exactly(1, "a document with a verdict"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan.Document = args[0]
			r, err := p.gate(nil).Replay(cmd.Context(), plan)
			if err != nil {
				return err
			}
			return p.showReplay(args[0], r)
		},
	}
	registerPast(p, cmd, &plan)
	return cmd
}

func registerPast(p *Program, cmd *cobra.Command, plan *gate.PastPlan) {
	flags := cmd.Flags()
	flags.StringVar(&plan.Policy, "policy", "", "the `POLICY` is here (default: where the verdict says)")
	flags.StringVar(&plan.Baseline, "baseline", "", "the baseline is this `FILE` (default: where the verdict says)")
	flags.StringVar(&plan.Advisories, "advisories", "", "look the packages of the baseline up in this `SET`, which has to be the verdict's")
	flags.BoolVar(&plan.Offline, "offline", false, "use no network for advisories")
}

func (p *Program) showReplay(name string, r *gate.Replay) error {
	lines := printer{w: p.Stdout}
	if r.Same {
		lines.printf("%s: the same, byte for byte: %s by policy %s at %s\n", name, r.Recorded.Decision, r.Recorded.Policy.Name,
			r.Recorded.Time.Format(timeForm))
		return lines.err
	}
	p.exit = core.ExitUndecided
	lines.printf("%s: not the same\n", name)
	for _, missing := range r.Missing {
		lines.printf("  input: %s\n", missing)
	}
	for _, difference := range r.Differences {
		lines.printf("  verdict: %s\n", difference)
	}
	if r.Again != nil && len(r.Differences) == 0 {
		lines.printf("  verdict: the same bytes come of it all the same\n")
	}
	return lines.err
}
