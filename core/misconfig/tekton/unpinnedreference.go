package tekton

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unpinnedReference() check {
	r := rule.Rule{
		ID: "tekton-unpinned-reference", Title: "A task or pipeline is taken from where it can change",
		Severity:   core.SeverityLow,
		Why:        "A branch or tag means another content tomorrow, which is executed with your secrets.",
		Fix:        "Name the commit (git resolver) or the digest (bundles resolver).",
		References: []string{"CWE-829", "https://tekton.dev/docs/pipelines/git-resolver/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.roots {
			look := func(ref yamldoc.Node, where string) {
				value := map[string]yamldoc.Node{}
				for _, p := range ref.Get("params").Items() {
					value[p.Get("name").Text()] = p.Get("value")
				}
				loose := yamldoc.Node{}
				switch ref.Get("resolver").Text() {
				case "git":
					if r := value["revision"]; len(r.Text()) != 40 && !strings.Contains(r.Text(), "$(") {
						loose = r
					} else {
						return
					}
				case "bundles":
					if b := value["bundle"]; !strings.Contains(b.Text(), "@") && !strings.Contains(b.Text(), "$(") {
						loose = b
					} else {
						return
					}
				case "http":
					loose = value["url"]
				default:
					return
				}
				at := loose
				if !at.Exists() {
					at = ref.Key("resolver")
				}
				report(rule.Hit{Detail: redact.Reference(loose.Text()), Line: max(at.Line(), 1), Column: max(at.Column(), 1), Start: ref.Line(),
					Object: []string{o.Kind, o.Namespace, o.Name, where}})
			}
			root := o.Node.Get("spec")
			look(root.Get("taskRef"), "")
			look(root.Get("pipelineRef"), "")
			for _, pipeline := range []yamldoc.Node{root, root.Get("pipelineSpec")} {
				for _, list := range []string{"tasks", "finally"} {
					for _, t := range pipeline.Get(list).Items() {
						look(t.Get("taskRef"), t.Get("name").Text())
					}
				}
			}
		}
	}}
}
