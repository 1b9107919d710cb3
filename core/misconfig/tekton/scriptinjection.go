package tekton

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func scriptInjection() check {
	r := rule.Rule{
		ID: "tekton-script-injection", Title: "A parameter is put into the text of a script", Severity: core.SeverityMedium,
		Why: "Tekton replaces it before the shell sees the script: a value such as \"$(…)\" is executed. " +
			"Parameters often come from a webhook.",
		Fix:        "Pass it as a variable: env: [{name: URL, value: $(params.url)}], and write \"$URL\" in the script.",
		References: []string{"CWE-94", "https://tekton.dev/docs/pipelines/tasks/#substituting-in-script-blocks"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(sp spec, st step) {
			for _, name := range params(st.Get("script").Text()) {
				at := st.Get("script")
				h := f.hit(sp, st, at, name, name)
				h.Line, h.Column = f.source.Within(h.Line, h.Column, strings.Count(at.Text(), "\n")+1, name)
				report(h)
			}
			args := append(st.Get("command").Items(), st.Get("args").Items()...)
			for i, a := range args {
				if i == 0 || args[i-1].Text() != "-c" && args[i-1].Text() != "-ec" && args[i-1].Text() != "-xc" {
					continue
				}
				for _, name := range params(a.Text()) {
					report(f.hit(sp, st, a, name, name))
				}
			}
		})
	}}
}

// params are the parameters that a text mentions, each once: $(params.NAME) and its other forms.
//
// https://tekton.dev/docs/pipelines/variables/
func params(text string) []string {
	var all []string
	seen := map[string]bool{}
	for rest := text; ; {
		at := strings.Index(rest, "$(params")
		if at < 0 {
			return all
		}
		rest = rest[at:]
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return all
		}
		if name := rest[:end+1]; !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
		rest = rest[end:]
	}
}
