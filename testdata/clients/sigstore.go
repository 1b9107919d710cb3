package clients

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
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// sigstorePrograms are the services of a private Sigstore, as .ci/run builds them.
var sigstorePrograms = []string{"cosign", "fulcio", "rekor-server", "timestamp-server", "sigstore-issuer"}

// Sigstore is a private one: a Fulcio with an authority of its own, a Rekor of the second version, a timestamp authority, and
// providers of identities, all on the loopback interface.
type Sigstore struct {
	dir string
	// Issuer is the address below which providers of identities are: people, github, gitlab and cluster.
	Issuer                     string
	SigningConfig, TrustedRoot string    // files
	Fulcio, Stamps             string    // addresses
	Authority, StampChain      string    // files
	LogKey                     string    // file
	Unlogged                   [2]string // a signing configuration and a trusted root without the log
}

// Workflow is the identity of a job of GitHub, as its provider names it.
const Workflow = "acme/app/.github/workflows/release.yml@refs/heads/main"

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

// StartSigstore starts the services. They end with the test. Fulcio shows its metrics to every network there is, so that the
// tests run in one of their own.
func StartSigstore(t *testing.T) *Sigstore {
	t.Helper()
	for _, program := range sigstorePrograms {
		Tool(t, program)
	}
	s := &Sigstore{dir: t.TempDir()}
	s.writeKeys(t)
	s.LogKey = s.at("log.pub")
	s.Issuer = "http://" + s.start(t, "sigstore-issuer", "/people/keys", "-log-key", s.LogKey, "-address", "ADDRESS")
	s.write(t, "fulcio.yaml", []byte(strings.ReplaceAll(fulcioConfig, "ISSUER", s.Issuer)))
	s.Authority = s.at("authority.pem")
	s.Fulcio = "http://" + s.start(t, "fulcio", "/api/v2/trustBundle", "serve", "--host", "127.0.0.1", "--port", "PORT",
		"--grpc-host", "127.0.0.1", "--grpc-port", "PORT2", "--metrics-port", "PORT3", "--ca", "fileca", "--fileca-cert", s.Authority,
		"--fileca-key", s.at("authority.key"), "--fileca-key-passwd", "none", "--ct-log-url", s.Issuer, "--config-path", s.at("fulcio.yaml"),
		"--legacy-unix-domain-socket", "@"+filepath.Base(s.dir)+t.Name())
	rekor := "http://" + s.start(t, "rekor-server", "/healthz", "serve", "--http-address", "127.0.0.1", "--http-port", "PORT",
		"--grpc-address", "127.0.0.1", "--grpc-port", "PORT2", "--http-metrics-port", "PORT3", "--hostname", "127.0.0.1",
		"--storage-dir", s.at("rekor"), "--signer-filepath", s.at("rekor.key"), "--batch-max-age", "50ms", "--checkpoint-interval", "500ms")
	stamps := "http://" + s.start(t, "timestamp-server", "/ping", "serve", "--host", "127.0.0.1", "--port", "PORT",
		"--timestamp-signer", "memory", "--disable-ntp-monitoring")
	s.Stamps = stamps + "/api/v1/timestamp"
	s.StampChain = s.at("stamps.pem")
	s.write(t, "stamps.pem", get(t, s.Stamps+"/certchain"))
	s.SigningConfig, s.TrustedRoot = s.at("signing_config.json"), s.at("trusted_root.json")
	const since = ",start-time=2024-01-01T00:00:00Z"
	config := []string{"signing-config", "create", "--fulcio=url=" + s.Fulcio + ",api-version=1,operator=x" + since,
		"--tsa=url=" + s.Stamps + ",api-version=1,operator=x" + since, "--tsa-config=ANY",
		"--oidc-provider=url=" + s.Issuer + "/people,api-version=1,operator=x" + since, "--out"}
	trust := []string{"trusted-root", "create", "--fulcio=url=" + s.Fulcio + ",certificate-chain=" + s.Authority,
		"--ctfe=url=" + s.Issuer + ",public-key=" + s.LogKey + since, "--tsa=url=" + s.Stamps + ",certificate-chain=" + s.StampChain, "--out"}
	s.Cosign(t, nil, append(config, s.SigningConfig, "--rekor=url="+rekor+",api-version=2,operator=x"+since, "--rekor-config=ANY")...)
	s.Cosign(t, nil, append(trust, s.TrustedRoot, "--rekor=url="+rekor+",public-key="+s.at("rekor.pub")+",origin=127.0.0.1"+since)...)
	s.Unlogged = [2]string{s.at("unlogged_config.json"), s.at("unlogged_root.json")}
	s.Cosign(t, nil, append(config, s.Unlogged[0])...)
	s.Cosign(t, nil, append(trust, s.Unlogged[1])...)
	return s
}

func (s *Sigstore) at(name string) string { return filepath.Join(s.dir, name) }

func (s *Sigstore) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(s.at(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeKeys makes those of the authority and of the log.
func (s *Sigstore) writeKeys(t *testing.T) {
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
	s.write(t, "authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.write(t, "authority.key", privatePEM(t, authority))
	_, logs, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(logs.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "rekor.key", privatePEM(t, logs))
	s.write(t, "rekor.pub", public)
}

// start runs a service until the test ends, and returns its address when it answers.
func (s *Sigstore) start(t *testing.T, program, ready string, args ...string) string {
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

func freePort(t testing.TB) string {
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

// Cosign runs stock cosign, which must succeed.
func (s *Sigstore) Cosign(t *testing.T, env []string, args ...string) string {
	t.Helper()
	text, err := s.TryCosign(env, args...)
	if err != nil {
		t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return text
}

// TryCosign runs stock cosign.
func (s *Sigstore) TryCosign(env []string, args ...string) (string, error) {
	cmd := exec.Command("cosign", args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "COSIGN_YES=true", "COSIGN_PASSWORD="}, env...)
	raw, err := cmd.CombinedOutput()
	return string(raw), err
}

// Token asks a provider for a token with claims.
func (s *Sigstore) Token(t *testing.T, provider string, claims map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.Issuer+"/"+provider+"/token", "application/json", bytes.NewReader(raw))
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

// Person is somebody for whom the provider people vouches.
const Person = "releaser@example.invalid"

// Personal is the token of Person.
func (s *Sigstore) Personal(t *testing.T) string {
	return s.Token(t, "people", map[string]any{"sub": Person, "email": Person, "email_verified": true})
}

func privatePEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
