package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
)

// What "inline-ignores" can say: that what the base of a change suppresses counts, or what the change itself does too,
// or that nothing does. Without a change everything is the base.
const (
	ignoresOfBase = "base"
	ignoresOfHead = "head"
	ignoresOff    = "off"
)

func (r *reader) ignores(n *yaml.Node) string {
	return r.Choice(n, ignoresOfBase, ignoresOfHead, ignoresOff)
}

// suppressible are the kinds of finding that the sources may speak against. A flaw of a package is excused by VEX or a
// waiver, which somebody signs or owns; and a suppression does not excuse itself.
func suppressible(kind core.FindingKind) bool {
	return kind == core.KindSecret || kind == core.KindMisconfiguration || kind == core.KindCode
}

// suppression returns what excuses a finding in the sources, or nil.
func (p *Policy) suppression(f *core.Finding) *core.Suppression {
	if p.settings.InlineIgnores == ignoresOff || !suppressible(f.Kind) {
		return nil
	}
	var found *core.Suppression
	for i := range f.Suppressions {
		s := &f.Suppressions[i]
		if !s.Base && p.settings.InlineIgnores != ignoresOfHead {
			continue
		}
		if found == nil || compareEncoded(s, found) < 0 {
			found = s
		}
	}
	return found
}

// suppressed is the outcome of a finding that the sources suppress.
func suppressed(f *core.Finding, s *core.Suppression) core.Outcome {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is suppressed by %s", describe(f), s.By)
	if s.Path != "" {
		b.WriteString(" in " + s.Path)
		if s.Line > 0 {
			fmt.Fprintf(&b, ":%d", s.Line)
		}
	}
	if s.Reason != "" {
		b.WriteString(": " + s.Reason)
	}
	return core.Outcome{Rule: core.RuleSuppressed, Action: core.ActionIgnore, Subject: f.Subject,
		Fingerprint: f.Fingerprint, Message: cut(b.String())}
}
