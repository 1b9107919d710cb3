//go:build clients

package attest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core"
	ours "github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// testSigstore is one that is asked what it accepts.
type testSigstore struct{ *clients.Sigstore }

// image is one in a registry that lives as long as the test.
type image struct {
	name   name.Digest
	digest core.Digest
}

func pushImage(t *testing.T) image {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	made, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, made); err != nil {
		t.Fatal(err)
	}
	d, err := made.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return image{ref.Context().Digest(d.String()), core.Digest(d.String())}
}

// attachBundles attaches one that signs and one that attests.
func attachBundles(t *testing.T, s Signer, i image) {
	t.Helper()
	for _, one := range []Statement{
		{PredicateType: TypeSignature, Predicate: []byte(`{}`)},
		{PredicateType: TypeVSA, Predicate: []byte(`{"verificationResult":"PASSED"}`)},
	} {
		// Those of a platform and of the index share it.
		one.Subjects = []Subject{{Digest: otherDigest}, {Name: i.name.Context().Name(), Digest: i.digest}}
		raw, err := one.Encode()
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := s.SignStatement(t.Context(), raw)
		if err != nil {
			t.Fatalf("%v (%s)", err, core.HintOf(err))
		}
		if err := ociremote.WriteAttestationNewBundleFormat(i.name, bundle, one.PredicateType); err != nil {
			t.Fatal(err)
		}
	}
}

// attachOlder attaches a signature of the older form. Stock cosign does not look at it where bundles lie beside it.
func attachOlder(t *testing.T, s Signer, i image) {
	t.Helper()
	payload, err := Payload(i.name.Context().Name(), i.digest)
	if err != nil {
		t.Fatal(err)
	}
	simple, err := s.SignPayload(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: static.NewLayer(simple.Payload, signature.SimpleType), Annotations: simple.Annotations})
	if err != nil {
		t.Fatal(err)
	}
	sig = mutate.ConfigMediaType(sig, types.OCIConfigJSON)
	if err := remote.Write(i.name.Context().Tag(strings.Replace(string(i.digest), ":", "-", 1)+".sig"), sig); err != nil {
		t.Fatal(err)
	}
}

