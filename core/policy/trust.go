package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// Advisories is what a policy says of the advisories that packages are matched against.
type Advisories struct {
	// Source is the only set that may be used; empty leaves it to whoever runs the gate.
	Source string `json:"source,omitempty"`
	// MaxAge is how old what the set was made from may be. Zero means any age.
	MaxAge time.Duration `json:"maxAge,omitempty"`
	// Offline forbids the network for advisories.
	Offline bool `json:"offline,omitempty"`
	// SignedBy are those of whom one must have signed the set; none means that no signature is asked for.
	SignedBy []Signer `json:"signedBy,omitempty"`
}

// VEX is what a policy says of statements that excuse findings.
//
// https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md
type VEX struct {
	// Files are documents that count as if the policy itself said what is in them.
	Files []File `json:"files,omitempty"`
	// SignedBy are those whose signed statements about an image count.
	SignedBy []Signer `json:"signedBy,omitempty"`
	// AcceptUnsigned lets documents count that are named on the command line and that nobody signed.
	AcceptUnsigned bool `json:"acceptUnsigned,omitempty"`
}

// Signer is somebody whose signatures count: a key, or an identity with the issuer that vouches for it.
type Signer struct {
	// Key is the path of a public key in PEM, relative to From: where the policy is that names it.
	Key  string `json:"key,omitempty"`
	From string `json:"-"`
	// Identity and Issuer are exact; the patterns are regular expressions for the whole value.
	Identity        string `json:"identity,omitempty"`
	IdentityPattern string `json:"identityPattern,omitempty"`
	Issuer          string `json:"issuer,omitempty"`
	IssuerPattern   string `json:"issuerPattern,omitempty"`
}

// Advisories returns what the policy says of advisories.
func (p *Policy) Advisories() Advisories { return p.settings.Advisories }

// VEX returns what the policy says of statements that excuse findings.
func (p *Policy) VEX() VEX { return p.settings.VEX }

// TrustedRoot is the file with the trusted root that confirms identities; the zero value for none.
func (p *Policy) TrustedRoot() File { return p.settings.TrustedRoot }

// advisoriesText is that part of a file, as far as it says anything.
type advisoriesText struct {
	source   *string
	maxAge   *time.Duration
	offline  *bool
	signedBy []Signer
}

func (r *reader) advisories(n *yaml.Node) advisoriesText {
	var a advisoriesText
	r.Keys(n, map[string]func(*yaml.Node){
		"source":    func(n *yaml.Node) { v := r.Text(n); a.source = &v },
		"max-age":   func(n *yaml.Node) { a.maxAge = r.duration(n) },
		"offline":   func(n *yaml.Node) { a.offline = r.boolean(n) },
		"signed-by": func(n *yaml.Node) { a.signedBy = r.signers(n) },
	})
	return a
}

// over returns the settings that follow from those of the policy that is extended and from the file.
func (a advisoriesText) over(base Advisories) Advisories {
	if a.source != nil {
		base.Source = *a.source
	}
	if a.maxAge != nil {
		base.MaxAge = *a.maxAge
	}
	if a.offline != nil {
		base.Offline = *a.offline
	}
	if a.signedBy != nil {
		base.SignedBy = a.signedBy
	}
	return base
}

func (r *reader) vex(n *yaml.Node) VEX {
	var v VEX
	r.Keys(n, map[string]func(*yaml.Node){
		"files":     func(n *yaml.Node) { v.Files = r.namedFiles(n) },
		"signed-by": func(n *yaml.Node) { v.SignedBy = r.signers(n) },
		"accept-unsigned": func(n *yaml.Node) {
			if b := r.boolean(n); b != nil {
				v.AcceptUnsigned = *b
			}
		},
	})
	return v
}

func (r *reader) namedFiles(n *yaml.Node) []File {
	r.texts(n) // which reports what is wrong with them
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	var out []File
	for _, item := range n.Content {
		f := File{Name: item.Value, From: r.from}
		out, r.files = append(out, f), append(r.files, f)
	}
	return out
}

func (r *reader) texts(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list, not %s", strictyaml.Kind(n))
		return nil
	}
	var out []string
	for _, item := range n.Content {
		out = append(out, r.Text(item))
	}
	return out
}

