package advisory

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// redHat are ecosystems of Red Hat's records: https://security.access.redhat.com/data/osv. The forms are listed in
// https://redhatproductsecurity.github.io/security-data-guidelines/cpe/.
func redHat() []string {
	return []string{"Red Hat", "Red Hat:ansible_automation_platform:2.0::el8", "Red Hat:enterprise_linux:10.0",
		"Red Hat:enterprise_linux:10.1", "Red Hat:enterprise_linux:6::server", "Red Hat:enterprise_linux:7::computenode",
		"Red Hat:enterprise_linux:7::server", "Red Hat:enterprise_linux:8::appstream", "Red Hat:enterprise_linux:8::baseos",
		"Red Hat:enterprise_linux:9::appstream", "Red Hat:enterprise_linux:9::baseos", "Red Hat:enterprise_linux:9::crb",
		"Red Hat:enterprise_linux_eus:10.0", "Red Hat:enterprise_linux_nvidia:10::el10", "Red Hat:hummingbird:1",
		"Red Hat:ocp_tools:4.15::el9", "Red Hat:openshift:4.15::el9", "Red Hat:rhel_aus:8.4::appstream",
		"Red Hat:rhel_dotnet:3.1::el7", "Red Hat:rhel_e4s:9.2::appstream", "Red Hat:rhel_els:6", "Red Hat:rhel_els:7",
		"Red Hat:rhel_eus:7.6::server", "Red Hat:rhel_eus:9.2::appstream", "Red Hat:rhel_eus:9.2::baseos",
		"Red Hat:rhel_eus:9.4::baseos", "Red Hat:rhel_eus_long_life:8.4", "Red Hat:rhel_extras:6", "Red Hat:rhel_extras:7",
		"Red Hat:rhel_extras_other:7", "Red Hat:rhel_extras_sap_eus:7.6", "Red Hat:rhel_software_collections:3::el6",
		"Red Hat:rhel_software_collections:3::el7", "Red Hat:rhel_tus:8.6::baseos", "Red Hat:service_mesh:1.1::el7"}
}

// suse are ecosystems of SUSE's records, as https://ftp.suse.com/pub/projects/security/osv has them.
func suse() []string {
	return []string{"SUSE", "SUSE:Linux Enterprise Desktop 12", "SUSE:Linux Enterprise Desktop 12 SP1",
		"SUSE:Linux Enterprise High Performance Computing 15 SP4-ESPOS", "SUSE:Linux Enterprise Micro 5.5",
		"SUSE:Linux Enterprise Micro for Rancher 5.5", "SUSE:Linux Enterprise Module for Basesystem 15 SP4",
		"SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:Linux Enterprise Module for Web and Scripting 12",
		"SUSE:Linux Enterprise Module for Python 3 15 SP5", "SUSE:Linux Enterprise Server 12",
		"SUSE:Linux Enterprise Server 12 SP1", "SUSE:Linux Enterprise Server 12 SP5",
		"SUSE:Linux Enterprise Server 12 SP5-LTSS", "SUSE:Linux Enterprise Server 15 SP4-LTSS",
		"SUSE:Linux Enterprise Server 16.0", "SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5",
		"SUSE:Linux Enterprise Server for SAP Applications 12", "SUSE:Linux Enterprise Software Development Kit 12 SP1",
		"SUSE:Linux Enterprise Workstation Extension 12", "SUSE:Linux Micro 6.0", "SUSE:Linux Micro Extras 6.0",
		"SUSE:Manager Server 4.3", "SUSE:OpenStack Cloud 9", "SUSE:Package Hub 12", "SUSE:Package Hub 15 SP5",
		"SUSE:Package Hub 15 SP6", "openSUSE", "openSUSE:Leap 15.5", "openSUSE:Tumbleweed"}
}

