package inventory

import (
	"github.com/google/osv-scalibr/extractor/filesystem/language/cpp/conanlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dart/packageconfig"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dart/pubspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/csproj"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/nugetcpm"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packagesconfig"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packageslockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/paketlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/projectassetsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/elixir/mixlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gobinary"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gomod"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/vendormodules"
	"github.com/google/osv-scalibr/extractor/filesystem/language/haskell/cabal"
	"github.com/google/osv-scalibr/extractor/filesystem/language/haskell/stacklock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradlelockfile"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradleverificationmetadataxml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradleversioncatalog"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/pomxml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/bunlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/electronasar"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagejson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagelockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/pnpmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/yarnlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/julia/manifesttoml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/lua/luarocks"
	"github.com/google/osv-scalibr/extractor/filesystem/language/nim/nimble"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ocaml/opam"
	"github.com/google/osv-scalibr/extractor/filesystem/language/perl/cpan"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/condameta"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pdmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pipfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/poetrylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/uvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	"github.com/google/osv-scalibr/extractor/filesystem/language/r/renvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargoauditable"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargolock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/swift/packageresolved"
	"github.com/google/osv-scalibr/extractor/filesystem/language/swift/podfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/os/apk"
	"github.com/google/osv-scalibr/extractor/filesystem/os/chisel"
	"github.com/google/osv-scalibr/extractor/filesystem/os/chocolatey"
	"github.com/google/osv-scalibr/extractor/filesystem/os/cos"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	"github.com/google/osv-scalibr/extractor/filesystem/os/flatpak"
	"github.com/google/osv-scalibr/extractor/filesystem/os/homebrew"
	"github.com/google/osv-scalibr/extractor/filesystem/os/nix"
	"github.com/google/osv-scalibr/extractor/filesystem/os/pacman"
	"github.com/google/osv-scalibr/extractor/filesystem/os/portage"
	"github.com/google/osv-scalibr/extractor/filesystem/os/rpm"
	"github.com/google/osv-scalibr/extractor/filesystem/os/snap"
	"github.com/google/osv-scalibr/extractor/filesystem/os/spack"
)

