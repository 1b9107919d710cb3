package tekton

import (
	"encoding/json"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// images is the image that was named, if it was one, and what it consists of.
type images struct {
	pullspec string
	// digests are that of what was named, and then those of its platforms.
	digests []core.Digest
}

// imagesOf returns what Konflux calls the images processed. Its form has room for one image: for several it is empty.
func imagesOf(r *gate.Result) images {
	var of images
	for _, s := range r.Evidence.Subjects {
		if s.Parent != "" || (s.Kind != core.KindIndex && s.Kind != core.KindImage) {
			continue
		}
		if of.pullspec != "" {
			return images{}
		}
		of = images{pullspec: s.Name, digests: []core.Digest{s.Digest}}
	}
	for _, s := range r.Evidence.Subjects {
		if s.Parent != "" && of.pullspec != "" {
			of.digests = append(of.digests, s.Digest)
		}
	}
	if r.Published != nil {
		of.pullspec = r.Published.Reference // where it is now
	}
	return of
}

// short leaves the platforms out.
func (i images) short() images {
	i.digests = i.digests[:min(1, len(i.digests))]
	return i
}

// results returns IMAGES_PROCESSED and REPORTS in the form that Konflux reads. There is one report for all platforms.
//
// https://konflux-ci.dev/architecture/ADR/0030-tekton-results-naming-convention.html
func (i images) results(report core.Digest) ([]result, error) {
	type image struct {
		Pullspec string        `json:"pullspec"`
		Digests  []core.Digest `json:"digests"`
	}
	processed, reports := map[string]image{}, map[core.Digest]core.Digest{}
	if len(i.digests) > 0 {
		processed["image"] = image{i.pullspec, i.digests}
	}
	for _, digest := range i.digests {
		if report != "" {
			reports[digest] = report
		}
	}
	processedText, err := json.Marshal(processed)
	if err != nil {
		return nil, fmt.Errorf("encode the result IMAGES_PROCESSED: %w", err)
	}
	reportsText, err := json.Marshal(reports)
	if err != nil {
		return nil, fmt.Errorf("encode the result REPORTS: %w", err)
	}
	return []result{
		{name: "IMAGES_PROCESSED", value: string(processedText)}, {name: "REPORTS", value: string(reportsText)},
	}, nil
}
