package inventory

import (
	"bytes"
	"context"
	"regexp"
)

// Extractors that go by lines find nothing in a file that is damaged, and nothing in one that locks nothing. The
// patterns here are of what a lockfile without packages consists of; all else is a file that was not understood.

// everyLine returns a test for content whose lines all match the pattern as a whole.
func everyLine(pattern string) func([]byte) bool {
	line := regexp.MustCompile(`^(?:` + pattern + `)?$`)
	return func(content []byte) bool {
		for l := range bytes.Lines(content) {
			if !line.Match(bytes.TrimRight(l, " \t\r\n")) {
				return false
			}
		}
		return true
	}
}

// anyLine returns a test for content that is blank, or of which one line matches the pattern as a whole.
func anyLine(pattern string) func([]byte) bool {
	line := regexp.MustCompile(`(?m)^(?:` + pattern + `)\s*?$`)
	return func(content []byte) bool { return len(bytes.TrimSpace(content)) == 0 || line.Match(content) }
}

// An indent of four is that of an entry in the lockfiles of Bundler and Paket.

func emptyBundler() func([]byte) bool { return everyLine(`[A-Z][A-Z ]*| {2,3}[^ ].*`) }
func emptyPaket() func([]byte) bool   { return everyLine(`[A-Z][A-Z-]+(?:[: ].*)?|  [^ ].*`) }
func emptyMix() func([]byte) bool     { return everyLine(`%\{|\}|%\{\s*\}`) }
func emptyStack() func([]byte) bool   { return anyLine(`packages: \[\]`) }

func emptyCabal() func([]byte) bool {
	return everyLine(`\s*--.*|(?:active-repositories|index-state|with-compiler):.*`)
}

// emptyVendor accepts modules that a directory replaces, which have no version.
func emptyVendor() func([]byte) bool {
	comments, replaced := everyLine(`#.*`), anyLine(`# .* => [./].*`)
	return func(content []byte) bool { return comments(content) || replaced(content) }
}

// emptyRequirements accepts options, and directories, which name no package.
func emptyRequirements() func([]byte) bool { return everyLine(`\s*(?:[#-].*|\.|\.{0,2}/.*)`) }

// checkNothing is for files in which no package was found and nothing wrong: it names those that are not empty.
func (s *analysis) checkNothing(content []byte, empty func([]byte) bool) {
	if len(s.found.Packages) == 0 && len(s.found.Problems) == 0 && !empty(content) {
		s.problem("%v", errNothing)
	}
}

type examination = func(context.Context, *analysis) error

// orNothing runs an examination and then checks a file in which nothing was found.
func orNothing(empty func([]byte) bool, examine examination) examination {
	return func(ctx context.Context, s *analysis) error {
		if err := examine(ctx, s); err != nil || len(s.found.Packages) > 0 {
			return err
		}
		content, err := s.readAll()
		s.checkNothing(content, empty)
		return err
	}
}

func extractAll(ctx context.Context, s *analysis) error { return s.extractAll(ctx) }
