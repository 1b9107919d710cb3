package vuln

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// counting is a set that counts what it is asked, and fails on request.
type counting struct {
	*advisory.Set
	asked int
	fails error
}

func (c *counting) Affected(ctx context.Context, ecosystem, name string) ([]advisory.Affected, error) {
	c.asked++
	if c.fails != nil {
		return nil, c.fails
	}
	return c.Set.Affected(ctx, ecosystem, name)
}

func TestAMatcherAnswersAsMatchDoesAndAsksOnce(t *testing.T) {
	set := &counting{Set: setOf(t, map[string][]string{"npm": {
		osv("GHSA-aaaa-bbbb-cccc", "", affectedBy("npm", "left-pad", "introduced=0 fixed=2.0.0"))}})}
	several := NewMatcher(set)
	evidence := func(name core.Digest) *core.Evidence {
		e := evidenceOf(pkg("npm", "left-pad", "1.0.0", ""), pkg("npm", "right-pad", "1.0.0", ""))
		e.Subjects[0].Name = string(name)
		return e
	}
	set.fails = errors.New("out of reach")
	if err := several.Match(t.Context(), evidence("broken"), now); err == nil {
		t.Fatal("a set that cannot be read is no error")
	}
	set.fails, set.asked = nil, 0
	want := evidence("one")
	if err := Match(t.Context(), set, want, now); err != nil {
		t.Fatal(err)
	}
	if len(want.Findings) != 1 {
		t.Fatalf("found %v", want.Findings)
	}
	set.asked = 0
	asked := 0
	for range 3 {
		got := evidence("one")
		if err := several.Match(t.Context(), got, now); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if asked == 0 {
			asked = set.asked
		}
	}
	if set.asked != asked || asked == 0 {
		t.Errorf("the set was asked %d times for one image, and %d for three", asked, set.asked)
	}
}
