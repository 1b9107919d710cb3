package advisory

import (
	"context"
	"encoding/json"
	"errors"
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
	"time"

	server "github.com/google/go-containerregistry/pkg/registry"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

// today is when the tests run.
var today = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

// impatient makes retries and timeouts quick.
func impatient() network.Patience {
	return network.Patience{Delay: time.Millisecond, MaxDelay: 4 * time.Millisecond, Budget: time.Second, Header: 2 * time.Second,
		Idle: 2 * time.Second}
}

// testRegistry is a registry in this process, behind a door that may be shut.
type testRegistry struct {
	host   string
	reads  atomic.Int64 // of blobs
	writes atomic.Int64
	// shut, if set, answers instead of the registry.
	shut atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newRegistry(t testing.TB, options ...server.Option) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	h := server.New(append(options, server.Logger(log.New(io.Discard, "", 0)))...)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if f := r.shut.Load(); f != nil && (*f)(w, q) {
			return
		}
		switch {
		case q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/"):
			r.reads.Add(1)
		case q.Method == http.MethodPut || q.Method == http.MethodPatch:
			r.writes.Add(1)
		}
		h.ServeHTTP(w, q)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	r.host = strings.TrimPrefix(s.URL, "http://")
	return r
}

// down makes the registry answer with a status.
func (r *testRegistry) down(status int) {
	f := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
	r.shut.Store(&f)
}

func (r *testRegistry) up() { r.shut.Store(nil) }

func (r *testRegistry) ref() string { return r.host + "/team/advisories:v2" }

func cacheOf(t testing.TB) *Cache {
	t.Helper()
	c, err := OpenCache(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func options(c *Cache) OpenOptions {
	return OpenOptions{Registry: registry.Options{Patience: impatient()}, Cache: c, Now: today}
}

// many are exports with enough packages for several shards.
func many() map[string][]file {
	by := small()
	for i := range 4000 {
		name := fmt.Sprintf("package-%d", i)
		by["npm"] = append(by["npm"], record(fmt.Sprintf("GHSA-%d", i), "npm", name, "0", fmt.Sprintf("1.%d.0", i), fmt.Sprintf("CVE-2023-%d", i)))
	}
	return by
}

// built builds a set and returns its layout.
func built(t testing.TB, by map[string][]file) (dir string, report BuildReport) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "set")
	report, err := Build(t.Context(), BuildOptions{From: exportsOf(t, by)}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, report
}

// pushed is a set in a registry.
func pushed(t testing.TB, r *testRegistry, by map[string][]file) BuildReport {
	t.Helper()
	dir, report := built(t, by)
	m, err := Mirror(t.Context(), "oci:"+dir, r.ref(), MoveOptions{OpenOptions: options(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest != report.Digest || m.CopiedBytes > m.Bytes || m.Bytes >= report.Bytes {
		t.Fatalf("pushed %+v, built %+v", m, report)
	}
	return report
}

func mustOpen(t testing.TB, ref string, o OpenOptions) *Set {
	t.Helper()
	s, err := Open(t.Context(), ref, o)
	if err != nil {
		t.Fatalf("%v (%s)", err, core.HintOf(err))
	}
	return s
}

func TestARemoteSetIsFetchedOnlyWhereItIsLookedUp(t *testing.T) {
	r := newRegistry(t)
	report := pushed(t, r, many())
	cache := cacheOf(t)
	s := mustOpen(t, r.ref(), options(cache))
	if s.Source().Digest != report.Digest || s.Source().Name != r.ref() {
		t.Errorf("source is %+v", s.Source())
	}
	// A thousand packages that nobody knows, and one that has a flaw.
	keys := Keys{Packages: []PackageName{{"npm", "package-7"}}}
	for i := range 1000 {
		keys.Packages = append(keys.Packages, PackageName{"npm", fmt.Sprintf("unknown-%d", i)})
	}
	if err := s.Prepare(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Packages {
		l, err := s.Affected(t.Context(), k.Ecosystem, k.Name)
		if err != nil || (len(l) > 0) != (k.Name == "package-7") {
			t.Fatalf("%s: %d advisories, %v", k.Name, len(l), err)
		}
	}
	if l, err := s.Lookup(t.Context(), "npm", "package-7"); err != nil || len(l) != 1 || l[0].ID != "GHSA-7" {
		t.Errorf("%+v, %v", l, err)
	}
	blobs, bytes := s.Fetched()
	if d := s.Describe(); blobs > d.Blobs/2 || bytes > d.Bytes/2 {
		t.Errorf("fetched %d of %d blobs, %d of %d bytes", blobs, d.Blobs, bytes, d.Bytes)
	}
	// Another run asks only what the tag leads to.
	reads := r.reads.Load()
	again := mustOpen(t, r.ref(), options(cache))
	if l, err := again.Lookup(t.Context(), "npm", "package-7"); err != nil || len(l) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if blobs, _ := again.Fetched(); blobs != 1 || r.reads.Load() != reads {
		t.Errorf("the second run fetched %d blobs", blobs)
	}
	// Without a cache it works as well.
	if l, err := mustOpen(t, r.ref(), options(nil)).Lookup(t.Context(), "npm", "package-7"); err != nil || len(l) != 1 {
		t.Errorf("without a cache: %+v, %v", l, err)
	}
}

func TestARegistryThatIsDownIsNotMissedWhereTheCacheWillDo(t *testing.T) {
	r := newRegistry(t)
	pushed(t, r, many())
	cache := cacheOf(t)
	s := mustOpen(t, r.ref(), options(cache))
	if _, err := s.Lookup(t.Context(), "npm", "package-7"); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{429, 503, 401} {
		r.down(status)
		s = mustOpen(t, r.ref(), options(cache))
		if note := s.Source().Note; !strings.Contains(note, "could not be asked") || !strings.Contains(note, fmt.Sprint(status)) {
			t.Errorf("%d: note is %q", status, note)
		}
		if l, err := s.Lookup(t.Context(), "npm", "package-7"); err != nil || len(l) != 1 {
			t.Errorf("%d: %+v, %v", status, l, err)
		}
		// What is not in the cache is an error, never an empty answer.
		if _, err := s.Lookup(t.Context(), "Go", "example.org/a"); err == nil {
			t.Errorf("%d: a shard that nobody has was not missed", status)
		}
	}
	// That it is gone is an answer.
	r.down(404)
	if _, err := Open(t.Context(), r.ref(), options(cache)); err == nil {
		t.Error("a set that is gone was used")
	}
	r.down(503)
	if _, err := Open(t.Context(), r.ref(), options(cacheOf(t))); err == nil || core.HintOf(err) == "" || core.Usage(err) {
		t.Errorf("with an empty cache: %v", err)
	}
}

func TestOfflineUsesTheCacheAndNothingElse(t *testing.T) {
	r := newRegistry(t)
	report := pushed(t, r, many())
	cache := cacheOf(t)
	offline := options(cache)
	offline.Offline = true
	if _, err := Open(t.Context(), r.ref(), offline); err == nil || !strings.Contains(core.HintOf(err), "advisories update") {
		t.Errorf("an empty cache: %v (%s)", err, core.HintOf(err))
	}
	m, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(cache)})
	if err != nil || m.Digest != report.Digest || m.Copied != report.Shards {
		t.Fatalf("%+v, %v; built %+v", m, err, report)
	}
	r.down(500)
	s := mustOpen(t, r.ref(), offline)
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if blobs, _ := s.Fetched(); blobs != 0 {
		t.Errorf("%d blobs were fetched", blobs)
	}
}

func TestAnUpdateFetchesOnlyWhatChanged(t *testing.T) {
	r := newRegistry(t)
	by := many()
	pushed(t, r, by)
	cache := cacheOf(t)
	first, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(cache)})
	if err != nil {
		t.Fatal(err)
	}
	by["npm"][7] = record("GHSA-7", "npm", "package-7", "0", "9.9.9", "CVE-2023-7")
	pushed(t, r, by)
	second, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(cache)})
	if err != nil || second.Copied > 3 || second.CopiedBytes > first.Bytes/2 || second.Digest == first.Digest {
		t.Errorf("the second update copied %d of %d blobs (%v)", second.Copied, second.Blobs, err)
	}
	if third, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(cache)}); err != nil || third.Copied != 0 {
		t.Errorf("the third update copied %d blobs (%v)", third.Copied, err)
	}
	s := mustOpen(t, r.ref(), options(cache))
	if l, err := s.Affected(t.Context(), "npm", "package-7"); err != nil || l[0].FixedVersions()[0] != "9.9.9" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestADamagedCacheIsRepairedAndNeverBelieved(t *testing.T) {
	r := newRegistry(t)
	pushed(t, r, many())
	cache := cacheOf(t)
	if _, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(cache)}); err != nil {
		t.Fatal(err)
	}
	blobs := files(t, filepath.Join(cache.dir, "blobs"))
	for i, name := range blobs {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			good[len(good)/2] ^= 1
		case 1:
			good = good[:len(good)/2]
		case 2:
			good = nil
		}
		if err := os.WriteFile(name, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, r.ref(), options(cache))
	if err := s.Verify(t.Context()); err != nil {
		t.Errorf("with the registry: %v", err)
	}
	offline := options(cache)
	offline.Offline = true
	if err := mustOpen(t, r.ref(), offline).Verify(t.Context()); err != nil {
		t.Errorf("what was fetched again was not kept: %v", err)
	}
	for _, head := range files(t, filepath.Join(cache.dir, "heads")) {
		if err := os.WriteFile(head, []byte(`{"reference":"x"`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), r.ref(), offline); err == nil {
		t.Error("a damaged head was believed")
	}
}

