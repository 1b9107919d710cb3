package gate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	store "github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

const (
	typeCycloneDX = "https://cyclonedx.org/bom"
	typeSPDX      = "https://spdx.dev/Document/v2.3"
	typeVulns     = "https://in-toto.io/attestation/vulns/v0.2"
	log4j         = "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"
	exposed       = "pkg:golang/golang.org/x/net@v0.16.0" // CVE-2023-45288, which the starter set knows
	harmless      = "pkg:npm/left-pad@1.3.0"
)

// port is a registry that images are released to.
type port struct {
	t    testing.TB
	host string
	// block, if set, answers in place of the registry if it returns true.
	block atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]

	mu    sync.Mutex
	asked []string
}

func newPort(t testing.TB, o ...registry.Option) *port {
	t.Helper()
	p := &port{t: t}
	inner := registry.New(append(o, registry.Logger(log.New(io.Discard, "", 0)))...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
		if block := p.block.Load(); block != nil && (*block)(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.host = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *port) blocks(f func(http.ResponseWriter, *http.Request) bool) { p.block.Store(&f) }

// gets counts the questions whose path contains the text.
func (p *port) gets(part string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.asked {
		if strings.HasPrefix(line, "GET ") && strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func (p *port) repository(name string) *store.Repository {
	p.t.Helper()
	ref, err := store.ParseReference(p.host + "/" + name)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := store.Dial(p.t.Context(), ref.Context(), store.Options{Write: true})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// imageOf is an image that differs from every other by its label.
func imageOf(t testing.TB, label, owner string) v1.Image {
	t.Helper()
	layer, err := random.Layer(512, types.OCILayer)
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"which": label}
	if owner != "" {
		labels["org.opencontainers.image.vendor"] = owner
	}
	if img, err = mutate.Config(img, v1.Config{Labels: labels}); err != nil {
		t.Fatal(err)
	}
	return img
}

// push releases an image or index under a name and returns its digest.
func (p *port) push(name string, what remote.Taggable) core.Digest {
	p.t.Helper()
	ref, err := store.ParseReference(p.host + "/" + name)
	if err != nil {
		p.t.Fatal(err)
	}
	switch x := what.(type) {
	case v1.Image:
		err = remote.Write(ref, x)
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, x)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	digest, err := what.(interface{ Digest() (v1.Hash, error) }).Digest()
	if err != nil {
		p.t.Fatal(err)
	}
	return core.Digest(digest.String())
}

// attach keeps a bundle as a referrer of the digest.
func (p *port) attach(name string, subject core.Digest, bundle []byte) {
	p.t.Helper()
	r := p.repository(name)
	config := []byte("{}")
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1,
		"artifactType": signaturetest.BundleType,
		"config":       descriptor("application/vnd.oci.empty.v1+json", config),
		"layers":       []any{descriptor(signaturetest.BundleType, bundle)},
		"subject":      map[string]any{"mediaType": types.OCIManifestSchema1, "digest": subject, "size": 1}})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, blob := range [][]byte{config, bundle} {
		if err := r.Upload(p.t.Context(), blob); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := r.Put(p.t.Context(), string(verify.DigestOf(manifest)), manifest, string(types.OCIManifestSchema1)); err != nil {
		p.t.Fatal(err)
	}
}

func descriptor(mediaType string, blob []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": verify.DigestOf(blob), "size": len(blob)}
}

// attachOlder keeps an envelope under cosign's older tag of the digest.
func (p *port) attachOlder(name string, subject core.Digest, e signature.Envelope, predicateType string) {
	p.t.Helper()
	annotations := map[string]string{"predicateType": predicateType}
	for k, v := range e.Annotations {
		annotations[k] = v
	}
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: static.NewLayer(e.Raw, signature.EnvelopeType), Annotations: annotations})
	if err != nil {
		p.t.Fatal(err)
	}
	p.push(name+":"+strings.Replace(string(subject), ":", "-", 1)+".att", img)
}

// bill is a bill of materials in CycloneDX.
func bill(purls ...string) map[string]any {
	components := make([]any, 0, len(purls))
	for _, purl := range purls {
		name := purl[strings.LastIndexByte(strings.Split(purl, "@")[0], '/')+1:]
		name, version, _ := strings.Cut(name, "@")
		version, _, _ = strings.Cut(version, "?")
		components = append(components, map[string]any{"type": "library", "name": name, "version": version, "purl": purl})
	}
	return map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
}

// keyFile writes a public key and returns it as a signer who counts.
func keyFile(t testing.TB, k signaturetest.Key) gate.SignerFiles {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(file, k.PEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return gate.SignerFiles{Signers: []policy.Signer{{Key: file}}}
}

// release pushes an image whose SBOM the key attests.
func (p *port) release(name, tag, owner string, key signaturetest.Key, purls ...string) core.Digest {
	p.t.Helper()
	d := p.push(name+":"+tag, imageOf(p.t, name+tag, owner))
	p.attach(name, d, key.Bundle(p.t, signaturetest.Statement(p.t, d, typeCycloneDX, bill(purls...))))
	return d
}

func audit(t *testing.T, p gate.FleetPlan) *gate.Audit {
	t.Helper()
	p.Policy = starterOK(t)
	a, err := newGate().Audit(t.Context(), p)
	if err != nil {
		t.Fatalf("%v (%s)", err, core.HintOf(err))
	}
	return a
}

func find(t *testing.T, query string, p gate.FleetPlan) *gate.Find {
	t.Helper()
	f, err := newGate().Find(t.Context(), gate.FindPlan{FleetPlan: p, Query: query})
	if err != nil {
		t.Fatalf("%v (%s)", err, core.HintOf(err))
	}
	return f
}

// names are those of images, with their decisions.
func decisions(a *gate.Audit) string {
	var out []string
	for i := range a.Images {
		x := &a.Images[i]
		out = append(out, x.Name()[strings.IndexByte(x.Name(), '/')+1:]+" "+x.Decision.String())
	}
	return strings.Join(out, ", ")
}

func gaps(list []gate.FleetGap) string {
	var out []string
	for _, g := range list {
		out = append(out, g.Name[strings.IndexByte(g.Name, '/')+1:]+": "+g.Why)
	}
	return strings.Join(out, "\n")
}

func TestAuditJudgesWhatWasAttestedAndReadsNoLayer(t *testing.T) {
	for name, options := range map[string][]registry.Option{
		"with the API for referrers":    {registry.WithReferrersSupport(true)},
		"without the API for referrers": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p, key := newPort(t, options...), signaturetest.NewKey(t)
			bad := p.push("shop:1.0", imageOf(t, "bad", "Shop team"))
			p.attach("shop", bad, key.Bundle(t, signaturetest.Statement(t, bad, typeCycloneDX, bill(exposed, harmless))))
			p.release("shop", "1.1", "", key, harmless)
			again := imageOf(t, "twice", "")
			p.push("shop:2.0", again)
			d := p.push("shop:latest", again)
			p.attachOlder("shop", d, key.Envelope(t, signaturetest.Statement(t, d, typeCycloneDX, bill(harmless))), typeCycloneDX)

			a := audit(t, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
			if got, want := decisions(a), "shop:1.0 refused, shop:1.1 passed, shop:2.0 passed"; got != want {
				t.Fatalf("got %s, want %s\n%s\n%+v", got, want, gaps(a.Gaps), a.Images)
			}
			if a.Decision != core.Refused || len(a.Gaps) > 0 {
				t.Errorf("%v, gaps %v", a.Decision, a.Gaps)
			}
			if first := a.Images[0]; first.Owner != "Shop team" || !first.Authenticated() || first.Vulnerabilities[0].Since != gate.SinceUnknown ||
				first.Vulnerabilities[0].Action != core.ActionFail || first.Packages != 2 {
				t.Errorf("got %+v", first)
			}
			if tags := a.Images[2].Tags; len(tags) != 2 || p.gets("/blobs/"+string(a.Images[2].SBOMs[0].Digest)) != 1 {
				t.Errorf("an image under two tags has %v, and was read %d times", tags, p.gets("/blobs/"+string(a.Images[2].SBOMs[0].Digest)))
			}
			layers, err := again.Layers()
			if err != nil {
				t.Fatal(err)
			}
			layer, err := layers[0].Digest()
			if err != nil || p.gets(layer.String()) > 0 {
				t.Errorf("a layer was read: %v", err)
			}
		})
	}
}

func TestAuditSaysWhatBecameKnownSinceRelease(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	list := func(results ...any) map[string]any {
		return map[string]any{"scanner": map[string]any{"uri": "x", "result": results}, "metadata": map[string]any{}}
	}
	clean := p.release("shop", "clean", "", key, exposed)
	p.attach("shop", clean, key.Bundle(t, signaturetest.Statement(t, clean, typeVulns, list())))
	known := p.release("shop", "known", "", key, exposed)
	p.attach("shop", known, key.Bundle(t, signaturetest.Statement(t, known, typeVulns, list(map[string]any{"id": "CVE-2023-45288",
		"annotations": []any{map[string]any{"package": exposed, "reason": "waiver w-7"}}}))))
	foreign := p.release("shop", "unsigned", "", key, exposed)
	p.attach("shop", foreign, signaturetest.NewKey(t).Bundle(t, signaturetest.Statement(t, foreign, typeVulns, list())))

	a := audit(t, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
	got := map[string]string{}
	for _, i := range a.Images {
		for _, f := range i.Vulnerabilities {
			if f.ID == "CVE-2023-45288" {
				got[i.Tags[0]] = string(f.Since) + " " + f.WaivedThen
			}
		}
	}
	for tag, want := range map[string]string{"clean": "new ", "known": "known w-7", "unsigned": "unknown "} {
		if got[tag] != want {
			t.Errorf("%s: got %q, want %q", tag, got[tag], want)
		}
	}
	if a.Counts.New == 0 || len(a.Gaps) > 0 {
		t.Errorf("counts %+v, gaps %s", a.Counts, gaps(a.Gaps))
	}
}

func TestWhatNobodyTrustedAttestedIsAGap(t *testing.T) {
	key, other := signaturetest.NewKey(t), signaturetest.NewKey(t)
	for _, tc := range []struct {
		name string
		make func(p *port) // of the image shop:1
		want string
	}{
		{"nothing is attested", func(p *port) { p.push("shop:1", imageOf(t, "x", "")) }, "it has no attested SBOM"},
		{"another signer", func(p *port) { p.release("shop", "1", "", other, log4j) }, "by a trusted signer"},
		{"replayed from another image", func(p *port) {
			d := p.push("shop:1", imageOf(t, "x", ""))
			elsewhere := p.push("other:1", imageOf(t, "y", ""))
			p.attach("shop", d, key.Bundle(t, signaturetest.Statement(t, elsewhere, typeCycloneDX, bill(harmless))))
		}, "by a trusted signer"},
		{"replayed from another image, in the older form", func(p *port) {
			d := p.push("shop:1", imageOf(t, "x", ""))
			elsewhere := p.push("other:1", imageOf(t, "y", ""))
			p.attachOlder("shop", d, key.Envelope(t, signaturetest.Statement(t, elsewhere, typeCycloneDX, bill(harmless))), typeCycloneDX)
		}, "by a trusted signer"},
		{"another signer, in the older form", func(p *port) {
			d := p.push("shop:1", imageOf(t, "x", ""))
			p.attachOlder("shop", d, other.Envelope(t, signaturetest.Statement(t, d, typeCycloneDX, bill(harmless))), typeCycloneDX)
		}, "by a trusted signer"},
		{"not an SBOM", func(p *port) {
			d := p.push("shop:1", imageOf(t, "x", ""))
			p.attach("shop", d, key.Bundle(t, signaturetest.Statement(t, d, typeCycloneDX, map[string]any{"bomFormat": "no"})))
		}, "no attested SBOM of it can be read"},
		{"nested without end", func(p *port) {
			d := p.push("shop:1", imageOf(t, "x", ""))
			deep := strings.Repeat(`{"components":[`, 5000) + strings.Repeat(`]}`, 5000)
			statement := signaturetest.Statement(t, d, typeCycloneDX, map[string]any{"x": 0})
			statement = []byte(strings.Replace(string(statement), `{"x":0}`, deep, 1))
			p.attach("shop", d, key.Bundle(t, statement))
		}, "it has no attested SBOM"},
		{"without packages", func(p *port) { p.release("shop", "1", "", key) }, "it lists no packages"},
		{"garbage", func(p *port) { p.attach("shop", p.push("shop:1", imageOf(t, "x", "")), []byte("garbage")) }, "not a Sigstore bundle"},
		{"an index in an index", func(p *port) {
			p.push("shop:1", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: mutate.AppendManifests(empty.Index,
				mutate.IndexAddendum{Add: imageOf(t, "x", "")})}))
		}, "another index in it"},
		{"an index of which one platform is not attested", func(p *port) {
			one, two := imageOf(t, "x", ""), imageOf(t, "y", "")
			p.push("shop:1", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}}, mutate.IndexAddendum{Add: two, Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}}))
			h, err := one.Digest()
			if err != nil {
				t.Fatal(err)
			}
			d := core.Digest(h.String())
			p.attach("shop", d, key.Bundle(t, signaturetest.Statement(t, d, typeCycloneDX, bill(harmless))))
		}, "shop:1 (linux/arm64): could not know its packages: it has no attested SBOM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPort(t, registry.WithReferrersSupport(true))
			tc.make(p)
			plan := gate.FleetPlan{Names: []string{p.host + "/shop:1"}, Signers: keyFile(t, key)}
			f := find(t, "pkg:npm/nothing", plan)
			if f.Complete || !strings.Contains(gaps(f.Gaps), tc.want) {
				t.Errorf("find: complete %v, gaps %s", f.Complete, gaps(f.Gaps))
			}
			a := audit(t, plan)
			incomplete := gaps(a.Gaps)
			for _, i := range a.Images {
				incomplete += strings.Join(i.Incomplete, " ")
			}
			if a.Decision != core.Undecided || !strings.Contains(incomplete, tc.want) {
				t.Errorf("audit: %v, %s", a.Decision, incomplete)
			}
		})
	}
}

