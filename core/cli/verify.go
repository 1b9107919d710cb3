package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) verifyCommand() *cobra.Command {
	var (
		trust   trustFlags
		plan    gate.VerifyPlan
		summary gate.SummaryDemands
		digest  string
		passed  bool
		format  string
	)
	cmd := &cobra.Command{
		Use:     "verify IMAGE",
		GroupID: "judge",
		Short:   "Verify who signed an image, and which policy it passed",
		Long: `Verify reads what lies beside an image in its registry, Sigstore bundles and cosign's older form alike, and
says whether somebody whose word counts signed it, or attested what is wanted. What does not count hides nothing that
does; with --bundle no registry is asked.

With --passed, --policy, --policy-digest, --max-age, --verifier or --resource, a verdict has to be attested: that the image
passed, which policy, how long ago, and so on. Of an image index the index stands for its platforms, which it names by
digest.

It ends with 0 if all that is wanted is there, with 1 if something is missing, with 2 if it makes no sense, and with 3 if
nobody could look.`,
		Example: `  cleanbill verify registry.example/team/app:1.4 --key cosign.pub
  cleanbill verify registry.example/team/app@sha256:… --key cosign.pub --policy standard --max-age 7d
  cleanbill verify registry.example/team/app:1.4 --certificate-identity-regexp 'https://github\.com/team/.*' \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com --trusted-root root.json`,
		Args: exactly(1, "one image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("format", format, "text", "json"); err != nil {
				return err
			}
			plan.Image, plan.Signers = args[0], trust.signers()
			if digest != "" {
				d, err := core.ParseDigest(digest)
				if err != nil {
					return &core.Failure{Doing: "understand --policy-digest", Err: err, Usage: true}
				}
				summary.Policy = d
			}
			if passed || summary != (gate.SummaryDemands{}) {
				plan.Summary = &summary
			}
			v, err := p.gate(nil).Verify(cmd.Context(), plan)
			if err != nil {
				return err
			}
			p.exit = v.Decision.ExitCode()
			if format == "json" {
				return p.showJSON(v)
			}
			return showVerification(p.Stdout, v)
		},
	}
	trust.register(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&plan.Bundles, "bundle", nil, "verify what this `FILE` holds, and ask no registry (repeatable)")
	flags.BoolVar(&plan.EachPlatform, "each-platform", false, "want the same of every platform of an image index")
	flags.StringArrayVar(&plan.Attested, "attested", nil, "want an attestation of this `TYPE` (repeatable): "+strings.Join(attestedNames(), ", ")+", or a predicate type")
	flags.BoolVar(&passed, "passed", false, "want a verdict: that it passed")
	flags.StringVar(&plan.Policy, "policy", "", "want a verdict by this `POLICY`, a built-in profile or a file, as it is today")
	flags.StringVar(&digest, "policy-digest", "", "want a verdict by the policy with this `DIGEST`")
	flags.Var(ageFlag{&summary.MaxAge}, "max-age", "want a verdict of at most this `AGE`, such as 7d or 36h")
	flags.StringVar(&summary.Verifier, "verifier", "", "want a verdict by the verifier with this `ID` (default: this program)")
	flags.StringVar(&summary.Resource, "resource", "", "want a verdict about this `NAME` of the image: its repository, without a tag")
	flags.StringVar(&format, "format", "text", "`FORM` of the answer: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
	p.completeWords(cmd, "attested", attestedNames())
	return cmd
}

func attestedNames() []string {
	var names []string
	for name := range gate.AttestedTypes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func showVerification(w io.Writer, v *gate.Verification) error {
	word := "VERIFIED"
	if v.Decision != core.Passed {
		word = "REFUSED"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", word, report.SafeText(v.Image), v.Digest)
	for _, m := range v.Manifests {
		if len(v.Manifests) > 1 {
			of := "index"
			if m.Platform != nil {
				of = report.SafeText(m.Platform.String())
			}
			fmt.Fprintf(&b, "\n%s  %s\n", of, m.Digest)
		}
		for _, why := range m.Refusals {
			fmt.Fprintf(&b, "  ! %s\n", report.SafeText(why))
		}
		for _, by := range m.SignedBy {
			fmt.Fprintf(&b, "  signed by %s\n", report.SafeText(by))
		}
		if s := m.Summary; s != nil {
			fmt.Fprintf(&b, "  passed %s (%s) at %s, by %s\n", report.SafeText(s.Policy), s.PolicyDigest.Short(),
				s.Verified.UTC().Format(time.RFC3339), report.SafeText(s.Verifier))
		}
		for _, a := range m.Attestations {
			fmt.Fprintf(&b, "  attested %s by %s\n", report.SafeText(a.PredicateType), report.SafeText(a.Signer))
		}
		for _, why := range m.Ignored {
			fmt.Fprintf(&b, "  does not count: %s\n", report.SafeText(why))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
