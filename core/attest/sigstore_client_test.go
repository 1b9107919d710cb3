//go:build clients

package attest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// sigstorePrograms are the services of a private Sigstore, as .ci/run builds them.
var sigstorePrograms = []string{"cosign", "fulcio", "rekor-server", "timestamp-server", "sigstore-issuer"}

// privateSigstore is a Fulcio with an authority of its own, a Rekor of the second version, a timestamp authority, and
// providers of identities, all on the loopback interface.
type privateSigstore struct {
	dir, issuer                string
	signingConfig, trustedRoot string
	fulcio, stamps             string // addresses
	authority, stampChain      string // files
	logKey                     string
	unlogged                   [2]string // a signing configuration and a trusted root without the log
}

// workflow is the identity of a job of GitHub, as its provider names it.
const workflow = "acme/app/.github/workflows/release.yml@refs/heads/main"

const fulcioConfig = `oidc-issuers:
  ISSUER/people: {issuer-url: ISSUER/people, client-id: sigstore, type: email, contact: x@example.invalid, description: people}
  ISSUER/github: {issuer-url: ISSUER/github, client-id: sigstore, type: ci-provider, ci-provider: github, contact: x@example.invalid, description: jobs}
  ISSUER/gitlab: {issuer-url: ISSUER/gitlab, client-id: sigstore, type: ci-provider, ci-provider: gitlab, contact: x@example.invalid, description: jobs}
  ISSUER/cluster: {issuer-url: ISSUER/cluster, client-id: sigstore, type: kubernetes, contact: x@example.invalid, description: pods}
ci-issuer-metadata:
  github:
    default-template-values: {url: "https://github.com"}
    extension-templates: {github-workflow-repository: repository, build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"}
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
  gitlab:
    default-template-values: {url: "https://gitlab.example"}
    extension-templates: {build-signer-uri: "https://{{ .ci_config_ref_uri }}"}
    subject-alternative-name-template: "https://{{ .ci_config_ref_uri }}"
`

func startSigstore(t *testing.T) *privateSigstore {
	t.Helper()
	for _, program := range sigstorePrograms {
		clients.Tool(t, program)
	}
	s := &privateSigstore{dir: t.TempDir()}
	s.writeKeys(t)
	s.logKey = s.at("log.pub")
	s.issuer = "http://" + s.start(t, "sigstore-issuer", "/people/keys", "-log-key", s.logKey, "-address", "ADDRESS")
	s.write(t, "fulcio.yaml", []byte(strings.ReplaceAll(fulcioConfig, "ISSUER", s.issuer)))
	s.authority = s.at("authority.pem")
	s.fulcio = "http://" + s.start(t, "fulcio", "/api/v2/trustBundle", "serve", "--host", "127.0.0.1", "--port", "PORT",
		"--grpc-host", "127.0.0.1", "--grpc-port", "PORT2", "--metrics-port", "PORT3", "--ca", "fileca", "--fileca-cert", s.authority,
		"--fileca-key", s.at("authority.key"), "--fileca-key-passwd", "none", "--ct-log-url", s.issuer, "--config-path", s.at("fulcio.yaml"),
		"--legacy-unix-domain-socket", "@"+filepath.Base(s.dir)+t.Name())
	rekor := "http://" + s.start(t, "rekor-server", "/healthz", "serve", "--http-address", "127.0.0.1", "--http-port", "PORT",
		"--grpc-address", "127.0.0.1", "--grpc-port", "PORT2", "--http-metrics-port", "PORT3", "--hostname", "127.0.0.1",
		"--storage-dir", s.at("rekor"), "--signer-filepath", s.at("rekor.key"), "--batch-max-age", "50ms", "--checkpoint-interval", "500ms")
	stamps := "http://" + s.start(t, "timestamp-server", "/ping", "serve", "--host", "127.0.0.1", "--port", "PORT",
		"--timestamp-signer", "memory", "--disable-ntp-monitoring")
	s.stamps = stamps + "/api/v1/timestamp"
	s.stampChain = s.at("stamps.pem")
	s.write(t, "stamps.pem", get(t, s.stamps+"/certchain"))
	s.signingConfig, s.trustedRoot = s.at("signing_config.json"), s.at("trusted_root.json")
	const since = ",start-time=2024-01-01T00:00:00Z"
	config := []string{"signing-config", "create", "--fulcio=url=" + s.fulcio + ",api-version=1,operator=x" + since,
		"--tsa=url=" + s.stamps + ",api-version=1,operator=x" + since, "--tsa-config=ANY",
		"--oidc-provider=url=" + s.issuer + "/people,api-version=1,operator=x" + since, "--out"}
	trust := []string{"trusted-root", "create", "--fulcio=url=" + s.fulcio + ",certificate-chain=" + s.authority,
		"--ctfe=url=" + s.issuer + ",public-key=" + s.logKey + since, "--tsa=url=" + s.stamps + ",certificate-chain=" + s.stampChain, "--out"}
	s.cosign(t, nil, append(config, s.signingConfig, "--rekor=url="+rekor+",api-version=2,operator=x"+since, "--rekor-config=ANY")...)
	s.cosign(t, nil, append(trust, s.trustedRoot, "--rekor=url="+rekor+",public-key="+s.at("rekor.pub")+",origin=127.0.0.1"+since)...)
	s.unlogged = [2]string{s.at("unlogged_config.json"), s.at("unlogged_root.json")}
	s.cosign(t, nil, append(config, s.unlogged[0])...)
	s.cosign(t, nil, append(trust, s.unlogged[1])...)
	return s
}

