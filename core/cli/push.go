package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// pushFlags say where what passed goes.
type pushFlags struct {
	how       publishFlags
	reference string
}

func (f *pushFlags) register(p *Program, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reference, "push", "", "if the verdict is a pass, push the image, attest it, and only then give it this `NAME:TAG`")
	f.how.register(p, cmd)
}

// plan puts what these flags say into the plan. Flags that say how to sign are of no use without a place to push to.
func (f *pushFlags) plan(p *Program, cmd *cobra.Command, plan *gate.Plan) error {
	if !cmd.Flags().Changed("push") {
		for _, name := range append(signingFlags(), "statement-size") {
			if cmd.Flags().Changed(name) {
				return &core.Failure{Doing: "understand --" + name, Usage: true,
					Err: errors.New("it says how to sign what is pushed, and nothing is"), Hint: "name where to with --push"}
			}
		}
		return nil
	}
	var err error
	plan.Publish, err = f.how.publishing(p, f.reference)
	return err
}

// signingFlags are the names of the flags that say how to sign.
func signingFlags() []string {
	var names []string
	for _, s := range gate.SigningSettings() {
		names = append(names, s.Flag)
	}
	return names
}
