package tekton

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
)

// maxResults bounds all results together, in the encoding in which Tekton carries them, in bytes. A container's
// termination message holds 4096, which Tekton's own entries need too, and all containers of a pod have 12 KiB together.
//
// https://tekton.dev/docs/pipelines/tasks/#larger-results-using-sidecar-logs
const maxResults = 2560

// terminationEntry is how Tekton carries a result in the container's termination message.
//
// https://github.com/tektoncd/pipeline/blob/v1.6.0/pkg/result/result.go (RunResult)
type terminationEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Type  int    `json:"type"`
}

// fit adds the results that grow with the number of platforms to the others. If all of them are too long together, those
// speak of the image that was named alone, and the document, whose digest is in REPORTS, has the rest.
func fit(fixed []result, of images, report core.Digest) ([]result, error) {
	for _, shown := range []images{of, of.short(), {}} {
		grown, err := shown.results(report)
		if err != nil {
			return nil, err
		}
		all := append(fixed[:len(fixed):len(fixed)], grown...)
		if size, err := encodedSize(all); err != nil || size <= maxResults {
			return all, err
		}
	}
	return nil, fmt.Errorf("the results take more than %d bytes in Tekton's encoding", maxResults)
}

// encodedSize returns the bytes that results take in the termination message. Control characters, by which Tekton or a
// consumer could misread a result, are an error.
func encodedSize(results []result) (int, error) {
	size := len("[]")
	for _, r := range results {
		if strings.ContainsFunc(r.value, unicode.IsControl) {
			return 0, fmt.Errorf("the result %s holds control characters", r.name)
		}
		entry, err := json.Marshal(terminationEntry{Key: r.name, Value: r.value, Type: 1})
		if err != nil {
			return 0, fmt.Errorf("encode the result %s: %w", r.name, err)
		}
		size += len(entry) + len(",")
	}
	return size, nil
}
