package gate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/core"
	said "github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/target"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// public writes a public key to a file.
func public(t *testing.T, k signaturetest.Key) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pub")
	write(t, file, string(k.PEM(t)))
	return file
}

func keyed(files ...string) gate.SignerFiles {
	var out gate.SignerFiles
	for _, f := range files {
		out.Signers = append(out.Signers, policy.Signer{Key: f})
	}
	return out
}

// shipped is a dock with an image that nobody signed, and a key that may.
type shipped struct {
	*dock
	key  signaturetest.Key
	file string
}

func newShipped(t *testing.T) *shipped {
	t.Helper()
	s := &shipped{dock: newDock(t, server.WithReferrersSupport(true)), key: signaturetest.NewKey(t)}
	s.file = public(t, s.key)
	s.push("app", images.Clean("amd64"))
	return s
}

// push puts an image of that description into a repository, and makes it the one that things are attached to.
func (s *shipped) push(repository string, spec images.Spec) core.Digest {
	s.t.Helper()
	img, err := images.Build(spec)
	s.must(err)
	ref, err := name.NewTag(s.host+"/team/"+repository+":1", name.Insecure)
	s.must(err)
	s.must(remote.Write(ref, img))
	hash, err := img.Digest()
	s.must(err)
	s.digest = core.Digest(hash.String())
	return s.digest
}

func (s *shipped) repository(name string) *registry.Repository {
	s.t.Helper()
	ref, err := registry.ParseReference(s.host + "/team/" + name + ":1")
	s.must(err)
	r, err := registry.Dial(context.Background(), ref.Context(), registry.Options{Write: true})
	s.must(err)
	return r
}

// attach keeps a bundle beside the image.
func (s *shipped) attach(predicateType string, bundle []byte) {
	s.t.Helper()
	r := s.repository("app")
	m, err := r.Resolve(context.Background(), string(s.digest))
	s.must(err)
	_, err = said.Attach(context.Background(), r, []said.Attachment{{PredicateType: predicateType, Content: bundle, Created: judgedAt,
		Subject: target.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: int64(len(m.Raw))}}})
	s.must(err)
}

func (s *shipped) statement(predicateType string, about core.Digest, predicate json.RawMessage) []byte {
	return signaturetest.Statement(s.t, about, predicateType, predicate)
}

func (s *shipped) summary(change func(*said.Summary)) json.RawMessage {
	s.t.Helper()
	v := said.Summary{Version: "test", Verified: judgedAt.Add(-time.Hour), Resource: s.host + "/team/app", Passed: true,
		Policy: core.PolicyRef{Name: "strict", Digest: "sha256:" + core.Digest(strings.Repeat("5", 64))}}
	if change != nil {
		change(&v)
	}
	raw, err := v.Encode()
	s.must(err)
	return raw
}

func (s *shipped) verify(p gate.VerifyPlan) *gate.Verification {
	s.t.Helper()
	p.Image = s.host + "/team/app:1"
	v, err := newGate().Verify(context.Background(), p)
	s.must(err)
	return v
}

