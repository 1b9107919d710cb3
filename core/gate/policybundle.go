package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// A policy bundle is an OCI artifact: the first layer is the policy, and each further one a file that it names, with its
// path as title. Tools for artifacts (oras) can read and write it as well.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
const (
	policyArtifact   = "application/vnd.cleanbill.policy.v1+yaml"
	policyFile       = "application/vnd.cleanbill.policy.file.v1"
	artifactManifest = "application/vnd.oci.image.manifest.v1+json"
	emptyConfigType  = "application/vnd.oci.empty.v1+json"
	titleAnnotation  = "org.opencontainers.image.title"
)

// Bounds on a bundle.
const (
	maxBundleFiles = 200
	maxBundle      = 16 << 20 // bytes of all files together
)

// policyBundle is a bundle that was read whole and verified.
type policyBundle struct {
	reference string
	policy    []byte
	files     map[string][]byte
}

func (b *policyBundle) file(name string, most int64) ([]byte, error) {
	data, ok := b.files[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("the bundle %s has no file %s", b.reference, name)
	case int64(len(data)) > most:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, nil
}

// bundleManifest is what matters of the manifest.
type bundleManifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType,omitempty"`
	Config        bundleBlob   `json:"config"`
	Layers        []bundleBlob `json:"layers"`
}

type bundleLabels map[string]string

// bundleBlob is a descriptor.
type bundleBlob struct {
	MediaType   string       `json:"mediaType"`
	Digest      core.Digest  `json:"digest"`
	Size        int64        `json:"size"`
	Annotations bundleLabels `json:"annotations,omitempty"`
}

// bundle fetches a bundle by its digest, once in a run, and verifies its signature if the policy that extends it names
// signers.
func (p *policyPlaces) bundle(ctx context.Context, e policy.Extension) (*policyBundle, error) {
	doing := "fetch the policy " + e.Reference
	ref, err := registry.ParseReference(strings.TrimPrefix(e.Reference, policy.BundlePrefix))
	if err != nil {
		return nil, err
	}
	trust, err := trustIn(e.SignedBy, e.TrustedRoot, p.File)
	if err != nil {
		return nil, err
	}
	repository, err := registry.Dial(ctx, ref.Context(), p.gate.policyRegistry(false))
	if err != nil {
		return nil, advice.Failure(ctx, doing, err)
	}
	if !trust.Empty() {
		if err := signedBundle(ctx, repository, core.Digest(ref.Identifier()), trust); err != nil {
			return nil, advice.Failure(ctx, doing, err)
		}
	}
	if known := p.bundles[e.Reference]; known != nil {
		return known, nil
	}
	b, err := readBundle(ctx, repository, e.Reference, ref.Identifier())
	if err != nil {
		return nil, advice.Failure(ctx, doing, err)
	}
	p.bundles[e.Reference] = b
	return b, nil
}

func (g *Gate) policyRegistry(write bool) registry.Options {
	return registry.Options{Getenv: g.Getenv, UserAgent: "cleanbill/" + g.Version, Log: g.named("policy"), Noun: "policy", Write: write}
}

func readBundle(ctx context.Context, from *registry.Repository, reference, digest string) (*policyBundle, error) {
	m, err := from.Resolve(ctx, digest)
	if err != nil {
		return nil, err
	}
	var manifest bundleManifest
	if err := json.Unmarshal(m.Raw, &manifest); err != nil {
		return nil, fmt.Errorf("its manifest is not JSON of the right form: %w", err)
	}
	if err := manifest.check(); err != nil {
		return nil, advice.Misuse("make one with: cleanbill policy push", "%w", err)
	}
	b := &policyBundle{reference: reference, files: map[string][]byte{}}
	for i, layer := range manifest.Layers {
		data, err := readLayer(ctx, from, layer)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			b.policy = data
		}
		if title := layer.Annotations[titleAnnotation]; title != "" {
			b.files[title] = data
		}
	}
	return b, nil
}

// check refuses what is no bundle, before anything of it is fetched.
func (m bundleManifest) check() error {
	if len(m.Layers) == 0 || m.Layers[0].MediaType != policyArtifact || m.ArtifactType != "" && m.ArtifactType != policyArtifact {
		return fmt.Errorf("it is not a policy bundle: its first layer is not of the type %s", policyArtifact)
	}
	if len(m.Layers) > maxBundleFiles {
		return fmt.Errorf("it has %d files; a policy bundle can have %d", len(m.Layers), maxBundleFiles)
	}
	var size int64
	titles := map[string]bool{}
	for i, layer := range m.Layers {
		title := layer.Annotations[titleAnnotation]
		if _, err := core.ParseDigest(string(layer.Digest)); err != nil {
			return err
		}
		switch {
		case layer.Size < 0 || layer.Size > maxBundle-size:
			return fmt.Errorf("its files have more than %d bytes", maxBundle)
		case title == "" && i == 0: // as a tool without titles writes it
		case !fs.ValidPath(title) || title == ".":
			return fmt.Errorf("%q is no path of a file in a bundle", title)
		case titles[title]:
			return fmt.Errorf("it has two files %q", title)
		}
		size += layer.Size
		titles[title] = true
	}
	return nil
}

