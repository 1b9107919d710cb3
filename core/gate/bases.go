package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// listedBase is what a policy asks of base images, with whose signatures count.
type listedBase struct {
	policy.Base
	trust signature.Trust
}

// bases examines the base images that the policy lists: that somebody who is trusted signed them, and that the images
// are really built on them. An image says itself what its base is, so the word is checked by its layers: those of the
// base must be its first ones.
type bases struct {
	gate   *Gate
	limits limit.Limits
	listed []listedBase
	input  core.Digest
	known  map[string]*base // by name and digest
	// offline asks no registry.
	offline bool
}

// base is a base image as the registry has it.
type base struct {
	repository *registry.Repository
	manifests  []signable // the one that is named, and what belongs to it
	err        error
}

// signable is a digest that a signature may be about: of an image, or of an index that has it.
type signable struct {
	digest core.Digest
	raw    []byte
}

// examineBases adds what was found about base images, if the policy asks something of them.
func (g *Gate) examineBases(ctx context.Context, judge *policy.Policy, listed []listedBase, p Plan,
	e *core.Evidence) error {
	if len(listed) == 0 {
		return nil
	}
	b := &bases{gate: g, limits: p.Limits, listed: listed, input: judge.BasesDigest(), known: map[string]*base{},
		offline: p.Offline}
	for i := range e.Images {
		if err := ctx.Err(); err != nil {
			return err
		}
		findings, examination := b.examine(ctx, &e.Images[i])
		e.Findings = append(e.Findings, findings...)
		e.Examinations = append(e.Examinations, examination)
	}
	return nil
}

func (b *bases) examine(ctx context.Context, image *core.ImageFacts) ([]core.Finding, core.Examination) {
	x := core.Examination{
		Name: policy.ExamineBaseSignatures, Subject: image.Subject, Tool: "cleanbill", Version: b.gate.Version,
		Input: b.input, Status: core.Complete,
	}
	if image.Base == nil || image.Base.Name == "" {
		x.Status, x.Code = core.Partial, policy.CodeNoBase
		x.Why = []string{"the image does not say which image it was built on"}
		x.Remedy = "annotate it with org.opencontainers.image.base.name and org.opencontainers.image.base.digest when " +
			"it is built, or accept the code " + policy.CodeNoBase + " in the policy for images that have no base"
		return nil, x
	}
	reference, err := registry.ParseReference(image.Base.Name)
	if err != nil {
		x.Status = core.Failed
		x.Why = []string{fmt.Sprintf("the base image %s cannot be looked for: %v", shown(image.Base.Name), err)}
		return nil, x
	}
	var findings []core.Finding
	repository := repositoryName(reference)
	for _, listed := range b.listed {
		if !listed.Matches(repository) {
			continue
		}
		if listed.DigestRequired && image.Base.Digest == "" {
			findings = append(findings, unpinned(image))
		}
		if listed.trust.Empty() {
			continue
		}
		signer, err := b.signed(ctx, image, reference, listed.trust)
		var not *notSigned
		switch {
		case errors.As(err, &not):
			findings = append(findings, unsigned(image, not.why))
		case err != nil:
			x.Status, x.Remedy = core.Failed, cmp.Or(core.HintOf(err), advice.HintOf(err))
			x.Why = append(x.Why, fmt.Sprintf("the signatures of base image %s: %v", shown(image.Base.Name), err))
		default:
			image.Base.SignedBy = cmp.Or(image.Base.SignedBy, signer)
		}
	}
	slices.SortFunc(findings, func(a, b core.Finding) int { return cmp.Compare(a.Rule+a.Title, b.Rule+b.Title) })
	findings = slices.CompactFunc(findings, func(a, b core.Finding) bool { return a.Fingerprint == b.Fingerprint })
	if len(findings) > 0 || x.Status != core.Complete {
		image.Base.SignedBy = "" // one of several demands is no demand met
	}
	x.Why = slices.Compact(x.Why)
	return findings, x
}

