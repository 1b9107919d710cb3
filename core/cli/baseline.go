package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) baselineCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "baseline", GroupID: "judge",
		Short: "Write down how things are, so that gate can say what is new"}
	var (
		run  runFlags
		file string
	)
	write := &cobra.Command{
		Use:   "write TARGET...",
		Short: "Read and judge images or sources, and write what later changes are compared with",
		Long: `Write does what gate does, in full, and writes evidence and verdict into a file that belongs into the
repository. It succeeds when the file was written, whatever the verdict is.

A gate with that baseline refuses what is new by the change, and warns of what the baseline has too.`,
		Example: `  cleanbill baseline write . --policy .cleanbill.yaml
  cleanbill gate . --baseline .cleanbill/baseline.json`,
		Args: needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := run.plan(p, cmd, args)
			if err != nil {
				return err
			}
			bars := p.newProgress()
			r, err := p.gate(bars.tell).WriteBaseline(cmd.Context(), plan, file)
			bars.stop()
			if err != nil {
				return err
			}
			v := r.Verdict
			_, err = fmt.Fprintf(p.Stdout, "%s: %d findings, of which policy %s refuses %d; gaps: %d\n", report.SafeText(file),
				v.Counts.Findings, report.SafeText(v.Policy.Name), len(v.Refusals), len(v.Gaps))
			return err
		},
	}
	run.register(p, write)
	write.Flags().StringVarP(&file, "output", "o", gate.BaselineFile, "write this `FILE`")
	cmd.AddCommand(write)
	return cmd
}
