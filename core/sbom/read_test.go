package sbom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

func readString(document string) (core.Evidence, error) {
	return Read(context.Background(), "app.json", []byte(document), limit.Defaults())
}

// cyclone and spdxDocument wrap lists into documents.
func cyclone(components string) string {
	return `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[` + components + `]}`
}

func spdxDocument(packages, more string) string {
	return `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","packages":[` + packages + `]` + more + `}`
}

func TestPackageURLsGiveNameVersionAndEcosystem(t *testing.T) {
	for _, c := range []struct{ purl, name, version, ecosystem, architecture, source string }{
		{"pkg:npm/left-pad@1.3.0", "left-pad", "1.3.0", "npm", "", ""},
		{"pkg:npm/%40babel/core@7.0.0", "@babel/core", "7.0.0", "npm", "", ""},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar", "org.apache.logging.log4j:log4j-core",
			"2.14.1", "Maven", "", ""},
		{"pkg:golang/golang.org/x/net@v0.1.0", "golang.org/x/net", "0.1.0", "Go", "", ""},
		{"pkg:golang/stdlib@1.21.3", "stdlib", "1.21.3", "Go", "", ""},
		{"pkg:golang/stdlib@go1.21.3", "stdlib", "1.21.3", "Go", "", ""},
		{"pkg:pypi/django@4.2", "django", "4.2", "PyPI", "", ""},
		{"pkg:composer/symfony/console@5.0", "symfony/console", "5.0", "Packagist", "", ""},
		{"pkg:gem/rails@7.0", "rails", "7.0", "RubyGems", "", ""},
		{"pkg:cargo/serde@1.0", "serde", "1.0", "crates.io", "", ""},
		{"pkg:nuget/Newtonsoft.Json@13.0.1", "Newtonsoft.Json", "13.0.1", "NuGet", "", ""},
		{"pkg:swift/github.com/apple/swift-nio@2.0", "github.com/apple/swift-nio", "2.0", "SwiftURL", "", ""},
		{"pkg:bitnami/geos@3.8.3", "geos", "3.8.3", "Bitnami", "", ""},
		{"pkg:generic/openssl@1.1.1", "openssl", "1.1.1", "", "", ""},
		{"pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12", "curl", "7.88.1-10", "Debian:12", "amd64", ""},
		{"pkg:deb/debian/curl@7.74?distro=debian-11.1", "curl", "7.74", "Debian:11", "", ""},
		{"pkg:deb/debian/curl@7.74?distro=bookworm", "curl", "7.74", "Debian:12", "", ""},
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl%403.0.11-2", "libssl3", "3.0.11-1",
			"Debian:12", "", "openssl 3.0.11-2"},
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl", "libssl3", "3.0.11-1", "Debian:12", "",
			"openssl "},
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=bookworm&source=openssl&sourceversion=3", "libssl3", "3.0.11-1",
			"Debian:12", "", "openssl 3"},
		{"pkg:deb/ubuntu/bash@5.1?distro=ubuntu-22.04", "bash", "5.1", "Ubuntu:22.04:LTS", "", ""},
		{"pkg:deb/ubuntu/bash@5.1?distro=jammy", "bash", "5.1", "Ubuntu:22.04:LTS", "", ""},
		{"pkg:deb/ubuntu/bash@5.1?distro=ubuntu-23.10", "bash", "5.1", "Ubuntu:23.10", "", ""},
		{"pkg:apk/alpine/musl@1.2.3-r4?distro=3.16.0", "musl", "1.2.3-r4", "Alpine:v3.16", "", ""},
		{"pkg:apk/alpine/musl@1.2.3-r4?arch=x86_64&distro=alpine-3.20.3", "musl", "1.2.3-r4", "Alpine:v3.20", "x86_64",
			""},
		{"pkg:apk/alpine/musl@1.2.3-r4?distro=edge", "musl", "1.2.3-r4", "Alpine:edge", "", ""},
		{"pkg:alpine/libssl1.1@1.1.1l-r7?arch=x86_64&upstream=openssl&distro=alpine-3.15.0", "libssl1.1", "1.1.1l-r7",
			"Alpine:v3.15", "x86_64", "openssl "},
		{"pkg:apk/wolfi/openssl@3.1?distro=20230201", "openssl", "3.1", "Wolfi", "", ""},
		{"pkg:apk/chainguard/openssl@3.1", "openssl", "3.1", "Chainguard", "", ""},
		{"pkg:rpm/redhat/bash@5.1-2.el9?distro=redhat-9.2", "bash", "5.1-2.el9", "Red Hat:enterprise_linux:9.2", "", ""},
		{"pkg:rpm/rocky/openssl-libs@3.0.7-24.el9?epoch=1&distro=rocky-9.3&sourcerpm=openssl-3.0.7-24.el9.src.rpm",
			"openssl-libs", "1:3.0.7-24.el9", "Rocky Linux:9", "", "openssl 3.0.7-24.el9"},
		{"pkg:rpm/almalinux/bash@1-1?distro=almalinux-8.9&upstream=bash-1-1.src.rpm", "bash", "1-1", "AlmaLinux:8", "",
			"bash 1-1"},
		{"pkg:rpm/opensuse/bash@1-1?distro=opensuse-leap-15.5", "bash", "1-1", "openSUSE:Leap 15.5", "", ""},
		{"pkg:rpm/suse/bash@1-1?distro=sles-15.5", "bash", "1-1", "SUSE:Linux Enterprise Server 15 SP5", "", ""},
		{"pkg:rpm/amzn/bash@1-1?distro=amzn-2", "bash", "1-1", "", "", ""},
		{"pkg:rpm/fedora/bash@1-1?distro=fedora-39", "bash", "1-1", "", "", ""},
		{"pkg:rpm/azurelinux/bash@1-1?distro=azurelinux-3.0", "bash", "1-1", "Azure Linux:3", "", ""},
		{"pkg:rpm/mariner/bash@1-1?distro=mariner-2.0", "bash", "1-1", "Azure Linux:2", "", ""},
		{"pkg:rpm/photon/bash@1-1?distro=photon-5.0", "bash", "1-1", "Photon OS:5.0", "", ""},
		{"pkg:rpm/rocky-linux/bash@1-1?distro=rocky-linux-9", "bash", "1-1", "Rocky Linux:9", "", ""},
		{"pkg:rpm/azure-linux/bash@1-1?distro=azurelinux-3.0", "bash", "1-1", "Azure Linux:3", "", ""},
		{"pkg:rpm/hummingbird/bash@1-1?distro=hummingbird-20251124", "bash", "1-1", "Red Hat:hummingbird:1", "", ""},
		{"pkg:rpm/opensuse/bash@1-1?distro=opensuse-tumbleweed-20240823", "bash", "1-1", "openSUSE:Tumbleweed", "", ""},
		{"pkg:rpm/suse/bash@1-1?distro=sle-micro-5.5", "bash", "1-1", "SUSE:Linux Enterprise Micro 5.5", "", ""},
		{"pkg:deb/dhi/coreutils@9.7-3%2Bdhi3?arch=arm64&distro=dhi-13", "coreutils", "9.7-3+dhi3",
			"Docker Hardened Images:Debian:13", "arm64", ""},
		{"pkg:apk/dhi/coreutils@9.11-r0?os_distro=alpine&os_name=dhi&os_version=3.24", "coreutils", "9.11-r0",
			"Docker Hardened Images:Alpine:3.24", "", ""},
		{"pkg:deb/debian/base-files@12.4%2Bdeb12u5?os_distro=bookworm&os_name=debian&os_version=12", "base-files",
			"12.4+deb12u5", "Debian:12", "", ""},
	} {
		t.Run(c.purl, func(t *testing.T) {
			e, err := readString(cyclone(`{"type":"library","name":"x","purl":"` + c.purl + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			p := e.Packages[0]
			source := ""
			if p.Source != nil {
				source = p.Source.Name + " " + p.Source.Version
			}
			got := []string{p.Name, p.Version, p.Ecosystem, p.Architecture, source}
			if diff := cmp.Diff([]string{c.name, c.version, c.ecosystem, c.architecture, c.source}, got); diff != "" {
				t.Error(diff)
			}
			if e.Examinations[1].Status != core.Complete && c.ecosystem != "" {
				t.Errorf("the distribution is %v", e.Examinations[1])
			}
		})
	}
}

func TestOperatingSystemGivesTheMissingRelease(t *testing.T) {
	const apk = `"purl":"pkg:apk/alpine/musl@1.2.3-r4"`
	for _, c := range []struct {
		name, document, ecosystem string
		distro                    core.Completeness
	}{
		{"CycloneDX, after the packages",
			cyclone(`{"type":"library","name":"musl",` + apk + `},{"type":"operating-system","name":"alpine","version":"3.16.0"}`),
			"Alpine:v3.16", core.Complete},
		{"none", cyclone(`{"type":"library","name":"musl",` + apk + `}`), "", core.Partial},
		{"of another distribution",
			cyclone(`{"type":"library","name":"musl",` + apk + `},{"type":"operating-system","name":"debian","version":"12"}`),
			"", core.Partial},
		{"two",
			cyclone(`{"type":"library","name":"musl",` + apk + `},{"type":"operating-system","name":"alpine","version":"3.16.0"},{"type":"operating-system","name":"alpine","version":"3.17"}`),
			"", core.Partial},
		{"the same twice",
			cyclone(`{"type":"library","name":"musl",` + apk + `},{"type":"operating-system","name":"alpine","version":"3.16.0"},{"type":"operating-system","name":"alpine","version":"3.16.0"}`),
			"Alpine:v3.16", core.Complete},
		{"Syft", cyclone(`{"type":"library","name":"bash","purl":"pkg:rpm/openEuler/bash@5"},{"type":"operating-system",` +
			`"name":"openEuler","version":"24.03","properties":[` +
			`{"name":"syft:distro:prettyName","value":"openEuler 24.03 (LTS-SP2)"}]}`),
			"openEuler:24.03-LTS-SP2", core.Complete},
		{"SPDX", spdxDocument(`{"SPDXID":"SPDXRef-1","name":"musl","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:apk/alpine/musl@1.2.3-r4"}]},
			{"SPDXID":"SPDXRef-2","name":"alpine","versionInfo":"3.16.0","primaryPackagePurpose":"OPERATING_SYSTEM"}`, ``), "Alpine:v3.16", core.Complete},
		{"SPDX of older Trivy", spdxDocument(`{"SPDXID":"SPDXRef-1","name":"musl","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:apk/alpine/musl@1.2.3-r4"}]},
			{"SPDXID":"SPDXRef-OperatingSystem-2","name":"alpine","versionInfo":"3.16.0"}`, ``), "Alpine:v3.16", core.Complete},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := readString(c.document)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Packages[0].Ecosystem; got != c.ecosystem {
				t.Errorf("the ecosystem is %q, want %q", got, c.ecosystem)
			}
			if x := e.Examinations[0]; x.Name != core.ExamineDistro && e.Examinations[1].Status != c.distro {
				t.Errorf("%+v: want the distribution %s", e.Examinations, c.distro)
			}
		})
	}
}

