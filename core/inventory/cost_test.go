package inventory

import (
	"errors"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// TestFilesThatCostTheirParserMoreThanMayBeKeptAreNamed has files of two megabytes, of which the parser would make
// hundreds.
func TestFilesThatCostTheirParserMoreThanMayBeKeptAreNamed(t *testing.T) {
	limits := limit.Limits{KeptSize: 16 << 20, MetadataSize: 4 << 20}
	for p, line := range map[string]string{
		"pnpm-lock.yaml":                   "- a\n",
		"pubspec.lock":                     "[a,a,a,a]\n",
		"Podfile.lock":                     "a: a\n",
		"snap/a/1/meta/snap.yaml":          "- a\n",
		"app/.cpan/META.yml":               "- a\n",
		"a.csproj":                         "<a/>",
		"pom.xml":                          "<a/>\n",
		"packages.config":                  "<a/>",
		"gradle/verification-metadata.xml": "<a/>",
		"requirements.txt":                 "a\n",
		"go.mod":                           "require a.b/c v1.0.0\n",
		"yarn.lock":                        "a@1:\n  version 1\n",
		"Gemfile.lock":                     "    a (1)\n",
		"gradle.lockfile":                  "a:b:1=x\n",
		"mix.lock":                         "\"a\": {:hex, :a, \"1\"}\n",
		"vendor/modules.txt":               "# a.b/c v1.0.0\n",
		"var/lib/dpkg/status":              "Package: a\nVersion: 1\n\n",
		"lib/apk/db/installed":             "P:a\nV:1\n\n",
		"packages.lock.json":               "[1,1,1,1],",
	} {
		content := strings.Repeat(line, 2<<20/len(line))
		if strings.HasSuffix(p, ".json") {
			content = "{\"a\":[" + content + "1]}"
		}
		got := driveWith(t, Options{Limits: limits}, tree{p: []byte(content)})
		var exceeded *limit.Exceeded
		if !errors.As(got.failed[p], &exceeded) || exceeded.Limit != "kept-size" || len(got.packages) > 0 {
			t.Errorf("%s: %d packages, %v", p, len(got.packages), got.failed[p])
		}
	}
}

func TestManifestsOfOnePackageAreNoLargerThanMetadata(t *testing.T) {
	limits := limit.Limits{MetadataSize: 1 << 10}
	for _, p := range []string{
		"app/.cpan/META.json", "app/.cpan/META.yml", "app/rocks-5.3/x/1.0-1/x-1.0-1.rockspec", "app/pkgs/x-1.0/x.nimble",
		"node_modules/a/package.json", "specifications/a.gemspec", "var/lib/pacman/local/bash-5.2-1/desc",
	} {
		got := driveWith(t, Options{Limits: limits}, tree{p: []byte("{\"name\":\"x\",\"version\":\"1\"}" + strings.Repeat(" ", 1<<10))})
		var exceeded *limit.Exceeded
		if !errors.As(got.failed[p], &exceeded) || exceeded.Limit != "metadata-size" {
			t.Errorf("%s: %v", p, got.failed[p])
		}
	}
}
