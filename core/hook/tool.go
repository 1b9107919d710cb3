package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// missingTool says that a program of a hook is not installed.
type missingTool struct{ name string }

func (m *missingTool) Error() string { return fmt.Sprintf("%s is not installed", m.name) }

// tool is an installed program.
type tool struct {
	path string // as found in the PATH
	real string // without links
}

// findTool looks a program up in a PATH. What is relative, or lies in the source, is not looked at: the source may not say
// which program examines it.
func findTool(name, searchPath, source string) (tool, error) {
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, name)
		info, err := os.Stat(candidate)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		real, err := filepath.EvalSymlinks(candidate)
		if err != nil || within(real, source) || within(candidate, source) {
			continue
		}
		return tool{candidate, real}, nil
	}
	return tool{}, &missingTool{name}
}

// within reports whether a path is in a directory.
func within(p, dir string) bool {
	return dir != "" && (p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/"))
}

// safePath is a PATH for hooks: the absolute entries that are not in the source.
func safePath(searchPath, source string) string {
	var kept []string
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) || within(filepath.Clean(dir), source) {
			continue
		}
		// By another name, or through a link, it may lead into the sources all the same.
		if real, err := filepath.EvalSymlinks(dir); err == nil && within(real, source) {
			continue
		}
		kept = append(kept, dir)
	}
	return strings.Join(kept, string(filepath.ListSeparator))
}

// check compares the program's file with the digest that it must have.
func (t tool) check(want string) error {
	if want == "" {
		return nil
	}
	f, err := os.Open(t.real)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has the SHA-256 %s, and must have %s", t.path, got, want)
	}
	return nil
}

// grants are what the program needs of its installation, with that of a script's interpreter.
func (t tool) grants(home string) []grant {
	g := toolGrants(t.real, home)
	if interpreter := scriptInterpreter(t.real); interpreter != "" {
		g = append(g, grant{interpreter, accessRead})
		if real, err := filepath.EvalSymlinks(interpreter); err == nil {
			g = append(g, toolGrants(real, home)...)
		}
		// A virtual environment is beside the name of its interpreter, not beside what that leads to.
		if prefix := filepath.Dir(filepath.Dir(interpreter)); fileExists(filepath.Join(prefix, "pyvenv.cfg")) {
			g = append(g, grant{prefix, accessRead})
		}
	}
	return append(g, grant{t.path, accessRead})
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
