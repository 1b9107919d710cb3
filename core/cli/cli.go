package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Adapter makes the gate native on one CI platform. It is a hidden command, called by the platform's own templates.
type Adapter struct {
	Name  string
	Short string
	// New makes the platform of one run of the gate.
	New func(*gate.Gate) gate.Platform
	// LogLevel says how much the platform wants to be logged where no flag does; nil or empty means the default.
	LogLevel func() string
}

// Program is one run of the command line.
type Program struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// Now gives the time of verdicts.
	Now      func() time.Time
	Adapters []Adapter
	// Version and Commit override what the build recorded.
	Version string
	Commit  string

	global globalFlags
	log    hclog.Logger
	exit   int
}

type globalFlags struct {
	logLevel  string
	logFormat string
	colour    string
	progress  string
}

// Main runs one command and returns the exit code of the process: 0 passed, 1 refused, 2 wrong usage or configuration,
// 3 undecided or could not look.
func (p *Program) Main(ctx context.Context, args []string) int {
	p.identify()
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	p.exit = core.ExitPassed
	if err := root.ExecuteContext(ctx); err != nil {
		p.complain(err)
		if p.exit == core.ExitPassed {
			p.exit = gate.ExitCode(nil, err)
		}
	}
	return p.exit
}

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cleanbill",
		Short: "The gate that a container build must pass",
		Long: `Cleanbill reads sources and every layer of a container image once, looks for vulnerable packages,
secrets and misconfigurations, joins what other analysers find, and gives one verdict by one policy, for exactly the
digests that it read.

Exit codes: 0 passed, 1 refused by a rule, 2 wrong usage or configuration,
            3 undecided: something could not be examined, and nothing is passed unseen.`,
		Example: `  cleanbill gate .
  cleanbill gate registry.example/app:1.4
  cleanbill gate oci:build/image --output json=verdict.json
  cleanbill sbom app.tar --format spdx`,
		Version:       p.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := refuseEmpty(cmd, args); err != nil {
				return err
			}
			return p.prepare()
		},
	}
	root.SetVersionTemplate(fmt.Sprintf("cleanbill %s (commit %s, %s, %s/%s)\n", p.Version, p.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&p.global.logLevel, "log-level", "warn", "`LEVEL` of the log on stderr: trace, debug, info, warn, error, off")
	flags.StringVar(&p.global.logFormat, "log-format", "text", "`FORM` of the log: text or json")
	flags.StringVar(&p.global.colour, "color", "auto", "`WHEN` to use colour: auto, always, never")
	flags.StringVar(&p.global.progress, "progress", "auto", "`HOW` to show progress on stderr: auto, bars, plain, none")
	flags.SortFlags = false
	for name, words := range map[string][]string{
		"log-level":  {"trace", "debug", "info", "warn", "error", "off"},
		"log-format": {"text", "json"},
		"color":      {"auto", "always", "never"},
		"progress":   {"auto", "bars", "plain", "none"},
	} {
		p.completeWords(root, name, words)
	}

	root.AddGroup(&cobra.Group{ID: "judge", Title: "Judge:"}, &cobra.Group{ID: "look", Title: "Look:"}, &cobra.Group{ID: "data", Title: "Advisories and policy:"})
	root.AddCommand(p.gateCommand(), p.judgeCommand(), p.signCommand(), p.verifyCommand(), p.promoteCommand(), p.auditCommand(),
		p.findCommand(), p.explainCommand(), p.replayCommand(), p.scanCommand(), p.importCommand(), p.sbomCommand(),
		p.baselineCommand(), p.hookCommand(), p.advisoriesCommand(), p.policyCommand(), p.hooksCommand(),
		p.schemaCommand())
	for _, a := range p.Adapters {
		root.AddCommand(p.adapterCommand(a))
	}
	for _, cmd := range root.Commands() {
		requireSubcommand(cmd)
	}
	requireSubcommand(root)
	return root
}

