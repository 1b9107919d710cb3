package gate_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// yard is a registry with a base image, as a plain image and in an index, and what is built on it.
type yard struct {
	t    *testing.T
	host string
	ill  *atomic.Bool // the registry answers with errors about base images
	// closed notes in asked that the registry is asked for something.
	closed, asked *atomic.Bool
	base          v1.Image
	index         v1.ImageIndex
	foreign       v1.Image
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{t: t, ill: &atomic.Bool{}, closed: &atomic.Bool{}, asked: &atomic.Bool{}}
	registry := server.New(server.Logger(log.New(io.Discard, "", 0)), server.WithReferrersSupport(true))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if y.closed.Load() {
			y.asked.Store(true)
		}
		if y.ill.Load() && strings.Contains(r.URL.Path, "/bases/") {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		registry.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	y.host = strings.TrimPrefix(s.URL, "http://")
	var err error
	if y.base, err = images.Build(images.Clean("amd64")); err != nil {
		t.Fatal(err)
	}
	if y.foreign, err = images.Build(images.Vulnerable("amd64")); err != nil {
		t.Fatal(err)
	}
	y.index = mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: y.base,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	y.must(remote.Write(y.tag("bases/plain:1"), y.base))
	y.must(remote.WriteIndex(y.tag("bases/index:1"), y.index))
	y.must(remote.Write(y.tag("bases/foreign:1"), y.foreign))
	return y
}

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) tag(s string) name.Tag {
	y.t.Helper()
	tag, err := name.NewTag(y.host+"/"+s, name.Insecure)
	y.must(err)
	return tag
}

func (y *yard) digest(of interface{ Digest() (v1.Hash, error) }) core.Digest {
	y.t.Helper()
	h, err := of.Digest()
	y.must(err)
	return core.Digest(h.String())
}

// build pushes an image with one layer more than what it is built on, that says so.
func (y *yard) build(on v1.Image, name string, digest core.Digest) string {
	y.t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 1024))), nil })
	y.must(err)
	built, err := mutate.AppendLayers(on, layer)
	y.must(err)
	annotations := map[string]string{}
	if name != "" {
		annotations["org.opencontainers.image.base.name"] = name
	}
	if digest != "" {
		annotations["org.opencontainers.image.base.digest"] = string(digest)
	}
	ref := y.tag("team/app:1")
	y.must(remote.Write(ref, mutate.Annotations(mutate.MediaType(built, types.OCIManifestSchema1), annotations).(v1.Image)))
	return ref.String()
}

// sign attaches a bundle to what a repository has.
func (y *yard) sign(repository string, d core.Digest, bundle []byte) {
	y.t.Helper()
	ref, err := name.NewDigest(y.host+"/"+repository+"@"+string(d), name.Insecure)
	y.must(err)
	attest(y.t, ref, bundle)
}

// signSimply writes a signature in cosign's older form.
func (y *yard) signSimply(repository string, d core.Digest, k signaturetest.Key) {
	y.t.Helper()
	s := k.Simple(y.t, d)
	artifact, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: static.NewLayer(s.Payload, signature.SimpleType), Annotations: s.Annotations})
	y.must(err)
	y.must(remote.Write(y.tag(repository+":"+strings.Replace(string(d), ":", "-", 1)+".sig"), artifact))
}

