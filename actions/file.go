package actions

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// maxSummary is the largest job summary of one step, in bytes: the runner drops a larger one altogether.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const maxSummary = 1 << 20

// outputsOf returns the outputs that action.yml declares.
func outputsOf(r *gate.Result) []gate.Fact {
	first := map[string]string{} // by format; ours come before those that were asked for
	var all []string
	for _, written := range r.Reports {
		if first[written.Format] == "" {
			first[written.Format] = written.Path
		}
		all = append(all, written.Format+"="+written.Path)
	}
	since := ""
	if b := r.Verdict.Baseline; b != nil {
		since = strconv.Itoa(b.New)
	}
	return append(append(r.Facts(), publishedOutputs(r.Published)...), gate.Fact{Name: "new", Value: since},
		gate.Fact{Name: "report", Value: first["json"]}, gate.Fact{Name: "sarif", Value: first["sarif"]},
		gate.Fact{Name: "sbom", Value: first["cyclonedx"]}, gate.Fact{Name: "html", Value: first["html"]},
		gate.Fact{Name: "reports", Value: strings.Join(all, "\n")})
}

// setOutputs appends to the runner's file of outputs; of two with one name, the later counts. The toolkit would frame values
// with a constant delimiter, which a value can contain; this one is drawn for each value.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func (a *Adapter) setOutputs(outputs []gate.Fact) error {
	var b bytes.Buffer
	for _, o := range outputs {
		delimiter := rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, delimiter, o.Value, delimiter)
	}
	return a.appendTo("GITHUB_OUTPUT", b.Bytes())
}

// addSummary appends what write makes of the space that is left in the job summary, in bytes.
func (a *Adapter) addSummary(write func(w io.Writer, max int) error) error {
	used := 0
	if info, err := os.Stat(a.getenv("GITHUB_STEP_SUMMARY")); err == nil {
		used = int(min(info.Size(), maxSummary))
	}
	var b bytes.Buffer
	if err := write(&b, maxSummary-used-1); err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	if b.Len() >= maxSummary-used {
		return fmt.Errorf("write the job summary: its %d bytes do not fit beside the %d that the step already wrote", b.Len(), used)
	}
	b.WriteByte('\n')
	return a.appendTo("GITHUB_STEP_SUMMARY", b.Bytes())
}

// appendTo appends to the file that the runner named in a variable.
func (a *Adapter) appendTo(variable string, data []byte) (err error) {
	path := a.getenv(variable)
	if path == "" {
		return errors.New(variable + " is not set: this is no step of GitHub Actions")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of %s: %w", variable, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write the file of %s: %w", variable, err)
	}
	return nil
}

// indented makes text a Markdown code block, in which nothing is markup.
func indented(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