// requireSubcommand makes a command that only groups others refuse unknown words, which cobra would answer with help
// and success: a pipeline with a misspelt command must not be green.
func requireSubcommand(cmd *cobra.Command) {
	if cmd.Run != nil || cmd.RunE != nil {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if err := cmd.Help(); err != nil {
				return err
			}
			return &core.Failure{Doing: "understand the command line", Err: errors.New("no command was named"), Usage: true}
		}
		err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0])
		hint := "see: " + cmd.CommandPath() + " --help"
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		return &core.Failure{Doing: "understand the command line", Err: err, Usage: true, Hint: hint}
	}
}

// prepare makes the logger from the global flags, before any command runs.
func (p *Program) prepare() error {
	if err := oneOf("color", p.global.colour, "auto", "always", "never"); err != nil {
		return err
	}
	if err := oneOf("progress", p.global.progress, "auto", "bars", "plain", "none"); err != nil {
		return err
	}
	if err := oneOf("log-format", p.global.logFormat, "text", "json"); err != nil {
		return err
	}
	if err := oneOf("log-level", p.global.logLevel, "trace", "debug", "info", "warn", "error", "off"); err != nil {
		return err
	}
	p.log = hclog.New(&hclog.LoggerOptions{
		Name:       "cleanbill",
		Level:      hclog.LevelFromString(p.global.logLevel),
		Output:     p.Stderr,
		JSONFormat: p.global.logFormat == "json",
	})
	gate.RouteLogs(p.log)
	return nil
}

// complain prints an error once, with what to do about it. What is wrong with a policy is a line for each problem, in
// the form that editors jump to.
func (p *Program) complain(err error) {
	if several := joined(err); several != nil {
		for _, one := range several {
			p.complain(one)
		}
		return
	}
	var problems diagnostic.Problems
	if errors.As(err, &problems) && len(problems) > 1 {
		fmt.Fprintf(p.Stderr, "cleanbill: could not %s: it has %d problems\n", report.SafeText(doing(err)), len(problems))
		for _, problem := range problems {
			fmt.Fprintf(p.Stderr, "%s\n", report.SafeText(problem.Error()))
		}
	} else {
		fmt.Fprintf(p.Stderr, "cleanbill: %s\n", report.SafeText(err.Error()))
	}
	if hint := core.HintOf(err); hint != "" {
		fmt.Fprintf(p.Stderr, "  %s\n", report.SafeText(hint))
	}
}

// joined returns the errors that errors.Join put together. An error that wraps several in a sentence is one.
func joined(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(several.Unwrap()...).Error() {
		return nil
	}
	return several.Unwrap()
}

// doing says what could not be done because of problems: what the failure that holds them says.
func doing(err error) string {
	what := "go on"
	for ; err != nil; err = errors.Unwrap(err) {
		if failure, ok := err.(*core.Failure); ok {
			what = failure.Doing
		}
	}
	return what
}

// gate returns the gate of this run. progress may be nil.
func (p *Program) gate(progress func(gate.Event)) *gate.Gate {
	return &gate.Gate{Version: p.Version, Commit: p.Commit, Now: p.Now, Getenv: p.Getenv, Log: p.log, Progress: progress}
}

// identify fills in Version and Commit from what the Go toolchain recorded in the binary.
func (p *Program) identify() {
	info, ok := debug.ReadBuildInfo()
	if ok && p.Version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		p.Version = info.Main.Version
	}
	if p.Version == "" {
		p.Version = "devel"
	}
	if p.Commit != "" || !ok {
		return
	}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = ", modified"
			}
		}
	}
	if p.Commit == "" {
		p.Commit = "unknown"
		return
	}
	p.Commit += dirty
}

func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return &core.Failure{Doing: "understand --" + flag, Usage: true, Err: fmt.Errorf("%q is not one of %s", value, listWords(words))}
}

func listWords(words []string) string {
	s := ""
	for i, w := range words {
		if i > 0 {
			s += ", "
		}
		s += w
	}
	return s
}
