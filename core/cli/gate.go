package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) gateCommand() *cobra.Command {
	var (
		run      runFlags
		output   outputFlag
		change   changeFlags
		baseline string
		push     pushFlags
		evidence []string
	)
	cmd := &cobra.Command{
		Use:     "gate TARGET...",
		GroupID: "judge",
		Short:   "Read images or sources, judge them, and exit with the verdict",
		Long: `Gate opens every target once, to a digest, reads all of it, matches what is in it against
advisories, and judges everything together by one policy.

A target is one of
  an image in a registry    registry.example/app:1.4, registry.example/app@sha256:…
  an OCI image layout       oci:DIR, oci:FILE.tar
  a saved image             app.tar, app.tar.gz (docker save)
  a daemon's image          docker:NAME, podman:NAME
  a source directory        dir:PATH
  a bill of materials       sbom:FILE (CycloneDX or SPDX, JSON)
The prefix may be left out where it is clear what is meant. Of an image index every platform is judged.

With --push, what passed is pushed, byte for byte what was judged; bills of materials, vulnerabilities, the evidence and
the verdict are signed and attached to it; and only then it gets its name.`,
		Example: `  cleanbill gate examples/image
  cleanbill gate registry.example/app@sha256:… --policy strict --advisories oci:advisories
  cleanbill gate . --base origin/main
  cleanbill gate . app.tar --output json=verdict.json --output cyclonedx=sbom.json
  cleanbill gate app.tar --push registry.example/team/app:1.4 --key cosign.key`,
		Args: needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := run.plan(p, cmd, args)
			if err != nil {
				return err
			}
			stdout, err := output.plan(&plan)
			if err != nil {
				return err
			}
			plan.Baseline = baseline
			if len(evidence) > 0 {
				plan.Evidence = evidence
			}
			change.plan(&plan.Change)
			if err := push.plan(p, cmd, &plan); err != nil {
				return err
			}
			return p.judged(stdout, func(g *gate.Gate) (*gate.Result, error) { return g.Run(cmd.Context(), plan) })
		},
	}
	run.register(p, cmd)
	cmd.Flags().StringVar(&baseline, "baseline", "",
		"refuse only what is new since this `FILE`, which baseline write made, or since oci://IMAGE, whose evidence is attested")
	change.register(cmd)
	evidenceFlag(cmd, &evidence)
	push.register(p, cmd)
	output.register(p, cmd)
	return cmd
}

func (p *Program) judgeCommand() *cobra.Command {
	var (
		output  outputFlag
		digests []string
		judge   policyFlags
		change  changeFlags
	)
	cmd := &cobra.Command{
		Use:     "judge EVIDENCE... --digest DIGEST",
		GroupID: "judge",
		Short:   "Merge and judge the evidence of earlier scans, without looking again",
		Long: `Judge reads documents of evidence that scan or gate wrote, in one job or in several, merges them
and judges them together. Every document has to be about a digest that is named with --digest.

Evidence from another job is not authenticated. Its verdict can refuse; it authorises no signature.`,
		Example: `  cleanbill judge evidence.json --digest sha256:…
  cleanbill judge linux.json windows.json --digest sha256:… --policy strict`,
		Args: needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := p.environment()
			if err != nil {
				return err
			}
			plan := gate.JudgePlan{Documents: args, Change: said.Change}
			change.plan(&plan.Change)
			if plan.Policy, err = judge.plan(said.Policy); err != nil {
				return err
			}
			for _, s := range digests {
				d, err := core.ParseDigest(s)
				if err != nil {
					return &core.Failure{Doing: "understand --digest", Err: err, Usage: true}
				}
				plan.Digests = append(plan.Digests, d)
			}
			stdout, err := output.plan(&said)
			if err != nil {
				return err
			}
			plan.Outputs = said.Outputs
			return p.judged(stdout, func(g *gate.Gate) (*gate.Result, error) { return g.Judge(cmd.Context(), plan) })
		},
	}
	cmd.Flags().StringArrayVar(&digests, "digest", nil, "the `DIGEST` that the evidence must be about (repeatable, required)")
	judge.register(p, cmd)
	change.register(cmd)
	output.register(p, cmd)
	return cmd
}

