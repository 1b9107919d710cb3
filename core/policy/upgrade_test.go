package policy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

// vulnerable is a critical flaw in a package, with the versions that fix it.
func vulnerable(id string, pkg core.Package, severity core.Severity, fixed ...string) core.Finding {
	return core.Finding{
		Fingerprint: id + "/" + pkg.Purl, Subject: pkg.Subject, Kind: core.KindVulnerability, Rule: id, Severity: severity,
		Match: core.MatchExact, Fix: core.Fix{State: core.FixAvailable, Versions: fixed, Version: fixed[0]},
		Package: &core.PackageRef{Name: pkg.Name, Version: pkg.Version, Purl: pkg.Purl, Ecosystem: pkg.Ecosystem},
	}
}

func in(ecosystem, name, version string) core.Package {
	return core.Package{
		Subject: image, Name: name, Version: version, Purl: "pkg:x/" + name + "@" + version, Ecosystem: ecosystem,
		Locations: []core.Location{{Path: "z/lock"}, {Path: "app/lock"}},
	}
}

func debian(name string, source *core.SourcePackage) core.Package {
	p := in("Debian:12", name, "3.0.11-1~deb12u2")
	p.Source = source
	p.Origin = &core.Origin{Layer: 2, CreatedBy: "RUN /bin/sh -c apt-get install -y openssl # buildkit"}
	return p
}

