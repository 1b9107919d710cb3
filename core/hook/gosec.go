package hook

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// readGosec reads "gosec -fmt json".
//
// https://github.com/securego/gosec/blob/master/report/json/writer.go
func readGosec(in input, b *builder) error {
	b.tool("gosec", "")
	seen := map[string]bool{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		switch name {
		case "GosecVersion":
			if r.Null() {
				return nil
			}
			version, err := r.String(maxWord)
			b.tool("gosec", version)
			return err
		case "Golang errors":
			return goErrors(r, b)
		case "Issues":
			return each(r, func(x *gosecIssue) error { return x.add(b) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing(seen, "Issues")
}

// goErrors are what kept gosec from looking into packages, by file.
func goErrors(r *jsonstream.Reader, b *builder) error {
	if r.Null() {
		return nil
	}
	return r.Object(func(file string) error {
		type failure struct {
			Line  int    `json:"line"`
			Error string `json:"error"`
		}
		return each(r, func(f *failure) error {
			b.gap("gosec could not look into %s: line %d: %s", b.roots.Path(file), f.Line, f.Error)
			return nil
		})
	})
}

type gosecIssue struct {
	Severity string `json:"severity"`
	CWE      *struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	} `json:"cwe"`
	Rule         string      `json:"rule_id"`
	Details      string      `json:"details"`
	File         string      `json:"file"`
	Code         string      `json:"code"`
	Line         loose       `json:"line"`
	Column       loose       `json:"column"`
	NoSec        bool        `json:"nosec"`
	Suppressions []justified `json:"suppressions"`
}

type justified struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

func (x *gosecIssue) add(b *builder) error {
	out := flaw{rule: x.Rule, title: x.Details, severity: severity(x.Severity), path: x.File, line: int(x.Line),
		column:  int(x.Column),
		snippet: numbered(x.Code, int(x.Line))}
	if x.CWE != nil && x.CWE.ID != "" {
		out.weaknesses, out.references = []string{"CWE-" + x.CWE.ID}, []string{x.CWE.URL}
	}
	if x.NoSec || len(x.Suppressions) > 0 {
		out.suppressed = &core.Suppression{Kind: core.SuppressedInline, By: "#nosec"}
		for _, s := range x.Suppressions {
			out.suppressed.Reason = s.Justification
			if s.Kind == "external" {
				out.suppressed.Kind, out.suppressed.By = core.SuppressedConfig, "gosec"
			}
		}
	}
	return b.flaw(out)
}
