package cli

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func (p *Program) policyPreviewCommand() *cobra.Command {
	var plan gate.PreviewPlan
	var format string
	cmd := &cobra.Command{
		Use:   "preview NAME|FILE --against DIR",
		Short: "Say what a policy would have done to past verdicts",
		Long: `Preview judges the evidence of every document with a verdict in a directory by another policy, each at the time of its
verdict, and says which decisions and which outcomes would have been others, by verdict and by rule.

It ends with 0 if all documents were judged, whatever came of it, and with 3 if some could not be read.`,
		Example: `  cleanbill policy preview .cleanbill.yaml --against verdicts/
  cleanbill policy preview strict --against verdicts/ --format json`,
		Args: exactly(1, "a policy"),
		PreRunE: func(*cobra.Command, []string) error {
			if plan.Against == "" {
				return &core.Failure{Doing: "preview a policy", Usage: true, Err: errors.New("no directory of past verdicts was named"),
					Hint: "give one: --against DIR"}
			}
			return oneOf("format", format, "text", "json")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			plan.Policy = args[0]
			preview, err := p.gate(nil).Preview(cmd.Context(), plan)
			if err != nil {
				return err
			}
			if len(preview.Unread) > 0 {
				p.exit = core.ExitUndecided
			}
			if format == "json" {
				encoder := json.NewEncoder(p.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(preview)
			}
			return showPreview(&printer{w: p.Stdout}, preview)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&plan.Against, "against", "", "past verdicts are the documents in this `DIR` and below it")
	flags.StringVar(&plan.Advisories, "advisories", "", "look the packages of baselines up in this `SET`, which has to be the verdicts'")
	flags.BoolVar(&plan.Offline, "offline", false, "use no network for advisories")
	flags.StringVar(&format, "format", "text", "`FORM` of the answer: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
	return cmd
}

func showPreview(out *printer, v *gate.Preview) error {
	out.printf("policy %s (%s) on %s\n", v.Policy.Name, v.Policy.Digest, counted(v.Verdicts, "verdict"))
	if v.PassedOver > 0 {
		out.printf("passed over: %s without a verdict\n", counted(v.PassedOver, "file"))
	}
	for _, unread := range v.Unread {
		out.printf("could not be read: %s\n", unread)
	}
	out.printf("\n  %6d  the same\n", v.Same)
	for _, move := range moves(v.Changed) {
		out.printf("  %6d  %s\n", move.count, move.name)
	}
	name := ""
	for i := range v.Changed {
		one := &v.Changed[i]
		if move := moveOf(one); move != name {
			name = move
			out.printf("\n%s\n", name)
		}
		out.printf("  %s  %s  %s\n", one.Document, one.Subject, one.Time.Format(timeForm))
		for _, missing := range one.Missing {
			out.printf("    not at hand: %s\n", missing)
		}
		for _, c := range one.Rules {
			out.printf("    %s %s: %d more, %d fewer\n", c.Action, c.Rule, c.More, c.Fewer)
		}
	}
	if len(v.Rules) > 0 {
		out.printf("\nby rule\n")
	}
	for _, c := range v.Rules {
		out.printf("  %s %s: %d more, %d fewer in %s\n", c.Action, c.Rule, c.More, c.Fewer, counted(c.Verdicts, "verdict"))
	}
	return out.err
}

// moveOf says from which decision to which a verdict would go.
func moveOf(v *gate.Previewed) string {
	if v.Before == v.After {
		return v.After.String() + " as before, for other reasons"
	}
	return v.Before.String() + " → " + v.After.String()
}

type move struct {
	name  string
	count int
}

// moves counts verdicts by where they would go, in their order.
func moves(all []gate.Previewed) []move {
	var out []move
	for i := range all {
		if name := moveOf(&all[i]); len(out) > 0 && out[len(out)-1].name == name {
			out[len(out)-1].count++
		} else {
			out = append(out, move{name, 1})
		}
	}
	return out
}
