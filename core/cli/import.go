package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) importCommand() *cobra.Command {
	var (
		output outputFlag
		plan   gate.ImportPlan
		digest string
		sonar  sonarFlags
	)
	cmd := &cobra.Command{
		Use:     "import FILE... --into EVIDENCE",
		GroupID: "look",
		Short:   "Bring results that other tools made into a document of evidence",
		Long: `Import reads the results of other tools and adds what they found to evidence that scan or gate wrote,
or makes a document of its own about a digest. Judge then judges all of it. Two tools that found the same flaw are one
finding that names both.

The format is told from the file: SARIF 2.1.0, the reports of GitLab's analysers, and the JSON or XML of aqua, bandit,
checkstyle, cppcheck, eslint, gosec, govulncheck, grype, npm audit, shellcheck, snyk, sonarqube (generic issues) and
trivy. It can be named, as in eslint=FILE.

With --sonar or --sonar-project a SonarQube server is asked, too.

A file that cannot be read leaves an examination that failed in the evidence, which no policy lets pass, and the
command exits with 3.`,
		Example: `  cleanbill import gosec.sarif bandit.json --into evidence.json
  cleanbill import trivy.json --digest sha256:… --output json=trivy-evidence.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan.Files = args
			said, err := p.environment()
			if err != nil {
				return err
			}
			plan.Sonar = said.Sonar
			if err := sonar.plan(&plan.Sonar); err != nil {
				return err
			}
			if digest != "" {
				if plan.Digest, err = core.ParseDigest(digest); err != nil {
					return &core.Failure{Doing: "understand --digest", Err: err, Usage: true}
				}
			}
			files, stdout, err := output.outputs()
			if err != nil {
				return err
			}
			if plan.Into == "" && len(files) == 0 && stdout == "" {
				return &core.Failure{Doing: "import", Usage: true, Err: errors.New("nothing says where to write"),
					Hint: "write --output json=FILE, or --output json=-"}
			}
			plan.Outputs = files
			if len(files) == 0 && stdout == "" {
				plan.Outputs = []gate.Output{{Format: "json", Path: plan.Into}}
			}
			return p.imports(cmd, plan, stdout)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&plan.Into, "into", "",
		"add to this `EVIDENCE`, and write it again unless --output names another file")
	flags.StringVar(&digest, "digest", "", "the `DIGEST` of the image or the sources that the results are about")
	flags.StringVar(&plan.Name, "name", "", "what people call it, if it is not in the evidence yet")
	flags.StringArrayVar(&plan.Roots, "root", nil,
		"a `DIRECTORY` in which the tools saw the sources (repeatable; besides the working directory)")
	sonar.register(cmd)
	output.register(p, cmd)
	return cmd
}

// imports runs an import and says what it brought.
func (p *Program) imports(cmd *cobra.Command, plan gate.ImportPlan, stdout string) error {
	var format report.Format
	if stdout != "" {
		var err error
		if format, err = report.ParseFormat(stdout); err != nil {
			return err
		}
	}
	g := p.gate(nil)
	r, brought, err := g.Import(cmd.Context(), plan)
	if r == nil {
		return err
	}
	var people io.Writer = p.Stdout
	if stdout != "" {
		people = p.Stderr
		if failed := format.Write(p.Stdout, g.EvidenceDocument(r)); err == nil && failed != nil {
			err = &core.Failure{Doing: "write report " + stdout + "=-", Err: failed}
		}
	}
	failures := []error{err}
	for _, b := range brought {
		if b.Err != nil {
			failures = append(failures, &core.Failure{Doing: "read the results " + b.File, Err: b.Err,
				Hint: "the evidence says that they are missing: run the tool again, and import them again into evidence without them"})
			continue
		}
		if b.Unanswered != nil {
			failures = append(failures, &core.Failure{Doing: "ask " + b.File, Err: b.Unanswered, Hint: advice.HintOf(b.Unanswered)})
		}
		tool := b.Tool
		if b.Version != "" {
			tool += " " + b.Version
		}
		if _, failed := fmt.Fprintf(people, "%s: %s\n", report.SafeText(b.File),
			report.SafeText(tool+" found "+count(b.Findings, "flaw"))); failed != nil {
			failures = append(failures, failed)
		}
	}
	return errors.Join(failures...)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
