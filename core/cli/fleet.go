package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// fleetFlags say which released images are asked about, whose word counts, and how the answer is written.
type fleetFlags struct {
	from, format string
	limits       []string
	trust        trustFlags
	plan         gate.FleetPlan
	output       outputFlag
	judge        policyFlags
}

func (f *fleetFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "ask about the repositories and images in this `FILE` too, one on a line; - is standard input")
	flags.StringArrayVar(&f.plan.Tags, "tags", nil, "of repositories, ask only about tags like this `PATTERN`, such as '1.*' (repeatable)")
	f.trust.register(cmd)
	flags.BoolVar(&f.plan.AllowUnsigned, "allow-unsigned", false,
		"take anybody's word for images that no trusted signer attested an SBOM of, and mark them")
	flags.StringVar(&f.plan.OwnerLabel, "owner-label", "", "the annotation or label with this `NAME` says whose an image is")
	flags.StringVar(&f.plan.Advisories, "advisories", "", "match against this `SET` (default: the set that gate uses)")
	flags.BoolVar(&f.plan.Offline, "offline", false, "use no network for advisories, only what is in the cache")
	flags.IntVar(&f.plan.Parallel, "parallel", 0, "read `N` images at a time (default: 8)")
	flags.StringArrayVar(&f.limits, "limit", nil, "change a limit, as `NAME=VALUE` (repeatable): "+strings.Join(limit.Names(), ", "))
	flags.StringVar(&f.format, "format", "text", "`FORM` of the answer: text or json")
	flags.StringArrayVarP(&f.output.values, "output", "o", nil, "write the answer, as `FORM=FILE` too (repeatable): text, json")
	f.judge.register(p, cmd)
	p.completeWords(cmd, "format", []string{"text", "json"})
	p.completeWords(cmd, "limit", withSuffix(limit.Names(), "="))
	p.completeWords(cmd, "output", []string{"text=", "json="})
}

// finish returns the plan that the flags and arguments make.
func (f *fleetFlags) finish(p *Program, names []string) (gate.FleetPlan, []gate.Output, error) {
	plan := f.plan
	if err := oneOf("format", f.format, "text", "json"); err != nil {
		return plan, nil, err
	}
	files, stdout, err := f.output.outputs()
	if err == nil && stdout != "" {
		err = &core.Failure{Doing: "understand --output", Usage: true, Err: errors.New("standard output has the answer already"),
			Hint: "choose its form with --format"}
	}
	for _, o := range files {
		if err == nil {
			err = oneOf("output", o.Format, "text", "json")
		}
	}
	if err != nil {
		return plan, nil, err
	}
	if err := gate.CheckOutputs(files); err != nil {
		return plan, nil, err
	}
	plan.Signers = f.trust.signers()
	environment, err := p.environment()
	if err != nil {
		return plan, nil, err
	}
	if err := (&lookFlags{limits: f.limits}).plan(&environment, nil); err != nil {
		return plan, nil, err
	}
	plan.Limits = environment.Limits
	if plan.Policy, err = f.judge.plan(environment.Policy); err != nil {
		return plan, nil, err
	}
	plan.Offline = plan.Offline || environment.Offline
	listed, err := f.listed(p)
	plan.Names = slices.Concat(names, listed)
	return plan, files, err
}

// listed reads the names in the file.
func (f *fleetFlags) listed(p *Program) (names []string, err error) {
	if f.from == "" {
		return nil, nil
	}
	from := p.Stdin
	if f.from != "-" {
		file, err := os.Open(f.from)
		if err != nil {
			return nil, &core.Failure{Doing: "read the list " + f.from, Err: err, Usage: true}
		}
		defer file.Close()
		from = file
	}
	if names, err = gate.ReadNames(from); err != nil {
		return nil, &core.Failure{Doing: "read the list " + f.from, Err: err, Usage: true,
			Hint: "write one repository or image on each line"}
	}
	return names, nil
}