func (r *reader) signers(n *yaml.Node) []Signer {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.Reject(n, "this must be a list of signers that is not empty")
		return nil
	}
	var out []Signer
	for _, item := range n.Content {
		out = append(out, r.signer(item))
	}
	return out
}

func (r *reader) signer(item *yaml.Node) Signer {
	var s Signer
	seen := r.Keys(item, map[string]func(*yaml.Node){
		"key":              func(n *yaml.Node) { s.Key, s.From = r.named(n).Name, r.from },
		"identity":         func(n *yaml.Node) { s.Identity = r.Text(n) },
		"identity-pattern": func(n *yaml.Node) { s.IdentityPattern = r.pattern(n) },
		"issuer":           func(n *yaml.Node) { s.Issuer = r.Text(n) },
		"issuer-pattern":   func(n *yaml.Node) { s.IssuerPattern = r.pattern(n) },
	})
	identity, issuer := seen["identity"] || seen["identity-pattern"], seen["issuer"] || seen["issuer-pattern"]
	switch {
	case item.Kind != yaml.MappingNode:
	case seen["key"] && (identity || issuer):
		r.Reject(item, "a signer is a key or an identity, not both")
	case !seen["key"] && (!identity || !issuer):
		r.Reject(item, `a signer is a "key", or an "identity" with its "issuer" (or patterns of them)`)
	case seen["identity"] && seen["identity-pattern"], seen["issuer"] && seen["issuer-pattern"]:
		r.Reject(item, "write the value or a pattern of it, not both")
	}
	return s
}

func (r *reader) pattern(n *yaml.Node) string {
	value := r.Text(n)
	if _, err := regexp.Compile(value); err != nil {
		r.Reject(n, "this is not a regular expression: %v", err)
	}
	return value
}

var durationForm = regexp.MustCompile(`^([1-9][0-9]{0,6})(h|d)$`)

// longest is more than any duration that means something, and less than what a time.Duration holds.
const longest = 100 * 366 * 24 * time.Hour

// duration reads hours or days: what is measured with it is published daily.
func (r *reader) duration(n *yaml.Node) *time.Duration {
	m := durationForm.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		r.Reject(n, "this must be a number of hours or days, such as 48h or 5d")
		return nil
	}
	count, err := strconv.Atoi(m[1])
	unit := time.Hour
	if m[2] == "d" {
		unit = 24 * time.Hour
	}
	if err != nil || count > int(longest/unit) {
		r.Reject(n, "this must be less than a hundred years")
		return nil
	}
	d := time.Duration(count) * unit
	return &d
}

// inWords writes a duration as policies do.
func inWords(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

// skew is how far in the future a date may lie before it is not believed.
const skew = 24 * time.Hour

// stale says that the advisories are older than the policy allows. The starter set has no age worth the name: whether it
// may be used is another setting.
func (j *judgement) stale() []core.Gap {
	a, most := &j.evidence.Advisories, j.policy.settings.Advisories.MaxAge
	if most == 0 || a.Starter || !j.matched() {
		return nil
	}
	gap := core.Gap{Examination: core.ExamineAdvisories, Status: core.Partial, Rule: "advisories.max-age: " + inWords(most),
		Remedy: "use a newer set: cleanbill advisories update, or build it again from newer exports"}
	switch age := j.now.Sub(a.AsOf); {
	case a.AsOf.IsZero():
		gap.Why = []string{"the advisories do not say how old they are"}
	case age < -skew:
		gap.Why = []string{fmt.Sprintf("the advisories are dated in the future, %s: the clock of this machine or theirs is wrong",
			a.AsOf.UTC().Format(time.DateOnly))}
	case age > most:
		gap.Why = []string{fmt.Sprintf("the advisories are of %s, older than %s", a.AsOf.UTC().Format(time.DateOnly), inWords(most))}
	default:
		return nil
	}
	return []core.Gap{gap}
}

// matched reports whether anything was matched against advisories.
func (j *judgement) matched() bool {
	for i := range j.evidence.Examinations {
		if j.evidence.Examinations[i].Name == core.ExamineAdvisories {
			return true
		}
	}
	return false
}
