package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestStarterIsWhole(t *testing.T) {
	s, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if source := s.Source(); !source.Starter || source.Records < 5000 || source.Name != "embedded starter set" {
		t.Errorf("source is %+v, want a starter set of thousands of records", source)
	}
}

func TestStarterIsSmallAndHoldsNoProse(t *testing.T) {
	var size int64
	err := fs.WalkDir(starterFiles, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil || size > 600_000 {
		t.Errorf("the starter set has %d bytes (%v), want at most 600,000", size, err)
	}
	s, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range s.tables {
		if table.kind != recordsTable {
			continue
		}
		for _, layer := range table.layers() {
			loaded, _, err := s.read(t.Context(), table, layer)
			if err != nil {
				t.Fatal(err)
			}
			err = loaded.all(s.z, func(id string, value []byte) error {
				r, err := decodeRecord(id, value)
				if r.Summary != "" || len(r.References) > 0 {
					t.Errorf("%s has a summary or references", id)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestStarterKnowsWhatTheExamplesAreMadeOf(t *testing.T) {
	s, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ ecosystem, name, version, cve string }{
		{"Go", "golang.org/x/net", "0.16.0", "CVE-2023-44487"},
		{"Go", "golang.org/x/text", "v0.3.7", "CVE-2022-32149"},
		{"npm", "jquery", "3.4.1", "CVE-2020-11023"},
		{"npm", "lodash", "4.17.4", "CVE-2018-16487"},
		{"Debian:12", "libwebp", "1.2.4-0.2", "CVE-2023-4863"},
		{"Debian:12", "glibc", "2.36-9", "CVE-2023-4911"},
	} {
		records, err := s.Lookup(t.Context(), test.ecosystem, test.name)
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(records, func(r Record) bool {
			in, err := r.Affected.Affects(test.version)
			return in && err == nil && slices.Contains(r.CVEs(), test.cve)
		})
		if !found {
			t.Errorf("%s %s %s: %s was not found among %d records", test.ecosystem, test.name, test.version, test.cve,
				len(records))
		}
	}
}

func TestAReferenceThatIsNoSetIsTheUsersMistake(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for _, ref := range []string{"oci:" + filepath.Join(dir, "none"), "oci:" + dir, filepath.Join(dir, "file")} {
		_, err := Open(t.Context(), ref, OpenOptions{})
		if !core.Usage(err) || core.HintOf(err) == "" || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: error is %v (hint %q), want a usage error that names it", ref, err, core.HintOf(err))
		}
	}
}

// TestDamageIsAnErrorAndNeverAnEmptyAnswer damages each blob of a set in several ways, and looks everything up.
func TestDamageIsAnErrorAndNeverAnEmptyAnswer(t *testing.T) {
	out := filepath.Join(t.TempDir(), "set")
	if _, err := Build(t.Context(), BuildOptions{From: exportsOf(t, small())}, out); err != nil {
		t.Fatal(err)
	}
	damage := map[string]func(name string, good []byte) error{
		"missing":   func(name string, _ []byte) error { return os.Remove(name) },
		"truncated": func(name string, good []byte) error { return os.WriteFile(name, good[:len(good)-1], 0o644) },
		"longer":    func(name string, good []byte) error { return os.WriteFile(name, append(bytes.Clone(good), 0), 0o644) },
		"empty":     func(name string, _ []byte) error { return os.WriteFile(name, nil, 0o644) },
		"one bit": func(name string, good []byte) error {
			bad := bytes.Clone(good)
			bad[len(bad)/2] ^= 1
			return os.WriteFile(name, bad, 0o644)
		},
	}
	for _, name := range append(files(t, filepath.Join(out, "blobs")), filepath.Join(out, "index.json")) {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for how, do := range damage {
			if strings.HasSuffix(name, "index.json") && how == "longer" {
				continue // white space after JSON, in effect
			}
			if err := do(name, good); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), out, OpenOptions{})
			if err == nil {
				err = s.Verify(t.Context())
			}
			if err == nil {
				t.Errorf("%s %s was not noticed", filepath.Base(name), how)
			}
			if err := os.WriteFile(name, good, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := Open(t.Context(), out, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range s.manifest.Layers {
		if err := os.Remove(filepath.Join(out, filepath.FromSlash(blobPath(layer.Digest)))); err != nil && !errors.Is(err,
			fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	_, affected := s.Affected(ctx, "Go", "example.org/a")
	_, rec := s.Record(ctx, "Go", "GO-2024-1")
	_, facts := s.Facts(ctx, "CVE-2024-1")
	_, _, eol := s.EndOfLife(ctx, "debian", "12")
	for what, err := range map[string]error{"affected": affected, "record": rec, "facts": facts, "eol": eol} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without its shard: error is %v", what, err)
		}
	}
	// A failure is not remembered: the set heals when its files do.
	if _, err := Build(ctx, BuildOptions{From: exportsOf(t, small())}, out); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Affected(ctx, "Go", "example.org/a"); len(l) != 2 || err != nil {
		t.Errorf("after the repair: %d advisories, %v", len(l), err)
	}
}

func TestABadIndexIsRefused(t *testing.T) {
	for _, raw := range []string{
		`{}`, `{"format":1}`, `[`, `{"format":2,"tables":[{"kind":"eol","keys":1,"first":1}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":1,"first":-1}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":-1,"first":0}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":1,"first":9223372036854775807}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":1,"first":0,"filter":true}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":2,"first":0,"prefixes":"0 1"}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":2,"first":0,"prefixes":"1 0"}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":2,"first":0,"prefixes":"0 01"}]}`,
		`{"format":2,"tables":[{"kind":"eol","keys":2,"first":0,"prefixes":"2"}]}`,
	} {
		if _, _, err := parseIndex([]byte(raw), 1); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

func TestASetServesManyAtOnce(t *testing.T) {
	s, _ := build(t, BuildOptions{From: exportsOf(t, small())})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if l, err := s.Lookup(t.Context(), "Debian:12", "libthing"); len(l) != 1 || err != nil {
					t.Errorf("%d advisories, %v", len(l), err)
				}
			}
		})
	}
	wait.Wait()
}

// TestTheIndexedLookupEqualsANaiveScan makes random advisories, and asks a set and a list of all records.
func TestTheIndexedLookupEqualsANaiveScan(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	version := func() string { return fmt.Sprintf("%d.%d.%d", random.IntN(3), random.IntN(5), random.IntN(5)) }
	ecosystems := []string{"Go", "npm", "PyPI", "Debian:12", "Alpine:v3.20", "Maven"}
	by := map[string][]file{}
	var all []parsed
	records := 3000
	if testing.Short() {
		records = 500
	}
	for i := range records {
		ecosystem := ecosystems[random.IntN(len(ecosystems))]
		var fields []string
		for range 1 + random.IntN(3) {
			fixed := ""
			if random.IntN(3) > 0 {
				fixed = fmt.Sprintf(`,{"fixed":%q}`, version())
			} else if random.IntN(2) > 0 {
				fixed = fmt.Sprintf(`,{"last_affected":%q}`, version())
			}
			fields = append(fields, fmt.Sprintf(`{"package":{"ecosystem":%q,"name":"pkg-%d"},"versions":[%q,%q],
				"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":%q}%s]}]}`,
				ecosystem, random.IntN(150), version(), version(), []string{"0", version()}[random.IntN(2)], fixed))
		}
		raw := fmt.Sprintf(`{"id":"X-%d","modified":"2024-01-01T00:00:00Z","affected":[%s]}`, i, strings.Join(fields, ","))
		p, err := parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		by[Family(ecosystem)] = append(by[Family(ecosystem)], file{fmt.Sprintf("X-%d.json", i), raw})
	}
	s, _ := build(t, BuildOptions{From: exportsOf(t, by)})
	for range 1500 {
		ecosystem, name, v := ecosystems[random.IntN(len(ecosystems))], fmt.Sprintf("pkg-%d", random.IntN(160)), version()
		list, err := s.Affected(t.Context(), ecosystem, name)
		if err != nil {
			t.Fatal(err)
		}
		got, want := affecting(t, list, v), []string(nil)
		for _, p := range all {
			same := slices.DeleteFunc(slices.Clone(p.affected), func(a Affected) bool {
				return a.Ecosystem != ecosystem ||
					a.Name != name
			})
			want = append(want, affecting(t, same, v)...)
		}
		slices.Sort(want)
		if !slices.Equal(got, slices.Compact(want)) {
			t.Fatalf("%s %s %s: %v, want %v", ecosystem, name, v, got, want)
		}
	}
}

func affecting(t *testing.T, list []Affected, v string) []string {
	t.Helper()
	var ids []string
	for _, a := range list {
		in, err := a.Affects(v)
		if err != nil {
			t.Fatal(err)
		}
		if in {
			ids = append(ids, a.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