// examination returns the one with the given name.
func examination(t *testing.T, e core.Evidence, name string) core.Examination {
	t.Helper()
	for _, x := range e.Examinations {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("there is no examination %q", name)
	return core.Examination{}
}

func TestGapsMakeTheExaminationPartial(t *testing.T) {
	const good = `{"type":"library","name":"a","purl":"pkg:npm/a@1"}`
	for _, c := range []struct {
		name, document string
		packages       int
		why            string // empty: complete
	}{
		{"nothing wrong", cyclone(good), 1, ""},
		{"no packages", cyclone(``), 0, "it lists no packages"},
		{"no list", `{"bomFormat":"CycloneDX","specVersion":"1.4"}`, 0, "it lists no packages"},
		{"no package URL", cyclone(good + `,{"type":"library","group":"g","name":"b","version":"1"}`), 1,
			"1 of its components have no package URL, such as g/b"},
		{"only a CPE",
			cyclone(good + `,{"type":"application","name":"nginx","version":"1","cpe":"cpe:2.3:a:nginx:nginx:1"}`), 1,
			"have no package URL, such as nginx"},
		{"malformed package URL", cyclone(good + `,{"type":"library","name":"b","purl":"pkg:npm"}`), 1,
			"1 of its components have a malformed package URL, such as pkg:npm"},
		{"hostile package URL", cyclone(good + `,{"type":"library","name":"b","purl":"pkg:npm/` + strings.Repeat("x",
			5000) + `@1"}`), 1, "malformed package URL"},
		{"no version", cyclone(good + `,{"type":"library","name":"b","purl":"pkg:npm/b"}`), 2,
			"1 of its packages have no version, such as pkg:npm/b"},
		{"version beside the package URL", cyclone(`{"type":"library","name":"b","version":"2","purl":"pkg:npm/b"}`),
			1, ""},
		{"an image without contents",
			cyclone(good + `,{"type":"container","name":"nginx","purl":"pkg:oci/nginx@sha256%3Aabc"}`), 1,
			"container images whose contents it does not list, such as nginx"},
		{"an image with contents", cyclone(`{"type":"container","name":"nginx","components":[` + good + `]}`), 1, ""},
		{"nested components",
			cyclone(`{"type":"library","name":"a","purl":"pkg:npm/a@1","components":[{"type":"library","name":"b","purl":"pkg:npm/b@1"}]}`),
			2, ""},
		{"files and services",
			`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + good + `,{"type":"file","name":"x"},{"type":"cryptographic-asset","name":"y"}],"services":[{"name":"z"}]}`,
			1, ""},
		{"a lockfile of Trivy",
			cyclone(good + `,{"type":"application","name":"package-lock.json","properties":[{"name":"aquasecurity:trivy:Type","value":"npm"}]}`),
			1, ""},
		{"its own word",
			`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + good + `],"compositions":[{"aggregate":"incomplete_third_party_only"}]}`,
			1, "it says of itself that it is incomplete"},
		{"complete by its own word",
			`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + good + `],"compositions":[{"aggregate":"complete"}]}`,
			1, ""},
		{"the described library counts",
			`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"library","name":"a","purl":"pkg:npm/a@1"}}}`,
			1, ""},
		{"null for lists", `{"bomFormat":"CycloneDX","specVersion":"1.6","components":null,"metadata":null}`, 0,
			"it lists no packages"},
		{"SPDX: no package URL", spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1"}`, ``), 0,
			"have no package URL, such as a"},
		{"SPDX: null among the references",
			spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[null,{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}`,
				`,"relationships":[null,null]`), 1, ""},
		{"SPDX: the described application",
			spdxDocument(`{"SPDXID":"SPDXRef-r","name":"app"},{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}`,
				`,"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-r"}]`),
			1, ""},
		{"SPDX: described by documentDescribes",
			spdxDocument(`{"SPDXID":"SPDXRef-r","name":"app"},{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}`,
				`,"documentDescribes":["SPDXRef-r"]`), 1, ""},
		{"SPDX: a lockfile",
			spdxDocument(`{"SPDXID":"SPDXRef-l","name":"package-lock.json"},{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}`,
				`,"relationships":[{"spdxElementId":"SPDXRef-l","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-a"}]`),
			1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := readString(c.document)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Packages) != c.packages {
				t.Errorf("%d packages were read, want %d", len(e.Packages), c.packages)
			}
			x := examination(t, e, core.ExaminePackages)
			if c.why == "" && x.Status != core.Complete {
				t.Errorf("the examination is %s: %q", x.Status, x.Why)
			}
			if c.why != "" && (x.Status != core.Partial || !strings.Contains(strings.Join(x.Why, "; "),
				c.why) || x.Remedy == "") {
				t.Errorf("the examination is %s: %q (%s), want partial: %s", x.Status, x.Why, x.Remedy, c.why)
			}
		})
	}
}

func TestEveryPackageURLIsAPackage(t *testing.T) {
	reference := func(purl string) string { return `{"referenceType":"purl","referenceLocator":"` + purl + `"}` }
	for name, c := range map[string]struct {
		document string
		want     []string
		why      string
	}{
		"two of one SPDX package": {spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[`+
			reference("pkg:npm/harmless@1")+`,`+reference("pkg:npm/jquery@3.4.1")+`,`+reference("pkg:npm/harmless@1")+`]}`, ``),
			[]string{"harmless 1", "jquery 3.4.1"}, ""},
		"a malformed second": {spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[`+
			reference("pkg:npm/a@1")+`,`+reference("npm/jquery")+`]}`, ``), []string{"a 1"}, "malformed package URL"},
		"an operating system in SPDX": {spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","primaryPackagePurpose":"OPERATING-SYSTEM",`+
			`"externalRefs":[`+reference("pkg:npm/jquery@3.4.1")+`]}`, ``), []string{"jquery 3.4.1"}, ""},
		"an operating system": {cyclone(`{"type":"operating-system","name":"x","purl":"pkg:npm/jquery@3.4.1"}`),
			[]string{"jquery 3.4.1"}, ""},
		"a container": {cyclone(`{"type":"container","name":"x","purl":"pkg:npm/jquery@3.4.1","components":[` +
			`{"name":"a","purl":"pkg:npm/a@1"}]}`), []string{"a 1", "jquery 3.4.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := readString(c.document)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range e.Packages {
				got = append(got, p.Name+" "+p.Version)
			}
			slices.Sort(got)
			if why := strings.Join(examination(t, e, core.ExaminePackages).Why, "; "); !slices.Equal(got, c.want) ||
				(c.why == "") != (why == "") || !strings.Contains(why, c.why) {
				t.Errorf("%q with %q, want %q with %q", got, why, c.want, c.why)
			}
		})
	}
}

