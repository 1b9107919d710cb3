package registry_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// listing is a registry that lists manifests as referrers of the subject, and has them.
func listing(manifests ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		i := slices.IndexFunc(manifests, func(m string) bool { return string(verify.DigestOf([]byte(m))) == at })
		switch {
		case strings.Contains(r.URL.Path, "/referrers/"):
			var list []string
			for _, m := range manifests {
				list = append(list, fmt.Sprintf(`{"digest":%q}`, verify.DigestOf([]byte(m))))
			}
			fmt.Fprintf(w, `{"manifests":[%s]}`, strings.Join(list, ","))
		case i >= 0:
			_, _ = w.Write([]byte(manifests[i]))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

func TestWhatIsListedAndNamesAnotherSubjectDoesNotBelongToIt(t *testing.T) {
	mine := fmt.Sprintf(`{"subject":{"digest":%q}}`, subject)
	all, err := dial(t, registry.Options{}, listing(mine, `{"subject":{"digest":"sha256:`+strings.Repeat("6", 64)+`"}}`, `{"layers":[]}`,
		`{"subject":"`+string(subject)+`"}`, `{"subject":[`)).Attached(t.Context(), subject, nil)
	if err != nil || len(all) != 1 || string(all[0].Raw) != mine {
		t.Errorf("%q, %v", all, err)
	}
}

// Whoever may push can attach thousands of the largest manifests that a registry takes.
func TestWhatBelongsToADigestIsBounded(t *testing.T) {
	var large []string
	for i := range 20 {
		large = append(large, fmt.Sprintf(`{"subject":{"digest":%q},"x":"%d%s"}`, subject, i, strings.Repeat("x", 4<<20)))
	}
	_, err := dial(t, registry.Options{}, listing(large...)).Attached(t.Context(), subject, nil)
	if err == nil || !strings.Contains(err.Error(), "bytes together") {
		t.Error(err)
	}
}

// A digest becomes a part of an address, and comes from manifests that anybody made.
func TestWhatIsNoDigestIsNotAskedFor(t *testing.T) {
	r := dial(t, registry.Options{}, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it asks for %s", r.URL) })
	for _, d := range []core.Digest{"", "../../../v2/other/blobs/x", "sha256:../x", "sha256:" + core.Digest(strings.Repeat("A", 64)), "x?y=z"} {
		if _, err := r.Blob(t.Context(), d, 1); err == nil {
			t.Errorf("blob %q", d)
		}
		if _, err := r.Manifest(t.Context(), d, 1); err == nil {
			t.Errorf("manifest %q", d)
		}
	}
}