// catalog is every extractor that runs. Those of osv-scalibr that do not, and why, are listed in the test beside it.
//
// Paths are those that the extractors' own FileRequired asks for, except where a comment says otherwise.
func catalog() []entry {
	return []entry{
		// Distributions.
		{
			name: dpkg.Name, make: dpkg.New,
			wants: isDpkgStatus, anchors: dpkgAnchors(),
			check: checkCost(ofPackages(isDpkgName)), examine: examineDpkg,
		},
		{
			name: apk.Name, make: apk.New,
			wants: at(apkDatabases()...), anchors: apkDatabases(),
			check: checkCost(ofPackages(isApkName)), examine: examineApk,
		},
		{
			name: rpm.Name, make: rpm.New,
			wants: at(rpmDatabases()...), anchors: rpmDatabases(), related: isRPMLog, examine: examineRPM,
		},
		{
			name: pacman.Name, make: pacman.New,
			wants: isPacmanEntry, manifest: true, anchors: []string{"var/lib/pacman/local"}, examine: examinePacman,
		},
		{
			name: portage.Name, make: portage.New,
			wants: isPortageEntry, manifest: true, anchors: []string{"var/db/pkg"}, examine: examinePortage,
		},
		{
			name: chisel.Name, make: chisel.New,
			wants: at("var/lib/chisel/manifest.wall"), anchors: []string{"var/lib/chisel/manifest.wall"},
		},
		{
			name: cos.Name, make: cos.New,
			wants: at("etc/cos-package-info.json"), anchors: []string{"etc/cos-package-info.json"},
			check: checkJSON(3, "installedPackages", "buildTimePackages", "category", "name", "version", "ebuild_version"),
		},

		// Other installers of system packages.
		{name: flatpak.Name, make: flatpak.New, wants: isFlatpak, manifest: true, check: checkCost(ofXML)},
		{name: snap.Name, make: snap.New, wants: isSnap, manifest: true, check: checkCost(ofYAML)},
		{name: homebrew.Name, make: homebrew.New, wants: isHomebrew},
		{name: nix.Name, make: nix.New, wants: isNixStore, unbounded: true, examine: examineNix},
		{
			name: spack.Name, make: spack.New,
			wants: suffixed("/.spack/spec.json"),
			check: checkJSON(4, "spec", "nodes", "name", "version", "hash"),
		},
		{name: chocolatey.Name, make: chocolatey.New, wants: isChocolatey, manifest: true, check: checkCost(ofXML)},

		// Go.
		{
			name: gobinary.Name, make: gobinary.New,
			wants: mayBeExecutable, sniff: isExecutable, unbounded: true,
			check: checkExecutable, examine: examineGoBinary,
		},
		{
			name: gomod.Name, make: gomod.New,
			wants: isGoMod, related: relatedNamed("go.sum"),
			check: checkCost(ofPackages(isFullLine)), examine: examineGoMod, graph: goGraph,
		},
		{
			name: vendormodules.Name, make: vendormodules.New,
			wants: suffixedOrAt("vendor/modules.txt"),
			check: checkCost(ofPackages(isVendorLine)), examine: orNothing(emptyVendor(), extractAll),
		},

		// Java.
		{name: archive.Name, make: archive.New, wants: isJavaArchive, unbounded: true, examine: examineJavaArchive},
		{
			name: gradlelockfile.Name, make: gradlelockfile.New,
			wants: named("buildscript-gradle.lockfile", "gradle.lockfile"),
			check: checkCost(ofPackages(isGradleLine)), examine: examineLines(isGradleLine), graph: gradleGraph,
		},
		{
			name: gradleverificationmetadataxml.Name, make: gradleverificationmetadataxml.New,
			wants: suffixedOrAt("gradle/verification-metadata.xml"), check: checkCost(ofXML),
		},
		{
			name: gradleversioncatalog.Name, make: gradleversioncatalog.New,
			wants: isVersionCatalog, check: checkTOML, examine: examineDeclared,
		},
		{
			name: pomxml.Name, make: pomxml.New,
			wants: namedOutside(".m2", "pom.xml"), related: relatedNamed("pom.xml"),
			check: checkCost(ofXML), examine: allDirect(examineDeclared),
		},

		// JavaScript.
		{
			name: packagejson.Name, make: packagejson.New,
			wants: named("package.json"), manifest: true, examine: examinePackageJSON,
		},
		{
			name: packagelockjson.Name, make: packagelockjson.New,
			wants:   namedOutside("node_modules", "package-lock.json", "npm-shrinkwrap.json"),
			related: relatedNamed("npm-shrinkwrap.json"), examine: examineNpmLock, graph: npmGraph,
			check: checkJSON(maxNesting, "lockfileVersion", "packages", "dependencies", "name", "version", "resolved", "link"),
		},
		{
			name: pnpmlock.Name, make: pnpmlock.New,
			wants: namedOutside("node_modules", "pnpm-lock.yaml"),
			check: checkCost(ofYAML), graph: pnpmGraph,
		},
		{
			name: yarnlock.Name, make: yarnlock.New,
			wants: namedOutside("node_modules", "yarn.lock"),
			check: checkCost(ofPackages(isFirstLine)), examine: examineYarnLock, graph: yarnGraph,
		},
		{
			name: bunlock.Name, make: bunlock.New,
			wants: namedOutside("node_modules", "bun.lock"), examine: examineSplit(bunLock()),
		},
		{name: electronasar.Name, make: electronasar.New, wants: isAsar, unbounded: true},

		// Python.
		{
			name: wheelegg.Name, make: wheelegg.New,
			wants:     suffixed("EGG-INFO/PKG-INFO", ".egg-info", ".egg-info/PKG-INFO", ".dist-info/METADATA", ".egg", ".whl"),
			unbounded: true, examine: examineWheel,
		},
		{
			name: condameta.Name, make: condameta.New,
			wants: isCondaMeta, examine: examineConda,
			check: checkJSON(1, "name", "version"),
		},
		{
			name: requirements.Name, make: requirements.New,
			wants: isRequirements, related: relatedSuffixed(".txt", ".in"),
			check: checkCost(ofPackages(isFirstLine)), examine: examineRequirements, graph: requirementsGraph,
		},
		{
			name: pipfilelock.Name, make: pipfilelock.New,
			wants: named("Pipfile.lock"), examine: examineSplit(pipfileLock()),
			check: checkJSON(3, "default", "develop", "version"),
		},
		{name: pdmlock.Name, make: pdmlock.New, wants: named("pdm.lock"), check: checkTOML},
		{name: poetrylock.Name, make: poetrylock.New, wants: named("poetry.lock"), check: checkTOML, graph: poetryGraph},
		{name: pylock.Name, make: pylock.New, wants: isPylock, check: checkTOML},
		{name: uvlock.Name, make: uvlock.New, wants: named("uv.lock"), check: checkTOML, graph: uvGraph},

		// Ruby, Rust, .NET, PHP.
		{
			name: gemfilelock.Name, make: gemfilelock.New,
			wants: named("Gemfile.lock", "gems.locked"),
			check: checkCost(ofPackages(isGemLine)), examine: orNothing(emptyBundler(), examineLines(isGemLine)), graph: gemGraph,
		},
		{
			name: gemspec.Name, make: gemspec.New,
			wants: suffixed(".gemspec"), manifest: true, related: relatedSuffixed("version.rb"), examine: examineGemspec,
		},
		{name: gem.Name, make: gem.New, wants: suffixed(".gem")},
		{name: cargolock.Name, make: cargolock.New, wants: named("Cargo.lock"), check: checkTOML, graph: cargoGraph},
		{
			name: cargoauditable.Name, make: cargoauditable.New,
			wants: mayBeExecutable, sniff: isExecutable, unbounded: true, examine: examineRustBinary,
		},
		{
			name: depsjson.Name, make: depsjson.New,
			wants: suffixed(".deps.json"), examine: examineDepsJSON,
			check: checkJSON(3, "runtimeTarget", "libraries", "type"),
		},
		{
			name: packageslockjson.Name, make: packageslockjson.New,
			wants: named("packages.lock.json"),
			check: checkJSON(4, "dependencies", "resolved", "type"), graph: nugetGraph,
		},
		{
			name: packagesconfig.Name, make: packagesconfig.New,
			wants: named("packages.config"),
			check: checkCost(ofXML),
		},
		{
			name: projectassetsjson.Name, make: projectassetsjson.New,
			wants: named("project.assets.json"), examine: examineProjectAssets,
			check: checkJSON(3, "targets", "libraries", "type"),
		},
		{
			name: csproj.Name, make: csproj.New,
			wants: suffixed(".csproj", ".vbproj", ".fsproj"), check: checkCost(ofXML), examine: examineDeclared,
		},
		{
			name: nugetcpm.Name, make: nugetcpm.New,
			wants: named("Directory.Packages.props", "Directory.Build.props"),
			check: checkCost(ofXML), examine: examineDeclared,
		},
		{
			name: paketlock.Name, make: paketlock.New,
			wants: named("paket.lock"),
			check: checkCost(ofPackages(isGemLine)), examine: orNothing(emptyPaket(), extractAll),
		},
		{
			name: composerlock.Name, make: composerlock.New,
			wants: named("composer.lock"), examine: examineSplit(composerLock()), graph: composerGraph,
			check: checkJSON(4, "packages", "packages-dev", "name", "version", "dist", "reference"),
		},

		// Other languages.
		{
			name: conanlock.Name, make: conanlock.New,
			wants: named("conan.lock"),
			check: checkJSON(4, "graph_lock", "nodes", "ref", "pref", "version", "requires", "build_requires", "python_requires"),
		},
		{
			name: packageconfig.Name, make: packageconfig.New,
			wants: named("package_config.json"), examine: examineResolved,
			check: checkJSON(3, "packages", "name", "rootUri"),
		},
		{name: pubspec.Name, make: pubspec.New, wants: named("pubspec.lock"), check: checkCost(ofYAML)},
		{
			name: mixlock.Name, make: mixlock.New,
			wants: named("mix.lock"),
			check: checkCost(ofPackages(isMixLine)), examine: orNothing(emptyMix(), examineLines(isMixLine)),
		},
		{
			name: cabal.Name, make: cabal.New,
			wants: named("cabal.project.freeze"),
			check: checkCost(ofPackages(isCabalLine)), examine: orNothing(emptyCabal(), examineLines(isCabalLine)),
		},
		{
			name: stacklock.Name, make: stacklock.New,
			wants: named("stack.yaml.lock"),
			check: checkCost(ofPackages(isFullLine)), examine: orNothing(emptyStack(), extractAll),
		},
		{
			name: manifesttoml.Name, make: manifesttoml.New,
			wants: named("Manifest.toml"), check: checkTOML, examine: examineJulia,
		},
		{name: luarocks.Name, make: luarocks.New, wants: isRockspec, manifest: true},
		{name: nimble.Name, make: nimble.New, wants: isNimble, manifest: true},
		{name: opam.Name, make: opam.New, wants: suffixedOrAt(".opam-switch/install"), manifest: true},
		{
			name: cpan.Name, make: cpan.New,
			wants: isCPAN, related: isCPANJSON, manifest: true,
			check: checkCost(ofYAML),
		},
		{
			name: renvlock.Name, make: renvlock.New,
			wants: named("renv.lock"), examine: examineRenv,
			check: checkJSON(3, "Packages", "Package", "Version", "Source", "Repository"),
		},
		{
			name: packageresolved.Name, make: packageresolved.New,
			wants: named("Package.resolved"), examine: examineSwift,
			check: checkJSON(5, "object", "pins", "package", "repositoryURL", "state", "version", "identity", "location"),
		},
		{name: podfilelock.Name, make: podfilelock.New, wants: named("Podfile.lock"), check: checkCost(ofYAML)},
	}
}