func TestUpgradesAreTheFewestAndTheSmallest(t *testing.T) {
	lodash := in("npm", "lodash", "4.17.1")
	source := &core.SourcePackage{Name: "openssl"}
	libssl, openssl := debian("libssl3", source), debian("openssl", source)
	tests := map[string]struct {
		packages []core.Package
		findings []core.Finding
		want     []core.Upgrade
	}{
		"none without a fix": {
			packages: []core.Package{lodash},
			findings: []core.Finding{flaw(all(kind(core.KindSecret), noFix))},
			want:     []core.Upgrade{},
		},
		"one for all flaws of a package, to the highest version that one of them needs": {
			packages: []core.Package{lodash},
			findings: []core.Finding{
				vulnerable("CVE-1", lodash, core.SeverityHigh, "4.17.9"), vulnerable("CVE-2", lodash, core.SeverityCritical, "4.17.21"),
				vulnerable("CVE-3", lodash, core.SeverityHigh, "4.17.11"),
			},
			want: []core.Upgrade{{
				Subject: image, Package: "lodash", Ecosystem: "npm", From: "4.17.1", To: "4.17.21", Packages: []string{lodash.Purl},
				Fixes:    []string{"CVE-1/" + lodash.Purl, "CVE-2/" + lodash.Purl, "CVE-3/" + lodash.Purl},
				Severity: core.SeverityCritical, Where: "app/lock", Command: "npm install lodash@4.17.21",
			}},
		},
		"flaws that are not refused do not raise it": {
			packages: []core.Package{lodash},
			findings: []core.Finding{vulnerable("CVE-1", lodash, core.SeverityHigh, "4.17.9"), vulnerable("CVE-2", lodash, core.SeverityLow, "5.0.0")},
			want: []core.Upgrade{{
				Subject: image, Package: "lodash", Ecosystem: "npm", From: "4.17.1", To: "4.17.9", Packages: []string{lodash.Purl},
				Fixes: []string{"CVE-1/" + lodash.Purl}, Severity: core.SeverityHigh, Where: "app/lock", Command: "npm install lodash@4.17.9",
			}},
		},
		"one for all binaries of a source package": {
			packages: []core.Package{openssl, libssl},
			findings: []core.Finding{
				vulnerable("CVE-1", openssl, core.SeverityHigh, "3.0.13-1~deb12u1"), vulnerable("CVE-1", libssl, core.SeverityHigh, "3.0.13-1~deb12u1"),
				vulnerable("CVE-2", libssl, core.SeverityCritical, "3.0.14-1~deb12u2"),
			},
			want: []core.Upgrade{{
				Subject: image, Package: "openssl", Ecosystem: "Debian:12", From: "3.0.11-1~deb12u2", To: "3.0.14-1~deb12u2",
				Packages: []string{libssl.Purl, openssl.Purl},
				Fixes:    []string{"CVE-1/" + libssl.Purl, "CVE-1/" + openssl.Purl, "CVE-2/" + libssl.Purl},
				Severity: core.SeverityCritical, Where: "layer 2: RUN apt-get install -y openssl",
				Command: "apt-get update && apt-get install --only-upgrade -y libssl3 openssl",
			}},
		},
		"of a package that is not in the evidence": {
			findings: []core.Finding{vulnerable("CVE-1", lodash, core.SeverityHigh, "4.17.9")},
			want: []core.Upgrade{{
				Subject: image, Package: "lodash", Ecosystem: "npm", From: "4.17.1", To: "4.17.9", Packages: []string{lodash.Purl},
				Fixes: []string{"CVE-1/" + lodash.Purl}, Severity: core.SeverityHigh, Command: "npm install lodash@4.17.9",
			}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := evidence()
			e.Packages, e.Findings = tt.packages, tt.findings
			if diff := cmp.Diff(tt.want, standard(t).Judge(&e, nil, now).Upgrades); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Two versions of a package have one fingerprint.
func TestAnUpgradeOfOneVersionDoesNotPromiseTheOther(t *testing.T) {
	upgradable, stuck := in("npm", "lodash", "4.17.1"), in("npm", "lodash", "3.0.0")
	one, other := vulnerable("CVE-1", upgradable, core.SeverityHigh, "4.17.9"), vulnerable("CVE-1", stuck, core.SeverityHigh, "0")
	other.Fix, other.Fingerprint = core.Fix{State: core.FixNone}, one.Fingerprint
	e := evidence()
	e.Packages, e.Findings = []core.Package{upgradable, stuck}, []core.Finding{one, other}
	v := profile(t, "strict").Judge(&e, nil, now)
	if a := v.AfterUpgrades; len(v.Refusals) != 2 || a == nil || a.Refusals != 1 || a.Decision != core.Refused {
		t.Errorf("of %d refusals remain %+v", len(v.Refusals), a)
	}
	// The standard profile only warns of what has no fix.
	if v := standard(t).Judge(&e, nil, now); len(v.Refusals) != 1 || v.AfterUpgrades.Refusals != 0 {
		t.Errorf("of %d refusals remain %+v", len(v.Refusals), v.AfterUpgrades)
	}
}

func TestTheTargetFixesEveryFlaw(t *testing.T) {
	tests := map[string]struct {
		ecosystem, from string
		fixes           [][]string
		want            string
	}{
		"numbers, not text":              {"npm", "1.9.0", [][]string{{"1.9.9"}, {"1.10.0"}}, "1.10.0"},
		"the branch in use":              {"Go", "1.21.1", [][]string{{"1.21.5", "1.22.1"}}, "1.21.5"},
		"the branch in use, for all":     {"Go", "1.21.1", [][]string{{"1.21.5", "1.22.1"}, {"1.21.7", "1.22.0"}}, "1.21.7"},
		"not into an unfixed branch":     {"npm", "1.2.0", [][]string{{"1.2.5", "2.0.4"}, {"2.0.1"}}, "2.0.4"},
		"the last fix is for all after":  {"npm", "1.2.0", [][]string{{"1.2.5"}, {"3.0.0"}}, "3.0.0"},
		"a pre-release is before":        {"npm", "1.0.0", [][]string{{"2.0.0-rc.1"}, {"2.0.0"}}, "2.0.0"},
		"Debian's tilde is before":       {"Debian:12", "1.0-1", [][]string{{"1.2-1~deb12u1"}, {"1.2-1"}}, "1.2-1"},
		"Debian's epoch is first":        {"Debian:12", "1:1.0-1", [][]string{{"1:1.1-1"}, {"1:1.0-2"}}, "1:1.1-1"},
		"Alpine's revision":              {"Alpine:v3.20", "3.1.4-r0", [][]string{{"3.1.4-r10"}, {"3.1.4-r9"}}, "3.1.4-r10"},
		"Maven's qualifiers":             {"Maven", "2.0", [][]string{{"2.17.1"}, {"2.17.0-alpha"}}, "2.17.1"},
		"an unknown ecosystem":           {"nowhere", "1.9", [][]string{{"1.9.9"}, {"1.10"}}, "1.10"},
		"versions that do not parse":     {"Debian:12", "x", [][]string{{"!!!"}}, "!!!"},
		"a fix below what is there":      {"npm", "2.0.0", [][]string{{"1.5.0", "2.0.7"}}, "2.0.7"},
		"only fixes below what is there": {"npm", "2.0.0", [][]string{{"1.5.0"}}, "1.5.0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := in(tt.ecosystem, "p", tt.from)
			e := evidence()
			e.Packages = []core.Package{p}
			for i, fixed := range tt.fixes {
				e.Findings = append(e.Findings, vulnerable("CVE-"+string(rune('a'+i)), p, core.SeverityCritical, fixed...))
			}
			upgrades := standard(t).Judge(&e, nil, now).Upgrades
			if len(upgrades) != 1 || upgrades[0].To != tt.want {
				t.Errorf("upgrades %+v, want one to %s", upgrades, tt.want)
			}
		})
	}
}

func commandOf(t *testing.T, ecosystem, name, from, to string) string {
	t.Helper()
	p := in(ecosystem, name, from)
	e := evidence()
	e.Packages = []core.Package{p}
	e.Findings = []core.Finding{vulnerable("CVE-1", p, core.SeverityCritical, to)}
	upgrades := standard(t).Judge(&e, nil, now).Upgrades
	if len(upgrades) != 1 {
		t.Fatalf("upgrades %+v", upgrades)
	}
	return upgrades[0].Command
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ ecosystem, name, to, want string }{
		{"Debian:12", "libc6", "2.36-9+deb12u7", "apt-get update && apt-get install --only-upgrade -y libc6"},
		{"Ubuntu:22.04:LTS", "libstdc++6", "12.3", "apt-get update && apt-get install --only-upgrade -y libstdc++6"},
		{"Alpine:v3.20", "libcrypto3", "3.3.1-r1", "apk add 'libcrypto3>=3.3.1-r1'"},
		{"Wolfi", "busybox", "1.36.1-r9", "apk add 'busybox>=1.36.1-r9'"},
		{"Red Hat:enterprise_linux:9::baseos", "openssl-libs", "1:3.0.7-27.el9", "dnf upgrade -y openssl-libs"},
		{"Rocky Linux:9", "curl", "7.76", "dnf upgrade -y curl"},
		{"SUSE:Linux Enterprise Server 15", "curl", "8.0", "zypper update -y curl"},
		{"Azure Linux:3", "curl", "8.0", "tdnf update -y curl"},
		{"BellSoft Hardened Containers:23", "curl", "8.0-r1", "apk add 'curl>=8.0-r1'"},
		{"Docker Hardened Images:Debian:13", "curl", "8.0", ""},
		{"Go", "golang.org/x/net", "0.23.0", "go get golang.org/x/net@v0.23.0"},
		{"Go", "stdlib", "1.22.5", "go get toolchain@go1.22.5"},
		{"npm", "@babel/traverse", "7.23.2", "npm install @babel/traverse@7.23.2"},
		{"PyPI", "jinja2", "3.1.4", "pip install 'jinja2>=3.1.4'"},
		{"crates.io", "time", "0.2.23", "cargo update -p time@1.0 --precise 0.2.23"},
		{"RubyGems", "rack", "3.0.9.1", "bundle update --conservative rack"},
		{"Packagist", "symfony/http-kernel", "5.4.20", "composer update symfony/http-kernel --with symfony/http-kernel:^5.4.20"},
		{"NuGet", "System.Text.Json", "8.0.5", "dotnet add package System.Text.Json --version 8.0.5"},
		{"Maven", "org.apache.logging.log4j:log4j-core", "2.17.1", ""},
		{"", "thing", "2", ""},
	} {
		if got := commandOf(t, tt.ecosystem, tt.name, "1.0", tt.to); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.ecosystem, tt.name, got, tt.want)
		}
	}
}

