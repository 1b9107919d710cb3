// Package actions makes the gate native on GitHub Actions: the inputs of action.yml become a Plan, and a Result becomes
// step outputs, annotations, a job summary and a readable log.
//
// It translates and shows, and decides nothing: no rule, no threshold, no exit code comes from here. What it prints of
// an image is text that a stranger wrote, so it never reaches the runner's command channel as it is: commands are
// stopped around it, properties and messages are escaped, and outputs are framed by a delimiter that nobody can guess.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
package actions