func TestPackagesAreLookedUpInAllTablesThatMayBeAboutThem(t *testing.T) {
	others := []string{"Alpine", "Alpine:edge", "Alpine:v3.24", "Azure Linux", "Azure Linux:3", "Debian", "Debian:12",
		"Debian:13", "Docker Hardened Images", "Docker Hardened Images:Debian:13", "Echo", "Echo:PyPI", "Go", "Ubuntu",
		"Ubuntu:22.04",
		"Ubuntu:Pro:22.04", "Wolfi"}
	of := slices.Concat(redHat(), suse(), others)
	slices.Sort(of)
	for _, c := range []struct {
		ecosystem string
		covered   bool
		tables    []string
	}{
		{"Red Hat:enterprise_linux:9.6", true, []string{"enterprise_linux:9::appstream", "enterprise_linux:9::baseos",
			"enterprise_linux:9::crb"}},
		// A stream of extended support is about the minor release that it extends, and no other.
		{"Red Hat:enterprise_linux:9.2", true, []string{"enterprise_linux:9::appstream", "enterprise_linux:9::baseos",
			"enterprise_linux:9::crb", "rhel_e4s:9.2::appstream", "rhel_eus:9.2::appstream", "rhel_eus:9.2::baseos"}},
		{"Red Hat:enterprise_linux:8.4", true, []string{"enterprise_linux:8::appstream", "enterprise_linux:8::baseos",
			"rhel_aus:8.4::appstream", "rhel_eus_long_life:8.4"}},
		{"Red Hat:enterprise_linux:10.0", true, []string{"enterprise_linux:10.0", "enterprise_linux:10.1",
			"enterprise_linux_eus:10.0"}},
		{"Red Hat:enterprise_linux:10.1", true, []string{"enterprise_linux:10.0", "enterprise_linux:10.1"}},
		{"Red Hat:enterprise_linux:7.6", true, []string{"enterprise_linux:7::computenode", "enterprise_linux:7::server",
			"rhel_dotnet:3.1::el7", "rhel_eus:7.6::server", "rhel_extras:7", "rhel_extras_other:7", "rhel_extras_sap_eus:7.6",
			"rhel_software_collections:3::el7"}},
		{"Red Hat:enterprise_linux:7.9", true, []string{"enterprise_linux:7::computenode", "enterprise_linux:7::server",
			"rhel_dotnet:3.1::el7", "rhel_els:7", "rhel_extras:7", "rhel_extras_other:7", "rhel_software_collections:3::el7"}},
		{"Red Hat:enterprise_linux:6.10", true, []string{"enterprise_linux:6::server", "rhel_els:6", "rhel_extras:6",
			"rhel_software_collections:3::el6"}},
		{"Red Hat:enterprise_linux:5.11", false, nil},
		{"Red Hat:enterprise_linux:", false, nil},
		{"Red Hat", false, nil},
		{"Red Hat:hummingbird:1", true, []string{"hummingbird:1"}},

		{"SUSE:Linux Enterprise Server 15 SP5", true, []string{"Linux Enterprise Module for Basesystem 15 SP5",
			"Linux Enterprise Module for Python 3 15 SP5", "Package Hub 15 SP5"}},
		{"SUSE:Linux Enterprise Server 15 SP4", true, []string{"Linux Enterprise High Performance Computing 15 SP4-ESPOS",
			"Linux Enterprise Module for Basesystem 15 SP4", "Linux Enterprise Server 15 SP4-LTSS"}},
		{"SUSE:Linux Enterprise Server for SAP Applications 12 SP5", true, []string{
			"Linux Enterprise Module for Web and Scripting 12", "Linux Enterprise Server 12 SP5",
			"Linux Enterprise Server 12 SP5-LTSS", "Linux Enterprise Server LTSS Extended Security 12 SP5"}},
		{"SUSE:Linux Enterprise Server 12", true, []string{"Linux Enterprise Desktop 12",
			"Linux Enterprise Module for Web and Scripting 12", "Linux Enterprise Server 12",
			"Linux Enterprise Server for SAP Applications 12", "Linux Enterprise Workstation Extension 12", "Package Hub 12"}},
		{"SUSE:Linux Enterprise Micro 5.5", true, []string{"Linux Enterprise Micro 5.5",
			"Linux Enterprise Micro for Rancher 5.5"}},
		{"SUSE:Linux Micro 6.0", true, []string{"Linux Micro 6.0", "Linux Micro Extras 6.0"}},
		{"SUSE:Linux Enterprise Server 16.0", true, []string{"Linux Enterprise Server 16.0"}},
		{"SUSE:Linux Enterprise Server 15 SP6", false, []string{"Package Hub 15 SP6"}},
		{"SUSE:Linux Enterprise Server 12 SP4", false, []string{"Linux Enterprise Module for Web and Scripting 12"}},
		{"SUSE:Linux Enterprise Server 15", false, nil},
		{"SUSE:Manager Server 4.3", false, nil},
		{"openSUSE:Leap 15.5", true, []string{"Leap 15.5"}},
		{"openSUSE:Leap 15.6", false, nil},

		{"Docker Hardened Images:Debian:13", true, []string{"Debian:13", "Docker Hardened Images:Debian:13"}},
		{"Docker Hardened Images:Debian:trixie", true, []string{"Debian:13", "Docker Hardened Images:Debian:13"}},
		{"Docker Hardened Images:Alpine:3.24", false, []string{"Alpine:v3.24"}},
		{"Docker Hardened Images:Alpine:3.23", false, nil},
		{"Docker Hardened Images", false, nil},

		{"Debian:12.5", true, []string{"Debian:12"}},
		{"Debian", false, nil},
		{"Debian:11", false, nil},
		{"Ubuntu:22.04:LTS", true, []string{"Ubuntu:22.04"}},
		{"Ubuntu:Pro:22.04:LTS", true, []string{"Ubuntu:Pro:22.04"}},
		{"Azure Linux:3.0", true, []string{"Azure Linux:3"}},
		{"Wolfi", true, []string{"Wolfi"}},
		{"Echo", true, []string{"Echo"}},
		{"Chainguard", false, nil},
		{"Go", true, []string{"Go"}},
		{"PyPI", false, nil},
		{"", false, nil},
	} {
		tables, covered := Tables(c.ecosystem, of)
		var short []string
		for _, table := range tables {
			short = append(short, strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(table, "Red Hat:"), "SUSE:"),
				"openSUSE:"))
		}
		slices.Sort(short)
		if diff := cmp.Diff(c.tables, short); diff != "" || covered != c.covered {
			t.Errorf("%q is covered: %v, want %v\n%s", c.ecosystem, covered, c.covered, diff)
		}
	}
}

