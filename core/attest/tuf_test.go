package attest

import (
	"crypto"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// tufRepository distributes files as a TUF repository with one key for each role, and says where it is and with which root
// it began.
//
// https://theupdateframework.github.io/specification/latest/
func tufRepository(t *testing.T, files map[string][]byte, expires time.Time) (dir, mirror, first string) {
	t.Helper()
	dir = t.TempDir()
	targets, snapshot, stamp, top := metadata.Targets(expires), metadata.Snapshot(expires), metadata.Timestamp(expires), metadata.Root(expires)
	for name, raw := range files {
		at := filepath.Join(dir, "targets", strings.TrimPrefix(string(verify.DigestOf(raw)), "sha256:")+"."+name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o700))
		must(t, os.WriteFile(at, raw, 0o600))
		info, err := metadata.TargetFile().FromBytes(name, raw, "sha256")
		must(t, err)
		targets.Signed.Targets[name] = info
	}
	signers := map[string]sigstore.Signer{}
	for _, role := range []string{"targets", "snapshot", "timestamp", "root"} {
		public, private, err := ed25519.GenerateKey(nil)
		must(t, err)
		key, err := metadata.KeyFromPublicKey(public)
		must(t, err)
		must(t, top.Signed.AddKey(key, role))
		signers[role], err = sigstore.LoadSigner(private, crypto.Hash(0))
		must(t, err)
	}
	for _, sign := range []func() error{
		func() error { _, err := targets.Sign(signers["targets"]); return err },
		func() error { _, err := snapshot.Sign(signers["snapshot"]); return err },
		func() error { _, err := stamp.Sign(signers["timestamp"]); return err },
		func() error { _, err := top.Sign(signers["root"]); return err },
		func() error { return targets.ToFile(filepath.Join(dir, "1.targets.json"), true) },
		func() error { return snapshot.ToFile(filepath.Join(dir, "1.snapshot.json"), true) },
		func() error { return stamp.ToFile(filepath.Join(dir, "timestamp.json"), true) },
		func() error { return top.ToFile(filepath.Join(dir, "1.root.json"), true) },
	} {
		must(t, sign())
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return dir, server.URL, filepath.Join(dir, "1.root.json")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// distributed are the documents of a small Sigstore whose services a signing configuration names.
func (s *smallSigstore) distributed(t *testing.T) map[string][]byte {
	t.Helper()
	trusted, err := os.ReadFile(s.root)
	must(t, err)
	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	service := func(at string) string {
		return `[{"url": "` + at + `", "majorApiVersion": 1, "validFor": {"start": "` + from + `"}, "operator": "test"}]`
	}
	return map[string][]byte{"trusted_root.json": trusted, "signing_config.v0.2.json": []byte(`{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls": ` + service(s.server.URL) + `, "rekorTlogUrls": ` + service(s.server.URL) + `,
		"tsaUrls": ` + service(s.server.URL+"/api/v1/timestamp") + `,
		"rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {"selector": "ANY"}}`)}
}

func TestATUFRepositoryDistributesTheServicesAndWhatConfirmsThem(t *testing.T) {
	s := newSmallSigstore(t)
	_, mirror, first := tufRepository(t, s.distributed(t), time.Now().Add(time.Hour))
	signer, err := NewSigner(t.Context(), SignerOptions{IdentityToken: tokenOf(t, nil), TUFMirror: mirror, TUFRoot: first, Patience: impatient})
	must(t, err)
	holdsBothForms(t, signer, s.trust(t, s.options(t)))
}

func TestATUFRepositoryThatCannotBeBelievedIsRefused(t *testing.T) {
	s := newSmallSigstore(t)
	soon := time.Now().Add(time.Hour)
	spoil := func(t *testing.T, pattern string) {
		t.Helper()
		files, err := filepath.Glob(pattern)
		must(t, err)
		if len(files) != 1 {
			t.Fatalf("%d files match %s", len(files), pattern)
		}
		raw, err := os.ReadFile(files[0])
		must(t, err)
		raw[len(raw)/2] ^= 1
		must(t, os.WriteFile(files[0], raw, 0o600))
	}
	for name, test := range map[string]struct {
		expires time.Time
		change  func(t *testing.T, dir string, o *SignerOptions)
		says    string
	}{
		"it began with another root": {soon, func(t *testing.T, _ string, o *SignerOptions) {
			_, _, o.TUFRoot = tufRepository(t, nil, soon)
		}, "read the TUF repository of 127.0.0.1"},
		"it is out of date": {time.Now().Add(-time.Minute), func(*testing.T, string, *SignerOptions) {}, "expired"},
		"a file is another": {soon, func(t *testing.T, dir string, _ *SignerOptions) {
			spoil(t, filepath.Join(dir, "targets", "*.trusted_root.json"))
		}, "read trusted_root.json of the TUF repository"},
		"the list of files is another": {soon, func(t *testing.T, dir string, _ *SignerOptions) {
			spoil(t, filepath.Join(dir, "1.targets.json"))
		}, "read the TUF repository of 127.0.0.1"},
		"a file is missing": {soon, func(t *testing.T, _ string, o *SignerOptions) {
			_, o.TUFMirror, o.TUFRoot = tufRepository(t, map[string][]byte{"trusted_root.json": []byte("{}")}, soon)
		}, "read signing_config.v0.2.json of the TUF repository"},
		"it is not there": {soon, func(_ *testing.T, _ string, o *SignerOptions) {
			o.TUFMirror += "/elsewhere"
		}, "/elsewhere/timestamp.json, http status code: 404"},
		"nothing says whom to believe": {soon, func(_ *testing.T, _ string, o *SignerOptions) { o.TUFRoot = "" }, "nothing says whom to believe of what 127.0.0.1"},
		"its address holds a password": {soon, func(_ *testing.T, _ string, o *SignerOptions) {
			o.TUFMirror, o.TUFRoot = "https://me:hunter2@tuf.example", ""
		}, "more than host and path"},
		"the way is not encrypted": {soon, func(_ *testing.T, _ string, o *SignerOptions) {
			o.TUFMirror = "http://tuf.example"
		}, "not encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, mirror, first := tufRepository(t, s.distributed(t), test.expires)
			o := SignerOptions{IdentityToken: tokenOf(t, nil), TUFMirror: mirror, TUFRoot: first, Patience: impatient}
			test.change(t, dir, &o)
			_, err := NewSigner(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			} else {
				t.Log(err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is shown: %v", err)
			}
		})
	}
}
