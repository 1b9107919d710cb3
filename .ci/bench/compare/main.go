// Command compare measures how long whole tools take to make the SBOM of one image, in turn, several times, and prints
// medians, memory and how they compare. It judges nothing but Cleanbill's own aims, and says so when one is missed.
//
// Tools that are not on PATH are left out. It is for Linux, whose kernel counts resident memory in kilobytes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	image := flag.String("image", "", "`folder` that make-image filled: image/ and image.tar")
	floor := flag.String("floor", "", "the floor `program`")
	cleanbill := flag.String("cleanbill", "", "the cleanbill `program`; without it only the others are measured")
	runs := flag.Int("n", 5, "counted `runs` of each tool, after one that is not")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *image, *floor, *cleanbill, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, image, floor, cleanbill string, runs int) error {
	if runs < 1 {
		return fmt.Errorf("-n is %d: at least one run must count", runs)
	}
	if _, err := os.Stat(filepath.Join(image, "image", "index.json")); err != nil {
		return fmt.Errorf("find the image to measure on (.ci/bench/make-image makes it): %w", err)
	}
	work, err := os.MkdirTemp("", "cleanbill-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var results []*result
	for _, t := range tools(floor, cleanbill) {
		program, err := exec.LookPath(t.program)
		if err != nil {
			fmt.Fprintf(w, "%s is not on PATH: left out\n", t.name)
			continue
		}
		t.program = program
		results = append(results, &result{tool: t, version: version(ctx, t)})
	}
	for round := range runs + 1 {
		for _, r := range results {
			sample, err := measure(ctx, r.tool, image, work)
			if err != nil {
				return fmt.Errorf("run %s: %w", r.name, err)
			}
			if round > 0 { // the first warms the page cache
				r.samples = append(r.samples, sample)
			}
		}
	}
	start, err := startup(ctx, cleanbill)
	if err != nil {
		return err
	}
	return report(w, results, start)
}

// sample is one whole process, as the kernel accounted for it.
type sample struct {
	wall, cpu time.Duration
	// resident is the greatest resident memory, in bytes.
	resident int64
	exit     int
	// packages is how many components the SBOM lists, files not counted.
	packages int
}

func measure(ctx context.Context, t tool, image, work string) (sample, error) {
	// A fresh folder each time: what a tool keeps from one run must not help the next.
	dir, err := os.MkdirTemp(work, t.name+"-")
	if err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(dir)
	sbom := filepath.Join(dir, "sbom.json")
	command := exec.CommandContext(ctx, t.program, t.args(image, sbom, dir)...)
	command.Env = append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir, "TMPDIR="+dir)
	var stderr tail
	command.Stderr = &stderr
	started := time.Now()
	err = command.Run()
	wall := time.Since(started)
	if command.ProcessState == nil || !t.accepts(command.ProcessState.ExitCode()) {
		return sample{}, fmt.Errorf("%w\n%s", err, stderr.text)
	}
	s := sample{wall: wall, exit: command.ProcessState.ExitCode()}
	s.cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.resident = usage.Maxrss << 10
	}
	if !t.silent {
		if s.packages, err = countPackages(sbom); err != nil {
			return sample{}, fmt.Errorf("read its SBOM: %w\n%s", err, stderr.text)
		}
	}
	return s, nil
}

func countPackages(sbom string) (int, error) {
	data, err := os.ReadFile(sbom)
	if err != nil {
		return 0, err
	}
	var document struct {
		Components []struct{ Type string }
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return 0, err
	}
	n := 0
	for _, c := range document.Components {
		if c.Type == "library" || c.Type == "application" {
			n++
		}
	}
	return n, nil
}

// startup measures the time until cleanbill has said its version, over several runs.
func startup(ctx context.Context, cleanbill string) ([]time.Duration, error) {
	if cleanbill == "" {
		return nil, nil
	}
	const runs = 20
	var all []time.Duration
	for range runs {
		started := time.Now()
		if err := exec.CommandContext(ctx, cleanbill, "--version").Run(); err != nil {
			return nil, fmt.Errorf("start cleanbill: %w", err)
		}
		all = append(all, time.Since(started))
	}
	return all, nil
}

func version(ctx context.Context, t tool) string {
	if t.silent {
		return ""
	}
	out, err := exec.CommandContext(ctx, t.program, "--version").Output()
	if err != nil {
		return "?"
	}
	words := strings.Fields(string(out))
	for _, word := range words {
		if v := strings.TrimPrefix(word, "v"); v != "" && v[0] >= '0' && v[0] <= '9' {
			return v
		}
	}
	if len(words) > 1 { // NAME devel
		return words[1]
	}
	return "?"
}

// tail keeps the end of what a tool prints, for the error when it fails.
type tail struct{ text string }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.text += string(p)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(p), nil
}
