package hook

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Survey is what there is in a source tree to choose hooks by. Contents are not read.
type Survey struct {
	// Dir is the tree's directory, absolute and without links.
	Dir string
	// Languages counts the files of each language, what is vendored left out.
	Languages map[string]int

	files []string // slash-separated, relative, in order
	gits  []string // directories named .git, relative
}

// languageOf are the languages by the extensions of their files.
func languageOf() map[string][]string {
	return map[string][]string{
		"c":          {".c", ".h"},
		"cpp":        {".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"},
		"csharp":     {".cs"},
		"go":         {".go"},
		"java":       {".java"},
		"javascript": {".js", ".cjs", ".mjs", ".jsx"},
		"kotlin":     {".kt", ".kts"},
		"php":        {".php"},
		"python":     {".py", ".pyw"},
		"ruby":       {".rb", ".erb"},
		"rust":       {".rs"},
		"scala":      {".scala"},
		"shell":      {".sh", ".bash", ".ksh"},
		"swift":      {".swift"},
		"terraform":  {".tf"},
		"typescript": {".ts", ".tsx", ".mts", ".cts"},
	}
}

// Languages returns the names of all languages that select hooks.
func Languages() []string {
	var all []string
	for name := range languageOf() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Look surveys a source tree of at most maxEntries files and directories.
func Look(ctx context.Context, dir string, maxEntries int64) (*Survey, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute)
	}
	if err != nil {
		return nil, err
	}
	byExtension := map[string]string{}
	for language, extensions := range languageOf() {
		for _, e := range extensions {
			byExtension[e] = language
		}
	}
	s := &Survey{Dir: absolute, Languages: map[string]int{}}
	var entries int64
	err = filepath.WalkDir(absolute, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == absolute {
			return skipUnreadable(p == absolute, err)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return &limit.Exceeded{Limit: "entries", Max: maxEntries, Unit: "entries", What: "the source tree"}
		}
		rel := filepath.ToSlash(p[len(strings.TrimSuffix(absolute, "/"))+1:])
		switch {
		case d.IsDir() && d.Name() == ".git":
			s.gits = append(s.gits, rel)
			return filepath.SkipDir
		case d.Type().IsRegular() && !vendored(rel):
			s.files = append(s.files, rel)
			if language := byExtension[strings.ToLower(path.Ext(rel))]; language != "" {
				s.Languages[language]++
			}
		}
		return nil
	})
	return s, err
}

// skipUnreadable passes over what cannot be read, which the examination of the files reports; a root that cannot be read
// is an error.
func skipUnreadable(root bool, err error) error {
	if err != nil && root {
		return err
	}
	return nil
}

// vendored reports whether a path is within code of others that lies in the tree.
func vendored(p string) bool {
	return strings.HasPrefix(p, "vendor/") || strings.HasPrefix(p, "node_modules/") ||
		strings.Contains(p, "/vendor/") || strings.Contains(p, "/node_modules/")
}

// selected returns the files that select a hook.
func (s *Survey) selected(h *Hook) []string {
	var extensions []string
	for _, language := range h.Languages {
		extensions = append(extensions, languageOf()[language]...)
	}
	var found []string
	for _, f := range s.files {
		if slices.Contains(extensions, strings.ToLower(path.Ext(f))) || slices.ContainsFunc(h.Files, func(p string) bool { return matches(p, f) }) {
			found = append(found, f)
		}
	}
	return found
}

// Selects counts the files that select a hook.
func (s *Survey) Selects(h Hook) int { return len(s.selected(&h)) }

// matches compares a pattern with a name, or with the whole path if the pattern has a slash.
func matches(pattern, file string) bool {
	if !strings.Contains(pattern, "/") {
		file = path.Base(file)
	}
	ok, err := path.Match(pattern, file)
	return err == nil && ok
}

// places returns the directories that a hook runs in, relative to the tree.
func (s *Survey) places(h *Hook) []string {
	if h.Each == "" {
		return []string{"."}
	}
	var found []string
	for _, f := range s.files {
		if path.Base(f) == h.Each {
			found = append(found, path.Dir(f))
		}
	}
	return found
}

// grants are the rights of a hook in the tree: all may be read but the directories named .git. A rule reaches everything
// below its path, so a directory that has one somewhere below is opened entry by entry.
func (s *Survey) grants() ([]grant, error) {
	open := map[string]bool{}
	for _, g := range s.gits {
		for dir := path.Dir(g); ; dir = path.Dir(dir) {
			open[dir] = true
			if dir == "." {
				break
			}
		}
	}
	if len(open) == 0 {
		return []grant{{s.Dir, accessRead}}, nil
	}
	var all []grant
	for dir := range open {
		absolute := filepath.Join(s.Dir, filepath.FromSlash(dir))
		all = append(all, grant{absolute, accessList})
		entries, err := os.ReadDir(absolute)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			// A link is followed by the rule; what it leads to has a rule of its own, or is not the hook's to read.
			if rel := path.Join(dir, e.Name()); !open[rel] && !(e.IsDir() && e.Name() == ".git") && e.Type()&fs.ModeSymlink == 0 {
				all = append(all, grant{filepath.Join(absolute, e.Name()), accessRead})
			}
		}
	}
	return all, nil
}

// hidden are the directories that are not to be seen at all.
func (s *Survey) hidden() []string {
	var all []string
	for _, g := range s.gits {
		all = append(all, filepath.Join(s.Dir, filepath.FromSlash(g)))
	}
	return all
}
