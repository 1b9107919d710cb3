package vuln

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	server "github.com/google/go-containerregistry/pkg/registry"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// nodePackages are what a server in Node brings along: a thousand packages that no advisory knows, and some that many do.
func nodePackages() []core.Package {
	var out []core.Package
	for i := range 1000 {
		out = append(out, pkg("npm", fmt.Sprintf("module-%d", i), "1.0.0", ""))
	}
	for name, version := range map[string]string{"lodash": "4.17.4", "jquery": "3.4.1", "express": "4.15.0", "minimist": "1.2.0",
		"moment": "2.18.0", "handlebars": "4.0.5", "ws": "1.0.0", "axios": "0.18.0", "qs": "6.0.0", "debug": "2.0.0"} {
		out = append(out, pkg("npm", name, version, ""))
	}
	return out
}

// TestAColdScanFetchesLessThanATenthOfTheSet matches a Debian image with Node against all real advisories in a registry.
func TestAColdScanFetchesLessThanATenthOfTheSet(t *testing.T) {
	local := realSet(t, "AlmaLinux", "Alpine", "Bitnami", "CRAN", "Debian", "GHC", "Go", "Hackage", "Maven", "NuGet", "Packagist",
		"PyPI", "RubyGems", "SwiftURL", "Ubuntu", "crates.io", "npm")
	s := httptest.NewServer(server.New(server.Logger(log.New(io.Discard, "", 0))))
	defer s.Close()
	ref := strings.TrimPrefix(s.URL, "http://") + "/advisories:v2"
	if _, err := advisory.Mirror(t.Context(), local.Source().Name, ref, advisory.MoveOptions{}); err != nil {
		t.Fatal(err)
	}
	database := fileOf(t, filepath.Join(shared(t, "rootfs"), "debian-bookworm-minbase-amd64.tar.gz"), "var/lib/dpkg/status")
	packages := append(dpkgPackages(database, "Debian:12"), nodePackages()...)
	remote, err := advisory.Open(t.Context(), ref, advisory.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := match(t, remote, packages...)
	want := match(t, local, packages...)
	if len(got.Findings) != len(want.Findings) || len(got.Findings) < 20 {
		t.Errorf("%d findings from the registry, %d from the directory", len(got.Findings), len(want.Findings))
	}
	blobs, bytes := remote.Fetched()
	d := remote.Describe()
	t.Logf("%d packages, %d findings: fetched %d of %d blobs, %d of %d bytes (%.1f %%)", len(packages), len(got.Findings), blobs,
		d.Blobs, bytes, d.Bytes, 100*float64(bytes)/float64(d.Bytes))
	if bytes > d.Bytes/10 {
		t.Errorf("fetched %d of %d bytes, more than a tenth", bytes, d.Bytes)
	}
}
