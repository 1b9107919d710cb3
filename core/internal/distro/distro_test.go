package distro

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// read takes the fields that matter out of an os-release. The room that reads real ones has its own reader and holds it
// to the standard.
func read(release string) core.Distro {
	d := core.Distro{}
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.ID = value
		case "ID_LIKE":
			d.IDLike = strings.Fields(value)
		case "VERSION_ID":
			d.VersionID = value
		case "VERSION_CODENAME":
			d.Codename = value
		case "PRETTY_NAME":
			d.PrettyName = value
		}
	}
	return d
}

// The os-release texts are real ones, cut to the fields that are read. Those marked "chef" are from
// https://github.com/chef/os_release, those marked "grype" from grype/distro/testdata of
// https://github.com/anchore/grype. The forms of ecosystems are those of OSV's schema, confirmed by records where the
// comment says so.
func TestOSReleaseNamesTheEcosystem(t *testing.T) {
	for _, c := range []struct{ source, release, ecosystem string }{
		// https://security-tracker.debian.org, by https://github.com/google/osv.dev/tree/master/vulnfeeds
		{"chef", `
			PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
			VERSION_ID="12"
			VERSION_CODENAME=bookworm
			ID=debian`, "Debian:12"},
		{"grype: testing and unstable do not tell themselves apart", `
			PRETTY_NAME="Debian GNU/Linux trixie/sid"
			VERSION_CODENAME=trixie
			ID=debian`, "Debian:13"},
		{"unstable that says so", `
			VERSION_CODENAME=sid
			ID=debian`, ""},

		// https://github.com/canonical/ubuntu-security-notices/tree/main/osv
		{"chef", `
			PRETTY_NAME="Ubuntu 22.04.5 LTS"
			VERSION_ID="22.04"
			VERSION_CODENAME=jammy
			ID=ubuntu
			ID_LIKE=debian`, "Ubuntu:22.04:LTS"},
		{"chef", `
			PRETTY_NAME="Ubuntu 25.10"
			VERSION_ID="25.10"
			VERSION_CODENAME=questing
			ID=ubuntu
			ID_LIKE=debian`, "Ubuntu:25.10"},
		{"April of an odd year", `
			VERSION_ID="23.04"
			ID=ubuntu`, "Ubuntu:23.04"},

		// https://secdb.alpinelinux.org
		{"chef", `
			ID=alpine
			VERSION_ID=3.20.7
			PRETTY_NAME="Alpine Linux v3.20"`, "Alpine:v3.20"},
		{"chef", `
			ID=alpine
			VERSION_ID=3.9.6`, "Alpine:v3.9"},
		{"grype", `
			ID=alpine
			VERSION_ID=3.22.0_alpha20250108
			PRETTY_NAME="Alpine Linux edge"`, "Alpine:edge"},
		{"alpine-minirootfs-20240923", `
			ID=alpine
			VERSION_ID=3.21_alpha20240923`, "Alpine:edge"},
		{"without a release", `
			ID=alpine`, ""},

		// One feed for both: https://packages.cgr.dev/chainguard/osv/all.json
		{"chef", `
			ID=wolfi
			PRETTY_NAME="Wolfi"
			VERSION_ID="20230201"`, "Wolfi"},
		{"grype", `
			ID=chainguard
			PRETTY_NAME="Chainguard"
			VERSION_ID="20230214"`, "Chainguard"},
		// https://packages.mini.dev/advisories/osv/all.json
		{"grype", `
			ID=minimos
			PRETTY_NAME="MinimOS"
			VERSION_ID="20241031"`, "MinimOS"},
		// https://advisory.echohq.com/osv/all.json
		{"grype", `
			PRETTY_NAME="Echo Linux"
			ID="echo"
			ID_LIKE="debian"
			VERSION_ID="1"`, "Echo"},
		// Records: https://github.com/bell-sw/osv-database. The os-release is as osv-scalibr's tests and
		// https://github.com/kun9497/assay quote it, of the images bellsoft/alpaquita-linux-base and hardened-base.
		{"bellsoft/alpaquita-linux-base", `
			ID=alpaquita
			ID_LIKE=alpine
			VERSION_ID=stream
			PRETTY_NAME="BellSoft Alpaquita Linux Stream (musl)"`, "Alpaquita:stream"},
		{"bellsoft/alpaquita-linux-base:23", `
			ID=alpaquita
			ID_LIKE=alpine
			VERSION_ID=23`, "Alpaquita:23"},
		{"bellsoft/hardened-base", `
			ID=bellsoft-hardened-containers
			VERSION_ID=25`, "BellSoft Hardened Containers:25"},
		// https://github.com/cleanstart-dev/cleanstart-security-advisories; osv-scalibr knows both ids. Most of its images
		// have no os-release.
		{"osv-scalibr", `
			ID=clnstrt
			VERSION_ID=1`, "CleanStart"},
		{"osv-scalibr", `
			ID=cleanstart
			VERSION_ID=1`, "CleanStart"},

		// https://github.com/docker-hardened-images/advisories/tree/main/integration: images with the ID dhi have advisories
		// of their own, those from before are to be looked up as what they say.
		{"dhi.io, upcoming", `
			ID=dhi
			ID_LIKE=debian
			VERSION_ID=13`, "Docker Hardened Images:Debian:13"},
		{"dhi.io, upcoming", `
			ID=dhi
			ID_LIKE=alpine
			VERSION_ID=3.24`, "Docker Hardened Images:Alpine:3.24"},
		{"nobody's", `
			ID=dhi
			VERSION_ID=3.24`, ""},
		{"dhi.io/python:3.13-debian13", `
			ID=debian
			VERSION_ID=13
			VERSION_CODENAME=trixie
			PRETTY_NAME="Docker Hardened Images/Debian GNU/Linux 13 (trixie)"`, "Debian:13"},
		{"dhi.io/alpine-base:3.24", `
			ID=alpine
			VERSION_ID=3.24
			PRETTY_NAME="Docker Hardened Images/Alpine Linux v3.24"`, "Alpine:v3.24"},

		// https://github.com/AlmaLinux/osv-database
		{"chef", `
			ID="almalinux"
			ID_LIKE="rhel centos fedora"
			VERSION_ID="9.6"
			PRETTY_NAME="AlmaLinux 9.6 (Sage Margay)"`, "AlmaLinux:9"},
		{"chef", `
			ID="almalinux"
			ID_LIKE="rhel centos fedora"
			VERSION_ID="10.0"`, "AlmaLinux:10"},
		// https://github.com/resf/distro-tools/blob/main/apollo/server/routes/api_osv.py
		{"chef", `
			ID="rocky"
			ID_LIKE="rhel centos fedora"
			VERSION_ID="9.3"
			PRETTY_NAME="Rocky Linux 9.3 (Blue Onyx)"`, "Rocky Linux:9"},
		// https://security.access.redhat.com/data/osv: "Red Hat:enterprise_linux:9::baseos" and its like.
		{"chef", `
			ID="rhel"
			ID_LIKE="fedora"
			VERSION_ID="7.5"
			PRETTY_NAME="Red Hat Enterprise Linux Server 7.5 (Maipo)"`, "Red Hat:enterprise_linux:7.5"},
		{"chef", `
			ID="rhel"
			ID_LIKE="fedora"
			VERSION_ID="8.10"
			PRETTY_NAME="Red Hat Enterprise Linux 8.10 (Ootpa)"`, "Red Hat:enterprise_linux:8.10"},
		{"chef", `
			ID="rhel"
			ID_LIKE="centos fedora"
			VERSION_ID="10.0"
			PRETTY_NAME="Red Hat Enterprise Linux 10.0 (Coughlan)"`, "Red Hat:enterprise_linux:10.0"},
		{"grype", `
			VERSION_ID="20251124"
			ID="hummingbird"
			ID_LIKE="fedora rhel"
			PRETTY_NAME="Hummingbird OS 20251124"`, "Red Hat:hummingbird:1"},

		// https://ftp.suse.com/pub/projects/security/osv: the products' names as in PRETTY_NAME.
		{"chef", `
			VERSION_ID="11.4"
			PRETTY_NAME="SUSE Linux Enterprise Server 11 SP4"
			ID="sles"`, "SUSE:Linux Enterprise Server 11 SP4"},
		{"chef", `
			VERSION_ID="15.7"
			PRETTY_NAME="SUSE Linux Enterprise Server 15 SP7"
			ID="sles"
			ID_LIKE="suse"`, "SUSE:Linux Enterprise Server 15 SP7"},
		{"of 15 without a service pack", `
			VERSION_ID="15"
			PRETTY_NAME="SUSE Linux Enterprise Server 15"
			ID="sles"`, "SUSE:Linux Enterprise Server 15"},
		{"of 16, which has none", `
			VERSION_ID="16.0"
			PRETTY_NAME="SUSE Linux Enterprise Server 16.0"
			ID="sles"`, "SUSE:Linux Enterprise Server 16.0"},
		{"chef", `
			VERSION_ID="12.0.1"
			PRETTY_NAME="SUSE Linux Enterprise Server for SAP Applications 12"
			ID="sles_sap"`, "SUSE:Linux Enterprise Server for SAP Applications 12"},
		{"chef", `
			VERSION_ID="15"
			PRETTY_NAME="SUSE Linux Enterprise Desktop 15"
			ID="sled"
			ID_LIKE="suse"`, "SUSE:Linux Enterprise Desktop 15"},
		{"chef", `
			VERSION_ID="5.1"
			PRETTY_NAME="SUSE Linux Enterprise Micro 5.1"
			ID="suse-microos"
			ID_LIKE="suse"`, "SUSE:Linux Enterprise Micro 5.1"},
		{"a terminal of SLE Micro", `
			VERSION_ID="5.5"
			PRETTY_NAME="SUSE Linux Enterprise Micro 5.5"
			ID="sle-micro"
			ID_LIKE="suse"`, "SUSE:Linux Enterprise Micro 5.5"},
		{"Linux Test Project's mailing list", `
			VERSION_ID="6.0"
			PRETTY_NAME="SUSE Linux Micro 6.0"
			ID="sl-micro"
			ID_LIKE="suse"`, "SUSE:Linux Micro 6.0"},
		{"chef", `
			ID="opensuse-leap"
			ID_LIKE="suse opensuse"
			VERSION_ID="15.6"
			PRETTY_NAME="openSUSE Leap 15.6"`, "openSUSE:Leap 15.6"},
		{"chef", `
			ID="opensuse-leap"
			ID_LIKE="suse opensuse"
			VERSION_ID="16.0"
			PRETTY_NAME="openSUSE Leap 16.0"`, "openSUSE:Leap 16.0"},
		{"chef", `
			ID="opensuse-tumbleweed"
			ID_LIKE="opensuse suse"
			VERSION_ID="20240823"
			PRETTY_NAME="openSUSE Tumbleweed"`, "openSUSE:Tumbleweed"},

		// OSV defines the ecosystem and has no records of it; https://github.com/captn3m0/photon-os-advisories writes some.
		{"chef", `
			ID=photon
			VERSION_ID=3.0
			PRETTY_NAME="VMware Photon OS/Linux"`, "Photon OS:3.0"},
		// https://repo.openeuler.org/security/data/osv: "openEuler:20.03-LTS-SP1"
		{"chef", `
			ID="openEuler"
			VERSION_ID="24.03"
			PRETTY_NAME="openEuler 24.03 (LTS-SP2)"`, "openEuler:24.03-LTS-SP2"},
		{"a terminal of openEuler", `
			ID="openEuler"
			VERSION_ID="20.03"
			PRETTY_NAME="openEuler 20.03 (LTS)"`, "openEuler:20.03-LTS"},
		{"a terminal of openEuler", `
			ID="openEuler"
			VERSION_ID="22.03"
			PRETTY_NAME="openEuler 22.03 LTS"`, "openEuler:22.03-LTS"},
		{"a terminal of openEuler, which publishes no advisories for it", `
			ID="openEuler"
			VERSION_ID="23.03"
			PRETTY_NAME="openEuler 23.03"`, "openEuler:23.03"},
		// https://github.com/microsoft/AzureLinuxVulnerabilityData: "Azure Linux:2" and "Azure Linux:3"
		{"chef", `
			ID=azurelinux
			VERSION_ID="3.0"
			PRETTY_NAME="Microsoft Azure Linux 3.0"`, "Azure Linux:3"},
		{"chef", `
			ID=mariner
			VERSION_ID="2.0"
			PRETTY_NAME="CBL-Mariner/Linux"`, "Azure Linux:2"},
		// https://advisories.mageia.org/vulns.json
		{"chef", `
			ID=mageia
			VERSION_ID=9
			ID_LIKE="mandriva fedora"
			PRETTY_NAME="Mageia 9"`, "Mageia:9"},
	} {
		d := read(c.release)
		if got := Ecosystem(d); got != c.ecosystem {
			t.Errorf("%+v (%s) is %q, want %q", d, c.source, got, c.ecosystem)
		}
		if c.ecosystem != "" && (!Packs(c.ecosystem, PackageType(d)) || PackageType(d) == "") {
			t.Errorf("%+v (%s) has packages of the type %q, which %s has not", d, c.source, PackageType(d), c.ecosystem)
		}
	}
}

