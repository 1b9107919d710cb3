package gate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// FuzzModuleArchive checks that what is read of a bundle is bounded, and that nothing of it is named outside itself.
func FuzzModuleArchive(f *testing.F) {
	for _, name := range []string{"a.rego", "/dir/../../b.rego", "../c.rego", "a_test.rego", "data.json"} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 9}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte("package a")); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(packed.Bytes())
	}
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		m := modules{}
		_ = m.archive("rules.tar.gz", packed)
		if len(m) > rego.MaxModules {
			t.Errorf("%d modules", len(m))
		}
		for name, text := range m {
			if len(text) > rego.MaxModule || !isModule(name) || !strings.HasPrefix(name, "rules.tar.gz/") || strings.Contains(name, "/../") {
				t.Errorf("%q of %d bytes", name, len(text))
			}
		}
	})
}
