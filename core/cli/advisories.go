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
		Short:   "Build, move, check and ask sets of advisories",
	}
	cmd.AddCommand(p.advisoriesUpdateCommand(), p.advisoriesQueryCommand(), p.advisoriesStatusCommand(), p.advisoriesVerifyCommand(),
		p.advisoriesBuildCommand(), p.advisoriesPushCommand(), p.advisoriesMirrorCommand())
	return cmd
}

// accessFlags are the flags of commands that open a set.
type accessFlags struct {
	offline          bool
	keys             []string
	identity, issuer string
	root             string
}

func (f *accessFlags) register(cmd *cobra.Command, offline bool) {
	flags := cmd.Flags()
	if offline {
		flags.BoolVar(&f.offline, "offline", false, "use only what is in the cache")
	}
	flags.StringArrayVar(&f.keys, "key", nil, "require a signature by the public key in this `FILE` (repeatable: one is enough)")
	flags.StringVar(&f.identity, "certificate-identity", "", "require a signature by this `IDENTITY`, such as a workflow's address")
	flags.StringVar(&f.issuer, "certificate-oidc-issuer", "", "the `ISSUER` that vouches for the identity")
	flags.StringVar(&f.root, "trusted-root", "", "`FILE` with the trusted root that confirms identities")
}

func (f *accessFlags) access() (gate.AdvisoryAccess, error) {
	a := gate.AdvisoryAccess{Offline: f.offline}
	for _, k := range f.keys {
		a.Signers.Signers = append(a.Signers.Signers, policy.Signer{Key: k})
	}
	if (f.identity == "") != (f.issuer == "") {
		return a, &core.Failure{Doing: "understand the signer", Usage: true,
			Err: errors.New("--certificate-identity and --certificate-oidc-issuer go together")}
	}
	if f.identity != "" {
		a.Signers.Signers = append(a.Signers.Signers, policy.Signer{Identity: f.identity, Issuer: f.issuer})
	}
	a.Signers.TrustedRoot = f.root
	return a, nil
}

// tell prints lines of progress on standard error.
func (p *Program) tell(line string) {
	if p.global.progress != "none" {
		fmt.Fprintln(p.Stderr, report.SafeText(line))
	}
}

// buildFlags are the flags of commands that build a set.
type buildFlags struct {
	build  gate.AdvisoryBuild
	limits []string
}

func (f *buildFlags) register(cmd *cobra.Command, from string) {
	flags := cmd.Flags()
	flags.StringVar(&f.build.From, "from", "", from)
	flags.StringSliceVar(&f.build.Ecosystems, "ecosystem", nil, "build only this `ECOSYSTEM` of OSV, such as Debian (repeatable)")
	flags.StringVar(&f.build.KEV, "kev", "", "CISA's known exploited vulnerabilities, JSON `FILE` or address")
	flags.StringVar(&f.build.EPSS, "epss", "", "EPSS scores, CSV or CSV.GZ `FILE` or address")
	flags.StringVar(&f.build.EndOfLife, "eol", "", "end-of-life dates of distributions, CSV or endoflife.date's JSON, `FILE` or address")
	flags.StringArrayVar(&f.limits, "limit", nil, "change a limit, as `NAME=VALUE` (repeatable)")
}

func (f *buildFlags) plan() (gate.AdvisoryBuild, error) {
	var plan gate.Plan
	err := (&lookFlags{limits: f.limits}).plan(&plan, nil)
	b := f.build
	b.Limits = plan.Limits
	return b, err
}

func (p *Program) advisoriesBuildCommand() *cobra.Command {
	var build buildFlags
	var to string
	cmd := &cobra.Command{
		Use:   "build --from DIR|URL --out oci:DIR",
		Short: "Build a set from OSV exports, with KEV, EPSS and end-of-life tables",
		Long: `Build reads a directory or an address in the layout of the public OSV bucket (ecosystems.txt and
ECOSYSTEM/all.zip) and writes an OCI image layout of content-addressed shards. The same input gives the same digests.
What does not parse is named, never dropped in silence; withdrawn records are left out.

Beside the exports it uses kev.json, epss.csv or epss.csv.gz, and eol-distros.csv where they are in DIR or its parent;
for the public bucket, ` + gate.PublicBucket + `, the public lists.
What was downloaded is kept, and not downloaded again while it does not change.`,
		Example: `  cleanbill advisories build --from osv --out oci:advisories
  cleanbill advisories build --from ` + gate.PublicBucket + ` --ecosystem Debian --out oci:debian
  cleanbill gate app.tar --advisories oci:advisories`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, ok := strings.CutPrefix(to, "oci:")
			if !ok || out == "" || build.build.From == "" {
				return &core.Failure{Doing: "build advisories", Usage: true, Err: errors.New("--from DIR and --out oci:DIR are required"),
					Hint: "for example: cleanbill advisories build --from osv --out oci:advisories"}
			}
			b, err := build.plan()
			if err != nil {
				return err
			}
			b.Out = out
			r, err := p.gate(nil).BuildAdvisories(cmd.Context(), b, p.tell)
			if err != nil {
				return err
			}
			return p.showBuild(to, r)
		},
	}
	build.register(cmd, "`DIR` or address with ecosystems.txt and ECOSYSTEM/all.zip")
	cmd.Flags().StringVar(&to, "out", "", "write to this OCI layout, as `oci:DIR`")
	return cmd
}

