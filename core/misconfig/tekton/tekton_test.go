package tekton

import (
	"context"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/ruletest"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

var family = ruletest.Family(examine)

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
