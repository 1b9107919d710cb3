package tekton

import (
	"context"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func examine(t testing.TB, text string) core.Found {
	t.Helper()
	docs, err := yamldoc.Parse([]byte(text))
	if err != nil || len(docs) == 0 {
		t.Fatalf("%d documents, %v in:\n%s", len(docs), err, text)
	}
	s := rule.NewSource("file.yml", []byte(text))
	c := rule.NewCollector(s)
	var objects []Object
	for _, d := range docs {
		objects = append(objects, Object{Kind: d.Get("kind").Text(), Name: d.Get("metadata", "name").Text(), Node: d})
	}
	Examine(context.Background(), c, s, objects)
	return c.Found(func(string) bool { return true })
}

func found(t testing.TB, id, text string) []core.Finding {
	t.Helper()
	var all []core.Finding
	for _, one := range examine(t, text).Findings {
		if one.Rule == id {
			all = append(all, one)
		}
	}
	return all
}

// flags holds that each text breaks the rule, once.
func flags(t *testing.T, id string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := found(t, id, text); len(got) != 1 {
			t.Errorf("%s finds %d in:\n%s", id, len(got), text)
		} else if got[0].Locations[0].Line < 1 || got[0].Locations[0].Column < 1 {
			t.Errorf("%s has no place in:\n%s", id, text)
		}
	}
}

// spares holds that no text breaks the rule.
func spares(t *testing.T, id string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := found(t, id, text); len(got) != 0 {
			t.Errorf("%s finds %v in:\n%s", id, got[0].Title, text)
		}
	}
}

// is holds that the rule's one finding in a text has a severity and a line.
func is(t *testing.T, id, text string, severity core.Severity, line int) {
	t.Helper()
	if got := found(t, id, text); len(got) != 1 || got[0].Severity != severity || got[0].Locations[0].Line != line {
		t.Errorf("%s: %+v in:\n%s", id, got, text)
	}
}
