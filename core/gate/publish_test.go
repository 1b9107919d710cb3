package gate_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core"
	said "github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// dock is where images are shipped from: a registry that can be made to fail, an image that passes and a key to sign with.
type dock struct {
	t      *testing.T
	host   string
	layout string
	digest core.Digest
	policy string
	key    string
	trust  signature.Trust

	mu sync.Mutex
	// writes counts requests that store something. The one of the number fails is dropped: before it is stored, or after.
	writes, fails int
	after         bool
	failed        bool
	held          http.Handler
}

// storing reports whether a request stores something.
func storing(r *http.Request) bool {
	return r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodPatch
}

func (d *dock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	held, failing, after := d.held, false, d.after
	if storing(r) {
		d.writes++
		failing = d.fails > 0 && d.writes >= d.fails // it stays dead
	}
	first := failing && !d.failed
	d.failed = d.failed || failing
	d.mu.Unlock()
	if !failing {
		held.ServeHTTP(w, r)
		return
	}
	if first && after {
		held.ServeHTTP(httptest.NewRecorder(), r)
	}
	panic(http.ErrAbortHandler) // the connection breaks
}

// dies makes the registry drop that write and all later ones, counted from now; 0 lets it live.
func (d *dock) dies(write int, after bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes, d.fails, d.after, d.failed = 0, write, after, false
}

// died reports whether a write was dropped.
func (d *dock) died() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// stored counts the writes that were tried.
func (d *dock) stored() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

// empties puts an empty registry in its place.
func (d *dock) empties(o ...server.Option) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = server.New(append(o, server.Logger(log.New(io.Discard, "", 0)))...)
}