// showBuild prints what is in a new set, and names every record that is not.
func (p *Program) showBuild(out string, r gate.AdvisoryReport) error {
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ECOSYSTEM\tRECORDS\tWITHDRAWN\tUNREADABLE\tOTHER\tEXPORTED\tNEWEST")
	for _, e := range r.Ecosystems {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", report.SafeText(e.Name), e.Records, e.Withdrawn, e.Unreadable, e.Other,
			day(e.Exported), day(e.Newest))
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
	_, err := fmt.Fprintf(p.Stdout, "\n%d records in %d blobs, %s (%s new), in %s\n%s\n%s\n", r.Records, r.Shards, size(r.Bytes),
		size(r.Written), r.Elapsed.Round(time.Millisecond), report.SafeText(out), r.Digest)
	return err
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func (p *Program) advisoriesUpdateCommand() *cobra.Command {
	var access accessFlags
	var build buildFlags
	cmd := &cobra.Command{
		Use:   "update [REFERENCE]",
		Short: "Fetch the whole set into the cache, so that gate needs no network for it",
		Long: `Update fetches a set from a registry into the cache, moving only what changed since the last time:
the published set (` + gate.PublishedAdvisories + `) unless another is named. With --from it builds one
instead, from OSV's public exports or a mirror of them; gate uses it where there is no published set.

The cache is $CLEANBILL_CACHE_DIR, or cleanbill below $XDG_CACHE_HOME or ~/.cache. Any number of processes use it at once.`,
		Example: `  cleanbill advisories update
  cleanbill advisories update registry.example/advisories:v2 --key cosign.pub
  cleanbill advisories update --from ` + gate.PublicBucket,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := access.access()
			if err != nil {
				return err
			}
			if build.build.From == "" {
				m, err := p.gate(nil).UpdateAdvisories(cmd.Context(), only(args), a, p.tell)
				if err != nil {
					return err
				}
				return p.showMove(m)
			}
			if len(args) > 0 || len(a.Signers.Signers) > 0 {
				return &core.Failure{Doing: "update advisories", Usage: true,
					Err: errors.New("a set that is built with --from has no reference and no signer")}
			}
			b, err := build.plan()
			if err != nil {
				return err
			}
			r, err := p.gate(nil).BuildAdvisories(cmd.Context(), b, p.tell)
			if err != nil {
				return err
			}
			return p.showBuild("the cache", r)
		},
	}
	access.register(cmd, false)
	build.register(cmd, "build the set from the exports in this `DIR` or address")
	return cmd
}

func (p *Program) advisoriesPushCommand() *cobra.Command {
	var access accessFlags
	cmd := &cobra.Command{
		Use:     "push oci:DIR REFERENCE",
		Short:   "Write a set to a registry, with its signatures",
		Long:    "Push uploads what the registry lacks, and lets the tag lead to the set only when all of it is there.",
		Example: `  cleanbill advisories push oci:advisories registry.example/advisories:v2`,
		Args:    exactly(2, "a set and a reference"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(args[0], "oci:") {
				return &core.Failure{Doing: "push " + args[0], Usage: true, Err: errors.New("it has to be oci:DIR"),
					Hint: "to copy from registry to registry, use: cleanbill advisories mirror"}
			}
			return p.mirror(cmd, args[0], args[1], &access)
		},
	}
	access.register(cmd, false)
	return cmd
}

func (p *Program) advisoriesMirrorCommand() *cobra.Command {
	var access accessFlags
	cmd := &cobra.Command{
		Use:   "mirror SOURCE DESTINATION",
		Short: "Copy a set and its signatures, between registries and directories",
		Long: `Mirror copies a set, blob by blob and each verified, from one place to another: a registry or oci:DIR. What is
there already is not copied again. For machines without a network, mirror to oci:DIR and carry the directory.`,
		Example: `  cleanbill advisories mirror ` + gate.PublishedAdvisories + ` registry.example/advisories:v2
  cleanbill advisories mirror registry.example/advisories:v2 oci:advisories`,
		Args: exactly(2, "a source and a destination"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.mirror(cmd, args[0], args[1], &access)
		},
	}
	access.register(cmd, true)
	return cmd
}

