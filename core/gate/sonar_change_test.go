package gate_test

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

// Whoever writes a change could ask a server of his own, which says what he likes.
func TestAChangeDoesNotSayWhoAnswersWhatThePolicyRequires(t *testing.T) {
	const requiring = lax + "advisories: {source: starter}\nrequire: [target, sonarqube]\n"
	asking := gate.Sonar{Project: "mine", URL: "http://127.0.0.1:1", Wait: 1}
	for name, tc := range map[string]struct {
		policy string
		sonar  gate.Sonar
		says   string // of the mistake; empty: what could not be asked is a gap
	}{
		"required":             {requiring, asking, "allow: [sonar]"},
		"required and allowed": {requiring + "allow: [sonar]\n", asking, ""},
		"not required":         {lax + "advisories: {source: starter}\n", asking, ""},
		"required, not asked":  {requiring, gate.Sonar{URL: "http://127.0.0.1:1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			repository := gittest.New(t)
			base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": tc.policy})
			repository.Write(t, map[string]string{"a.go": "package a\n"})
			p := gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}, Sonar: tc.sonar}
			_, exit, err := judgeChange(t, p)
			if refused := exit == 2 && core.Usage(err); refused != (tc.says != "") || !strings.Contains(core.HintOf(err), tc.says) ||
				!refused && exit != 3 {
				t.Errorf("exit code %d: %v (%s)", exit, err, core.HintOf(err))
			}
		})
	}
}
