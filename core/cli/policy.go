package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", GroupID: "data", Short: "Show the built-in policies"}
	cmd.AddCommand(&cobra.Command{
		Use:       "show NAME",
		Short:     "Print a built-in profile: " + strings.Join(policy.Profiles(), ", "),
		ValidArgs: policy.Profiles(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &core.Failure{Doing: "show a policy", Usage: true, Err: errors.New("one name is needed"),
					Hint: "built in are " + strings.Join(policy.Profiles(), ", ")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := policy.BuiltinSource(args[0])
			if err != nil {
				return err
			}
			_, err = p.Stdout.Write(source)
			return err
		},
	})
	return cmd
}

func (p *Program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		GroupID: "data",
		Short:   "Print the JSON Schema of the json report",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.Stdout.Write(report.JSONSchema())
			return err
		},
	}
}