func TestASignatureOfEitherFormCounts(t *testing.T) {
	for name, sign := range map[string]func(*shipped){
		"bundle": func(s *shipped) {
			s.attach(said.TypeSignature, s.key.Bundle(t, s.statement(said.TypeSignature, s.digest, json.RawMessage(`{}`))))
		},
		"older form": func(s *shipped) {
			s.must(said.AttachOlder(context.Background(), s.repository("app"), s.digest, s.key.Simple(t, s.digest)))
		},
		"older form, beside a bundle of somebody else": func(s *shipped) {
			other := signaturetest.NewKey(t)
			s.attach(said.TypeSignature, other.Bundle(t, s.statement(said.TypeSignature, s.digest, json.RawMessage(`{}`))))
			s.must(said.AttachOlder(context.Background(), s.repository("app"), s.digest, s.key.Simple(t, s.digest)))
		},
		"bundle, beside rubble and the older form of somebody else": func(s *shipped) {
			other := signaturetest.NewKey(t)
			s.attach(said.TypeSignature, []byte("{"))
			s.must(said.AttachOlder(context.Background(), s.repository("app"), s.digest, other.Simple(t, s.digest)))
			s.attach(said.TypeSignature, s.key.Bundle(t, s.statement(said.TypeSignature, s.digest, json.RawMessage(`{}`))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShipped(t)
			if v := s.verify(gate.VerifyPlan{Signers: keyed(s.file)}); v.Decision != core.Refused || len(v.Manifests[0].Refusals) != 1 {
				t.Errorf("before it is signed: %+v", v)
			}
			sign(s)
			if v := s.verify(gate.VerifyPlan{Signers: keyed(s.file)}); v.Decision != core.Passed || v.Digest != s.digest {
				t.Errorf("signed: %+v", v)
			}
			v := s.verify(gate.VerifyPlan{Signers: keyed(public(t, signaturetest.NewKey(t)))})
			if v.Decision != core.Refused || len(v.Manifests[0].Ignored) == 0 {
				t.Errorf("by another key: %+v", v)
			}
		})
	}
}

func TestOnlyTheVerdictThatIsWantedCounts(t *testing.T) {
	five := core.Digest("sha256:" + strings.Repeat("5", 64))
	for name, tc := range map[string]struct {
		predicate func(*shipped) json.RawMessage
		demands   said.SummaryDemands
		says      string // empty: it counts
	}{
		"passed":              {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{}, ""},
		"this policy, lately": {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{Policy: five, MaxAge: 2 * time.Hour}, ""},
		"another policy":      {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{Policy: "sha256:" + core.Digest(strings.Repeat("6", 64))}, "it is about the policy strict"},
		"long ago":            {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{MaxAge: time.Minute}, "which is 1h0m0s ago"},
		"in the future": {func(s *shipped) json.RawMessage {
			return s.summary(func(v *said.Summary) { v.Verified = judgedAt.Add(time.Hour) })
		}, said.SummaryDemands{}, "in the future"},
		"another verifier": {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{Verifier: "https://verifier.example"}, "its verifier is"},
		"another name":     {func(s *shipped) json.RawMessage { return s.summary(nil) }, said.SummaryDemands{Resource: "registry.example/other"}, "and \"registry.example/other\" is wanted"},
		"failed":           {func(s *shipped) json.RawMessage { return s.summary(func(v *said.Summary) { v.Passed = false }) }, said.SummaryDemands{}, `its result is "FAILED"`},
		"no time": {func(s *shipped) json.RawMessage {
			return json.RawMessage(`{"verifier":{"id":"` + said.VerifierID + `"}}`)
		}, said.SummaryDemands{}, "is none"},
		"no level": {func(s *shipped) json.RawMessage {
			return json.RawMessage(strings.Replace(string(s.summary(nil)), said.LevelPassed, "SLSA_BUILD_LEVEL_3", 1))
		}, said.SummaryDemands{}, "does not say that the policy was passed"},
		"an odd policy": {func(s *shipped) json.RawMessage {
			return json.RawMessage(strings.Replace(string(s.summary(nil)), strings.Repeat("5", 64), `\u001b[2J`, 1))
		}, said.SummaryDemands{}, "which is no digest"},
		"of another structure": {func(s *shipped) json.RawMessage { return json.RawMessage(`{"verifier":[]}`) }, said.SummaryDemands{}, "not a verification summary"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShipped(t)
			s.attach(said.TypeVSA, s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, tc.predicate(s))))
			v := s.verify(gate.VerifyPlan{Signers: keyed(s.file), Summary: &tc.demands})
			switch refusals := strings.Join(v.Manifests[0].Refusals, "\n"); {
			case tc.says == "" && (v.Decision != core.Passed || v.Manifests[0].Summary == nil):
				t.Errorf("refused: %s", refusals)
			case tc.says != "" && (v.Decision != core.Refused || !strings.Contains(refusals, tc.says)):
				t.Errorf("%v: %s; want %q", v.Decision, refusals, tc.says)
			}
			if v := s.verify(gate.VerifyPlan{Signers: keyed(public(t, signaturetest.NewKey(t))), Summary: &tc.demands}); v.Decision != core.Refused {
				t.Error("it counts for another key")
			}
			if v := s.verify(gate.VerifyPlan{Signers: keyed(s.file)}); v.Decision != core.Refused {
				t.Error("a verdict is taken for a signature")
			}
		})
	}
}

func TestAPassThatWasTakenBackDoesNotCount(t *testing.T) {
	s := newShipped(t)
	attach := func(ago time.Duration, passed bool) {
		s.attach(said.TypeVSA, s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, s.summary(func(v *said.Summary) {
			v.Verified, v.Passed = judgedAt.Add(-ago), passed
		}))))
	}
	for _, step := range []struct {
		ago    time.Duration
		passed bool
		want   core.Decision
	}{{3 * time.Hour, true, core.Passed}, {2 * time.Hour, false, core.Refused}, {time.Hour, true, core.Passed}} {
		attach(step.ago, step.passed)
		if v := s.verify(gate.VerifyPlan{Signers: keyed(s.file), Summary: &said.SummaryDemands{}}); v.Decision != step.want {
			t.Errorf("with one of %s ago: %+v", step.ago, v)
		}
	}
}

