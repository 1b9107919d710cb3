// Package tekton makes the gate native in a Tekton Task: the variables that task/cleanbill sets in its step become a
// Plan, and a Result becomes Tekton results and a plain log.
//
// It translates and shows, and decides nothing. Results carry numbers, words and digests only, never text from the
// target, and together they stay far below what a pod may report. Any other step of a pod can overwrite results:
// consumers that need more than convenience rely on the exit code of the TaskRun and on the report.
//
// https://tekton.dev/docs/pipelines/tasks/#emitting-results
package tekton