// TestClientSigstoreAcceptsWhatAnIdentitySigns signs with each platform's identity; stock cosign verifies.
func TestClientSigstoreAcceptsWhatAnIdentitySigns(t *testing.T) {
	s := &testSigstore{clients.StartSigstore(t)}
	file := fileOf(t, []byte(s.Token(t, "cluster", map[string]any{"sub": "system:serviceaccount:ci:release", "aud": []string{"sigstore"},
		"kubernetes.io": map[string]any{"namespace": "ci", "pod": map[string]any{"name": "p", "uid": "1"},
			"serviceaccount": map[string]any{"name": "release", "uid": "2"}}})))
	gitlab := map[string]any{"sub": "project_path:acme/app:ref_type:branch:ref:main", "ci_config_ref_uri": "gitlab.example/acme/app//.gitlab-ci.yml@refs/heads/main"}
	for _, tc := range []struct {
		name, provider, identity string
		o                        SignerOptions
		env                      map[string]string
	}{
		{"a person", "people", clients.Person, SignerOptions{IdentityToken: s.Personal(t)}, nil},
		{"a job of GitHub", "github", "https://github.com/" + clients.Workflow, SignerOptions{}, map[string]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL":   s.Issuer + "/github/token?sub=repo:acme/app&repository=acme/app&job_workflow_ref=" + clients.Workflow,
			"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "right-to-ask"}},
		{"a job of GitLab", "gitlab", "https://gitlab.example/acme/app//.gitlab-ci.yml@refs/heads/main", SignerOptions{},
			map[string]string{"SIGSTORE_ID_TOKEN": s.Token(t, "gitlab", gitlab)}},
		{"a pod", "cluster", "https://kubernetes.io/namespaces/ci/serviceaccounts/release", SignerOptions{}, map[string]string{"SIGSTORE_ID_TOKEN_FILE": file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := tc.o
			o.SigningConfig, o.TrustedRoot, o.Getenv = s.SigningConfig, s.TrustedRoot, environment(tc.env)
			signer, err := NewSigner(t.Context(), o)
			if err != nil {
				t.Fatalf("%v (%s)", err, core.HintOf(err))
			}
			i, older := pushImage(t), pushImage(t)
			attachBundles(t, signer, i)
			attachOlder(t, signer, older)
			if signer.LegacyByDefault() {
				t.Error("the older form is written by default, and no log has it")
			}
			s.acceptsIdentity(t, i, older, tc.identity, s.Issuer+"/"+tc.provider)
			for _, one := range []image{i, older} {
				s.weAccept(t, one, signature.Trust{Identities: []signature.Identity{{Subject: tc.identity, Issuer: s.Issuer + "/" + tc.provider}}})
			}
		})
	}
}

// acceptsIdentity runs stock cosign over every form, with the right identity and with wrong ones.
func (s *testSigstore) acceptsIdentity(t *testing.T, i, old image, identity, issuer string) {
	t.Helper()
	bundle := []string{"--new-bundle-format", "--trusted-root", s.TrustedRoot, "--use-signed-timestamps", "--allow-http-registry"}
	older := []string{"--new-bundle-format=false", "--ca-roots", s.Authority, "--timestamp-certificate-chain", s.StampChain,
		"--insecure-ignore-tlog", "--allow-http-registry"}
	for _, form := range []struct {
		i       image
		command string
		flags   []string
	}{
		{i, "verify", bundle}, {i, "verify-attestation", append([]string{"--type", TypeVSA}, bundle...)}, {old, "verify", older},
	} {
		for _, who := range []struct {
			identity, issuer string
			accepted         bool
		}{{identity, issuer, true}, {"somebody@example.invalid", issuer, false}, {identity, s.Issuer + "/other", false}} {
			args := append([]string{form.command, "--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer}, form.flags...)
			text, err := s.TryCosign([]string{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=" + s.LogKey}, append(args, form.i.name.String())...)
			if (err == nil) != who.accepted {
				t.Errorf("cosign %s: %v\n%s", strings.Join(args, " "), err, text)
			}
		}
	}
}

// weAccept verifies what lies beside an image with what verifies everywhere in this program.
func (s *testSigstore) weAccept(t *testing.T, i image, trust signature.Trust) {
	t.Helper()
	if err := s.weVerify(t, i, trust, s.TrustedRoot); err != nil {
		t.Errorf("we do not accept it: %v", err)
	}
}

func (s *testSigstore) weVerify(t *testing.T, i image, trust signature.Trust, trustedRoot string) error {
	t.Helper()
	raw, err := os.ReadFile(trustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	if trust.Root, err = signature.ParseRoot(raw); err != nil {
		t.Fatal(err)
	}
	r, err := ours.Dial(t.Context(), i.name.Context(), ours.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.Attached(t.Context(), i.digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	var manifests [][]byte
	for _, one := range found {
		manifests = append(manifests, one.Raw)
	}
	material, err := signature.Read(t.Context(), manifests, func(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
		blob, err := r.Blob(ctx, d, size)
		if err != nil {
			return nil, err
		}
		defer blob.Close()
		return io.ReadAll(blob)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(material.Bundles)+len(material.Simple) == 0 {
		t.Fatal("nothing is attached")
	}
	for _, one := range []signature.Material{{Bundles: material.Bundles}, {Simple: material.Simple}} {
		if len(one.Bundles)+len(one.Simple) == 0 {
			continue
		}
		if _, err := trust.Signed(t.Context(), i.digest, one); err != nil {
			return err
		}
	}
	return nil
}

// TestClientSigstoreAcceptsWhatAKeySigns signs with every kind of key, with and without services.
func TestClientSigstoreAcceptsWhatAKeySigns(t *testing.T) {
	s := &testSigstore{clients.StartSigstore(t)}
	for kind, private := range keyKinds(t) {
		for _, with := range []string{"", s.SigningConfig} {
			if kind == "Ed25519" && with != "" {
				continue // logs take none
			}
			t.Run(fmt.Sprintf("%s, services: %t", kind, with != ""), func(t *testing.T) {
				o := SignerOptions{Key: fileOf(t, sealed(t, private, password)), SigningConfig: with,
					Getenv: environment(map[string]string{"COSIGN_PASSWORD": password})}
				if with != "" {
					o.TrustedRoot = s.TrustedRoot
				}
				signer, err := NewSigner(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				i, older := pushImage(t), pushImage(t)
				attachBundles(t, signer, i)
				attachOlder(t, signer, older)
				public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
				if err != nil {
					t.Fatal(err)
				}
				key := fileOf(t, public)
				hash := map[string]string{"P-384": "sha384", "P-521": "sha512"}[kind]
				flags := []string{"--key", key, "--allow-http-registry"}
				if hash != "" {
					flags = append(flags, "--signature-digest-algorithm", hash)
				}
				for n, form := range [][]string{
					{"verify", "--new-bundle-format", "--trusted-root", s.TrustedRoot, tlogFlag(with)},
					{"verify-attestation", "--type", TypeVSA, "--new-bundle-format", "--trusted-root", s.TrustedRoot, tlogFlag(with)},
					{"verify", "--new-bundle-format=false", "--insecure-ignore-tlog"},
				} {
					if text, err := s.TryCosign(nil, append(append(form, flags...), []image{i, i, older}[n].name.String())...); err != nil {
						t.Errorf("cosign %s: %v\n%s", strings.Join(append(form, flags...), " "), err, text)
					}
				}
				trust := trustIn(t, private.Public())
				s.weAccept(t, i, trust)
				s.weAccept(t, older, trust)
			})
		}
	}
}

func tlogFlag(services string) string {
	if services == "" {
		return "--insecure-ignore-tlog"
	}
	return "--use-signed-timestamps"
}

// TestClientSigstoreSignsWhatWeAccept lets stock cosign sign, in both forms, with keys and identities.
func TestClientSigstoreSignsWhatWeAccept(t *testing.T) {
	s := &testSigstore{clients.StartSigstore(t)}
	id := signature.Trust{Identities: []signature.Identity{{Subject: clients.Person, Issuer: s.Issuer + "/people"}}}
	for _, with := range [][2]string{s.Unlogged, {s.SigningConfig, s.TrustedRoot}} {
		t.Run("identity, bundle, "+filepath.Base(with[0]), func(t *testing.T) {
			i := pushImage(t)
			s.Cosign(t, nil, "sign", "--signing-config", with[0], "--trusted-root", with[1], "--new-bundle-format",
				"--identity-token", fileOf(t, []byte(s.Personal(t))), "--allow-http-registry", i.name.String())
			// A log of the second version keeps the envelope as dsse 0.0.2.
			if err := s.weVerify(t, i, id, with[1]); err != nil {
				t.Errorf("we do not accept it: %v", err)
			}
			if err := s.weVerify(t, i, id, s.Unlogged[1]); err != nil {
				t.Errorf("we do not accept it without its log: %v", err)
			}
			nobody := signature.Trust{Identities: []signature.Identity{{Subject: "else-" + clients.Person, Issuer: s.Issuer + "/people"}}}
			if s.weVerify(t, i, nobody, with[1]) == nil {
				t.Error("we accept it by somebody else")
			}
		})
	}
	t.Run("identity, older form", func(t *testing.T) {
		i := pushImage(t)
		s.Cosign(t, []string{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=" + s.LogKey}, "sign", "--new-bundle-format=false", "--fulcio-url", s.Fulcio,
			"--tlog-upload=false", "--timestamp-server-url", s.Stamps, "--identity-token", fileOf(t, []byte(s.Personal(t))), "--allow-http-registry", i.name.String())
		s.weAccept(t, i, id)
	})
	t.Run("logged key, bundle", func(t *testing.T) {
		i, private := pushImage(t), newECDSA(t)
		s.Cosign(t, []string{"COSIGN_PASSWORD=" + password}, "sign", "--new-bundle-format", "--signing-config", s.SigningConfig, "--trusted-root",
			s.TrustedRoot, "--key", fileOf(t, sealed(t, private, password)), "--allow-http-registry", i.name.String())
		s.weAccept(t, i, trustIn(t, private.Public()))
	})
	for kind, private := range keyKinds(t) {
		for _, form := range []string{"--new-bundle-format", "--new-bundle-format=false"} {
			t.Run(kind+" "+form, func(t *testing.T) {
				i := pushImage(t)
				s.Cosign(t, []string{"COSIGN_PASSWORD=" + password}, "sign", form, "--tlog-upload=false", "--key",
					fileOf(t, sealed(t, private, password)), "--allow-http-registry", i.name.String())
				s.weAccept(t, i, trustIn(t, private.Public()))
			})
		}
	}
}
