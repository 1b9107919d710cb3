package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// hookFlags say which other programs look at the target.
type hookFlags struct {
	hooks string
}

func (f *hookFlags) register(p *Program, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.hooks, "hooks", "", "run these `HOOKS` too: auto, names separated by commas, or a YAML file; or none (default: those of the policy); see: cleanbill hooks list")
	p.completeWords(cmd, "hooks", []string{"auto", "none"})
}

// plan puts what the flag says in place of what the environment says.
func (f *hookFlags) plan(plan *gate.Plan) { plan.Hooks = cmp.Or(f.hooks, plan.Hooks) }

func (p *Program) hooksCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "hooks", GroupID: "data", Short: "Show the analysers that can run as hooks"}
	cmd.AddCommand(p.hooksListCommand(), p.hooksDoctorCommand())
	return cmd
}

func (p *Program) hooksListCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the presets",
		Long: `List prints the presets: analysers that run as hooks by their name. A preset is proved if a test of Cleanbill runs
the program on sources with a flaw, and documented if its use follows the page that is named.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("format", format, "text", "json"); err != nil {
				return err
			}
			r, err := gate.ListHooks()
			if err != nil {
				return err
			}
			if format == "json" {
				return p.showJSON(r)
			}
			table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "HOOK\tPROOF\tCLASS\tGRANTS\tFOR")
			for _, h := range r.Hooks {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", h.Name, proof(h), h.Class, cmp.Or(strings.Join(h.Granted, ", "), "none"),
					cmp.Or(shortened(h.Languages), "images"))
			}
			return table.Flush()
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORM` of the list: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
	return cmd
}

func proof(h gate.HookInfo) string {
	if h.Proved {
		return "proved"
	}
	return "documented"
}

// shortened joins a few words and counts the rest.
func shortened(words []string) string {
	const shown = 4
	if len(words) <= shown {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:shown], ", "), len(words)-shown)
}

func (p *Program) hooksDoctorCommand() *cobra.Command {
	var source, format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say which hooks can run here, and which barriers would hold",
		Long: `Doctor looks for the program of each preset, asks it for its version, counts the files that it would scan, and
tries which barriers this system gives: each is what a hook cannot do, and a policy can require it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("format", format, "text", "json"); err != nil {
				return err
			}
			r, err := p.gate(nil).ExamineHooks(cmd.Context(), source)
			if err != nil {
				return err
			}
			if format == "json" {
				return p.showJSON(r)
			}
			return p.showHooks(r)
		},
	}
	cmd.Flags().StringVar(&source, "source", ".", "the `DIR` that would be scanned")
	cmd.Flags().StringVar(&format, "format", "text", "`FORM` of the answer: text or json")
	p.completeWords(cmd, "format", []string{"text", "json"})
	return cmd
}

// showHooks prints what this machine gives hooks, for people.
func (p *Program) showHooks(r gate.HookReport) error {
	safe := report.SafeText
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOOK\tVERSION\tFILES\tAUTO\tPROGRAM")
	var missing []gate.HookInfo
	for _, h := range r.Hooks {
		if h.Found == "" {
			missing = append(missing, h)
			continue
		}
		auto := "no"
		if h.Auto {
			auto = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", h.Name, cmp.Or(safe(h.Version), "unknown"), h.Selects, auto, safe(h.Found))
		if h.Problem != "" {
			fmt.Fprintf(table, "\t%s\n", safe(h.Problem))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(missing) > 0 {
		fmt.Fprintln(p.Stdout, "\nNot installed:")
		table = tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
		for _, h := range missing {
			fmt.Fprintf(table, "  %s\t%d files\t%s\n", h.Name, h.Selects, safe(h.Install))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.Stdout, "\nBarriers that hold:        %s\n", cmp.Or(strings.Join(r.Enforced, ", "), "none"))
	fmt.Fprintf(p.Stdout, "Barriers that do not hold: %s\n", cmp.Or(strings.Join(r.Unenforced, ", "), "none"))
	if r.Problem != "" {
		fmt.Fprintf(p.Stdout, "They could not be tried: %s\n", safe(r.Problem))
	}
	return nil
}

func (p *Program) showJSON(v any) error { return writeJSON(p.Stdout, v) }

// writeJSON writes a document as all commands do.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (p *Program) hookCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "hook", GroupID: "look", Short: "Run one analyser, within limits and barriers"}
	var (
		source string
		limits []string
		output outputFlag
		judge  policyFlags
		change changeFlags
	)
	run := &cobra.Command{
		Use:   "run NAME|FILE.yaml",
		Short: "Run one hook over a source tree and write the evidence",
		Long: `Run starts one hook, as gate would, and writes the evidence for a later judge. It is for pipelines in which each
analyser has an image of its own: share this binary with that image, and let it start the tool. The binary is static.

It succeeds when the evidence was written, whatever is in it: a hook that failed is recorded there, and a judge will not
pass it. The evidence is about the digest of the source tree, which gate gives to the same tree.`,
		Example: `  cleanbill hook run semgrep --source . --output json=/workspace/evidence/semgrep.json
  cleanbill judge evidence/*.json --digest sha256:…`,
		Args: exactly(1, "the name of a hook"),
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := p.environment()
			if err != nil {
				return err
			}
			plan := gate.HookPlan{Hook: args[0], Source: source, Change: said.Change, Limits: said.Limits}
			change.plan(&plan.Change)
			if plan.Policy, err = judge.plan(said.Policy); err != nil {
				return err
			}
			for _, s := range limits {
				if err := plan.Limits.Set(s); err != nil {
					return &core.Failure{Doing: "understand --limit " + s, Err: err, Usage: true}
				}
			}
			for i, v := range output.values {
				if !strings.Contains(v, "=") { // a file alone is the evidence
					output.values[i] = "json=" + v
				}
			}
			files, stdout, err := output.outputs()
			if err != nil {
				return err
			}
			if len(files) == 0 && stdout == "" {
				stdout = "json"
			}
			return p.write(files, stdout, func(g *gate.Gate) (*gate.Result, error) { return g.RunHook(cmd.Context(), plan) })
		},
	}
	run.Flags().StringVar(&source, "source", ".", "the `DIR` of the sources")
	run.Flags().StringArrayVar(&limits, "limit", nil, "change a limit, as `NAME=VALUE` (repeatable)")
	judge.register(p, run)
	change.register(run)
	output.register(p, run)
	cmd.AddCommand(run)
	return cmd
}
