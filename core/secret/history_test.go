package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

func repository(t testing.TB, dir string) *revision.Repository {
	t.Helper()
	place, err := revision.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := place.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// searched looks through a history and returns the findings as "rule path:line commit".
func searched(t *testing.T, d *Detector, dir string, p Past, l limit.Limits) ([]string, []core.Finding, core.Examination) {
	t.Helper()
	p.Repository = repository(t, dir)
	if p.Head == "" {
		p.Head = "HEAD"
	}
	if p.Dir == "" {
		p.Dir = "."
	}
	findings, x, err := d.History(t.Context(), p, l)
	if err != nil {
		t.Fatal(err)
	}
	places := []string{}
	for _, f := range findings {
		if f.Kind != core.KindSecret || len(f.Locations) != 1 {
			t.Errorf("%+v", f)
		}
		at := f.Locations[0]
		places = append(places, fmt.Sprintf("%s %s:%d %s", f.Rule, at.Path, at.Line, at.Commit))
	}
	slices.Sort(places)
	return places, findings, x
}

func TestASecretThatWasDeletedIsInTheHistory(t *testing.T) {
	d := detector(t, nil)
	r := gittest.New(t)
	r.Commit(t, map[string]string{"README.md": "x\n"})
	brought := r.Commit(t, map[string]string{"run.sh": "#!/bin/sh\n\nT=" + githubToken + "\n"})
	r.Commit(t, map[string]string{"run.sh": "#!/bin/sh\n# more\n\n\nT=" + githubToken + "\necho\n"})
	r.Commit(t, map[string]string{"run.sh": ""})
	r.Commit(t, map[string]string{"run.sh": "T=" + githubToken + "\n"})
	r.Commit(t, map[string]string{"run.sh": "#!/bin/sh\n"})
	for name, prepare := range map[string]func(){
		"loose objects": func() {},
		"packed":        func() { r.Git(t, "gc", "--quiet", "--aggressive", "--prune=now") },
	} {
		prepare()
		places, findings, x := searched(t, d, r.Dir, Past{}, limit.Limits{})
		if want := []string{"github-pat run.sh:3 " + brought}; !slices.Equal(places, want) || x.Status != core.Complete {
			t.Fatalf("%s: %q, want %q; %+v", name, places, want, x)
		}
		f := findings[0]
		if time.Since(f.Locations[0].Date) > time.Hour || f.Locations[0].Column != 3 || f.Secret == nil {
			t.Errorf("%+v", f)
		}
		if tree := analyzed(t, d, "run.sh", "T="+githubToken+"\n"); tree.Findings[0].Fingerprint != f.Fingerprint {
			t.Error("the same secret in the tree has another fingerprint")
		}
		if told := fmt.Sprintf("%+v", f); strings.Contains(told, githubToken[4:12]) {
			t.Errorf("the secret is told: %s", told)
		}
	}
}

func TestOnlyWhatCommitsAddIsTheirs(t *testing.T) {
	d := detector(t, nil)
	r := gittest.New(t)
	old := "T=" + githubToken + "\n"
	base := r.Commit(t, map[string]string{"old.sh": old + "echo 1\n", "dir/moved.sh": old, "swapped": old})
	second := strings.Replace(githubToken, "x7Kq", "y8Lr", 1)
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // without the commit
	}{
		"another line of the same file":      {map[string]string{"old.sh": old + "echo 2\n"}, nil},
		"the secret on another line":         {map[string]string{"old.sh": "echo 0\n\n" + old}, nil},
		"another secret in the same file":    {map[string]string{"old.sh": old + "U=" + second + "\n"}, []string{"github-pat old.sh:2"}},
		"another secret in its place":        {map[string]string{"old.sh": "T=" + second + "\n"}, []string{"github-pat old.sh:1"}},
		"a renamed file":                     {map[string]string{"dir/moved.sh": "", "dir/new.sh": old}, nil},
		"a copied file":                      {map[string]string{"copy.sh": old}, []string{"github-pat copy.sh:1"}},
		"a renamed directory":                {map[string]string{"dir/moved.sh": "", "other/moved.sh": old}, nil},
		"a dependency":                       {map[string]string{"node_modules/a/run.sh": old}, nil},
		"a dependency's file for secrets":    {map[string]string{".m2/repository/a/.env": old}, []string{"github-pat .m2/repository/a/.env:1"}},
		"a picture":                          {map[string]string{"a.bin": "\x00" + old}, nil},
		"a file whose name alone is a find":  {map[string]string{"store.p12": "\x00\x01"}, []string{"pkcs12-file store.p12:0"}},
		"a key of which one line is another": {map[string]string{"k": privateKey}, []string{"private-key k:1"}},
	} {
		r.Git(t, "checkout", "--quiet", "-B", "try", base)
		commit := r.Commit(t, c.files)
		r.Git(t, "checkout", "--quiet", "--force", "--detach")
		r.Git(t, "commit", "--quiet", "--allow-empty", "--message=later")
		want := []string{}
		for _, w := range c.want {
			want = append(want, w+" "+commit)
		}
		places, _, x := searched(t, d, r.Dir, Past{Without: base}, limit.Limits{})
		if !slices.Equal(places, want) || x.Status != core.Complete {
			t.Errorf("%s: %q, want %q; %+v", name, places, want, x)
		}
	}
	// Of a tree below the top only its own files count, by their paths in it.
	r.Git(t, "checkout", "--quiet", "--force", base)
	if places, _, _ := searched(t, d, r.Dir, Past{Dir: "dir"}, limit.Limits{}); !slices.Equal(places, []string{"github-pat moved.sh:1 " + base}) {
		t.Errorf("below a directory: %q", places)
	}
}

