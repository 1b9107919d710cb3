package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/core/target"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// BaselineFile is where a baseline is written and looked for unless somebody says otherwise.
const BaselineFile = ".cleanbill/baseline.json"

// imageScheme begins the name of a baseline that is the attested evidence of an image.
const imageScheme = "oci://"

// readFunc gives the content of a file of at most max bytes.
type readFunc func(name string, max int64) ([]byte, error)

// comparing is what a run is compared with, as far as that was read.
type comparing struct {
	gate   *Gate
	plan   Plan
	policy *policy.Policy
	// read gives the content of a file: of the base, where a change is judged.
	read  readFunc
	trust signature.Trust

	baseline *core.Baseline
}

// named reads the baseline that the plan names, before the long work begins. If the policy names one, it is that or none.
func (c *comparing) named(ctx context.Context) error {
	if c == nil || c.plan.Full || c.plan.Baseline == "" {
		return nil
	}
	s := c.policy.Baseline().Source
	switch {
	case s.Name == "":
		return c.open(ctx, c.plan.Baseline)
	case !sameBaseline(besidePolicy(s), c.plan.Baseline):
		return &core.Failure{Doing: "use the baseline " + c.plan.Baseline, Usage: true,
			Err: fmt.Errorf("the policy %s allows %s only", c.policy.Ref().Name, besidePolicy(s))}
	}
	return c.ofPolicy(ctx, s)
}

// against reads the baseline that the policy names, if a change is judged, and looks up its packages in the same set of
// advisories. What is already merged is judged in full, whatever the policy names.
func (c *comparing) against(ctx context.Context, set *advisory.Set, change *core.Change, now time.Time) error {
	if c == nil || c.plan.Full {
		return nil
	}
	changing := change != nil && change.Base != ""
	if s := c.policy.Baseline().Source; c.baseline == nil && s.Name != "" && changing {
		if err := c.ofPolicy(ctx, s); err != nil {
			return err
		}
	}
	if c.baseline == nil {
		return nil
	}
	return rematch(ctx, set, c.baseline, now)
}

// judgedAgainst is what the verdict is compared with; nil for nothing.
func (c *comparing) judgedAgainst() *core.Baseline {
	if c == nil {
		return nil
	}
	return c.baseline
}

// besidePolicy is the path of a file that a policy names. One in a bundle has none on this machine, and a flag that
// names one of the same name means another.
func besidePolicy(f policy.File) string {
	switch {
	case strings.HasPrefix(f.Name, imageScheme):
		return f.Name
	case strings.HasPrefix(f.From, policy.BundlePrefix):
		return f.From + memberMark + f.Name
	}
	return beside(f.From, f.Name)
}

// sameBaseline reports whether two names lead to one baseline.
func sameBaseline(a, b string) bool {
	if strings.HasPrefix(a, imageScheme) || strings.HasPrefix(b, imageScheme) {
		return a == b
	}
	first, err := filepath.Abs(a)
	second, also := filepath.Abs(b)
	return err == nil && also == nil && first == second
}

// ofPolicy reads the baseline that the policy names, wherever the policy is.
func (c *comparing) ofPolicy(ctx context.Context, f policy.File) (err error) {
	if strings.HasPrefix(f.Name, imageScheme) {
		return c.open(ctx, f.Name)
	}
	c.baseline, err = readBaseline(besidePolicy(f), func(_ string, most int64) ([]byte, error) { return c.policy.ReadFile(f, most) })
	return err
}

func (c *comparing) open(ctx context.Context, source string) (err error) {
	if ref, ok := strings.CutPrefix(source, imageScheme); ok {
		c.baseline, err = c.attested(ctx, ref)
		return err
	}
	c.baseline, err = readBaseline(source, c.read)
	return err
}

// readBaseline reads a baseline from a file: a document as gate and scan write it. It counts because of where it was
// read from.
func readBaseline(name string, read readFunc) (*core.Baseline, error) {
	raw, err := read(name, maxDocument)
	if err != nil {
		return nil, &core.Failure{Doing: "read the baseline " + name, Err: err, Usage: true,
			Hint: "write one with: cleanbill baseline write --output " + name + " TARGET"}
	}
	d, err := report.ReadDocument(bytes.NewReader(raw), name, maxDocument)
	if err != nil {
		return nil, &core.Failure{Doing: "use the baseline " + name, Err: err, Usage: true,
			Hint: "write it again with: cleanbill baseline write --output " + name + " TARGET"}
	}
	return baselineOf(name, raw, d), nil
}

func baselineOf(source string, raw []byte, d report.Document) *core.Baseline {
	sum := sha256.Sum256(raw)
	b := &core.Baseline{Evidence: d.Evidence, Verdict: d.Verdict,
		Ref: core.BaselineRef{Source: source, Digest: core.Digest("sha256:" + hex.EncodeToString(sum[:]))}}
	if d.Evidence.Change != nil {
		b.Ref.Commit = d.Evidence.Change.Head
	}
	return b
}

