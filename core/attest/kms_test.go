package attest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

const pluginProgram = pluginPrefix + "testkms"

// TestMain is also the program of a key management service, under its name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == pluginProgram {
		os.Exit(servePlugin(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// servePlugin answers one request, or misbehaves as the variable says.
func servePlugin(request string, stdin io.Reader, stdout, stderr io.Writer) int {
	var args common.PluginArgs
	if err := json.Unmarshal([]byte(request), &args); err != nil {
		return 9
	}
	block, _ := pem.Decode([]byte(os.Getenv("TESTKMS_KEY")))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return 9
	}
	private := key.(crypto.Signer)
	mode := os.Getenv("TESTKMS_MODE")
	var answer common.PluginResp
	switch {
	case mode == "hang":
		time.Sleep(time.Minute)
	case mode == "huge":
		for {
			if _, err := stdout.Write(make([]byte, 1<<16)); err != nil {
				return 1
			}
		}
	case mode == "garbage":
		fmt.Fprint(stdout, "\x1b[2Jdone")
		return 0
	case mode == "code":
		fmt.Fprintln(stderr, "credentials", strings.Repeat("x", 260), os.Getenv("TESTKMS_SECRET"), "are not accepted", os.Getenv("HTTPS_PROXY"))
		return 7
	case mode == "refuses":
		answer.ErrorMessage = "no such key, asked " + strings.Repeat("x", 270) + os.Getenv("TESTKMS_SECRET")
	case mode == "limits":
		raw, _ := os.ReadFile("/proc/self/limits")
		for line := range strings.Lines(string(raw)) {
			if strings.HasPrefix(line, "Max core file size") {
				answer.ErrorMessage = line
			}
		}
	case mode == "environment":
		var names []string
		for _, v := range os.Environ() {
			name, _, _ := strings.Cut(v, "=")
			names = append(names, name)
		}
		slices.Sort(names)
		answer.ErrorMessage = strings.Join(names, " ")
	case args.MethodName == common.PublicKeyMethodName:
		text, _ := cryptoutils.MarshalPublicKeyToPEM(private.Public())
		answer.PublicKey = &common.PublicKeyResp{PublicKeyPEM: text}
	case args.MethodName == common.SignMessageMethodName:
		o := args.SignMessage.SignOptions.MessageOptions
		signed, hash := []byte(nil), crypto.Hash(0)
		if o.Digest != nil {
			signed, hash = *o.Digest, *o.HashFunc
		} else {
			signed, _ = io.ReadAll(stdin)
		}
		if mode == "wrong" {
			signed[0]++
		}
		made, err := private.Sign(rand.Reader, signed, hash)
		if err != nil {
			answer.ErrorMessage = err.Error()
		}
		answer.SignMessage = &common.SignMessageResp{Signature: made}
	}
	_ = json.NewEncoder(stdout).Encode(answer)
	return 0
}

const pluginSecret = "AKIA-secret-of-the-service"

// pluginOptions are those of a signer that signs by the program.
func pluginOptions(t *testing.T, private crypto.Signer, mode string) SignerOptions {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(program, filepath.Join(folder, pluginProgram)); err != nil {
		t.Fatal(err)
	}
	return SignerOptions{Key: "testkms://projects/p/key", PluginVariables: []string{"TESTKMS_KEY", "TESTKMS_MODE", "TESTKMS_SECRET"},
		PluginTime: time.Minute, Getenv: environment(map[string]string{"PATH": folder + ":relative", "TESTKMS_MODE": mode,
			"TESTKMS_KEY": string(inPEM("PRIVATE KEY", pkcs8(t, private))), "TESTKMS_SECRET": pluginSecret, "HTTPS_PROXY": "http://me:hunter2@proxy.example:3128",
			"COSIGN_PASSWORD": password, "SIGSTORE_ID_TOKEN": "ey.secret.token", "VAULT_TOKEN": "hvs.secret"})}
}

func TestAProgramOfAKeyServiceSigns(t *testing.T) {
	for name, private := range keyKinds(t) {
		t.Run(name, func(t *testing.T) {
			s, err := NewSigner(t.Context(), pluginOptions(t, private, ""))
			if err != nil {
				t.Fatal(err)
			}
			holdsBothForms(t, s, trustIn(t, private.Public()))
		})
	}
}

func TestAProgramThatMisbehavesIsAnErrorWithoutSecrets(t *testing.T) {
	private := keyKinds(t)["P-256"]
	for mode, says := range map[string]string{
		"hang": "did not answer within", "huge": "answers with more than", "garbage": "which is no answer",
		"code": "exit status 7; it says: credentials", "refuses": "no such key",
	} {
		t.Run(mode, func(t *testing.T) {
			o := pluginOptions(t, private, mode)
			if mode == "hang" {
				o.PluginTime = 50 * time.Millisecond
			}
			_, err := NewSigner(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Fatalf("got %v; want an error that says %q", err, says)
			}
			if strings.Contains(err.Error(), pluginSecret[:8]) || strings.Contains(err.Error(), "hunter2") || strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("the error shows what it should not: %q", err)
			}
		})
	}
	s, err := NewSigner(t.Context(), pluginOptions(t, private, "wrong"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignStatement(t.Context(), statementOf(t, digest)); err == nil || !strings.Contains(err.Error(), "does not verify with the key") {
		t.Errorf("a wrong signature is handed out: %v", err)
	}
}

func TestAProgramGetsOnlyWhatItNeedsAndDumpsNoCore(t *testing.T) {
	private := keyKinds(t)["P-256"]
	_, err := NewSigner(t.Context(), pluginOptions(t, private, "environment"))
	if err == nil || !strings.Contains(err.Error(), pluginProgram+": HTTPS_PROXY PATH TESTKMS_KEY TESTKMS_MODE TESTKMS_SECRET") {
		t.Errorf("it gets something else: %v", err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("limits are Linux's")
	}
	_, err = NewSigner(t.Context(), pluginOptions(t, private, "limits"))
	if err == nil || strings.Join(strings.Fields(err.Error()[strings.Index(err.Error(), "Max core"):])[4:6], " ") != "1 1" {
		t.Errorf("it may dump its memory: %v", err)
	}
}

func TestNoProgramIsFoundByARelativeOrMadeUpName(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("relative", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"relative/" + pluginProgram, pluginProgram} {
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"relative", "", ".", "./relative"} {
		_, err := NewSigner(t.Context(), SignerOptions{Key: "testkms://key", Getenv: environment(map[string]string{"PATH": path})})
		if err == nil || !strings.Contains(err.Error(), "is in no folder of PATH") {
			t.Errorf("PATH=%q: %v", path, err)
		}
	}
	for _, key := range []string{"k8s://ns/name", "https://key.example/cosign.key", "../x://key"} {
		if _, err := NewSigner(t.Context(), SignerOptions{Key: key}); err == nil {
			t.Errorf("%s is a key", key)
		}
	}
}

const vaultToken = "hvs.the-token-of-the-vault"

// newVault is a transit engine with one key.
func newVault(t *testing.T, private crypto.Signer) *httptest.Server {
	t.Helper()
	version := map[string]any{"name": "ecdsa-p256"}
	text, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	version["public_key"] = string(text)
	if k, ok := private.Public().(ed25519.PublicKey); ok {
		version = map[string]any{"name": "ed25519", "public_key": base64.StdEncoding.EncodeToString(k)}
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, data any) { _ = json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	mux.HandleFunc("GET /v1/transit/keys/release", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"latest_version": 3, "keys": map[string]any{"3": version}})
	})
	sign := func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Input      []byte `json:"input"`
			Prehashed  bool   `json:"prehashed"`
			KeyVersion int    `json:"key_version"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.KeyVersion != 3 {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		hash := map[string]crypto.Hash{"": 0, "sha2-256": crypto.SHA256, "sha2-384": crypto.SHA384, "sha2-512": crypto.SHA512}[r.PathValue("hash")]
		made, err := private.Sign(rand.Reader, asked.Input, hash)
		if err != nil || asked.Prehashed != (hash != 0) {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"signature": "vault:v3:" + base64.StdEncoding.EncodeToString(made)})
	}
	mux.HandleFunc("POST /v1/transit/sign/release/{hash}", sign)
	mux.HandleFunc("POST /v1/transit/sign/release", sign)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != vaultToken {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"errors":["no %s here"],"message":"%[1]s"}`, r.Header.Get("X-Vault-Token"))
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestVaultSigns(t *testing.T) {
	for name, private := range keyKinds(t) {
		t.Run(name, func(t *testing.T) {
			server := newVault(t, private)
			s, err := NewSigner(t.Context(), SignerOptions{Key: "hashivault://release", Patience: impatient,
				Getenv: environment(map[string]string{"VAULT_ADDR": server.URL, "VAULT_TOKEN": vaultToken})})
			if err != nil {
				t.Fatal(err)
			}
			holdsBothForms(t, s, trustIn(t, private.Public()))
			if hosts := s.Hosts(); !slices.Equal(hosts, []string{strings.TrimPrefix(server.URL, "http://")}) {
				t.Errorf("hosts: %q", hosts)
			}
		})
	}
}

// impatient asks once.
var impatient = network.Patience{Attempts: 1, Header: 5 * time.Second, Idle: 5 * time.Second}

func TestVaultThatRefusesOrSendsElsewhereGetsNoToken(t *testing.T) {
	told := make(chan string, 10)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("X-Vault-Token") }))
	defer elsewhere.Close()
	redirects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer redirects.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in") }))
	defer page.Close()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	real := newVault(t, private)
	for name, tc := range map[string]struct {
		key  string
		env  map[string]string
		says string
	}{
		"redirect":      {"hashivault://release", map[string]string{"VAULT_ADDR": redirects.URL, "VAULT_TOKEN": vaultToken}, "sends to another server"},
		"a page":        {"hashivault://release", map[string]string{"VAULT_ADDR": page.URL, "VAULT_TOKEN": vaultToken}, "does not answer as Vault does"},
		"no address":    {"hashivault://release", nil, "nothing says where Vault is"},
		"no token":      {"hashivault://release", map[string]string{"VAULT_ADDR": real.URL}, "no token for Vault"},
		"wrong token":   {"hashivault://release", map[string]string{"VAULT_ADDR": real.URL, "VAULT_TOKEN": vaultToken + "x"}, "403"},
		"no key":        {"hashivault://other", map[string]string{"VAULT_ADDR": real.URL, "VAULT_TOKEN": vaultToken}, "404"},
		"a path":        {"hashivault://../sys/seal", map[string]string{"VAULT_ADDR": real.URL, "VAULT_TOKEN": vaultToken}, "does not name a key"},
		"a bad engine":  {"hashivault://release", map[string]string{"VAULT_ADDR": real.URL, "VAULT_TOKEN": vaultToken, "TRANSIT_SECRET_ENGINE_PATH": "../sys"}, "names no engine"},
		"not encrypted": {"openbao://release", map[string]string{"BAO_ADDR": "http://vault.example", "BAO_TOKEN": vaultToken}, "not encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSigner(t.Context(), SignerOptions{Key: tc.key, Getenv: environment(tc.env), Patience: impatient})
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v; want an error that says %q", err, tc.says)
			}
			if strings.Contains(err.Error(), vaultToken) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	select {
	case got := <-told:
		t.Errorf("another server was told %q", got)
	default:
	}
}
