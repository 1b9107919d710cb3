package walk

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestTreeReadsAFileUnderTheNameThatALinkGivesIt(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("outside 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := lines{"lines", suffix(".pkgs")}
	related := relating{plain, suffixName(".rel"), func(f core.File) []string {
		content, err := io.ReadAll(f.Content)
		if err != nil || f.Related == nil {
			return []string{"nothing"}
		}
		return []string{strings.TrimSuffix(strings.TrimSpace(string(content)), " 1")}
	}}
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []string
		gap   string
	}{
		{"beside it", map[string]string{"d/x.pkgs": "-> other", "d/other": "a 1"}, []string{"a@1 d/x.pkgs"}, ""},
		{"elsewhere", map[string]string{"d/x.pkgs": "-> ../e/other", "e/other": "a 1"}, []string{"a@1 d/x.pkgs"}, ""},
		{"through a directory that is a link", map[string]string{"x.pkgs": "-> l/other", "l": "-> e", "e/other": "a 1"},
			[]string{"a@1 x.pkgs"}, ""},
		{"large", map[string]string{"x.pkgs": "-> other", "other": "a 1" + strings.Repeat("\n", inMemory)},
			[]string{"a@1 x.pkgs"}, ""},
		{"to a file of a wanted name", map[string]string{"x.pkgs": "-> y.pkgs", "y.pkgs": "a 1"}, []string{"a@1 y.pkgs"}, ""},
		{"under a name that nobody wants", map[string]string{"x": "-> other", "other": "a 1"}, nil, ""},
		{"to nowhere", map[string]string{"x.pkgs": "-> nowhere"}, nil, ""},
		{"to a directory", map[string]string{"x.pkgs": "-> d", "d/other": "a 1"}, nil, ""},
		{"out of the tree", map[string]string{"x.pkgs": "-> ../../../../../../etc/passwd"}, nil, "x.pkgs: it is a link that"},
		{"to an absolute path", map[string]string{"x.pkgs": "-> " + outside}, nil, "x.pkgs: it is a link that"},
		{"out of the tree under a name that nobody wants", map[string]string{"x": "-> " + outside}, nil, ""},
		{"into what git keeps", map[string]string{"x.pkgs": "-> .git/x.pkgs", ".git/x.pkgs": "a 1"}, nil, "leads into .git"},
	} {
		for _, a := range []core.Analyzer{plain, related} {
			t.Run(tc.name, func(t *testing.T) {
				e := walkTree(t, writeTree(t, tc.files), Options{Analyzers: []core.Analyzer{a}})
				if diff := cmp.Diff(tc.want, summary(e)); diff != "" {
					t.Errorf("packages (-want +got):\n%s", diff)
				}
				i := slices.IndexFunc(e.Examinations, func(x core.Examination) bool { return x.Name == core.ExaminePackages })
				x := e.Examinations[i]
				if why := strings.Join(x.Why, "\n"); (x.Status == core.Complete) != (tc.gap == "") || !strings.Contains(why, tc.gap) {
					t.Errorf("%s: %s, want %q", x.Status, why, tc.gap)
				}
			})
		}
	}
}