func readLayer(ctx context.Context, from *registry.Repository, layer bundleBlob) ([]byte, error) {
	body, err := from.Blob(ctx, layer.Digest, layer.Size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, layer.Size+1))
	if err != nil {
		return nil, err
	}
	return data, verify.Bytes(data, layer.Size, layer.Digest)
}

// signedBundle checks that a trusted signer signed the manifest.
func signedBundle(ctx context.Context, in *registry.Repository, digest core.Digest, trust signature.Trust) error {
	list, err := in.Attached(ctx, digest, signature.BundleType)
	if err != nil {
		return fmt.Errorf("look for its signatures: %w", err)
	}
	var manifests [][]byte
	for _, a := range list {
		manifests = append(manifests, a.Raw)
	}
	material, err := signature.Read(ctx, manifests, func(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
		return readLayer(ctx, in, bundleBlob{Digest: d, Size: size})
	})
	if err != nil {
		return fmt.Errorf("read its signatures: %w", err)
	}
	if _, err := trust.Signed(ctx, digest, material); err != nil {
		return advice.Unavailable("have it signed: cosign sign, or name its signer in extends-signed-by", "its signature: %w", err)
	}
	return nil
}

// PushPolicy writes a policy and the files beside it that it names to a registry, and returns the reference to extend it
// by. The same files give the same digest.
func (g *Gate) PushPolicy(ctx context.Context, file, to string) (string, error) {
	p, err := g.Policy(ctx, file)
	if err != nil {
		return "", err
	}
	name, ok := strings.CutPrefix(to, policy.BundlePrefix)
	if !ok || strings.Contains(name, "@") {
		return "", &core.Failure{Doing: "push the policy to " + to, Usage: true,
			Err: errors.New("it has to be " + policy.BundlePrefix + "REGISTRY/REPOSITORY, with a tag or without one")}
	}
	ref, err := registry.ParseReference(name)
	if err != nil {
		return "", &core.Failure{Doing: "push the policy to " + to, Err: err, Usage: true}
	}
	layers, err := bundleLayers(p, file)
	if err != nil {
		return "", &core.Failure{Doing: "push the policy " + file, Err: err, Usage: true}
	}
	repository, err := registry.Dial(ctx, ref.Context(), g.policyRegistry(true))
	if err != nil {
		return "", advice.Failure(ctx, "push the policy to "+to, err)
	}
	tag := ""
	if strings.HasSuffix(name, ":"+ref.Identifier()) {
		tag = ref.Identifier()
	}
	digest, err := putBundle(ctx, repository, layers, tag)
	if err != nil {
		return "", advice.Failure(ctx, "push the policy to "+to, err)
	}
	return policy.BundlePrefix + registry.DisplayName(ref.Context().Digest(string(digest))), nil
}

// bundleLayer is a file to be pushed.
type bundleLayer struct {
	title, mediaType string
	data             []byte
}

// bundleLayers are the policy and the files that it names. All must lie below its folder, where they have the same path
// as in the bundle.
func bundleLayers(p *policy.Policy, file string) ([]bundleLayer, error) {
	data, err := localfile.Read(file, maxPolicy)
	if err != nil {
		return nil, err
	}
	layers := []bundleLayer{{filepath.Base(file), policyArtifact, data}}
	root := policy.PlaceOf(filepath.ToSlash(file))
	for _, f := range p.Files() {
		if strings.HasPrefix(f.From, policy.BundlePrefix) {
			continue // it is in a bundle of its own, which this one extends by digest
		}
		title, err := filepath.Rel(filepath.FromSlash(root), beside(f.From, f.Name))
		title = filepath.ToSlash(title)
		if err != nil || path.IsAbs(f.Name) || !fs.ValidPath(title) {
			return nil, fmt.Errorf("it names %s, which is not below its folder: a bundle holds all that its policy names", f.Name)
		}
		if slices.ContainsFunc(layers, func(l bundleLayer) bool { return l.title == title }) {
			continue
		}
		data, err := p.ReadFile(f, maxBundle)
		if err != nil {
			return nil, fmt.Errorf("read %s, which it names: %w", f.Name, err)
		}
		layers = append(layers, bundleLayer{title, policyFile, data})
	}
	return layers, nil
}

// putBundle stores the files and then the manifest, so that nobody sees a bundle without them.
func putBundle(ctx context.Context, to *registry.Repository, layers []bundleLayer, tag string) (core.Digest, error) {
	config := []byte("{}")
	manifest := bundleManifest{SchemaVersion: 2, MediaType: artifactManifest, ArtifactType: policyArtifact,
		Config: bundleBlob{MediaType: emptyConfigType, Digest: verify.DigestOf(config), Size: int64(len(config))}}
	for _, l := range layers {
		manifest.Layers = append(manifest.Layers, bundleBlob{MediaType: l.mediaType, Digest: verify.DigestOf(l.data),
			Size: int64(len(l.data)), Annotations: bundleLabels{titleAnnotation: l.title}})
	}
	if err := manifest.check(); err != nil {
		return "", err
	}
	if err := to.Upload(ctx, config); err != nil {
		return "", err
	}
	for _, l := range layers {
		if err := to.Upload(ctx, l.data); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	digest := verify.DigestOf(raw)
	if err := to.Put(ctx, string(digest), raw, artifactManifest); err != nil {
		return "", err
	}
	if tag == "" {
		return digest, nil
	}
	return digest, to.Put(ctx, tag, raw, artifactManifest)
}