func TestAListedBaseNeedsASignatureOfWhoIsListed(t *testing.T) {
	mine, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	sign := func(k signaturetest.Key, d core.Digest) []byte {
		return k.Bundle(t, signaturetest.Statement(t, d, signaturetest.SignType, nil))
	}
	type situation struct {
		name  string
		scene func(*yard) (target string)
		bases string // more of the entry; empty: a signature of mine
		want  string // rule of the finding, "!" and a gap, or nothing
		says  string
	}
	for _, tc := range []situation{
		{"a signed digest", func(y *yard) string {
			y.sign("bases/plain", y.digest(y.base), sign(mine, y.digest(y.base)))
			return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base))
		}, "", "", ""},
		{"the older form", func(y *yard) string {
			y.signSimply("bases/plain", y.digest(y.base), mine)
			return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base))
		}, "", "", ""},
		{"a signed tag, without a digest", func(y *yard) string {
			y.sign("bases/plain", y.digest(y.base), sign(mine, y.digest(y.base)))
			return y.build(y.base, y.host+"/bases/plain:1", "")
		}, "", "", ""},
		{"a signed index", func(y *yard) string {
			y.sign("bases/index", y.digest(y.index), sign(mine, y.digest(y.index)))
			return y.build(y.base, y.host+"/bases/index:1", y.digest(y.index))
		}, "", "", ""},
		{"a platform of a signed index", func(y *yard) string {
			y.sign("bases/index", y.digest(y.index), sign(mine, y.digest(y.index)))
			return y.build(y.base, y.host+"/bases/index:1", y.digest(y.base))
		}, "", "", ""},
		{"no signature", func(y *yard) string { return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base)) },
			"", policy.RuleBaseUnsigned, "no signature"},
		{"a foreign signature", func(y *yard) string {
			y.sign("bases/plain", y.digest(y.base), sign(foreign, y.digest(y.base)))
			return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base))
		}, "", policy.RuleBaseUnsigned, "none of its signatures"},
		{"a signature of something else", func(y *yard) string {
			y.sign("bases/plain", y.digest(y.base), sign(mine, y.digest(y.foreign)))
			return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base))
		}, "", policy.RuleBaseUnsigned, "none of its signatures"},
		{"an image that claims a signed base", func(y *yard) string {
			y.sign("bases/plain", y.digest(y.base), sign(mine, y.digest(y.base)))
			return y.build(y.foreign, y.host+"/bases/plain:1", y.digest(y.base))
		}, "", policy.RuleBaseUnsigned, "was not built on that"},
		{"an image that claims what has no layers", func(y *yard) string {
			chart := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
			y.must(remote.Write(y.tag("bases/chart:1"), chart))
			y.sign("bases/chart", y.digest(chart), sign(mine, y.digest(chart)))
			return y.build(y.foreign, y.host+"/bases/chart:1", y.digest(chart))
		}, "", policy.RuleBaseUnsigned, "has no layers"},
		{"a base that is not there", func(y *yard) string { return y.build(y.base, y.host+"/bases/gone:1", y.digest(y.base)) },
			"", policy.RuleBaseUnsigned, "no such image"},
		{"a registry that does not answer", func(y *yard) string {
			target := y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base))
			y.ill.Store(true)
			return target
		}, "", "!", "access is denied"},
		{"an image that names no base", func(y *yard) string { return y.build(y.base, "", "") }, "", "!", "does not say"},
		{"a name that is none", func(y *yard) string { return y.build(y.base, "::", "") }, "", "!", "cannot be looked for"},
		{"a base that is not listed", func(y *yard) string {
			y.ill.Store(true)
			return y.build(y.base, "other.example/x:1", "")
		}, "", "", ""},
		{"no digest where one is required", func(y *yard) string { return y.build(y.base, y.host+"/bases/plain:1", "") },
			"digest-required: true", policy.RuleBaseUnpinned, "without a digest"},
		{"a digest where one is required", func(y *yard) string { return y.build(y.base, y.host+"/bases/plain:1", y.digest(y.base)) },
			"digest-required: true", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			y := newYard(t)
			target := tc.scene(y)
			entry := tc.bases
			if entry == "" {
				entry = "signed-by: [{key: cosign.pub}]"
			}
			file := policyWith(t, "extends: standard\nbases: [{match: '"+y.host+"/bases/*', "+entry+"}]\n", map[string][]byte{"cosign.pub": mine.PEM(t)})
			r := run(t, gate.Plan{Targets: []string{target}, Policy: file})
			var rules, says []string
			for _, f := range r.Evidence.Findings {
				if strings.HasPrefix(f.Rule, "base-image-") {
					rules, says = append(rules, f.Rule), append(says, f.Title)
				}
			}
			for _, g := range r.Verdict.Gaps {
				if g.Examination == policy.ExamineBaseSignatures {
					rules, says = append(rules, "!"), append(says, g.Why...)
				}
			}
			want := slices.DeleteFunc([]string{tc.want}, func(s string) bool { return s == "" })
			if !slices.Equal(rules, want) || !strings.Contains(strings.Join(says, "\n"), tc.says) {
				t.Errorf("got %q, which says %q; want %q, which says %q", rules, says, want, tc.says)
			}
			if refused := slices.ContainsFunc(r.Verdict.Refusals, func(o core.Outcome) bool { return o.Rule == "unsigned-base" }); refused != strings.HasPrefix(tc.want, "base-") {
				t.Errorf("refused: %v", refused)
			}
			signed := r.Evidence.Images[0].Base != nil && r.Evidence.Images[0].Base.SignedBy == "cosign.pub"
			if signed != (tc.want == "" && tc.bases == "" && !strings.Contains(tc.name, "not listed")) {
				t.Errorf("the base is signed by cosign.pub: %v", signed)
			}
		})
	}
}

func TestOfflineNobodyAsksForSignaturesOfBases(t *testing.T) {
	y := newYard(t)
	file := policyWith(t, "bases:\n- {match: '"+y.host+"/bases/*', signed-by: [{key: cosign.pub}]}\n- {match: '**', digest-required: true}\n",
		map[string][]byte{"cosign.pub": signaturetest.NewKey(t).PEM(t)})
	dir := filepath.Join(t.TempDir(), "image")
	built, err := remote.Image(y.tag(strings.TrimPrefix(y.build(y.base, y.host+"/bases/plain:1", ""), y.host+"/")))
	y.must(err)
	y.must(images.WriteLayout(dir, built))
	y.closed.Store(true)
	r := run(t, gate.Plan{Targets: []string{dir}, Policy: file, Offline: true, Advisories: "starter"})
	i := slices.IndexFunc(r.Verdict.Gaps, func(g core.Gap) bool { return g.Examination == policy.ExamineBaseSignatures })
	if i < 0 || !strings.Contains(strings.Join(r.Verdict.Gaps[i].Why, ""), "this run is offline") || r.Verdict.Gaps[i].Remedy == "" {
		t.Errorf("gaps %+v", r.Verdict.Gaps)
	}
	if y.asked.Load() {
		t.Error("the registry was asked")
	}
	if !slices.ContainsFunc(r.Evidence.Findings, func(f core.Finding) bool { return f.Rule == policy.RuleBaseUnpinned }) {
		t.Error("what needs no registry was not looked at")
	}
}

func TestEvidenceOfALaxerPolicyDoesNotVouchForBases(t *testing.T) {
	y := newYard(t)
	target := y.build(y.base, y.host+"/bases/plain:1", "")
	key := map[string][]byte{"cosign.pub": signaturetest.NewKey(t).PEM(t)}
	lax := policyWith(t, "bases: [{match: 'nowhere.example/*', signed-by: [{key: cosign.pub}]}]\n", key)
	r := run(t, gate.Plan{Targets: []string{target}, Policy: lax})
	strict, err := policy.Parse("p.yaml", []byte("version: 1\nbases: [{match: '**', digest-required: true}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := strict.Judge(&r.Evidence, nil, r.Started)
	if !slices.ContainsFunc(v.Gaps, func(g core.Gap) bool { return g.Rule == "bases" }) {
		t.Errorf("gaps %+v", v.Gaps)
	}
}
