package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
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
		if page == maxPages {
			return nil, r.tooMany(subject)
		}
		list, following, err := r.referrersPage(ctx, next)
		var status *network.StatusError
		if errors.As(err, &status) && page == 0 && lacksReferrers(status.Status) {
			return r.referrersTag(ctx, subject)
		}
		if err != nil {
			return nil, r.explain(err, "referrers")
		}
		if all, next = append(all, list...), following; len(all) > maxReferrers {
			return nil, r.tooMany(subject)
		}
	}
	// A client that found no API wrote the tag, even if the registry has the API by now.
	tagged, err := r.referrersTag(ctx, subject)
	if err != nil {
		return nil, err
	}
	if all = unique(append(all, tagged...)); len(all) > maxReferrers {
		return nil, r.tooMany(subject)
	}
	return all, nil
}

// tooMany is the error for a list that is not read to its end: what is beyond it may be what matters.
func (r *Repository) tooMany(subject core.Digest) error {
	return advice.Unavailable("remove what does not belong there: whoever may push can attach anything",
		"%s lists more than %d referrers of %s, or in more than %d parts", r.host(), maxReferrers, subject.Short(), maxPages)
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
	if len(list) > maxReferrers {
		return nil, r.tooMany(subject)
	}
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
		raw, err := r.readList(resp, "the list of referrers")
		if err != nil {
			return err
		}
		if next, err = r.nextPage(resp); err != nil {
			return err
		}
		list, err = parseReferrers(raw)
		return err
	})
	return list, next, err
}

// readList reads an answer that lists something.
func (r *Repository) readList(resp *http.Response, what string) ([]byte, error) {
	most := r.options.Limits.MetadataSize
	raw, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, &network.BodyError{Err: err}
	case int64(len(raw)) > most:
		return nil, &limit.Exceeded{Limit: "metadata-size", Max: most, Unit: "bytes", What: what}
	}
	return raw, nil
}

// nextRelation is in a Link header that says where a list goes on.
var nextRelation = regexp.MustCompile(`(?i)\brel="?next\b`)

// nextPage reads the Link header. Only an address below this repository is followed; that a list goes on elsewhere is an
// error, because a part of it must not be taken for all.
func (r *Repository) nextPage(resp *http.Response) (string, error) {
	header := resp.Header.Get("Link")
	link, parameters, _ := strings.Cut(header, ">")
	if !nextRelation.MatchString(parameters) {
		return "", nil
	}
	u, err := url.Parse(strings.TrimPrefix(strings.TrimSpace(link), "<"))
	if err == nil {
		u = resp.Request.URL.ResolveReference(u)
		rest, below := strings.CutPrefix(u.Path, "/v2/"+r.repo.RepositoryStr()+"/")
		if u.RawQuery != "" {
			rest += "?" + u.RawQuery
		}
		if below && u.Host == resp.Request.URL.Host {
			return rest, nil
		}
	}
	return "", fmt.Errorf("the registry says that its list goes on elsewhere: %q", redact.Limited(header, 200))
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
