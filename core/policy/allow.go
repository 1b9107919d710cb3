package policy

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// Allowable returns the settings that a policy can leave to flags, variables and inputs when a change is judged. All of
// them can make a verdict laxer, and whoever writes a change can often write those as well.
func Allowable() []string {
	return []string{"policy", "platforms", "advisories", "offline", "imports", "limits", "baseline", "history", "hooks",
		"sonar"}
}

// allowed reads the list of settings that are left to flags. An empty list takes back what the extended policy leaves.
func (r *reader) allowed(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list, not %s", strictyaml.Kind(n))
		return nil
	}
	settings := []string{}
	for _, item := range n.Content {
		name := r.Choice(item, Allowable()...)
		if slices.Contains(settings, name) {
			r.Reject(item, "%q is here a second time", name)
		}
		settings = append(settings, name)
	}
	return settings
}

// Allows reports whether the policy leaves a setting to flags, variables and inputs when a change is judged.
func (p *Policy) Allows(setting string) bool { return slices.Contains(p.settings.Allow, setting) }

// AcceptsStarter reports whether the policy may pass something by the embedded starter set.
func (p *Policy) AcceptsStarter() bool {
	return p.settings.StarterOK || slices.ContainsFunc(p.settings.Accept, func(a acceptance) bool {
		return a.Examination == core.ExamineAdvisories
	})
}

// From returns the same policy, with the place that it came from.
func (p *Policy) From(source string) *Policy {
	out := *p
	out.ref.Source = source
	return &out
}