// Names come from images that strangers made; a person pastes the command.
func TestHostileNamesMakeNoCommand(t *testing.T) {
	hostile := []string{
		"a; rm -rf /", "$(id)", "`id`", "a b", "-y", "--allow-unauthenticated", "a'b", `a"b`, "a\nb", "a|b", "a&b", "a>b", "a*", "~/x", "",
		"../x", "/etc/passwd", "a//b", "https://evil.example/x.whl", "x@evil", "@/x", "@a/b/c", "é", "a\x00b", strings.Repeat("a", 300), "#x", "!x",
		"=x", "a\\b", "{a,b}", "git+https://x",
	}
	for _, ecosystem := range []string{"Debian:12", "Alpine:v3.20", "Rocky Linux:9", "openSUSE:x", "Go", "npm", "PyPI", "crates.io",
		"RubyGems", "Packagist", "NuGet"} {
		for _, name := range hostile {
			if got := commandOf(t, ecosystem, name, "1.0", "2.0"); got != "" {
				t.Errorf("%s package %q: %q", ecosystem, name, got)
			}
			switch ecosystem {
			case "crates.io":
				if got := commandOf(t, ecosystem, "p", name, "2.0"); got != "" {
					t.Errorf("%s version %q: %q", ecosystem, name, got)
				}
				fallthrough
			default:
				if got := commandOf(t, ecosystem, "p", "1.0", name); got != "" && name != "" {
					t.Errorf("%s fix %q: %q", ecosystem, name, got)
				}
			}
		}
	}
}