// What a merge adds to what was merged, its author wrote into the merge.
func TestAMergeBringsWhatNoneOfTheMergedHas(t *testing.T) {
	d := detector(t, nil)
	r := gittest.New(t)
	base := r.Commit(t, map[string]string{"a": "1\n"})
	r.Git(t, "checkout", "--quiet", "-b", "side")
	side := r.Commit(t, map[string]string{"side.sh": "T=" + githubToken + "\n"})
	r.Git(t, "checkout", "--quiet", "main")
	r.Commit(t, map[string]string{"a": "2\n"})
	r.Git(t, "merge", "--quiet", "--no-commit", "side")
	merge := r.Commit(t, map[string]string{"evil.sh": "T=" + githubToken + "\n"})
	places, _, _ := searched(t, d, r.Dir, Past{Without: base}, limit.Limits{})
	if want := []string{"github-pat evil.sh:1 " + merge, "github-pat side.sh:1 " + side}; !slices.Equal(places, want) {
		t.Errorf("%q, want %q", places, want)
	}
}

func TestWhatIsSaidAgainstASecretOfTheHistory(t *testing.T) {
	r := gittest.New(t)
	first := r.Commit(t, map[string]string{"run.sh": "T=" + githubToken + "\n", "in.sh": "T=" + githubToken + " # gitleaks:allow\n"})
	r.Commit(t, map[string]string{"run.sh": "", "in.sh": ""})
	again := r.Commit(t, map[string]string{"run.sh": "T=" + githubToken + "\n"})
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"nothing":    {nil, ""},
		"one commit": {fstest.MapFS{ignoreFile: {Data: []byte(first + ":run.sh:github-pat:1\n")}}, ""},
		"every commit": {fstest.MapFS{ignoreFile: {Data: []byte(first + ":run.sh:github-pat:1\n" + again + ":run.sh:github-pat:1\n")}},
			".gitleaksignore"},
		"the place in any commit": {fstest.MapFS{ignoreFile: {Data: []byte("run.sh:github-pat:1\n")}}, ".gitleaksignore"},
		"an allowlist of commits": {fstest.MapFS{configFile: {Data: []byte("[extend]\nuseDefault = true\n[[allowlists]]\ncommits = [\"" + first +
			"\", \"" + again + "\"]\n")}}, ".gitleaks.toml"},
		"an allowlist of one": {fstest.MapFS{configFile: {Data: []byte("[extend]\nuseDefault = true\n[[allowlists]]\ncommits = [\"" + first +
			"\"]\n")}}, ""},
	} {
		_, findings, _ := searched(t, detector(t, c.files), r.Dir, Past{}, limit.Limits{})
		if len(findings) != 2 {
			t.Errorf("%s: %d findings", name, len(findings))
			continue
		}
		for _, f := range findings {
			said := ""
			for _, s := range f.Suppressions {
				if said = s.By; s.Base != (s.Kind == core.SuppressedConfig) {
					t.Errorf("%s: %+v", name, s)
				}
			}
			if inline := f.Locations[0].Path == "in.sh"; !inline && said != c.want || inline && said == "" {
				t.Errorf("%s: %s is suppressed by %q, want %q", name, f.Locations[0].Path, said, c.want)
			}
		}
	}
	_, findings, _ := searched(t, detector(t, nil), r.Dir, Past{Merged: true}, limit.Limits{})
	for _, f := range findings {
		if f.Locations[0].Path == "in.sh" && !f.Suppressions[0].Base {
			t.Errorf("what was merged does not count: %+v", f.Suppressions)
		}
	}
}

