package version

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	modsemver "golang.org/x/mod/semver"
)

// refused is what a tool says of a pair of which one is no version to it.
const refused = 2

// Each tool answers each pair as Compare does, or with refused. It skips the test if it is not installed.
type tool func(t *testing.T, pairs [][2]string) []int

// trial is an order and the tool that it is held to.
type trial struct {
	ecosystem string
	ask       tool
	versions  []string
	alphabet  string // of small changes
	pairs     int
	// except, if set, tells why a disagreement about a pair does not matter; it is empty for one that does.
	except func(a, b string) string
}

// agree holds an order to a tool, on the versions and on others that are like them. What the tool takes must be what
// may be installed.
func agree(t *testing.T, c trial) {
	t.Helper()
	order, ok := For(c.ecosystem)
	if !ok {
		t.Fatalf("%s has no order", c.ecosystem)
	}
	pairs := pairsOf(order, c.versions, strings.Fields(c.alphabet), c.pairs)
	answers := c.ask(t, pairs)
	if len(answers) != len(pairs) {
		t.Fatalf("%d answers to %d questions", len(answers), len(pairs))
	}
	taken, excepted := 0, map[string]int{}
	for i, p := range pairs {
		if answers[i] == refused {
			continue
		}
		taken++
		got, err := compareInstalled(order, p[0], p[1])
		if err == nil && got == answers[i] {
			continue
		}
		if c.except != nil {
			if reason := c.except(p[0], p[1]); reason != "" {
				excepted[reason]++
				continue
			}
		}
		t.Errorf("compare %q with %q: got %d (%v), the tool says %d", p[0], p[1], got, err, answers[i])
	}
	if taken < len(pairs)/5 {
		t.Errorf("the tool took only %d of %d pairs", taken, len(pairs))
	}
	t.Logf("%d of %d pairs of %d versions taken, excepted: %v", taken, len(pairs), len(c.versions), excepted)
}

// pairsOf makes n pairs: half of them neighbours in the order, so that a tool that orders too must agree about all
// versions, the rest versions and what they become by small changes.
func pairsOf(order Order, versions, alphabet []string, n int) [][2]string {
	r := rand.New(rand.NewPCG(1, 2))
	versions = slices.Clone(versions)
	r.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
	unchanged := versions[:min(len(versions), n)]
	versions = slices.Clone(unchanged)
	for want := max(n/2, len(versions)*3/2); len(versions) < want; {
		versions = append(versions, mutate(r, unchanged[r.IntN(len(unchanged))], alphabet))
	}
	versions = slices.DeleteFunc(versions, func(s string) bool { return !oneWord(s) })
	pairs := neighbours(order, versions, n/2)
	for len(pairs) < n {
		a := versions[r.IntN(len(versions))]
		b := mutate(r, a, alphabet)
		if r.IntN(4) == 0 {
			b = versions[r.IntN(len(versions))]
		}
		if oneWord(b) {
			pairs = append(pairs, [2]string{a, b})
		}
	}
	return pairs
}

// neighbours sorts what is a version, and makes about n pairs of the result.
func neighbours(order Order, versions []string, n int) [][2]string {
	var known []Version
	for _, s := range versions {
		if v, err := order.Parse(s); err == nil {
			known = append(known, v)
		}
	}
	slices.SortFunc(known, func(a, b Version) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.text, b.text))
	})
	var pairs [][2]string
	step := max(1, len(known)/n)
	for i := step; i < len(known); i += step {
		pairs = append(pairs, [2]string{known[i-1].text, known[i].text})
	}
	return pairs
}

// oneWord leaves out what cannot be handed to a tool.
func oneWord(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\n") && s[0] != '-' }

// mutate changes a version in one to three places.
func mutate(r *rand.Rand, s string, alphabet []string) string {
	for range 1 + r.IntN(3) {
		i := r.IntN(len(s) + 1)
		part := alphabet[r.IntN(len(alphabet))]
		switch r.IntN(5) {
		case 0, 1:
			s = s[:i] + part + s[i:]
		case 2:
			s = s[:i] + s[min(len(s), i+1):]
		case 3:
			s = s[:i] + part + s[min(len(s), i+1):]
		case 4:
			s = s[:i] + part
		}
	}
	return s
}

// batch asks a program once, with a pair in each line, and reads a number from each line.
func batch(name string, args ...string) tool {
	return func(t *testing.T, pairs [][2]string) []int {
		t.Helper()
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not installed", name)
		}
		var in strings.Builder
		for _, p := range pairs {
			fmt.Fprintf(&in, "%s\t%s\n", p[0], p[1])
		}
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Stdin = strings.NewReader(in.String())
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, stderr.String())
		}
		var answers []int
		for field := range strings.FieldsSeq(string(out)) {
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			answers = append(answers, n)
		}
		return answers
	}
}

