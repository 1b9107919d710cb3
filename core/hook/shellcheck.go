package hook

import (
	"strconv"

	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

type shellComment struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	EndLine int    `json:"endLine"`
	Column  int    `json:"column"`
	Level   string `json:"level"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// readShellCheck reads "shellcheck -f json1" and, what is only the list in it, "-f json".
//
// https://github.com/koalaman/shellcheck/wiki/Integration
func readShellCheck(in input, b *builder) error {
	b.tool("ShellCheck", "")
	r, err := in.json()
	if err != nil {
		return err
	}
	if r.Kind() == '[' {
		if err := each(r, func(x *shellComment) error { return x.add(b) }); err != nil {
			return err
		}
		return r.End()
	}
	seen := map[string]bool{}
	err = in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		if name == "comments" {
			return each(r, func(x *shellComment) error { return x.add(b) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing(seen, "comments")
}

func (x *shellComment) add(b *builder) error {
	rule := "SC" + strconv.Itoa(x.Code)
	return b.flaw(flaw{rule: rule, title: x.Message, severity: severity(x.Level), path: x.File, line: x.Line,
		endLine: x.EndLine, column: x.Column,
		references: []string{"https://www.shellcheck.net/wiki/" + rule}})
}
