package tekton_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// encoded returns the bytes of results in a termination message, as Tekton's entrypoint writes it.
func encoded(t *testing.T, results map[string]string) int {
	t.Helper()
	type entry struct {
		Key   string `json:"key"`
		Value string `json:"value"`
		Type  int    `json:"type"`
	}
	var entries []entry
	for name, value := range results {
		entries = append(entries, entry{name, value, 1})
	}
	message, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	return len(message)
}

// ofPlatforms is the result of an index with n platforms.
func ofPlatforms(n int) *gate.Result {
	result := judged(core.Refused)
	index := core.Subject{Name: "registry.example/team/app:1.4", Kind: core.KindIndex, Digest: digest}
	result.Evidence.Subjects = []core.Subject{index}
	for i := range n {
		result.Evidence.Subjects = append(result.Evidence.Subjects,
			core.Subject{Kind: core.KindImage, Parent: digest, Digest: core.Digest(fmt.Sprintf("sha256:%064x", i))})
	}
	return result
}

func TestResultsFitForAnyNumberOfPlatforms(t *testing.T) {
	short := false
	for n := range 41 {
		s := newStep(t)
		result := ofPlatforms(n)
		result.Verdict.Counts.Packages = 1 << 40
		s.env["CLEANBILL_REPORTS"] = s.dir
		document := filepath.Join(s.dir, "cleanbill.json")
		if err := os.WriteFile(document, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		result.Reports = []gate.Output{{Format: "json", Path: document}}
		if err := s.adapter().Publish(context.Background(), result); err != nil {
			t.Fatal(err)
		}
		results := s.results(t)
		if size := encoded(t, results); size > 2560 {
			t.Errorf("%d platforms: the results take %d bytes", n, size)
		}
		var processed struct {
			Image struct {
				Pullspec string
				Digests  []core.Digest
			}
		}
		var reports map[core.Digest]string
		for name, into := range map[string]any{"IMAGES_PROCESSED": &processed, "REPORTS": &reports} {
			if err := json.Unmarshal([]byte(results[name]), into); err != nil {
				t.Fatalf("%s: %v: %s", name, err, results[name])
			}
		}
		// All of them, or the one that was named: never some.
		want := n + 1
		if short = short || len(processed.Image.Digests) < want; short {
			want = 1
		}
		if len(processed.Image.Digests) != want || processed.Image.Digests[0] != digest || len(reports) != want {
			t.Errorf("%d platforms: %s and %s", n, results["IMAGES_PROCESSED"], results["REPORTS"])
		}
		if sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("{}"))); reports[digest] != sum {
			t.Errorf("%d platforms: the report of the index is %q, want %s", n, reports[digest], sum)
		}
		if n == 2 && short {
			t.Error("two platforms are too many")
		}
	}
	if !short {
		t.Error("forty platforms need no shortening: this test tests nothing")
	}
}

func TestAPullspecThatIsTooLongIsLeftOut(t *testing.T) {
	s := newStep(t)
	result := ofPlatforms(1)
	result.Evidence.Subjects[0].Name = strings.Repeat("long/", 1000)
	if err := s.adapter().Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	if results := s.results(t); results["IMAGES_PROCESSED"] != "{}" || results["VERDICT"] != "refused" {
		t.Errorf("results are %v", results)
	}
}

func TestSeveralImagesAreNotMistakenForOne(t *testing.T) {
	s := newStep(t)
	result := ofPlatforms(1)
	result.Evidence.Subjects = append(result.Evidence.Subjects, core.Subject{Name: "other", Kind: core.KindImage, Digest: "sha256:22"})
	if err := s.adapter().Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	if got := s.results(t)["IMAGES_PROCESSED"]; got != "{}" {
		t.Errorf("IMAGES_PROCESSED is %s", got)
	}
}

func TestManyFindingsTakeNoMoreRoomThanTheirCounts(t *testing.T) {
	s := newStep(t)
	result := judged(core.Refused)
	for range 15 {
		result.Evidence.Findings = append(result.Evidence.Findings, result.Evidence.Findings...)
	}
	if err := s.adapter().Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	if size := encoded(t, s.results(t)); size > 1024 {
		t.Errorf("the results take %d bytes", size)
	}
}
