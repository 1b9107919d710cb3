package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Descriptor names a manifest that refers to another.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       core.Digest       `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// maxReferrers bounds the referrers of one manifest, and maxPages the answers that list them: a registry that anybody
// may write to can hold any number.
const (
	maxReferrers = 2000
	maxPages     = 50
)

// Referrers lists the manifests whose subject has the digest, by the API, or by the tag that stands for it in registries
// that lack it. None is no error.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (r *Repository) Referrers(ctx context.Context, subject core.Digest) ([]Descriptor, error) {
	var all []Descriptor
	next := "referrers/" + string(subject)
	for page := 0; next != ""; page++ {
		if page == maxPages || len(all) > maxReferrers {
			return nil, fmt.Errorf("%s lists more than %d referrers of %s", r.host(), maxReferrers, subject.Short())
		}
		list, following, err := r.referrersPage(ctx, next)
		var status *network.StatusError
		if errors.As(err, &status) && page == 0 && lacksReferrers(status.Status) {
			return r.referrersTag(ctx, subject)
		}
		if err != nil {
			return nil, r.explain(err, "referrers")
		}
		all, next = append(all, list...), following
	}
	// A client that found no API wrote the tag, even if the registry has the API by now.
	tagged, err := r.referrersTag(ctx, subject)
	if err != nil {
		return nil, err
	}
	return unique(append(all, tagged...)), nil
}

// lacksReferrers are the answers of registries without the API.
func lacksReferrers(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusNotImplemented:
		return true
	}
	return false
}

func unique(list []Descriptor) []Descriptor {
	seen := map[core.Digest]bool{}
	var out []Descriptor
	for _, d := range list {
		if _, err := core.ParseDigest(string(d.Digest)); err == nil && !seen[d.Digest] {
			seen[d.Digest] = true
			out = append(out, d)
		}
	}
	return out
}

// FallbackTag is the tag that lists the referrers of a digest in registries without the API.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func FallbackTag(subject core.Digest) string { return strings.Replace(string(subject), ":", "-", 1) }

func (r *Repository) referrersTag(ctx context.Context, subject core.Digest) ([]Descriptor, error) {
	m, err := r.Resolve(ctx, FallbackTag(subject))
	if IsAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := parseReferrers(m.Raw)
	return unique(list), err
}

// referrersPage reads one answer and says where the next one is.
func (r *Repository) referrersPage(ctx context.Context, what string) (list []Descriptor, next string, err error) {
	err = network.Attempts(ctx, r.options.Patience, func() error {
		resp, err := r.get(ctx, what, http.Header{"Accept": {string(types.OCIImageIndex)}})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return network.ReadStatus(resp)
		}
		raw, err := io.ReadAll(io.LimitReader(resp.Body, r.options.Limits.MetadataSize))
		if err != nil {
			return &network.BodyError{Err: err}
		}
		next = r.nextPage(resp)
		list, err = parseReferrers(raw)
		return err
	})
	return list, next, err
}

// nextPage reads the Link header. Only an address below this repository is followed.
func (r *Repository) nextPage(resp *http.Response) string {
	link, rel, ok := strings.Cut(resp.Header.Get("Link"), ">")
	if !ok || !strings.Contains(rel, `rel="next"`) {
		return ""
	}
	u, err := url.Parse(strings.TrimPrefix(strings.TrimSpace(link), "<"))
	if err != nil {
		return ""
	}
	u = resp.Request.URL.ResolveReference(u)
	rest, below := strings.CutPrefix(u.Path, "/v2/"+r.repo.RepositoryStr()+"/")
	if !below || u.Host != resp.Request.URL.Host {
		return ""
	}
	if u.RawQuery != "" {
		rest += "?" + u.RawQuery
	}
	return rest
}

func parseReferrers(raw []byte) ([]Descriptor, error) {
	var index struct {
		Manifests []Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("the list of referrers is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	return index.Manifests, nil
}

// IsAbsent reports whether a registry said that there is no such thing, which is an answer and no failure.
func IsAbsent(err error) bool {
	var status *network.StatusError
	return errors.As(err, &status) && status.Status == http.StatusNotFound
}
