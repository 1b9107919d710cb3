package advisory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// shared returns the path of real data that lies beside the repository, or skips the test.
func shared(t testing.TB, name string) string {
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
	path := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real data is not beside the repository: %v", err)
	}
	return path
}

func TestAllRealAdvisoriesAreKept(t *testing.T) {
	if testing.Short() {
		t.Skip("building all real advisories takes half a minute")
	}
	from := shared(t, "data/osv")
	s, report := build(t, BuildOptions{From: from})
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if len(report.Unreadable) != 0 {
		t.Errorf("unreadable: %q", report.Unreadable)
	}
	total, withdrawn, other := 0, 0, 0
	for _, e := range report.Ecosystems {
		total += e.Records
		withdrawn += e.Withdrawn
		other += e.Other
	}
	if total+withdrawn+other != 65_631 || withdrawn != 36 || other != 1197 || report.Records < 64_000 {
		t.Errorf("%d records, %d withdrawn, %d not about security, of 65,631; %d in the set", total, withdrawn, other,
			report.Records)
	}
	var zips int64
	for _, e := range report.Ecosystems {
		info, err := os.Stat(filepath.Join(from, e.Name, "all.zip"))
		if err != nil {
			t.Fatal(err)
		}
		zips += info.Size()
	}
	if report.Bytes > zips/4 {
		t.Errorf("the set has %d bytes, more than a quarter of the exports' %d", report.Bytes, zips)
	}
	// Every version in a range must be one that can be compared; what cannot would make examinations partial.
	unclear, events := 0, 0
	for _, table := range s.tables {
		if table.kind != packagesTable {
			continue
		}
		for _, layer := range table.layers() {
			loaded, _, err := s.read(t.Context(), table, layer)
			if err != nil {
				t.Fatal(err)
			}
			err = loaded.all(s.z, func(name string, value []byte) error {
				list, err := decodeList(table.name, value)
				for _, a := range list {
					for _, r := range a.Ranges {
						events += len(r.Events)
						order, err := r.order(a.Ecosystem)
						if err == nil {
							_, err = parseEvents(order, r.Events)
						}
						if err != nil {
							unclear++
							t.Logf("%s %s %s: %v", table.name, name, a.ID, err)
						}
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if unclear > events/1000 {
		t.Errorf("%d ranges of %d events cannot be compared", unclear, events)
	}
}

func BenchmarkBuild(b *testing.B) {
	from := shared(b, "data/osv")
	for b.Loop() {
		report, err := Build(b.Context(), BuildOptions{From: from}, filepath.Join(b.TempDir(), "set"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(report.Bytes), "set-bytes")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "MB-sys")
}

func BenchmarkStarter(b *testing.B) {
	for b.Loop() {
		s, err := Starter()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Affected(b.Context(), "Go", "golang.org/x/net"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	s, err := Starter()
	if err != nil {
		b.Fatal(err)
	}
	for name, pkg := range map[string]string{"present": "golang.org/x/net", "absent": "example.org/none"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Affected(b.Context(), "Go", pkg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