// A shell sees every command as it was meant: nothing is expanded, redirected or run besides.
func TestAShellReadsCommandsAsWords(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to ask")
	}
	for _, tt := range []struct{ ecosystem, name, to, want string }{
		{"Alpine:v3.20", "libcrypto3", "3.3.1-r1", "<apk><add><libcrypto3>=3.3.1-r1>"},
		{"PyPI", "jinja2", "3.1.4", "<pip><install><jinja2>=3.1.4>"},
		{"Packagist", "symfony/http-kernel", "5.4.20", "<composer><update><symfony/http-kernel><--with><symfony/http-kernel:^5.4.20>"},
		{"npm", "@babel/traverse", "7.23.2", "<npm><install><@babel/traverse@7.23.2>"},
	} {
		out, err := exec.Command(shell, "-c", "printf '<%s>' "+commandOf(t, tt.ecosystem, tt.name, "1.0", tt.to)).CombinedOutput()
		if err != nil || string(out) != tt.want {
			t.Errorf("sh reads %s, want %s (%v)", out, tt.want, err)
		}
	}
}

func TestCommandsSpeakToTheToolOfTheLockfile(t *testing.T) {
	for _, tt := range []struct {
		file, ecosystem, name string
		relation              core.Relation
		want                  string
	}{
		{"package-lock.json", "npm", "lodash", core.RelationDirect, "npm install lodash@2.0"},
		{"web/package-lock.json", "npm", "lodash.merge", core.RelationTransitive, "npm pkg set 'overrides[lodash.merge]=2.0' && npm install"},
		{"yarn.lock", "npm", "@babel/traverse", "", "yarn add @babel/traverse@2.0"},
		{"yarn.lock", "npm", "@babel/traverse", core.RelationTransitive, "npm pkg set 'resolutions[@babel/traverse]=2.0' && yarn install"},
		{"pnpm-lock.yaml", "npm", "ws", core.RelationDirect, "pnpm add ws@2.0"},
		{"pnpm-lock.yaml", "npm", "ws", core.RelationTransitive, "npm pkg set 'pnpm.overrides[ws]=2.0' && pnpm install"},
		{"bun.lock", "npm", "ws", "", "bun add ws@2.0"},
		{"bun.lock", "npm", "ws", core.RelationTransitive, "npm pkg set 'overrides[ws]=2.0' && bun install"},
		{"requirements.txt", "PyPI", "jinja2", "", "pip install 'jinja2>=2.0'"},
		{"poetry.lock", "PyPI", "jinja2", core.RelationDirect, "poetry add 'jinja2>=2.0'"},
		{"poetry.lock", "PyPI", "jinja2", core.RelationTransitive, "poetry update jinja2"},
		{"uv.lock", "PyPI", "jinja2", core.RelationTransitive, "uv lock --upgrade-package 'jinja2==2.0'"},
		{"Pipfile.lock", "PyPI", "jinja2", "", "pipenv upgrade 'jinja2>=2.0'"},
		{"Pipfile.lock", "PyPI", "jinja2", core.RelationTransitive, "pipenv upgrade --lock-only 'jinja2>=2.0'"},
		{"pdm.lock", "PyPI", "jinja2", "", "pdm update jinja2"},
		{"Cargo.lock", "crates.io", "time", core.RelationTransitive, "cargo update -p time@1.0 --precise 2.0"},
		{"pom.xml", "Maven", "org.x:y", core.RelationDirect, "mvn versions:use-dep-version -Dincludes=org.x:y -DdepVersion=2.0"},
		{"pom.xml", "Maven", "org.x:y", core.RelationTransitive, ""},
		{"gradle.lockfile", "Maven", "org.x:y", "", "gradle dependencies --update-locks org.x:y"},
		{"app.jar", "Maven", "org.x:y", "", ""},
		{"pom.xml", "Maven", "org.x:y;id", "", ""},
		{"packages.config", "NuGet", "Newtonsoft.Json", "", "nuget update packages.config -Id Newtonsoft.Json -Version 2.0"},
		{"app.csproj", "NuGet", "Newtonsoft.Json", "", "dotnet add package Newtonsoft.Json --version 2.0"},
	} {
		p := in(tt.ecosystem, tt.name, "1.0")
		p.Locations, p.Relation = []core.Location{{Path: tt.file}}, tt.relation
		if u := upgradeOf(t, p, "2.0"); u.Command != tt.want {
			t.Errorf("%s in %s: %q, want %q", tt.name, tt.file, u.Command, tt.want)
		}
	}
}