func TestUnsignedSBOMsCountOnlyOnRequestAndAreMarked(t *testing.T) {
	p, key, other := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t), signaturetest.NewKey(t)
	p.release("shop", "foreign", "", other, log4j)
	both := p.release("shop", "signed", "", key, harmless)
	p.attach("shop", both, other.Bundle(t, signaturetest.Statement(t, both, typeCycloneDX, bill(log4j))))
	moved := p.push("shop:moved", imageOf(t, "moved", ""))
	p.attach("shop", moved, other.Bundle(t, signaturetest.Statement(t, both, typeCycloneDX, bill(log4j))))

	_, err := newGate().Find(t.Context(), gate.FindPlan{Query: log4j, FleetPlan: gate.FleetPlan{Names: []string{p.host + "/shop"}}})
	if !core.Usage(err) || !strings.Contains(core.HintOf(err), "--allow-unsigned") {
		t.Errorf("without a signer: %v", err)
	}
	f := find(t, log4j, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key), AllowUnsigned: true})
	if len(f.Found) != 1 || f.Found[0].Tags[0] != "foreign" || f.Found[0].Authenticated() {
		t.Errorf("found %+v", f.Found)
	}
	if f.Complete || !strings.Contains(gaps(f.Gaps), "shop:moved") || f.Searched != 2 {
		t.Errorf("searched %d, gaps %s", f.Searched, gaps(f.Gaps))
	}
}

