// Package tekton makes the gate native in a Tekton Task: the variables that the manifests of the catalog set in
// their steps become a Plan, and a Result becomes Tekton results and a plain log.
//
// It translates and shows, and decides nothing. Results carry numbers, words, digests and the names that parameters gave,
// never text from the target, and fit into what a container may report in Tekton's own encoding, whatever the number of
// platforms. Any other step of a pod can overwrite results: consumers that need more than convenience rely on the signed
// verdict beside the image.
//
// https://tekton.dev/docs/pipelines/tasks/#emitting-results
package tekton
