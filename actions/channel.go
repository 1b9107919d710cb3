package actions

import (
	"crypto/rand"
	"io"

	"github.com/sethvargo/go-githubactions"
)

// channel is the step's standard output, which the runner reads for commands line by line. It keeps the first write
// error instead of returning it, because the toolkit panics on those.
type channel struct {
	out io.Writer
	err error
	// token ends the time in which the runner obeys nothing; empty while it obeys.
	token string
}

// Write implements io.Writer and never fails: see err.
func (c *channel) Write(p []byte) (int, error) {
	if c.err == nil {
		_, c.err = c.out.Write(p)
	}
	return len(p), nil
}

// stop makes the runner ignore commands until resume, whatever anybody prints.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#stopping-and-starting-workflow-commands
func (c *channel) stop(action *githubactions.Action) {
	c.token = rand.Text()
	action.IssueCommand(&githubactions.Command{Name: "stop-commands", Message: c.token})
}

// resume makes the runner obey again, if it had been stopped. The token begins a line of its own, whatever was printed
// before it, by this writer or by another.
func (c *channel) resume(action *githubactions.Action) {
	if c.token == "" {
		return
	}
	io.WriteString(c, "\n")
	action.IssueCommand(&githubactions.Command{Name: c.token})
	c.token = ""
}

// foreign prints what strangers wrote.
func (c *channel) foreign(action *githubactions.Action, print func(io.Writer) error) error {
	c.stop(action)
	defer c.resume(action)
	return print(c)
}
