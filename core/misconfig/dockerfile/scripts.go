package dockerfile

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

// readScripts parses what RUN executes. A script that is none for a POSIX shell could not be looked at, and that
// is said,
// unless the file says that it is for another shell.
func (f *file) readScripts(ctx context.Context, c *rule.Collector) {
	for i := range f.steps {
		st := &f.steps[i]
		run, ok := st.command.(*instructions.RunCommand)
		if !ok || ctx.Err() != nil || f.stages[st.stage].foreign {
			continue
		}
		for _, p := range f.pieces(*st, run) {
			s, err := shell.Parse(p.text)
			if err != nil && f.escape != '\\' {
				continue // the other escape is for Windows, whose images do not all have its name
			}
			if err != nil {
				c.Problem(fmt.Sprintf("the command in line %d cannot be read as a shell script: %v", st.first, err))
				continue
			}
			st.scripts = append(st.scripts, script{Script: s, offset: p.offset})
		}
	}
}

// piece is the text of a script, with the line of the file before its first.
type piece struct {
	text   string
	offset int
}

// pieces are the scripts of a RUN instruction.
func (f *file) pieces(st step, run *instructions.RunCommand) []piece {
	switch {
	case len(run.CmdLine) == 0:
		return nil
	case !run.PrependShell: // ["sh", "-c", "…"] or ["command", "argument"]
		for i, a := range run.CmdLine[:len(run.CmdLine)-1] {
			if a == "-c" && posix(run.CmdLine[0]) {
				return []piece{{run.CmdLine[i+1], st.first - 1}}
			}
		}
		return []piece{{quoted(run.CmdLine), st.first - 1}}
	case len(run.Files) == 0 && f.escape != '\\':
		return []piece{{strings.Join(run.CmdLine, " "), st.first - 1}} // in one line: a shell does not know such breaks
	case len(run.Files) == 0:
		return []piece{{f.runText(st), st.first - 1}}
	}
	head := strings.Join(run.CmdLine, " ")
	fields := strings.Fields(head)
	var all []piece
	if !strings.HasPrefix(head, "<<") {
		all = append(all, piece{strings.SplitN(head, "\n", 2)[0] + heredocs(run.Files), st.first - 1})
	}
	if strings.HasPrefix(head, "<<") || len(fields) > 0 && posix(fields[0]) {
		below := 0
		for _, file := range run.Files {
			below += strings.Count(file.Data, "\n") + 1
		}
		offset := st.last - below
		for _, file := range run.Files {
			if !strings.HasPrefix(file.Data, "#!") || strings.Contains(strings.SplitN(file.Data, "\n", 2)[0], "sh") {
				all = append(all, piece{file.Data, offset})
			}
			offset += strings.Count(file.Data, "\n") + 1
		}
	}
	return all
}

// heredocs writes the documents behind a command as the shell reads them.
func heredocs(files []instructions.ShellInlineFile) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, file := range files {
		b.WriteString(file.Data)
		b.WriteString(file.Name + "\n")
	}
	return b.String()
}

// quoted makes one command line of words.
func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(all, " ")
}

// runText is the script as it stands in the file, so that its lines and columns are those of the file: the keyword and
// options are blanked, and lines that BuildKit leaves out go on to the next.
func (f *file) runText(st step) string {
	var lines []string
	for n := st.first; n <= st.last; n++ {
		line := f.source.Line(n)
		trimmed := strings.TrimSpace(line)
		if n > st.first && n < st.last && (trimmed == "" || strings.HasPrefix(trimmed, "#")) {
			line = `\`
		}
		if n < st.last {
			line = strings.TrimRight(line, " \t")
		}
		lines = append(lines, line)
	}
	text := []byte(strings.Join(lines, "\n"))
	at := blankWord(text, 0)
	if st.onbuild {
		at = blankWord(text, at)
	}
	for {
		next := skipSpace(text, at)
		if next+2 >= len(text) || text[next] != '-' || text[next+1] != '-' {
			return string(text)
		}
		at = blankWord(text, next)
	}
}

// blankWord overwrites the next word with spaces and returns its end.
func blankWord(text []byte, at int) int {
	for at = skipSpace(text, at); at < len(text) && !strings.ContainsRune(" \t\n", rune(text[at])); at++ {
		text[at] = ' '
	}
	return at
}

// skipSpace goes over space and line breaks that do not end the command.
func skipSpace(text []byte, at int) int {
	for at < len(text) {
		switch {
		case text[at] == ' ' || text[at] == '\t' || text[at] == '\n':
			at++
		case text[at] == '\\' && at+1 < len(text) && text[at+1] == '\n':
			at += 2
		default:
			return at
		}
	}
	return at
}
