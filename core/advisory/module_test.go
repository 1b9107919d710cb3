package advisory

import (
	"archive/zip"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummariesNameTheStreamOfAModularFix(t *testing.T) {
	const modular = "1:12.22.5-1.module_el8.4.0+2521+c668cc9f"
	for _, c := range []struct{ summary, fixed, want string }{
		// AlmaLinux and Rocky Linux
		{"Important: nodejs:12 security update", modular, "nodejs:12"},
		{"Moderate: nodejs:14 security and bug fix update", modular, "nodejs:14"},
		{"Moderate: go-toolset:rhel8 security, bug fix, and enhancement update", modular, "go-toolset:rhel8"},
		{"Important: virt:rhel and virt-devel:rhel security update", modular, "virt-devel:rhel,virt:rhel"},
		{"Critical: idm:DL1 and idm:client security update", modular, "idm:DL1,idm:client"},
		{"Important: httpd:2.4/mod_http2 security update", modular, "httpd:2.4"},
		{"new module: php:7.4", modular, "php:7.4"},
		{"mod_auth_openidc:2.3  bug fix update", modular, "mod_auth_openidc:2.3"},
		{"perl-libwww-perl:6.34 metadata for the AlmaLinux 8 module matrix (3/4)", modular, "perl-libwww-perl:6.34"},
		{"javapackages-tools:201801 security update", modular, "javapackages-tools:201801"},
		{"389-ds:1.4 security and bug fix update", modular, "389-ds:1.4"},
		{"Important: varnish security update", modular, ""},
		// Red Hat
		{"Red Hat Security Advisory: nodejs:18 security update", "1:18.19.1-1.module+el9.3.0+21388+22892fb9", "nodejs:18"},
		{"Red Hat Security Advisory: container-tools:rhel8 (RHSA-2021:4154) update.", "2:1-1.module+el8.5.0+1+a",
			"container-tools:rhel8"},
		// Not of a module, whatever the summary has.
		{"kernel:4.18.0 security update", "4.18.0-553.30.1.el8_10", ""},
		{"Important: nodejs:12 security update", "8.4-1", ""},
		{"Important: nodejs:12 security update", "", ""},
		{"", modular, ""},
	} {
		var fixed []string
		if c.fixed != "" {
			fixed = []string{"0.1-1.el8", c.fixed}
		}
		if got := moduleOf(c.summary, fixed); got != c.want {
			t.Errorf("%q is of %q, want %q", c.summary, got, c.want)
		}
	}
}

func TestModularBuildsAreTold(t *testing.T) {
	for version, want := range map[string]bool{
		"1:12.22.5-1.module_el8.4.0+2521+c668cc9f":           true,
		"0:2.7.0-10.module+el8.4.0+570+c2eaf144":             true,
		"1:0.1.15-2.git2d0b8a3.module_el8.3.0+2044+12421f43": true,
		"1.15.7-8.module_el8.9.0+3809+48080a14.5.alma.1":     true,
		"3.0.4-7.el8":      false,
		"5.1-1.modules":    false,
		"2.0-1.el8.module": false,
		"":                 false,
	} {
		if got := IsModular(version); got != want {
			t.Errorf("%q is modular: %v, want %v", version, got, want)
		}
	}
}

// TestEveryModularRecordOfAlmaLinuxHasAStream reads all real records: each with modular fixes names its streams, or is
// one of those that are known not to.
func TestEveryModularRecordOfAlmaLinuxHasAStream(t *testing.T) {
	if testing.Short() {
		t.Skip("reading real advisories takes seconds")
	}
	z, err := zip.OpenReader(shared(t, "data/osv/AlmaLinux/all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var unknown []string
	streams := map[string]int{}
	records, several := 0, 0
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		var title struct{ Summary string }
		if err := json.Unmarshal(raw, &title); err != nil {
			t.Fatal(err)
		}
		p, err := parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		modular, stream := false, ""
		for _, a := range p.affected {
			if slices.ContainsFunc(a.FixedVersions(), IsModular) {
				modular, stream = true, a.Module
			} else if a.Module != "" {
				t.Errorf("%s: %s is fixed in %q, and of the module %s", p.record.ID, a.Name, a.FixedVersions(), a.Module)
			}
		}
		if !modular {
			continue
		}
		records++
		switch parts := strings.Split(stream, ","); {
		case stream == "":
			unknown = append(unknown, p.record.ID+" "+title.Summary)
		default:
			for _, s := range parts {
				streams[s]++
			}
			if len(parts) > 1 {
				several++
			}
		}
	}
	slices.Sort(unknown)
	t.Logf("%d modular records, %d of several streams, %d different streams", records, several, len(streams))
	if records < 700 || streams["nodejs:12"] == 0 || streams["container-tools:rhel8"] == 0 {
		t.Errorf("%d modular records with the streams %v", records, streams)
	}
	for s := range streams {
		if name, stream, ok := strings.Cut(s, ":"); !ok || name == "" || stream == "" || strings.ContainsAny(s, " ,") {
			t.Errorf("%q is no stream", s)
		}
	}
	want := []string{
		"ALBA-2019:0973 container-tools bug fix update",
		"ALBA-2019:1955 satellite-5-client module update",
		"ALBA-2019:3373 criu bug fix and enhancement update",
		"ALBA-2019:3474 satellite-5-client module update",
		"ALBA-2020:1673 perl-IO-Socket-SSL bug fix and enhancement update",
		"ALBA-2021:4212 mailman bug fix and enhancement update",
		"ALBA-2021:4230 ipa bug fix and enhancement update",
		"ALEA-2021:4239 pki-core bug fix and enhancement update",
		"ALSA-2023:5989 Important: varnish security update",
		"ALSA-2024:1690 Important: varnish security update",
		"ALSA-2024:4235 Important: 389-ds security update",
		"ALSA-2024:4237 Moderate: go-toolset security update",
		"ALSA-2024:4246 Moderate: container-tools security update",
		"ALSA-2024:4367 Important: pki-core security update",
		"ALSA-2024:4499 Moderate: ruby security update",
	}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Errorf("records without a stream (-want +got):\n%s", diff)
	}
}
