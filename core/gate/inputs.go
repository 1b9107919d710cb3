package gate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Inputs are the words in which CI platforms write a plan. Every adapter fills them in from its platform's variables
// and calls Plan, so that the same words mean the same on all of them.
type Inputs struct {
	// Targets are one a line.
	Targets string
	// Platforms are separated by commas or white space; none means every platform.
	Platforms string
	// Advisories and Policy are as in Plan.
	Advisories string
	Policy     string
	// Outputs are FORMAT=FILE, one a line.
	Outputs string
	// Limits are NAME=VALUE, one a line.
	Limits string
}

// Plan translates the inputs. The error is a core.Failure of the user's input that names the one that is wrong.
func (in Inputs) Plan() (Plan, error) {
	p := Plan{
		Targets:    lines(in.Targets),
		Advisories: strings.TrimSpace(in.Advisories),
		Policy:     strings.TrimSpace(in.Policy),
	}
	if len(p.Targets) == 0 {
		return Plan{}, wrongInput("target", errors.New("it is empty"), "name an image, an archive, a directory or an SBOM file; several one a line")
	}
	for _, word := range strings.FieldsFunc(in.Platforms, isSeparator) {
		platform, err := core.ParsePlatform(word)
		if err != nil {
			return Plan{}, wrongInput("platforms", err, "")
		}
		p.Platforms = append(p.Platforms, platform)
	}
	for _, line := range lines(in.Outputs) {
		format, path, found := strings.Cut(line, "=")
		if !found || format == "" || path == "" {
			return Plan{}, wrongInput("outputs", fmt.Errorf("%q is not FORMAT=FILE", line), "for example: json=verdict.json")
		}
		p.Outputs = append(p.Outputs, Output{Format: format, Path: path})
	}
	for _, line := range lines(in.Limits) {
		if err := p.Limits.Set(line); err != nil {
			return Plan{}, wrongInput("limits", err, "")
		}
	}
	return p, nil
}

// lines returns the lines of s that hold something, without white space around them.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func wrongInput(name string, err error, hint string) error {
	return &core.Failure{Doing: "read the input " + name, Err: err, Hint: hint, Usage: true}
}