func TestIdentitiesCountAsKeysDo(t *testing.T) {
	p, authority := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewAuthority(t)
	d := p.push("shop:1", imageOf(t, "x", ""))
	p.attach("shop", d, authority.Bundle(t, "release@example.com", "https://issuer.example", signaturetest.Statement(t, d, typeCycloneDX, bill(log4j))))
	said := signature.Trust{Root: authority.Root(), Identities: []signature.Identity{{Issuer: "https://issuer.example", Subject: "release@example.com"}}}
	if f := gate.FindTrusting(t, newGate(), said, gate.FindPlan{Query: log4j, FleetPlan: gate.FleetPlan{Names: []string{p.host + "/shop"}}}); len(f.Found) != 1 ||
		!f.Complete || !strings.HasPrefix(f.Found[0].SBOMs[0].Signer, "release@example.com") {
		t.Errorf("got %+v", f)
	}
	said.Identities[0].Subject = "somebody@example.com"
	if f := gate.FindTrusting(t, newGate(), said, gate.FindPlan{Query: log4j, FleetPlan: gate.FleetPlan{Names: []string{p.host + "/shop"}}}); len(f.Found) != 0 || f.Complete {
		t.Errorf("another identity: %+v", f)
	}
}

func TestFindByPackageVersionSourceAndFlaw(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	p.release("shop", "a", "", key, log4j, exposed, "pkg:deb/debian/liblzma5@5.6.0-0.2?arch=amd64&upstream=xz-utils&distro=debian-13")
	p.release("shop", "b", "", key, "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1", harmless)
	p.release("shop", "c", "", key, "pkg:npm/%40scope/left-pad@1.3.0", "pkg:golang/example.com/tool@v1.2.0")
	for _, tc := range []struct{ query, versions, want string }{
		{"pkg:maven/org.apache.logging.log4j/log4j-core", "", "a b"},
		{log4j, "", "a"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core", ">=2.0 <2.15", "a"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core", ">=2.15", "b"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core", ">2.14.1,<2.17.1", ""},
		{"pkg:maven/log4j-core", "", ""},
		{"pkg:deb/xz-utils", "", "a"},
		{"pkg:deb/debian/xz-utils@5.6.0-0.2", "", "a"},
		{"pkg:deb/debian/xz-utils?distro=debian-12", "", ""},
		{"pkg:deb/ubuntu/xz-utils", "", ""},
		{"pkg:npm/left-pad", "", "b"},
		{"pkg:npm/%40scope/left-pad@1.3.0", "", "c"},
		{"pkg:golang/example.com/tool@1.2.0", "", "c"},
	} {
		f, err := newGate().Find(t.Context(), gate.FindPlan{Query: tc.query, Versions: tc.versions,
			FleetPlan: gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)}})
		if err != nil {
			t.Fatalf("%s %s: %v", tc.query, tc.versions, err)
		}
		var tags []string
		for _, i := range f.Found {
			tags = append(tags, i.Tags...)
		}
		if got := strings.Join(tags, " "); got != tc.want || !f.Complete {
			t.Errorf("%s %s: got %q, want %q; gaps %s", tc.query, tc.versions, got, tc.want, gaps(f.Gaps))
		}
	}
	f := find(t, "go-2024-2687", gate.FleetPlan{Names: []string{p.host + "/shop:a", p.host + "/shop:b"}, Signers: keyFile(t, key)})
	if len(f.Found) != 1 || f.Found[0].Tags[0] != "a" || f.Found[0].Packages[0].Fixed == "" || f.Advisories == nil {
		t.Errorf("by flaw: %+v", f)
	}
	if f.Complete || !strings.Contains(gaps(f.Gaps), "starter") {
		t.Errorf("the starter set knows all: %s", gaps(f.Gaps))
	}
	for query, want := range map[string]string{"CVE-1999-99999": "know nothing of it", "CVE-2024-2687": "found by their own ids only", "log4j": "neither a package URL"} {
		if _, err := newGate().Find(t.Context(), gate.FindPlan{Query: query, FleetPlan: gate.FleetPlan{Names: []string{p.host + "/shop"},
			Signers: keyFile(t, key)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// A misspelt name is in no image, and "nothing was found" is then an answer to another question.
func TestAMisspeltPackageIsNoticed(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	p.release("shop", "a", "", key, log4j, "pkg:deb/debian/liblzma5@5.6.0-0.2?arch=amd64&upstream=xz-utils&distro=debian-13",
		"pkg:npm/%40scope/left-pad@1.3.0")
	for query, want := range map[string]struct {
		unknown bool
		near    string
	}{
		"pkg:deb/xz-utlis":                                       {true, "pkg:deb/debian/xz-utils"},
		"pkg:debian/xz-utils":                                    {true, "pkg:deb/debian/xz-utils"},
		"pkg:maven/org.apache.logging/log4j-core":                {true, "pkg:maven/org.apache.logging.log4j/log4j-core"},
		"pkg:npm/left-pad":                                       {true, "pkg:npm/%40scope/left-pad"},
		"pkg:npm/quite-another-thing":                            {true, ""},
		"pkg:deb/xz-utils":                                       {false, ""},
		"pkg:deb/xz-utils@0":                                     {false, ""},
		"pkg:deb/xz-utils?distro=debian-12":                      {false, ""},
		"pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1":   {false, ""},
		"pkg:maven/org.apache.logging.log4j/log4j-core?type=pom": {false, ""},
	} {
		f := find(t, query, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
		if f.Unknown != want.unknown || strings.Join(f.Near, " ") != want.near || !f.Complete {
			t.Errorf("%s: unknown %v, near %q, want %+v", query, f.Unknown, f.Near, want)
		}
	}
}

func TestARegistryThatDiesLeavesGapsAndNoSilence(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	for i := range 4 {
		p.release("shop", fmt.Sprint(i), "", key, harmless)
	}
	var served atomic.Int32
	p.blocks(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") && served.Add(1) > 2 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	f := find(t, log4j, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
	if f.Complete || f.Searched != 2 || len(f.Gaps) != 2 {
		t.Errorf("searched %d, gaps %s", f.Searched, gaps(f.Gaps))
	}
}

func TestARegistryThatAsksForPatienceGetsIt(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	p.release("shop", "1", "", key, log4j)
	var refused atomic.Int32
	p.blocks(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/tags/list") && refused.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	if f := find(t, log4j, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)}); !f.Complete || len(f.Found) != 1 {
		t.Errorf("found %d, gaps %s", len(f.Found), gaps(f.Gaps))
	}
}

func TestTagsThatAreListedInPartsAreAllRead(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	for i := range 5 {
		p.release("shop", fmt.Sprintf("v%d", i), "", key, harmless)
	}
	elsewhere := false
	p.blocks(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/tags/list") {
			return false
		}
		last := r.URL.Query().Get("last")
		next := map[string]string{"": "v1", "v1": "v3", "v3": "v4"}[last]
		if next != "" && next != "v4" {
			link := "/v2/shop/tags/list?last=" + next
			if elsewhere {
				link = "https://elsewhere.example" + link
			}
			w.Header().Set("Link", "<"+link+`>; rel="next"`)
		}
		tags := map[string][]string{"": {"v0", "v1"}, "v1": {"v2", "v3"}, "v3": {"v4"}}[last]
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "shop", "tags": tags})
		return true
	})
	plan := gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)}
	if f := find(t, harmless, plan); len(f.Found) != 5 || !f.Complete {
		t.Errorf("found %d, gaps %s", len(f.Found), gaps(f.Gaps))
	}
	plan.Tags = []string{"v[12]", "v4"}
	if f := find(t, harmless, plan); len(f.Found) != 3 || !f.Complete {
		t.Errorf("of some tags found %d, gaps %s", len(f.Found), gaps(f.Gaps))
	}
	elsewhere = true
	if f := find(t, harmless, plan); f.Complete || !strings.Contains(gaps(f.Gaps), "elsewhere") {
		t.Errorf("a list that goes on elsewhere: %s", gaps(f.Gaps))
	}
}

