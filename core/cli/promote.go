package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
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

It ends with 0 if the copy has its tag, with 1 if nothing allows it, and with 3 if it could not be completed.`,
		Example: `  cleanbill promote staging.example/app@sha256:… registry.example/app:1.4 --signed-by cosign.pub --max-age 24h
  cleanbill promote staging.example/app@sha256:… registry.example/app:1.4 --key cosign.key`,
		Args: exactly(2, "a source and a destination"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by.named() && sign.sign.said.Named() {
				return &core.Failure{Doing: "promote " + args[0], Usage: true,
					Err:  errors.New("both a summary and a fresh verdict are to allow it"),
					Hint: "name who signed it before with --signed-by, or who signs it now with --key"}
			}
			plan, err := run.plan(p, cmd, args[:1])
			if err != nil {
				return err
			}
			if by.named() {
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
	signers, err := by.signers(root)
	if err != nil {
		return err
	}
	promotion, err := p.gate(nil).Promote(cmd.Context(), gate.PromotePlan{Source: plan.Targets[0], Destination: destination,
		Signers: signers, Policy: plan.Policy, MaxAge: by.age, Limits: plan.Limits})
	if err != nil {
		return err
	}
	p.exit = promotion.Decision.ExitCode()
	if by.format == "json" {
		e := json.NewEncoder(p.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(promotion)
	}
	return showPromotion(p.Stdout, promotion)
}

func showPromotion(w io.Writer, m *gate.Promotion) error {
	var b strings.Builder
	if m.Decision != core.Passed {
		fmt.Fprintf(&b, "REFUSED  %s  %s\n", report.SafeText(m.Source), m.Digest)
		for _, why := range m.Refusals {
			fmt.Fprintf(&b, "  ! %s\n", report.SafeText(why))
		}
		for _, why := range m.Ignored {
			fmt.Fprintf(&b, "  does not count: %s\n", report.SafeText(why))
		}
		fmt.Fprintf(&b, "Nothing was copied. Wanted is a summary that it passed the policy %s (%s).\n"+
			"To judge it again instead, leave --signed-by and the identity out, and name who signs with --key.\n",
			report.SafeText(m.Policy.Name), m.Policy.Digest.Short())
	} else {
		fmt.Fprintf(&b, "promoted    %s\n            %s\nattached    %d manifests came with it\nallowed     by %s, as of %s, policy %s\n",
			report.SafeText(m.Reference), m.Digest, m.Attached, report.SafeText(m.Summary.Signer),
			m.Summary.Verified.UTC().Format(time.RFC3339), report.SafeText(m.Policy.Name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// summaryFlags say whose summary of a verdict counts.
type summaryFlags struct {
	keys             []string
	identity, issuer string
	age              time.Duration
	format           string
}

func (f *summaryFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.keys, "signed-by", nil, "go by a summary that the public key in this `FILE` confirms (repeatable: one is enough)")
	flags.StringVar(&f.identity, "certificate-identity", "", "go by a summary that this `IDENTITY` signed")
	flags.StringVar(&f.issuer, "certificate-oidc-issuer", "", "the `ISSUER` that vouches for the identity")
	f.age = gate.DefaultSummaryAge
	flags.Var(ageFlag{&f.age}, "max-age", "the summary has at most this `AGE`, such as 7d or 36h")
	flags.StringVar(&f.format, "format", "text", "with a summary, the `FORM` of what is printed: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
}

func (f *summaryFlags) named() bool { return len(f.keys) > 0 || f.identity != "" || f.issuer != "" }

// signers are those whose summary counts, confirmed by the trusted root in the file.
func (f *summaryFlags) signers(root string) (gate.SignerFiles, error) {
	s := gate.SignerFiles{TrustedRoot: root}
	for _, k := range f.keys {
		s.Signers = append(s.Signers, policy.Signer{Key: k})
	}
	if (f.identity == "") != (f.issuer == "") {
		return s, &core.Failure{Doing: "understand the signer", Usage: true,
			Err: errors.New("--certificate-identity and --certificate-oidc-issuer go together")}
	}
	if f.identity != "" {
		s.Signers = append(s.Signers, policy.Signer{Identity: f.identity, Issuer: f.issuer})
	}
	return s, nil
}
