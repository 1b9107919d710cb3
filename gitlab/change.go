package gitlab

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// fetchHint says how a job gets the base of a merge request.
const fetchHint = "set the variable GIT_DEPTH: 0 in the job"

// change returns the change that the pipeline is about. In a pipeline for merged results or a merge train that is the
// target branch as it is; in one for the merge request alone, GitLab says only where the branches parted.
// A child of such a pipeline has the source parent_pipeline, and its parent's variables.
//
// https://docs.gitlab.com/ci/variables/predefined_variables/#predefined-variables-for-merge-request-pipelines
func (a *Adapter) change(asked core.Change) (core.Change, error) {
	c := core.Change{Repository: a.getenv("CI_PROJECT_PATH"), Head: a.getenv("CI_COMMIT_SHA"),
		Base: asked.Base, Branch: cmp.Or(asked.Branch, a.getenv("CI_COMMIT_BRANCH"))}
	var said string
	switch source := a.getenv("CI_PIPELINE_SOURCE"); {
	case source == "merge_request_event", a.getenv("CI_MERGE_REQUEST_IID") != "":
		said = cmp.Or(a.getenv("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"), a.getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"))
		c.Branch = a.getenv("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
		c.Head = cmp.Or(a.getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), c.Head)
		c.Request = "!" + a.getenv("CI_MERGE_REQUEST_IID")
	case source == "external_pull_request_event", a.getenv("CI_EXTERNAL_PULL_REQUEST_IID") != "":
		said = a.getenv("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA")
		c.Branch = a.getenv("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME")
		c.Head = cmp.Or(a.getenv("CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA"), c.Head)
		c.Request = "#" + a.getenv("CI_EXTERNAL_PULL_REQUEST_IID")
	default:
		return c, nil
	}
	switch {
	case !isCommit(said):
		err := errors.New("no variable of the pipeline names it")
		if said != "" {
			err = fmt.Errorf("%q is no commit", said)
		}
		return c, &core.Failure{Doing: "find the base of the merge request", Err: fmt.Errorf("%w: %w", gate.ErrNoBase, err),
			Hint: "run this in a merge request pipeline, where GitLab sets CI_MERGE_REQUEST_DIFF_BASE_SHA"}
	case asked.Base != "" && asked.Base != said:
		return c, &core.Failure{Doing: "judge the change from " + asked.Base, Usage: true,
			Err:  fmt.Errorf("GitLab says that the base of the merge request is %s", said),
			Hint: "leave CLEANBILL_BASE out: it is for pipelines that do not say"}
	}
	c.Base = said
	return c, nil
}

// isCommit reports whether s is the full name of a commit.
func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
