package advisory

import (
	"testing"
)

func TestStarterIsWhole(t *testing.T) {
	s, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if !s.Source().Starter || s.Source().Records < 5000 {
		t.Errorf("source is %+v, want a starter set of thousands of records", s.Source())
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
		found := false
		for _, r := range records {
			for _, cve := range r.CVEs() {
				in, err := r.Affected.Affects(test.version)
				if err != nil {
					t.Error(err)
				}
				found = found || in && cve == test.cve
			}
		}
		if !found {
			t.Errorf("%s %s %s: %s was not found among %d records", test.ecosystem, test.name, test.version, test.cve, len(records))
		}
	}
}
