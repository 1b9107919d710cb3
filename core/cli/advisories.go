package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) advisoriesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "advisories",
		GroupID: "data",
		Short:   "Build and inspect sets of advisories",
	}
	cmd.AddCommand(p.advisoriesBuildCommand(), p.advisoriesStatusCommand())
	return cmd
}

func (p *Program) advisoriesBuildCommand() *cobra.Command {
	var build gate.AdvisoryBuild
	var limits []string
	cmd := &cobra.Command{
		Use:   "build --from DIR --out oci:DIR",
		Short: "Build a set from OSV exports, with KEV, EPSS and end-of-life tables",
		Long: `Build reads a directory in the layout of the public OSV bucket (ecosystems.txt and ECOSYSTEM/all.zip)
and writes an OCI image layout of content-addressed shards. The same input gives the same digests. What does not parse
is named, never dropped in silence; withdrawn records are left out.

Beside the exports it uses kev.json, epss.csv or epss.csv.gz, and eol-distros.csv where they are in DIR or its parent.`,
		Example: `  cleanbill advisories build --from osv --out oci:advisories
  cleanbill gate app.tar --advisories oci:advisories`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, ok := strings.CutPrefix(build.Out, "oci:")
			if !ok || out == "" || build.From == "" {
				return &core.Failure{Doing: "build advisories", Usage: true, Err: errors.New("--from DIR and --out oci:DIR are required"),
					Hint: "for example: cleanbill advisories build --from osv --out oci:advisories"}
			}
			plan, err := (&lookFlags{limits: limits}).plan(nil)
			if err != nil {
				return err
			}
			b := build
			b.Out, b.Limits = out, plan.Limits
			g := p.gate(nil)
			r, err := g.BuildAdvisories(cmd.Context(), b, func(line string) {
				if p.global.progress != "none" {
					fmt.Fprintln(p.Stderr, report.SafeText(line))
				}
			})
			if err != nil {
				return err
			}
			return p.showBuild(build.Out, r)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&build.From, "from", "", "`DIR` with ecosystems.txt and ECOSYSTEM/all.zip")
	flags.StringVar(&build.Out, "out", "", "write to this OCI layout, as `oci:DIR`")
	flags.StringVar(&build.KEV, "kev", "", "CISA's known exploited vulnerabilities, JSON `FILE`")
	flags.StringVar(&build.EPSS, "epss", "", "EPSS scores, CSV or CSV.GZ `FILE`")
	flags.StringVar(&build.EndOfLife, "eol", "", "end-of-life dates of distributions, CSV `FILE`")
	flags.StringArrayVar(&limits, "limit", nil, "change a limit, as `NAME=VALUE` (repeatable)")
	return cmd
}

// showBuild prints what is in a new set, and names every record that is not.
func (p *Program) showBuild(out string, r gate.AdvisoryReport) error {
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ECOSYSTEM\tRECORDS\tWITHDRAWN\tUNREADABLE\tOTHER")
	for _, e := range r.Ecosystems {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", report.SafeText(e.Name), e.Records, e.Withdrawn, e.Unreadable, e.Other)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, u := range r.Unreadable {
		fmt.Fprintf(p.Stdout, "unreadable: %s\n", report.SafeText(u))
	}
	for _, s := range r.Sources {
		fmt.Fprintf(p.Stdout, "source: %s %s\n", report.SafeText(s.Name), report.SafeText(s.Date))
	}
	_, err := fmt.Fprintf(p.Stdout, "\n%d records in %d shards, %s (%s new), in %s\n%s\n%s\n", r.Records, r.Shards, size(r.Bytes),
		size(r.Written), r.Elapsed.Round(time.Millisecond), report.SafeText(out), r.Digest)
	return err
}

func (p *Program) advisoriesStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [oci:DIR]",
		Short: "Say what a set holds and how old it is (default: the embedded starter set)",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref := ""
			if len(args) == 1 {
				ref = args[0]
			}
			source, err := p.gate(nil).AdvisoryStatus(cmd.Context(), ref)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Stdout, "name        %s\n", report.SafeText(source.Name))
			fmt.Fprintf(p.Stdout, "digest      %s\n", source.Digest)
			fmt.Fprintf(p.Stdout, "records     %d\n", source.Records)
			fmt.Fprintf(p.Stdout, "newest      %s\n", source.Newest.UTC().Format("2006-01-02 15:04 UTC"))
			fmt.Fprintf(p.Stdout, "ecosystems  %s\n", report.SafeText(strings.Join(source.Ecosystems, ", ")))
			return nil
		},
	}
}

func (p *Program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", GroupID: "data", Short: "Show the built-in policies"}
	cmd.AddCommand(&cobra.Command{
		Use:       "show NAME",
		Short:     "Print a built-in profile: " + strings.Join(policy.Profiles(), ", "),
		ValidArgs: policy.Profiles(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &core.Failure{Doing: "show a policy", Usage: true, Err: errors.New("one name is needed"),
					Hint: "built in are " + strings.Join(policy.Profiles(), ", ")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := policy.BuiltinSource(args[0])
			if err != nil {
				return err
			}
			_, err = p.Stdout.Write(source)
			return err
		},
	})
	return cmd
}

func (p *Program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		GroupID: "data",
		Short:   "Print the JSON Schema of the json report",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.Stdout.Write(report.JSONSchema())
			return err
		},
	}
}
