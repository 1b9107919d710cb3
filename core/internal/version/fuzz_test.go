package version

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/osv-scalibr/semantic"
)

func FuzzApk(f *testing.F) {
	lawful(f, "", "Alpine:v3.20", "Wolfi", "Root:Alpine:3.18")
}

func FuzzDebian(f *testing.F) {
	lawful(f, "Debian", "Debian:12", "Ubuntu:22.04")
}

func FuzzRPM(f *testing.F) {
	lawful(f, "Red Hat", "AlmaLinux:9", "Photon OS:5")
}

func FuzzPyPI(f *testing.F) {
	lawful(f, "PyPI", "PyPI")
}

func FuzzSemver(f *testing.F) {
	lawful(f, "", "npm", "Go", "NuGet", "Pub", "Bitnami", "Echo:npm", "Root:npm")
}

func FuzzMaven(f *testing.F) {
	lawful(f, "", "Maven", "Echo:Maven")
}

func FuzzPackagist(f *testing.F) {
	lawful(f, "", "Packagist")
}

func FuzzRubyGems(f *testing.F) {
	lawful(f, "", "RubyGems")
}

func FuzzNumbers(f *testing.F) {
	lawful(f, "", "CRAN", "Hackage", "ConanCenter", "opam", "Root:Debian:12")
}

// lawful holds orders to the laws of one: reflexive, antisymmetric and transitive for what is of its ecosystem's form,
// and never a panic. oracle, if not empty, is an ecosystem of osv-scalibr's comparison that is known to be right: what
// may be installed must be in its order.
func lawful(f *testing.F, oracle string, ecosystems ...string) {
	f.Helper()
	seeds(f, ecosystems...)
	f.Fuzz(func(t *testing.T, which byte, a, b, c string) {
		order, ok := For(ecosystems[int(which)%len(ecosystems)])
		if !ok {
			t.Fatal("no order")
		}
		var v []Version
		for _, text := range []string{a, b, c} {
			if parsed, ok := read(t, order, text); ok {
				v = append(v, parsed)
			}
		}
		check(t, v)
		if oracle != "" {
			agreeWith(t, oracle, order.kind.clean, v)
		}
	})
}

// read parses a text in every way. It reports whether it is a version that may be installed.
func read(t *testing.T, order Order, text string) (Version, bool) {
	t.Helper()
	v, err := order.Parse(text)
	installed, installedErr := order.ParseInstalled(text)
	last, lastErr := order.ParseLast(text)
	again, againErr := order.Parse(text)
	switch {
	case err != nil && (installedErr == nil || lastErr == nil || againErr == nil):
		t.Fatalf("%q is a version in some ways (%v, %v, %v, %v)", text, err, installedErr, lastErr, againErr)
	case err != nil:
		return Version{}, false
	case lastErr != nil || againErr != nil:
		t.Fatalf("%q is no version in some ways (%v, %v)", text, lastErr, againErr)
	case !bytes.Equal(v.key, again.key), installedErr == nil && !bytes.Equal(v.key, installed.key):
		t.Fatalf("%q is another version the second time, or when it is installed", text)
	case bytes.Compare(v.key, last.key) > 0:
		t.Fatalf("%q is after its last build", text)
	case len(v.key) > 8*len(text)+64:
		t.Fatalf("%q has a key of %d bytes", text, len(v.key))
	}
	return v, installedErr == nil
}

func check(t *testing.T, v []Version) {
	t.Helper()
	for _, x := range v {
		for _, y := range v {
			xy, err1 := x.Compare(y)
			yx, err2 := y.Compare(x)
			if err1 != nil || err2 != nil {
				t.Fatalf("%q and %q: %v, %v", x, y, err1, err2)
			}
			if xy != -yx || x.text == y.text && xy != 0 {
				t.Fatalf("%q and %q: %d one way, %d the other", x, y, xy, yx)
			}
			// A key that another begins with would not tell where it ends.
			if xy != 0 && bytes.HasPrefix(y.key, x.key) {
				t.Fatalf("the key of %q begins with that of %q", y, x)
			}
		}
	}
	slices.SortFunc(v, func(x, y Version) int { n, _ := x.Compare(y); return n })
	for i := range v {
		for j := range i {
			if n, _ := v[j].Compare(v[i]); n > 0 {
				t.Fatalf("%q is sorted before %q, but is greater", v[j], v[i])
			}
		}
	}
}

func agreeWith(t *testing.T, ecosystem string, clean func(string) string, v []Version) {
	t.Helper()
	for i, x := range v {
		for _, y := range v[:i] {
			p, err1 := semantic.Parse(clean(x.text), ecosystem)
			q, err2 := semantic.Parse(clean(y.text), ecosystem)
			if err1 != nil || err2 != nil {
				t.Fatalf("%q and %q: %v, %v", x, y, err1, err2)
			}
			want, err := p.Compare(q)
			got, _ := x.Compare(y)
			if err != nil || got != max(-1, min(1, want)) {
				t.Fatalf("%q and %q: got %d, want %d (%v)", x, y, got, want, err)
			}
		}
	}
}

// seeds are the versions of a family's rows, three by three.
func seeds(f *testing.F, ecosystems ...string) {
	f.Helper()
	rows := ordered()
	for i, ecosystem := range ecosystems {
		row := rows[ecosystem]
		if len(row) == 0 {
			f.Fatalf("no seeds of %s", ecosystem)
		}
		for three := range slices.Chunk(slices.Concat(row, row[:2]), 3) {
			if len(three) == 3 {
				f.Add(byte(i), three[0], three[1], three[2])
			}
		}
	}
}
