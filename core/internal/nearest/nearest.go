// Package nearest finds what somebody may have meant by a name that is not there.
package nearest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DidYouMean returns "; did you mean …?" with the candidate nearest to a name, or the whole list when none is near.
func DidYouMean(name string, candidates []string) string {
	if hint := Hint(name, candidates); hint != "" {
		return hint
	}
	return "; there are: " + strings.Join(candidates, ", ")
}

// Hint returns "; did you mean …?", or nothing when no candidate is near.
func Hint(name string, candidates []string) string {
	if near := To(name, candidates, 1); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", near[0])
	}
	return ""
}

// To returns the candidates that may have been meant, the likeliest first, at most so many. One that begins with the
// name, of three letters or more, is as near as one can be; of all others a third of the letters may differ.
func To(name string, candidates []string, most int) []string {
	type near struct {
		name string
		away int
	}
	var all []near
	limit := max(1, (len(name)+2)/3)
	for _, candidate := range candidates {
		away := distance(strings.ToLower(name), strings.ToLower(candidate))
		if len(name) >= 3 && strings.HasPrefix(strings.ToLower(candidate), strings.ToLower(name)) {
			away = 0
		}
		if away <= limit {
			all = append(all, near{candidate, away})
		}
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(cmp.Compare(a.away, b.away), cmp.Compare(a.name, b.name)) })
	names := make([]string, 0, most)
	for _, n := range all[:min(len(all), most)] {
		names = append(names, n.name)
	}
	return names
}

// distance is Levenshtein's, bounded in work by looking at the first 64 bytes only.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
