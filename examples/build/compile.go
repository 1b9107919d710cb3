package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// compileAll compiles the program in the folder app for every architecture.
func compileAll(ctx context.Context, app string) (map[string][]byte, error) {
	programs := map[string][]byte{}
	for _, architecture := range architectures() {
		program, err := compile(ctx, app, architecture)
		if err != nil {
			return nil, fmt.Errorf("compile %s for %s: %w", app, architecture, err)
		}
		programs[architecture] = program
	}
	return programs, nil
}

// compile gives the same bytes wherever it runs: paths, version control and build ids are left out, and every setting
// that the environment could change is set.
func compile(ctx context.Context, app, architecture string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "cleanbill-example-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", program, ".")
	command.Dir = app
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "GOAMD64=v1", "GOARM64=v8.0",
		"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off", "GOTOOLCHAIN=local")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return os.ReadFile(program)
}
