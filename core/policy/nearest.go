package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// didYouMean returns "; did you mean …?" with the candidate nearest to name, or the whole list when none is near.
func didYouMean(name string, candidates []string) string {
	if near := nearest(name, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; there are: " + strings.Join(candidates, ", ")
}

// nearest returns the candidate with the smallest edit distance to name, or nothing if even that one is another word.
func nearest(name string, candidates []string) string {
	best, least := "", max(1, (len(name)+2)/3)+1
	for _, candidate := range candidates {
		if len(name) >= 3 && strings.HasPrefix(strings.ToLower(candidate), strings.ToLower(name)) {
			return candidate
		}
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Nearest returns the candidates that somebody may have meant by name, the likeliest first, at most so many.
func Nearest(name string, candidates []string, most int) []string {
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
