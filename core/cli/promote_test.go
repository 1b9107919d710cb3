package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// A flag of no effect is one that somebody relied on.
func TestPromoteTakesOneOfTwoWays(t *testing.T) {
	for flags, says := range map[string]string{
		"--signed-by cosign.pub --key cosign.key":        "with --key: it is about a fresh verdict",
		"--signed-by cosign.pub --output json=v.json":    "with --output: it is about a fresh verdict",
		"--signed-by cosign.pub --platform linux/amd64":  "with --platform: it is about a fresh verdict",
		"--certificate-identity me --advisories starter": "with --advisories: it is about a fresh verdict",
		"--key cosign.key --max-age 7d":                  "with --max-age: it is about a summary",
		"--key cosign.key --format json":                 "with --format: it is about a summary",
	} {
		var said strings.Builder
		p := Program{Stdout: &said, Stderr: &said, Getenv: func(string) string { return "" }, Now: time.Now}
		code := p.Main(context.Background(), append([]string{"promote", "127.0.0.1:1/app:1", "127.0.0.1:1/b:1"}, strings.Fields(flags)...))
		if code != core.ExitUsage || !strings.Contains(said.String(), says) {
			t.Errorf("%s: exit code %d\n%s", flags, code, said.String())
		}
	}
}
