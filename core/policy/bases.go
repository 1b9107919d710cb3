package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
)

// ExamineBaseSignatures is the examination of who signed the base images. It is required while a policy lists bases.
const ExamineBaseSignatures = "base-signatures"

// CodeNoBase marks an image that does not name its base, which policies may accept for images that have none.
const CodeNoBase = "no-base"

// The rules of the findings about base images that a policy lists.
const (
	RuleBaseUnsigned = "base-image-unsigned" // nobody who is listed signed it, or the image is not built on it
	RuleBaseUnpinned = "base-image-unpinned" // it is named without a digest
)

// Base is what a policy asks of base images.
type Base struct {
	// Match is a pattern for the repository with its registry ("docker.io/library/*"): * is any text without a slash, **
	// any text.
	Match string `json:"match"`
	// SignedBy are those of whom one must have signed the base; none means that no signature is asked for.
	SignedBy []Signer `json:"signedBy,omitempty"`
	// DigestRequired asks for a base that is named by its digest.
	DigestRequired bool `json:"digestRequired,omitempty"`
}

// Bases returns what the policy asks of base images. A base must satisfy all entries that match it.
func (p *Policy) Bases() []Base { return slices.Clone(p.settings.Bases) }

// BasesDigest is of what the policy asks of base images. An examination of bases says by it what it was made for.
func (p *Policy) BasesDigest() core.Digest {
	canonical, err := json.Marshal(p.settings.Bases)
	if err != nil { // strings and booleans always marshal
		return ""
	}
	sum := sha256.Sum256(canonical)
	return core.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Matches reports whether the entry is about a repository, which is named with its registry.
func (b Base) Matches(repository string) bool {
	var form strings.Builder
	for rest := b.Match; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			form.WriteString(".*")
			rest = rest[2:]
		case rest[0] == '*':
			form.WriteString("[^/]*")
			rest = rest[1:]
		default:
			end := strings.IndexByte(rest, '*')
			if end < 0 {
				end = len(rest)
			}
			form.WriteString(regexp.QuoteMeta(rest[:end]))
			rest = rest[end:]
		}
	}
	matched, err := regexp.MatchString("^(?:"+form.String()+")$", repository)
	return err == nil && matched
}

// maxBases is how many entries a policy can have, and maxMatch how long a pattern may be, in bytes.
const (
	maxBases = 100
	maxMatch = 300
)

var matchForm = regexp.MustCompile(`^[a-z0-9*._:/-]+$`)

func (r *reader) bases(n *yaml.Node) []Base {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > maxBases {
		r.Reject(n, "this must be a list of 1 to %d base images", maxBases)
		return nil
	}
	var all []Base
	for _, item := range n.Content {
		var b Base
		seen := r.Keys(item, map[string]func(*yaml.Node){
			"match":     func(n *yaml.Node) { b.Match = r.match(n) },
			"signed-by": func(n *yaml.Node) { b.SignedBy = r.signers(n) },
			"digest-required": func(n *yaml.Node) {
				if required := r.boolean(n); required != nil {
					b.DigestRequired = *required
				}
			},
		})
		switch {
		case item.Kind != yaml.MappingNode:
		case !seen["match"]:
			r.Reject(item, `the key "match" is missing: which base images is this about?`)
		case !seen["signed-by"] && !b.DigestRequired:
			r.Reject(item, `this asks for nothing: add "signed-by" or "digest-required: true"`)
		}
		all = append(all, b)
	}
	return all
}

func (r *reader) match(n *yaml.Node) string {
	value := r.Text(n)
	switch {
	case value == "":
	case len(value) > maxMatch || !matchForm.MatchString(value):
		r.Reject(n, "this is not a pattern for repositories: use lower-case letters, digits, and . _ : / - with * for any text "+
			"without a slash and ** for any text; leave the tag out")
	case !strings.Contains(value, "/") && !strings.Contains(value, "**"):
		r.Reject(n, `%q would match nothing: write the registry too, such as "docker.io/library/%s"`, value, value)
	}
	return value
}

// foreignBases are examinations of base images that were made for other demands than this policy's: evidence of a job
// that judged by a laxer policy says nothing here.
func (j *judgement) foreignBases() []core.Gap {
	if len(j.policy.settings.Bases) == 0 {
		return nil
	}
	var gaps []core.Gap
	wanted := j.policy.BasesDigest()
	for i := range j.evidence.Examinations {
		x := &j.evidence.Examinations[i]
		if x.Name == ExamineBaseSignatures && x.Input != wanted {
			gaps = append(gaps, core.Gap{Examination: x.Name, Subject: x.Subject, Status: core.Failed, Rule: "bases",
				Why:    []string{"the base images were examined for another policy, which asks for something else of them"},
				Remedy: "scan the image again under this policy"})
		}
	}
	return gaps
}
