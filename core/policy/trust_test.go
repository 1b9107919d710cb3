package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func TestAdvisoriesOlderThanThePolicyAllowsLeaveItUndecided(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy string
		asOf   time.Time
		says   string // nothing: it passes
	}{
		{"the default, of yesterday", "version: 1", now.Add(-24 * time.Hour), ""},
		{"the default, just new enough", "version: 1", now.Add(-5 * 24 * time.Hour), ""},
		{"the default, too old", "version: 1", now.Add(-5*24*time.Hour - time.Second), "older than 5d"},
		{"the default, without a date", "version: 1", time.Time{}, "do not say how old"},
		{"the default, ahead of our clock", "version: 1", now.Add(24 * time.Hour), ""},
		{"the default, of the future", "version: 1", now.Add(25 * time.Hour), "dated in the future"},
		{"hours", "version: 1\nadvisories:\n  max-age: 12h", now.Add(-13 * time.Hour), "older than 12h"},
		{"more than the default", "version: 1\nadvisories:\n  max-age: 30d", now.Add(-29 * 24 * time.Hour), ""},
		{"a policy on its own", "version: 1\nextends: none\nrules: [{name: x, when: 'true', action: warn}]", now.Add(-900 * 24 * time.Hour), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := evidence()
			e.Advisories.AsOf = tc.asOf
			v := parsed(t, tc.policy).Judge(&e, nil, now)
			if tc.says == "" {
				if v.Decision != core.Passed {
					t.Errorf("%v, gaps %+v; want passed", v.Decision, v.Gaps)
				}
				return
			}
			if v.Decision != core.Undecided || len(v.Gaps) != 1 || !strings.Contains(strings.Join(v.Gaps[0].Why, ""), tc.says) ||
				v.Gaps[0].Remedy == "" || !strings.HasPrefix(v.Gaps[0].Rule, "advisories.max-age: ") {
				t.Errorf("%v, gaps %+v; want one that says %q", v.Decision, v.Gaps, tc.says)
			}
		})
	}
}

func TestTheAgeOfTheStarterSetIsNotAsked(t *testing.T) {
	e := evidence()
	e.Advisories = core.AdvisorySource{Name: "embedded starter set", Starter: true, AsOf: now.Add(-900 * 24 * time.Hour)}
	set(core.ExamineAdvisories, image, core.Partial, core.CodeStarterAdvisories)(&e)
	if v := parsed(t, "version: 1\nstarter-ok: true").Judge(&e, nil, now); v.Decision != core.Passed {
		t.Errorf("%v, gaps %+v; want passed", v.Decision, v.Gaps)
	}
}

func TestAPolicySaysWhereAdvisoriesComeFromAndWhoseSignaturesCount(t *testing.T) {
	p := parsed(t, `version: 1
trusted-root: root.json
advisories:
  source: registry.example/advisories:v2
  max-age: 36h
  offline: true
  signed-by:
    - key: cosign.pub
    - identity: https://github.com/acme/advisories/.github/workflows/daily.yml@refs/heads/main
      issuer: https://token.actions.githubusercontent.com
vex:
  files: [vex.json]
  signed-by:
    - identity-pattern: .*@acme\.example
      issuer-pattern: https://.*
`)
	want := policy.Advisories{Source: "registry.example/advisories:v2", MaxAge: 36 * time.Hour, Offline: true, SignedBy: []policy.Signer{
		{Key: "cosign.pub"},
		{Identity: "https://github.com/acme/advisories/.github/workflows/daily.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com"},
	}}
	if diff := cmp.Diff(want, p.Advisories()); diff != "" {
		t.Errorf("advisories (-want +got):\n%s", diff)
	}
	vex := policy.VEX{Files: []policy.File{{Name: "vex.json"}}, SignedBy: []policy.Signer{{IdentityPattern: `.*@acme\.example`, IssuerPattern: "https://.*"}}}
	if diff := cmp.Diff(vex, p.VEX()); diff != "" || p.TrustedRoot().Name != "root.json" {
		t.Errorf("vex (-want +got), root %q:\n%s", p.TrustedRoot().Name, diff)
	}
	if plain := parsed(t, "version: 1"); plain.Ref().Digest == p.Ref().Digest || plain.Advisories().MaxAge != 5*24*time.Hour {
		t.Errorf("the digest is not of these settings, or the age is not that of the policy that is extended: %v", plain.Advisories())
	}
}

func TestMistakesInSignersAndAgesAreNamed(t *testing.T) {
	for text, says := range map[string]string{
		"advisories: {max-age: 5}":                                                 "48h or 5d",
		"advisories: {max-age: 0d}":                                                "48h or 5d",
		"advisories: {max-age: 36h30m}":                                            "48h or 5d",
		"advisories: {max-age: 36601d}":                                            "hundred years",
		"advisories: {maxage: 5d}":                                                 `did you mean "max-age"?`,
		"advisories: {offline: maybe}":                                             "true or false",
		"advisories: {signed-by: []}":                                              "not empty",
		"advisories: {signed-by: [{identity: x}]}":                                 `with its "issuer"`,
		"advisories: {signed-by: [{issuer: x}]}":                                   `with its "issuer"`,
		"advisories: {signed-by: [{key: x, issuer: y}]}":                           "not both",
		"advisories: {signed-by: [{identity: x, identity-pattern: x, issuer: y}]}": "not both",
		"advisories: {signed-by: [{identity-pattern: '(', issuer: y}]}":            "regular expression",
		"advisories: {signed-by: [{identity: x, issuer: y, isuer-pattern: z}]}":    `did you mean "issuer-pattern"?`,
		"vex: {files: vex.json}":                                                   "must be a list",
		"vex: {signed-by: [key]}":                                                  "must be a mapping",
		"trusted-root: 7":                                                          "must be text",
	} {
		_, err := policy.Parse("policy.yaml", []byte("version: 1\n"+text+"\n"))
		if !core.Usage(err) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "policy.yaml:2:") {
			t.Errorf("%s: %v, want an error of line 2 that says %q", text, err, says)
		}
	}
}