func TestAVerdictAboutAnotherImageDoesNotCount(t *testing.T) {
	s := newShipped(t)
	bundle := s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, s.summary(nil)))
	s.push("app", images.Vulnerable("amd64")) // and the tag moves
	s.attach(said.TypeVSA, bundle)
	v := s.verify(gate.VerifyPlan{Signers: keyed(s.file), Summary: &said.SummaryDemands{}})
	if v.Decision != core.Refused || len(v.Manifests[0].Ignored) != 1 {
		t.Errorf("%+v", v)
	}
}

func TestASignatureIsNoVerdict(t *testing.T) {
	s := newShipped(t)
	s.attach(said.TypeVSA, s.key.Bundle(t, s.statement(said.TypeSignature, s.digest, s.summary(nil))))
	if v := s.verify(gate.VerifyPlan{Signers: keyed(s.file), Summary: &said.SummaryDemands{}}); v.Decision != core.Refused {
		t.Errorf("%+v", v)
	}
}

func TestWhatIsPublishedIsVerified(t *testing.T) {
	d := newDock(t)
	if _, err := d.gate().Run(context.Background(), d.plan()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pub")
	raw, err := d.trust.Keys[0].PEM()
	d.must(err)
	write(t, file, string(raw))
	plan := gate.VerifyPlan{Image: d.host + "/team/app:1", Signers: keyed(file), EachPlatform: true, Policy: d.policy,
		Summary: &said.SummaryDemands{MaxAge: time.Hour}, Attested: []string{"cyclonedx", "spdx", "vulns"}}
	v, err := newGate().Verify(context.Background(), plan)
	if err != nil || v.Decision != core.Passed || len(v.Manifests) != 3 {
		t.Fatalf("%+v, %v", v, err)
	}
	plan.Attested = []string{"provenance"}
	if v, err := newGate().Verify(context.Background(), plan); err != nil || v.Decision != core.Refused {
		t.Errorf("what is not there: %+v, %v", v, err)
	}
	plan.Attested, plan.Policy = nil, "strict"
	if v, err := newGate().Verify(context.Background(), plan); err != nil || v.Decision != core.Refused {
		t.Errorf("another policy: %+v, %v", v, err)
	}
}

func TestBundlesAreVerifiedWithoutARegistry(t *testing.T) {
	s := newShipped(t)
	bundle := s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, s.summary(nil)))
	file := filepath.Join(t.TempDir(), "bundle.json")
	write(t, file, string(bundle))
	for image, want := range map[string]core.Decision{
		"registry.invalid/app@" + string(s.digest):               core.Passed,
		"registry.invalid/app@sha256:" + strings.Repeat("1", 64): core.Refused,
		"oci:" + s.layout: core.Refused,
	} {
		v, err := newGate().Verify(context.Background(), gate.VerifyPlan{Image: image, Signers: keyed(s.file), Bundles: []string{file},
			Summary: &said.SummaryDemands{}})
		if err != nil || v.Decision != want {
			t.Errorf("%s: %+v, %v", image, v, err)
		}
	}
}

// Whatever byte of a bundle is changed: it does not verify, or it says the same.
func TestAChangedBundleDoesNotCount(t *testing.T) {
	s := newShipped(t)
	file := filepath.Join(t.TempDir(), "bundle.json")
	raw := s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, s.summary(nil)))
	plan := gate.VerifyPlan{Image: "registry.invalid/app@" + string(s.digest), Signers: keyed(s.file), Bundles: []string{file},
		Summary: &said.SummaryDemands{}}
	write(t, file, string(raw))
	right, err := newGate().Verify(context.Background(), plan)
	s.must(err)
	want, err := json.Marshal(right)
	s.must(err)
	refused := 0
	for i := 0; i < len(raw); i += 3 {
		changed := slices.Clone(raw)
		changed[i] ^= 1
		s.must(os.WriteFile(file, changed, 0o644))
		v, err := newGate().Verify(context.Background(), plan)
		s.must(err)
		if v.Decision == core.Refused {
			refused++
			continue
		}
		// What is not signed says nothing: names of members that are not read, and the hint of the key.
		if got, _ := json.Marshal(v); string(got) != string(want) {
			t.Fatalf("with byte %d changed it says\n%s", i, got)
		}
	}
	if refused < len(raw)/3*9/10 {
		t.Errorf("only %d of %d changes are refused", refused, len(raw)/3)
	}
}

