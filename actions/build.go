package actions

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// build is how this run builds, as the runner says it; nil if it does not say enough to name a workflow and a commit. Whether
// the image was built by this run at all, only the author of the workflow knows.
//
//   - https://actions.github.io/buildtypes/workflow/v1
//   - https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func (a *Adapter) build() *gate.Build {
	server, repository, commit := a.getenv("GITHUB_SERVER_URL"), a.getenv("GITHUB_REPOSITORY"), a.getenv("GITHUB_SHA")
	path, ref, ok := strings.Cut(a.getenv("GITHUB_WORKFLOW_REF"), "@")
	if server == "" || repository == "" || !isCommit(commit) || !ok {
		return nil
	}
	type workflow struct {
		Ref        string `json:"ref"`
		Repository string `json:"repository"`
		Path       string `json:"path"`
	}
	b := &gate.Build{
		Type:     "https://actions.github.io/buildtypes/workflow/v1",
		Source:   "git+" + server + "/" + repository + "@" + a.getenv("GITHUB_REF"),
		Revision: commit,
		Parameters: struct {
			Workflow workflow `json:"workflow"`
		}{workflow{ref, server + "/" + repository, strings.TrimPrefix(path, repository+"/")}},
	}
	switch where := a.getenv("RUNNER_ENVIRONMENT"); where {
	case "github-hosted", "self-hosted":
		b.Builder = "https://github.com/actions/runner/" + where
	default:
		return nil
	}
	if run := a.getenv("GITHUB_RUN_ID"); run != "" {
		b.Invocation = server + "/" + repository + "/actions/runs/" + run
		if attempt := a.getenv("GITHUB_RUN_ATTEMPT"); attempt != "" {
			b.Invocation += "/attempts/" + attempt
		}
	}
	return b
}
