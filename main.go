// Command cleanbill is the gate that a container build must pass.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cleanbill-ci/cleanbill/actions"
	"github.com/cleanbill-ci/cleanbill/core/cli"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/gitlab"
	"github.com/cleanbill-ci/cleanbill/tekton"
)

// version and commit are set by the linker when a release is built; otherwise the toolchain's record says.
var version, commit string

func main() {
	// Started again by itself to confine a hook, the program does only that.
	if code, asked := gate.Shim(os.Args[1:]); asked {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	program := cli.Program{
		Version: version, Commit: commit,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,
		Now:    time.Now,
		Adapters: []cli.Adapter{
			{Name: "actions", Short: "Run as a step of GitHub Actions", New: func(g *gate.Gate) gate.Platform {
				return actions.New(actions.Options{Getenv: os.Getenv, Stdout: os.Stdout, Document: g.Document})
			}},
			onGitLab("gitlab", "Run as a job of GitLab CI", gitlab.JobGate),
			onGitLab("gitlab-scan", "Run as a scan job of GitLab CI, which leaves the verdict to a later job", gitlab.JobScan),
			onGitLab("gitlab-verdict", "Run as a later job of GitLab CI, which ends with the verdict", gitlab.JobVerdict),
			onGitLab("gitlab-push", "Run as a job of GitLab CI that pushes and signs what passes", gitlab.JobPush),
			{Name: "tekton", Short: "Run as a step of a Tekton task", New: func(g *gate.Gate) gate.Platform {
				return tekton.New(tekton.Options{Getenv: os.Getenv, Stdout: os.Stdout, Now: time.Now, Document: g.Document})
			}},
		},
	}
	code := program.Main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// onGitLab is the adapter for one job of GitLab's templates.
func onGitLab(name, short string, job gitlab.Job) cli.Adapter {
	return cli.Adapter{Name: name, Short: short, LogLevel: func() string { return gitlab.LogLevel(os.Getenv) },
		New: func(g *gate.Gate) gate.Platform {
			g.Getenv = gitlab.Environment(os.Getenv)
			return gitlab.New(gitlab.Options{Job: job, Getenv: os.Getenv, Stdout: os.Stdout, Now: time.Now, Document: g.Document})
		}}
}
