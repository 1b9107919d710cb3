package policy_test

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func TestAPolicyLeavesToFlagsOnlyWhatItLists(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte("version: 1\nallow: [platforms, advisories]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range policy.Allowable() {
		if got, want := p.Allows(setting), setting == "platforms" || setting == "advisories"; got != want {
			t.Errorf("%s is left to flags: %v", setting, got)
		}
	}
	for _, name := range policy.Profiles() {
		p, err := policy.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, setting := range policy.Allowable() {
			if p.Allows(setting) {
				t.Errorf("%s leaves %s to flags", name, setting)
			}
		}
	}
	for text, want := range map[string]string{
		"allow: platforms":            "this must be a list",
		"allow: [platform]":           `did you mean "platforms"?`,
		"allow: [policy, policy]":     "second time",
		"allow: [policy, everything]": "is none of",
	} {
		if _, err := policy.Parse("p.yaml", []byte("version: 1\n"+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAPolicyThatLeavesSomethingToFlagsIsAnotherPolicy(t *testing.T) {
	without, err := policy.Parse("p.yaml", []byte("version: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	with, err := policy.Parse("p.yaml", []byte("version: 1\nallow: [offline]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if without.Ref().Digest == with.Ref().Digest {
		t.Error("both have one digest")
	}
	if moved := with.From("elsewhere").Ref(); moved.Source != "elsewhere" || moved.Digest != with.Ref().Digest || with.Ref().Source != "p.yaml" {
		t.Errorf("moved to %+v", moved)
	}
}
