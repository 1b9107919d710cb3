package version

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shared returns the path of real data that lies beside the repository, if it does.
func shared(t testing.TB, name string) (path string, ok bool) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path = filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Logf("real data is not beside the repository: %v", err)
		return "", false
	}
	return path, true
}

// advised returns the versions that our rows have of an ecosystem, and those that real advisories speak of: in
// events, and in lists. Of large sets it reads a part.
func advised(t testing.TB, ecosystem string) []string {
	t.Helper()
	versions := map[string]bool{}
	for name, row := range ordered() {
		if family, _, _ := strings.Cut(name, ":"); family == ecosystem {
			for _, v := range row {
				versions[v] = true
			}
		}
	}
	if dir, ok := shared(t, "data/osv"); ok {
		readAdvisories(t, filepath.Join(dir, ecosystem, "all.zip"), ecosystem, versions)
	}
	return slices.Sorted(maps.Keys(versions))
}

func readAdvisories(t testing.TB, path, ecosystem string, versions map[string]bool) {
	t.Helper()
	const most = 4000
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	before := len(versions)
	for i := 0; i < len(z.File); i += len(z.File)/most + 1 {
		readAdvisory(t, z.File[i], ecosystem, versions)
	}
	if len(versions) == before {
		t.Fatalf("the advisories of %s name no version", ecosystem)
	}
}

func readAdvisory(t testing.TB, f *zip.File, ecosystem string, versions map[string]bool) {
	t.Helper()
	var record struct {
		Affected []struct {
			Package struct{ Ecosystem string }
			Ranges  []struct {
				Type   string
				Events []map[string]string
			}
			Versions []string
		}
	}
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&record); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	for _, a := range record.Affected {
		if family, _, _ := strings.Cut(a.Package.Ecosystem, ":"); family != ecosystem {
			continue
		}
		for _, v := range a.Versions {
			versions[v] = true
		}
		for _, r := range a.Ranges {
			for _, e := range r.Events {
				for _, v := range e {
					if r.Type != "GIT" && v != "0" {
						versions[v] = true
					}
				}
			}
		}
	}
}

// installed returns the versions in real package databases, by what stands before them in a line.
func installed(t testing.TB, prefix string, names ...string) []string {
	t.Helper()
	dir, ok := shared(t, "corpus/os-db")
	if !ok {
		return nil
	}
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !slices.Contains(names, d.Name()) {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			if v, ok := strings.CutPrefix(s.Text(), prefix); ok && v != "" {
				found[v] = true
			}
		}
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no database has a line with %q", prefix)
	}
	return slices.Sorted(maps.Keys(found))
}
