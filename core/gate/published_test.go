package gate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestWhatWasPublishedIsShown(t *testing.T) {
	digest := core.Digest("sha256:" + strings.Repeat("1", 64))
	for name, tc := range map[string]struct {
		decision  core.Decision
		wanted    string
		published *gate.Published
		want      string
	}{
		"nothing is wanted":  {core.Refused, "", nil, ""},
		"a failure":          {core.Passed, "registry.example/app:1", nil, ""},
		"a verdict":          {core.Refused, "registry.example/app:1", nil, "\nnot pushed  registry.example/app:1\n"},
		"a verdict in place": {core.Undecided, "registry.example/app@" + string(digest), nil, "\nnot signed  registry.example/app@" + string(digest) + "\n"},
		"pushed": {core.Passed, "registry.example/app:1", &gate.Published{Reference: "registry.example/app:1", Digest: digest, Hosts: []string{"fulcio.example\x1b[2J"},
			Attestations: []gate.Attested{{PredicateType: "https://spdx.dev/Document", Subject: digest}, {Subject: digest}}},
			"\npushed      registry.example/app:1\n            " + string(digest) + "\n" +
				"attested    https://spdx.dev/Document of sha256:111111111111\n" +
				"attested    signature of the older form of sha256:111111111111\n" +
				"asked       fulcio.example\\x1b[2J\n"},
		"signed where it is": {core.Passed, "registry.example/app@" + string(digest), &gate.Published{Reference: "registry.example/app@" + string(digest), Digest: digest},
			"\nsigned      registry.example/app@" + string(digest) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			r := &gate.Result{Verdict: core.Verdict{Decision: tc.decision}, Published: tc.published}
			if tc.wanted != "" {
				r.Evidence.Publication = &core.Publication{Reference: tc.wanted}
			}
			if err := r.ShowPublished(&b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	full := errors.New("disk full")
	r := &gate.Result{Published: &gate.Published{}, Evidence: core.Evidence{Publication: &core.Publication{Reference: "registry.example/app:1"}}}
	if err := r.ShowPublished(failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
