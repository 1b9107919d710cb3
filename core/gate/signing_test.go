package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestFlagsOfSigningWinOverVariables(t *testing.T) {
	values := map[string]string{"CLEANBILL_KEY": "cosign.key", "CLEANBILL_TRUSTED_ROOT": "root.json", "CLEANBILL_SIGNATURE_FORM": "both",
		"CLEANBILL_PUBLIC_LOG": "true", "CLEANBILL_KMS_VARIABLES": "A,B"}
	environment, err := EnvironmentSigning(func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	got := Signing{Key: "env://KEY"}.Over(environment)
	want := Signing{Key: "env://KEY", TrustedRoot: "root.json", Form: FormBoth, PublicLog: true, PluginVariables: []string{"A", "B"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEverySettingOfSigningIsRead(t *testing.T) {
	read := map[string]bool{}
	if _, err := EnvironmentSigning(func(name string) string { read[name] = true; return "" }); err != nil {
		t.Fatal(err)
	}
	for _, s := range SigningSettings() {
		if !read[s.Variable] {
			t.Errorf("%s is not read", s.Variable)
		}
	}
	if len(read) != len(SigningSettings()) {
		t.Errorf("%d variables are read and %d are settings", len(read), len(SigningSettings()))
	}
}

func TestContradictionsOfSigningAreRefused(t *testing.T) {
	for says, s := range map[string]Signing{
		"no form":           {Form: "ascii"},
		"not both":          {Key: "k", IdentityToken: "t"},
		"needs no auth":     {Key: "k", FulcioURL: "https://fulcio.example"},
		"a password and no": {PasswordFile: "p"},
		"no mirror":         {TUFRoot: "r"},
	} {
		if err := s.Check(); err == nil || !core.Usage(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if _, err := EnvironmentSigning(func(name string) string {
		return map[string]string{"CLEANBILL_PUBLIC_LOG": "perhaps"}[name]
	}); err == nil {
		t.Error("perhaps is consent")
	}
}

func TestAKeyWritesBothFormsUnlessOneIsWanted(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &Gate{Getenv: func(string) string { return "" }}
	for form, want := range map[string][2]bool{"": {true, true}, FormBundle: {true, false}, FormTag: {false, true}, FormBoth: {true, true}} {
		s := Signing{Key: file, Form: form}
		by, err := g.Signer(t.Context(), s, false)
		if err != nil {
			t.Fatal(err)
		}
		if bundle, tag := s.Forms(by); bundle != want[0] || tag != want[1] {
			t.Errorf("%q: bundle %t, tag %t", form, bundle, tag)
		}
	}
}

func TestAPublicLogNeedsConsentUnlessTheImageIsPublic(t *testing.T) {
	g := &Gate{Getenv: func(string) string { return "" }}
	_, err := g.Signer(context.Background(), Signing{}, false)
	if err == nil || !core.Usage(err) || !strings.Contains(err.Error(), "fulcio.sigstore.dev is public") || !strings.Contains(core.HintOf(err), "--public-log") {
		t.Errorf("%v (%s)", err, core.HintOf(err))
	}
}

func TestTheDocumentationListsEverySettingOfSigning(t *testing.T) {
	text, err := os.ReadFile("../../docs/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range SigningSettings() {
		if row := "| " + s.Key + " | `--" + s.Flag + "` | `" + s.Variable + "` | " + s.Default + " |\n"; !strings.Contains(string(text), row) {
			t.Errorf("docs/signing.md has no row %s", row)
		}
	}
}