func TestAHistoryThatIsNotSearchedToTheEndSaysSo(t *testing.T) {
	d := detector(t, nil)
	r := gittest.New(t)
	var base string
	for i := range 5 {
		commit := r.Commit(t, map[string]string{"a.txt": strings.Repeat("x\n", 100+i)})
		if base == "" {
			base = commit
		}
	}
	r.Git(t, "config", "uploadpack.allowFilter", "true")
	shallow := r.Clone(t, "--depth=3").Dir
	for name, c := range map[string]struct {
		dir    string
		past   Past
		limits limit.Limits
		status core.Completeness
		why    string
	}{
		"all of it":           {r.Dir, Past{}, limit.Limits{}, core.Complete, ""},
		"too many commits":    {r.Dir, Past{}, limit.Limits{HistoryCommits: 4}, core.Partial, "--limit history-commits"},
		"just so many":        {r.Dir, Past{}, limit.Limits{HistoryCommits: 5}, core.Complete, ""},
		"too many bytes":      {r.Dir, Past{}, limit.Limits{HistorySize: 500}, core.Partial, "--limit history-size"},
		"too long":            {r.Dir, Past{}, limit.Limits{HistoryTime: 1}, core.Failed, "--limit history-time"},
		"a file too large":    {r.Dir, Past{}, limit.Limits{KeptSize: 203}, core.Partial, "--limit kept-size"},
		"a shallow clone":     {shallow, Past{}, limit.Limits{}, core.Partial, "shallow clone"},
		"its newest":          {shallow, Past{Without: "HEAD~1"}, limit.Limits{}, core.Complete, ""},
		"since what it lacks": {shallow, Past{Without: base}, limit.Limits{}, core.Failed, "shallow clone"},
		"without files": {r.Clone(t, "--filter=blob:none", "--no-checkout").Dir, Past{}, limit.Limits{}, core.Partial,
			"the repository does not have"},
		"no such revision": {r.Dir, Past{Without: "nowhere"}, limit.Limits{}, core.Failed, "nowhere"},
	} {
		_, _, x := searched(t, d, c.dir, c.past, c.limits)
		if x.Status != c.status || !strings.Contains(strings.Join(x.Why, "\n"), c.why) || (x.Status == core.Complete) != (len(x.Why) == 0) {
			t.Errorf("%s: %+v", name, x)
		}
		if lacks := c.dir != r.Dir && x.Status != core.Complete; lacks != (x.Remedy == shallowRemedy) && name != "no such revision" {
			t.Errorf("%s: the remedy is %q", name, x.Remedy)
		}
	}
}

func TestASearchOfAHistoryEndsWithItsContext(t *testing.T) {
	r := gittest.New(t)
	r.Commit(t, map[string]string{"a": "1\n"})
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	if _, _, err := detector(t, nil).History(ctx, Past{Repository: repository(t, r.Dir), Dir: ".", Head: "HEAD"}, limit.Limits{}); !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
}

// The two are to find the same, of commits that gitleaks looks into: it passes over merges.
func TestTheHistoryHoldsWhatGitleaksFindsInIt(t *testing.T) {
	d := detector(t, nil)
	r := gittest.New(t)
	secrets := []string{githubToken, slackToken, strings.Replace(githubToken, "x7Kq", "y8Lr", 1)}
	want := map[string]bool{}
	for i := range 12 {
		path := fmt.Sprintf("dir%d/f%d.sh", i%3, i%4)
		s := secrets[i%3]
		content := strings.Repeat("echo\n", i%5) + fmt.Sprintf("T%d=", i) + s + "\n" + strings.Repeat("# x\n", i%2)
		want[path+fmt.Sprint(":", 1+i%5, " ")+r.Commit(t, map[string]string{path: content})] = true
	}
	places, _, _ := searched(t, d, r.Dir, Past{}, limit.Limits{})
	got := map[string]bool{}
	for _, p := range places {
		_, at, _ := strings.Cut(p, " ")
		got[at] = true
	}
	for w := range want {
		if !got[w] {
			t.Errorf("%s was not found in %q", w, places)
		}
	}
	if len(got) != len(want) {
		t.Errorf("found %q, want %v", places, want)
	}
}

// BenchmarkHistory searches 2,000 commits, each of which changes some of 200 files of 8 KiB.
func BenchmarkHistory(b *testing.B) {
	r := gittest.New(b)
	var in strings.Builder
	line := strings.Repeat("config.set(\"name\", value); // an ordinary line of code\n", 150)
	for i := range 2000 {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter t <t@example.invalid> %d +0000\ndata 1\nx\n", 1600000000+i*60)
		files := 3
		if i == 0 {
			files = 200
		}
		for f := range files {
			content := fmt.Sprintf("// version %d\n%s// end %d\n", i, line, i*i)
			fmt.Fprintf(&in, "M 100644 inline src/d%d/f%d.go\ndata %d\n%s\n", (i+f*7)%20, (i*31+f)%10, len(content), content)
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet", "--depth=10")
	cmd.Dir, cmd.Stdin, cmd.Env = r.Dir, strings.NewReader(in.String()), append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	d := detector(b, nil)
	repo := repository(b, r.Dir)
	for b.Loop() {
		findings, x, err := d.History(b.Context(), Past{Repository: repo, Dir: ".", Head: "main"}, limit.Limits{})
		if err != nil || x.Status != core.Complete || len(findings) != 0 {
			b.Fatalf("%v, %+v, %d findings", err, x, len(findings))
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