// Distributions that OSV has no advisories for get none, of whatever they say they are like: a rebuild's versions go on
// where those of the original do not.
func TestDistributionsWithoutAdvisoriesGetThoseOfNobody(t *testing.T) {
	for _, c := range []struct{ release, packages string }{
		{"ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"", rpm},
		{"ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"", rpm},
		{"ID=\"amzn\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"2018.03\"", rpm},
		{"ID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.7\"", rpm},
		{"ID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.1\"", rpm},
		{"ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"", rpm},
		{"ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"8\"", rpm},
		{"ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"", rpm},
		{"ID=\"virtuozzo\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"", rpm},
		{"ID=\"scientific\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"7.5\"", rpm},
		{"ID=fedora\nVERSION_ID=43", rpm},
		{"ID=\"raspbian\"\nID_LIKE=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye", deb},
		{"ID=kali\nID_LIKE=debian\nVERSION_ID=\"2025.4\"", deb},
		{"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"", deb},
		{"ID=\"postmarketos\"\nID_LIKE=\"alpine\"\nVERSION_ID=\"edge\"", apk},
		{"ID=arch\nBUILD_ID=rolling", ""},
		{"ID=gentoo\nVERSION_ID=\"2.18\"", ""},
		{"ID=nixos\nVERSION_ID=\"18.09\"", ""},
		{"ID=\"hce\"\nVERSION_ID=\"2.0\"", ""},
		{"ID=secureos\nVERSION_ID=\"2025.09.09\"", ""},
		{"ID=linux", ""},
		{"", ""},
	} {
		d := read(c.release)
		if got := Ecosystem(d); got != "" || Maker(d.ID) != "" {
			t.Errorf("%+v is %q of %q, want nothing", d, got, Maker(d.ID))
		}
		if got := PackageType(d); got != c.packages {
			t.Errorf("%+v has packages of the type %q, want %q", d, got, c.packages)
		}
	}
}

func TestEveryDistributionIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families() {
		id := strings.ToLower(f.id)
		if seen[id] || id == "" || f.ecosystem == "" && f.release != nil {
			t.Errorf("%+v", f.id)
		}
		seen[id] = true
		if f.ecosystem != "" && Maker(f.id) == "" {
			t.Errorf("%s has no maker", f.id)
		}
	}
}

func TestNamespacesLeadBackToTheDistribution(t *testing.T) {
	for _, f := range families() {
		if f.ecosystem == "" {
			continue
		}
		id := ID(Namespace(f.id))
		back, ok := familyOf(id)
		if !ok || back.ecosystem != f.ecosystem || back.packages != f.packages {
			t.Errorf("%s has the namespace %s, which is of %q", f.id, Namespace(f.id), id)
		}
	}
	for namespace, id := range map[string]string{
		"redhat": "rhel", "rocky-linux": "rocky", "azure-linux": "azurelinux", "CBL-Mariner": "mariner", "alma": "almalinux",
		"suse": "sles", "opensuse.leap": "opensuse-leap", "amzn": "amzn", "": "",
	} {
		if got := ID(namespace); got != id {
			t.Errorf("the namespace %q is of %q, want %q", namespace, got, id)
		}
	}
}

func TestRollingDistributionsNeedNoRelease(t *testing.T) {
	for id, want := range map[string]bool{
		"wolfi": true, "chainguard": true, "minimos": true, "echo": true, "cleanstart": true, "opensuse-tumbleweed": true,
		"hummingbird": true, "arch": true, "debian": false, "alpine": false, "rhel": false, "sles": false, "dhi": false,
		"fedora": false, "amzn": false, "": false,
	} {
		if got := Rolling(id); got != want {
			t.Errorf("%q is rolling: %v, want %v", id, got, want)
		}
	}
}

func TestEcosystemsHavePackagesOfOneType(t *testing.T) {
	for _, c := range []struct {
		ecosystem, packages string
		want                bool
	}{
		{"Debian:12", deb, true}, {"Debian:12", apk, false}, {"Echo", deb, true}, {"Wolfi", apk, true},
		{"Wolfi", deb, false}, {"Red Hat:enterprise_linux:9.4", rpm, true}, {"Red Hat:enterprise_linux:9.4", deb, false},
		{"Docker Hardened Images:Debian:13", deb, true}, {"Docker Hardened Images:Debian:13", apk, false},
		{"Docker Hardened Images:Alpine:3.24", apk, true}, {"", rpm, true}, {"npm", rpm, false},
	} {
		if got := Packs(c.ecosystem, c.packages); got != c.want {
			t.Errorf("%q has packages of the type %s: %v, want %v", c.ecosystem, c.packages, got, c.want)
		}
	}
}