func (p *Program) mirror(cmd *cobra.Command, from, to string, access *accessFlags) error {
	a, err := access.access()
	if err != nil {
		return err
	}
	m, err := p.gate(nil).MirrorAdvisories(cmd.Context(), from, to, a, p.tell)
	if err != nil {
		return err
	}
	return p.showMove(m)
}

func (p *Program) showMove(m gate.AdvisoryMove) error {
	signed := "not checked for a signer"
	if m.SignedBy != "" {
		signed = "signed by " + m.SignedBy
	}
	_, err := fmt.Fprintf(p.Stdout, "%s → %s\n%d of %d blobs copied, %s of %s; %d signatures, %s\n%s\n",
		report.SafeText(m.From), report.SafeText(m.To), m.Copied, m.Blobs, size(m.CopiedBytes), size(m.Bytes), m.Signatures,
		report.SafeText(signed), m.Digest)
	return err
}

func (p *Program) advisoriesStatusCommand() *cobra.Command {
	var access accessFlags
	cmd := &cobra.Command{
		Use:   "status [REFERENCE]",
		Short: "Say what a set holds and how old it is (default: the set that gate uses)",
		Example: `  cleanbill advisories status
  cleanbill advisories status oci:advisories
  cleanbill advisories status starter`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := access.access()
			if err != nil {
				return err
			}
			d, err := p.gate(nil).DescribeAdvisories(cmd.Context(), only(args), a)
			if err != nil {
				return err
			}
			return p.showSet(d)
		},
	}
	access.register(cmd, true)
	return cmd
}

func (p *Program) advisoriesVerifyCommand() *cobra.Command {
	var access accessFlags
	cmd := &cobra.Command{
		Use:   "verify [REFERENCE]",
		Short: "Read all of a set and check every blob, and its signature if a signer is named",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := access.access()
			if err != nil {
				return err
			}
			d, err := p.gate(nil).VerifyAdvisories(cmd.Context(), only(args), a)
			if err != nil {
				return err
			}
			if err := p.showSet(d); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Stdout, "\nEvery one of %d blobs is whole, and every key is where it would be looked for.\n", d.Blobs)
			return err
		},
	}
	access.register(cmd, true)
	return cmd
}

func (p *Program) showSet(d gate.AdvisoryDescription) error {
	signed := d.SignedBy
	if signed == "" {
		signed = "nobody was asked for"
	}
	facts := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(facts, "name\t%s\n", report.SafeText(d.Name))
	fmt.Fprintf(facts, "digest\t%s\n", d.Digest)
	fmt.Fprintf(facts, "signed by\t%s\n", report.SafeText(signed))
	fmt.Fprintf(facts, "as of\t%s (%s)\n", day(d.AsOf), age(p.Now().Sub(d.AsOf)))
	fmt.Fprintf(facts, "records\t%d, the newest of %s\n", d.Records, day(d.Newest))
	fmt.Fprintf(facts, "size\t%s in %d blobs\n", size(d.Bytes), d.Blobs)
	for _, s := range d.Dates {
		fmt.Fprintf(facts, "source\t%s %s\n", report.SafeText(s.Name), report.SafeText(s.Date))
	}
	if d.Note != "" {
		fmt.Fprintf(facts, "note\t%s\n", report.SafeText(d.Note))
	}
	if err := facts.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout)
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ECOSYSTEM\tRECORDS\tNEWEST\tRELEASES")
	for _, e := range d.Ecosystems {
		var releases []string
		for _, r := range e.Releases {
			releases = append(releases, strings.TrimPrefix(r, e.Name+":"))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", report.SafeText(e.Name), e.Records, day(e.Newest), report.SafeText(strings.Join(releases, " ")))
	}
	return table.Flush()
}

// age says a duration in words that fit advisories.
func age(d time.Duration) string {
	switch days := int(d / (24 * time.Hour)); {
	case d < 0:
		return "in the future"
	case days == 0:
		return "less than a day old"
	case days == 1:
		return "a day old"
	default:
		return fmt.Sprintf("%d days old", days)
	}
}

// only returns the argument if there is one.
func only(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// exactly makes a command refuse any other number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return &core.Failure{Doing: "start", Usage: true, Err: fmt.Errorf("%s needs %s, and got %d arguments", cmd.CommandPath(), what, len(args)),
			Hint: "usage: " + cmd.UseLine()}
	}
}
