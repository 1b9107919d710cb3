package gate

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/sonar"
)

// Setting is something that can be said of a run. A flag wins over a platform's input, that over the variable, that over
// the policy file, and that over the default.
type Setting struct {
	// Key is its name, in a policy's list of what it allows too.
	Key string
	// Flag, Variable and Input are how the command line, the environment and GitHub's step name it; empty if they do not.
	Flag, Variable, Input string
	// Default is what holds if nobody says anything, and OnChange what is different when a change is judged.
	Default, OnChange string

	// loosens reports whether the plan uses it in a way that could make a verdict laxer; nil if there is no such way.
	loosens func(p Plan, judge *policy.Policy) bool
}

// The variables of the environment. They mean the same to the command line and to every platform.
const (
	variableTarget     = "CLEANBILL_TARGET"
	variablePolicy     = "CLEANBILL_POLICY"
	variableConfig     = "CLEANBILL_CONFIG"
	variablePlatforms  = "CLEANBILL_PLATFORMS"
	variableAdvisories = "CLEANBILL_ADVISORIES"
	variableOffline    = "CLEANBILL_OFFLINE"
	variableVEX        = "CLEANBILL_VEX"
	variableImports    = "CLEANBILL_IMPORTS"
	variableHooks      = "CLEANBILL_HOOKS"
	variableOutputs    = "CLEANBILL_OUTPUTS"
	variableEvidence   = "CLEANBILL_EVIDENCE"
	variableCategory   = "CLEANBILL_CATEGORY"

	variableSonar            = "CLEANBILL_SONAR"
	variableSonarProject     = "CLEANBILL_SONAR_PROJECT"
	variableSonarBranch      = "CLEANBILL_SONAR_BRANCH"
	variableSonarPullRequest = "CLEANBILL_SONAR_PULL_REQUEST"
	variableSonarWait        = "CLEANBILL_SONAR_WAIT"
	variableSonarURL         = "SONAR_HOST_URL" // as Sonar's own scanners name it

	variableLimits  = "CLEANBILL_LIMITS"
	variableHistory = "CLEANBILL_HISTORY"
	variableBase    = "CLEANBILL_BASE"
	variableBranch  = "CLEANBILL_BRANCH"
	variableCache   = "CLEANBILL_CACHE_DIR"
)

const refused = "refused, unless the base's policy lists it under `allow`"

