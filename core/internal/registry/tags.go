package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// maxTags bounds the tags of one repository, maxTagPages the answers that list them, and tagPage is how many are asked
// for at a time.
const (
	maxTags     = 100_000
	maxTagPages = 2000
	tagPage     = 1000
)

// Tags lists all tags of the repository, in the registry's order. A list that cannot be read to its end is an error:
// whoever asks for all images must not be given some.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	next := "tags/list?n=" + strconv.Itoa(tagPage)
	for page := 0; next != ""; page++ {
		if page == maxTagPages || len(all) > maxTags {
			return nil, advice.Unavailable("name the images that matter, by tag or digest",
				"%s lists more than %d tags, or in more than %d parts", r.host(), maxTags, maxTagPages)
		}
		list, following, err := r.tagsPage(ctx, next)
		if err != nil {
			return nil, r.explain(err, "tags")
		}
		before := len(all)
		for _, tag := range list {
			if !seen[tag] {
				seen[tag] = true
				all = append(all, tag)
			}
		}
		if next = following; next == "" && len(list) >= tagPage && len(all) > before {
			// Some registries keep to the number and do not say that there is more.
			next = "tags/list?" + url.Values{"n": {strconv.Itoa(tagPage)}, "last": {list[len(list)-1]}}.Encode()
		}
	}
	return all, nil
}

// tagsPage reads one answer and says where the next one is.
func (r *Repository) tagsPage(ctx context.Context, what string) (list []string, next string, err error) {
	err = network.Attempts(ctx, r.options.Patience, func() error {
		resp, err := r.get(ctx, what, http.Header{"Accept": {"application/json"}})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return network.ReadStatus(resp)
		}
		raw, err := r.readList(resp, "the list of tags")
		if err != nil {
			return err
		}
		if next, err = r.nextPage(resp); err != nil {
			return err
		}
		var page struct {
			Tags []string `json:"tags"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return fmt.Errorf("the list of tags is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
		}
		list = page.Tags
		return nil
	})
	return list, next, err
}
