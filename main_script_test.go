package main

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits runs a program and checks its exit code, which testscript itself only tells apart as zero and not zero:
//
//	exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", args[1], got, want)
	}
}

// shownin checks that the last command printed what a document shows of it, between ``` and a line of "  …":
//
//	shownin FILE FIRST-WORD
func shownin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shownin FILE FIRST-WORD")
	}
	_, block, found := strings.Cut(ts.ReadFile(args[0]), "```\n"+args[1])
	shown, _, ended := strings.Cut(args[1]+block, "  …\n")
	if !found || !ended {
		ts.Fatalf("%s shows no output that begins with %s", args[0], args[1])
	}
	if printed := ts.ReadFile("stdout"); !strings.HasPrefix(printed, shown) {
		ts.Fatalf("%s shows\n%s\nand the command prints\n%s", args[0], shown, printed)
	}
}