// needs runs a command that fails where something is not installed.
func needs(t *testing.T, what, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Skipf("%s is not installed: %v %s", what, err, out)
	}
}

// each asks a program for every pair, several at a time.
func each(t *testing.T, pairs [][2]string, ask func(a, b string) int) []int {
	t.Helper()
	answers := make([]int, len(pairs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				answers[i] = ask(pairs[i][0], pairs[i][1])
			}
		})
	}
	for i := range pairs {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers
}

func TestDebianOrderIsDpkgs(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("dpkg is not installed")
	}
	ask := func(t *testing.T, pairs [][2]string) []int {
		return each(t, pairs, func(a, b string) int {
			is := func(op string) bool {
				out, err := exec.CommandContext(t.Context(), dpkg, "--compare-versions", a, op, b).CombinedOutput()
				return err == nil && len(out) == 0
			}
			switch {
			case is("lt"):
				return -1
			case is("eq"):
				return 0
			case is("gt"):
				return 1
			}
			return refused
		})
	}
	versions := slices.Concat(advised(t, "Debian"), advised(t, "Ubuntu"), installed(t, "Version: ", "status"))
	agree(t, trial{ecosystem: "Debian:12", ask: ask, versions: versions, pairs: 2000,
		alphabet: ". - + ~ a b Z rc 0 00 1 2 10 01 -1 1: .a ~rc1 +b1",
		except: func(a, b string) string {
			if oddEpoch.MatchString(a) || oddEpoch.MatchString(b) {
				return "a colon after the epoch, or a sign before it, which no package has"
			}
			return ""
		}})
}

var oddEpoch = regexp.MustCompile(`:.*:|^[+-].*:`)

func TestRPMOrderIsRPMs(t *testing.T) {
	agree(t, trial{ecosystem: "AlmaLinux:9", ask: askRPM, versions: advised(t, "AlmaLinux"), pairs: 20000,
		alphabet: ". _ + ~ ^ a b rc 0 00 1 2 10 01 el9 1: .a ~rc1 ^git1"})
}

// rpmForm is what rpmbuild allows. Of anything else rpm's answer is by chance.
var rpmForm = regexp.MustCompile(`^([0-9]+:)?[^-:]*[0-9A-Za-z][^-:]*-[^-:]+$`)

func askRPM(t *testing.T, pairs [][2]string) []int {
	file := filepath.Join(t.TempDir(), "pairs")
	var in strings.Builder
	for _, p := range pairs {
		if !rpmForm.MatchString(p[0]) || !rpmForm.MatchString(p[1]) {
			p = [2]string{"", ""}
		}
		fmt.Fprintf(&in, "%s\t%s\n", p[0], p[1])
	}
	if err := os.WriteFile(file, []byte(in.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return batch("rpm", "--eval", `%{lua:
		for line in io.lines("`+file+`") do
			local a, b = string.match(line, "^(.-)\t(.*)$")
			local ok, n = pcall(rpm.vercmp, a, b)
			if not ok or a == "" then n = 2 end
			print(n .. "\n")
		end
	}`)(t, nil)
}

func TestAlpineOrderIsApks(t *testing.T) {
	apk := apkTool(t)
	ask := func(t *testing.T, pairs [][2]string) []int {
		// apk compares what is no version too, as far as it goes.
		var all []string
		for _, p := range pairs {
			all = append(all, p[0], p[1])
		}
		bad := map[string]bool{}
		for chunk := range slices.Chunk(all, 2000) {
			out, _ := apk(append([]string{"--check", "--"}, chunk...)...) // fails if one is no version
			for line := range strings.FieldsSeq(out) {
				bad[line] = true
			}
		}
		return each(t, pairs, func(a, b string) int {
			if bad[a] || bad[b] {
				return refused
			}
			out, err := apk("--test", "--", a, b)
			if err != nil {
				t.Error(err)
			}
			return strings.Index("<=>", strings.TrimSpace(out)) - 1
		})
	}
	agree(t, trial{ecosystem: "Alpine:v3.20", ask: ask, pairs: 2000,
		versions: slices.Concat(advised(t, "Alpine"), installed(t, "V:", "installed")),
		alphabet: ". _p _rc _alpha _beta _git _pre a b 0 00 1 2 10 01 -r1 -r0 ~ab .0 .01 _p1",
		except: func(a, b string) string {
			if apk3Refuses.MatchString(a) || apk3Refuses.MatchString(b) {
				return "no number, no suffix, or two releases: apk 3 refuses them, and no package has them"
			}
			if zeros.MatchString(a) || zeros.MatchString(b) {
				return "leading zeros: 2.018 is after 2.05 to apk 2, and before it to apk 3"
			}
			return ""
		}})
}

var (
	apk3Refuses = regexp.MustCompile(`^[^0-9]|\.($|[^0-9])|-r($|[^0-9])|-r.*-r|_($|[^a-z])`)
	zeros       = regexp.MustCompile(`\.0[0-9]`)
)

// apkTool runs the apk of a real Alpine with that system's own loader.
func apkTool(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	rootfs, ok := shared(t, "rootfs/alpine-minirootfs-20240923-x86_64.tar.gz")
	if !ok {
		t.Skip("there is no Alpine to take apk from")
	}
	untar(t, rootfs, dir, "lib/", "usr/lib/", "sbin/apk")
	lib := func(name string) string { return filepath.Join(dir, "lib", name) }
	run := func(args ...string) (string, error) {
		args = append([]string{"--library-path", lib("") + ":" + filepath.Join(dir, "usr/lib"),
			filepath.Join(dir, "sbin/apk"), "version"}, args...)
		out, err := exec.CommandContext(t.Context(), lib("ld-musl-x86_64.so.1"), args...).Output()
		return string(out), err
	}
	if out, err := run("--test", "1", "2"); err != nil || strings.TrimSpace(out) != "<" {
		t.Skipf("apk does not run here: %v %s", err, out)
	}
	return run
}

// untar unpacks the files below the prefixes.
func untar(t *testing.T, archive, dir string, prefixes ...string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		if err := unpack(root, name, h, r); err != nil {
			t.Fatal(err)
		}
	}
}

func unpack(root *os.Root, name string, h *tar.Header, r io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return root.WriteFile(name, data, 0o700)
	}
	return nil
}

