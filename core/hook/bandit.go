package hook

import (
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// readBandit reads "bandit -f json".
//
// https://bandit.readthedocs.io/en/latest/formatters/json.html
func readBandit(in input, b *builder) error {
	b.tool("bandit", "")
	seen := map[string]bool{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		switch name {
		case "errors":
			type failure struct {
				Filename string `json:"filename"`
				Reason   string `json:"reason"`
			}
			return each(r, func(f *failure) error {
				b.gap("bandit could not read %s: %s", b.roots.Path(f.Filename), f.Reason)
				return nil
			})
		case "results":
			return each(r, func(x *banditIssue) error { return x.add(b) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing(seen, "results")
}

type banditIssue struct {
	Code     string `json:"code"`
	Filename string `json:"filename"`
	Severity string `json:"issue_severity"`
	Text     string `json:"issue_text"`
	Line     int    `json:"line_number"`
	Column   int    `json:"col_offset"`
	Range    []int  `json:"line_range"`
	MoreInfo string `json:"more_info"`
	ID       string `json:"test_id"`
	Name     string `json:"test_name"`
	CWE      struct {
		ID   int    `json:"id"`
		Link string `json:"link"`
	} `json:"issue_cwe"`
}

func (x *banditIssue) add(b *builder) error {
	out := flaw{rule: x.ID, title: x.Text, severity: severity(x.Severity), path: x.Filename, line: x.Line,
		column:  x.Column + 1,
		snippet: numbered(x.Code, x.Line), references: []string{x.MoreInfo, x.CWE.Link}}
	if x.Column <= 0 {
		out.column = 0
	}
	if x.CWE.ID > 0 {
		out.weaknesses = []string{"CWE-" + strconv.Itoa(x.CWE.ID)}
	}
	for _, n := range x.Range {
		out.endLine = max(out.endLine, n)
	}
	return b.flaw(out)
}

// numbered returns one line of an excerpt whose lines begin with their numbers, as bandit and gosec write them.
func numbered(code string, number int) string {
	want := strconv.Itoa(number)
	for l := range strings.Lines(code) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), want); ok && (rest == "" ||
			strings.ContainsAny(rest[:1], ": \t")) {
			return strings.TrimLeft(rest, ": \t")
		}
	}
	return ""
}

// readBanditXML reads "bandit -f xml", which has the form of JUnit's.
func readBanditXML(in input, b *builder) error {
	b.tool("bandit", "")
	file := ""
	return eachElement(in, func(_ []string, e xml.StartElement, all *elements) error {
		switch e.Name.Local {
		case "testcase":
			file = attribute(e, "classname")
		case "error":
			text, err := all.text()
			if err != nil {
				return err
			}
			out := flaw{title: attribute(e, "message"), severity: severity(attribute(e, "type")), path: file,
				references: []string{attribute(e, "more_info")}}
			for l := range strings.Lines(text) {
				if rest, ok := strings.CutPrefix(l, "Test ID: "); ok {
					out.rule, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
				}
				if rest, ok := strings.CutPrefix(strings.TrimSpace(l), "CWE: "); ok {
					out.weaknesses = append(out.weaknesses, rest)
				}
				if rest, ok := strings.CutPrefix(strings.TrimSpace(l), "Location "); ok {
					_, number, _ := strings.Cut(rest, file+":")
					number, _, _ = strings.Cut(number, ":")
					out.line, _ = strconv.Atoi(number)
				}
			}
			if out.rule == "" {
				return all.fail("an issue without its test")
			}
			return b.flaw(out)
		}
		return nil
	})
}
