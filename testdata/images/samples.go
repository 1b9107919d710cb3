package images

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DebianPackage is an entry of dpkg's status file. Source is the source package, with its version in parentheses if it
// differs from the binary's; it is empty where the names are the same.
type DebianPackage struct{ Name, Version, Source string }

// DpkgStatus writes packages as dpkg's status file has them, all installed, for one architecture.
// https://www.debian.org/doc/debian-policy/ch-controlfields.html
func DpkgStatus(architecture string, packages ...DebianPackage) string {
	var b strings.Builder
	for _, p := range packages {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nArchitecture: %s\n", p.Name, architecture)
		if p.Source != "" {
			fmt.Fprintf(&b, "Source: %s\n", p.Source)
		}
		fmt.Fprintf(&b, "Version: %s\nDescription: %s, as in a test image\n\n", p.Version, p.Name)
	}
	return b.String()
}

// AlpinePackage is an entry of apk's installed database. Origin is the source package; it is empty where the names are
// the same.
type AlpinePackage struct{ Name, Version, Origin string }

// ApkInstalled writes packages as apk's installed database has them, for one architecture in apk's own words.
// https://wiki.alpinelinux.org/wiki/Apk_spec#Install_DB
func ApkInstalled(architecture string, packages ...AlpinePackage) string {
	var b strings.Builder
	for _, p := range packages {
		origin := p.Origin
		if origin == "" {
			origin = p.Name
		}
		fmt.Fprintf(&b, "P:%s\nV:%s\nA:%s\no:%s\nL:MIT\n\n", p.Name, p.Version, architecture, origin)
	}
	return b.String()
}

// DebianRelease is /etc/os-release of a Debian version such as "12" and "bookworm".
func DebianRelease(version, codename string) string {
	return fmt.Sprintf("PRETTY_NAME=\"Debian GNU/Linux %[1]s (%[2]s)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"%[1]s\"\n"+
		"VERSION=\"%[1]s (%[2]s)\"\nVERSION_CODENAME=%[2]s\nID=debian\n", version, codename)
}

// AlpineRelease is /etc/os-release of an Alpine version such as "3.20.3".
func AlpineRelease(version string) string {
	return fmt.Sprintf("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=%[1]s\nPRETTY_NAME=\"Alpine Linux v%[1]s\"\n",
		version)
}

// NpmLock writes a package-lock.json, lockfileVersion 3, of packages given as name and version in turn. It has what
// scanners read and nothing that an installation would need.
// https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json
func NpmLock(application string, nameVersion ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n  \"name\": %q,\n  \"version\": \"1.0.0\",\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n"+
		"  \"packages\": {\n    \"\": {\n      \"name\": %q,\n      \"version\": \"1.0.0\"\n    }", application, application)
	for i := 0; i+1 < len(nameVersion); i += 2 {
		fmt.Fprintf(&b, ",\n    \"node_modules/%s\": {\n      \"version\": %q\n    }", nameVersion[i], nameVersion[i+1])
	}
	b.WriteString("\n  }\n}\n")
	return b.String()
}

// Clean describes an image in which there is nothing to find: a supported distribution, up-to-date packages, a user
// who is not root.
func Clean(architecture string) Spec {
	return Spec{
		Platform: Platform(architecture),
		Config:   v1.Config{User: "10001:10001", WorkingDir: "/srv", Entrypoint: []string{"/usr/bin/env"}},
		Layers: []Layer{
			{CreatedBy: "COPY rootfs / # base", Entries: []Entry{
				Dir("etc"),
				File("etc/os-release", DebianRelease("13", "trixie")),
				Dir("var/lib/dpkg"),
				File("var/lib/dpkg/status", DpkgStatus(architecture,
					DebianPackage{Name: "base-files", Version: "13.8+deb13u6"},
					DebianPackage{Name: "ca-certificates", Version: "20250419"},
					DebianPackage{Name: "tzdata", Version: "2026a-0+deb13u1"},
				)),
			}},
			{CreatedBy: "COPY package-lock.json /srv/", Entries: []Entry{
				Dir("srv"),
				File("srv/package-lock.json", NpmLock("clean", "lodash", "4.17.23", "minimist", "1.2.8")),
			}},
			{CreatedBy: "USER 10001:10001", Empty: true},
		},
	}
}

// Vulnerable describes a small image with well-known vulnerabilities in Debian 12's packages and in an npm lockfile. A
// second lockfile is deleted by a later layer, but still delivered with the image.
func Vulnerable(architecture string) Spec {
	return Spec{
		Platform: Platform(architecture),
		Config:   v1.Config{Entrypoint: []string{"/usr/bin/env"}},
		Layers: []Layer{
			{CreatedBy: "COPY rootfs / # base", Entries: []Entry{
				Dir("etc"),
				File("etc/os-release", DebianRelease("12", "bookworm")),
				Dir("var/lib/dpkg"),
				File("var/lib/dpkg/status", DpkgStatus(architecture,
					DebianPackage{Name: "base-files", Version: "12.4+deb12u11"},
					DebianPackage{Name: "libc6", Version: "2.36-9", Source: "glibc"},
					DebianPackage{Name: "libssl3", Version: "3.0.9-1", Source: "openssl"},
					DebianPackage{Name: "libwebp7", Version: "1.2.4-0.2", Source: "libwebp"},
					DebianPackage{Name: "tzdata", Version: "2024a-0+deb12u1"},
				)),
			}},
			{CreatedBy: "COPY package-lock.json /srv/", Entries: []Entry{
				File("srv/package-lock.json", NpmLock("vulnerable", "jquery", "3.4.1", "lodash", "4.17.4", "ms", "2.1.3")),
			}},
			{CreatedBy: "COPY build /tmp/build", Entries: []Entry{
				File("tmp/build/package-lock.json", NpmLock("build", "axios", "0.21.1")),
			}},
			{CreatedBy: "RUN rm -r /tmp/build", Entries: []Entry{Whiteout("tmp/build")}},
		},
	}
}

// Distroless describes an image without a package manager: one file for each Debian package in status.d.
func Distroless(architecture string) Spec {
	statusFile := func(p DebianPackage) Entry {
		return File("var/lib/dpkg/status.d/"+p.Name, DpkgStatus(architecture, p))
	}
	return Spec{
		Platform: Platform(architecture),
		Config:   v1.Config{User: "65532", Entrypoint: []string{"/app"}},
		Layers: []Layer{{CreatedBy: "bazel build //:image", Entries: []Entry{
			File("etc/os-release", DebianRelease("12", "bookworm")),
			statusFile(DebianPackage{Name: "base-files", Version: "12.4+deb12u11"}),
			statusFile(DebianPackage{Name: "libssl3", Version: "3.0.9-1", Source: "openssl"}),
			statusFile(DebianPackage{Name: "tzdata", Version: "2024a-0+deb12u1"}),
		}}},
	}
}

// FromRootfs describes an image of one layer from a root filesystem archive, stored with the given compression.
func FromRootfs(file, architecture string, c Compression) Spec {
	return Spec{
		Platform: Platform(architecture),
		Config:   v1.Config{Cmd: []string{"/bin/sh"}},
		Layers: []Layer{
			{CreatedBy: "ADD rootfs.tar / # base", Tar: Archive(file), Compression: c},
			{CreatedBy: `CMD ["/bin/sh"]`, Empty: true},
		},
	}
}
