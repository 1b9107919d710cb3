package gate_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

const (
	denyNoOwner = "package main\n\ndeny_owner[msg] {\n\timage := input.images[_]\n\tnot image.labels.owner\n\tmsg := \"it has no owner\"\n}\n"
	noRule      = "package main\n\nthis is no rule"
)

func bundled(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPolicyBringsItsRegoRules(t *testing.T) {
	image := layout(t, images.Clean("amd64"))
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rules/root.rego": denyNoOwner, "rules/root_test.rego": noRule, "rules/deep/lib.rego": "package lib\n\nx := 1\n", "rules/README.md": noRule,
		"bad/a.rego": "package main\n\ndeny contains \"x\" if input.imges\n", "none/a_test.rego": denyNoOwner,
		"bundle.tar.gz": string(bundled(t, map[string]string{"/a/root.rego": denyNoOwner, "data.json": "{}", "root_test.rego": noRule})),
		"broken.tar.gz": "\x1f\x8b", "large/a.rego": "package main\n#" + strings.Repeat("x", 300<<10),
		"bomb.tar.gz": string(bundled(t, map[string]string{"big": strings.Repeat("\x00", 40<<20)})),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.MkdirAll(filepath.Join(dir, "links"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "links", "a.rego")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ rego, says string }{
		{"rules", ""}, {"bundle.tar.gz", ""}, {"rules/root.rego", ""}, {"[rules, bundle.tar.gz]", ""}, {"[rules, rules]", ""}, {filepath.Join(dir, "rules"), ""},
		{"bad", "bad/a.rego:3:22: undefined ref: input.imges"},
		{"none", "no .rego file"}, {"nowhere", "there is no directory"}, {"rules/README.md", "neither a directory nor a bundle"},
		{"broken.tar.gz", "unexpected EOF"}, {"bomb.tar.gz", "more than"}, {"large", "more than"}, {"links", "not a regular file"},
	} {
		t.Run(strings.ReplaceAll(tc.rego, "/", " "), func(t *testing.T) {
			file := filepath.Join(dir, "policy.yaml")
			write(t, file, "version: 1\nstarter-ok: true\nrego: "+tc.rego+"\n")
			r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{image}, Policy: file})
			if tc.says != "" {
				if !core.Usage(err) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%v; want an error that says %q", err, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			for _, o := range r.Verdict.Refusals {
				rules = append(rules, o.Rule+": "+o.Message)
			}
			if !strings.Contains(strings.Join(rules, "\n"), "rego:main.deny_owner: it has no owner") {
				t.Errorf("refusals %q", rules)
			}
		})
	}
}