func TestVerifyingNeedsSomebodyWhoCounts(t *testing.T) {
	s := newShipped(t)
	key := keyed(s.file)
	for name, p := range map[string]gate.VerifyPlan{
		"nobody":            {Image: s.host + "/team/app:1"},
		"an odd type":       {Image: s.host + "/team/app:1", Signers: key, Attested: []string{"sbom"}},
		"no such key":       {Image: s.host + "/team/app:1", Signers: keyed("none.pub")},
		"no such policy":    {Image: s.host + "/team/app:1", Signers: key, Policy: "none.yaml"},
		"two policies":      {Image: s.host + "/team/app:1", Signers: key, Policy: "strict", Summary: &said.SummaryDemands{Policy: s.digest}},
		"no such bundle":    {Image: s.host + "/team/app:1", Signers: key, Bundles: []string{"none.json"}},
		"no reference":      {Image: "UPPER CASE", Signers: key},
		"an identity alone": {Image: s.host + "/team/app:1", Signers: gate.SignerFiles{Signers: []policy.Signer{{Identity: "a", Issuer: "b"}}}},
	} {
		if v, err := newGate().Verify(context.Background(), p); !core.Usage(err) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	for name, image := range map[string]string{"no such image": s.host + "/team/none:1", "no such registry": "127.0.0.1:1/team/app:1"} {
		if _, err := newGate().Verify(context.Background(), gate.VerifyPlan{Image: image, Signers: key}); err == nil || gate.ExitCode(nil, err) != core.ExitUndecided {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// serve puts something between the registry and whoever asks it.
func (s *shipped) serve(answer func(w http.ResponseWriter, r *http.Request, held http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	s.held = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, held) })
}

// Whoever may push can attach what breaks, or the same content under another claim. It hides nothing, and refuses nothing.
func TestWhatIsBrokenOrLiesHidesNothing(t *testing.T) {
	const bundles = "application/vnd.dev.sigstore.bundle.v0.3+json"
	for name, manifest := range map[string]func(digest core.Digest, size int) string{
		"calls it something else": func(d core.Digest, size int) string {
			return fmt.Sprintf(`{"annotations":{"dev.sigstore.bundle.predicateType":"https://example.invalid/x"},
				"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`, bundles, d, size)
		},
		"calls it an envelope": func(d core.Digest, size int) string {
			return fmt.Sprintf(`{"layers":[{"mediaType":"application/vnd.dsse.envelope.v1+json","digest":%q,"size":%d}]}`, d, size)
		},
		"too long":  func(d core.Digest, size int) string { return layers(bundles, d, size-1) },
		"too short": func(d core.Digest, size int) string { return layers(bundles, d, size+1) },
		"negative":  func(d core.Digest, _ int) string { return layers(bundles, d, -1) },
		"too large": func(d core.Digest, _ int) string { return layers(bundles, d, 1<<40) },
		"not there": func(core.Digest, int) string {
			return layers(bundles, "sha256:"+core.Digest(strings.Repeat("0", 64)), 10)
		},
		"no digest":  func(core.Digest, int) string { return layers(bundles, "../../other/manifests/1", 10) },
		"no layers":  func(core.Digest, int) string { return `{"layers":{}}` },
		"no JSON":    func(core.Digest, int) string { return `<html>` },
		"no content": func(core.Digest, int) string { return `` },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShipped(t)
			bundle := s.key.Bundle(t, s.statement(said.TypeVSA, s.digest, s.summary(nil)))
			s.attach(said.TypeVSA, bundle)
			lie := []byte(manifest(verify.DigestOf(bundle), len(bundle)))
			s.serve(func(w http.ResponseWriter, r *http.Request, held http.Handler) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/manifests/"+string(verify.DigestOf(lie))):
					_, _ = w.Write(lie)
				case strings.Contains(r.URL.Path, "/referrers/"):
					recorded := httptest.NewRecorder()
					held.ServeHTTP(recorded, r)
					var list struct {
						Manifests []json.RawMessage `json:"manifests"`
					}
					s.must(json.Unmarshal(recorded.Body.Bytes(), &list))
					first := fmt.Sprintf(`{"artifactType":%q,"digest":%q,"size":1}`, bundles, verify.DigestOf(lie))
					list.Manifests = append([]json.RawMessage{json.RawMessage(first)}, list.Manifests...)
					_ = json.NewEncoder(w).Encode(list)
				case strings.Contains(r.URL.Path, "/other/"):
					t.Errorf("it asks for %s", r.URL)
				default:
					held.ServeHTTP(w, r)
				}
			})
			v := s.verify(gate.VerifyPlan{Signers: keyed(s.file), Summary: &said.SummaryDemands{}})
			if v.Decision != core.Passed || len(v.Manifests[0].Attestations) != 1 {
				t.Errorf("%+v", v)
			}
		})
	}
}