// answer writes an answer to standard output, and to files besides.
func (f *fleetFlags) answer(p *Program, files []gate.Output, answer any, text func(*table)) error {
	write := func(w io.Writer, format string, width int) error {
		if format == "json" {
			return writeJSON(w, answer)
		}
		t := &table{width: width}
		text(t)
		return t.writeTo(w)
	}
	for _, o := range files {
		if err := gate.WriteFile(o.Path, func(w io.Writer) error { return write(w, o.Format, 0) }); err != nil {
			return &core.Failure{Doing: "write " + o.Path, Err: err}
		}
	}
	return write(p.Stdout, f.format, p.tableWidth())
}

// tableWidth is how wide lines may be; 0 for any width, because what goes to a file or a program is not cut.
func (p *Program) tableWidth() int {
	if isTerminal(p.Stdout) {
		return p.terminalOptions(p.Stdout).Width
	}
	if columns, err := strconv.Atoi(p.Getenv("COLUMNS")); err == nil && columns > 0 {
		return max(columns, 40)
	}
	return 0
}

// table is text for people, in which rows that follow each other are aligned. What is filled in is made safe to show.
type table struct {
	width int
	out   bytes.Buffer
	rows  bytes.Buffer
}

func safely(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		safe[i] = arg
		if _, number := arg.(int); !number {
			safe[i] = report.SafeText(fmt.Sprint(arg))
		}
	}
	return safe
}

// line writes a line that is not aligned with others.
func (t *table) line(format string, args ...any) {
	t.align()
	t.put(fmt.Sprintf(format, safely(args)...))
}

// row writes the cells of a line that is aligned with those before and after it.
func (t *table) row(indent string, cells ...string) {
	for i, c := range cells {
		cells[i] = report.SafeText(c)
	}
	t.rows.WriteString(indent + strings.Join(cells, "\t") + "\n")
}

// align writes the rows that are waiting.
func (t *table) align() {
	if t.rows.Len() == 0 {
		return
	}
	var aligned bytes.Buffer
	w := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	_, _ = w.Write(t.rows.Bytes()) // to memory
	_ = w.Flush()
	t.rows.Reset()
	for l := range strings.Lines(aligned.String()) {
		t.put(strings.TrimRight(l, " \n"))
	}
}

func (t *table) put(line string) {
	if runes := []rune(line); t.width > 0 && len(runes) > t.width {
		line = string(runes[:t.width-1]) + "…"
	}
	t.out.WriteString(line + "\n")
}

func (t *table) writeTo(w io.Writer) error {
	t.align()
	_, err := w.Write(t.out.Bytes())
	return err
}

// gaps writes what could not be looked at.
func (t *table) gaps(gaps []gate.FleetGap) {
	if len(gaps) == 0 {
		return
	}
	t.line("")
	t.line("Could not be looked at:")
	for _, g := range gaps {
		t.line("  %s: %s", g.Name, g.Why)
		if g.Remedy != "" {
			t.line("    %s", g.Remedy)
		}
	}
}

// imageLine names an image with all its tags.
func imageLine(i *gate.FleetImage) string {
	s := i.Name() + "  " + i.Digest.Short()
	if len(i.Tags) > 1 {
		s += "  also " + strings.Join(i.Tags[1:], ", ")
	}
	if !i.Authenticated() {
		s += "  NOT AUTHENTICATED"
	}
	return s
}

// byOwner calls do for the images of each owner, those of nobody last.
func byOwner[T any](t *table, images []T, of func(*T) *gate.FleetImage, do func(*T)) {
	ordered := make([]*T, len(images))
	for i := range images {
		ordered[i] = &images[i]
	}
	slices.SortStableFunc(ordered, func(a, b *T) int {
		x, y := of(a).Owner, of(b).Owner
		if (x == "") != (y == "") {
			return -cmp.Compare(len(x), len(y))
		}
		return cmp.Compare(x, y)
	})
	for n, i := range ordered {
		if n == 0 || of(ordered[n-1]).Owner != of(i).Owner {
			t.line("")
			t.line("%s", cmp.Or(of(i).Owner, "owner unknown"))
		}
		do(i)
	}
}
