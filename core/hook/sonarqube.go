package hook

import (
	"cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// sonarRule is a rule of the newer form.
type sonarRule struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Engine      string `json:"engineId"`
	Severity    string `json:"severity"`
	Impacts     []struct {
		Quality  string `json:"softwareQuality"`
		Severity string `json:"severity"`
	} `json:"impacts"`
}

type sonarIssue struct {
	Engine   string `json:"engineId"`
	Rule     string `json:"ruleId"`
	Severity string `json:"severity"`
	Type     string `json:"type"`
	Primary  struct {
		Message string `json:"message"`
		Path    string `json:"filePath"`
		Range   struct {
			Start  int `json:"startLine"`
			End    int `json:"endLine"`
			Column int `json:"startColumn"`
		} `json:"textRange"`
	} `json:"primaryLocation"`
}

// readSonarQube reads what tools write for SonarQube to import. In the newer form the rules tell engine and severity.
//
// https://docs.sonarsource.com/sonarqube-server/latest/analyzing-source-code/importing-external-issues/generic-issue-import-format/
func readSonarQube(in input, b *builder) error {
	rules := map[string]sonarRule{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		if name != "rules" {
			return nil
		}
		return each(r, func(x *sonarRule) error {
			if len(rules) == maxFindings {
				return r.Fail("too many rules")
			}
			rules[x.ID] = *x
			return nil
		})
	})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	err = in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		if name != "issues" {
			return nil
		}
		return each(r, func(x *sonarIssue) error { return x.add(b, rules[x.Rule]) })
	})
	if err != nil {
		return err
	}
	if len(b.tools) == 0 {
		for _, rule := range rules {
			b.tool(cmp.Or(rule.Engine, "sonarqube"), "")
			break
		}
	}
	if len(b.tools) == 0 {
		b.tool("sonarqube", "")
	}
	return missing(seen, "issues")
}

func (x *sonarIssue) add(b *builder, rule sonarRule) error {
	b.tool(cmp.Or(x.Engine, rule.Engine, "sonarqube"), "")
	out := flaw{rule: x.Rule, title: cmp.Or(x.Primary.Message, rule.Name), path: x.Primary.Path,
		line:    x.Primary.Range.Start,
		endLine: x.Primary.Range.End, column: x.Primary.Range.Column}
	if out.column > 0 {
		out.column++ // it counts from 0
	}
	out.severity = sonarSeverity(cmp.Or(x.Severity, rule.Severity))
	if x.Severity == "" {
		for _, i := range rule.Impacts {
			out.severity = max(out.severity, severity(i.Severity))
		}
	}
	return b.flaw(out)
}

// sonarSeverity reads the older words, of which "critical" is the second.
func sonarSeverity(name string) core.Severity {
	if name == "CRITICAL" {
		return core.SeverityHigh
	}
	return severity(name)
}
