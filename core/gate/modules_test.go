package gate_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
