package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

func (p *Program) sbomCommand() *cobra.Command {
	var (
		look   lookFlags
		format string
		output string
	)
	cmd := &cobra.Command{
		Use:     "sbom TARGET",
		GroupID: "look",
		Short:   "Write the bill of materials of an image, a directory or another bill of materials",
		Long: `Sbom lists the packages of the target as CycloneDX 1.6 or SPDX 2.3, both JSON. The same image gives
the same bytes, except the time of creation, which SOURCE_DATE_EPOCH sets.

If something could not be examined the document is written, says so on stderr, and the command exits with 3.`,
		Example: `  cleanbill sbom registry.example/app:1.4 > app.cdx.json
  cleanbill sbom app.tar --format spdx --output app.spdx.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &core.Failure{Doing: "start", Usage: true, Err: errors.New("a bill of materials is of one target"), Hint: "run it once for each"}
			}
			return needsTargets(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "cyclonedx" && format != "spdx" {
				return oneOf("format", format, "cyclonedx", "spdx")
			}
			chosen, err := report.ParseFormat(format)
			if err != nil {
				return err
			}
			var plan gate.Plan
			if err := look.plan(&plan, args); err != nil {
				return err
			}
			bars := p.newProgress()
			g := p.gate(bars.tell)
			r, err := g.Inventory(cmd.Context(), plan)
			bars.stop()
			if err != nil {
				return err
			}
			if err := p.writeOut(output, writer(chosen, g.EvidenceDocument(r))); err != nil {
				return err
			}
			return incomplete(r.Evidence)
		},
	}
	look.register(p, cmd)
	cmd.Flags().StringVar(&format, "format", "cyclonedx", "`FORMAT` of the document: cyclonedx or spdx")
	cmd.Flags().StringVarP(&output, "output", "o", "-", "write to this `FILE` (- is standard output)")
	p.completeWords(cmd, "format", []string{"cyclonedx", "spdx"})
	return cmd
}

func writer(f report.Format, d report.Document) func(io.Writer) error {
	return func(w io.Writer) error { return f.Write(w, d) }
}

func (p *Program) writeOut(path string, write func(io.Writer) error) error {
	var err error
	if path == "-" {
		err = write(p.Stdout)
	} else {
		err = gate.WriteFile(path, write)
	}
	if err != nil {
		return &core.Failure{Doing: "write " + path, Err: err}
	}
	return nil
}

// incomplete returns an error that names what could not be examined.
func incomplete(e core.Evidence) error {
	var gaps []string
	for _, x := range e.Examinations {
		if x.Status == core.Partial || x.Status == core.Failed {
			gaps = append(gaps, fmt.Sprintf("%s is %s: %s", x.Name, x.Status, strings.Join(x.Why, "; ")))
		}
	}
	if len(gaps) == 0 {
		return nil
	}
	return &core.Failure{Doing: "examine everything", Err: errors.New(strings.Join(gaps, "; "))}
}
