package advisory

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// file is one file of an export.
type file struct{ name, content string }

// record writes a small OSV record with one range.
func record(id, ecosystem, name, introduced, fixed string, aliases ...string) file {
	events := []map[string]string{{"introduced": introduced}}
	if fixed != "" {
		events = append(events, map[string]string{"fixed": fixed})
	}
	raw, err := json.Marshal(map[string]any{
		"id": id, "modified": "2024-05-06T07:08:09Z", "published": "2024-01-02T00:00:00Z", "aliases": aliases,
		"summary": "Flaw " + id, "references": []any{map[string]string{"type": "WEB", "url": "https://example.org/" + id}},
		"severity": []any{map[string]string{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
		"affected": []any{map[string]any{"package": map[string]string{"ecosystem": ecosystem, "name": name},
			"ranges": []any{map[string]any{"type": "ECOSYSTEM", "events": events}}}},
	})
	if err != nil {
		panic(err)
	}
	return file{id + ".json", string(raw)}
}

// exports writes a directory in the layout of the OSV bucket, with KEV, EPSS and end of life.
func exportsOf(t testing.TB, by map[string][]file) string {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for ecosystem, files := range by {
		names = append(names, ecosystem)
		writeZip(t, filepath.Join(dir, ecosystem, "all.zip"), files)
	}
	slices.Sort(names)
	write(t, filepath.Join(dir, "ecosystems.txt"), strings.Join(names, "\n")+"\n")
	write(t, filepath.Join(dir, "kev.json"), `{"catalogVersion":"2024.05.06","vulnerabilities":[
		{"cveID":"CVE-2024-1","dateAdded":"2024-03-04","knownRansomwareCampaignUse":"Known"},
		{"cveID":"CVE-2000-1","dateAdded":"2021-01-01","knownRansomwareCampaignUse":"Unknown"}]}`)
	write(t, filepath.Join(dir, "epss.csv"),
		"#model_version:v1,score_date:2024-05-05T00:00:00+0000\ncve,epss,percentile\nCVE-2024-1,0.5,0.99\n")
	write(t, filepath.Join(dir, "eol-distros.csv"),
		"distro,release,codename,release_date,eol,extended_eol,latest\ndebian,12,,2023-06-10,2026-07-11,2028-06-30,12.15\n"+
			"alpine-linux,3.20,,2024-05-22,2026-04-01,,3.20.3\nubuntu,22.04,,2022-04-21,2027-04-01,2032-04-09,\n"+
			"fedora,99,,2026-01-01,False,,\n")
	return dir
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeZip(t testing.TB, name string, files []file) {
	t.Helper()
	var b strings.Builder
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write([]byte(f.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, name, b.String())
}

func small() map[string][]file {
	return map[string][]file{
		"Go": {record("GO-2024-1", "Go", "example.org/a", "0", "1.2.0", "CVE-2024-1"),
			record("GO-2024-2", "Go", "example.org/a", "1.0.0", "", "CVE-2024-2")},
		"PyPI":   {record("PYSEC-2024-1", "PyPI", "Flask_Thing", "0", "2.0")},
		"Debian": {record("DEBIAN-CVE-2024-1", "Debian:12", "libthing", "0", "1.2-3+deb12u1", "CVE-2024-1")},
	}
}

func build(t testing.TB, o BuildOptions) (*Set, BuildReport) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "set")
	report, err := Build(t.Context(), o, out)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "oci:"+out, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, report
}

func TestWhatWasBuiltIsFound(t *testing.T) {
	now := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	s, report := build(t, BuildOptions{From: exportsOf(t, small()), Now: now, Created: true})
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := s.Lookup(t.Context(), "Go", "example.org/a")
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{{
		ID: "GO-2024-1", Aliases: []string{"CVE-2024-1"}, Summary: "Flaw GO-2024-1",
		Severity:  []Vector{{"CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
		Published: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), Modified: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
		References: []string{"https://example.org/GO-2024-1"}, Packages: []PackageName{{"Go", "example.org/a"}},
		Affected: Affected{ID: "GO-2024-1", Ecosystem: "Go", Name: "example.org/a",
			Ranges: []Range{{Events: []Event{{Introduced, "0"}, {Fixed, "1.2.0"}}}}},
	}}
	if diff := cmp.Diff(want, got[:1]); diff != "" || len(got) != 2 {
		t.Errorf("%d records, and the first differs (-want +got):\n%s", len(got), diff)
	}
	if l, err := s.Lookup(t.Context(), "PyPI", "flask.thing"); len(l) != 1 || err != nil {
		t.Errorf("flask.thing has %d advisories (%v), want that of Flask_Thing", len(l), err)
	}
	if l, err := s.Lookup(t.Context(), "Go", "example.org/none"); len(l) != 0 || err != nil {
		t.Errorf("an unknown module has %d advisories (%v)", len(l), err)
	}
	modified := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	wantSource := core.AdvisorySource{Name: s.source.Name, Digest: report.Digest, Built: now, Records: 4, AsOf: modified,
		Newest: modified, Ecosystems: []string{"Debian", "Debian:12", "Go", "PyPI"},
		Sources: []string{SourceOSV, SourceKEV, SourceEPSS, SourceEndOfLife}}
	if diff := cmp.Diff(wantSource, s.Source()); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
}

func TestFactsOfCVEsAndReleasesAreFound(t *testing.T) {
	ctx := t.Context()
	s, report := build(t, BuildOptions{From: exportsOf(t, small())})
	want := Facts{Vectors: []Vector{{"CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
		Exploited: &core.Exploited{Since: "2024-03-04", Ransomware: true}, EPSS: &core.EPSS{Score: 0.5, Percentile: 0.99}}
	if got, err := s.Facts(ctx, "CVE-2024-1"); err != nil || !cmp.Equal(got, want) {
		t.Errorf("facts: %v\n%s", err, cmp.Diff(want, got))
	}
	if got, err := s.Facts(ctx, "CVE-2000-1"); err != nil || !cmp.Equal(got, Facts{}) {
		t.Errorf("a CVE that no record names was kept: %+v, %v", got, err)
	}
	for _, test := range []struct{ id, version, date string }{
		{"debian", "12", "2028-06-30"}, {"alpine", "3.20.3", "2026-04-01"}, {"ubuntu", "22.04", "2027-04-01"},
		{"alpine", "3.20.0_alpha20240923", ""}, {"fedora", "99", ""}, {"nonesuch", "1.2", ""}, {"debian", "", ""},
	} {
		date, ok, err := s.EndOfLife(ctx, test.id, test.version)
		if err != nil || date != test.date || ok != (test.date != "") {
			t.Errorf("end of life of %s %s: %q, %v, %v; want %q", test.id, test.version, date, ok, err, test.date)
		}
	}
	sources := []Dated{{"OSV", "2024-05-06"}, {"CISA KEV", "2024.05.06"}, {"EPSS", "2024-05-05"}, {"end of life", ""}}
	if diff := cmp.Diff(sources, report.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestWhatIsLeftOutIsCountedAndWhatCannotBeReadIsNamed(t *testing.T) {
	withdrawn := record("GO-2024-9", "Go", "example.org/w", "0", "")
	withdrawn.content = strings.Replace(withdrawn.content, "{", `{"withdrawn":"2024-05-05T00:00:00Z",`, 1)
	bugfix := record("ALBA-2024:1", "AlmaLinux:9", "tool", "0", "1-2.el9")
	s, report := build(t, BuildOptions{From: exportsOf(t, map[string][]file{
		"AlmaLinux": {bugfix, record("ALSA-2024:1", "AlmaLinux:9", "tool", "0", "1-3.el9")},
		"Go": {withdrawn, {"broken.json", "{"}, {"README.md", "not a record"},
			{"empty.json", `{"id":"GO-1","modified":"2024-01-01T00:00:00Z"}`},
			{"range.json", `{"id":"GO-2","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"x"},
				"ranges":[{"type":"SEMVER","events":[{"fixed":"1"}]}]}]}`},
			record("GO-2024-3", "Go", "example.org/a", "0", "")},
	})})
	modified := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	want := []EcosystemCount{{Name: "AlmaLinux", Newest: modified, Records: 1, Other: 1, Releases: []string{"AlmaLinux:9"}},
		{Name: "Go", Newest: modified, Records: 1, Withdrawn: 1, Unreadable: 2, Other: 1}}
	if diff := cmp.Diff(want, report.Ecosystems); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if len(report.Unreadable) != 2 || !strings.Contains(report.Unreadable[0], `Go: "broken.json"`) ||
		!strings.Contains(report.Unreadable[1], "introduced") {
		t.Errorf("unreadable: %q", report.Unreadable)
	}
	if l, err := s.Affected(t.Context(), "Go", "example.org/w"); len(l) != 0 || err != nil {
		t.Errorf("a withdrawn record is found: %v, %v", l, err)
	}
}

// A scan must not take an export that nobody could read for one without flaws.
func TestAnExportThatTellsNothingCoversNothing(t *testing.T) {
	withdrawn := record("GO-2024-9", "Go", "example.org/w", "0", "")
	withdrawn.content = strings.Replace(withdrawn.content, "{", `{"withdrawn":"2024-05-05T00:00:00Z",`, 1)
	s, _ := build(t, BuildOptions{From: exportsOf(t, map[string][]file{
		"Go": {withdrawn}, "npm": {{"broken.json", "{"}}, "PyPI": {{"README.md", "not a record"}},
		"crates.io": {{"broken.json", "{"}, record("RUSTSEC-2024-1", "crates.io", "thing", "0", "1.0.0")},
	})})
	for ecosystem, want := range map[string]bool{"Go": true, "npm": false, "PyPI": false, "crates.io": true} {
		if got := s.Covers(ecosystem); got != want {
			t.Errorf("it covers %s: %v, want %v", ecosystem, got, want)
		}
	}
	const want = "records that could not be read when the set was built are not in it: 1 of crates.io, 1 of npm"
	if got := s.Source().Note; got != want {
		t.Errorf("its note is %q, want %q", got, want)
	}
}

func TestTheSameInputGivesTheSameDigest(t *testing.T) {
	by := small()
	for i := range 400 {
		by["Go"] = append(by["Go"], record(fmt.Sprintf("GO-2023-%d", i), "Go", fmt.Sprintf("example.org/m%d", i%40), "0",
			fmt.Sprintf("1.%d.0", i)))
	}
	o := BuildOptions{From: exportsOf(t, by), Now: time.Unix(1_700_000_000, 0)}
	_, first := build(t, o)
	slices.Reverse(by["Go"])
	o.From, o.Parallel = exportsOf(t, by), 1
	if _, second := build(t, o); first.Digest != second.Digest {
		t.Errorf("digests differ: %s and %s", first.Digest, second.Digest)
	}
}

func TestARebuildWritesOnlyWhatChangedAndKeepsThePreviousSetReadable(t *testing.T) {
	by := map[string][]file{}
	for i := range 3000 {
		by["npm"] = append(by["npm"], record(fmt.Sprintf("GHSA-%d", i), "npm", fmt.Sprintf("package-%d", i), "0",
			fmt.Sprintf("1.%d.0", i)))
	}
	out := filepath.Join(t.TempDir(), "set")
	first, err := Build(t.Context(), BuildOptions{From: exportsOf(t, by)}, out)
	if err != nil {
		t.Fatal(err)
	}
	old, err := Open(t.Context(), out, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := len(files(t, out))
	by["npm"][7] = record("GHSA-7", "npm", "package-7", "0", "9.9.9")
	second, err := Build(t.Context(), BuildOptions{From: exportsOf(t, by)}, out)
	if err != nil {
		t.Fatal(err)
	}
	// One shard of packages and the manifest; the index still describes all.
	if fresh := len(files(t, out)) - before; fresh != 2 || second.Written >= first.Bytes*2/3 {
		t.Errorf("the second build wrote %d blobs with %d of %d bytes", fresh, second.Written, first.Bytes)
	}
	if err := old.Verify(t.Context()); err != nil {
		t.Errorf("who reads the previous set loses it: %v", err)
	}
	by["npm"][8] = record("GHSA-8", "npm", "package-8", "0", "9.9.9")
	if _, err := Build(t.Context(), BuildOptions{From: exportsOf(t, by)}, out); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), out, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(files(t, filepath.Join(out, "blobs"))); got > 2*(len(s.manifest.Layers)+2) {
		t.Errorf("%d blobs were kept, more than two sets need", got)
	}
}

// TestTenAtOnceWriteOneLayout builds different sets into one directory: each build succeeds, and one of them is there.
func TestTenAtOnceWriteOneLayout(t *testing.T) {
	records, rounds := 2000, 5
	if testing.Short() { // the race detector makes this ten times as long, and sees in one round what it sees in five
		records, rounds = 300, 1
	}
	var from []string
	for i := range 3 {
		by := map[string][]file{}
		for j := range records {
			name := fmt.Sprintf("package-%d-%d", i%2, j)
			by["npm"] = append(by["npm"], record(fmt.Sprintf("GHSA-%d", j), "npm", name, "0", fmt.Sprintf("%d.%d.0", i, j)))
		}
		from = append(from, exportsOf(t, by))
	}
	for range rounds {
		out := filepath.Join(t.TempDir(), "set")
		digests := make([]core.Digest, 10)
		var wait sync.WaitGroup
		for i := range digests {
			wait.Go(func() {
				report, err := Build(t.Context(), BuildOptions{From: from[i%len(from)], Parallel: 1}, out)
				if err != nil {
					t.Error(err)
				}
				digests[i] = report.Digest
			})
		}
		wait.Wait()
		s, err := Open(t.Context(), out, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(t.Context()); err != nil || !slices.Contains(digests, s.Source().Digest) {
			t.Errorf("the set %s: %v", s.Source().Digest, err)
		}
	}
}

// TestAReplacedSetLeavesItsLayoutWhenNobodyUsesIt replaces three sets: at first they stay, for whoever still reads them.
func TestAReplacedSetLeavesItsLayoutWhenNobodyUsesIt(t *testing.T) {
	by, out := small(), filepath.Join(t.TempDir(), "set")
	next := func(i int) *Set {
		by["npm"] = append(by["npm"], record(fmt.Sprintf("GHSA-%d", i), "npm", "another", "0", fmt.Sprintf("%d.0.0", i)))
		if _, err := Build(t.Context(), BuildOptions{From: exportsOf(t, by)}, out); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), out, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sets := []*Set{next(0), next(1), next(2)}
	for i, s := range sets {
		if err := s.Verify(t.Context()); err != nil {
			t.Errorf("set %d, which somebody may read: %v", i, err)
		}
	}
	old := time.Now().Add(-2 * unused)
	for _, name := range files(t, filepath.Join(out, "blobs")) {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	sets = append(sets, next(3))
	for i, s := range sets {
		if err := s.Verify(t.Context()); (err == nil) != (i >= 2) {
			t.Errorf("set %d: %v", i, err)
		}
	}
}

// files lists the files below a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestAFailedBuildLeavesNothingBehind(t *testing.T) {
	by := small()
	good := exportsOf(t, by)
	broken := exportsOf(t, by)
	write(t, filepath.Join(broken, "Go", "all.zip"), "PK not a zip")
	missing := exportsOf(t, by)
	if err := os.RemoveAll(filepath.Join(missing, "PyPI")); err != nil {
		t.Fatal(err)
	}
	outside := exportsOf(t, by)
	write(t, filepath.Join(outside, "ecosystems.txt"), "../../etc\n")
	badKEV := exportsOf(t, by)
	write(t, filepath.Join(badKEV, "kev.json"), `{"vulnerabilities":[{"cveID":"nonsense"}]}`)
	badEPSS := exportsOf(t, by)
	write(t, filepath.Join(badEPSS, "epss.csv"), "CVE-2024-1,2,3\n")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name, from, says string
		ctx              context.Context
		limits           limit.Limits
	}{
		{name: "no directory", from: filepath.Join(good, "none"), says: "no ecosystems.txt"},
		{name: "broken zip", from: broken, says: "Go/all.zip"},
		{name: "missing zip", from: missing, says: "lists PyPI"},
		{name: "name outside", from: outside, says: "not the name of an ecosystem"},
		{name: "KEV", from: badKEV, says: "kev.json"},
		{name: "EPSS", from: badEPSS, says: "line 1"},
		{name: "cancelled", from: good, says: "canceled", ctx: ended},
		{name: "too many", from: good, says: "limit of 1 entries", limits: limit.Limits{Entries: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			if test.ctx != nil {
				ctx = test.ctx
			}
			out := filepath.Join(t.TempDir(), "set")
			_, err := Build(ctx, BuildOptions{From: test.from, Limits: test.limits}, out)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error is %v, want one that says %q", err, test.says)
			}
			if left := files(t, filepath.Dir(out)); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestABuildTouchesNothingThatIsNotASet(t *testing.T) {
	from := exportsOf(t, small())
	full := t.TempDir()
	write(t, filepath.Join(full, "precious.txt"), "x")
	other := t.TempDir()
	write(t, filepath.Join(other, "oci-layout"), layoutContent)
	write(t, filepath.Join(other, "index.json"),
		`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json"}]}`)
	for _, out := range []string{full, other, filepath.Join(full, "precious.txt")} {
		before := files(t, full)
		if _, err := Build(t.Context(), BuildOptions{From: from}, out); !core.Usage(err) {
			t.Errorf("%s: error is %v, want a usage error", out, err)
		}
		if diff := cmp.Diff(before, files(t, full)); diff != "" {
			t.Errorf("files (-before +after):\n%s", diff)
		}
	}
}

func TestARecordTooLargeIsNamed(t *testing.T) {
	_, report := build(t, BuildOptions{From: exportsOf(t, small()), Limits: limit.Limits{MetadataSize: 100}})
	if len(report.Unreadable) != 4 || !strings.Contains(report.Unreadable[0], "limit of 100 bytes") {
		t.Errorf("unreadable: %q", report.Unreadable)
	}
}

func TestTheOwnExportOfAnEcosystemIsBelievedFirst(t *testing.T) {
	shared := func(modified, fixed string) file {
		return file{"GHSA-1.json", `{"id":"GHSA-1","modified":"` + modified + `","affected":[
			{"package":{"ecosystem":"Go","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},
				{"fixed":"` + fixed + `"}]}]},
			{"package":{"ecosystem":"Hex","name":"b"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},
				{"fixed":"` + fixed + `"}]}]}]}`}
	}
	s, report := build(t, BuildOptions{From: exportsOf(t, map[string][]file{
		"Go": {shared("2024-01-01T00:00:00Z", "1.0.0")}, "npm": {shared("2025-01-01T00:00:00Z", "2.0.0")},
		"PyPI": {shared("2023-01-01T00:00:00Z", "3.0.0")}})})
	for _, test := range []struct{ ecosystem, name, fixed string }{{"Go", "a", "1.0.0"}, {"Hex", "b", "2.0.0"}} {
		l, err := s.Affected(t.Context(), test.ecosystem, test.name)
		if err != nil || len(l) != 1 || l[0].Ranges[0].Events[1].Version != test.fixed {
			t.Errorf("%s %s: %+v, %v; want fixed in %s", test.ecosystem, test.name, l, err, test.fixed)
		}
	}
	if report.Records != 1 || s.Covers("Hex") || !s.Covers("Go") {
		t.Errorf("%d records; Hex covered: %v; Go covered: %v", report.Records, s.Covers("Hex"), s.Covers("Go"))
	}
}

func TestASelectionIsMarkedAsOne(t *testing.T) {
	s, _ := build(t, BuildOptions{From: exportsOf(t, small()), FactsOnly: true,
		Select: func(r Record, a []Affected) []Affected {
			if r.ID == "GO-2024-1" {
				return a
			}
			return nil
		}})
	records, err := s.Lookup(t.Context(), "Go", "example.org/a")
	if err != nil || len(records) != 1 || records[0].Summary != "" || records[0].References != nil {
		t.Errorf("records: %+v, %v; want one without prose", records, err)
	}
	if !s.Source().Starter || s.Source().Records != 1 {
		t.Errorf("source: %+v", s.Source())
	}
}
