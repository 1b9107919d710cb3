package inventory

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/osv-scalibr/extractor/filesystem/simplefileapi"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// excluded are the extractors of osv-scalibr that do not run, and why.
var excluded = map[string]string{
	"os/kernel/module":  "a container runs on its host's kernel; modules have no advisories of their own",
	"os/kernel/vmlinuz": "a container runs on its host's kernel; the package that brought the image names it",
	"os/macapps":        "macOS is in no image",
	"os/macports":       "macOS is in no image",
	"os/winget":         "copies a desktop's database to disk and queries it; layers of Windows keep it elsewhere",
	"os/osrelease":      "no extractor: osrelease.go reads the file, its quotes included",
	"os/apk/apkutil":    "no extractor",
	"os/ecosystem":      "no extractor: distro.go is the table",
	"os/purl":           "no extractor: convert.go writes package URLs",

	"language/dotnet/common":               "no extractor",
	"language/dotnet/dotnetpe":             "reports assembly references under names that NuGet does not have (\"System.Runtime.dll\"), and removes a file of the working directory after use",
	"language/dotnet/paketdependencies":    "declares ranges; paket.lock is read",
	"language/erlang/mixlock":              "reads the same file as elixir/mixlock with the same code",
	"language/erlang/mixlock/mixlockutils": "no extractor",
	"language/gleam/gleamtoml":             "declares ranges",
	"language/java/groupid":                "no extractor",
	"language/java/javalockfile":           "no extractor",
	"language/javascript/denohelper":       "no extractor",
	"language/javascript/denojson":         "declares ranges and guesses the lowest version",
	"language/javascript/denotssource":     "reads every TypeScript file for import statements, which declare ranges",
	"language/javascript/denometadata":     "no extractor",
	"language/javascript/metadata":         "no extractor",
	"language/javascript/vsix":             "an editor's extension, packed: nothing that a container runs",
	"language/julia/projecttoml":           "names the project itself; Manifest.toml is read",
	"language/python/ipythoninstall":       "reads install commands out of notebooks: not what is installed",
	"language/python/pypipurl":             "no extractor",
	"language/python/pyprojecttoml":        "declares ranges; lockfiles are read",
	"language/python/setup":                "declares ranges in code; installed metadata is read",
	"language/rust/cargotoml":              "declares ranges; Cargo.lock is read",
	"language/swift/swiftutils":            "no extractor",
}

func TestEveryExtractorIsInTheCatalogOrExcludedWithAReason(t *testing.T) {
	ours := make(map[string]bool)
	for _, e := range catalog() {
		if ours[e.name] {
			t.Errorf("%s is there twice", e.name)
		}
		ours[e.name] = true
	}
	seen := make(map[string]bool)
	for _, dir := range extractorDirectories(t) {
		name := strings.Replace(strings.TrimPrefix(dir, "language/"), "golang/", "go/", 1)
		if name == "go/gobinary" {
			name = "go/binary"
		}
		reason, out := excluded[dir]
		seen[dir] = true
		switch {
		case out && reason == "":
			t.Errorf("%s is excluded without a reason", dir)
		case out && ours[name]:
			t.Errorf("%s is in the catalog and excluded", dir)
		case !out && !ours[name]:
			t.Errorf("%s is neither in the catalog nor excluded", dir)
		}
	}
	for dir := range excluded {
		if !seen[dir] {
			t.Errorf("%s is excluded but does not exist", dir)
		}
	}
}

