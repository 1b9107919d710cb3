package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// What a pipeline's unset variable makes of a demand is no demand, and must not pass what that would have stopped.
func TestWhatSaysNothingIsWrongUse(t *testing.T) {
	for _, line := range []string{
		"verify registry.example/app:1 --key cosign.pub --policy=",
		"verify registry.example/app:1 --key cosign.pub --policy-digest=",
		"verify registry.example/app:1 --key cosign.pub --max-age=",
		"verify registry.example/app:1 --key cosign.pub --max-age=0",
		"verify registry.example/app:1 --key cosign.pub --max-age=-1h",
		"verify registry.example/app:1 --key cosign.pub --attested=",
		"verify registry.example/app:1 --key=",
		"promote registry.example/app:1 registry.example/b:1 --signed-by=",
		"promote registry.example/app:1 registry.example/b:1 --signed-by cosign.pub --max-age=0h",
		"gate registry.example/app:1 --push=",
		"gate registry.example/app:1 --policy=",
		"audit registry.example/app --key=",
		"sign registry.example/app:1 --evidence=",
		"gate registry.example/app:1 EMPTY",
		"verify EMPTY --key cosign.pub",
	} {
		args := strings.Fields(line)
		for i, a := range args {
			if a == "EMPTY" {
				args[i] = ""
			}
		}
		var said strings.Builder
		p := Program{Stdout: &said, Stderr: &said, Getenv: func(string) string { return "" }, Now: time.Now}
		code := p.Main(context.Background(), args)
		if code != core.ExitUsage || !strings.Contains(said.String(), "empty") && !strings.Contains(said.String(), "an age is") {
			t.Errorf("%s: exit code %d\n%s", line, code, said.String())
		}
	}
}

func TestAnAgeIsDaysOrADuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 168 * time.Hour, "168h": 168 * time.Hour, "90m": 90 * time.Minute,
		"d": 0, "1.5d": 0, "week": 0, "999999d": 0, "-1d": 0} {
		var got time.Duration
		if err := (ageFlag{&got}).Set(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestAMisspeltFlagIsPutRight(t *testing.T) {
	var said strings.Builder
	p := Program{Stdout: &said, Stderr: &said, Getenv: func(string) string { return "" }, Now: time.Now}
	code := p.Main(context.Background(), []string{"gate", "app.tar", "--pusch", "registry.example/app:1"})
	if code != core.ExitUsage || !strings.Contains(said.String(), "did you mean --push?") {
		t.Errorf("exit code %d\n%s", code, said.String())
	}
}