func TestPythonOrderIsPips(t *testing.T) {
	needs(t, "pip", "python3", "-c", "from pip._vendor.packaging.version import Version")
	ask := batch("python3", "-c", `
import sys
from pip._vendor.packaging.version import Version, InvalidVersion
def compare(a, b):
    try: a, b = Version(a), Version(b)
    except InvalidVersion: return 2
    return (a > b) - (a < b)
for line in sys.stdin: print(compare(*line.rstrip("\n").split("\t")))
`)
	agree(t, trial{ecosystem: "PyPI", ask: ask, versions: advised(t, "PyPI"), pairs: 20000,
		alphabet: ". - _ + ! a b c rc 0 00 1 2 10 01 .post1 .dev0 a1 b2 rc1 +local.1 1! -1 .0 pre post dev .rev RC v"})
}

func TestRubyGemsOrderIsGems(t *testing.T) {
	ask := batch("ruby", "-e", `
STDIN.each_line do |line|
  a, b = line.chomp.split("\t")
  begin puts Gem::Version.new(a) <=> Gem::Version.new(b)
  rescue ArgumentError then puts 2
  end
end
`)
	agree(t, trial{ecosystem: "RubyGems", ask: ask, versions: advised(t, "RubyGems"), pairs: 20000,
		alphabet: ". - a b rc 0 00 1 2 10 01 .pre .rc1 .0 -x .beta.2 A .0.0 .0.a .1"})
}

func TestNpmOrderIsNpms(t *testing.T) {
	agree(t, trial{ecosystem: "npm", ask: askNpm, pairs: 20000,
		versions: slices.Concat(advised(t, "npm"), advised(t, "crates.io"), advised(t, "Go")),
		alphabet: ". - + a b rc 0 00 1 2 10 01 -rc.1 .0 -0 +b1 -a.b -alpha beta1",
		except: func(a, b string) string {
			for _, s := range []string{a, b} {
				switch version, _, _ := strings.Cut(s, "+"); {
				case emptyPrerelease.MatchString(version):
					return "an empty prerelease, which npm's loose form has and npm does not publish"
				case fourNumbers.MatchString(s):
					return "a fourth number: 1.2.34.5 is 1.2.3-4.5 in npm's loose form, and npm does not publish it"
				}
			}
			return ""
		}})
}

var emptyPrerelease = regexp.MustCompile(`^[^-]*-$|-\.`)

var fourNumbers = regexp.MustCompile(`^[v=]*[0-9]+\.[0-9]+\.[0-9]+\.`)

func askNpm(t *testing.T, pairs [][2]string) []int {
	const find = `
const paths = ["semver", "/usr/share/nodejs/semver"];
try {
	const root = require("child_process").execSync("npm root -g").toString().trim();
	paths.push(root + "/npm/node_modules/semver");
} catch {}
let semver;
for (const p of paths) { try { semver = require(p); break } catch {} }
if (!semver) { console.error("no semver"); process.exit(1) }
`
	needs(t, "npm's semver", "node", "-e", find)
	return batch("node", "-e", find+`
for (const line of require("fs").readFileSync(0, "utf8").trimEnd().split("\n")) {
	const [a, b] = line.split("\t");
	try { console.log(semver.compare(a, b, true)) } catch { console.log(2) }
}
`)(t, pairs)
}