// attested finds the evidence that a trusted signer attested to an image, the latest if there are several. Anybody who
// may push to a registry can attach some, so that none counts without a signer whom the policy names.
func (c *comparing) attested(ctx context.Context, ref string) (*core.Baseline, error) {
	doing := "use the evidence of " + ref + " as the baseline"
	if c.trust.Empty() {
		return nil, &core.Failure{Doing: doing, Usage: true, Err: errors.New("the policy names nobody whose evidence counts"),
			Hint: "name the signer in the policy: baseline: {signed-by: [{key: cosign.pub}]}"}
	}
	t, err := target.Open(ctx, "registry:"+ref, target.Options{Limits: c.plan.Limits, Getenv: c.gate.Getenv,
		Log: c.gate.named("target"), UserAgent: "cleanbill/" + c.gate.Version})
	if err != nil {
		return nil, &core.Failure{Doing: doing, Err: err, Hint: core.HintOf(err), Usage: core.Usage(err)}
	}
	defer t.Close()
	bundles, err := t.Bundles(ctx, t.Subject.Digest)
	if err != nil {
		return nil, &core.Failure{Doing: doing, Err: err, Hint: core.HintOf(err)}
	}
	var latest *core.Baseline
	why := []error{fmt.Errorf("none of its %d attestations is evidence that a trusted signer signed", len(bundles))}
	for _, raw := range bundles {
		b, err := c.verified(ref, raw, t.Subject.Digest)
		if err != nil {
			why = append(why, err)
			continue
		}
		if latest == nil || later(b, latest) {
			latest = b
		}
	}
	if latest == nil {
		return nil, &core.Failure{Doing: doing, Err: errors.Join(why...),
			Hint: "judge that image, and let the signer whom the policy names attest the evidence"}
	}
	return latest, nil
}

// later reports whether a was judged after b. Of two of one time it is the one with the smaller digest, so that it does
// not depend on the registry.
func later(a, b *core.Baseline) bool {
	if c := judgedAt(a).Compare(judgedAt(b)); c != 0 {
		return c > 0
	}
	return a.Ref.Digest < b.Ref.Digest
}

func judgedAt(b *core.Baseline) time.Time {
	if b.Verdict == nil {
		return time.Time{}
	}
	return b.Verdict.Time
}

func (c *comparing) verified(ref string, raw []byte, d core.Digest) (*core.Baseline, error) {
	v, err := c.trust.Bundle(raw, d)
	if err != nil {
		return nil, err
	}
	if v.PredicateType != report.PredicateType {
		return nil, fmt.Errorf("an attestation of %s says something else: %s", v.Signer, v.PredicateType)
	}
	document, err := report.ReadDocument(bytes.NewReader(v.Predicate), "attested to "+ref, maxDocument)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(document.Evidence.Subjects, func(s core.Subject) bool { return s.Digest == d }) {
		return nil, fmt.Errorf("the evidence of %s is about %s, not about %s", v.Signer, describe(document.Evidence), d)
	}
	return baselineOf(imageScheme+ref+" ("+v.Signer+", verified)", v.Predicate, document), nil
}

// rematch looks up the packages of a baseline in a set, so that what advisories brought since can be told from what a
// change brings.
func rematch(ctx context.Context, set *advisory.Set, b *core.Baseline, now time.Time) error {
	e := core.Evidence{Subjects: b.Evidence.Subjects, Packages: b.Evidence.Packages,
		Images: slices.Clone(b.Evidence.Images)}
	for i, image := range e.Images {
		if image.Distro != nil { // whose end of life is looked up too
			distro := *image.Distro
			e.Images[i].Distro = &distro
		}
	}
	if err := vuln.Match(ctx, set, &e, now); err != nil {
		return err
	}
	b.Rematched = e.Findings
	return nil
}

// comparesWith says what a run of this plan is compared with.
func (g *Gate) comparesWith(p Plan, judge *policy.Policy, s *sources) *comparing {
	return &comparing{gate: g, plan: p, policy: judge, read: s.read}
}

// WriteBaseline scans and judges in full, and writes the document that later changes are compared with. It is written
// whatever the verdict is: a baseline says how things are.
func (g *Gate) WriteBaseline(ctx context.Context, p Plan, file string) (*Result, error) {
	p.Full, p.Outputs = true, nil
	if file == BaselineFile {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, &core.Failure{Doing: "make the directory of " + file, Err: err}
		}
	}
	output := Output{Format: "json", Path: file}
	if err := CheckOutputs([]Output{output}); err != nil {
		return nil, err
	}
	r, err := g.Run(ctx, p)
	if err != nil {
		return nil, err
	}
	return r, g.write(r, []Output{output})
}