func TestWhatIsNoImageIsAGap(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	p.release("shop", "1", "", key, harmless)
	names := []string{p.host + "/none", p.host + "/shop:none", p.host + "/shop@sha256:" + strings.Repeat("0", 64), p.host + "/shop"}
	f := find(t, harmless, gate.FleetPlan{Names: names, Signers: keyFile(t, key)})
	if len(f.Found) != 1 || f.Complete || len(f.Gaps) != 3 {
		t.Errorf("found %d, gaps %s", len(f.Found), gaps(f.Gaps))
	}
	if _, err := newGate().Find(t.Context(), gate.FindPlan{Query: harmless, FleetPlan: gate.FleetPlan{Names: []string{"UPPER/case"},
		Signers: keyFile(t, key)}}); !core.Usage(err) {
		t.Errorf("a malformed name: %v", err)
	}
	f = find(t, harmless, gate.FleetPlan{Names: []string{p.host + "/shop"}, Tags: []string{"2.*", "3"}, Signers: keyFile(t, key)})
	if f.Complete || !strings.Contains(gaps(f.Gaps), "of its tags, none is like 2.* or 3") {
		t.Errorf("tags that are not there: %s", gaps(f.Gaps))
	}
	if _, err := gate.ReadNames(strings.NewReader(strings.Repeat("x", 5000))); err == nil {
		t.Error("a line without end was read")
	}
}

func TestTheAnswerIsTheSameEachTime(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	for i := range 20 {
		p.release("shop", fmt.Sprint(i), fmt.Sprintf("team %d", i%3), key, exposed, harmless)
	}
	p.push("shop:none", imageOf(t, "none", ""))
	first, signers := "", keyFile(t, key)
	for range 3 {
		raw, err := json.Marshal(audit(t, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: signers}))
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if first == "" {
			first = text
		}
		if cut := func(s string) string { return s[strings.Index(s, `"decision"`):] }; cut(text) != cut(first) {
			t.Error("two audits of the same images differ")
		}
	}
}
