package dockerfile

import (
	"path"
	"strings"
)

// ignored is what an ignore file keeps out of the build's context.
//
// https://docs.docker.com/build/concepts/context/#dockerignore-files
type ignored struct{ lines []string }

// keepsOut reports whether a path at the top of the context is left out.
func (i *ignored) keepsOut(name string) bool {
	if i == nil {
		return false
	}
	out := false
	for _, line := range i.lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, exception := strings.CutPrefix(line, "!")
		pattern = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(pattern, "./"), "**/"), "/")
		if ok, err := path.Match(pattern, name); err == nil && ok || pattern == "**" {
			out = !exception
		}
	}
	return out
}
