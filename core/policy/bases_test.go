package policy_test

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func TestAPatternMatchesRepositories(t *testing.T) {
	for _, tc := range []struct {
		pattern, repository string
		matches             bool
	}{
		{"docker.io/library/debian", "docker.io/library/debian", true},
		{"docker.io/library/*", "docker.io/library/debian", true},
		{"docker.io/library/*", "docker.io/library/debian/evil", false},
		{"docker.io/library/*", "evil.example/docker.io/library/debian", false},
		{"docker.io/library/*", "docker.io/other/debian", false},
		{"docker.io/*/*", "docker.io/library/debian", true},
		{"gcr.io/**", "gcr.io/distroless/static/x", true},
		{"gcr.io/**", "gcr-io/distroless", false},
		{"**", "anything/at/all", true},
		{"**/debian", "docker.io/library/debian", true},
		{"localhost:5000/base*", "localhost:5000/base-1", true},
		{"a.b/c", "aXb/c", false},
	} {
		if got := (policy.Base{Match: tc.pattern}).Matches(tc.repository); got != tc.matches {
			t.Errorf("%s matches %s: %v", tc.pattern, tc.repository, got)
		}
	}
}

func TestListedBasesAreChecked(t *testing.T) {
	for text, says := range map[string]string{
		"bases: []":                                                                   "2:8: this must be a list",
		"bases: [{signed-by: [{key: k}]}]":                                            `2:9: the key "match" is missing`,
		"bases: [{match: a/b}]":                                                       "2:9: this asks for nothing",
		"bases: [{match: a/b, digest-required: false}]":                               "2:9: this asks for nothing",
		"bases: [{match: debian, digest-required: true}]":                             `"docker.io/library/debian"`,
		"bases: [{match: 'A/b', digest-required: true}]":                              "not a pattern",
		"bases: [{match: 'a/b c', digest-required: true}]":                            "not a pattern",
		"bases: [{match: a/b, signed-by: []}]":                                        "list of signers",
		"bases: [{match: a/b, signed-by: [{key: k, identity: x}]}]":                   "not both",
		"bases: [{match: a/b, digest-requried: true}]":                                "digest-required",
		"bases: [{match: a/" + strings.Repeat("b", 300) + ", digest-required: true}]": "not a pattern",
	} {
		if _, err := policy.Parse("p.yaml", []byte("version: 1\n"+text+"\n")); !core.Usage(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want an error that says %q", text, err, says)
		}
	}
}

func TestListedBasesRequireTheirExamination(t *testing.T) {
	e := evidence()
	p := parsed(t, "version: 1\nbases: [{match: 'docker.io/**', digest-required: true}]\n")
	if v := p.Judge(&e, nil, now); v.Decision != core.Undecided || v.Gaps[0].Rule != "require: base-signatures" {
		t.Errorf("without the examination: %v %+v", v.Decision, v.Gaps)
	}
	made := core.Examination{Name: policy.ExamineBaseSignatures, Subject: image, Tool: "test", Input: p.BasesDigest(), Status: core.Complete}
	e.Examinations = append(e.Examinations, made)
	if v := p.Judge(&e, nil, now); v.Decision != core.Passed {
		t.Errorf("with it: %v %+v", v.Decision, v.Gaps)
	}
	// Nothing else than an image has a base.
	e.Subjects = append(e.Subjects, core.Subject{Name: "src", Kind: core.KindSource, Digest: "sha256:src"})
	e.Examinations = append(e.Examinations, complete("sha256:src")...)
	if v := p.Judge(&e, nil, now); v.Decision != core.Passed {
		t.Errorf("beside sources: %v %+v", v.Decision, v.Gaps)
	}
	laxer := parsed(t, "version: 1\nbases: [{match: 'docker.io/library/x', digest-required: true}]\n")
	if v := laxer.Judge(&e, nil, now); v.Decision != core.Undecided {
		t.Errorf("made for another policy: %v", v.Decision)
	}
	accepting := parsed(t, "version: 1\nbases: [{match: 'docker.io/**', digest-required: true}]\naccept: [{examination: base-signatures, code: no-base, reason: built from scratch}]\n")
	e.Examinations[len(complete(image))].Status, e.Examinations[len(complete(image))].Code = core.Partial, policy.CodeNoBase
	if v := accepting.Judge(&e, nil, now); v.Decision != core.Passed || len(v.Accepted) != 1 {
		t.Errorf("an image without a base, accepted: %v %+v", v.Decision, v.Gaps)
	}
	if v := p.Judge(&e, nil, now); v.Decision != core.Undecided {
		t.Errorf("an image without a base: %v", v.Decision)
	}
}
