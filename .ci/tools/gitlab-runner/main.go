// Command gitlab-runner is GitLab's own runner with the shell executor: upstream's main package cannot be built from
// outside of its module, and its other executors are not needed in tests.
package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli"
	_ "gitlab.com/gitlab-org/gitlab-runner/commands"
	_ "gitlab.com/gitlab-org/gitlab-runner/commands/helpers"
	"gitlab.com/gitlab-org/gitlab-runner/common"
	_ "gitlab.com/gitlab-org/gitlab-runner/executors/shell"
	clihelpers "gitlab.com/gitlab-org/gitlab-runner/helpers/cli"
	"gitlab.com/gitlab-org/gitlab-runner/log"
	_ "gitlab.com/gitlab-org/gitlab-runner/shells"
)

func main() {
	app := cli.NewApp()
	app.Name = "gitlab-runner"
	app.Usage = "runs jobs of GitLab CI"
	app.Version = common.AppVersion.ShortLine()
	app.Commands = common.GetCommands()
	clihelpers.InitCli()
	clihelpers.FixHOME(app)
	log.ConfigureLogging(app)
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
