package main

import (
	"embed"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// programPath is where the image has its program.
const programPath = "usr/local/bin/pagetitle"

// files are copied into the image at the paths that they have here.
//
//go:embed files
var files embed.FS

// architectures are those of the index, in its order.
func architectures() []string { return []string{"amd64", "arm64"} }

// image makes the index from the programs, one for each architecture.
func image(programs map[string][]byte) (v1.ImageIndex, error) {
	var specs []images.Spec
	for _, architecture := range architectures() {
		spec, err := platform(architecture, programs[architecture])
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return images.BuildIndex(specs...)
}

// platform describes the image of one architecture. The layers with lockfiles and the last one are the same for all.
func platform(architecture string, program []byte) (images.Spec, error) {
	page, err := file("srv/www/package-lock.json")
	if err != nil {
		return images.Spec{}, err
	}
	scratch, err := file("tmp/build/package-lock.json")
	if err != nil {
		return images.Spec{}, err
	}
	return images.Spec{
		Platform: images.Platform(architecture),
		Config: v1.Config{
			User:       "10001:10001",
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			WorkingDir: "/srv/www",
			Entrypoint: []string{"/" + programPath},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "cleanbill-example",
				"org.opencontainers.image.description": "An image with known vulnerabilities, for trying Cleanbill",
			},
		},
		Layers: []images.Layer{
			{CreatedBy: "ADD debian-rootfs.tar / # bookworm", Entries: debian(architecture)},
			{CreatedBy: "COPY www /srv/www", Entries: []images.Entry{
				images.Dir("srv"), images.Dir("srv/www"), page,
			}},
			// What a build leaves behind is delivered with the image, even if a later layer hides it.
			{CreatedBy: "COPY build /tmp/build", Entries: []images.Entry{
				images.Dir("tmp"), images.Dir("tmp/build"), scratch,
			}},
			{CreatedBy: "COPY pagetitle /usr/local/bin/", Entries: []images.Entry{
				images.Dir("usr/local"), images.Dir("usr/local/bin"), images.Program(programPath, program),
			}},
			{CreatedBy: "RUN rm -r /tmp/build", Entries: []images.Entry{images.Dir("tmp"), images.Whiteout("tmp/build")}},
			{CreatedBy: "USER 10001:10001", Empty: true},
			{CreatedBy: `ENTRYPOINT ["/usr/local/bin/pagetitle"]`, Empty: true},
		},
	}, nil
}

// debian is as much of a Debian system as says which packages it has. The packages' own files are not there.
func debian(architecture string) []images.Entry {
	return []images.Entry{
		images.Dir("etc"),
		images.File("etc/debian_version", "12.0\n"),
		images.Symlink("etc/os-release", "../usr/lib/os-release"),
		images.Dir("usr"), images.Dir("usr/lib"),
		images.File("usr/lib/os-release", images.DebianRelease("12", "bookworm")),
		images.Dir("var"), images.Dir("var/lib"), images.Dir("var/lib/dpkg"),
		images.File("var/lib/dpkg/status", images.DpkgStatus(architecture,
			images.DebianPackage{Name: "base-files", Version: "12.4+deb12u11"},
			images.DebianPackage{Name: "libc6", Version: "2.36-9", Source: "glibc"},
			images.DebianPackage{Name: "libnghttp2-14", Version: "1.52.0-1", Source: "nghttp2"},
			images.DebianPackage{Name: "libwebp7", Version: "1.2.4-0.2", Source: "libwebp"},
			images.DebianPackage{Name: "netbase", Version: "6.4"},
			images.DebianPackage{Name: "zlib1g", Version: "1:1.2.13.dfsg-1", Source: "zlib"},
		)),
	}
}

func file(path string) (images.Entry, error) {
	body, err := files.ReadFile("files/" + path)
	if err != nil {
		return images.Entry{}, fmt.Errorf("read the embedded %s: %w", path, err)
	}
	return images.File(path, string(body)), nil
}
