package yamldoc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func first(t testing.TB, text string) Node {
	t.Helper()
	docs, err := Parse([]byte(text))
	if err != nil || len(docs) == 0 {
		t.Fatalf("%q: %d documents, %v", text, len(docs), err)
	}
	return docs[0]
}

func TestNodesAnswerWhateverTheyAre(t *testing.T) {
	n := first(t, "a: {b: [x, y]}\nc: ~\nd: True\nd2: 'no'\n")
	if got := n.Get("a", "b").Texts(); len(got) != 2 || got[1] != "y" {
		t.Error(got)
	}
	if n.Get("a", "b", "c", "d").Exists() || !n.Get("c").IsNull() || !n.Get("d").Is("true") || n.Get("d2").Is("true") {
		t.Error("wrong answers")
	}
	if at := n.Key("d"); at.Line() != 3 || at.Column() != 1 {
		t.Errorf("%d:%d", at.Line(), at.Column())
	}
}

func TestMergeKeysAndAliasesAreFollowed(t *testing.T) {
	n := first(t, "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x\n")
	if n.Get("y", "a").Text() != "1" || n.Get("y", "b").Text() != "3" || n.Get("z", "b").Text() != "2" {
		t.Error("merge or alias not followed")
	}
	if len(n.Get("y").Pairs()) != 2 {
		t.Error(len(n.Get("y").Pairs()))
	}
}

func TestTheLastOfTwoEqualKeysCounts(t *testing.T) {
	if first(t, "privileged: false\nprivileged: true\n").Get("privileged").Text() != "true" {
		t.Error("the first counted")
	}
}

func TestBombsEndInAnErrorAndNotInMemory(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	if _, err := first(t, bomb).Value(); !errors.Is(err, errTooDeep) {
		t.Errorf("a bomb: %v", err)
	}
	if _, err := first(t, "a: &a [*a]").Value(); !errors.Is(err, errTooDeep) {
		t.Errorf("a cycle: %v", err)
	}
	first(t, bomb).Walk(func(Node) {})
	var tooLarge *TooLarge
	if _, err := Parse([]byte(strings.Repeat("[", maxNodes+1))); !errors.As(err, &tooLarge) {
		t.Errorf("many nodes: %v", err)
	}
	if _, err := Parse(make([]byte, maxSize+1)); !errors.As(err, &tooLarge) {
		t.Errorf("many bytes: %v", err)
	}
	if _, err := Parse([]byte(strings.Repeat("[", maxNodes/2))); err == nil {
		t.Error("deep nesting was read")
	}
}

func TestMergesOfMergesAndAliasedKeysAreFollowed(t *testing.T) {
	text := "m0: &m0 {deep: yes}\n"
	for i := 1; i <= 40; i++ {
		text += fmt.Sprintf("m%d: &m%d {<<: *m%d, k%d: x}\n", i, i, i-1, i)
	}
	n := first(t, text+"k: &k named\nend: {<<: *m40}\n*k : found\n")
	if !n.Get("end", "deep").Is("true") || n.Get("end").Key("k1").Line() != 2 {
		t.Error("what is merged many times over is not found")
	}
	if got := len(n.Get("end").Pairs()); got != 41 {
		t.Errorf("%d pairs, want 41", got)
	}
	if n.Get("named").Text() != "found" {
		t.Error("a key that is an alias is not found")
	}
	value, err := n.Get("end").Value()
	if m, ok := value.(map[string]any); err != nil || !ok || m["deep"] == nil || m["<<"] != nil {
		t.Errorf("%v, %v", value, err)
	}
}

func TestMergesThatLeadToTheSameAgainAndAgainCostLittle(t *testing.T) {
	text := "m0: &m0 {a: b}\n"
	for i := 1; i <= 30; i++ {
		text += fmt.Sprintf("m%d: &m%d {<<: [%s*m%d]}\n", i, i, strings.Repeat(fmt.Sprintf("*m%d, ", i-1), 50), i-1)
	}
	n := first(t, text).Get("m30")
	if n.Get("none").Exists() || len(n.Pairs()) != 1 {
		t.Error("wrong answers")
	}
	loop := first(t, "a: &a {<<: *a, b: c}\n").Get("a")
	if loop.Get("none").Exists() || len(loop.Pairs()) != 1 {
		t.Error("wrong answers of a mapping that is merged into itself")
	}
}

func TestWordsForTrueAndFalseAreThoseOfTheirReaders(t *testing.T) {
	n := first(t, "a: yes\nb: On\nc: off\nd: text\n")
	if !n.Get("a").Is("true") || !n.Get("b").Is("true") || !n.Get("c").Is("false") || n.Get("d").Is("true") ||
		n.Get("none").Is("false") || !n.Get("d").Is("TEXT") {
		t.Error("wrong answers")
	}
}

func TestDocumentsBeforeOneThatCannotBeReadAreThere(t *testing.T) {
	docs, err := Parse([]byte("a: b\n---\n# c\nd: e\n---\n@\n---\nf: g\n"))
	if err == nil || len(docs) != 2 || docs[0].Key("a").Line() != 1 || docs[1].Key("d").Line() != 4 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}

func TestJSONWithTabsIsRead(t *testing.T) {
	if first(t, "{\n\t\"a\": \"b\"\n}").Get("a").Text() != "b" {
		t.Error("not read")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: &a [*a]", "<<: {a: 1}", "{\"a\":\t1}", "a: |\n b\n---\nc: ~\n", "? [a]\n: b",
		"- - - x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, _ := Parse(text)
		for _, d := range docs {
			if d.Line() < 1 {
				t.Fatalf("%q: a document without a place", text)
			}
			d.Walk(func(n Node) { _ = n.Text() })
			_, _ = d.Value()
			d.Get("a", "b")
			d.Pairs()
		}
	})
}