// judged runs a gate that judges and may publish, shows the verdict, and sets the exit code. A report on standard output moves the
// verdict for people to standard error.
func (p *Program) judged(stdout string, run func(*gate.Gate) (*gate.Result, error)) error {
	var format report.Format
	if stdout != "" {
		var err error
		if format, err = report.ParseFormat(stdout); err != nil {
			return err
		}
	}
	bars := p.newProgress()
	g := p.gate(bars.tell)
	r, err := run(g)
	bars.stop()
	p.exit = gate.ExitCode(r, err)
	if r == nil {
		return err
	}
	document, people := g.Document(r), p.Stdout
	if stdout != "" {
		if failed := format.Write(p.Stdout, document); err == nil && failed != nil {
			err = &core.Failure{Doing: "write report " + stdout + "=-", Err: failed}
		}
		people = p.Stderr
	}
	shown := errors.Join(report.Terminal(people, document, p.terminalOptions(people)), r.ShowPublished(people))
	if err == nil && shown != nil {
		err = fmt.Errorf("show the verdict: %w", shown)
	}
	p.exit = gate.ExitCode(r, err)
	return err
}

func (p *Program) scanCommand() *cobra.Command {
	var (
		look       lookFlags
		history    historyFlag
		output     outputFlag
		advisories advisoryFlags
		change     changeFlags
		hooks      hookFlags
	)
	cmd := &cobra.Command{
		Use:     "scan TARGET...",
		GroupID: "look",
		Short:   "Read images or sources and write the evidence, without judging",
		Long: `Scan does what gate does, up to the verdict, and writes the evidence for a later judge.
It succeeds when the evidence was written, whatever is in it: what could not be examined is recorded there, and a
judge will not pass it.`,
		Example: `  cleanbill scan registry.example/app:1.4 --output json=evidence.json`,
		Args:    needsTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := p.environment()
			if err != nil {
				return err
			}
			if err := look.plan(&plan, args); err != nil {
				return err
			}
			if err := history.plan(&plan); err != nil {
				return err
			}
			stdout, err := output.plan(&plan)
			if err != nil {
				return err
			}
			if len(plan.Outputs) == 0 && stdout == "" {
				stdout = "json"
			}
			advisories.plan(cmd, &plan)
			change.plan(&plan.Change)
			hooks.plan(&plan)
			return p.scan(cmd.Context(), plan, plan.Outputs, stdout)
		},
	}
	look.register(p, cmd)
	history.register(p, cmd)
	advisories.register(p, cmd)
	change.register(cmd)
	hooks.register(p, cmd)
	output.register(p, cmd)
	return cmd
}

func (p *Program) scan(ctx context.Context, plan gate.Plan, files []gate.Output, stdout string) error {
	return p.write(files, stdout, func(g *gate.Gate) (*gate.Result, error) { return g.Scan(ctx, plan) })
}

// write makes evidence and writes it.
func (p *Program) write(files []gate.Output, stdout string, look func(*gate.Gate) (*gate.Result, error)) error {
	formats := make([]report.Format, 0, len(files)+1)
	names := make([]string, 0, len(files)+1)
	for _, f := range files {
		names = append(names, f.Format)
	}
	if stdout != "" {
		names = append(names, stdout)
	}
	for _, name := range names {
		format, err := report.ParseFormat(name)
		if err != nil {
			return err
		}
		formats = append(formats, format)
	}
	bars := p.newProgress()
	g := p.gate(bars.tell)
	r, err := look(g)
	bars.stop()
	if err != nil {
		return err
	}
	document := g.EvidenceDocument(r)
	for i, f := range files {
		if err := gate.WriteFile(f.Path, writer(formats[i], document)); err != nil {
			return &core.Failure{Doing: "write " + f.Path, Err: err}
		}
	}
	if stdout == "" {
		return nil
	}
	return formats[len(formats)-1].Write(p.Stdout, document)
}

func needsTargets(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return &core.Failure{Doing: "start", Usage: true, Err: fmt.Errorf("%s needs an argument", cmd.CommandPath()),
		Hint: "usage: " + cmd.UseLine() + "; see " + cmd.CommandPath() + " --help"}
}

// adapterCommand is the hidden command that a platform's template calls.
func (p *Program) adapterCommand(a Adapter) *cobra.Command {
	return &cobra.Command{
		Use:    a.Name,
		Short:  a.Short,
		Hidden: true,
		Args:   noArguments,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.LogLevel != nil && !cmd.Flags().Changed("log-level") {
				p.global.logLevel = cmp.Or(a.LogLevel(), p.global.logLevel)
			}
			return p.prepare()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			bars := p.newProgress()
			g := p.gate(bars.tell)
			exit, err := g.Serve(cmd.Context(), a.New(g))
			bars.stop()
			p.exit = exit
			return err
		},
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &core.Failure{Doing: "start", Usage: true, Err: fmt.Errorf("%s takes no argument, and %q was given", cmd.CommandPath(), args[0]),
		Hint: "see: " + cmd.CommandPath() + " --help"}
}