func TestGoOrderIsGos(t *testing.T) {
	ask := func(_ *testing.T, pairs [][2]string) []int {
		var out []int
		for _, p := range pairs {
			a, b := "v"+strings.TrimPrefix(p[0], "v"), "v"+strings.TrimPrefix(p[1], "v")
			if modsemver.IsValid(a) && modsemver.IsValid(b) {
				out = append(out, modsemver.Compare(a, b))
			} else {
				out = append(out, refused)
			}
		}
		return out
	}
	agree(t, trial{ecosystem: "Go", ask: ask, versions: advised(t, "Go"), pairs: 20000,
		alphabet: ". - + a b rc 0 1 2 10 -rc.1 .0 -0 +incompatible -a.b -0.20200101000000-abcdefabcdef"})
}

func TestPackagistOrderIsComposers(t *testing.T) {
	const autoload = `/usr/share/php/Composer/Semver/autoload.php`
	needs(t, "composer's semver", "php", "-r", `exit(is_file("`+autoload+`") ? 0 : 1);`)
	ask := batch("php", "-r", `
require "`+autoload+`";
$parser = new Composer\Semver\VersionParser;
while (($line = fgets(STDIN)) !== false) {
	[$a, $b] = explode("\t", rtrim($line, "\n"));
	try {
		$a = $parser->normalize($a);
		$b = $parser->normalize($b);
		$branch = str_starts_with($a, "dev-") || str_starts_with($b, "dev-") || str_contains("$a $b", "9999999");
		echo $branch ? 2 : version_compare($a, $b), "\n";
	} catch (UnexpectedValueException) {
		echo "2\n";
	}
}
`)
	agree(t, trial{ecosystem: "Packagist", ask: ask, versions: advised(t, "Packagist"), pairs: 20000,
		alphabet: ". - + a b RC rc p pl dev 0 00 1 2 10 01 -rc1 .0 -beta -alpha2 -p1 -dev @stable stable 20100102 .RC.1"})
}

// usualMaven is a version in which Maven's releases agree with each other and with the specification: numbers, then a
// qualifier after any separator, or several after hyphens. Where a qualifier goes on after a dot
// ("1.0.Final-redhat-1"), one that means nothing or its zero is counted ("1.Final2", "1-rc0"), they differ or go in
// circles.
var (
	usualMaven = regexp.MustCompile(`^(0\.)*[1-9][0-9]*(\.[0-9]+)*` +
		`([.-]?[A-Za-z]+([1-9][0-9]*)?|(-[A-Za-z]+(-?[1-9][0-9]*)?)*)$`)
	meansNothing = regexp.MustCompile(`(?i)(ga|final|release)[-0-9]`)
)

func TestMavenOrderIsMavens(t *testing.T) {
	versions := advised(t, "Maven")
	agree(t, trial{ecosystem: "Maven", ask: askMaven, versions: versions, pairs: 16000,
		alphabet: ". -1 .1 b1 -rc 0 1 2 10 01 -rc1 .0 -beta -alpha2 .Final -SNAPSHOT -sp foo -jre M2 .v2015 GA .CR3 -M4",
		except: func(a, b string) string {
			for _, s := range []string{a, b} {
				if !slices.Contains(versions, s) && (!usualMaven.MatchString(s) || meansNothing.MatchString(s)) {
					return "qualifiers in unusual places"
				}
			}
			return ""
		}})
}

func askMaven(t *testing.T, pairs [][2]string) []int {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not installed")
	}
	jars, err := filepath.Glob("/usr/share/java/maven-artifact-3*.jar")
	if err != nil || len(jars) == 0 {
		t.Skipf("Maven is not installed (%v)", err)
	}
	args := []string{"-cp", strings.Join(append(jars, "/usr/share/java/commons-lang3.jar"), ":"),
		"org.apache.maven.artifact.versioning.ComparableVersion"}
	for _, p := range pairs {
		args = append(args, p[0], p[1])
	}
	out, err := exec.CommandContext(t.Context(), java, args...).Output()
	if err != nil {
		t.Fatalf("Maven: %v", err)
	}
	// Each argument is compared with the one before it. Every other line of these is a pair's.
	var answers []int
	i := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "   ") {
			continue
		}
		fields := strings.Fields(line)
		if i%2 == 0 && len(fields) == 3 {
			answers = append(answers, map[string]int{"<": -1, "==": 0, ">": 1}[fields[1]])
		}
		i++
	}
	return answers
}
