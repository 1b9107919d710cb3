//go:build clients

package gate_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// disagreement is what one of two scanners says of packages and the other does not, and why it is right that they differ.
type disagreement struct {
	// says is who says it, or differently for flaws that both name and join in different ways.
	says string
	// of is a pattern of "ecosystem name version: ids", and flaws how many it is of.
	of    string
	flaws int
	// why it is right.
	why string
}

const (
	ourMatches  = "cleanbill"
	theirs      = "osv-scanner"
	differently = "differently"
)

// disagreements with osv-scanner. One that is not listed fails the test, and so does one that is listed and is gone.
var disagreements = []disagreement{
	{ourMatches, `PyPI flask 1\.0\.0: CVE-2023-30861 GHSA-m2qf-hxjv-5gpq PYSEC-2023-62`, 1,
		"osv-scanner stops at a record's first range of commits; the range of versions behind it, before 2.2.5, has 1.0.0"},
	{ourMatches, `Bitnami (elasticsearch|gdal|postgresql) [0-9.]+: BIT-.*`, 60,
		"osv-scanner does not know package URLs of the type bitnami, whose advisories OSV has"},
	{ourMatches, ` nginx 1\.21\.1: BIT-.*`, 21,
		"pkg:generic/nginx may be the upstream program that Bitnami's advisories are about: found by name, with low confidence"},
}

// TestClientMatchingAgreesWithOSVScanner matches all lock files and bills of materials of the corpus with the same
// exports as osv-scanner does, and compares the sets of packages, versions and groups of aliases.
//
// https://google.github.io/osv-scanner/usage/offline-mode/
func TestClientMatchingAgreesWithOSVScanner(t *testing.T) {
	shared := filepath.Join(clients.Root(t), "..", "shared")
	if _, err := os.Stat(shared); err != nil {
		t.Skipf("real data is not beside the repository: %v", err)
	}
	exports := filepath.Join(shared, "data", "osv")
	documents := billsOfMaterials(t, filepath.Join(shared, "corpus", "sbom"))
	lockfiles := filepath.Join(shared, "corpus", "lockfiles")

	mine := flawsOfCleanbill(t, exports, lockfiles, documents)
	others := flawsOfOSVScanner(t, exports, lockfiles, documents)
	both, agreed := 0, 0
	var found []string
	for _, p := range slices.Sorted(maps.Keys(union(mine, others))) {
		if mine[p] != nil && others[p] != nil {
			both++
		}
		same, differ := compare(mine[p], others[p])
		agreed += same
		for _, d := range differ {
			found = append(found, d.says+" "+p+": "+d.of)
		}
	}
	t.Logf("%d packages of ours, %d of theirs, %d in common; %d flaws agree, %d do not", len(mine), len(others), both, agreed, len(found))
	if both < 2500 || agreed < 900 {
		t.Errorf("%d packages in common and %d flaws prove little", both, agreed)
	}
	explain(t, found)
}

// explain holds what was found against the table.
func explain(t *testing.T, found []string) {
	t.Helper()
	used := make([]int, len(disagreements))
	for _, f := range found {
		i := slices.IndexFunc(disagreements, func(d disagreement) bool {
			return regexp.MustCompile(`^` + d.says + ` ` + d.of + `$`).MatchString(f)
		})
		if i < 0 {
			t.Errorf("a disagreement that is not listed: %s", f)
			continue
		}
		used[i]++
	}
	for i, d := range disagreements {
		if used[i] != d.flaws {
			t.Errorf("%d, not %d: %s %s", used[i], d.flaws, d.says, d.of)
		}
		t.Logf("%d × %s %s: %s", used[i], d.says, d.of, d.why)
	}
}

// flaws are, by package, sets of ids. A package without flaws has an empty list.
type flaws map[string][][]string

func (f flaws) add(ecosystem, name, version string, ids ...string) {
	ecosystem = advisory.Canonical(ecosystem)
	name = advisory.NormalName(ecosystem, name)
	switch ecosystem {
	case "Go": // what osv-scanner matched as 1.22, it prints as 1.22.99
		version = strings.TrimSuffix(strings.TrimPrefix(version, "v"), ".99")
	case "Maven": // of a bill of materials, osv-scanner prints the artifact only
		name = name[strings.LastIndexByte(name, ':')+1:]
	}
	p := ecosystem + " " + name + " " + version
	if f[p] == nil {
		f[p] = [][]string{}
	}
	slices.Sort(ids)
	if len(ids) > 0 && !slices.ContainsFunc(f[p], func(known []string) bool { return slices.Equal(known, ids) }) {
		f[p] = append(f[p], ids)
	}
}

