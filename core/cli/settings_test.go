package cli_test

import (
	"bytes"
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/cli"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// Everything that gate can be told is in the one table that says what it may do on a change.
func TestEveryFlagOfGateIsASetting(t *testing.T) {
	var help bytes.Buffer
	p := cli.Program{Stdout: &help, Stderr: &help, Getenv: func(string) string { return "" }, Now: time.Now}
	if code := p.Main(context.Background(), []string{"gate", "--help"}); code != 0 {
		t.Fatalf("exit code %d\n%s", code, help.String())
	}
	known := map[string]bool{"help": true, "log-level": true, "log-format": true, "color": true, "progress": true} // change no verdict
	for _, s := range gate.Settings() {
		known[s.Flag] = true
	}
	flags := regexp.MustCompile(`(?m)^ +(?:-\w, )? *--([a-z-]+)`).FindAllStringSubmatch(help.String(), -1)
	shown := map[string]bool{}
	for _, m := range flags {
		if shown[m[1]] = true; !known[m[1]] {
			t.Errorf("--%s is in no table of settings", m[1])
		}
	}
	for _, s := range gate.Settings() {
		if s.Flag != "" && !shown[s.Flag] {
			t.Errorf("there is no --%s", s.Flag)
		}
	}
}
