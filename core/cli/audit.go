package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func (p *Program) auditCommand() *cobra.Command {
	var fleet fleetFlags
	cmd := &cobra.Command{
		Use:     "audit REPOSITORY...",
		GroupID: "judge",
		Short:   "Judge released images by today's advisories, from their attested SBOMs",
		Long: `Audit reads the SBOMs that are attested to released images, and none of their layers, matches them against today's
advisories, and says which images the policy would refuse today, what became known since their release, and whose
they are.

REPOSITORY is a repository, of which every tag is meant, or an image by tag or digest. Of an image index every
platform is read. An image without an SBOM that a trusted signer attested is a gap.

It ends with 0 if every image would pass today, with 1 if one would be refused, and with 3 if something could not be
looked at.`,
		Example: `  cleanbill audit registry.example/shop --key cosign.pub
  cleanbill audit --from released.txt --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity-regexp 'https://github\.com/example/.*' --trusted-root root.json --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, files, err := fleet.finish(p, args)
			if err != nil {
				return err
			}
			bars := p.newProgress()
			audit, err := p.gate(bars.tell).Audit(cmd.Context(), plan)
			bars.stop()
			if err != nil {
				return err
			}
			p.exit = audit.Decision.ExitCode()
			if err := fleet.answer(p, files, audit, func(t *table) { showAudit(t, audit) }); err != nil {
				p.exit = gate.ExitCode(nil, err)
				return err
			}
			return nil
		},
	}
	fleet.register(p, cmd)
	return cmd
}

func showAudit(t *table, a *gate.Audit) {
	t.line("%s  %s: %d refused, %d undecided, %d passed; %d not looked at", strings.ToUpper(a.Decision.String()),
		counted(a.Counts.Images, "image"), a.Counts.Refused, a.Counts.Undecided, a.Counts.Passed, len(a.Gaps))
	t.line("policy %s, advisories %s as of %s", a.Policy.Name, a.Advisories.Name, day(a.Advisories.AsOf))
	if a.Advisories.Note != "" {
		t.line("note: %s", a.Advisories.Note)
	}
	of := func(i *gate.AuditedImage) *gate.FleetImage { return &i.FleetImage }
	byOwner(t, a.Images, of, func(i *gate.AuditedImage) { showAudited(t, i) })
	t.gaps(a.Gaps)
}

func showAudited(t *table, i *gate.AuditedImage) {
	t.line("  %s  %s", strings.ToUpper(i.Decision.String()), imageLine(&i.FleetImage))
	others := 0
	for _, f := range i.Vulnerabilities {
		if f.Action != core.ActionFail && (f.Since != gate.SinceRelease || f.Action == core.ActionIgnore) {
			others++
			continue
		}
		t.row("    ", strings.ToUpper(f.Severity.String()), f.ID, f.Name+" "+f.Installed, fixedIn(f.Fixed), since(&f))
	}
	for _, o := range i.Others {
		t.line("    %s: %s", o.Rule, o.Message)
	}
	if others > 0 {
		t.line("    %s that the policy does not refuse", counted(others, "other flaw"))
	}
	for _, why := range i.Incomplete {
		t.line("    incomplete: %s", why)
	}
	t.align()
}

func fixedIn(version string) string {
	if version == "" {
		return "no fix"
	}
	return "fixed in " + version
}

// since says when a flaw became known, and what was made of it then and now.
func since(f *gate.AuditedFlaw) string {
	s := "since unknown"
	switch f.Since {
	case gate.SinceRelease:
		s = "NEW since release"
	case gate.SinceBefore:
		s = "known at release"
	}
	if f.WaivedThen != "" {
		s += ", waived then by " + f.WaivedThen
	}
	if f.Exploited != nil {
		s += ", EXPLOITED"
	}
	if f.Action != core.ActionFail {
		s += ", not refused"
	}
	return s
}
