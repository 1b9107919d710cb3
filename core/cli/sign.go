package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// signCommand is the second of two jobs: the first has no secrets, and this one believes it nothing.
func (p *Program) signCommand() *cobra.Command {
	var (
		run      runFlags
		output   outputFlag
		change   changeFlags
		sign     publishFlags
		evidence []string
	)
	cmd := &cobra.Command{
		Use:     "sign IMAGE@DIGEST [SOURCE...]",
		GroupID: "judge",
		Short:   "Judge an image of a registry again, and sign and attest it where it is",
		Long: `Sign reads an image by its digest, judges it in full as gate does, and if it passes, signs it and attaches what
gate --push attaches. No tag is set or moved.

Evidence of another job can be added with --evidence. It is not authenticated, so it can refuse and it can not pass: the
image has to pass by what is seen here alone, and then together with that evidence; and what is signed is what was seen
here. Sources that the policy wants examined are named besides the image.`,
		Example: `  cleanbill sign registry.example/team/app@sha256:… --key env://SIGNING_KEY
  cleanbill sign registry.example/team/app@sha256:… --evidence evidence.json --signing-config sigstore.json`,
		Args: needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := run.plan(p, cmd, args)
			if err != nil {
				return err
			}
			stdout, err := output.plan(&plan)
			if err != nil {
				return err
			}
			change.plan(&plan.Change)
			if plan.Publish, err = sign.publishing(p, args[0]); err != nil {
				return err
			}
			if !plan.Publish.InPlace() {
				return &core.Failure{Doing: "sign " + redact.Reference(args[0]), Usage: true, Err: errors.New("it names no digest"),
					Hint: "name what was built as IMAGE@sha256:…: a tag may name something else by now"}
			}
			if len(evidence) > 0 {
				plan.Evidence = evidence
			}
			return p.judged(stdout, func(g *gate.Gate) (*gate.Result, error) { return g.Run(cmd.Context(), plan) })
		},
	}
	run.register(p, cmd)
	evidenceFlag(cmd, &evidence)
	change.register(cmd)
	sign.register(p, cmd)
	output.register(p, cmd)
	return cmd
}

// evidenceFlag names what other jobs saw.
func evidenceFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVar(files, "evidence", nil,
		"refuse what the evidence of another job in this `FILE` refuses too (repeatable); it passes nothing")
}

// publishFlags say how what is published is signed.
type publishFlags struct {
	sign signFlags
	said gate.Publishing
}

func (f *publishFlags) register(p *Program, cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.said.StatementSize, "statement-size", 0, fmt.Sprintf(
		"sign no statement of more `BYTES` (default %d): larger evidence is kept beside the image", gate.DefaultStatementSize))
	f.sign.register(p, cmd)
}

// publishing is what the flags say of the image that a reference names.
func (f *publishFlags) publishing(p *Program, reference string) (*gate.Publishing, error) {
	var err error
	f.said.Reference = reference
	f.said.Signing, err = f.sign.plan(p)
	return &f.said, err
}
