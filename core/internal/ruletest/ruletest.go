// Package ruletest holds rules to samples: texts that break a rule, and texts that do not. It is for tests.
package ruletest

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Family examines a text by all rules of one family.
type Family func(t testing.TB, text string) core.Found

// Found returns the findings of one rule in a text that can be read.
func (f Family) Found(t testing.TB, id, text string) []core.Finding {
	t.Helper()
	found := f(t, text)
	if len(found.Problems) > 0 {
		t.Errorf("%v in:\n%s", found.Problems, text)
	}
	var all []core.Finding
	for _, one := range found.Findings {
		if one.Rule == id {
			all = append(all, one)
		}
	}
	return all
}

// Flags holds that each text breaks the rule, once, and at a place.
func (f Family) Flags(t testing.TB, id string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := f.Found(t, id, text); len(got) != 1 {
			t.Errorf("%s finds %d in:\n%s", id, len(got), text)
		} else if got[0].Locations[0].Line < 1 || got[0].Locations[0].Column < 1 {
			t.Errorf("%s has no place in:\n%s", id, text)
		}
	}
}

// Spares holds that no text breaks the rule.
func (f Family) Spares(t testing.TB, id string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := f.Found(t, id, text); len(got) != 0 {
			t.Errorf("%s finds %v in:\n%s", id, got[0].Title, text)
		}
	}
}

// Is holds that the rule's one finding in a text has a severity and a line.
func (f Family) Is(t testing.TB, id, text string, severity core.Severity, line int) {
	t.Helper()
	if got := f.Found(t, id, text); len(got) != 1 || got[0].Severity != severity || got[0].Locations[0].Line != line {
		t.Errorf("%s: %+v in:\n%s", id, got, text)
	}
}
