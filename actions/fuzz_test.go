package actions

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// FuzzEvent checks that whatever the payload of a pull request holds, there is a commit as its base or an error.
func FuzzEvent(f *testing.F) {
	sha := strings.Repeat("a", 40)
	f.Add([]byte(`{"number":1,"pull_request":{"number":1,"base":{"sha":"` + sha + `","ref":"main"},"head":{"sha":"` + sha + `"}}}`))
	f.Add([]byte(`{"merge_group":{"base_sha":"` + sha + `","base_ref":"refs/heads/main"}}`))
	f.Add([]byte(`{"issue":{"pull_request":{}}}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := parseEvent(payload)
		if err != nil {
			return
		}
		if c, err := e.change(core.Change{}, "pull_request", core.Change{}); err == nil && !isCommit(c.Base) {
			t.Errorf("the base is %q", c.Base)
		}
	})
}
