package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

// A cache that lies in the project's folder, where some platforms want it, is not the change's to fill.
func TestAChangeBringsNoCacheOfAdvisories(t *testing.T) {
	const head = "advisories/heads/published"
	for name, tc := range map[string]struct {
		files map[string]string
		link  string // what .cache is a link to
		used  bool
	}{
		"not in the commit":                   {used: true},
		"another folder of the same cache":    {files: map[string]string{".cache/pip/x": "x"}, used: true},
		"in the commit":                       {files: map[string]string{".cache/" + head: "forged"}},
		"a link to files of the commit":       {files: map[string]string{"docs/" + head: "forged"}, link: "docs"},
		"a link that leads out of the commit": {link: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			repository := gittest.New(t)
			base := repository.Commit(t, map[string]string{"go.mod": "module example.invalid/app\n"})
			if tc.link != "" {
				if err := os.Symlink(tc.link, filepath.Join(repository.Dir, ".cache")); err != nil {
					t.Fatal(err)
				}
			}
			if tc.files == nil {
				tc.files = map[string]string{"README.md": "x\n"}
			}
			repository.Commit(t, tc.files)
			repository.Write(t, map[string]string{"kept-between-runs": "x\n"})
			g := &Gate{Now: time.Now, Getenv: func(name string) string {
				if name == variableCache {
					return filepath.Join(repository.Dir, ".cache")
				}
				return ""
			}}
			for change, used := range map[core.Change]bool{{Base: base}: tc.used, {}: true} {
				s, err := g.openSources(Plan{Source: repository.Dir, Change: change})
				if err != nil {
					t.Fatal(err)
				}
				o := g.openAdvisories(t.Context(), Plan{Advisories: StarterAdvisories}, s, signature.Trust{}, func(error) {})
				<-o.finished
				if got := o.options.Cache != nil; got != used {
					t.Errorf("with the base %q the cache is used: %t", change.Base, got)
				}
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What is too large to be compared may be anything, and so is told.
func TestALargeFileOfExcusesCountsAsDifferent(t *testing.T) {
	repository := gittest.New(t)
	large := strings.Repeat("x", maxCompared+1)
	base := repository.Commit(t, map[string]string{".trivyignore": large, ".snyk": "x\n"})
	repository.Write(t, map[string]string{".trivyignore": large + "y"})
	s, err := (&Gate{Now: time.Now}).openSources(Plan{Source: repository.Dir, Change: core.Change{Base: base}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for name, want := range map[string]string{".trivyignore": "is different in this change", ".snyk": ""} {
		if got, _, err := s.stateOf(name); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
