package inventory

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// TestHostileTOMLIsRefused would end the test's process, or take gigabytes, if the parser read these.
func TestHostileTOMLIsRefused(t *testing.T) {
	const n = 3_000_000
	var longTable strings.Builder
	longTable.WriteString("[" + strings.Repeat("n", 1<<20) + "]\n")
	for i := range 1000 {
		fmt.Fprintf(&longTable, "k%d=1\n", i)
	}
	contents := map[string]string{
		"arrays":                       "a=" + strings.Repeat("[", n),
		"arrays after strings":         "s='''\n#[[''''\nt=\"\\\"[#\" # \"\nu=\"\"\"\\\"\"\"\"\"\na=" + strings.Repeat("[", n),
		"inline tables":                "a=" + strings.Repeat("{a=", n),
		"dotted key":                   strings.Repeat("a.", n) + "a=1",
		"dotted key of quoted parts":   strings.Repeat(`"a" . `, n) + "a=1",
		"dotted table":                 "[" + strings.Repeat("a.", n) + "a]",
		"many keys in a long table":    longTable.String(),
		"many keys":                    strings.Repeat("a=1\n", n),
		"many empty inline tables":     "a=[" + strings.Repeat("{},", n) + "]",
		"many keys below a dotted key": strings.Repeat(strings.Repeat("a.", 30)+"b=1\n", 20_000),
	}
	paths := []string{
		"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Cargo.lock", "Manifest.toml", "gradle/libs.versions.toml",
	}
	for name, content := range contents {
		for _, p := range paths {
			if got := drive(t, tree{p: []byte(content)}); got.failed[p] == nil {
				t.Errorf("%s: %s was read", name, p)
			}
		}
	}
	var exceeded *limit.Exceeded
	if got := drive(t, tree{"uv.lock": []byte(contents["many keys"])}); !errors.As(got.failed["uv.lock"], &exceeded) {
		t.Errorf("the limit is not named: %v", got.failed)
	}
}

func TestOrdinaryTOMLIsRead(t *testing.T) {
	strange := "s='''[[[\n''''' # it's\nt=\"[\\\\\" \nu=\"\"\nv=''\nw=\"\"\"[\n\\\"\"\"\"\"\"\n" + `"#" . 'q'=[[1, {a.b={c="]"}}], ["}"]]` + "\n"
	content := strange + strings.Repeat("[[package]]\nname='a'\nversion='1.0.0'\nfiles=[{file='f',hash='sha256:0'},{file='g'}]\n[package.metadata.'x.y']\nz=1\n", 5000)
	if err := toml.Unmarshal([]byte(content), new(map[string]any)); err != nil {
		t.Fatal(err)
	}
	if got := drive(t, tree{"poetry.lock": []byte(content)}).clean(t); len(got.packages) != 5000 {
		t.Errorf("%d packages", len(got.packages))
	}
}

// FuzzTOMLDepth holds the scan against the parser: what it lets pass must not nest deeper than it says.
func FuzzTOMLDepth(f *testing.F) {
	for _, seed := range []string{"a=[[1]]", "s='''x'''''\nb={c.d=[{}]}", "[a.'b]'.\"c\\\"\"]\nd=\"\"\"\"\"\"", "a='#[' # ["} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		var v map[string]any
		if toml.Unmarshal([]byte(content), &v) != nil {
			return
		}
		scan := newTOMLScan(strings.NewReader(content), 1<<40)
		deepest := 0
		for scan.next() == nil {
			deepest = max(deepest, len(scan.outer))
		}
		if depth := arrayDepth(v); depth > deepest {
			t.Errorf("values nest %d deep, and the scan saw %d", depth, deepest)
		}
		if len(scan.outer) != 0 {
			t.Errorf("%d brackets are open at the end", len(scan.outer))
		}
	})
}

// arrayDepth counts arrays only, because tables come from dotted keys as well.
func arrayDepth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, arrayDepth(e))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, arrayDepth(e))
		}
		deepest++
	}
	return deepest
}
