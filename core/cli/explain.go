package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// maxExplained is how many findings of one name are explained; the others are counted.
const maxExplained = 20

// maxPlaces is how many places of a finding are named.
const maxPlaces = 10

func (p *Program) explainCommand() *cobra.Command {
	var plan gate.PastPlan
	cmd := &cobra.Command{
		Use:     "explain FINDING|RULE",
		GroupID: "judge",
		Short:   "Say why a verdict decides as it does over a finding, and what would make it pass",
		Long: `Explain reads a document with a verdict and says of a finding which rules were tried, what their conditions
read, which one decided, what excused it, and what would make it pass. FINDING is a fingerprint, at least 4 digits of
one, or the id of a flaw. Of a RULE it says what it is, whose it is, and what it decided.`,
		Example: `  cleanbill explain CVE-2023-44487 --in verdict.json
  cleanbill explain severe-with-fix`,
		Args: exactly(1, "a finding or a rule"),
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := p.gate(nil).Explain(cmd.Context(), args[0], plan)
			if err != nil {
				return err
			}
			return (&explaining{printer{w: p.Stdout}, x}).all()
		},
	}
	registerPast(p, cmd, &plan)
	cmd.Flags().StringVar(&plan.Document, "in", "verdict.json", "the document with the verdict is this `FILE`")
	return cmd
}

// explaining writes an explanation.
type explaining struct {
	printer
	*gate.Explained
}

func (x *explaining) all() error {
	if x.OtherPolicy {
		x.printf("Explained by policy %s (%s), which is not the one that judged.\n\n", x.Policy.Name, x.Policy.Digest)
	}
	for _, missing := range x.Missing {
		x.printf("Not at hand: %s\n\n", missing)
	}
	if x.Rule != nil {
		x.rule()
		return x.err
	}
	for i := range x.Findings[:min(len(x.Findings), maxExplained)] {
		if i > 0 {
			x.printf("\n")
		}
		x.finding(&x.Findings[i])
	}
	if more := len(x.Findings) - maxExplained; more > 0 {
		x.printf("\n… and %d more; name one by its fingerprint\n", more)
	}
	return x.err
}

func (x *explaining) rule() {
	r := x.Rule
	locked := ""
	if r.Locked {
		locked = ", locked"
	}
	x.printf("rule %s: %s, for %s, from policy %s%s\n", r.Name, r.Action, r.For, r.Origin, locked)
	x.printf("  when: %s\n", r.When)
	if r.AppliesTo != "" {
		x.printf("  applies to: %s\n", r.AppliesTo)
	}
	if r.Message != "" {
		x.printf("  message: %s\n", r.Message)
	}
	x.printf("decided in this verdict: %d\n", len(x.Decided))
	for _, o := range x.Decided[:min(len(x.Decided), maxExplained)] {
		x.printf("  %s %s: %s\n", verb(&o), cmp.Or(o.Fingerprint, "(no finding)"), o.Message)
	}
	if more := len(x.Decided) - maxExplained; more > 0 {
		x.printf("  … and %d more\n", more)
	}
}

// verb says what became of something in a word.
func verb(o *core.Outcome) string {
	switch o.Action {
	case core.ActionFail:
		return "refused"
	case core.ActionWarn:
		return "warned"
	}
	return "ignored"
}

func (x *explaining) finding(e *policy.Explanation) {
	f, o := e.Finding, &e.Outcome
	x.printf("%s, a %s %s", f.Rule, f.Severity, noun(f.Kind))
	if f.Package != nil {
		x.printf(" in %s %s", f.Package.Name, f.Package.Version)
	}
	x.printf("\n")
	if f.Title != "" {
		x.printf("  title: %s\n", f.Title)
	}
	x.printf("  fingerprint: %s\n", f.Fingerprint)
	for i, at := range f.Locations {
		if i == maxPlaces {
			x.printf("  … and in %d more\n", len(f.Locations)-i)
			break
		}
		if at.Line > 0 {
			x.printf("  found in: %s:%d\n", at.Path, at.Line)
		} else {
			x.printf("  found in: %s\n", at.Path)
		}
	}
	x.via(f)
	if f.Fix.Text != "" && o.Action != core.ActionFail {
		x.printf("  what to do: %s\n", f.Fix.Text)
	}
	x.printf("%s by rule %s: %s\n", verb(o), o.Rule, o.Message)
	x.excuses(e)
	for _, t := range e.Tried {
		x.trial(&t)
	}
	x.passing(e)
}

// noun is what a finding of a kind is called.
func noun(k core.FindingKind) string {
	switch k {
	case core.KindCode:
		return "flaw of code"
	case core.KindEndOfLife:
		return "end of life"
	}
	return string(k)
}