func TestTenAtOnceShareACacheWithoutWaiting(t *testing.T) {
	r := newRegistry(t)
	pushed(t, r, many())
	dir := filepath.Join(t.TempDir(), "cache")
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			c, err := OpenCache(dir)
			if err == nil && i%2 == 0 {
				_, err = Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(c)})
			}
			if err != nil {
				t.Error(err)
				return
			}
			s, err := Open(t.Context(), r.ref(), options(c))
			if err == nil {
				err = s.Verify(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, name := range files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), ".") {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestAPushThatBreaksOffIsInvisibleAndGoesOn(t *testing.T) {
	dir, report := built(t, many())
	for _, after := range []int64{1, 5, int64(report.Shards)} {
		r := newRegistry(t)
		var writes atomic.Int64
		broken := func(w http.ResponseWriter, q *http.Request) bool {
			if q.Method == http.MethodPut && writes.Add(1) > after {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
			return false
		}
		r.shut.Store(&broken)
		if _, err := Mirror(t.Context(), "oci:"+dir, r.ref(), MoveOptions{OpenOptions: options(nil)}); err == nil {
			t.Fatalf("after %d writes: no error", after)
		}
		r.up()
		if _, err := Open(t.Context(), r.ref(), options(nil)); err == nil {
			t.Errorf("after %d writes: the tag leads to half a set", after)
		}
		before := r.writes.Load()
		m, err := Mirror(t.Context(), "oci:"+dir, r.ref(), MoveOptions{OpenOptions: options(nil)})
		if err != nil || m.Copied >= m.Blobs && after > 1 {
			t.Errorf("after %d writes, again: %+v with %d writes, %v", after, m, r.writes.Load()-before, err)
		}
		if err := mustOpen(t, r.ref(), options(nil)).Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAMirrorThatBreaksOffGoesOnWhereItWas(t *testing.T) {
	r := newRegistry(t)
	report := pushed(t, r, many())
	var reads atomic.Int64
	broken := func(w http.ResponseWriter, q *http.Request) bool {
		if strings.Contains(q.URL.Path, "/blobs/") && reads.Add(1) > int64(report.Shards/2) {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	r.shut.Store(&broken)
	dir := filepath.Join(t.TempDir(), "copy")
	if _, err := Mirror(t.Context(), r.ref(), "oci:"+dir, MoveOptions{OpenOptions: options(nil)}); err == nil {
		t.Fatal("no error")
	}
	if _, err := Open(t.Context(), "oci:"+dir, options(nil)); err == nil {
		t.Error("half a set was opened")
	}
	r.up()
	m, err := Mirror(t.Context(), r.ref(), "oci:"+dir, MoveOptions{OpenOptions: options(nil)})
	if err != nil || m.Copied == 0 || m.Copied > m.Blobs*3/4 {
		t.Errorf("again: %+v, %v", m, err)
	}
	if err := mustOpen(t, "oci:"+dir, options(nil)).Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// sign adds to a layout what a signer would.
func sign(t testing.TB, dir string, tag string, manifest map[string]any, layers map[string][]byte) {
	t.Helper()
	w, err := newWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, head, err := layoutOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	for mediaType, blob := range layers {
		d, err := w.blob(mediaType, blob)
		if err != nil {
			t.Fatal(err)
		}
		entry := map[string]any{"mediaType": mediaType, "digest": d.Digest, "size": d.Size}
		if a, ok := manifest["layerAnnotations"]; ok {
			entry["annotations"] = a
		}
		list = append(list, entry)
	}
	config, err := w.blob("application/vnd.oci.empty.v1+json", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{"schemaVersion": 2, "mediaType": manifestMediaType, "config": config, "layers": list}
	for k, v := range manifest {
		if k != "layerAnnotations" {
			m[k] = v
		}
	}
	raw := marshal(t, m)
	d, err := w.blob(manifestMediaType, raw)
	if err != nil {
		t.Fatal(err)
	}
	set, err := l.get(t.Context(), head, maxManifest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.finish(set, []attached{{tag, d}}); err != nil {
		t.Fatal(err)
	}
}

// signedLayout is a set that is signed by a key, in a bundle and in the older form, and by an identity.
func signedLayout(t testing.TB, key signaturetest.Key, authority signaturetest.Authority) (dir string, report BuildReport) {
	t.Helper()
	dir, report = built(t, many())
	statement := signaturetest.Statement(t, report.Digest, signaturetest.SignType, nil)
	subject := map[string]any{"mediaType": manifestMediaType, "digest": report.Digest, "size": 1}
	for _, b := range [][]byte{key.Bundle(t, statement), authority.Bundle(t, workflow, issuer, statement)} {
		sign(t, dir, "", map[string]any{"artifactType": signaturetest.BundleType, "subject": subject},
			map[string][]byte{signaturetest.BundleType: b})
	}
	simple := key.Simple(t, report.Digest)
	sign(t, dir, registry.FallbackTag(report.Digest)+".sig", map[string]any{"layerAnnotations": simple.Annotations},
		map[string][]byte{signature.SimpleType: simple.Payload})
	return dir, report
}

const (
	workflow = "https://github.com/acme/advisories/.github/workflows/daily.yml@refs/heads/main"
	issuer   = "https://token.actions.githubusercontent.com"
)

func trusting(t testing.TB, k signaturetest.Key) signature.Trust {
	t.Helper()
	key, err := signature.ParseKey("cosign.pub", k.PEM(t))
	if err != nil {
		t.Fatal(err)
	}
	return signature.Trust{Keys: []signature.Key{key}}
}

func TestASignedSetIsUsedAndAnyOtherIsNot(t *testing.T) {
	key, authority := signaturetest.NewKey(t), signaturetest.NewAuthority(t)
	dir, report := signedLayout(t, key, authority)
	identity := signature.Trust{Identities: []signature.Identity{{Subject: workflow, Issuer: issuer}}, Root: authority.Root()}
	for name, option := range map[string][]server.Option{"referrers": {server.WithReferrersSupport(true)}, "tags": nil} {
		t.Run(name, func(t *testing.T) {
			r, cache := newRegistry(t, option...), cacheOf(t)
			m, err := Mirror(t.Context(), "oci:"+dir, r.ref(), MoveOptions{OpenOptions: options(nil)})
			if err != nil || m.Signatures != 3 {
				t.Fatalf("%+v, %v", m, err)
			}
			for who, trust := range map[string]signature.Trust{"cosign.pub": trusting(t, key), workflow + " (" + issuer + ")": identity} {
				o := options(cache)
				o.Trust = trust
				if s := mustOpen(t, r.ref(), o); s.Source().SignedBy != who || s.Source().Digest != report.Digest {
					t.Errorf("source is %+v, want it signed by %s", s.Source(), who)
				}
				// Offline, the signature is verified again: whoever can write to the cache could have written the head.
				o.Offline = true
				if s := mustOpen(t, r.ref(), o); s.Source().SignedBy != who {
					t.Errorf("offline: source is %+v", s.Source())
				}
			}
			o := options(cache)
			o.Trust = trusting(t, signaturetest.NewKey(t))
			for _, ref := range []string{r.ref(), "oci:" + dir} {
				if _, err := Open(t.Context(), ref, o); err == nil || !strings.Contains(err.Error(), "trusted signer") {
					t.Errorf("%s by a foreign key: %v", ref, err)
				}
			}
			// A copy of the copy keeps everything.
			back := filepath.Join(t.TempDir(), "back")
			if m, err := Mirror(t.Context(), r.ref(), "oci:"+back, MoveOptions{OpenOptions: options(nil)}); err != nil || m.Signatures != 3 || m.Digest != report.Digest {
				t.Fatalf("%+v, %v", m, err)
			}
			o.Trust = identity
			if s := mustOpen(t, "oci:"+back, o); s.Source().SignedBy == "" || s.Verify(t.Context()) != nil {
				t.Errorf("the copy: %+v", s.Source())
			}
		})
	}
	unsigned, _ := built(t, small())
	o := options(nil)
	o.Trust = trusting(t, key)
	if _, err := Open(t.Context(), "oci:"+unsigned, o); err == nil || !strings.Contains(err.Error(), "no signature") {
		t.Errorf("without a signature: %v", err)
	}
}

func TestARebuiltSetKeepsItsSignaturesOnlyIfItIsTheSame(t *testing.T) {
	key := signaturetest.NewKey(t)
	dir, _ := signedLayout(t, key, signaturetest.NewAuthority(t))
	o := options(nil)
	o.Trust = trusting(t, key)
	if _, err := Build(t.Context(), BuildOptions{From: exportsOf(t, many())}, dir); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, "oci:"+dir, o)
	if _, err := Build(t.Context(), BuildOptions{From: exportsOf(t, small())}, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "oci:"+dir, o); err == nil {
		t.Error("another set inherited the signature")
	}
}

func TestAnInterruptedMoveEndsAtOnce(t *testing.T) {
	r := newRegistry(t)
	pushed(t, r, many())
	hang := func(w http.ResponseWriter, q *http.Request) bool { <-q.Context().Done(); return true }
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Open(ctx, r.ref(), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	r.shut.Store(&hang)
	time.AfterFunc(20*time.Millisecond, cancel)
	started := time.Now()
	if err := s.Verify(ctx); !errors.Is(err, context.Canceled) || time.Since(started) > time.Second {
		t.Errorf("after %s: %v", time.Since(started), err)
	}
}

func TestReferencesThatAreNoSetsAreNamed(t *testing.T) {
	r := newRegistry(t)
	for ref, usage := range map[string]bool{"oci:": true, "UPPER CASE": true, r.host + "/none:v2": false, "./nothing": true} {
		if _, err := Open(t.Context(), ref, options(nil)); err == nil || core.Usage(err) != usage || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	dir, _ := built(t, small())
	for _, to := range []string{StarterReference, "oci:" + filepath.Dir(dir), r.host + "/x@sha256:" + strings.Repeat("0", 64)} {
		if _, err := Mirror(t.Context(), "oci:"+dir, to, MoveOptions{OpenOptions: options(nil)}); !core.Usage(err) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if _, err := Update(t.Context(), "oci:"+dir, MoveOptions{OpenOptions: options(cacheOf(t))}); !core.Usage(err) {
		t.Errorf("update of a directory: %v", err)
	}
	if _, err := Update(t.Context(), r.ref(), MoveOptions{OpenOptions: options(nil)}); !core.Usage(err) {
		t.Errorf("update without a cache: %v", err)
	}
}

func TestTheCacheForgetsWhatNothingLeadsTo(t *testing.T) {
	r := newRegistry(t)
	by := many()
	pushed(t, r, by)
	cache := cacheOf(t)
	o := MoveOptions{OpenOptions: options(cache)}
	if _, err := Update(t.Context(), r.ref(), o); err != nil {
		t.Fatal(err)
	}
	pushed(t, r, small())
	if _, err := Update(t.Context(), r.ref(), o); err != nil {
		t.Fatal(err)
	}
	before := len(files(t, filepath.Join(cache.dir, "blobs")))
	old := time.Now().Add(-3 * unused)
	for _, name := range files(t, cache.dir) {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	o.Now = time.Now()
	m, err := Update(t.Context(), r.ref(), o)
	if err != nil {
		t.Fatal(err)
	}
	if after := len(files(t, filepath.Join(cache.dir, "blobs"))); after != m.Blobs+1 || before <= after {
		t.Errorf("%d blobs of %d are left, want the %d of the set in use", after, before, m.Blobs)
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