func newDock(t *testing.T, o ...server.Option) *dock {
	t.Helper()
	d := &dock{t: t, layout: filepath.Join(t.TempDir(), "image"), held: server.New(append(o, server.Logger(log.New(io.Discard, "", 0)))...)}
	s := httptest.NewUnstartedServer(d)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	d.host = strings.TrimPrefix(s.URL, "http://")
	index, err := images.BuildIndex(images.Clean("amd64"), images.Clean("arm64"))
	d.must(err)
	index, err = images.Attested(index)
	d.must(err)
	d.must(images.WriteLayout(d.layout, index))
	hash, err := index.Digest()
	d.must(err)
	d.digest = core.Digest(hash.String())
	d.policy = filepath.Join(t.TempDir(), "policy.yaml")
	write(t, d.policy, "version: 1\nextends: none\nstarter-ok: true\nrequire: [packages]\nrules: [{name: bad, when: 'finding.rule == \"never\"', action: fail}]\n")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	d.must(err)
	d.key = filepath.Join(t.TempDir(), "key.pem")
	write(t, d.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	d.must(err)
	key, err := signature.ParseKey("key", public)
	d.must(err)
	d.trust = signature.Trust{Keys: []signature.Key{key}}
	return d
}

func (d *dock) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// gate has little patience.
func (d *dock) gate() *gate.Gate {
	g := newGate()
	g.Patience = network.Patience{Attempts: 2, Delay: time.Millisecond, MaxDelay: time.Millisecond}
	return g
}

func (d *dock) plan() gate.Plan {
	return gate.Plan{Targets: []string{"oci:" + d.layout}, Policy: d.policy, Advisories: gate.StarterAdvisories,
		Publish: &gate.Publishing{Reference: d.host + "/team/app:1", Signing: gate.Signing{Key: d.key}}}
}

// tagged returns what the final tag names; empty for nothing.
func (d *dock) tagged() core.Digest {
	d.t.Helper()
	ref, err := name.NewTag(d.host+"/team/app:1", name.Insecure)
	d.must(err)
	desc, err := remote.Head(ref)
	if err != nil {
		return ""
	}
	return core.Digest(desc.Digest.String())
}

// heard returns the predicate types that a trusted signer attested of a digest, sorted, each once; and how many bundles there are.
func (d *dock) heard(about core.Digest) (types []string, bundles int) {
	d.t.Helper()
	ref, err := registry.ParseReference(d.host + "/team/app:1")
	d.must(err)
	r, err := registry.Dial(context.Background(), ref.Context(), registry.Options{})
	d.must(err)
	attached, err := r.Attached(context.Background(), about, signature.BundleType)
	d.must(err)
	var manifests [][]byte
	for _, a := range attached {
		manifests = append(manifests, a.Raw)
	}
	m, err := signature.Read(context.Background(), manifests, func(ctx context.Context, blob core.Digest, size int64) ([]byte, error) {
		body, err := r.Blob(ctx, blob, size)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return io.ReadAll(body)
	})
	d.must(err)
	for _, raw := range m.Bundles {
		v, err := d.trust.Bundle(raw, about)
		if err != nil {
			d.t.Errorf("a bundle beside %s: %v", about.Short(), err)
		}
		types = append(types, v.PredicateType)
	}
	if len(m.Simple) > 0 {
		if _, err := d.trust.Signed(context.Background(), about, signature.Material{Simple: m.Simple}); err != nil {
			d.t.Errorf("the older form beside %s: %v", about.Short(), err)
		}
		types = append(types, "older")
	}
	slices.Sort(types)
	return slices.Compact(types), len(m.Bundles)
}

// complete checks that everything is said of the index and of each platform.
func (d *dock) complete() {
	d.t.Helper()
	common := []string{said.TypeCycloneDX, said.TypeSPDX, said.TypeVulns, said.TypeVSA, said.TypeSignature, "older"}
	for about, want := range map[core.Digest][]string{d.digest: append(slices.Clone(common), report.PredicateType)} {
		d.expect(about, want)
	}
	ref, err := name.NewDigest(d.host+"/team/app@"+string(d.digest), name.Insecure)
	d.must(err)
	index, err := remote.Index(ref)
	d.must(err)
	manifest, err := index.IndexManifest()
	d.must(err)
	platforms := 0
	for _, m := range manifest.Manifests {
		if m.Platform.OS == "linux" {
			platforms++
			d.expect(core.Digest(m.Digest.String()), common)
		}
		_, err := index.Image(m.Digest) // also what is no platform
		d.must(err)
	}
	if platforms != 2 {
		d.t.Errorf("%d platforms were pushed", platforms)
	}
}

func (d *dock) expect(about core.Digest, want []string) {
	d.t.Helper()
	slices.Sort(want)
	if got, _ := d.heard(about); !slices.Equal(got, want) {
		d.t.Errorf("of %s it is said\n%q, want\n%q", about.Short(), got, want)
	}
}

func TestWhatPassedIsPushedAttestedAndNamed(t *testing.T) {
	for kind, o := range map[string][]server.Option{"with referrers": {server.WithReferrersSupport(true)}, "without": nil} {
		t.Run(kind, func(t *testing.T) {
			d := newDock(t, o...)
			r, err := d.gate().Run(context.Background(), d.plan())
			if err != nil {
				t.Fatal(err)
			}
			if r.Published == nil || r.Published.Digest != d.digest || d.tagged() != d.digest {
				t.Fatalf("published %+v, the tag names %q; want %s", r.Published, d.tagged(), d.digest)
			}
			if p := r.Evidence.Publication; p == nil || p.Reference != d.host+"/team/app:1" || len(p.Granted) > 0 {
				t.Errorf("the evidence says of it %+v", p)
			}
			d.complete()
		})
	}
}

// Registries die. Whatever was stored until then, the name is not there; and the next run completes.
func TestARegistryThatDiesLeavesNothingUnderTheName(t *testing.T) {
	for kind, o := range map[string][]server.Option{"with referrers": {server.WithReferrersSupport(true)}, "without": nil} {
		for _, after := range []bool{false, true} {
			t.Run(kind, func(t *testing.T) {
				d := newDock(t, o...)
				step := 5
				if testing.Short() {
					step = 57
				}
				for fails := 1; ; fails += step {
					d.empties(slices.Clone(o)...)
					d.dies(fails, after)
					_, err := d.gate().Run(context.Background(), d.plan())
					if !d.died() {
						if err != nil {
							t.Fatal(err)
						}
						break
					}
					named := d.tagged()
					switch {
					case named != "" && !after:
						t.Fatalf("after a failure at write %d the tag names %s", fails, named)
					case named != "":
						d.complete() // it was the last write of all, and it was stored before the registry died
					case err == nil:
						t.Fatalf("no error for a failure at write %d", fails)
					}
					d.dies(0, false)
					if _, err := d.gate().Run(context.Background(), d.plan()); err != nil {
						t.Fatalf("after a failure at write %d: %v", fails, err)
					}
					if d.tagged() != d.digest {
						t.Fatalf("after a failure at write %d and another run the tag names %q", fails, d.tagged())
					}
					d.complete()
				}
			})
		}
	}
}

func TestWhatIsRefusedIsNotPushed(t *testing.T) {
	d := newDock(t)
	write(t, d.policy, "version: 1\nextends: none\nstarter-ok: true\nrequire: [packages, no-such-hook]\nrules: []\n")
	plan := d.plan()
	plan.Publish.Signing.RekorURL = "https://log.example" // which is not asked
	r, err := d.gate().Run(context.Background(), plan)
	if err != nil || r.Verdict.Decision == core.Passed || r.Published != nil {
		t.Errorf("%v, %+v", err, r)
	}
	if p := r.Evidence.Publication; p == nil || !slices.Equal(p.Granted, []string{"network: log.example"}) {
		t.Errorf("of whom may be asked the evidence says %+v", p)
	}
	if d.stored() > 0 || d.tagged() != "" {
		t.Errorf("%d writes, the tag names %q", d.stored(), d.tagged())
	}
}

func TestATagThatNamesAnotherImageIsMovedLast(t *testing.T) {
	d := newDock(t)
	older, err := images.Build(images.Vulnerable("amd64"))
	d.must(err)
	ref, err := name.NewTag(d.host+"/team/app:1", name.Insecure)
	d.must(err)
	d.must(remote.Write(ref, older))
	before := d.tagged()
	d.dies(20, false)
	if _, err := d.gate().Run(context.Background(), d.plan()); err == nil || d.tagged() != before {
		t.Errorf("%v, the tag names %s, want %s", err, d.tagged(), before)
	}
	d.dies(0, false)
	if _, err := d.gate().Run(context.Background(), d.plan()); err != nil || d.tagged() != d.digest {
		t.Errorf("%v, the tag names %s, want %s", err, d.tagged(), d.digest)
	}
}

// Two that sign the same image at the same time both leave all that they say.
func TestTwoSignersDoNotOverwriteEachOther(t *testing.T) {
	d := newDock(t)
	const signers = 3
	var running sync.WaitGroup
	errs := make([]error, signers)
	for i := range signers {
		running.Add(1)
		go func() {
			defer running.Done()
			_, errs[i] = d.gate().Run(context.Background(), d.plan())
		}()
	}
	running.Wait()
	d.must(errors.Join(errs...))
	d.complete()
	// ECDSA signatures differ each time, so each signer has bundles of its own.
	if _, n := d.heard(d.digest); n != signers*6 {
		t.Errorf("%d bundles are found, want %d", n, signers*6)
	}
}

// forgetful says of referrers that it lists them, and drops the first ones, as registries do that lose one of two which
// arrive together.
type forgetful struct {
	http.Handler
	drops atomic.Int64
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		var m struct{ Subject struct{ Digest string } }
		if json.Unmarshal(raw, &m) == nil && m.Subject.Digest != "" {
			w.Header().Set("OCI-Subject", m.Subject.Digest)
			if f.drops.Add(-1) >= 0 {
				w.WriteHeader(http.StatusCreated)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
	}
	f.Handler.ServeHTTP(w, r)
}

func TestWhatARegistryForgetsIsSaidAgain(t *testing.T) {
	for name, test := range map[string]struct {
		drops int64
		ok    bool
	}{
		"some referrers": {7, true},
		"each":           {1 << 30, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, server.WithReferrersSupport(true))
			f := &forgetful{Handler: d.held}
			f.drops.Store(test.drops)
			d.held = f
			_, err := d.gate().Run(context.Background(), d.plan())
			if test.ok {
				d.must(err)
				d.complete()
				return
			}
			if err == nil || !strings.Contains(err.Error(), "says that it lists") || d.tagged() != "" {
				t.Errorf("got %v; the tag names %q", err, d.tagged())
			}
		})
	}
}