// layers is a manifest with one layer.
func layers(mediaType string, d core.Digest, size int) string {
	return fmt.Sprintf(`{"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`, mediaType, d, size)
}

// An index whose platforms cannot be told must not pass for one that has none.
func TestPlatformsThatCannotBeToldAreNotVerified(t *testing.T) {
	s := newShipped(t)
	platform := s.digest
	for name, tc := range map[string]struct {
		entries, says string
	}{
		"as it should be":        {fmt.Sprintf(`[{"digest":%q,"platform":{"os":"linux","architecture":"amd64"}}]`, platform), ""},
		"an odd platform":        {fmt.Sprintf(`[{"digest":%q,"platform":"linux/amd64"}]`, platform), "not of the right form"},
		"an object":              {fmt.Sprintf(`{"digest":%q}`, platform), "not of the right form"},
		"a digest in upper case": {fmt.Sprintf(`[{"digest":%q}]`, strings.ToUpper(string(platform))), "without a digest"},
		"no digest":              {`[{"platform":{"os":"linux","architecture":"amd64"}}]`, "without a digest"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShipped(t)
			index := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":` + tc.entries + `}`)
			top := verify.DigestOf(index)
			bundle := s.key.Bundle(t, s.statement(said.TypeSignature, top, json.RawMessage(`{}`)))
			held := fmt.Sprintf(`{"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":%q,"size":%d}]}`,
				verify.DigestOf(bundle), len(bundle))
			s.serve(func(w http.ResponseWriter, r *http.Request, registry http.Handler) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/manifests/1"):
					_, _ = w.Write(index)
				case strings.HasSuffix(r.URL.Path, "/referrers/"+string(top)):
					fmt.Fprintf(w, `{"manifests":[{"digest":%q}]}`, verify.DigestOf([]byte(held)))
				case strings.HasSuffix(r.URL.Path, string(verify.DigestOf([]byte(held)))):
					_, _ = w.Write([]byte(held))
				case strings.HasSuffix(r.URL.Path, string(verify.DigestOf(bundle))):
					_, _ = w.Write(bundle)
				default:
					registry.ServeHTTP(w, r)
				}
			})
			plan := gate.VerifyPlan{Image: s.host + "/team/app:1", Signers: keyed(s.file)}
			if v, err := newGate().Verify(t.Context(), plan); err != nil || v.Decision != core.Passed {
				t.Fatalf("the index as a whole: %+v, %v", v, err)
			}
			plan.EachPlatform = true
			v, err := newGate().Verify(t.Context(), plan)
			switch {
			case tc.says == "" && (err != nil || len(v.Manifests) != 2 || v.Decision != core.Refused):
				t.Errorf("nobody signed the platform: %+v, %v", v, err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("%+v, %v; want %q", v, err, tc.says)
			}
		})
	}
}

// A registry that answers byte by byte must not hold up whoever asks it.
func TestVerifyingAndPromotingEndInTime(t *testing.T) {
	d := newDock(t)
	d.published()
	held := d.held
	d.held = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(50 * time.Millisecond)
			}
			return
		}
		held.ServeHTTP(w, r)
	})
	limits := gate.Limits{Time: 300 * time.Millisecond}
	_, err := d.gate().Verify(context.Background(), gate.VerifyPlan{Image: d.host + "/team/app:1", Limits: limits,
		Signers: gate.SignerFiles{Signers: []policy.Signer{{Key: d.public()}}}})
	if err == nil || !strings.Contains(err.Error(), "limit time") {
		t.Errorf("verifying: %v", err)
	}
	p := d.promotion(d)
	p.Limits = limits
	if m, err := d.gate().Promote(context.Background(), p); err == nil || !strings.Contains(err.Error(), "limit time") {
		t.Errorf("promoting: %+v, %v", m, err)
	}
}
