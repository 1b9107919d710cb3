package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// maxHunks is how many lines a patch changes.
const maxHunks = 20

// patch returns the upgrade as a unified diff of the lines that declare the version, or nothing where they are not known
// or say more than a version. It has no context, because evidence has none: "git apply --unidiff-zero" applies it.
//
// https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
func (c change) patch(packages []*core.Package) string {
	if !fits(safeVersion, c.To) || !fits(safeVersion, c.From) {
		return ""
	}
	var lines []core.Location
	for _, p := range packages {
		for _, l := range p.Locations {
			if l.Text != "" && l.Layer == "" {
				lines = append(lines, l)
			}
		}
	}
	slices.SortFunc(lines, func(a, b core.Location) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	lines = slices.CompactFunc(lines, func(a, b core.Location) bool { return a.Path == b.Path && a.Line == b.Line })
	if len(lines) > maxHunks {
		return ""
	}
	var diff strings.Builder
	file := ""
	for _, l := range lines {
		changed, ok := withVersion(l.Text, c.From, c.To)
		if !ok || l.Line < 1 || !fits(safePath, l.Path) {
			return "" // half a patch would look like a whole one
		}
		if l.Path != file {
			fmt.Fprintf(&diff, "--- a/%s\n+++ b/%s\n", l.Path, l.Path)
			file = l.Path
		}
		fmt.Fprintf(&diff, "@@ -%d +%d @@\n-%s\n+%s\n", l.Line, l.Line, l.Text, changed)
	}
	return diff.String()
}

// withVersion replaces the version in a line that has it once, as a whole word, and nothing that depends on it.
func withVersion(text, from, to string) (string, bool) {
	at := strings.Index(text, from)
	if at < 0 || strings.Count(text, from) != 1 || strings.ContainsAny(text, "\n\r\x00") || strings.Contains(text, "--hash") ||
		strings.HasSuffix(strings.TrimRight(text, " \t"), "\\") {
		return "", false
	}
	before, after := text[:at], text[at+len(from):]
	if before != "" && ofVersion(before[len(before)-1]) || after != "" && ofVersion(after[0]) {
		return "", false
	}
	return before + to + after, true
}

// ofVersion reports whether a version would go on with the byte.
func ofVersion(b byte) bool {
	return b >= 0x80 || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' ||
		strings.IndexByte(".+-_~:*!", b) >= 0
}