func TestAChangedBlobIsNotPushed(t *testing.T) {
	d := newDock(t)
	plan := d.plan()
	plan.Policy = d.policy
	// The layer is changed after it was examined, which a slow push gives time for.
	changed := false
	g := d.gate()
	g.Progress = func(e gate.Event) {
		if e.Kind != gate.EventPushing || changed {
			return
		}
		changed = true
		blobs, err := filepath.Glob(filepath.Join(d.layout, "blobs", "sha256", "*"))
		d.must(err)
		for _, blob := range blobs {
			raw, err := os.ReadFile(blob)
			d.must(err)
			if !bytes.HasPrefix(raw, []byte("{")) {
				d.must(images.FlipByte(blob))
			}
		}
	}
	if _, err := g.Run(context.Background(), plan); err == nil || !changed {
		t.Errorf("changed: %v, got %v", changed, err)
	}
	if d.tagged() != "" {
		t.Errorf("the tag names %s", d.tagged())
	}
}

func TestWhatCannotBePublishedIsKnownBeforeAnythingIsRead(t *testing.T) {
	d := newDock(t)
	for name, tc := range map[string]struct {
		change func(*gate.Plan)
		says   string
	}{
		"no tag":       {func(p *gate.Plan) { p.Publish.Reference = d.host + "/team/app" }, "names no tag"},
		"a digest":     {func(p *gate.Plan) { p.Publish.Reference = d.host + "/team/app@" + string(d.digest) }, "names no tag"},
		"nobody signs": {func(p *gate.Plan) { p.Publish.Signing = gate.Signing{} }, "public-log"},
		"one platform": {func(p *gate.Plan) { p.Platforms = []core.Platform{{OS: "linux", Architecture: "amd64"}} }, "all of them would be"},
		"a baseline":   {func(p *gate.Plan) { p.Baseline = "x.json" }, "without a baseline"},
		"two signers":  {func(p *gate.Plan) { p.Publish.Signing.IdentityToken = "token" }, "a key signs, or an identity"},
		"no such key":  {func(p *gate.Plan) { p.Publish.Signing.Key = "none" }, "the key none"},
		"no consent": {func(p *gate.Plan) {
			p.Publish.Signing = gate.Signing{FulcioURL: "https://fulcio.sigstore.dev", RekorURL: "https://rekor.sigstore.dev"}
		}, "public-log"},
		"no authority":  {func(p *gate.Plan) { p.Publish.Signing = gate.Signing{TimestampURL: "https://time.example"} }, "identity"},
		"no such image": {func(p *gate.Plan) { p.Targets = []string{"oci:none"} }, "none"},
		"no image": {func(p *gate.Plan) {
			p.Targets = []string{"dir:" + filepath.Dir(d.policy)}
			write(t, filepath.Join(filepath.Dir(d.policy), "go.mod"), "module example.com/a\n\nrequire golang.org/x/text v0.14.0\n")
		}, "none of the targets is an image"},
	} {
		plan := d.plan()
		tc.change(&plan)
		r, err := d.gate().Run(context.Background(), plan)
		if err == nil || !strings.Contains(err.Error()+core.HintOf(err), tc.says) || gate.ExitCode(r, err) != core.ExitUsage {
			t.Errorf("%s: got %v (exit %d), want %q", name, err, gate.ExitCode(r, err), tc.says)
		}
		if d.stored() > 0 {
			t.Fatalf("%s: something was written", name)
		}
	}
}