func upgradeOf(t *testing.T, p core.Package, to string) core.Upgrade {
	t.Helper()
	e := evidence()
	e.Packages = []core.Package{p}
	e.Findings = []core.Finding{vulnerable("CVE-1", p, core.SeverityCritical, to)}
	upgrades := standard(t).Judge(&e, nil, now).Upgrades
	if len(upgrades) != 1 {
		t.Fatalf("upgrades %+v", upgrades)
	}
	return upgrades[0]
}

// Names and lines are hostile; whoever applies the patch must get one line for one line.
func TestAPatchChangesOnlyTheVersion(t *testing.T) {
	at := func(path, text string) core.Location { return core.Location{Path: path, Line: 3, Text: text} }
	for _, tt := range []struct {
		name  string
		lines []core.Location
		want  string
	}{
		{"a requirement", []core.Location{at("app/requirements.txt", "Jinja2[i18n] == 1.0  # why")},
			"--- a/app/requirements.txt\n+++ b/app/requirements.txt\n@@ -3 +3 @@\n-Jinja2[i18n] == 1.0  # why\n+Jinja2[i18n] == 2.0  # why\n"},
		{"an element", []core.Location{at("pom.xml", "\t  <version>1.0</version>")},
			"--- a/pom.xml\n+++ b/pom.xml\n@@ -3 +3 @@\n-\t  <version>1.0</version>\n+\t  <version>2.0</version>\n"},
		{"two files", []core.Location{at("b.txt", "x==1.0"), at("a.txt", "x==1.0")},
			"--- a/a.txt\n+++ b/a.txt\n@@ -3 +3 @@\n-x==1.0\n+x==2.0\n--- a/b.txt\n+++ b/b.txt\n@@ -3 +3 @@\n-x==1.0\n+x==2.0\n"},
		{"no line", []core.Location{{Path: "a.txt", Line: 3}}, ""},
		{"no number", []core.Location{{Path: "a.txt", Text: "x==1.0"}}, ""},
		{"twice the version", []core.Location{at("a.txt", "x==1.0 # not 1.0")}, ""},
		{"a longer version", []core.Location{at("a.txt", "x==11.0")}, ""},
		{"a longer version behind", []core.Location{at("a.txt", "x==1.0.1")}, ""},
		{"another version", []core.Location{at("a.txt", "x==3.0")}, ""},
		{"hashes", []core.Location{at("a.txt", "x==1.0 --hash=sha256:abc")}, ""},
		{"a line that goes on", []core.Location{at("a.txt", "x==1.0 \\")}, ""},
		{"a second line", []core.Location{at("a.txt", "x==1.0\n+++ b/evil\n")}, ""},
		{"a hostile path", []core.Location{at("../a.txt", "x==1.0")}, ""},
		{"a path with a line", []core.Location{at("a\n+++ b/evil", "x==1.0")}, ""},
		{"half of it", []core.Location{at("a.txt", "x==1.0"), at("b.txt", "x==1.0 1.0")}, ""},
	} {
		p := in("PyPI", "jinja2", "1.0")
		p.Locations = tt.lines
		if u := upgradeOf(t, p, "2.0"); u.Patch != tt.want {
			t.Errorf("%s:\n%swant:\n%s", tt.name, u.Patch, tt.want)
		}
	}
}

