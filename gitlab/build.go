package gitlab

import (
	"time"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// build is how this job builds, as GitLab's own runner says it; nil if the variables do not name a runner and a commit.
//
//   - https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1/
//   - https://docs.gitlab.com/ci/variables/predefined_variables/
func (a *Adapter) build() *gate.Build {
	server, project, commit, runner := a.getenv("CI_SERVER_URL"), a.getenv("CI_PROJECT_URL"), a.getenv("CI_COMMIT_SHA"), a.getenv("CI_RUNNER_ID")
	if server == "" || project == "" || runner == "" || !isCommit(commit) {
		return nil
	}
	b := &gate.Build{
		Builder:    project + "/-/runners/" + runner,
		Type:       "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v" + a.getenv("CI_RUNNER_VERSION") + "/PROVENANCE.md",
		Invocation: a.getenv("CI_JOB_URL"),
		Source:     "git+" + project + "@" + a.getenv("CI_COMMIT_REF_NAME"),
		Revision:   commit,
		Parameters: struct {
			Entry  string `json:"entryPoint"`
			Source string `json:"source"`
		}{a.getenv("CI_JOB_NAME"), project},
	}
	if started, err := time.Parse(time.RFC3339, a.getenv("CI_JOB_STARTED_AT")); err == nil {
		b.Started = started
	}
	return b
}
