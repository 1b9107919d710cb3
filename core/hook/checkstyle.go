package hook

import (
	"cmp"
	"encoding/xml"
	"strings"
)

// readCheckstyle reads the XML of Checkstyle, in which many linters write. The source of an error tells the tool and
// the rule of those that are known.
//
// https://checkstyle.org/
func readCheckstyle(in input, b *builder) error {
	b.tool("checkstyle", "")
	file := ""
	err := eachElement(in, func(path []string, e xml.StartElement, all *elements) error {
		switch e.Name.Local {
		case "file":
			file = attribute(e, "name")
		case "exception":
			text, err := all.text()
			b.tool("checkstyle", "")
			b.gap("Checkstyle could not read %s: %s", b.roots.Path(file), text)
			return err
		case "error":
			out := flaw{title: attribute(e, "message"), severity: severity(attribute(e, "severity")), path: file}
			var err error
			if out.line, err = all.number(attribute(e, "line")); err != nil {
				return err
			}
			if out.column, err = all.number(attribute(e, "column")); err != nil {
				return err
			}
			tool, rule := checkstyleSource(attribute(e, "source"))
			out.rule = rule
			b.tool(tool, "")
			return b.flaw(out)
		}
		return nil
	})
	if err == nil && len(b.tools) > 1 {
		b.drop("checkstyle") // only the form was Checkstyle's
	}
	return err
}

func checkstyleSource(source string) (tool, rule string) {
	for prefix, tool := range map[string]string{"ShellCheck.": "ShellCheck", "eslint.rules.": "ESLint",
		"Hadolint.": "hadolint"} {
		if rule, ok := strings.CutPrefix(source, prefix); ok {
			return tool, rule
		}
	}
	return "checkstyle", cmp.Or(source, "unnamed")
}

// drop forgets a tool that found nothing and says nothing.
func (b *builder) drop(name string) {
	for i, t := range b.tools {
		used := len(t.gaps) > 0
		for j := range b.findings {
			used = used || b.findings[j].SeenBy[0] == t.name
		}
		if t.name == name && !used {
			b.tools = append(b.tools[:i], b.tools[i+1:]...)
			return
		}
	}
}
