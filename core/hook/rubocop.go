package hook

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

type rubocopFile struct {
	Path     string           `json:"path"`
	Offenses []rubocopOffense `json:"offenses"`
}

type rubocopOffense struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Cop      string `json:"cop_name"`
	Location struct {
		Line     int `json:"start_line"`
		LastLine int `json:"last_line"`
		Column   int `json:"start_column"`
	} `json:"location"`
}

// readRuboCop reads "rubocop --format json".
//
// https://docs.rubocop.org/rubocop/formatters.html#json-formatter
func readRuboCop(in input, b *builder) error {
	b.tool("RuboCop", "")
	seen := map[string]bool{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		switch name {
		case "metadata":
			var about struct {
				Version string `json:"rubocop_version"`
			}
			if err := r.Decode(&about, maxElement); err != nil {
				return err
			}
			b.tool("RuboCop", about.Version)
		case "files":
			return each(r, func(f *rubocopFile) error {
				for _, o := range f.Offenses {
					if err := o.add(b, f.Path); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing(seen, "files", "summary")
}

func (o *rubocopOffense) add(b *builder, path string) error {
	if o.Cop == "Lint/Syntax" {
		b.gap("RuboCop could not read %s: line %d: %s", b.roots.Path(path), o.Location.Line, o.Message)
		return nil
	}
	// RuboCop's levels go from info to fatal; cops of security are warnings, as those of style can be.
	level := core.SeverityMedium
	switch o.Severity {
	case "info", "refactor", "convention":
		level = core.SeverityLow
	case "error", "fatal":
		level = core.SeverityHigh
	}
	return b.flaw(flaw{rule: o.Cop, title: o.Message, severity: level, path: path, line: o.Location.Line,
		endLine: o.Location.LastLine, column: o.Location.Column})
}