func TestGitAppliesPatches(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git to ask")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(file, []byte("# what we need\nflask==2.0\njinja2==1.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := in("PyPI", "jinja2", "1.0")
	p.Locations = []core.Location{{Path: "requirements.txt", Line: 3, Text: "jinja2==1.0"}}
	apply := exec.Command(git, "apply", "--unidiff-zero", "-")
	apply.Dir, apply.Stdin = dir, strings.NewReader(upgradeOf(t, p, "3.1.4").Patch)
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, _ := os.ReadFile(file); string(got) != "# what we need\nflask==2.0\njinja2==3.1.4\n" {
		t.Errorf("the file is now\n%s", got)
	}
}

func TestABaseThatBringsThePackageIsNamed(t *testing.T) {
	digest := core.Digest("sha256:" + strings.Repeat("d", 64))
	for _, tt := range []struct {
		name  string
		base  *core.BaseImage
		layer int
		want  string
	}{
		{"its first layer", &core.BaseImage{Name: "debian:12"}, 0, "debian:12"},
		{"with its digest", &core.BaseImage{Name: "debian:12", Digest: digest}, 0, "debian:12@" + string(digest)},
		{"a layer that may be the image's own", &core.BaseImage{Name: "debian:12"}, 1, ""},
		{"a layer that is the base's", &core.BaseImage{Name: "python:3", Layers: 4}, 3, "python:3"},
		{"a layer on top", &core.BaseImage{Name: "python:3", Layers: 4}, 4, ""},
		{"no base", nil, 0, ""},
	} {
		p := debian("openssl", nil)
		p.Origin.Layer = tt.layer
		e := evidence()
		e.Images[0].Base = tt.base
		e.Packages = []core.Package{p}
		e.Findings = []core.Finding{vulnerable("CVE-1", p, core.SeverityCritical, "4.0-1")}
		if u := standard(t).Judge(&e, nil, now).Upgrades; len(u) != 1 || u[0].Base != tt.want {
			t.Errorf("%s: %+v, want %q", tt.name, u, tt.want)
		}
	}
}
