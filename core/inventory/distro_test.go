package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestOSReleaseNamesTheEcosystem(t *testing.T) {
	for _, c := range []struct{ release, ecosystem string }{
		{"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm", "Debian:12"},
		{"ID=debian\nVERSION_CODENAME=trixie", "Debian:13"},
		{"ID=debian\nVERSION_CODENAME=sid", ""},
		{"ID=ubuntu\nVERSION_ID=\"22.04\"", "Ubuntu:22.04:LTS"},
		{"ID=ubuntu\nVERSION_ID=\"23.10\"", "Ubuntu:23.10"},
		{"ID=ubuntu\nVERSION_ID=\"23.04\"", "Ubuntu:23.04"},
		{"ID=alpine\nVERSION_ID=3.20.3", "Alpine:v3.20"},
		{"ID=alpine\nVERSION_ID=3.9.6", "Alpine:v3.9"},
		{"ID=alpine\nVERSION_ID=3.21_alpha20240923", "Alpine:edge"},
		{"ID=alpine\nVERSION_ID=3.21.0_alpha20240807", "Alpine:edge"},
		{"ID=alpine", ""},
		{"ID=wolfi\nVERSION_ID=20230201", "Wolfi"},
		{"ID=chainguard\nVERSION_ID=20230214", "Chainguard"},
		{"ID=minimos\nVERSION_ID=20241031", "MinimOS"},
		{"ID=\"almalinux\"\nVERSION_ID=\"9.4\"", "AlmaLinux:9"},
		{"ID=\"rocky\"\nVERSION_ID=\"9.4\"", "Rocky Linux:9"},
		{"ID=\"rhel\"\nVERSION_ID=\"8.10\"", "Red Hat:enterprise_linux:8"},
		{"ID='sles'\nVERSION_ID='15.5'", "SUSE:Linux Enterprise Server 15 SP5"},
		{"ID=\"sles\"\nVERSION_ID=\"15\"", "SUSE:Linux Enterprise Server 15"},
		{"ID=\"sles\"\nVERSION_ID=\"16.0\"", "SUSE:Linux Enterprise Server 16.0"},
		{"ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"", "openSUSE:Leap 15.6"},
		{"ID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240101\"", "openSUSE:Tumbleweed"},
		{"ID=photon\nVERSION_ID=5.0", "Photon OS:5.0"},
		{"ID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"", "openEuler:24.03-LTS-SP1"},
		{"ID=\"openEuler\"\nVERSION_ID=\"23.09\"\nPRETTY_NAME=\"openEuler 23.09\"", "openEuler:23.09"},
		{"ID=azurelinux\nVERSION_ID=\"3.0\"", "Azure Linux:3"},
		{"ID=mariner\nVERSION_ID=\"2.0\"", "Azure Linux:2"},
		{"ID=mageia\nVERSION_ID=9", "Mageia:9"},
		{"ID=\"amzn\"\nVERSION_ID=\"2023\"", ""},
		{"ID=\"ol\"\nVERSION_ID=\"9.4\"", ""},
		{"ID=fedora\nVERSION_ID=40", ""},
		{"NAME=nobody", ""},
	} {
		d, err := parseOSRelease([]byte(c.release))
		if err != nil || d.Ecosystem != c.ecosystem {
			t.Errorf("%q is %q, want %q (%v)", c.release, d.Ecosystem, c.ecosystem, err)
		}
	}
}

func TestOSReleaseIsReadAsAShellWould(t *testing.T) {
	d, err := parseOSRelease([]byte("# comment\n ID=debian \nID_LIKE=\"a b\"\nPRETTY_NAME=\"Say \\\"hi\\\" \\$5\"\nVERSION_ID='12'\nVERSION_CODENAME=book\\worm\nJUNK\n"))
	want := core.Distro{
		ID: "debian", IDLike: []string{"a", "b"}, PrettyName: `Say "hi" $5`, VersionID: "12", Codename: "bookworm", Ecosystem: "Debian:12",
	}
	if diff := cmp.Diff(want, d); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if d, err := parseOSRelease(nil); err != nil || d.ID != "linux" {
		t.Errorf("empty: %+v, %v", d, err)
	}
	if _, err := parseOSRelease([]byte("ID=debian\x1b[2J")); err == nil {
		t.Error("a terminal's escape sequence is taken for a name")
	}
}

func TestEveryDistributionIsThereOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range distroFamilies() {
		if seen[f.id] || f.id == "" || !isDistribution(f.packages) || f.ecosystem == "" && f.release != nil {
			t.Errorf("%+v", f.id)
		}
		seen[f.id] = true
	}
}

func TestDistributionsHavePackagesOfOneType(t *testing.T) {
	for release, want := range map[string]string{
		"ID=ubuntu\nID_LIKE=debian":                       "deb",
		"ID=kali\nID_LIKE=debian":                         "deb",
		"ID=postmarketos\nID_LIKE=alpine":                 "apk",
		"ID=amzn\nID_LIKE=\"centos rhel fedora\"":         "rpm",
		"ID=ol\nID_LIKE=fedora":                           "rpm",
		"ID=linuxmint\nID_LIKE=\"unknown ubuntu debian\"": "deb",
		"ID=arch": "",
		"":        "",
	} {
		if d, err := parseOSRelease([]byte(release)); err != nil || packageType(d) != want {
			t.Errorf("%q has packages of the type %q, want %q (%v)", release, packageType(d), want, err)
		}
	}
}

func FuzzOSRelease(f *testing.F) {
	f.Add([]byte("ID=debian\nVERSION_ID=\"12\"\n"))
	f.Add([]byte("ID='\nVERSION_ID=\\"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parseOSRelease(content)
		if err == nil && believable("id", d.ID+d.VersionID+d.PrettyName, 10*maxVersion) != nil {
			t.Errorf("%+v is no text", d)
		}
	})
}
