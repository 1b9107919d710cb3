package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf16"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/report"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Secrets of tests are put together here, so that this file holds none.
var (
	githubToken = "ghp_" + "x7Kq2mVn9RtLw4Zs8Yb3Gc6Hd1Jf5Pa0UeQo"
	slackToken  = "xoxb-" + "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"
	privateKey  = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEpAIBAAKCAQEA7bq3v1Yk0m9xWlJ2s4hRr8Qp6TzVn5Cg\n", 20) +
		"-----END " + "RSA PRIVATE KEY-----\n"
)

// reader reads the files of a tree that is in memory.
func reader(files fstest.MapFS) ReadFile {
	return func(name string, max int64) ([]byte, error) {
		raw, err := files.ReadFile(name)
		if int64(len(raw)) > max {
			err = errors.New("it is too large")
		}
		return raw, err
	}
}

func detector(t testing.TB, files fstest.MapFS) *Detector {
	t.Helper()
	d, err := New(reader(files))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func analyzed(t testing.TB, d *Detector, path, content string) core.Found {
	t.Helper()
	found, err := d.Analyze(t.Context(), core.File{Path: path, Content: io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func rulesOf(found core.Found) []string {
	rules := []string{}
	for _, f := range found.Findings {
		rules = append(rules, f.Rule)
	}
	return rules
}

func TestSecretsAreFoundWhereTheyStand(t *testing.T) {
	d := detector(t, nil)
	found := analyzed(t, d, "deploy/run.sh", "#!/bin/sh\n\nexport TOKEN="+githubToken+"\n")
	if len(found.Findings) != 1 {
		t.Fatalf("found %v", rulesOf(found))
	}
	f := found.Findings[0]
	if f.Rule != "github-pat" || f.Kind != core.KindSecret || f.Locations[0] != (core.Location{Path: "deploy/run.sh", Line: 3, Column: 14}) ||
		f.Secret == nil || f.Secret.Entropy < 3 || f.Severity != core.SeverityHigh {
		t.Errorf("got %+v, secret %+v", f, f.Secret)
	}
}

func TestASecretIsNeverTold(t *testing.T) {
	d := detector(t, nil)
	for _, secret := range []string{githubToken, slackToken, privateKey} {
		found := analyzed(t, d, "a.txt", "x = "+secret)
		if len(found.Findings) == 0 {
			t.Errorf("%s… was not found", secret[:5])
		}
		told, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+8 <= len(secret) && i < 400; i++ {
			if part := secret[i : i+8]; !strings.Contains(part, "-") && bytes.Contains(told, []byte(part)) {
				t.Errorf("%q of the secret is in %s", part, told)
				break
			}
		}
	}
}

func TestFingerprintsSurviveMovesAndNoticeReplacement(t *testing.T) {
	d := detector(t, nil)
	print := func(path, content string) string {
		found := analyzed(t, d, path, content)
		if len(found.Findings) != 1 {
			t.Fatalf("%s: %v", path, rulesOf(found))
		}
		return found.Findings[0].Fingerprint
	}
	one := print("a.sh", "token="+githubToken+"\n")
	if moved := print("a.sh", "# a new line\n\n  token="+githubToken+"\n"); moved != one {
		t.Error("a secret that moved to another line is another")
	}
	if other := print("b.sh", "token="+githubToken+"\n"); other == one {
		t.Error("the same secret in another file is the same")
	}
	if other := print("a.sh", "token="+strings.Replace(githubToken, "x7Kq", "y8Lr", 1)+"\n"); other == one {
		t.Error("another secret in the same place is the same")
	}
}

// TestTheEngineFindsWhatGitleaksFinds makes a text for each rule that its expression matches, puts it into surroundings,
// and compares.
func TestTheEngineFindsWhatGitleaksFinds(t *testing.T) {
	reference, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	d := detector(t, nil)
	found, rules := 0, map[string]bool{}
	for i, id := range slices.Sorted(maps.Keys(reference.Config.Rules)) {
		r := reference.Config.Rules[id]
		if r.Regex == nil {
			continue
		}
		tree, err := syntax.Parse(r.Regex.String(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(uint64(i), 1))
		for try := range 12 {
			sample := textOf(tree, random)
			if !containsAny(strings.ToLower(sample), r.Keywords) && len(r.Keywords) > 0 {
				sample = "# " + r.Keywords[0] + "\n" + sample
			}
			text := []string{"", "first line\n", strings.Repeat("key = value; // a token\n", 40)}[try%3] + sample + []string{"", "\n", "\nlast = 1\n"}[try%3]
			//lint:ignore SA1019 what is to replace it is not there yet
			want := places(reference.Detect(detect.Fragment{Raw: text, FilePath: "dir/file.txt", StartLine: 1}))
			got := []string{}
			matches, _ := d.scanner.scan([]byte(text), "dir/file.txt", "", 1)
			for _, m := range matches {
				got = append(got, fmt.Sprintf("%s %d %s", m.rule.id, m.number, m.secret))
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("%s: in %q\n got %q\nwant %q", id, text, got, want)
			}
			found += len(want)
			for _, w := range want {
				rules[strings.Fields(w)[0]] = true
			}
		}
	}
	if found < 1500 || len(rules) < 180 {
		t.Errorf("only %d secrets of %d rules were compared", found, len(rules))
	}
}

func places(found []report.Finding) []string {
	all := []string{}
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s %d %s", f.RuleID, f.StartLine, f.Secret))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// textOf makes a text that an expression matches.
func textOf(tree *syntax.Regexp, r *rand.Rand) string {
	var b strings.Builder
	switch tree.Op {
	case syntax.OpLiteral:
		return string(tree.Rune)
	case syntax.OpCharClass:
		return string(member(tree.Rune, r))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return string(rune('a' + r.IntN(26)))
	case syntax.OpCapture:
		return textOf(tree.Sub[0], r)
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			b.WriteString(textOf(sub, r))
		}
	case syntax.OpAlternate:
		return textOf(tree.Sub[r.IntN(len(tree.Sub))], r)
	case syntax.OpQuest, syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		low, high := 0, 1
		switch tree.Op {
		case syntax.OpStar:
			high = 3
		case syntax.OpPlus:
			low, high = 1, 3
		case syntax.OpRepeat:
			low, high = tree.Min, tree.Max
			if high < 0 {
				high = low + 3
			}
		}
		for range low + r.IntN(min(high-low, 5)+1) {
			b.WriteString(textOf(tree.Sub[0], r))
		}
	}
	return b.String()
}

// member picks a character of a class, a letter or digit if there is one.
func member(ranges []rune, r *rand.Rand) rune {
	for range 50 {
		i := 2 * r.IntN(len(ranges)/2)
		c := ranges[i] + rune(r.IntN(int(min(ranges[i+1]-ranges[i], 200))+1))
		if c > ' ' && c < 127 {
			return c
		}
	}
	return ranges[0]
}

func TestExpressionsAreTriedWhereTheirKeywordsStand(t *testing.T) {
	d := detector(t, nil)
	counts := map[method]int{}
	for _, r := range d.scanner.rules {
		if r.expression != nil {
			counts[r.how]++
		}
	}
	assignments := 0
	for _, r := range d.scanner.rules {
		if r.assigned > 0 {
			assignments++
		}
	}
	if assignments < 80 {
		t.Errorf("%d rules look for assignments", assignments)
	}
	if counts[at] < 150 || counts[everywhere] > 40 {
		t.Errorf("%d rules are tried at their keyword, %d around it, %d everywhere", counts[at], counts[around], counts[everywhere])
	}
}

func TestKeywordsAreFoundAsANaiveSearchFindsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abAB-"[random.IntN(5)]
		}
		return string(b)
	}
	for range 300 {
		rules := []*rule{{id: "r"}, {id: "s"}}
		for i := range 6 {
			if w := strings.ToLower(letters(1 + random.IntN(4))); !slices.Contains(rules[i%2].keywords, w) {
				rules[i%2].keywords = append(rules[i%2].keywords, w)
			}
		}
		k, err := newKeywords(rules)
		if err != nil {
			t.Fatal(err)
		}
		text := letters(40)
		got, want := map[string]bool{}, map[string]bool{}
		k.find([]byte(text), func(w *keyword, start int) {
			for _, r := range w.rules {
				got[fmt.Sprint(start, w.length, r)] = true
			}
		})
		for i, r := range rules {
			for _, w := range r.keywords {
				for start := range text {
					if strings.HasPrefix(strings.ToLower(text[start:]), w) {
						want[fmt.Sprint(start, len(w), i)] = true
					}
				}
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("in %q: got %v, want %v", text, got, want)
		}
	}
}

func TestWhatTheSourcesSayAgainstASecretIsKept(t *testing.T) {
	d := detector(t, fstest.MapFS{
		configFile: {Data: []byte("[extend]\nuseDefault = true\n[[allowlists]]\ndescription = \"samples\"\npaths = ['''^samples/''']\n")},
		ignoreFile: {Data: []byte("# known\nold/run.sh:github-pat:1\n")},
	})
	for name, c := range map[string]struct{ path, content, by, reason string }{
		"a comment of gitleaks":      {"a.sh", "t=" + githubToken + " # gitleaks:allow", "gitleaks:allow", ""},
		"a comment of ours":          {"a.sh", "t=" + githubToken + " # cleanbill:ignore github-pat of a test account", "cleanbill:ignore", "of a test account"},
		"a comment without a reason": {"a.sh", "t=" + githubToken + " # cleanbill:ignore github-pat", "", ""},
		"a comment about another":    {"a.sh", "t=" + githubToken + " # cleanbill:ignore slack-bot-token of a test", "", ""},
		"a line of the ignore file":  {"old/run.sh", "t=" + githubToken, ".gitleaksignore", ""},
		"another line":               {"old/run.sh", "\nt=" + githubToken, "", ""},
		"an allowlist of the user":   {"samples/a.sh", "t=" + githubToken, ".gitleaks.toml", "samples"},
		"nothing":                    {"a.sh", "t=" + githubToken, "", ""},
	} {
		found := analyzed(t, d, c.path, c.content)
		if len(found.Findings) == 0 {
			t.Errorf("%s: nothing was found", name)
			continue
		}
		said := found.Findings[0].Suppressions
		switch {
		case c.by == "" && len(said) > 0:
			t.Errorf("%s: suppressed by %+v", name, said)
		case c.by != "" && (len(said) != 1 || said[0].By != c.by || said[0].Reason != c.reason || said[0].Path == ""):
			t.Errorf("%s: %+v", name, said)
		}
	}
}

func TestTheUsersRulesCountLikeGitleaksOwn(t *testing.T) {
	d := detector(t, fstest.MapFS{
		configFile: {Data: []byte(`
[extend]
path = "rules/base.toml"
disabledRules = ["never"]
[[rules]]
id = "acme"
keywords = ["acme_"]
[[rules]]
id = "file"
path = '''\.secret$'''
`)},
		"rules/base.toml": {Data: []byte(`
[[rules]]
id = "acme"
description = "a key of Acme"
regex = '''acme_([0-9a-f]{16})'''
[[rules]]
id = "never"
regex = '''n.ver'''
`)},
	})
	for content, want := range map[string][]string{
		"x acme_0123456789abcdef": {"acme"}, "never": {}, "t=" + githubToken: {},
	} {
		if got := rulesOf(analyzed(t, d, "a", content)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", content, got, want)
		}
	}
	if got := rulesOf(analyzed(t, d, "x/a.secret", "\x00\x01")); !slices.Equal(got, []string{"file"}) || !d.Sniff("x/a.secret", []byte{0}) {
		t.Errorf("a file by its name: %v", got)
	}
}

func TestMistakesInConfigurationsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"[[rules]]\nid = \"a\"":                                                    "neither a regex nor a path",
		"[[rules]]\nregex = \"a\"":                                                 "no id",
		"[[rules]]\nid = \"a\"\nregex = \"(\"":                                     "missing closing",
		"[[rules]]\nid = \"a\"\nregex = \"a\"\nsecretGroup = 2":                    "0 groups",
		"[[rules]]\nid = \"a\"\nregex = \"a\"\n[[rules]]\nid = \"a\"\nregex=\"b\"": "two rules",
		"[[rulez]]":                                                            `no key "rulez"`,
		"title = ":                                                             ":1:",
		"[extend]\nurl = \"https://x\"":                                        "not supported",
		"[extend]\npath = \"../up.toml\"":                                      "leads out of the tree",
		"[extend]\npath = \"none.toml\"":                                       "none.toml",
		"[extend]\npath = \"" + configFile + "\"":                              "extend one another",
		"[[allowlists]]\ndescription = \"x\"":                                  "checks nothing",
		"[[allowlists]]\npaths = [\"(\"]":                                      "missing closing",
		"[[allowlists]]\nstopwords = [\"a\"]\ntargetRules = [\"none\"]":        `"none"`,
		"[[rules]]\nid = \"a\"\nregex = \"a\"\n[[rules.required]]\nid = \"b\"": `requires the rule "b"`,
	} {
		_, err := New(reader(fstest.MapFS{configFile: {Data: []byte(text)}}))
		if err == nil || !strings.Contains(err.Error(), want) || !core.Usage(err) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := New(reader(fstest.MapFS{ignoreFile: {Data: []byte("nonsense\n")}})); err == nil || !core.Usage(err) {
		t.Errorf("an ignore file of nonsense: %v", err)
	}
	if _, err := New(reader(fstest.MapFS{configFile: {Data: make([]byte, maxConfig+1)}})); err == nil {
		t.Error("a configuration of any size is read")
	}
}

func TestOnlyTextsOfInterestAreWanted(t *testing.T) {
	d := detector(t, nil)
	info := fstest.MapFS{"f": {Data: []byte("x")}}
	one, err := fs.Stat(info, "f")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]bool{ // in a tree, in an image
		"src/main.go": {true, true}, "lib/app.rb": {true, false}, "usr/share/doc/x": {true, false}, "etc/ssl/private/a.key": {true, true},
		"usr/lib/app/.env": {true, true}, "node_modules/a/index.js": {false, false}, "web/node_modules/a/b.js": {false, false},
		"not_node_modules/a": {true, true}, "app/.npmrc": {true, true}, "home/u/.docker/config.json": {true, true}, "go.sum": {false, false},
	} {
		if got := [2]bool{d.Wants(path, one), d.Images().Wants(path, one)}; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	follower, ok := d.Images().(core.Follower)
	if !ok || !follower.Follows("app/.env") || follower.Follows("etc/alternatives/awk.1.gz") {
		t.Error("not the links that are named like what keeps secrets are followed in images")
	}
	// Debian's links in etc/ssl/certs end in .pem. What they lead to is looked at by its own name, and not again.
	if !d.Images().Wants("usr/share/ca-certificates/mozilla/A.crt", one) {
		t.Error("the layers of every image with certificates are read twice")
	}
	for head, want := range map[string]bool{"text": true, "": true, "\x7fELF\x02\x00": false, "\xff\xfeA\x00": true, "\xfe\xff\x00A": true, "\xff\xfe\x00\x00": false} {
		if got := d.Sniff("a", []byte(head)); got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
	if !d.Sniff("a/cert.p12", []byte{0x30, 0x82, 0}) {
		t.Error("a file that a rule names is not wanted")
	}
}

func TestTextsOfEveryWidthAreRead(t *testing.T) {
	d := detector(t, nil)
	for _, order := range []string{"little", "big"} {
		raw := []byte{0xff, 0xfe}
		if order == "big" {
			raw = []byte{0xfe, 0xff}
		}
		for _, u := range utf16.Encode([]rune("\n$token = '" + githubToken + "'\n")) {
			if order == "big" {
				raw = append(raw, byte(u>>8), byte(u))
			} else {
				raw = append(raw, byte(u), byte(u>>8))
			}
		}
		found := analyzed(t, d, "a.ps1", string(raw))
		if !slices.Equal(rulesOf(found), []string{"github-pat"}) || found.Findings[0].Locations[0].Line != 2 {
			t.Errorf("%s: %+v", order, found)
		}
	}
}

func TestASecretAcrossTheWindowsOfAFileIsFoundOnce(t *testing.T) {
	d := detector(t, nil)
	line := "just a line of text without anything\n"
	for _, shift := range []int{0, 10, 37, 300, overlap - 5, overlap + 5} {
		var b strings.Builder
		for b.Len() < window-overlap/2-shift {
			b.WriteString(line)
		}
		want := strings.Count(b.String(), "\n") + 1
		b.WriteString("token=" + githubToken + "\n" + privateKey)
		for b.Len() < 2*window {
			b.WriteString(line)
		}
		found := analyzed(t, d, "a", b.String())
		if got := rulesOf(found); !slices.Equal(got, []string{"github-pat", "private-key"}) || found.Findings[0].Locations[0].Line != want {
			t.Errorf("shifted by %d: %v at %+v, want line %d", shift, got, found.Findings[0].Locations, want)
		}
	}
}

func TestSecretsInTheConfigurationOfAnImageAreFound(t *testing.T) {
	d := detector(t, nil)
	raw, err := json.Marshal(v1.ConfigFile{
		Config: v1.Config{Env: []string{"PATH=/bin", "GH=" + githubToken}, Labels: map[string]string{"slack": slackToken}},
		History: []v1.History{{CreatedBy: "COPY . ."},
			{CreatedBy: "RUN |1 TOKEN=" + githubToken + " /bin/sh -c make # buildkit"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, x := d.Config("sha256:a", raw)
	var where []string
	for _, f := range found {
		where = append(where, f.Locations[0].Path)
		if f.Subject != "sha256:a" {
			t.Errorf("%+v has another subject", f)
		}
	}
	want := []string{"image configuration: ENV GH", "image configuration: LABEL slack", "image configuration: history, step 2"}
	if !slices.Equal(where, want) || x.Status != core.Complete {
		t.Errorf("%q, %+v", where, x)
	}
	if _, x := d.Config("sha256:a", []byte("{")); x.Status != core.Failed {
		t.Errorf("a broken configuration is %s", x.Status)
	}
}

func TestWhatIsRepeatedOfAConfigurationIsRedacted(t *testing.T) {
	d := detector(t, nil)
	for text, want := range map[string]string{
		"RUN |1 A=b make": "RUN |1 A=b make",
		"RUN |2 A=" + githubToken + " B=" + slackToken + " make": "RUN |2 A=[secret] B=[secret] make",
		"RUN curl -H 'Authorization: token " + githubToken + "'": "RUN curl -H 'Authorization: token [secret]'",
	} {
		if got := d.Redact(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	facts := core.ImageFacts{Cmd: []string{"serve", githubToken}, Labels: map[string]string{"a": githubToken, "b": "c"}}
	if d.RedactFacts(&facts); facts.Cmd[1] != redacted || facts.Labels["a"] != redacted || facts.Labels["b"] != "c" {
		t.Errorf("%+v", facts)
	}
}

func TestHostileTextsEndInTime(t *testing.T) {
	d := detector(t, nil)
	for name, text := range map[string]string{
		"keywords only":     strings.Repeat("key", window/3),
		"endless keys":      strings.Repeat("-----BEGIN "+"PRIVATE KEY-----", window/32),
		"almost secrets":    strings.Repeat("token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ", window/40),
		"one long line":     strings.Repeat("api_key:'", window/9),
		"thousands of them": strings.Repeat("t="+githubToken+"\n", 20_000),
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		_, err := d.Analyze(ctx, core.File{Path: "a", Content: io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))})
		cancel()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, time.Since(began))
	}
	if found := analyzed(t, d, "a", strings.Repeat("t="+githubToken+"\n", 20_000)); len(found.Problems) != 1 {
		t.Errorf("what is not told is not named: %+v", found.Problems)
	}
}

func FuzzAnalyze(f *testing.F) {
	f.Add("a.sh", []byte("token="+githubToken+"\n"+privateKey))
	f.Add("x/.env", []byte("\xff\xfeA\x00"))
	d := detector(f, nil)
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		found, err := d.Analyze(t.Context(), core.File{Path: path, Content: io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range found.Findings {
			if one.Rule == "" || len(one.Fingerprint) != 32 || len(one.Locations) != 1 {
				t.Fatalf("%+v", one)
			}
		}
	})
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte("[extend]\nuseDefault = true\n"), []byte("a:b:1\n"))
	f.Add([]byte("[[rules]]\nid='a'\nregex='''a'''\n[[rules.allowlists]]\npaths=['x']\n"), []byte("#\n"))
	f.Fuzz(func(_ *testing.T, config, ignored []byte) {
		_, _ = New(reader(fstest.MapFS{configFile: {Data: config}, ignoreFile: {Data: ignored}}))
	})
}

func BenchmarkScan(b *testing.B) {
	d := detector(b, nil)
	line := "func (s *scanner) look(key string, token []byte) error { return fmt.Errorf(\"%s: no secret: %w\", key, err) }\n"
	text := []byte(strings.Repeat(line, window/len(line)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		d.scanner.scan(text, "a.go", "", 1)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		detector(b, nil)
	}
}
