package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

const subject = core.Digest("sha256:5555555555555555555555555555555555555555555555555555555555555555")

// dial is the repository "app" of a registry that a handler is; the greeting is answered for it.
func dial(t *testing.T, o registry.Options, h http.HandlerFunc) *registry.Repository {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			h(w, r)
		}
	}))
	t.Cleanup(s.Close)
	ref, err := registry.ParseReference(strings.TrimPrefix(s.URL, "http://") + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	o.Patience = network.Patience{Attempts: 1, Delay: time.Millisecond}
	r, err := registry.Dial(t.Context(), ref.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// index lists manifests with digests that begin at from.
func index(from, n int) []byte {
	list := make([]registry.Descriptor, n)
	for i := range list {
		list[i] = registry.Descriptor{Digest: core.Digest(fmt.Sprintf("sha256:%064x", from+i))}
	}
	raw, _ := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": list})
	return raw
}

// A part of a list must not be taken for all of it: what is left out may be what matters.
func TestReferrersAreReadToTheEndOrNotAtAll(t *testing.T) {
	const path = "/v2/app/referrers/" + string(subject)
	pages := func(sizes []int, link string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			switch {
			case r.URL.Path != path:
				w.WriteHeader(http.StatusNotFound)
				return
			case page+1 < len(sizes):
				w.Header().Set("Link", fmt.Sprintf(link, page+1))
			}
			_, _ = w.Write(index(page*10_000, sizes[min(page, len(sizes)-1)]))
		}
	}
	endless := make([]int, 1000)
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  int
		says  string
	}{
		"none":                   {pages([]int{0}, ""), 0, ""},
		"two pages":              {pages([]int{3, 2}, "<"+path+`?page=%d>; rel="next"`), 5, ""},
		"without quotes":         {pages([]int{3, 2}, "<"+path+`?page=%d>; rel=next`), 5, ""},
		"as many as are read":    {pages([]int{2000}, ""), 2000, ""},
		"one more":               {pages([]int{2001}, ""), 0, "more than 2000 referrers"},
		"one more, on two pages": {pages([]int{2000, 1}, "<"+path+`?page=%d>; rel="next"`), 0, "more than 2000 referrers"},
		"endless pages":          {pages(endless, "<"+path+`?page=%d>; rel="next"`), 0, "more than 50 parts"},
		"on another server":      {pages([]int{3, 2}, "<https://elsewhere.example"+path+`?page=%d>; rel="next"`), 0, "goes on elsewhere"},
		"of another repository":  {pages([]int{3, 2}, `</v2/other/referrers/x?page=%d>; rel="next"`), 0, "goes on elsewhere"},
		"larger than what is read": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"manifests":[` + strings.Repeat(" ", 1<<20)))
		}, 0, "exceeds the limit"},
		"one more, under the tag": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/app/manifests/"+registry.FallbackTag(subject) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = w.Write(index(0, 2001))
		}, 0, "more than 2000 referrers"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := dial(t, registry.Options{Limits: limit.Limits{MetadataSize: 1 << 20}}, tc.serve).Referrers(t.Context(), subject)
			switch {
			case tc.says == "" && (err != nil || len(list) != tc.want):
				t.Errorf("%d are listed, %v", len(list), err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("%d are listed, %v; want %q", len(list), err, tc.says)
			case strings.HasPrefix(tc.says, "more than") && advice.HintOf(err) == "":
				t.Errorf("nothing says what to do about %v", err)
			}
		})
	}
}
