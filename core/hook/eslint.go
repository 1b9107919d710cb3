package hook

import (
	"cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

// eslintFile is what ESLint says of one file.
//
// https://eslint.org/docs/latest/integrate/nodejs-api#-lintresult-type
type eslintFile struct {
	Path       string          `json:"filePath"`
	Messages   []eslintMessage `json:"messages"`
	Suppressed []eslintMessage `json:"suppressedMessages"`
}

type eslintMessage struct {
	Rule         string      `json:"ruleId"`
	Fatal        bool        `json:"fatal"`
	Severity     int         `json:"severity"`
	Message      string      `json:"message"`
	Line         int         `json:"line"`
	EndLine      int         `json:"endLine"`
	Column       int         `json:"column"`
	Suppressions []justified `json:"suppressions"`
}

// readESLint reads "eslint -f json".
func readESLint(in input, b *builder) error {
	b.tool("ESLint", "")
	r, err := in.json()
	if err != nil {
		return err
	}
	if r.Kind() != '[' {
		return r.Fail("want a list of files")
	}
	err = each(r, func(f *eslintFile) error {
		for i := range f.Messages {
			if err := f.Messages[i].add(b, f.Path); err != nil {
				return err
			}
		}
		for i := range f.Suppressed {
			m := &f.Suppressed[i]
			if len(m.Suppressions) == 0 {
				m.Suppressions = []justified{{Kind: "directive"}}
			}
			if err := m.add(b, f.Path); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.End()
}

func (m *eslintMessage) add(b *builder, path string) error {
	if m.Fatal {
		b.gap("ESLint could not read %s: line %d: %s", b.roots.Path(path), m.Line, m.Message)
		return nil
	}
	if m.Rule == "" && m.Severity < 2 {
		return nil // a note about ESLint's own settings, such as a file that is ignored
	}
	out := flaw{rule: cmp.Or(m.Rule, "eslint"), title: m.Message, severity: core.SeverityMedium, path: path,
		line: m.Line, endLine: m.EndLine, column: m.Column}
	if m.Severity >= 2 {
		out.severity = core.SeverityHigh
	}
	if len(m.Suppressions) > 0 {
		out.suppressed = &core.Suppression{Kind: core.SuppressedInline, By: "eslint-disable",
			Reason: m.Suppressions[0].Justification}
	}
	return b.flaw(out)
}
