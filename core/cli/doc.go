// Package cli is the command line: flags and files become a Plan, a Result becomes text on a terminal and an exit code.
//
// It decides nothing, and it touches no process-wide state: streams, environment and adapters are handed in, and the
// exit code is returned.
package cli
