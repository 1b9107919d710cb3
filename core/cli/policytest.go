package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
)

func (p *Program) policyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE...",
		Short: "Run table tests of policies: evidence in, expected decisions out",
		Long: `Test judges the evidence of each case by the policy that the file names, and prints "ok" or "FAIL" with what is
not as expected. It ends with 0 if everything is, with 1 if not, and with 2 if a file is wrong.`,
		Example: "  cleanbill policy test policy_test.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &core.Failure{Doing: "test a policy", Usage: true, Err: errors.New("no file was named"), Hint: "usage: " + cmd.UseLine()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := printer{w: p.Stdout}
			var failures []error
			for _, name := range args {
				results, err := p.gate(nil).TestPolicy(cmd.Context(), name)
				if err != nil {
					failures = append(failures, err)
					continue
				}
				for _, r := range results {
					if len(r.Differences) == 0 {
						out.printf("ok    %s: %s\n", name, r.Name)
						continue
					}
					p.exit = core.ExitRefused
					out.printf("FAIL  %s: %s\n", name, r.Name)
					for _, difference := range r.Differences {
						out.printf("      %s\n", difference)
					}
				}
			}
			if len(failures) > 0 {
				p.exit = core.ExitPassed // a file that is wrong says more than a case that is not as expected
			}
			return errors.Join(append(failures, out.err)...)
		},
	}
}