// extractorDirectories lists the packages of osv-scalibr's os and language extractors.
func extractorDirectories(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/osv-scalibr").Output()
	if err != nil {
		t.Skipf("the module's source is not here: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "extractor", "filesystem")
	var dirs []string
	for _, top := range []string{"os", "language"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			base := path.Base(filepath.ToSlash(p))
			if base == "testdata" || base == "internal" || base == "metadata" && !strings.HasSuffix(p, "javascript/metadata") || base == "purl" && !strings.HasSuffix(p, "os/purl") {
				return filepath.SkipDir
			}
			sources, err := filepath.Glob(filepath.Join(p, "*.go"))
			if len(sources) > 0 {
				rel, _ := filepath.Rel(root, p)
				dirs = append(dirs, filepath.ToSlash(rel))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// wider are the extractors that see more, or less, than their own FileRequired asks for, or the single paths of which one
// does, and why.
var wider = map[string]string{
	"python/condameta":    "the base environment is conda's too",
	"go/binary":           "executables without the executable bit, and no scripts",
	"rust/cargoauditable": "executables without the executable bit, and no scripts",
	"go/gomod":            "what others ask for, in a module cache, is not what was built",
	"os/nix":              "its own rule remembers what it saw",
	"java/pomxml":         "what a build cached is not what it declares",
	"os/homebrew":         "in the case that Homebrew writes",

	"os/dpkg var/lib/dpkg/status.d/base.md5sums": "an entry that is called as a list of checksums is an entry",
}

func TestCatalogWantsWhatTheExtractorsAskFor(t *testing.T) {
	paths := samplePaths(t)
	analyzers, err := Analyzers(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range analyzers {
		inner := innerOf(a)
		if inner == nil || wider[inner.name] != "" {
			continue
		}
		for _, p := range paths {
			info := memoryInfo{name: path.Base(p), size: 1 << 20, mode: 0o755}
			want := inner.inner.FileRequired(simplefileapi.New(p, info))
			if got := a.Wants(p, info); got != want && wider[inner.name+" "+p] == "" {
				t.Errorf("%s wants %s: %v, the extractor: %v", inner.name, p, got, want)
			}
		}
	}
}

func innerOf(a core.Analyzer) *analyzer {
	switch a := a.(type) {
	case *analyzer:
		return a
	case anchored:
		return a.analyzer
	case relater:
		return a.analyzer
	case anchoredRelater:
		return a.analyzer
	case sniffer:
		return a.analyzer
	}
	return nil
}

// listedPaths are paths that extractors are about, and near misses.
func listedPaths() []string {
	return []string{
		"var/lib/dpkg/status", "var/lib/dpkg/status.d/base", "var/lib/dpkg/status.d/base.md5sums", "lib/dpkg/status",
		"usr/lib/opkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/apk/db/installed", "x/lib/apk/db/installed",
		"var/lib/rpm/Packages", "var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db", "usr/share/rpm/Packages", "var/lib/rpm/Name",
		"var/lib/pacman/local/bash-5.2-1/desc", "var/lib/pacman/local/bash-5.2-1/files", "var/db/pkg/app-shells/bash-5.2/PF", "var/db/pkg/x/y/CPF",
		"var/lib/chisel/manifest.wall", "etc/cos-package-info.json", "snap/core/123/meta/snap.yaml", "snap/core/meta/snap.yaml",
		"var/lib/flatpak/app/org.x/x86_64/stable/hash/export/share/metainfo/org.x.metainfo.xml", "opt/x/.spack/spec.json", ".spack/spec.json",
		"ProgramData/chocolatey/lib/vscode/vscode.nuspec", "app/go.mod", "go.mod", "app/xgo.mod", "vendor/modules.txt", "a/vendor/modules.txt", "modules.txt",
		"app.jar", "APP.JAR", "a.war", "a.ear", "a.jmod", "a.par", "a.sar", "a.jpi", "a.hpi", "a.lpkg", "a.nar", "a.zip", "gradle.lockfile",
		"pom.xml", "buildscript-gradle.lockfile", "gradle/verification-metadata.xml", "verification-metadata.xml", "xgradle/verification-metadata.xml",
		"libs.versions.toml", "gradle/x.versions.toml", "x.versions.toml", "package.json", "a/node_modules/b/package.json", "xpackage.json",
		"package-lock.json", "npm-shrinkwrap.json", "a/node_modules/b/package-lock.json", "node_modules/b/yarn.lock", "yarn.lock",
		"pnpm-lock.yaml", "bun.lock", "resources/app.asar", "opt/App/resources/app.asar", "app.asar",
		"usr/lib/python3/dist-packages/x-1.egg-info", "x.egg-info/PKG-INFO", "EGG-INFO/PKG-INFO", "x.dist-info/METADATA", "x.whl", "x.egg", "METADATA",
		"requirements.txt", "dev-requirements.txt", "requirements/dev.txt", "requirements.in", "Pipfile.lock", "pdm.lock", "poetry.lock",
		"pylock.toml", "pylock.dev.toml", "xpylock.toml", "uv.lock", "Gemfile.lock", "gems.locked", "x.gemspec", "x.gem", "Cargo.lock",
		"x.deps.json", "packages.lock.json", "packages.config", "obj/project.assets.json", "x.csproj", "x.vbproj", "x.fsproj",
		"Directory.Packages.props", "Directory.Build.props", "paket.lock", "composer.lock", "conan.lock", "package_config.json", ".dart_tool/package_config.json",
		"pubspec.lock", "mix.lock", "cabal.project.freeze", "stack.yaml.lock", "Manifest.toml", "usr/lib/luarocks/rocks-5.3/x/1.0-1/x-1.0-1.rockspec",
		"x.rockspec", "root/.nimble/pkgs/x-1.0/x.nimble", "x.nimble", "root/.opam/default/.opam-switch/install", "root/.cpan/build/X/META.json",
		"root/.cpanm/work/X/META.yml", "META.yml", "renv.lock", "Package.resolved", "Podfile.lock", "usr/bin/bash", "etc/os-release",
		"opt/homebrew/Cellar/jq/1.7/INSTALL_RECEIPT.json", "nix/store/1ddf3x30m0z6kknmrmapsc7liz8npi1w-perl-5.38.2/bin/perl",
		"opt/conda/envs/x/conda-meta/a-1.json",
	}
}

// samplePaths adds those of real files.
func samplePaths(t *testing.T) []string {
	t.Helper()
	paths := listedPaths()
	if dir := filepath.Join("..", "..", "..", "shared", "corpus"); exists(dir) {
		for _, sub := range []string{"lockfiles", "os-db"} {
			root := filepath.Join(dir, sub)
			filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					rel, _ := filepath.Rel(root, p)
					paths = append(paths, filepath.ToSlash(rel))
				}
				return nil
			})
		}
	}
	return paths
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

func TestNamesAreUniqueAndAnalyzersSayWhatTheyNeed(t *testing.T) {
	analyzers, err := Analyzers(Options{Limits: limit.Limits{Nesting: 2}})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, a := range analyzers {
		i := a.Info()
		if i.Name == "" || names[i.Name] || i.Examines == "" || i.Name != strings.ToLower(i.Name) {
			t.Errorf("%+v", i)
		}
		names[i.Name] = true
		if an, ok := a.(core.Anchored); ok {
			for _, p := range an.Anchors() {
				if !fs.ValidPath(p) {
					t.Errorf("%s has the anchor %q", i.Name, p)
				}
			}
		}
	}
	for _, name := range []string{"requirements", "packagelockjson", "gomod", "gemspec", "pomxml", "rpm"} {
		if !slices.ContainsFunc(analyzers, func(a core.Analyzer) bool {
			_, ok := a.(core.Relater)
			return ok && strings.HasSuffix(a.Info().Name, name)
		}) {
			t.Errorf("%s names no related files", name)
		}
	}
}
