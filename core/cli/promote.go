package cli

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

func (p *Program) promoteCommand() *cobra.Command {
	var (
		run    runFlags
		output outputFlag
		sign   publishFlags
		by     summaryFlags
	)
	cmd := &cobra.Command{
		Use:     "promote SOURCE DESTINATION",
		GroupID: "judge",
		Short:   "Copy an image that passed to another repository, with all that is attached to it",
		Long: `Promote copies an image by digest, every platform of it, with what refers to it and with its signatures, and gives the
copy its tag in the end. One of two things has to allow it:

  a summary of a verdict   --signed-by KEY, or --certificate-identity and --certificate-oidc-issuer: one of them has
                           to have signed that this digest passed the policy, not longer ago than --max-age
  a fresh verdict          otherwise: the image is judged again, in full, and signed and attested at its destination, as
                           gate --push does

It ends with 0 if it was copied, with 1 if nothing allows it, and with 3 if that could not be decided or written.`,
		Example: `  cleanbill promote staging.example/app@sha256:… registry.example/app:1.4 --signed-by cosign.pub --max-age 24h
  cleanbill promote staging.example/app@sha256:… registry.example/app:1.4 --key cosign.key`,
		Args: exactly(2, "a source and a destination"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := by.check(cmd, args[0]); err != nil {
				return err
			}
			plan, err := run.plan(p, cmd, args[:1])
			if err != nil {
				return err
			}
			if by.trust.named() {
				return p.promoteBySummary(cmd, plan, args[1], by, sign.sign.said.TrustedRoot)
			}
			stdout, err := output.plan(&plan)
			if err != nil {
				return err
			}
			if plan.Publish, err = sign.publishing(p, args[1]); err != nil {
				return err
			}
			plan.Publish.Attached = true
			return p.judged(stdout, func(g *gate.Gate) (*gate.Result, error) { return g.Run(cmd.Context(), plan) })
		},
	}
	by.register(p, cmd)
	run.register(p, cmd)
	sign.register(p, cmd)
	output.register(p, cmd)
	return cmd
}

func (p *Program) promoteBySummary(cmd *cobra.Command, plan gate.Plan, destination string, by summaryFlags, root string) error {
	if err := oneOf("format", by.format, "text", "json"); err != nil {
		return err
	}
	by.trust.root = root
	promotion, err := p.gate(nil).Promote(cmd.Context(), gate.PromotePlan{Source: plan.Targets[0], Destination: destination,
		Signers: by.trust.signers(), Policy: plan.Policy, MaxAge: by.age, Limits: plan.Limits})
	if err != nil {
		return err
	}
	p.exit = promotion.Decision.ExitCode()
	if by.format == "json" {
		return p.showJSON(promotion)
	}
	return showPromotion(p.Stdout, promotion)
}

func showPromotion(w io.Writer, promotion *gate.Promotion) error {
	t := &table{}
	if promotion.Decision != core.Passed {
		t.line("REFUSED  %s  %s", promotion.Source, promotion.Digest)
		t.line("Nobody whose word counts says that it passed the policy %s, so nothing was copied.", promotion.Policy.Name)
		for _, why := range promotion.Refusals {
			t.line("  ! %s", why)
		}
		t.line("To have it judged again, leave --signed-by and the identity out, and name a --key to sign with.")
		return t.writeTo(w)
	}
	t.row("", "promoted", promotion.Reference)
	t.row("", "", string(promotion.Digest))
	t.row("", "attached", counted(promotion.Attached, "manifest")+" that belong to it")
	t.row("", "allowed", "by "+promotion.Signer+", as of "+promotion.Verified.UTC().Format(time.RFC3339)+", policy "+promotion.Policy.Name)
	return t.writeTo(w)
}

// summaryFlags say whose summary of a verdict counts.
type summaryFlags struct {
	trust  trustFlags
	age    time.Duration
	format string
}

func (f *summaryFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	f.trust.registerSigners(cmd, "signed-by")
	f.age = gate.DefaultSummaryAge
	flags.Var(ageFlag{&f.age}, "max-age", "with a summary: it has at most this `AGE`, such as 7d or 36h")
	flags.StringVar(&f.format, "format", "text", "with a summary: the `FORM` of the answer, text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
}

// check refuses flags of the way that was not chosen, which would be of no effect: who names a platform, or a report, has
// to learn that nothing is read.
func (f *summaryFlags) check(cmd *cobra.Command, source string) error {
	ofSummaries := []string{"max-age", "format"}
	ofBoth := append([]string{"signed-by", "policy", "config", "limit", "trusted-root", "log-level", "log-format", "color", "progress"}, ofSummaries...)
	var wrong, why string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		bySummary := slices.Contains(ofBoth, flag.Name) || strings.HasPrefix(flag.Name, "certificate-")
		switch {
		case f.trust.named() && !bySummary:
			wrong, why = flag.Name, "it is about a fresh verdict, and a summary is to allow it"
		case !f.trust.named() && slices.Contains(ofSummaries, flag.Name):
			wrong, why = flag.Name, "it is about a summary, and nobody is named whose summary counts"
		}
	})
	if wrong == "" {
		return nil
	}
	return &core.Failure{Doing: "promote " + redact.Reference(source) + " with --" + wrong, Usage: true, Err: errors.New(why),
		Hint: "name who signed the summary with --signed-by, or leave that out and name who signs now with --key; not both"}
}