func union(a, b flaws) flaws {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// compare counts the flaws that both name as one, and lists the others.
func compare(mine, others [][]string) (same int, differ []disagreement) {
	list := func(says string, ids ...[]string) {
		differ = append(differ, disagreement{says: says, of: strings.Join(slices.Concat(ids...), " ")})
	}
	for _, o := range others {
		switch with := meeting(o, mine); {
		case len(with) == 0:
			list(theirs, o)
		case len(with) > 1 || len(meeting(with[0], others)) > 1:
			list(differently, o)
		default:
			same++
		}
	}
	for _, m := range mine {
		if len(meeting(m, others)) == 0 {
			list(ourMatches, m)
		}
	}
	return same, differ
}

// meeting returns the sets that share an id with one.
func meeting(one []string, sets [][]string) [][]string {
	var out [][]string
	for _, s := range sets {
		if slices.ContainsFunc(s, func(id string) bool { return slices.Contains(one, id) }) {
			out = append(out, s)
		}
	}
	return out
}

// billsOfMaterials copies what is a bill of materials in JSON, each content once, under names by which osv-scanner knows
// them.
func billsOfMaterials(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	seen := map[string]bool{}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var head struct {
			Format string `json:"bomFormat"`
			SPDX   string `json:"spdxVersion"`
		}
		if json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &head) != nil || seen[string(raw)] {
			return nil
		}
		seen[string(raw)] = true
		name := fmt.Sprintf("%02d-%s", len(seen), filepath.Base(path))
		switch {
		case head.Format == "CycloneDX":
			name += ".cdx.json"
		case strings.HasPrefix(head.SPDX, "SPDX-2."):
			name += ".spdx.json"
		default:
			return nil
		}
		return os.WriteFile(filepath.Join(dir, name), raw, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func flawsOfCleanbill(t *testing.T, exports, lockfiles, documents string) flaws {
	t.Helper()
	g, set := newGate(), filepath.Join(t.TempDir(), "set")
	if _, err := g.BuildAdvisories(t.Context(), gate.AdvisoryBuild{From: exports, Out: set}, nil); err != nil {
		t.Fatal(err)
	}
	targets := []string{"dir:" + lockfiles}
	names, err := os.ReadDir(documents)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		targets = append(targets, filepath.Join(documents, n.Name()))
	}
	out := flaws{}
	for _, target := range targets {
		r, err := g.Scan(t.Context(), gate.Plan{Targets: []string{target}, Advisories: "oci:" + set})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Evidence.Packages {
			out.add(p.Ecosystem, p.Name, p.Version)
		}
		for _, f := range r.Evidence.Findings {
			if f.Kind == core.KindVulnerability || f.Kind == core.KindMalware {
				out.add(f.Package.Ecosystem, f.Package.Name, f.Package.Version, append(slices.Clone(f.Aliases), f.Rule)...)
			}
		}
	}
	return out
}

func flawsOfOSVScanner(t *testing.T, exports, lockfiles, documents string) flaws {
	t.Helper()
	program, dir := clients.Tool(t, "osv-scanner"), t.TempDir()
	databases := filepath.Join(dir, "osv-scalibr")
	if err := os.CopyFS(databases, os.DirFS(exports)); err != nil {
		t.Fatal(err)
	}
	// It matches nothing more after a package whose ecosystem has no export.
	for _, ecosystem := range []string{"ConanCenter", "GIT", "Hex", "Julia", "Pub"} {
		emptyArchive(t, filepath.Join(databases, ecosystem, "all.zip"))
	}
	// A configuration of its own keeps those of the corpus, which ignore flaws, from being used. As ours, it looks at
	// what the go line says.
	config := filepath.Join(dir, "osv-scanner.toml")
	write(t, config, "ScanGoModVersion = true\n")
	result := filepath.Join(dir, "result.json")
	out, code := clients.Run(t, dir, nil, program, "scan", "source", "--offline", "--local-db-path", dir, "--config", config,
		"--no-call-analysis=go", "--no-ignore", "--all-packages", "--all-vulns", "--format=json", "--output-file="+result,
		"--recursive", lockfiles, documents)
	if code != 0 && code != 1 || strings.Contains(out, "no offline version") {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	raw, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Results []struct {
			Packages []struct {
				Package struct{ Ecosystem, Name, Version string }
				Groups  []struct{ IDs []string }
			}
		}
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatal(err)
	}
	found := flaws{}
	for _, r := range said.Results {
		for _, p := range r.Packages {
			found.add(p.Package.Ecosystem, p.Package.Name, p.Package.Version)
			for _, g := range p.Groups {
				found.add(p.Package.Ecosystem, p.Package.Name, p.Package.Version, g.IDs...)
			}
		}
	}
	return found
}

// emptyArchive writes an archive without files.
func emptyArchive(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := zip.NewWriter(&b).Close(); err != nil {
		t.Fatal(err)
	}
	write(t, name, b.String())
}