func (s *privateSigstore) at(name string) string { return filepath.Join(s.dir, name) }

func (s *privateSigstore) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(s.at(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeKeys makes those of the authority and of the log.
func (s *privateSigstore) writeKeys(t *testing.T) {
	t.Helper()
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority", Organization: []string{"test"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, authority.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "authority.pem", inPEM("CERTIFICATE", der))
	s.write(t, "authority.key", inPEM("PRIVATE KEY", pkcs8(t, authority)))
	_, logs, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(logs.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "rekor.key", inPEM("PRIVATE KEY", pkcs8(t, logs)))
	s.write(t, "rekor.pub", public)
}

// start runs a service until the test ends, and returns its address when it answers.
func (s *privateSigstore) start(t *testing.T, program, ready string, args ...string) string {
	t.Helper()
	port := freePort(t)
	replace := strings.NewReplacer("PORT2", freePort(t), "PORT3", freePort(t), "PORT", port, "ADDRESS", "127.0.0.1:"+port)
	for i := range args {
		args[i] = replace.Replace(args[i])
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = s.dir, &said, &said, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s:\n%s", program, said.String()[max(0, said.Len()-3000):])
		}
	})
	address := "127.0.0.1:" + port
	for range 400 {
		resp, err := http.Get("http://" + address + ready)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", program)
	return ""
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cosign runs stock cosign, which must succeed.
func (s *privateSigstore) cosign(t *testing.T, env []string, args ...string) string {
	t.Helper()
	text, err := s.tryCosign(env, args...)
	if err != nil {
		t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return text
}

func (s *privateSigstore) tryCosign(env []string, args ...string) (string, error) {
	cmd := exec.Command("cosign", args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "COSIGN_YES=true", "COSIGN_PASSWORD="}, env...)
	raw, err := cmd.CombinedOutput()
	return string(raw), err
}

// token asks a provider for one.
func (s *privateSigstore) token(t *testing.T, provider string, claims map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.issuer+"/"+provider+"/token", "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Value string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Value
}

const person = "releaser@example.invalid"

func (s *privateSigstore) personal(t *testing.T) string {
	return s.token(t, "people", map[string]any{"sub": person, "email": person, "email_verified": true})
}

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
	s := startSigstore(t)
	file := fileOf(t, []byte(s.token(t, "cluster", map[string]any{"sub": "system:serviceaccount:ci:release", "aud": []string{"sigstore"},
		"kubernetes.io": map[string]any{"namespace": "ci", "pod": map[string]any{"name": "p", "uid": "1"},
			"serviceaccount": map[string]any{"name": "release", "uid": "2"}}})))
	gitlab := map[string]any{"sub": "project_path:acme/app:ref_type:branch:ref:main", "ci_config_ref_uri": "gitlab.example/acme/app//.gitlab-ci.yml@refs/heads/main"}
	for _, tc := range []struct {
		name, provider, identity string
		o                        SignerOptions
		env                      map[string]string
	}{
		{"a person", "people", person, SignerOptions{IdentityToken: s.personal(t)}, nil},
		{"a job of GitHub", "github", "https://github.com/" + workflow, SignerOptions{}, map[string]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL":   s.issuer + "/github/token?sub=repo:acme/app&repository=acme/app&job_workflow_ref=" + workflow,
			"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "right-to-ask"}},
		{"a job of GitLab", "gitlab", "https://gitlab.example/acme/app//.gitlab-ci.yml@refs/heads/main", SignerOptions{},
			map[string]string{"SIGSTORE_ID_TOKEN": s.token(t, "gitlab", gitlab)}},
		{"a pod", "cluster", "https://kubernetes.io/namespaces/ci/serviceaccounts/release", SignerOptions{}, map[string]string{"SIGSTORE_ID_TOKEN_FILE": file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := tc.o
			o.SigningConfig, o.TrustedRoot, o.Getenv = s.signingConfig, s.trustedRoot, environment(tc.env)
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
			s.acceptsIdentity(t, i, older, tc.identity, s.issuer+"/"+tc.provider)
			for _, one := range []image{i, older} {
				s.weAccept(t, one, signature.Trust{Identities: []signature.Identity{{Subject: tc.identity, Issuer: s.issuer + "/" + tc.provider}}})
			}
		})
	}
}

// acceptsIdentity runs stock cosign over every form, with the right identity and with wrong ones.
func (s *privateSigstore) acceptsIdentity(t *testing.T, i, old image, identity, issuer string) {
	t.Helper()
	bundle := []string{"--new-bundle-format", "--trusted-root", s.trustedRoot, "--use-signed-timestamps", "--allow-http-registry"}
	older := []string{"--new-bundle-format=false", "--ca-roots", s.authority, "--timestamp-certificate-chain", s.stampChain,
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
		}{{identity, issuer, true}, {"somebody@example.invalid", issuer, false}, {identity, s.issuer + "/other", false}} {
			args := append([]string{form.command, "--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer}, form.flags...)
			text, err := s.tryCosign([]string{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=" + s.logKey}, append(args, form.i.name.String())...)
			if (err == nil) != who.accepted {
				t.Errorf("cosign %s: %v\n%s", strings.Join(args, " "), err, text)
			}
		}
	}
}

// weAccept verifies what lies beside an image with what verifies everywhere in this program.
func (s *privateSigstore) weAccept(t *testing.T, i image, trust signature.Trust) {
	t.Helper()
	if err := s.weVerify(t, i, trust, s.trustedRoot); err != nil {
		t.Errorf("we do not accept it: %v", err)
	}
}

func (s *privateSigstore) weVerify(t *testing.T, i image, trust signature.Trust, trustedRoot string) error {
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
	s := startSigstore(t)
	for kind, private := range keyKinds(t) {
		for _, with := range []string{"", s.signingConfig} {
			if kind == "Ed25519" && with != "" {
				continue // logs take none
			}
			t.Run(fmt.Sprintf("%s, services: %t", kind, with != ""), func(t *testing.T) {
				o := SignerOptions{Key: fileOf(t, sealed(t, private, password)), SigningConfig: with,
					Getenv: environment(map[string]string{"COSIGN_PASSWORD": password})}
				if with != "" {
					o.TrustedRoot = s.trustedRoot
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
					{"verify", "--new-bundle-format", "--trusted-root", s.trustedRoot, tlogFlag(with)},
					{"verify-attestation", "--type", TypeVSA, "--new-bundle-format", "--trusted-root", s.trustedRoot, tlogFlag(with)},
					{"verify", "--new-bundle-format=false", "--insecure-ignore-tlog"},
				} {
					if text, err := s.tryCosign(nil, append(append(form, flags...), []image{i, i, older}[n].name.String())...); err != nil {
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
	s := startSigstore(t)
	id := signature.Trust{Identities: []signature.Identity{{Subject: person, Issuer: s.issuer + "/people"}}}
	for _, with := range [][2]string{s.unlogged, {s.signingConfig, s.trustedRoot}} {
		t.Run("identity, bundle, "+filepath.Base(with[0]), func(t *testing.T) {
			i := pushImage(t)
			s.cosign(t, nil, "sign", "--signing-config", with[0], "--trusted-root", with[1], "--new-bundle-format",
				"--identity-token", fileOf(t, []byte(s.personal(t))), "--allow-http-registry", i.name.String())
			// A log of the second version keeps the envelope as dsse 0.0.2.
			if err := s.weVerify(t, i, id, with[1]); err != nil {
				t.Errorf("we do not accept it: %v", err)
			}
			if err := s.weVerify(t, i, id, s.unlogged[1]); err != nil {
				t.Errorf("we do not accept it without its log: %v", err)
			}
			nobody := signature.Trust{Identities: []signature.Identity{{Subject: "else-" + person, Issuer: s.issuer + "/people"}}}
			if s.weVerify(t, i, nobody, with[1]) == nil {
				t.Error("we accept it by somebody else")
			}
		})
	}
	t.Run("identity, older form", func(t *testing.T) {
		i := pushImage(t)
		s.cosign(t, []string{"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=" + s.logKey}, "sign", "--new-bundle-format=false", "--fulcio-url", s.fulcio,
			"--tlog-upload=false", "--timestamp-server-url", s.stamps, "--identity-token", fileOf(t, []byte(s.personal(t))), "--allow-http-registry", i.name.String())
		s.weAccept(t, i, id)
	})
	t.Run("logged key, bundle", func(t *testing.T) {
		i, private := pushImage(t), newECDSA(t)
		s.cosign(t, []string{"COSIGN_PASSWORD=" + password}, "sign", "--new-bundle-format", "--signing-config", s.signingConfig, "--trusted-root",
			s.trustedRoot, "--key", fileOf(t, sealed(t, private, password)), "--allow-http-registry", i.name.String())
		s.weAccept(t, i, trustIn(t, private.Public()))
	})
	for kind, private := range keyKinds(t) {
		for _, form := range []string{"--new-bundle-format", "--new-bundle-format=false"} {
			t.Run(kind+" "+form, func(t *testing.T) {
				i := pushImage(t)
				s.cosign(t, []string{"COSIGN_PASSWORD=" + password}, "sign", form, "--tlog-upload=false", "--key",
					fileOf(t, sealed(t, private, password)), "--allow-http-registry", i.name.String())
				s.weAccept(t, i, trustIn(t, private.Public()))
			})
		}
	}
}
