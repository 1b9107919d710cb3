package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) advisoriesQueryCommand() *cobra.Command {
	var access accessFlags
	var set, format string
	cmd := &cobra.Command{
		Use:   "query CVE-…|ID|PURL",
		Short: "Say what is known of a flaw or a package, without a scan",
		Long: `Query prints what a set knows of an id (CVE, GHSA, DSA, RHSA, GO…): every record that has it or names it, the
packages that it affects and in which versions, and what is known of its exploitation. Asked about a package URL, it
prints the flaws of that version, or without a version all advisories about the package.`,
		Example: `  cleanbill advisories query CVE-2023-44487
  cleanbill advisories query pkg:golang/golang.org/x/net@v0.16.0
  cleanbill advisories query 'pkg:deb/debian/openssl@3.0.11-1?distro=debian-12' --format json`,
		Args: exactly(1, "an id or a package URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := access.access()
			if err != nil {
				return err
			}
			if err := oneOf("format", format, "text", "json"); err != nil {
				return err
			}
			answer, err := p.gate(nil).QueryAdvisories(cmd.Context(), args[0], set, a)
			if err != nil {
				return err
			}
			if format == "json" {
				e := json.NewEncoder(p.Stdout)
				e.SetIndent("", "  ")
				e.SetEscapeHTML(false)
				return e.Encode(answer)
			}
			return p.showAnswer(answer)
		},
	}
	cmd.Flags().StringVar(&set, "advisories", "", "ask this `SET` (default: the set that gate uses)")
	cmd.Flags().StringVar(&format, "format", "text", "`FORM` of the answer: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
	access.register(cmd, true)
	return cmd
}

// showAnswer prints what is known, for people.
func (p *Program) showAnswer(a gate.AdvisoryAnswer) error {
	safe := report.SafeText
	fmt.Fprintf(p.Stdout, "%s in %s, as of %s\n", safe(a.Query), safe(a.Advisories.Name), day(a.Advisories.AsOf))
	if a.Advisories.Note != "" {
		fmt.Fprintf(p.Stdout, "note: %s\n", safe(a.Advisories.Note))
	}
	for _, gap := range a.Gaps {
		fmt.Fprintf(p.Stdout, "incomplete: %s\n", safe(gap))
	}
	if len(a.Flaws) == 0 {
		_, err := fmt.Fprintln(p.Stdout, nothingKnown(a))
		return err
	}
	for _, f := range a.Flaws {
		fmt.Fprintf(p.Stdout, "\n%s  %s", safe(f.ID), strings.ToUpper(f.Severity.String()))
		if f.Score != nil {
			fmt.Fprintf(p.Stdout, " %.1f", *f.Score)
		}
		if f.Exploited != nil {
			fmt.Fprintf(p.Stdout, "  EXPLOITED since %s", safe(f.Exploited.Since))
		}
		if f.EPSS != nil {
			fmt.Fprintf(p.Stdout, "  EPSS %.1f%%", 100*f.EPSS.Score)
		}
		fmt.Fprintln(p.Stdout)
		if f.Title != "" {
			fmt.Fprintf(p.Stdout, "  %s\n", safe(f.Title))
		}
		if len(f.Aliases) > 0 {
			fmt.Fprintf(p.Stdout, "  also %s\n", safe(strings.Join(f.Aliases, ", ")))
		}
		if f.Page != "" {
			fmt.Fprintf(p.Stdout, "  %s\n", safe(f.Page))
		}
		table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
		for _, k := range f.Packages {
			fmt.Fprintf(table, "    %s\t%s\t%s\n", safe(k.Ecosystem), safe(k.Name), safe(k.Affected))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// nothingKnown says what an empty answer means, which is not that all is well where nobody looked.
func nothingKnown(a gate.AdvisoryAnswer) string {
	switch {
	case a.Advisories.Starter && !strings.HasPrefix(a.Query, "pkg:"):
		return "nothing is known of it, in a small selection of advisories, which are found by their own ids only (GO-…, GHSA-…);\n" +
			"ask about a package by its package URL, or get the whole set with: cleanbill advisories update"
	case a.Advisories.Starter:
		return "nothing is known of it, in a small selection of advisories"
	case len(a.Gaps) > 0:
		return "nothing is known of it, as far as could be looked"
	}
	return "nothing is known of it"
}
