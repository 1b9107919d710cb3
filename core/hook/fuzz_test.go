package hook_test

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// fuzz checks of one reader that nothing makes it panic, and that what it gives is what documents of evidence accept.
func fuzz(f *testing.F, format string) {
	f.Add(samples[format])
	f.Add(samples[format][:len(samples[format])/2])
	f.Fuzz(func(t *testing.T, text string) {
		r, err := hook.ReadAs(format, strings.NewReader(text), "/w")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %v", err)
			}
			return
		}
		wellFormed(t, r)
	})
}

func wellFormed(t *testing.T, r hook.Report) {
	t.Helper()
	if r.Tool == "" || len(r.Examinations) == 0 {
		t.Errorf("nobody looked: %+v", r)
	}
	for _, x := range r.Examinations {
		if !strings.HasPrefix(x.Name, hook.ExaminationPrefix) || x.Tool == "" ||
			(x.Status == core.Complete) != (len(x.Why) == 0) {
			t.Errorf("%+v", x)
		}
	}
	type key struct{ fingerprint, purl, version string }
	seen := map[key]bool{}
	for _, x := range r.Findings {
		k := key{fingerprint: x.Fingerprint}
		if x.Package != nil {
			k.purl, k.version = x.Package.Purl+" "+x.Package.Name, x.Package.Version
		}
		if seen[k] {
			t.Errorf("two findings have one fingerprint: %+v", x)
		}
		seen[k] = true
		if x.Rule == "" || x.Title == "" || len(x.Fingerprint) != 32 || len(x.SeenBy) != 1 || x.Score != nil &&
			(*x.Score < 0 || *x.Score > 10) {
			t.Errorf("%+v", x)
		}
		for _, l := range x.Locations {
			if l.Path == "" || strings.HasPrefix(l.Path, "/") || strings.HasPrefix(l.Path+"/", "../") || l.Line < 0 ||
				l.Column < 0 || l.EndLine < 0 {
				t.Errorf("%+v", l)
			}
		}
		for _, s := range x.Suppressions {
			if s.Kind == "" || s.By == "" || s.Line < 0 || s.Base {
				t.Errorf("%+v", s)
			}
		}
	}
}

// FuzzRead checks the same of telling the formats apart.
func FuzzRead(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := hook.Read(strings.NewReader(text)); err == nil {
			wellFormed(t, r)
		}
	})
}

func FuzzSARIF(f *testing.F)       { fuzz(f, "sarif") }
func FuzzAqua(f *testing.F)        { fuzz(f, "aqua") }
func FuzzBandit(f *testing.F)      { fuzz(f, "bandit") }
func FuzzBanditXML(f *testing.F)   { fuzz(f, "bandit-xml") }
func FuzzCheckstyle(f *testing.F)  { fuzz(f, "checkstyle") }
func FuzzCppcheck(f *testing.F)    { fuzz(f, "cppcheck") }
func FuzzESLint(f *testing.F)      { fuzz(f, "eslint") }
func FuzzGitLab(f *testing.F)      { fuzz(f, "gitlab") }
func FuzzGosec(f *testing.F)       { fuzz(f, "gosec") }
func FuzzGovulncheck(f *testing.F) { fuzz(f, "govulncheck") }
func FuzzGrype(f *testing.F)       { fuzz(f, "grype") }
func FuzzNPMAudit(f *testing.F)    { fuzz(f, "npm-audit") }
func FuzzRuboCop(f *testing.F)     { fuzz(f, "rubocop") }
func FuzzShellCheck(f *testing.F)  { fuzz(f, "shellcheck") }
func FuzzSnyk(f *testing.F)        { fuzz(f, "snyk") }
func FuzzSonarQube(f *testing.F)   { fuzz(f, "sonarqube") }
func FuzzTrivy(f *testing.F)       { fuzz(f, "trivy") }
