package hook

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNoProgramIsTakenFromTheSourcesByAnotherName(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, system := filepath.Join(top, "source"), filepath.Join(top, "system")
	bin, alias := filepath.Join(source, "node_modules", ".bin"), filepath.Join(top, "alias")
	for _, dir := range []string{bin, system} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(bin, "node"), filepath.Join(bin, "only")} {
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(source, alias); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "only"), filepath.Join(system, "only")); err != nil {
		t.Fatal(err)
	}
	through := filepath.Join(alias, "node_modules", ".bin")
	search := "." + ":" + bin + ":" + through + "::" + system
	if got := safePath(search, source); got != system {
		t.Errorf("the PATH is %q, want %q", got, system)
	}
	for _, name := range []string{"node", "only"} {
		if got, err := findTool(name, search, source); err == nil {
			t.Errorf("%s was found in the sources: %+v", name, got)
		}
	}
}
