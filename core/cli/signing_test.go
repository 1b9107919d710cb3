package cli

import (
	"regexp"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestEveryFlagOfSigningIsASettingAndIsUsed(t *testing.T) {
	var f signFlags
	p := &Program{Getenv: func(name string) string {
		return map[string]string{"CLEANBILL_REKOR_URL": "https://rekor.example"}[name]
	}}
	cmd := &cobra.Command{}
	f.register(p, cmd)
	known := map[string]bool{}
	for _, s := range gate.SigningSettings() {
		known[s.Flag] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
		if !known[m[1]] {
			t.Errorf("--%s is no setting", m[1])
		}
		delete(known, m[1])
	}
	for name := range known {
		t.Errorf("there is no --%s", name)
	}
	if err := cmd.ParseFlags([]string{"--key", "cosign.key", "--public-log", "--kms-variable", "A"}); err != nil {
		t.Fatal(err)
	}
	s, err := f.plan(p)
	if err != nil || s.Key != "cosign.key" || !s.PublicLog || len(s.PluginVariables) != 1 || s.RekorURL != "https://rekor.example" {
		t.Errorf("%+v, %v", s, err)
	}
}
