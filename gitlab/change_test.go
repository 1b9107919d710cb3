package gitlab_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestThePipelineNamesTheChange(t *testing.T) {
	target, parted, source, merged := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40), strings.Repeat("d", 40)
	request := map[string]string{"CI_PROJECT_PATH": "acme/app", "CI_COMMIT_SHA": merged, "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": source,
		"CI_MERGE_REQUEST_DIFF_BASE_SHA": parted, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": target, "CI_PROJECT_DIR": "/builds/acme/app"}
	of := func(base, head string) core.Change {
		return core.Change{Repository: "acme/app", Branch: "main", Head: head, Base: base, Request: "!7"}
	}
	for name, tc := range map[string]struct {
		without []string
		with    map[string]string
		want    core.Change
		exit    int
	}{
		"merged results or a merge train": {want: of(target, source)},
		"the merge request alone": {without: []string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"},
			want: of(parted, merged)},
		"a base that GitLab names too": {with: map[string]string{"CLEANBILL_BASE": target}, want: of(target, source)},
		"a base of the author's own":   {with: map[string]string{"CLEANBILL_BASE": source}, exit: 2},
		"no base":                      {without: []string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"}, exit: 3},
		"a branch as base":             {with: map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "main"}, exit: 3},
		"a child pipeline":             {with: map[string]string{"CI_PIPELINE_SOURCE": "parent_pipeline"}, want: of(target, source)},
		"a child pipeline without a base": {with: map[string]string{"CI_PIPELINE_SOURCE": "parent_pipeline"},
			without: []string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"}, exit: 3},
		"a branch": {with: map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "topic"}, without: []string{"CI_MERGE_REQUEST_IID"},
			want: core.Change{Repository: "acme/app", Branch: "topic", Head: merged}},
		"a pull request elsewhere": {without: []string{"CI_MERGE_REQUEST_IID"}, with: map[string]string{"CI_PIPELINE_SOURCE": "external_pull_request_event",
			"CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA": target, "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME": "main",
			"CI_EXTERNAL_PULL_REQUEST_IID": "9"}, want: core.Change{Repository: "acme/app", Branch: "main", Head: merged, Base: target, Request: "#9"}},
		"a pull request elsewhere, without a base": {with: map[string]string{"CI_PIPELINE_SOURCE": "external_pull_request_event"},
			without: []string{"CI_MERGE_REQUEST_IID"}, exit: 3},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			for k, v := range request {
				j.env[k] = v
			}
			for _, k := range tc.without {
				delete(j.env, k)
			}
			for k, v := range tc.with {
				j.env[k] = v
			}
			plan, err := j.adapter().Plan(context.Background())
			switch {
			case tc.exit == 0:
				if err != nil || plan.Change != tc.want || plan.Source != "/builds/acme/app" {
					t.Errorf("got %+v, %v; want %+v", plan.Change, err, tc.want)
				}
			case gate.ExitCode(nil, err) != tc.exit || errors.Is(err, gate.ErrNoBase) != (tc.exit == 3) || core.HintOf(err) == "":
				t.Errorf("exit code %d, %v; want %d", gate.ExitCode(nil, err), err, tc.exit)
			}
		})
	}
}