// What a policy in a bundle names is in the bundle, and an organisation's modules go with it.
func TestAPolicyIsPublishedWithItsRegoRules(t *testing.T) {
	host, corrupt := policyRegistry(t)
	org := tree(t, map[string]string{
		"org.yaml":      "version: 1\nname: acme\nextends: lib/base.yaml\nstarter-ok: true\nrego: [rules, packed.tar.gz]\n",
		"lib/base.yaml": "version: 1\nextends: none\nrego: one.rego\n", "lib/one.rego": strings.ReplaceAll(denyNoOwner, "owner", "team"),
		"rules/deep/a.rego": denyNoOwner, "rules/a_test.rego": noRule, "rules/README.md": "no",
		"packed.tar.gz": string(bundled(t, map[string]string{"a.rego": strings.ReplaceAll(denyNoOwner, "owner", "licence")})),
	})
	file := filepath.Join(org, "org.yaml")
	reference := pushPolicy(t, file, "oci://"+host+"/acme/policy")
	if again := pushPolicy(t, file, "oci://"+host+"/acme/policy"); again != reference {
		t.Errorf("pushed as %s and %s", reference, again)
	}
	project := tree(t, map[string]string{"p.yaml": "version: 1\nextends: " + reference + "\n", "rules/a.rego": noRule, "lib/one.rego": noRule})
	r := run(t, gate.Plan{Targets: []string{layout(t, images.Clean("amd64"))}, Policy: filepath.Join(project, "p.yaml")})
	var rules []string
	for _, o := range r.Verdict.Refusals {
		rules = append(rules, o.Rule)
	}
	if got, want := strings.Join(rules, " "), "rego:main.deny_licence rego:main.deny_owner rego:main.deny_team"; got != want {
		t.Errorf("refused by %q, want %q", got, want)
	}
	here, err := newGate().Policy(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	there, err := newGate().Policy(t.Context(), reference)
	if err != nil || here.Ref().Digest != there.Ref().Digest {
		t.Errorf("as a file its digest is %v, as a bundle %v (%v)", here.Ref().Digest, there.Ref().Digest, err)
	}
	corrupt.Store(true)
	if _, err := newGate().Policy(t.Context(), reference); err == nil {
		t.Error("a bundle that is not what it says is used")
	}
}

func TestABundleHoldsAllRegoRulesOrIsNotPushed(t *testing.T) {
	host, _ := policyRegistry(t)
	outside := filepath.Join(tree(t, map[string]string{"a.rego": denyNoOwner}), "a.rego")
	many := map[string]string{"policy/p.yaml": "version: 1\nrego: rules\n"}
	for i := range 200 {
		many[fmt.Sprintf("policy/rules/%d.rego", i)] = denyNoOwner
	}
	for name, tc := range map[string]struct {
		files map[string]string
		says  string
	}{
		"above its folder": {map[string]string{"policy/p.yaml": "version: 1\nrego: ../rules\n", "rules/a.rego": denyNoOwner}, "not below its folder"},
		"anywhere":         {map[string]string{"policy/p.yaml": "version: 1\nrego: " + outside + "\n"}, "not below its folder"},
		"too many":         {many, "201 files; a policy bundle can have 200"},
	} {
		_, err := newGate().PushPolicy(t.Context(), filepath.Join(tree(t, tc.files), "policy", "p.yaml"), "oci://"+host+"/acme/policy")
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

// artifact pushes layers as other tools do, and returns the reference by digest.
func artifact(t *testing.T, host string, layers ...mutate.Addendum) string {
	t.Helper()
	image, err := mutate.Append(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/acme/rules:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return "oci://" + host + "/acme/rules@" + digest.String()
}

func layerOf(mediaType types.MediaType, title, content string) mutate.Addendum {
	return mutate.Addendum{Layer: static.NewLayer([]byte(content), mediaType), MediaType: mediaType,
		Annotations: map[string]string{"org.opencontainers.image.title": title}}
}

func TestRegoRulesOfARegistryAreNamedByTheirDigest(t *testing.T) {
	host, corrupt := policyRegistry(t)
	const module, data = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego", "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
	opa := artifact(t, host, layerOf(types.OCILayer, "", string(bundled(t, map[string]string{"/a.rego": denyNoOwner}))))
	for name, tc := range map[string]struct{ reference, says string }{
		"as opa builds it":      {opa, ""},
		"as conftest pushes it": {artifact(t, host, layerOf(module, "policy/a.rego", denyNoOwner), layerOf(data, "d.json", "{}"), layerOf(module, "a_test.rego", noRule)), ""},
		"something else":        {artifact(t, host, layerOf("text/plain", "a.rego", denyNoOwner)), "no bundle of Rego rules"},
		"nothing but data":      {artifact(t, host, layerOf(data, "d.json", "{}")), "there is no .rego file in it"},
		"a large one":           {artifact(t, host, layerOf(module, "a.rego", strings.Repeat("#", 3<<20))), "more than"},
		"a wrong one":           {artifact(t, host, layerOf(module, "a.rego", noRule)), "/a.rego:3:"},
		"a tag":                 {"oci://" + host + "/acme/rules:1", "has no digest"},
		"what is not there":     {"oci://" + host + "/acme/rules@sha256:" + strings.Repeat("0", 64), "fetch the Rego rules"},
	} {
		file := filepath.Join(tree(t, map[string]string{"p.yaml": "version: 1\nstarter-ok: true\nrego: " + tc.reference + "\n"}), "p.yaml")
		p, err := newGate().Policy(t.Context(), file)
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
		if err == nil && len(p.Files()) > 0 {
			t.Errorf("%s: it names files beside it: %v", name, p.Files())
		}
	}
	corrupt.Store(true)
	file := filepath.Join(tree(t, map[string]string{"p.yaml": "version: 1\nrego: " + opa + "\n"}), "p.yaml")
	if _, err := newGate().Policy(t.Context(), file); err == nil || core.Usage(err) {
		t.Errorf("rules that are not what their digest says: %v", err)
	}
}