// Settings returns every setting, in the order of the documentation.
func Settings() []Setting {
	return append([]Setting{
		{Key: "target", Variable: variableTarget, Input: "target", Default: "none; the command line names it as arguments",
			OnChange: "the same"},
		{Key: "policy", Flag: "policy", Variable: variablePolicy, Input: "policy", Default: "`" + PolicyFile + "`, or `standard` without one",
			OnChange: "read from the base; another policy is " + refused + ". `standard` and `strict` are accepted where the base has no policy"},
		{Key: "config", Flag: "config", Variable: variableConfig, Default: "`" + PolicyFile + "`", OnChange: "as `policy`"},
		{Key: "platforms", Flag: "platform", Variable: variablePlatforms, Input: "platforms", Default: "every platform", OnChange: refused,
			loosens: func(p Plan, _ *policy.Policy) bool { return len(p.Platforms) > 0 }},
		{Key: "advisories", Flag: "advisories", Variable: variableAdvisories, Input: "advisories",
			Default:  "the published set",
			OnChange: refused + " or names who must have signed the set. `starter` is accepted where the policy lets it pass nothing",
			loosens:  otherAdvisories},
		{Key: "offline", Flag: "offline", Variable: variableOffline, Default: "`false`", OnChange: refused + " or is itself offline",
			loosens: func(p Plan, judge *policy.Policy) bool { return p.Offline && !judge.Advisories().Offline }},
		{Key: "baseline", Flag: "baseline", Default: "what the policy names, when a change is judged", OnChange: refused + " or names it itself",
			loosens: func(p Plan, judge *policy.Policy) bool {
				return p.Baseline != "" && judge.Baseline().Source.Name == ""
			}},
		{Key: "vex", Flag: "vex", Variable: variableVEX, Default: "none",
			OnChange: "read from the base if it lies in the repository; counts as far as the base's policy lets it"},
		{Key: "imports", Flag: "import", Variable: variableImports, Default: "none", OnChange: refused,
			loosens: func(p Plan, _ *policy.Policy) bool { return len(p.Imports) > 0 }},
		{Key: "sonar", Flag: "sonar", Variable: variableSonar, Default: "none",
			OnChange: "the same: what a server says is only added. Where the base's policy requires `sonarqube`, it is " + refused,
			loosens:  requiredSonar},
		{Key: "sonar-project", Flag: "sonar-project", Variable: variableSonarProject, Default: "none", OnChange: "as `sonar`"},
		{Key: "sonar-branch", Flag: "sonar-branch", Variable: variableSonarBranch, Default: "the main branch", OnChange: "as `sonar`"},
		{Key: "sonar-pull-request", Flag: "sonar-pull-request", Variable: variableSonarPullRequest, Default: "none", OnChange: "as `sonar`"},
		{Key: "sonar-url", Flag: "sonar-url", Variable: variableSonarURL, Default: "`" + sonar.Cloud + "`", OnChange: "as `sonar`"},
		{Key: "sonar-wait", Flag: "sonar-wait", Variable: variableSonarWait, Default: "`5m`", OnChange: "as `sonar`"},
		{Key: "sonar-token", Variable: variableSonarToken, Default: "none: what the server tells everybody", OnChange: "the same"},
		{Key: "hooks", Flag: "hooks", Variable: variableHooks, Default: "those of the policy, and those that it requires; otherwise none",
			OnChange: "`auto` and names of presets are added to those of the base's policy; `none` where that has some, and a file, are " + refused,
			loosens:  otherHooks},
		{Key: "limits", Flag: "limit", Variable: variableLimits, Input: "limits", Default: "see `cleanbill gate --help`", OnChange: refused,
			loosens: func(p Plan, _ *policy.Policy) bool { return p.Limits != (Limits{}) }},
		{Key: "history", Flag: "history", Variable: variableHistory,
			Default:  "none; `--history` alone means `all`. `REVISION..` means the commits since that one",
			OnChange: "the commits that the change adds. `all` is accepted; `none` and `REVISION..` are " + refused,
			loosens:  func(p Plan, _ *policy.Policy) bool { return p.History != "" && p.History != HistoryAll }},
		{Key: "outputs", Flag: "output", Variable: variableOutputs, Input: "outputs", Default: "none, or those of the platform",
			OnChange: "the same"},
		{Key: "base", Flag: "base", Variable: variableBase, Input: "base", Default: "what the platform says of the change; none elsewhere",
			OnChange: "it must not contradict the platform"},
		{Key: "comment-token", Input: "comment-token", Default: "none: no comment", OnChange: "the same: a comment changes no verdict"},
		{Key: "provenance", Input: "provenance", Default: "`false`", OnChange: "the same: only what passed is attested"},
		{Key: "category", Variable: variableCategory, Input: "category", Default: "none", OnChange: "the same: it tells comments and reports apart"},
		{Key: "branch", Flag: "branch", Variable: variableBranch, Default: "what the platform says; none elsewhere",
			OnChange: "the platform's word counts"},
		{Key: "parallel", Flag: "parallel", Default: "one for each processor, at most 4", OnChange: "the same"},
		{Key: "evidence", Flag: "evidence", Variable: variableEvidence, Input: "evidence", Default: "none",
			OnChange: "the same: it refuses, and passes nothing"},
		{Key: "push", Flag: "push", Input: "push", Default: "nowhere", OnChange: "the same: what is published is judged in full"},
		{Key: "statement-size", Flag: "statement-size", Default: "`8388608`", OnChange: "the same"},
		{Key: "cache", Variable: variableCache, Default: "`$XDG_CACHE_HOME/cleanbill`, or `~/.cache/cleanbill`",
			OnChange: "the same, but not used if the commit that is judged has files of it"},
	}, SigningSettings()...)
}

// otherAdvisories reports whether somebody else than the policy says what is matched against. A set that a signer of the
// policy has to have signed is the policy's choice wherever it lies; the starter set passes nothing if policy does not
// accept it.
func otherAdvisories(p Plan, judge *policy.Policy) bool {
	a := judge.Advisories()
	switch {
	case p.Advisories == "", p.Advisories == PublishedAdvisories, p.Advisories == a.Source, len(a.SignedBy) > 0:
		return false
	case p.Advisories == StarterAdvisories:
		return judge.AcceptsStarter()
	}
	return true
}

// tightened refuses what a plan would loosen about the judgement of a change: whoever writes the change can often write
// flags, variables and inputs too. advisories is the set that is used if neither the plan nor the policy names one.
func (p Plan) tightened(judge *policy.Policy, advisories string) error {
	p.Advisories = cmp.Or(p.Advisories, judge.Advisories().Source, advisories)
	for _, s := range Settings() {
		if s.loosens == nil || judge.Allows(s.Key) || !s.loosens(p, judge) {
			continue
		}
		return &core.Failure{Doing: "judge a change with " + s.names(), Usage: true,
			Err:  fmt.Errorf("that could loosen the verdict, and the policy %s of the base does not leave it to flags and inputs", judge.Ref().Name),
			Hint: fmt.Sprintf(`leave it out, or let %s on the base list "allow: [%s]"`, PolicyFile, s.Key)}
	}
	return nil
}

// names lists the names that a setting has.
func (s Setting) names() string {
	var all []string
	if s.Flag != "" {
		all = append(all, "--"+s.Flag)
	}
	if s.Variable != "" {
		all = append(all, s.Variable)
	}
	if s.Input != "" {
		all = append(all, "the input "+s.Input)
	}
	return strings.Join(all, " or ")
}
