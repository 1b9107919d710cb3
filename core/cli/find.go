package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func (p *Program) findCommand() *cobra.Command {
	var fleet fleetFlags
	var plan gate.FindPlan
	var refuse bool
	cmd := &cobra.Command{
		Use:     "find PURL|CVE-… REPOSITORY...",
		GroupID: "look",
		Short:   "Say which released images contain a package or a flaw, from their attested SBOMs",
		Long: `Find reads the SBOMs that are attested to released images, once and none of their layers, and says which images
contain a package: one that a package URL names, with or without a version, or whatever the advisories say that the
flaw of an id (CVE-…, GHSA-…, DSA-…) affects. A distribution's package is found by the name of its source, too.

REPOSITORY is a repository, of which every tag is meant, or an image by tag or digest.

It ends with 0 if the answer is complete, found or not, and with 3 if something could not be looked at: what was not
found may then be there all the same. With --refuse-found it ends with 1 if anything was found.`,
		Example: `  cleanbill find pkg:maven/org.apache.logging.log4j/log4j-core registry.example/shop --key cosign.pub
  cleanbill find pkg:deb/xz-utils --versions '>=5.6.0 <5.6.2' --from released.txt --key cosign.pub
  cleanbill find CVE-2021-44228 --from released.txt --key cosign.pub --format json`,
		Args: needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			one, files, err := fleet.finish(p, args[1:])
			if err != nil {
				return err
			}
			plan.FleetPlan, plan.Query = one, args[0]
			bars := p.newProgress()
			found, err := p.gate(bars.tell).Find(cmd.Context(), plan)
			bars.stop()
			if err != nil {
				return err
			}
			switch {
			case refuse && len(found.Found) > 0:
				p.exit = core.ExitRefused
			case !found.Complete:
				p.exit = core.ExitUndecided
			}
			if err := fleet.answer(p, files, found, func(t *table) { showFound(t, found) }); err != nil {
				p.exit = gate.ExitCode(nil, err)
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&plan.Versions, "versions", "", "of a package URL without a version, only those within these `BOUNDS`: '>=1.2 <1.4'")
	cmd.Flags().BoolVar(&refuse, "refuse-found", false, "end with 1 if anything is found")
	fleet.register(p, cmd)
	return cmd
}

func showFound(t *table, f *gate.Find) {
	query := strings.TrimSpace(f.Query + " " + f.Versions)
	t.line("%s: in %d of %s", query, len(f.Found), counted(f.Searched, "image"))
	if f.Advisories != nil {
		t.line("advisories %s as of %s", f.Advisories.Name, day(f.Advisories.AsOf))
	}
	for _, flaw := range f.Flaws {
		for _, k := range flaw.Packages {
			t.row("  ", flaw.ID, k.Ecosystem, k.Name, k.Affected)
		}
	}
	if f.Unknown {
		alike := ""
		if len(f.Near) > 0 {
			alike = "; spelled alike: " + strings.Join(f.Near, ", ")
		}
		t.line("none of them has a package of that name, in any version%s", alike)
	}
	of := func(i *gate.FoundImage) *gate.FleetImage { return &i.FleetImage }
	byOwner(t, f.Found, of, func(i *gate.FoundImage) {
		t.line("  %s", imageLine(&i.FleetImage))
		built := slices.ContainsFunc(i.Packages, func(k gate.FoundPackage) bool { return k.Source != "" })
		for _, k := range i.Packages {
			cells := []string{k.Name, k.Installed}
			switch {
			case k.Source != "":
				cells = append(cells, "built from "+k.Source)
			case built:
				cells = append(cells, "")
			}
			if k.Flaw != "" {
				cells = append(cells, strings.ToUpper(k.Severity.String()), k.Flaw, fixedIn(k.Fixed))
			}
			t.row("    ", append(cells, k.Package)...)
		}
		t.align()
	})
	t.gaps(f.Gaps)
	if !f.Complete {
		t.line("")
		t.line("INCOMPLETE: what was not found may be there all the same.")
	}
}
