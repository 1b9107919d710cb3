package advisory

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestWhatARecordSaysIsKept(t *testing.T) {
	p, err := parse([]byte(`{"schema_version":null,"id":"ALSA-2024:1","modified":"2024-01-02T03:04:05.678Z",
		"published":"0001-01-01T00:00:00Z",
		"summary":"Important: thing\nsecurity  update","related":["CVE-2024-2","CVE-2024-1","ALSA-2024:9"],
		"affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"thing"},"ecosystem_specific":{"urgency":{"odd":1}},
			"ranges":[{"type":"GIT","repo":"x","events":[{"introduced":"0"}]},{"type":"ECOSYSTEM","events":[{"introduced":"0"},
				{"fixed":"1"}]}]},
			{"ranges":[]}],
		"references":[{"type":"REPORT","url":"https://access.redhat.com/security/cve/CVE-2024-1"},{"type":"WEB",
			"url":"javascript:alert(1)"},
			{"type":"ADVISORY","url":"https://errata.almalinux.org/1.html"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := p.record
	if r.Rating != "Important" || r.Summary != "Important: thing security update" || !r.Published.IsZero() {
		t.Errorf("record: %+v", r)
	}
	if diff := cmp.Diff([]string{"CVE-2024-1", "CVE-2024-2"}, r.CVEs()); diff != "" {
		t.Errorf("CVEs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"https://errata.almalinux.org/1.html"}, r.References); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if len(p.affected) != 1 || len(p.affected[0].Ranges) != 1 || p.affected[0].Urgency != "" {
		t.Errorf("affected: %+v", p.affected)
	}
}

func TestWhatCannotBeTrustedIsAnError(t *testing.T) {
	for _, test := range []struct{ raw, says string }{
		{`{"id":""}`, "no id"}, {`{"id":"A B"}`, "not an id"}, {`{"id":"GO-1"}`, "date of modification"}, {`[]`,
			"cannot unmarshal"},
		{`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go"}}]}`,
			"both an ecosystem and a name"},
		{`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},
			"ranges":[{"type":"ODD","events":[]}]}]}`, "range type"},
		{`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},
			"ranges":[{"type":"SEMVER","events":[{"fixed":"1","introduced":"0"}]}]}]}`, "2 members"},
		{`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},
			"ranges":[{"type":"SEMVER","events":[{"odd":"1"}]}]}]}`, "not known"},
		{`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"a"},
			"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}` + strings.Repeat(`,{"fixed":"1.0.0"}`, maxEvents) + `]}]}]}`, "more than 4096 events"},
		{`{"id":"GO-1","withdrawn":"2024-01-01T00:00:00Z"}`, "withdrawn"},
	} {
		if _, err := parse([]byte(test.raw)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.200s: error is %v, want one that says %q", test.raw, err, test.says)
		}
	}
}

func TestASummaryIsOneShortLine(t *testing.T) {
	long := strings.Repeat("word ", 100)
	for _, test := range [][3]string{
		{"", "# Title of it\n\nMore", "Title of it"}, {" ", "\n\n", ""}, {"a\x1b[31mb\u202e", "", "a [31mb"}, {long, "", ""},
	} {
		got := summary(test[0], test[1])
		if test[2] != "" && got != test[2] || utf8.RuneCountInString(got) > maxSummary || strings.ContainsAny(got, "\n\x1b") {
			t.Errorf("summary of %.20q, %.20q is %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func TestPagesFollowFromIDs(t *testing.T) {
	for id, want := range map[string]string{
		"CVE-2024-1": "https://nvd.nist.gov/vuln/detail/CVE-2024-1", "GO-2024-1": "https://pkg.go.dev/vuln/GO-2024-1",
		"DEBIAN-CVE-2024-1": "https://security-tracker.debian.org/tracker/CVE-2024-1",
		"PYSEC-1":           "https://osv.dev/vulnerability/PYSEC-1",
		"x_NSWG-ECO-1":      "", "": "",
	} {
		if got := Page(id); got != want {
			t.Errorf("page of %q is %q, want %q", id, got, want)
		}
	}
}

// FuzzRecord checks that any record is read or refused, and that what is read can be stored and evaluated.
func FuzzRecord(f *testing.F) {
	for _, files := range small() {
		for _, r := range files {
			f.Add([]byte(r.content), "1.0.0")
		}
	}
	f.Add([]byte(`{"id":"GO-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Maven:x",
		"name":"a:b"},
		"versions":["1","2-beta"],"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"last_affected":"2"},
			{"limit":"*"}]}]}]}`), "2-beta")
	f.Fuzz(func(t *testing.T, raw []byte, v string) {
		p, err := parse(raw)
		if err != nil {
			return
		}
		for _, a := range p.affected {
			before, err1 := a.Affects(v)
			whole := a
			whole.Versions = slices.Clone(a.Versions)
			whole.dropCovered()
			l, err := decodeList(a.Ecosystem, encodeList([][]byte{encodeAffected(&whole)}))
			if err != nil {
				t.Fatal(err)
			}
			l[0].ID = a.ID
			if after, err2 := l[0].Affects(v); before != after || (err1 == nil) != (err2 == nil) {
				t.Fatalf("stored, %q is affected: %v (%v), before %v (%v)", v, after, err2, before, err1)
			}
		}
		if _, err := decodeRecord(p.record.ID, encodeRecord(&p.record)); err != nil {
			t.Fatal(err)
		}
	})
}
