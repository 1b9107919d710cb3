package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The comments that say that a line holds no secret. Ours names the rule and gives a reason.
const (
	allowComment  = "gitleaks:allow"
	ignoreComment = "cleanbill:ignore"
)

// inline returns what the line of a match itself says against it.
func inline(m *match) []suppression {
	var all []suppression
	line := strings.ReplaceAll(m.line, m.secret, "") // a secret cannot excuse itself
	if strings.Contains(line, allowComment) {
		all = append(all, suppression{kind: core.SuppressedInline, by: allowComment, path: m.path, line: m.number})
	}
	if _, rest, ok := strings.Cut(line, ignoreComment); ok {
		rule, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if reason = strings.Trim(reason, " \t\r*/->"); rule == m.rule.id && reason != "" {
			all = append(all, suppression{kind: core.SuppressedInline, by: ignoreComment, path: m.path, line: m.number, reason: reason})
		}
	}
	return all
}

// ignoreList is a .gitleaksignore: places of secrets, one in a line.
//
// https://github.com/gitleaks/gitleaks#gitleaksignore
type ignoreList struct {
	lines map[string]int // the place to the line that names it
}

func loadIgnored(read ReadFile) (*ignoreList, error) {
	l := &ignoreList{lines: map[string]int{}}
	data, err := read(ignoreFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, &core.Failure{Doing: "read " + ignoreFile, Err: err, Usage: true}
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(strings.ReplaceAll(line, `\`, "/"), ":")
		_, err := strconv.Atoi(parts[len(parts)-1])
		if len(parts) < 3 || len(parts) > 4 || err != nil {
			return nil, &core.Failure{Doing: "read " + ignoreFile, Usage: true,
				Err:  fmt.Errorf("line %d is not a place of a secret", number),
				Hint: "a line is FILE:RULE:LINE, or COMMIT:FILE:RULE:LINE"}
		}
		l.lines[strings.Join(parts, ":")] = number
	}
	return l, nil
}

// about returns the lines that name the place of a match.
func (l *ignoreList) about(m *match) []suppression {
	place := fmt.Sprintf("%s:%s:%d", m.path, m.rule.id, m.number)
	places := []string{place}
	if m.commit != "" {
		places = append(places, m.commit+":"+place)
	}
	var all []suppression
	for _, p := range places {
		if line, ok := l.lines[p]; ok {
			all = append(all, suppression{kind: core.SuppressedConfig, by: ignoreFile, path: ignoreFile, line: line})
		}
	}
	return all
}
