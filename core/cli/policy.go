package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", GroupID: "data", Short: "Show, check and publish policies"}
	cmd.AddCommand(p.policyShowCommand(), p.policyCheckCommand(), p.policyTestCommand(), p.policyPreviewCommand(), p.policyPushCommand())
	return cmd
}

func (p *Program) policyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|FILE",
		Short: "Print a built-in profile, or a policy with all that it extends",
		Long: `Show prints a built-in profile as it is (` + strings.Join(policy.Profiles(), ", ") + `), or, of a file, the rules and
settings that are in force after all that it extends, in the order in which the rules are tried.`,
		Example: `  cleanbill policy show standard
  cleanbill policy show .cleanbill.yaml`,
		ValidArgs: policy.Profiles(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &core.Failure{Doing: "show a policy", Usage: true, Err: errors.New("one name is needed"),
					Hint: "built in are " + strings.Join(policy.Profiles(), ", ")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := p.policyText(cmd, args[0])
			if err != nil {
				return err
			}
			_, err = p.Stdout.Write(text)
			return err
		},
	}
}

func (p *Program) policyText(cmd *cobra.Command, name string) ([]byte, error) {
	if slices.Contains(policy.Profiles(), name) {
		return policy.BuiltinSource(name)
	}
	read, err := p.gate(nil).Policy(cmd.Context(), name)
	if err != nil {
		return nil, err
	}
	return read.Show()
}

func (p *Program) policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Say whether policies are right, with the place of everything that is not",
		Long: `Check reads each policy with all that it extends and all files that it names, checks the types of its
expressions, and prints "FILE: ok" with the number of its rules and its digest, or every problem as FILE:LINE:COLUMN.`,
		Example: "  cleanbill policy check .cleanbill.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &core.Failure{Doing: "check a policy", Usage: true, Err: errors.New("no file was named"), Hint: "usage: " + cmd.UseLine()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var failures []error
			for _, name := range args {
				read, err := p.gate(nil).CheckPolicy(cmd.Context(), name)
				if err != nil {
					failures = append(failures, err)
					continue
				}
				_, err = fmt.Fprintf(p.Stdout, "%s: ok, %s, %s\n", report.SafeText(name), counted(read.Rules(), "rule"), read.Ref().Digest)
				if err != nil {
					return err
				}
			}
			return errors.Join(failures...)
		},
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (p *Program) policyPushCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "push FILE oci://REGISTRY/REPOSITORY[:TAG]",
		Short: "Publish a policy for others to extend, and print the reference with its digest",
		Long: `Push writes a policy and the files beside it that it names (keys, statements, policies that it extends)
to a registry, as one artifact. Others extend it by its digest, which is printed. Sign it with: cosign sign REFERENCE`,
		Example: `  cleanbill policy push org.yaml oci://registry.example/acme/policy:v3`,
		Args:    exactly(2, "a policy and a reference"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reference, err := p.gate(nil).PushPolicy(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.Stdout, reference)
			return err
		},
	}
}

// The schemas that can be printed.
const (
	schemaEvidence = "evidence"
	schemaPolicy   = "policy"
)

func (p *Program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "schema [" + schemaEvidence + "|" + schemaPolicy + "]",
		GroupID:   "data",
		Short:     "Print the JSON Schema of the json report, or of policy files",
		ValidArgs: []string{schemaEvidence, schemaPolicy},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != schemaEvidence && args[0] != schemaPolicy {
				return &core.Failure{Doing: "print a schema", Usage: true,
					Err: fmt.Errorf("there is no schema %q", strings.Join(args, " ")), Hint: "there are: " + schemaEvidence + ", " + schemaPolicy}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := report.JSONSchema()
			if len(args) == 1 && args[0] == schemaPolicy {
				schema = policy.JSONSchema()
			}
			_, err := p.Stdout.Write(schema)
			return err
		},
	}
}
