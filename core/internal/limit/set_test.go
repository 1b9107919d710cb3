package limit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSetChangesTheNamedLimitOnly(t *testing.T) {
	for assignment, want := range map[string]Limits{
		"entries=7":        {Entries: 7},
		"file-size=2KiB":   {FileSize: 2048},
		"total-size=3GiB":  {TotalSize: 3 << 30},
		"layer-size=5":     {LayerSize: 5},
		"time=90s":         {Time: 90 * time.Second},
		"kept-size=1MiB":   {KeptSize: 1 << 20},
		"path-length=255":  {PathLength: 255},
		"metadata-size=1":  {MetadataSize: 1},
		"nesting=2":        {Nesting: 2},
		"ratio=1000000000": {Ratio: 1e9},
	} {
		var got Limits
		if err := got.Set(assignment); err != nil {
			t.Errorf("Set(%q): %v", assignment, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Set(%q): -want +got\n%s", assignment, diff)
		}
	}
}

func TestSetRefusesWhatIsNoLimit(t *testing.T) {
	for _, assignment := range []string{"", "entries", "entries=", "entries=0", "entries=-1", "entries=1KiB", "file-size=9GB",
		"file-size=9223372036854775807GiB", "time=0s", "time=-1s", "time=soon", "unknown=1", "=1"} {
		var got Limits
		if err := got.Set(assignment); err == nil {
			t.Errorf("Set(%q) succeeded", assignment)
		}
		if diff := cmp.Diff(Limits{}, got); diff != "" {
			t.Errorf("Set(%q) changed something: %s", assignment, diff)
		}
	}
}

func TestEveryNameCanBeSetAndHasADefault(t *testing.T) {
	var l Limits
	for _, name := range Names() {
		value := "1"
		if strings.HasSuffix(name, "time") {
			value = "1ns"
		}
		if err := l.Set(name + "=" + value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(l, l.Filled()); diff != "" {
		t.Errorf("a limit has no name: %s", diff)
	}
	if diff := cmp.Diff(Defaults(), Limits{}.Filled()); diff != "" {
		t.Errorf("the zero limits do not become the defaults: %s", diff)
	}
}