func TestModulesAreReadAsGeneratorsWriteThem(t *testing.T) {
	const plain = "pkg:rpm/redhat/nodejs@18-1.module%2Bel8.10.0%2B1%2Ba?distro=rhel-8.10"
	for _, c := range []struct{ purl, property, value, want string }{
		{plain + "&rpmmod=nodejs:18", "", "", "nodejs:18"},
		{plain + "&rpmmod=nodejs:18:8100020250506132245:489197e6", "", "", "nodejs:18"}, // Red Hat, Syft
		{plain + "&rpmmod=nodejs%3A18%3A8100020250506132245%3A489197e6", "", "", "nodejs:18"},
		{plain + "&modularitylabel=nodejs%3A18%3A8100020250506132245%3A489197e6", "", "", "nodejs:18"}, // Trivy
		{plain, "aquasecurity:trivy:Modularitylabel", "nodejs:18:8100020250506132245:489197e6", "nodejs:18"},
		{plain, "syft:metadata:modularityLabel", "nodejs:18:8100020250506132245:489197e6", "nodejs:18"},
		{plain, propModule, "nodejs:18", "nodejs:18"},
		{plain + "&rpmmod=nodejs:18", propModule, "nodejs:20", "nodejs:18"},
		{plain + "&rpmmod=nodejs", "", "", ""},
		{plain + "&rpmmod=:18", "", "", ""},
		{plain + "&rpmmod=nodejs:", "", "", ""},
		{plain, "", "", ""},
		{"pkg:deb/debian/nodejs@18?distro=debian-12&rpmmod=nodejs:18", propModule, "nodejs:18", ""},
	} {
		e, err := readString(cyclone(`{"type":"library","name":"x","purl":"` + c.purl + `","properties":[{"name":"` +
			c.property + `","value":"` + c.value + `"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Packages[0].Module; got != c.want {
			t.Errorf("%s %s=%s is of module %q, want %q", c.purl, c.property, c.value, got, c.want)
		}
	}
}

func TestPropertiesDoNotMakeAPackageHarmless(t *testing.T) {
	property := func(purl, name, value string) string {
		return cyclone(`{"type":"library","name":"x","purl":"` + purl + `","properties":[{"name":"` + name + `","value":"` + value + `"}]}`)
	}
	const jquery, libc = "pkg:npm/jquery@3.4.1", "pkg:deb/debian/libc6@2.36-9?distro=debian-12"
	for _, c := range []struct{ document, ecosystem string }{
		{property(jquery, propVendored, "true"), "npm"},
		{property(jquery, propEcosystem, "Hex"), "npm"},
		{property(jquery, propEcosystem, ""), "npm"},
		{property(libc, propEcosystem, "Wolfi"), "Debian:12"},
		{property(libc, propEcosystem, "Ubuntu:22.04"), "Debian:12"},
		{property(libc, propEcosystem, "npm"), "Debian:12"},
		{property("pkg:deb/debian/libc6@2.36-9", propEcosystem, "Debian:12"), "Debian:12"},
	} {
		e, err := readString(c.document)
		if err != nil {
			t.Fatal(err)
		}
		if p := e.Packages[0]; p.Vendored || p.Ecosystem != c.ecosystem || !p.Visible() {
			t.Errorf("%s: %+v, want the ecosystem %s", c.document, p, c.ecosystem)
		}
	}
}

func TestADistributionThatContradictsItselfIsUnknown(t *testing.T) {
	for purl, known := range map[string]bool{
		"pkg:deb/debian/libc6@2.36-9?distro=wolfi-1":        false,
		"pkg:deb/debian/libc6@2.36-9?distro=ubuntu-22.04":   false,
		"pkg:deb/debian/libc6@2.36-9?distro=rhel-9.2":       false,
		"pkg:deb/wolfi/libc6@2.36-9?distro=20230201":        false,
		"pkg:deb/wolfi/libc6@2.36-9":                        false,
		"pkg:apk/alpine/musl@1.2-r0?distro=wolfi-20230201":  false,
		"pkg:rpm/redhat/bash@5.1-2.el9?distro=rocky-9.3":    false,
		"pkg:rpm/debian/bash@5.1-2.el9?distro=debian-12":    false,
		"pkg:deb/debian/libc6@2.36-9?distro=debian-12":      true,
		"pkg:deb/libc6@2.36-9?distro=debian-12":             true,
		"pkg:apk/chainguard/musl@1.2-r0?distro=wolfi-2023":  true,
		"pkg:rpm/opensuse/bash@1-1?distro=opensuse-leap-15": true,
		"pkg:rpm/redhat/bash@5.1-2.el9?distro=rhel-9.2":     true,
	} {
		e, err := readString(cyclone(`{"type":"library","name":"x","purl":"` + purl + `"},` +
			`{"type":"operating-system","name":"wolfi","version":"2023"}`))
		if err != nil {
			t.Fatal(err)
		}
		status := examination(t, e, core.ExamineDistro).Status
		if ecosystem := e.Packages[0].Ecosystem; (ecosystem != "") != known || (status == core.Complete) != known {
			t.Errorf("%s is of %q, and the distribution %s", purl, ecosystem, status)
		}
	}
}

func TestIncompleteEvidenceStaysIncomplete(t *testing.T) {
	for _, format := range []Format{CycloneDX, SPDX} {
		e := samples()["image"]
		e.Examinations[0].Status, e.Examinations[0].Why = core.Partial, []string{"a lockfile is malformed"}
		read, err := Read(context.Background(), "x", written(t, format, e), limit.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		if x := examination(t, read, core.ExaminePackages); !slices.Contains(x.Why,
			"it says of itself that it is incomplete") {
			t.Errorf("%s: the way through the document made the examination %s: %q", format, x.Status, x.Why)
		} else if !slices.Contains(x.Why, "its own examination: a lockfile is malformed") {
			t.Errorf("%s: the reason was lost: %q", format, x.Why)
		}
	}
}

func TestSubjectIsNamedAfterFileAndImage(t *testing.T) {
	digest := string(digestOf("2"))
	for _, c := range []struct{ name, document, want string }{
		{"ours", string(written(t, CycloneDX, samples()["image"])),
			"app.json (registry.example/team/app:1.0@" + digest + ")"},
		{"ours in SPDX", string(written(t, SPDX, samples()["image"])),
			"app.json (registry.example/team/app:1.0@" + digest + ")"},
		{"a package URL",
			`{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"type":"container","name":"x","purl":"pkg:oci/app@` + digest + `?repository_url=ghcr.io/o/app"}}}`,
			"app.json (ghcr.io/o/app@" + digest + ")"},
		{"nothing", cyclone(``), "app.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := readString(c.document)
			if err != nil {
				t.Fatal(err)
			}
			s := e.Subjects[0]
			if s.Name != c.want || s.Kind != core.KindSBOM {
				t.Errorf("the subject is %+v, want the name %q", s, c.want)
			}
			if _, err := core.ParseDigest(string(s.Digest)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatOtherGeneratorsWrite(t *testing.T) {
	e, err := readString(cyclone(`
		{"type":"library","name":"openssl-libs","version":"1.0.2k-16.el7","purl":"pkg:rpm/centos/openssl-libs@1.0.2k-16.el7?epoch=1&distro=centos-7.6",
		 "licenses":[{"license":{"name":"OpenSSL+"}},{"license":{"id":"MIT"}}],"hashes":[{"alg":"SHA-256","content":"` + strings.Repeat("A", 64) + `"},{"alg":"odd","content":"x"}],
		 "properties":[{"name":"aquasecurity:trivy:SrcName","value":"openssl"},{"name":"aquasecurity:trivy:SrcVersion","value":"1.0.2k"},{"name":"aquasecurity:trivy:SrcRelease","value":"16.el7"},
		  {"name":"aquasecurity:trivy:SrcEpoch","value":"1"},{"name":"aquasecurity:trivy:FilePath","value":"/var/lib/rpm"},{"name":"aquasecurity:trivy:LayerDiffID","value":"` + string(digestOf("a")) + `"}]},
		{"type":"library","name":"jest","purl":"pkg:npm/jest@1","scope":"excluded","licenses":[{"expression":"MIT OR Apache-2.0"}],
		 "evidence":{"occurrences":[{"location":"/app/package-lock.json","line":12},{"location":"x","line":"y"}]}},
		{"type":"library","name":"musl","purl":"pkg:apk/alpine/musl@1?distro=alpine-3.20","properties":[{"name":"syft:metadata:originPackage","value":"musl-src"},
		  {"name":"syft:location:0:layerID","value":"` + string(digestOf("b")) + `"},{"name":"syft:location:0:path","value":"/lib/apk/db/installed"}]},
		{"type":"library","name":"musl","purl":"pkg:apk/alpine/musl@1?distro=alpine-3.20","evidence":{"occurrences":[{"location":"elsewhere"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	subject := e.Subjects[0].Digest
	want := []core.Package{
		{Subject: subject, Name: "musl", Version: "1", Purl: "pkg:apk/alpine/musl@1?distro=alpine-3.20",
			Ecosystem: "Alpine:v3.20", Source: &core.SourcePackage{Name: "musl-src"},
			Locations: []core.Location{{Path: "elsewhere"}, {Path: "lib/apk/db/installed", Layer: digestOf("b")}},
			Analyzer:  "sbom/cyclonedx"},
		{Subject: subject, Name: "jest", Version: "1", Purl: "pkg:npm/jest@1", Ecosystem: "npm",
			Licenses: []string{"MIT OR Apache-2.0"}, Scope: core.ScopeDevelopment,
			Locations: []core.Location{{Path: "app/package-lock.json", Line: 12}, {Path: "x"}},
			Analyzer:  "sbom/cyclonedx"},
		{Subject: subject, Name: "openssl-libs", Version: "1:1.0.2k-16.el7",
			Purl:   "pkg:rpm/centos/openssl-libs@1.0.2k-16.el7?epoch=1&distro=centos-7.6",
			Source: &core.SourcePackage{Name: "openssl", Version: "1:1.0.2k-16.el7"}, Licenses: []string{"OpenSSL+",
				"MIT"}, Hashes: map[string]string{"sha256": strings.Repeat("a", 64)},
			Locations: []core.Location{{Path: "var/lib/rpm", Layer: digestOf("a")}}, Analyzer: "sbom/cyclonedx"},
	}
	if diff := cmp.Diff(want, e.Packages, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
}

func TestSPDXLicensesAreReadByName(t *testing.T) {
	for declared, want := range map[string][]string{
		`"licenseDeclared":"MIT"`:                                     {"MIT"},
		`"licenseDeclared":"NOASSERTION","licenseConcluded":"ISC"`:    {"ISC"},
		`"licenseDeclared":"NONE"`:                                    nil,
		`"licenseDeclared":"LicenseRef-x"`:                            {"The X License"},
		`"licenseDeclared":"MIT OR LicenseRef-x"`:                     {"MIT OR LicenseRef-x"},
		`"comment":"cleanbill:license=A\ncleanbill:license=B\nother"`: {"A", "B"},
		`"comment":"anything\r\nbut = ours","licenseDeclared":"0BSD"`: {"0BSD"},
	} {
		e,
			err := readString(spdxDocument(`{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}],`+declared+`}`,
			`,"hasExtractedLicensingInfos":[{"licenseId":"LicenseRef-x","name":"The X License","extractedText":"…"}]`))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, e.Packages[0].Licenses, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", declared, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	valid := string(written(t, CycloneDX, samples()["image"]))
	for _, c := range []struct {
		name, document, want string
		usage                bool
	}{
		{"nothing", "", "the file is empty", true},
		{"blanks", " \n\t", "the file is empty", true},
		{"XML", `<?xml version="1.0"?><bom/>`, "it is XML: want CycloneDX 1.2 to 1.7 or SPDX 2.2 or 2.3, as JSON",
			true},
		{"tag-value", "SPDXVersion: SPDX-2.3\n", "it is SPDX as tag-value", true},
		{"UTF-16", "\xff\xfe{\x00}\x00", "it is UTF-16", true},
		{"a list", "[]", "it is no JSON object", true},
		{"SPDX 3", `{"@context":"https://spdx.org/rdf/3.0.0/spdx-context.jsonld","@graph":[]}`, "it is SPDX 3", true},
		{"SPDX 2.1", `{"spdxVersion":"SPDX-2.1"}`, "its spdxVersion is SPDX-2.1", true},
		{"CycloneDX 1.1", `{"bomFormat":"CycloneDX","specVersion":"1.1"}`, "CycloneDX of specVersion 1.1", true},
		{"CycloneDX 2", `{"bomFormat":"CycloneDX","specVersion":"2.0"}`, "CycloneDX of specVersion 2.0", true},
		{"CycloneDX of no version", `{"bomFormat":"CycloneDX"}`, "no specVersion", true},
		{"both", `{"bomFormat":"CycloneDX","specVersion":"1.5","spdxVersion":"SPDX-2.3"}`, "both CycloneDX and SPDX",
			true},
		{"another bomFormat", `{"bomFormat":"Other"}`, `its bomFormat is "Other"`, true},
		{"DSSE", `{"payloadType":"application/vnd.in-toto+json","payload":""}`, "signed envelope (DSSE)", true},
		{"in-toto", `{"_type":"https://in-toto.io/Statement/v1","predicate":{}}`, "in-toto statement", true},
		{"GitHub's API", `{"sbom":{"spdxVersion":"SPDX-2.3"}}`, "the answer of an API", true},
		{"SARIF", `{"runs":[]}`, "SARIF", true},
		{"another object", `{"a":1}`, "it is no SBOM", true},
		{"a truncated file", valid[:len(valid)/2], "unexpected end of JSON input", false},
		{"a syntax error", strings.Replace(valid, `"components": [`, `"components": [,`, 1),
			"line 10, column 22: invalid character ','", false},
		{"data after the end", valid + "x", "after top-level value", false},
		{"a repeated list",
			`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[],` + "\n" + `"components":[]}`,
			"line 2, column 1: components: this member occurs twice", false},
		{"a repeated member", cyclone(`{"name":"a","purl":"pkg:npm/a@1","purl":"pkg:npm/b@1"}`),
			"components[0].purl: this member occurs twice", false},
		{"a repeated member where nobody looks", cyclone(`{"name":"a","x":{"y":1,"y":2}}`),
			"components[0].x.y: this member occurs twice", false},
		{"a list in another case", `{"bomFormat":"CycloneDX","specVersion":"1.5","Components":[]}`,
			`Components: the member must be written "components"`, false},
		{"deep nesting", cyclone(strings.Repeat(`{"components":[`, 500) + strings.Repeat("]}", 500)),
			"nested deeper than 128 levels", false},
		{"deeper nesting", strings.Repeat("{\"a\":", 20000) + "1" + strings.Repeat("}", 20000), "exceeded max depth",
			false},
		{"null among the components", cyclone(`{"name":"a","purl":"pkg:npm/a@1"},null`),
			"components[1]: want an object, found null", false},
		{"a list among the components", cyclone(`[{"name":"a","purl":"pkg:npm/a@1"}]`),
			"components[0]: want an object, found an array", false},
		{"components by name", `{"bomFormat":"CycloneDX","specVersion":"1.5","components":{"a":{"purl":"pkg:npm/a@1"}}}`,
			"components: want an array, found an object", false},
		{"parts by name", cyclone(`{"name":"a","purl":"pkg:npm/a@1","components":{"b":{"purl":"pkg:npm/b@1"}}}`),
			"components[0].components: want an array, found an object", false},
		{"a list of described components", `{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":[]}}`,
			"metadata.component: want an object, found an array", false},
		{"null among the packages of SPDX", spdxDocument(`null`, ``), "packages[0]: want an object, found null", false},
		{"a malformed property of ours",
			cyclone(`{"name":"a","purl":"pkg:npm/a@1","properties":[{"name":"cleanbill:layer:index","value":"-1"}]}`),
			`the property cleanbill:layer:index is "-1"`, false},
		{"a malformed digest of ours",
			cyclone(`{"name":"a","purl":"pkg:npm/a@1","properties":[{"name":"cleanbill:layer:diffId","value":"x"}]}`),
			"is not a digest", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readString(c.document)
			if err == nil {
				t.Fatal("it was read")
			}
			if !strings.HasPrefix(err.Error(), "could not read the SBOM app.json: ") || !strings.Contains(err.Error(),
				c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			}
			if core.Usage(err) != c.usage {
				t.Errorf("%v: usage is %v, want %v", err, core.Usage(err), c.usage)
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
				t.Errorf("the error is no short line: %q", err)
			}
		})
	}
}

func TestByteOrderMarkIsAccepted(t *testing.T) {
	if _, err := readString("\ufeff" + cyclone(``)); err != nil {
		t.Error(err)
	}
}

func TestReadIsBounded(t *testing.T) {
	component := `{"type":"library","name":"a","purl":"pkg:npm/a@1","evidence":{"occurrences":[{"location":"` + strings.Repeat("x",
		100) + `"}]}}`
	document := cyclone(component + "," + component + "," + component)
	for name, l := range map[string]limit.Limits{
		"metadata-size": {MetadataSize: 100},
		"entries":       {Entries: 2},
		"path-length":   {PathLength: 99},
	} {
		_, err := Read(context.Background(), "x", []byte(document), l)
		var exceeded *limit.Exceeded
		if !errors.As(err, &exceeded) || exceeded.Limit != name {
			t.Errorf("%v, want the limit %s to be exceeded", err, name)
		}
	}
}

func TestReadStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	document := cyclone(strings.TrimSuffix(strings.Repeat(`{"type":"library","name":"a","purl":"pkg:npm/a@1"},`, 2000),
		","))
	if _, err := Read(ctx, "x", []byte(document), limit.Defaults()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestHostileTextStaysInsideTheDocument writes evidence whose every string is an attack, and holds that the document is
// valid, bounded and readable.
func TestHostileTextStaysInsideTheDocument(t *testing.T) {
	attacks := []string{
		"\x1b[31m\u202e\x00", "a\nb=c\ncleanbill:vendored=true", strings.Repeat("\u65e5", 100_000), "\xff\xfe",
		`"},{"name":"x`, "(((MIT", "MIT OR", "LicenseRef-", "LicenseRef-a b",
		"", " ", "sha256:x", "pkg:npm/a@1", "#L5@", strings.Repeat("(", 10_000), "GPL-2.0-only WITH nothing",
	}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return attacks[r.IntN(len(attacks))] }
	for range 20 {
		e := core.Evidence{Subjects: []core.Subject{{Name: pick(), Kind: core.KindImage, Digest: digestOf("2"),
			MediaType: pick(), Platform: &core.Platform{OS: pick(), Architecture: pick()}}},
			Images: []core.ImageFacts{{Subject: digestOf("2"), Distro: &core.Distro{ID: pick(), VersionID: pick(),
				PrettyName: pick()}, Base: &core.BaseImage{Name: pick()},
				Layers: []core.LayerFacts{{DiffID: digestOf("a"), CreatedBy: pick()}}}}}
		for range 3 {
			e.Packages = append(e.Packages, core.Package{Subject: digestOf("2"), Name: pick(), Version: pick(),
				Purl: "pkg:npm/a@1", Ecosystem: pick(), Architecture: pick(),
				Source: &core.SourcePackage{Name: pick(), Version: pick()}, Licenses: []string{pick(), pick()},
				Hashes:    map[string]string{pick(): pick(), "sha1": pick()},
				Locations: []core.Location{{Path: pick()}}, Origin: &core.Origin{DiffID: digestOf("a"),
					CreatedBy: pick()}, Analyzer: pick(), Scope: core.Scope(pick())})
		}
		for _, format := range []Format{CycloneDX, SPDX} {
			data := written(t, format, e)
			if !utf8.Valid(data) || bytes.ContainsFunc(data,
				func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Fatalf("%s holds characters that do not print", format)
			}
			if len(data) > 2_000_000 {
				t.Fatalf("%s has %d bytes", format, len(data))
			}
			read, err := Read(context.Background(), "x", data, limit.Limits{PathLength: 8192})
			if err != nil {
				t.Fatalf("%s cannot be read back: %v\n%s", format, err, data)
			}
			for _, p := range read.Packages {
				if p.Vendored {
					t.Fatalf("%s: text became a property:\n%s", format, data)
				}
			}
		}
	}
}

// TestRealDocuments reads what many generators wrote. The number is of packages, -1 stands for an error.
func TestRealDocuments(t *testing.T) {
	root := shared(t, "corpus", "sbom")
	want := realDocuments()
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen[rel] = true
		expected, ok := want[rel]
		if !ok {
			t.Errorf("%s is not in the table", rel)
		}
		got := outcome(data)
		if got != expected {
			t.Errorf("%s: %s, want %s", rel, got, expected)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for rel := range want {
		if !seen[rel] {
			t.Errorf("%s is not there", rel)
		}
	}
}

// outcome is the number of packages and of those with an ecosystem, and what is partial; or the kind of error.
func outcome(data []byte) string {
	e, err := Read(context.Background(), "x", data, limit.Defaults())
	if err != nil {
		var format *formatError
		if errors.As(err, &format) {
			return format.what
		}
		return err.Error()
	}
	known := 0
	for _, p := range e.Packages {
		if p.Ecosystem != "" {
			known++
		}
	}
	s := fmt.Sprintf("%d/%d", known, len(e.Packages))
	for _, x := range e.Examinations {
		if x.Status != core.Complete {
			s += " " + x.Name
		}
	}
	return s
}

func FuzzRead(f *testing.F) {
	for _, e := range samples() {
		f.Add(written(f, CycloneDX, e))
		f.Add(written(f, SPDX, e))
	}
	for _, s := range []string{`<bom/>`, "SPDXVersion: SPDX-2.3",
		`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"purl":"pkg:npm/a@1","version":null}]}`,
		spdxDocument(`null`, `,"documentDescribes":["a"]`),
		cyclone(`{"type":"operating-system"},{"purl":"pkg:deb/debian/a@1","components":[{}]}`)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Read(context.Background(), "fuzz", data, limit.Limits{MetadataSize: 1 << 20, Entries: 10_000})
		if err != nil {
			if err.Error() == "" || strings.ContainsFunc(err.Error(),
				func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("the error does not print: %q", err)
			}
			return
		}
		for _, format := range []Format{CycloneDX, SPDX} {
			if len(e.Subjects) != 1 {
				t.Fatalf("there are %d subjects", len(e.Subjects))
			}
			again, err := Read(context.Background(), "again", written(t, format, e),
				limit.Limits{MetadataSize: 64 << 20, PathLength: 1 << 16})
			if err != nil {
				t.Fatalf("what was written of it cannot be read: %v", err)
			}
			if !strings.Contains(string(data), "cleanbill:") && len(again.Packages) != len(e.Packages) {
				t.Errorf("%s: %d packages became %d", format, len(e.Packages), len(again.Packages))
			}
		}
	})
}

// large is the evidence of 3,000 packages.
func large() core.Evidence {
	e := debian("registry.example/app:1", digestOf("2"), "amd64")
	p := e.Packages[0]
	e.Packages = nil
	for i := range 3000 {
		p.Name = fmt.Sprintf("package-%d", i)
		p.Purl = fmt.Sprintf("pkg:deb/debian/package-%d@3.0.11-1~deb12u2?arch=amd64&distro=debian-12", i)
		e.Packages = append(e.Packages, p)
	}
	return e
}

func BenchmarkWrite(b *testing.B) {
	e := large()
	for _, format := range []Format{CycloneDX, SPDX} {
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(int64(len(written(b, format, e))))
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(discard{}, format, e, testOptions()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkRead(b *testing.B) {
	for _, format := range []Format{CycloneDX, SPDX} {
		data := written(b, format, large())
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(context.Background(), "x", data, limit.Limits{MetadataSize: 64 << 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
