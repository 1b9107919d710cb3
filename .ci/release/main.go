// Command release makes what a release consists of, the same bytes from the same commit on every machine with the same
// version of Go: the program for each platform, their digests as the action reads them, and an image of the program.
//
//	go run -C .ci/release . --version v1.2.3 --commit COMMIT --out DIR
//
// DIR gets cleanbill_OS_ARCH for each platform, RELEASE, and the OCI layout image. It needs no container engine and, once
// the modules are there, no network.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
)

// plan is what was asked for.
type plan struct {
	version string
	commit  string
	source  string
	out     string
	base    string
	targets []target
}

// target is a platform that is built for.
type target struct{ os, arch string }

func (t target) file() string { return "cleanbill_" + t.os + "_" + t.arch }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	p, err := parse(args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	r := record{Version: p.version, Commit: p.commit}
	programs := map[target]string{}
	for _, t := range p.targets {
		path := filepath.Join(p.out, t.file())
		if err := compile(ctx, p, t, path); err != nil {
			return fmt.Errorf("build for %s/%s: %w", t.os, t.arch, err)
		}
		if err := r.add(path); err != nil {
			return err
		}
		programs[t] = path
	}
	if err := os.WriteFile(filepath.Join(p.out, recordFile), r.encode(), 0o644); err != nil {
		return err
	}
	digest, err := writeImage(ctx, p, programs)
	if err != nil {
		return fmt.Errorf("make the image: %w", err)
	}
	fmt.Printf("%simage %s\n", r.encode(), digest)
	return nil
}

var (
	versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	commitForm  = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

func parse(args []string) (plan, error) {
	var p plan
	var platforms string
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&p.version, "version", "", "the `VERSION`, as v1.2.3")
	flags.StringVar(&p.commit, "commit", "", "the `COMMIT` that is built")
	flags.StringVar(&p.source, "source", "../..", "the `DIRECTORY` of the main package")
	flags.StringVar(&p.out, "out", "", "the `DIRECTORY` to write to")
	flags.StringVar(&p.base, "base", "", "an OCI layout `DIRECTORY` of an index whose platforms' layers come first, such as one with a shell; the image has nothing but the program without it")
	flags.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "`OS/ARCH`, separated by commas")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	switch {
	case !versionForm.MatchString(p.version):
		return p, fmt.Errorf("--version %q is not of the form v1.2.3", p.version)
	case !commitForm.MatchString(p.commit):
		return p, fmt.Errorf("--commit %q is not the full name of a commit", p.commit)
	case p.out == "" || flags.NArg() > 0:
		return p, fmt.Errorf("--out is missing, or there is something behind the flags: %q", flags.Args())
	}
	for word := range strings.SplitSeq(platforms, ",") {
		system, arch, ok := strings.Cut(word, "/")
		if !ok || system == "" || arch == "" {
			return p, fmt.Errorf("--platforms: %q is not OS/ARCH", word)
		}
		p.targets = append(p.targets, target{system, arch})
	}
	return p, nil
}