func TestLargeEvidenceIsKeptApartAndNamedByDigest(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	plan := d.plan()
	plan.Publish.StatementSize = 3000
	r, err := d.gate().Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	types, _ := d.heard(d.digest)
	if !slices.Contains(types, said.TypeReference) || slices.Contains(types, report.PredicateType) {
		t.Errorf("it is said %q", types)
	}
	i := slices.IndexFunc(r.Published.Attestations, func(a gate.Attested) bool { return a.PredicateType == "" && a.Subject == d.digest })
	if i < 0 {
		t.Fatalf("nothing is kept apart: %+v", r.Published.Attestations)
	}
	ref, err := name.NewDigest(d.host+"/team/app@"+string(r.Published.Attestations[i].Digest), name.Insecure)
	d.must(err)
	kept, err := remote.Image(ref)
	d.must(err)
	layers, err := kept.Layers()
	d.must(err)
	hash, err := layers[0].Digest()
	d.must(err)
	if want, _ := v1.NewHash(string(r.Published.Attestations[i].Content)); hash != want {
		t.Errorf("it holds %s, want %s", hash, want)
	}
	plan.Publish.StatementSize = 100
	if _, err := d.gate().Run(context.Background(), plan); err == nil || !strings.Contains(err.Error()+core.HintOf(err), "--statement-size") {
		t.Errorf("a statement that is too large all the same: %v", err)
	}
}

