// Package diagnostic holds what is wrong with a file that people write, with its place. How files are read must not enter
// it.
package diagnostic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string
	// Line and Column count from 1; columns count characters.
	Line, Column int
	What         string
}

// Error gives the form that editors and log viewers make a link of.
func (p Problem) Error() string { return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What) }

// Problems are all that is wrong with files: an error that a command line prints as a line for each.
type Problems []Problem

// Most is how many problems are reported; a file with more is not what it is taken for.
const Most = 20

// Error gives all problems on one line. Whoever has room prints one line for each.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for _, problem := range p {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "; ")
}

// Sorted returns the problems by line and column, as they were found where these are the same.
func (p Problems) Sorted() Problems {
	return slices.SortedStableFunc(slices.Values(p), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// First returns as many as are reported.
func (p Problems) First() Problems { return p[:min(len(p), Most)] }
