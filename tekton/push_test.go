package tekton_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

var pushedNames = []string{"IMAGE_URL", "IMAGE_DIGEST", "SBOM_BLOB_URL"}

// newPush is a step of the Task that pushes.
func newPush(t *testing.T) *step {
	t.Helper()
	s := newStep(t)
	for _, name := range pushedNames {
		s.env["CLEANBILL_RESULT_"+name] = filepath.Join(s.dir, name)
	}
	s.env["CLEANBILL_PUSH"] = "registry.example:5000/team/app:1.4\n"
	return s
}

func (s *step) pushed(t *testing.T) map[string]string {
	t.Helper()
	results := map[string]string{}
	for _, name := range append([]string{"REPORTS", "IMAGES_PROCESSED"}, pushedNames...) {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		results[name] = string(data)
	}
	return results
}

func TestOnlyTheTaskThatPushesPublishes(t *testing.T) {
	s := newStep(t)
	s.env["CLEANBILL_PUSH"], s.env["CLEANBILL_KEY"] = "registry.example/app:1", "key.pem"
	if plan, err := s.adapter().Plan(context.Background()); err != nil || plan.Publish != nil {
		t.Errorf("the gate would publish %+v, %v", plan.Publish, err)
	}
}

func TestParametersSayWhoSigns(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want gate.Signing
	}{
		"a key": {map[string]string{"CLEANBILL_KEY": "env://CLEANBILL_SIGNING_KEY"}, gate.Signing{Key: "env://CLEANBILL_SIGNING_KEY"}},
		"the service account": {map[string]string{"CLEANBILL_SIGNING_CONFIG": "signing.json", "CLEANBILL_TRUSTED_ROOT": "root.json"},
			gate.Signing{SigningConfig: "signing.json", TrustedRoot: "root.json"}},
		"with consent":    {map[string]string{"CLEANBILL_PUBLIC_LOG": "true"}, gate.Signing{PublicLog: true}},
		"without consent": {map[string]string{"CLEANBILL_PUBLIC_LOG": "false"}, gate.Signing{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPush(t)
			for variable, value := range c.env {
				s.env[variable] = value
			}
			plan, err := s.adapter().Plan(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			want := &gate.Publishing{Reference: "registry.example:5000/team/app:1.4", Signing: c.want}
			if diff := cmp.Diff(want, plan.Publish); diff != "" {
				t.Errorf("publishing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConsentIsSaidInOneWord(t *testing.T) {
	s := newPush(t)
	s.env["CLEANBILL_PUBLIC_LOG"] = "yes"
	if plan, err := s.adapter().Plan(context.Background()); !core.Usage(err) {
		t.Errorf("got %+v and %v, want a usage failure", plan.Publish, err)
	}
}

// published is what came of an index whose platform has attestations of its own.
func published() *gate.Published {
	const platform = core.Digest("sha256:22")
	return &gate.Published{Reference: "registry.example:5000/team/app:1.4", Digest: digest, Attestations: []gate.Attested{
		{PredicateType: "https://cyclonedx.org/bom", Subject: platform, Digest: "sha256:a0", Content: "sha256:a1"},
		{PredicateType: "https://cyclonedx.org/bom", Subject: digest, Digest: "sha256:b0", Content: "sha256:b1"},
		{PredicateType: "https://github.com/cleanbill-ci/cleanbill/evidence/v1", Subject: digest, Digest: "sha256:c0", Content: "sha256:c1"},
		{Subject: digest},
	}}
}

func TestWhatWasPushedIsToldToChains(t *testing.T) {
	s := newPush(t)
	result := judged(core.Passed)
	result.Published = published()
	if err := s.adapter().Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"IMAGE_URL": "registry.example:5000/team/app:1.4", "IMAGE_DIGEST": string(digest),
		"SBOM_BLOB_URL":    "registry.example:5000/team/app@sha256:b1",
		"REPORTS":          `{"` + string(digest) + `":"sha256:c0"}`,
		"IMAGES_PROCESSED": `{"image":{"pullspec":"registry.example:5000/team/app:1.4","digests":["` + string(digest) + `"]}}`,
	}
	if diff := cmp.Diff(want, s.pushed(t)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if !strings.Contains(s.stdout.String(), "\npushed      registry.example:5000/team/app:1.4\n            "+string(digest)+"\n") {
		t.Errorf("the log does not tell of it:\n%s", s.stdout.String())
	}
}

func TestChainsIsToldNothingOfWhatIsNotThere(t *testing.T) {
	none := map[string]string{"IMAGE_URL": "", "IMAGE_DIGEST": "", "SBOM_BLOB_URL": "", "REPORTS": "{}"}
	// What was judged is told all the same.
	ofPush := cmpopts.IgnoreMapEntries(func(name, _ string) bool { return name == "IMAGES_PROCESSED" })
	t.Run("refused", func(t *testing.T) {
		s := newPush(t)
		if err := s.adapter().Publish(context.Background(), judged(core.Refused)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(none, s.pushed(t), ofPush); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
	t.Run("failed after all", func(t *testing.T) {
		s := newPush(t)
		result := judged(core.Passed)
		result.Published = published()
		if err := s.adapter().Publish(context.Background(), result); err != nil {
			t.Fatal(err)
		}
		if err := s.adapter().Failed(context.Background(), 3, errors.New("reason")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(none, s.pushed(t), ofPush); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestResultsOfAPushFitToo(t *testing.T) {
	for n := range 41 {
		s := newPush(t)
		result := ofPlatforms(n)
		result.Verdict.Decision, result.Published = core.Passed, published()
		result.Published.Reference = "registry.example:5000/" + strings.Repeat("long/", 40) + "app:1.4"
		if err := s.adapter().Publish(context.Background(), result); err != nil {
			t.Fatal(err)
		}
		results := s.results(t)
		for name, value := range s.pushed(t) {
			results[name] = value
		}
		if size := encoded(t, results); size > 2560 {
			t.Errorf("%d platforms: the results take %d bytes", n, size)
		}
	}
}