func TestCredentialsInAReferenceAreRefusedAndNotShown(t *testing.T) {
	s := newShipped(t)
	here, key := s.host+"/team/app:1", keyed(s.file)
	for _, ref := range []string{"alice:hunter2@registry.example/app:1", "https://alice:hunter2@registry.example/app:1",
		"alice:hunter2@registry.example/app@" + string(s.digest), "hunter2@registry.example/app:1"} {
		published := s.plan()
		published.Publish.Reference = ref
		_, publish := newGate().Run(t.Context(), published)
		_, verify := newGate().Verify(t.Context(), gate.VerifyPlan{Image: ref, Signers: key})
		_, unsigned := newGate().Verify(t.Context(), gate.VerifyPlan{Image: ref})
		_, source := newGate().Promote(t.Context(), gate.PromotePlan{Source: ref, Destination: here, Signers: key, Policy: s.policy})
		_, destination := newGate().Promote(t.Context(), gate.PromotePlan{Source: here, Destination: ref, Signers: key, Policy: s.policy})
		_, audited := newGate().Audit(t.Context(), gate.FleetPlan{Names: []string{ref}, Signers: key, Policy: s.policy})
		for doing, err := range map[string]error{"publish": publish, "verify": verify, "verify without a key": unsigned,
			"promote from": source, "promote to": destination, "audit": audited} {
			if err == nil || !core.Usage(err) || strings.Contains(err.Error()+core.HintOf(err), "hunter2") {
				t.Errorf("%s %s: %v (%s)", doing, ref, err, core.HintOf(err))
			}
		}
	}
}

// A registry that says to have what it does not have gets nothing that rests on it: nobody could pull it.
func TestARegistryThatPretendsToHaveABlobIsNoticed(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, held http.Handler)
		says   string // empty: it is published
	}{
		"it has nothing": {func(w http.ResponseWriter, r *http.Request, held http.Handler) {
			if r.Method != http.MethodHead {
				held.ServeHTTP(w, r)
			}
		}, "says that it has"},
		"it has something of another size": {func(w http.ResponseWriter, r *http.Request, held http.Handler) {
			if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 0-0/7")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write([]byte("x"))
			} else if r.Method != http.MethodHead {
				held.ServeHTTP(w, r)
			}
		}, "says that it has"},
		"it knows no ranges": {func(w http.ResponseWriter, r *http.Request, held http.Handler) {
			r.Header.Del("Range")
			held.ServeHTTP(w, r)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t)
			if tc.says == "" {
				d.published() // so that everything is there
			}
			held := d.held
			d.held = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/blobs/sha256:") {
					tc.answer(w, r, held)
					return
				}
				held.ServeHTTP(w, r)
			})
			_, err := d.gate().Run(t.Context(), d.plan())
			switch {
			case tc.says == "" && err != nil:
				t.Error(err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || d.tagged() != ""):
				t.Errorf("%v, the tag names %q; want %q", err, d.tagged(), tc.says)
			}
		})
	}
}