// via is the chain that brings the package of a finding in, with what it ends in.
func (x *explaining) via(f *core.Finding) {
	if f.Package == nil {
		return
	}
	for i := range x.Document.Evidence.Packages {
		p := &x.Document.Evidence.Packages[i]
		if p.Subject == f.Subject && p.Purl == f.Package.Purl && len(p.Via) > 0 {
			x.printf("  brought in by: %s\n", strings.Join(append(slices.Clone(p.Via), p.Name), " → "))
			return
		}
	}
}

// excuses says what keeps the finding from being refused, or would if it counted.
func (x *explaining) excuses(e *policy.Explanation) {
	if e.Outcome.Waiver != "" {
		x.printf("  waiver: %s\n", x.waiver(e.Outcome.Waiver))
	}
	if e.Outcome.Cause != "" {
		x.printf("  cause: %s\n", e.Outcome.Cause)
	}
	if s := e.Suppression; s != nil {
		x.printf("  suppression: %s in %s:%d\n", s.By, s.Path, s.Line)
	}
	if v := e.VEX; v != nil {
		x.printf("  VEX: %s says %s, trusted by %s\n", v.Document, v.Status, v.TrustedBy)
		return
	}
	for _, v := range e.Finding.VEX {
		x.printf("  VEX that does not count: %s says %s\n", v.Document, v.Status)
	}
}

func (x *explaining) waiver(id string) string {
	for _, w := range x.Document.Verdict.Waivers {
		if w.ID == id {
			return fmt.Sprintf("%s of %s, until %s: %s", id, w.Owner, w.Expires, w.Reason)
		}
	}
	return id
}

func (x *explaining) trial(t *policy.Trial) {
	says := "does not hold"
	switch {
	case t.Err != nil:
		says = "could not be evaluated: " + t.Err.Error()
	case !t.Applies:
		says = "is not for this: " + t.Rule.AppliesTo
	case t.Holds:
		says = "holds: " + string(t.Rule.Action)
	}
	x.printf("  rule %s (%s) %s\n", t.Rule.Name, t.Rule.Origin, says)
	x.printf("    when: %s\n", t.Rule.When)
	for _, v := range t.Values {
		x.printf("    %s = %s\n", v.Name, v.Value)
	}
}

// passing says what would keep the finding from refusing.
func (x *explaining) passing(e *policy.Explanation) {
	if e.Outcome.Action != core.ActionFail {
		x.printf("This does not keep the verdict from passing.\n")
		return
	}
	x.printf("What would make it pass:\n")
	x.upgrade(e.Finding)
	x.stanza(e.Finding)
	if e.Finding.Kind == core.KindVulnerability && e.Finding.Package != nil {
		x.printf("  an OpenVEX statement, if it does no harm here and the policy lets such a document count (vex):\n    %s\n",
			statement(e.Finding))
	}
}

func (x *explaining) upgrade(f *core.Finding) {
	for _, u := range x.Document.Verdict.Upgrades {
		if u.Subject == f.Subject && slices.Contains(u.Fixes, f.Fingerprint) {
			x.printf("  upgrade %s from %s to %s\n", u.Package, u.From, u.To)
			if u.Command != "" {
				x.printf("    %s\n", u.Command)
			}
			return
		}
	}
	switch {
	case f.Fix.Version != "":
		x.printf("  upgrade to %s\n", f.Fix.Version)
	case f.Fix.Text != "":
		x.printf("  %s\n", f.Fix.Text)
	default:
		x.printf("  no fix is known\n")
	}
}

// stanza is a waiver to paste into a policy. Reason and owner are for a person to fill in; it holds for 90 days.
func (x *explaining) stanza(f *core.Finding) {
	expires := x.Document.Verdict.Time.UTC().AddDate(0, 0, 90).Format(time.DateOnly)
	x.printf("  a waiver in the policy, with a reason and an owner who answers for it:\n")
	x.printf("    waivers:\n      - id: waive-%s\n        reason: WHY IT IS BEARABLE\n        owner: WHO ANSWERS FOR IT\n",
		f.Fingerprint[:min(len(f.Fingerprint), 12)])
	x.printf("        expires: %s\n        match: {fingerprints: [%s]}\n", expires, f.Fingerprint)
}

// statement is one of OpenVEX.
//
// https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md#statement-struct
func statement(f *core.Finding) string {
	type id struct {
		ID string `json:"@id"`
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Vulnerability struct {
			Name string `json:"name"`
		} `json:"vulnerability"`
		Products      []id   `json:"products"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}{struct {
		Name string `json:"name"`
	}{f.Rule}, []id{{f.Package.Purl}}, string(core.VEXNotAffected), "vulnerable_code_not_in_execute_path"})
	if err != nil { // texts always encode
		return ""
	}
	return strings.TrimSpace(b.String())
}