// A set that has but the fixes of extended support says nothing of most packages.
func TestStreamsThatAreNotMainlineDoNotCoverARelease(t *testing.T) {
	tables, covered := Tables("Red Hat:enterprise_linux:9.2", []string{"Red Hat", "Red Hat:rhel_eus:9.2::baseos"})
	if covered || len(tables) != 1 {
		t.Errorf("covered: %v by %q", covered, tables)
	}
}

func TestExtendedSupportIsTold(t *testing.T) {
	for ecosystem, want := range map[string]bool{
		"Red Hat:rhel_eus:9.2::baseos": true, "Red Hat:rhel_aus:8.4::appstream": true, "Red Hat:rhel_tus:8.6::baseos": true,
		"Red Hat:rhel_e4s:9.2::appstream": true, "Red Hat:rhel_els:7": true, "Red Hat:enterprise_linux_eus:10.0": true,
		"Red Hat:enterprise_linux:9::baseos": false, "Red Hat:enterprise_linux:10.1": false, "Red Hat:rhel_extras:7": false,
		"Red Hat:rhel_software_collections:3::el7": false, "Debian:12": false, "Ubuntu:Pro:22.04": false,
	} {
		if got := IsExtended(ecosystem); got != want {
			t.Errorf("%s is extended support: %v, want %v", ecosystem, got, want)
		}
	}
}