// repositoryName is the repository with its registry, as people write it.
func repositoryName(r name.Reference) string {
	n := r.Context().Name()
	if short, ok := strings.CutPrefix(n, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + short
	}
	return n
}

// notSigned is an answer, where any other error means that nobody could be asked.
type notSigned struct{ why string }

// Error implements error.
func (n *notSigned) Error() string { return n.why }

// signed returns who signed the base of an image.
func (b *bases) signed(ctx context.Context, image *core.ImageFacts, reference name.Reference,
	trust signature.Trust) (string, error) {
	found := b.find(ctx, image, reference)
	if found.err != nil {
		return "", found.err
	}
	layers, err := found.under(ctx, image, b.limits)
	if err != nil {
		return "", err
	}
	image.Base.Layers = layers
	var reasons []string
	for _, s := range found.manifests {
		material, err := found.material(ctx, s.digest)
		if err != nil {
			return "", err
		}
		v, err := trust.Signed(ctx, s.digest, material)
		if err == nil {
			return v.Signer, nil
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", s.digest.Short(), err))
	}
	return "", &notSigned{redact.Limited(strings.Join(reasons, "; "), 600)}
}

// find asks the registry once for each base.
func (b *bases) find(ctx context.Context, image *core.ImageFacts, reference name.Reference) *base {
	key := reference.Name() + "@" + string(image.Base.Digest)
	if b.known[key] == nil {
		b.known[key] = b.look(ctx, reference, image.Base.Digest)
	}
	return b.known[key]
}

func (b *bases) look(ctx context.Context, reference name.Reference, digest core.Digest) *base {
	b.gate.named("bases").Debug("looking for a base image", "name", reference.Name(), "digest", digest)
	found := &base{}
	if b.offline {
		found.err = advice.Unavailable("run it with a network, or ask for no signature of base images",
			"this run is offline, and their signatures are in its registry")
		return found
	}
	found.repository, found.err = registry.Dial(ctx, reference.Context(), registry.Options{
		Limits: b.limits, Getenv: b.gate.Getenv, Log: b.gate.named("registry"),
		UserAgent: "cleanbill/" + b.gate.Version, Noun: "base image",
	})
	if found.err != nil {
		return found
	}
	identifier := cmp.Or(string(digest), reference.Identifier())
	m, err := found.repository.Resolve(ctx, identifier)
	if registry.IsAbsent(err) {
		err = &notSigned{"its registry has no such image: " + err.Error()}
	}
	if found.err = err; err != nil {
		return found
	}
	found.manifests = []signable{{m.Digest, m.Raw}}
	if digest == "" || identifier == reference.Identifier() {
		return found
	}
	// People sign the index, and builders note the platform's digest: the index that the tag names counts if it has that.
	tagged, err := found.repository.Resolve(ctx, reference.Identifier())
	isNamed := func(c child) bool { return c.Digest == digest }
	if err == nil && tagged.Digest != digest && slices.ContainsFunc(childrenOf(tagged.Raw), isNamed) {
		found.manifests = append(found.manifests, signable{tagged.Digest, tagged.Raw})
	}
	return found
}

func (f *base) material(ctx context.Context, d core.Digest) (signature.Material, error) {
	list, err := f.repository.Attached(ctx, d, signature.BundleType)
	if err != nil {
		return signature.Material{}, err
	}
	var manifests [][]byte
	for _, a := range list {
		manifests = append(manifests, a.Raw)
	}
	return signature.Read(ctx, manifests, f.blob)
}

func (f *base) blob(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
	body, err := f.repository.Blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(verify.Reader(body, size, d))
}

// child is a manifest in an index.
type child struct {
	Digest   core.Digest   `json:"digest"`
	Platform core.Platform `json:"platform"`
}

func childrenOf(raw []byte) []child {
	var index struct {
		Manifests []child `json:"manifests"`
	}
	if json.Unmarshal(raw, &index) != nil {
		return nil
	}
	return index.Manifests
}

// under checks that the image begins with the layers of the base, and counts them. What is named may be an image, or an
// index with one for the same platform; if that was signed, its platforms are.
func (f *base) under(ctx context.Context, image *core.ImageFacts, l limit.Limits) (int, error) {
	raw := f.manifests[0].raw
	if children := childrenOf(raw); children != nil {
		var err error
		if raw, err = f.platform(ctx, children, image.Platform); err != nil {
			return 0, err
		}
	}
	diffIDs, err := f.layers(ctx, raw, l)
	if err != nil {
		return 0, err
	}
	if len(diffIDs) == 0 { // such as a chart or an attestation that they signed too: every image would begin with it
		return 0, &notSigned{"what it names as its base has no layers: no image is built on that"}
	}
	if len(diffIDs) > len(image.Layers) {
		return 0, &notSigned{fmt.Sprintf("the image has %d layers and the base that it names %d: it was not built on that",
			len(image.Layers), len(diffIDs))}
	}
	for i, d := range diffIDs {
		if image.Layers[i].DiffID != d {
			return 0, &notSigned{fmt.Sprintf("layer %d of the image is not that of the base that it names: "+
				"it was not built on that, or not on what has that name today", i)}
		}
	}
	return len(diffIDs), nil
}

func (f *base) platform(ctx context.Context, children []child, p core.Platform) ([]byte, error) {
	for _, c := range children {
		variant := p.Variant == "" || c.Platform.Variant == "" || c.Platform.Variant == p.Variant
		if _, err := core.ParseDigest(string(c.Digest)); err != nil || c.Platform.OS != p.OS ||
			c.Platform.Architecture != p.Architecture || !variant {
			continue
		}
		m, err := f.repository.Resolve(ctx, string(c.Digest))
		return m.Raw, err
	}
	return nil, &notSigned{"the base that it names has no image for " + p.String()}
}

// layers are the diff-ids of an image, as its configuration has them.
func (f *base) layers(ctx context.Context, manifest []byte, l limit.Limits) ([]core.Digest, error) {
	var m struct {
		Config struct {
			Digest core.Digest `json:"digest"`
			Size   int64       `json:"size"`
		} `json:"config"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("its manifest is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	_, err := core.ParseDigest(string(m.Config.Digest))
	if err != nil || m.Config.Size < 0 || m.Config.Size > l.Filled().MetadataSize {
		return nil, errors.New("its manifest names no configuration of a size that is read")
	}
	raw, err := f.blob(ctx, m.Config.Digest, m.Config.Size)
	if err != nil {
		return nil, err
	}
	var config struct {
		RootFS struct {
			DiffIDs []core.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("its configuration is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	return config.RootFS.DiffIDs, nil
}

func unsigned(image *core.ImageFacts, why string) core.Finding {
	f := aboutBase(image, policy.RuleBaseUnsigned)
	f.Title = fmt.Sprintf("the base image %s is not signed by anybody whom the policy lists for it: %s",
		shown(image.Base.Name), why)
	f.Fix.Text = "build on a release of it that they signed, and name its digest"
	return f
}

func unpinned(image *core.ImageFacts) core.Finding {
	f := aboutBase(image, policy.RuleBaseUnpinned)
	f.Title = fmt.Sprintf("the base image %s is named without a digest, which the policy requires for it", shown(image.Base.Name))
	f.Fix.Text = "name the base by digest in FROM, and annotate the image with org.opencontainers.image.base.digest"
	return f
}

func aboutBase(image *core.ImageFacts, rule string) core.Finding {
	return core.Finding{
		Fingerprint: core.FingerprintOf(core.KindMisconfiguration, rule, image.Base.Name),
		Subject:     image.Subject, Kind: core.KindMisconfiguration, Rule: rule,
		Severity: core.SeverityHigh, SeveritySource: "policy", SeenBy: []string{"cleanbill"},
		References: []string{"https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys"},
	}
}

// shown is a name from the image, as far as a sentence has room for it.
func shown(s string) string { return redact.Limited(redact.Reference(s), 200) }
