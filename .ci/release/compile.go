package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// compile builds the program so that nothing of this machine is in it: no paths, no state of version control, no C library.
// https://go.dev/blog/rebuild
func compile(ctx context.Context, p plan, t target, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", p.source, "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version="+p.version+" -X main.commit="+p.commit, "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=-mod=readonly", "GOWORK=off",
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
