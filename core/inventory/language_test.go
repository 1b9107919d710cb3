package inventory

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// TestFilesYieldPackages says for one file of each kind what comes of it.
func TestFilesYieldPackages(t *testing.T) {
	for _, c := range []struct {
		name  string
		files tree
		want  []string
	}{
		{"npm package", tree{"usr/lib/node_modules/@babel/core/package.json": []byte(`{"name":"@babel/core","version":"7.1.0","license":"MIT"}`)},
			[]string{"pkg:npm/%40babel/core@7.1.0"}},
		{"npm package with a byte order mark", tree{"node_modules/a/package.json": []byte("\xef\xbb\xbf{\"name\":\"a\",\"version\":\"1.0.0\"}")},
			[]string{"pkg:npm/a@1.0.0"}},
		{"old npm package with a list for an object", tree{"node_modules/a/package.json": []byte(`{"name":"a","version":"1.0.0","dependencies":[],"author":5}`)},
			[]string{"pkg:npm/a@1.0.0"}},
		{"broken fixture deep in a package", tree{"node_modules/resolve/test/malformed/package.json": []byte("{")}, nil},
		{"manifest without a version", tree{"srv/package.json": []byte(`{"name":"app","private":true}`)}, nil},
		{"npm lockfile", tree{"package-lock.json": []byte(`{"lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},
			"node_modules/a":{"version":"1.0.0","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz"},"node_modules/b":{"version":"2.0.0","dev":true},
			"packages/own":{"name":"own"},"node_modules/own":{"link":true,"resolved":"packages/own"}}}`)},
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"}},
		{"npm lockfile beside a shrinkwrap", tree{"package-lock.json": []byte(`{"packages":{"node_modules/a":{"version":"1.0.0"}}}`),
			"npm-shrinkwrap.json": []byte(`{"packages":{"node_modules/a":{"version":"1.0.1"}}}`)},
			[]string{"pkg:npm/a@1.0.1"}},
		{"package from a repository", tree{"package-lock.json": []byte(`{"packages":{"node_modules/a":{"version":"1.0.0",
			"resolved":"git+ssh://git@github.com/o/a.git#0123456789012345678901234567890123456789"}}}`)},
			[]string{"pkg:npm/a@1.0.0?vcs_url="}},
		{"Python distribution", tree{"usr/lib/python3/site-packages/PyYAML-6.0.dist-info/METADATA": []byte("Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\nLicense: MIT\n\ntext")},
			[]string{"pkg:pypi/pyyaml@6.0"}},
		{"conda package", tree{"opt/conda/conda-meta/openssl-3.0.8-0.json": []byte(`{"name":"openssl","version":"3.0.8"}`)},
			[]string{"pkg:conda/openssl@3.0.8"}},
		{"requirements", tree{"requirements.txt": []byte("flask==2.0.1\nrequests>=2.0\n-r more/base.txt\n"), "more/base.txt": []byte("six==1.16.0 --hash=sha256:aa\n")},
			[]string{"pkg:pypi/flask@2.0.1", "pkg:pypi/requests", "pkg:pypi/six@1.16.0"}},
		{"requirements in UTF-16", tree{"requirements.txt": []byte("\xff\xfef\x00=\x00=\x001\x00\n\x00")}, []string{"pkg:pypi/f@1"}},
		{"requirement that is installed", tree{"requirements.txt": []byte("PyYAML>=5\n"), "x/PyYAML-6.0.dist-info/METADATA": []byte("Name: PyYAML\nVersion: 6.0\n\n")},
			[]string{"pkg:pypi/pyyaml@6.0"}},
		{"Go module", tree{"go.mod": []byte("module m\n\ngo 1.22\n\nrequire (\n\tgolang.org/x/net v0.7.0\n\texample.org/local v1.0.0\n)\n\nreplace example.org/local => ./local\n")},
			[]string{"pkg:golang/golang.org/x/net@v0.7.0", "pkg:golang/stdlib@1.22"}},
		{"old Go module", tree{"go.mod": []byte("module m\n\ngo 1.16\n\nrequire golang.org/x/net v0.7.0\n"), "go.sum": []byte("golang.org/x/text v0.3.0 h1:x=\n")},
			[]string{"pkg:golang/golang.org/x/net@v0.7.0", "pkg:golang/golang.org/x/text@v0.3.0", "pkg:golang/stdlib@1.16"}},
		{"module cache", tree{"root/go/pkg/mod/example.org/a@v1.0.0/go.mod": []byte("module a\nrequire b.org/b v1.0.0\n")}, nil},
		{"Gemfile.lock with platforms", tree{"Gemfile.lock": []byte("GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.15.0-x86_64-linux)\n    rack (2.0.1)\n")},
			[]string{"pkg:gem/nokogiri@1.15.0", "pkg:gem/rack@2.0.1"}},
		{"installed gem", tree{"usr/lib/ruby/gems/3.1.0/specifications/rack-2.0.1.gemspec": []byte("Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.0.1\"\nend\n")},
			[]string{"pkg:gem/rack@2.0.1"}},
		{"gem whose version is elsewhere", tree{"gems/a/a.gemspec": []byte("require_relative 'lib/a/version'\nGem::Specification.new do |s|\n  s.name = 'a'\n  s.version = A::VERSION\nend\n"),
			"gems/a/lib/a/version.rb": []byte("module A\n  VERSION = '3.2.1'\nend\n")},
			[]string{"pkg:gem/a@3.2.1"}},
		{".NET program", tree{"app/a.deps.json": []byte(`{"runtimeTarget":{"name":"x"},"libraries":{"App/1.0.0":{"type":"project"},"Newtonsoft.Json/12.0.1":{"type":"package"},
			"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.0":{"type":"runtimepack"}}}`)},
			[]string{"pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@8.0.0", "pkg:nuget/Newtonsoft.Json@12.0.1"}},
		{"another program's deps.json", tree{"editor.deps.json": []byte(`["wp-blocks"]`), "b.deps.json": []byte(`{"x":1}`)}, nil},
		{"assets of a project", tree{"obj/project.assets.json": []byte(`{"targets":{"net8.0":{"A/1.0.0":{"type":"package","dependencies":{"B":"0.9.0"}}}},
			"libraries":{"A/1.0.0":{"type":"package"},"B/1.1.0":{"type":"package"}}}`)},
			[]string{"pkg:nuget/A@1.0.0", "pkg:nuget/B@1.1.0"}},
		{"MSBuild project", tree{"a.csproj": []byte(`<Project><ItemGroup><PackageReference Include="A" Version="1.2.3"/><PackageReference Include="B" Version="[1.0,2.0)"/></ItemGroup></Project>`)},
			[]string{"pkg:nuget/A@1.2.3", "pkg:nuget/B"}},
		{"Cargo.lock", tree{"Cargo.lock": []byte("version = 3\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.1\"\n")}, []string{"pkg:cargo/libc@0.2.1"}},
		{"composer.lock", tree{"composer.lock": []byte(`{"packages":[{"name":"a/b","version":"1.0.0"}],"packages-dev":[]}`)}, []string{"pkg:composer/a/b@1.0.0"}},
		{"mix.lock", tree{"mix.lock": []byte("%{\n  \"plug\": {:hex, :plug, \"1.0.0\", \"abc\", [:mix], [], \"hexpm\", \"def\"},\n}\n")}, []string{"pkg:hex/plug@1.0.0"}},
		{"first version of Package.resolved", tree{"Package.resolved": []byte(`{"object":{"pins":[{"package":"Nimble","repositoryURL":"https://github.com/Quick/Nimble.git","state":{"version":"9.2.1"}}]},"version":1}`)},
			[]string{"pkg:swift/github.com/Quick/Nimble@9.2.1"}},
		{"renv.lock", tree{"renv.lock": []byte(`{"Packages":{"a":{"Package":"a","Version":"1","Source":"Repository","Repository":"CRAN"},"b":{"Package":"b","Version":"2","Source":"Repository","Repository":"RSPM"}}}`)},
			[]string{"pkg:cran/a@1", "pkg:cran/b@2"}},
		{"Arch package", tree{"var/lib/pacman/local/bash-5.2-1/desc": []byte("%NAME%\nbash\n\n%VERSION%\n5.2-1\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL\n\n"), "etc/os-release": []byte("ID=arch\n")},
			[]string{"pkg:alpm/arch/bash@5.2-1?arch=x86_64"}},
		{"Gentoo package", tree{"var/db/pkg/app-shells/bash-5.2/PF": []byte("bash-5.2\n")}, []string{"pkg:ebuild/app-shells/bash@5.2"}},
		{"Nix packages", tree{"nix/store/1ddf3x30m0z6kknmrmapsc7liz8npi1w-perl-5.38.2/bin/perl": []byte("x"), "nix/store/1ddf3x30m0z6kknmrmapsc7liz8npi1w-perl-5.38.2/bin/ptar": []byte("x")},
			[]string{"pkg:nix/perl@5.38.2"}},
		{"opkg package", tree{"usr/lib/opkg/status": []byte("Package: busybox\nVersion: 1.36\nStatus: install ok installed\nArchitecture: x86_64\n")}, []string{"pkg:opkg/busybox@1.36?arch=x86_64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := drive(t, c.files).clean(t).evidence(1)
			got := purls(e.Packages)
			if len(got) == len(c.want) {
				for i := range got { // a wanted URL may end early, at an awkward qualifier
					if strings.HasSuffix(c.want[i], "=") && strings.HasPrefix(got[i], c.want[i]) {
						got[i] = c.want[i]
					}
				}
			}
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	for name, files := range map[string]tree{
		"installed npm package":    {"node_modules/a/package.json": []byte("{")},
		"JSON null":                {"bun.lock": []byte("null")},
		"renv null":                {"renv.lock": []byte("null")},
		"requirements elsewhere":   {"requirements.txt": []byte("-r base.txt\n")},
		"old Go without go.sum":    {"go.mod": []byte("module m\n\ngo 1.16\n\nrequire golang.org/x/net v0.7.0\n")},
		"distribution of no name":  {"a.dist-info/METADATA": []byte("Version: 1\n\n")},
		"installed gem of none":    {"specifications/a.gemspec": []byte("nothing")},
		"gradle line":              {"gradle.lockfile": []byte("a:b:1=x\nnonsense\nempty=\n")},
		"mix line":                 {"mix.lock": []byte("  \"a\": {:hex, nonsense},\n")},
		"Gemfile with a long line": {"Gemfile.lock": []byte("GEM\n  specs:\n    a (1)\n    " + strings.Repeat("b", 1<<17) + " (2)\n    c (3)\n")},
		"old Julia":                {"Manifest.toml": []byte("[[A]]\nversion = \"1.0\"\n")},
		"wheel that is none":       {"a.whl": []byte("nothing")},
		"big metadata":             {"a.dist-info/METADATA": bytes.Repeat([]byte("Name: a\n"), 2<<20)},
	} {
		if got := drive(t, files); len(got.problems) == 0 && len(got.failed) == 0 {
			t.Errorf("%s: nothing is said of it; packages: %v", name, purls(got.packages))
		}
	}
}

func TestDevelopmentPackagesSaySo(t *testing.T) {
	got := drive(t, tree{
		"package-lock.json": []byte(`{"packages":{"node_modules/a":{"version":"1.0.0","dev":true},"node_modules/b":{"version":"1.0.0","optional":true}}}`),
		"composer.lock":     []byte(`{"packages":[],"packages-dev":[{"name":"x/y","version":"1"}]}`),
	}).clean(t)
	scopes := make(map[string]core.Scope)
	for _, p := range got.packages {
		scopes[p.Name] = p.Scope
	}
	want := map[string]core.Scope{"a": core.ScopeDevelopment, "b": "", "x/y": core.ScopeDevelopment}
	if diff := cmp.Diff(want, scopes); diff != "" {
		t.Error(diff)
	}
}

func TestLicencesAreThoseThatPackagesDeclare(t *testing.T) {
	got := drive(t, tree{
		"node_modules/a/package.json": []byte(`{"name":"a","version":"1","licenses":[{"type":"MIT"},"ISC"]}`),
		"b.dist-info/METADATA":        []byte("Name: b\nVersion: 1\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n\n"),
		"c.dist-info/METADATA":        []byte("Name: c\nVersion: 1\nLicense-Expression: MIT OR Apache-2.0\nLicense: a text\n\n"),
	}).clean(t)
	want := map[string][]string{"a": {"MIT", "ISC"}, "b": {"BSD License"}, "c": {"MIT OR Apache-2.0"}}
	for _, p := range got.packages {
		if !slices.Equal(p.Licenses, want[p.Name]) {
			t.Errorf("%s: %q", p.Name, p.Licenses)
		}
	}
}

// goProgram builds the smallest program that uses a module: this test's own binary will do, and it is here.
func goProgram(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// counting counts the bytes that are read.
type counting struct {
	io.ReaderAt
	read int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.read += int64(n)
	return n, err
}

func TestGoProgramIsReadInPart(t *testing.T) {
	f, err := os.Open(goProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range analyzersNamed(t, "go/binary", "rust/cargoauditable") {
		if head := make([]byte, core.SniffLength); !a.Wants("app", info) || !sniffs(a, f, head) {
			t.Fatalf("%s does not want a program", a.Info().Name)
		}
		c := &counting{ReaderAt: f}
		found, err := a.Analyze(t.Context(), core.File{Path: "app", Info: info, Content: io.NewSectionReader(c, 0, info.Size())})
		if err != nil || len(found.Problems) > 0 {
			t.Fatal(err, found.Problems)
		}
		if c.read > info.Size()/4 {
			t.Errorf("%s read %d of %d bytes", a.Info().Name, c.read, info.Size())
		}
		if a.Info().Name != "go/binary" {
			continue
		}
		build, err := buildinfo.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if want := "pkg:golang/stdlib@" + strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go"); !slices.Contains(purls(found.Packages), want) {
			t.Errorf("%s is not among %v", want, purls(found.Packages))
		}
		if len(found.Packages) != len(build.Deps)+1 {
			t.Errorf("%d packages of %d modules and the standard library", len(found.Packages), len(build.Deps))
		}
	}
}

func sniffs(a core.Analyzer, r io.ReaderAt, head []byte) bool {
	n, _ := r.ReadAt(head, 0)
	s, ok := a.(core.Sniffer)
	return ok && s.Sniff("app", head[:n])
}

func analyzersNamed(t testing.TB, names ...string) []core.Analyzer {
	t.Helper()
	all, err := Analyzers(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(a core.Analyzer) bool { return !slices.Contains(names, a.Info().Name) })
}

// smallGoProgram builds a program without modules but its own.
func smallGoProgram(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build with")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {}\n")
	write(t, filepath.Join(dir, "go.mod"), "module example.org/small\n\ngo 1.24\n")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "small", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "small"))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestGoProgramIsReadWhateverTypeOfFileItCallsItself(t *testing.T) {
	program := smallGoProgram(t)
	for kind := range 5 { // none, relocatable, executable, shared, core
		program[16] = byte(kind)
		if got := drive(t, tree{"small": program}).clean(t); len(got.packages) != 1 {
			t.Errorf("as a file of type %d: %v", kind, purls(got.packages))
		}
	}
}

func TestGoProgramThatIsBrokenIsNamed(t *testing.T) {
	program := smallGoProgram(t)
	if got := drive(t, tree{"small": program}).clean(t); len(got.packages) != 1 {
		t.Errorf("whole: %v", purls(got.packages))
	}
	at := bytes.Index(program, []byte("\xff Go buildinf:"))
	if at < 0 {
		t.Fatal("no build information in the program")
	}
	copy(program[at:], "overwritten by a packer")
	if got := drive(t, tree{"small": program}); len(got.problems) == 0 {
		t.Errorf("nothing is said of it: %v", purls(got.packages))
	}
}

func TestGoProgramBehindAnotherHeaderIsNamed(t *testing.T) {
	program := smallGoProgram(t)
	portable := make([]byte, 512) // of no sections
	copy(portable, "MZ")
	copy(portable[0x3c:], "\x80")
	copy(portable[0x80:], "PE\x00\x00\x64\x86")
	for name, header := range map[string][]byte{"of a program": portable, "of DOS": append([]byte("MZ"), make([]byte, 510)...)} {
		if got := drive(t, tree{"app.exe": append(header, program...)}); len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, "a Go program is in it") {
			t.Errorf("%s: %v", name, got.problems)
		}
		drive(t, tree{"app.exe": append(header, make([]byte, minExecutable)...)})
	}
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSniffKnowsExecutables(t *testing.T) {
	pad := strings.Repeat("\x00", 32)
	for head, want := range map[string]bool{
		"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00" + pad: true, // shared object or PIE
		"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x01\x00" + pad: true, // object file
		"\x7fELF\x02\x02\x01" + strings.Repeat("\x00", 9) + "\x00\x02" + pad: true, // big-endian program
		"MZ" + pad:                               true,
		"\xcf\xfa\xed\xfe" + pad:                 true,
		"\xca\xfe\xba\xbe\x00\x00\x00\x02" + pad: true,  // Mach-O for two machines
		"\xca\xfe\xba\xbe\x00\x00\x00\x34" + pad: false, // Java class
		"#!/bin/sh\n" + pad:                      false,
		"\x7fELF":                                false,
	} {
		if got := isExecutable([]byte(head)); got != want {
			t.Errorf("%.8q: %v", head, got)
		}
	}
}

func TestFileAboveTheLimitIsNamed(t *testing.T) {
	got := driveWith(t, Options{Limits: limit.Limits{KeptSize: 10}}, tree{"var/lib/dpkg/status": []byte(dpkgStates)})
	var exceeded *limit.Exceeded
	if !errors.As(got.failed["var/lib/dpkg/status"], &exceeded) || exceeded.Limit != "kept-size" {
		t.Errorf("%v", got.failed)
	}
}
