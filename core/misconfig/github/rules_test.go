package github

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// workflow has one job with one step.
func workflow(on, step string) string {
	return "on: " + on + "\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - " + step + "\n"
}

func TestWorkflowsAndActionsAreKnown(t *testing.T) {
	for text, want := range map[string]bool{
		workflow("push", "run: x"): true, "jobs: {a: {runs-on: x}}": false, "on: push\njobs: {a: {script: x}}": false,
		"on: workflow_call\njobs: {a: {uses: ./x}}": true,
	} {
		docs, err := yamldoc.Parse([]byte(text))
		if err != nil || Is("a.yml", docs[0]) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCheckoutsOfStrangersChangesAreFound(t *testing.T) {
	checkout := "{uses: actions/checkout@v4, with: {ref: '${{ github.event.pull_request.head.sha }}'}}"
	family.Flags(t, "github-head-checkout", workflow("pull_request_target", checkout), workflow("[push, workflow_run]",
		"{uses: actions/checkout@v4, with: {ref: '${{ github.event.workflow_run.head_sha }}'}}"),
		workflow("{pull_request_target: {types: [opened]}}", "run: gh pr checkout 1"))
	family.Spares(t, "github-head-checkout", workflow("pull_request", checkout), workflow("pull_request_target",
		"uses: actions/checkout@v4"))
}

func TestScriptsThatTakeInWhatStrangersWriteAreFound(t *testing.T) {
	family.Flags(t, "github-script-injection", workflow("push", "run: echo ${{ github.event.head_commit.message }}"),
		workflow("pull_request", "run: git checkout ${{ github.head_ref }}"),
		workflow("issues", "{uses: actions/github-script@v7, with: {script: \"x('${{ github.event.issue.title }}')\"}}"),
		workflow("push", "run: echo ${{ toJSON(github.event) }}"),
		"runs:\n  using: composite\n  steps:\n    - run: echo ${{ inputs.x }}\n      shell: bash\n")
	family.Spares(t, "github-script-injection", workflow("push", "{run: echo \"$T\", env: {T: '${{ "+
		"github.event.head_commit.message }}'}}"), workflow("push", "run: echo ${{ github.sha }} ${{ matrix.x }}"),
		workflow("pull_request", "run: echo ${{ github.event.pull_request.number }} ${{ github.event.repository.name }}"),
		workflow("push", "{uses: a/b@v1, with: {x: '${{ github.head_ref }}'}}"))
	family.Is(t, "github-script-injection", workflow("issue_comment", "run: |\n          true\n          echo ${{ "+
		"github.event.comment.body }}"), core.SeverityCritical, 9)
	family.Is(t, "github-script-injection", workflow("pull_request", "run: echo ${{ github.event.pull_request.title }}"),
		core.SeverityHigh, 7)
}

func TestWidePermissionsAreFound(t *testing.T) {
	family.Flags(t, "github-wide-permissions", "on: push\npermissions: write-all\njobs: {a: {runs-on: x}}\n",
		"on: push\njobs: {a: {runs-on: x, permissions: write-all}}\n",
		"on: push\npermissions: {contents: write}\njobs: {a: {runs-on: x}, b: {runs-on: x}}\n")
	family.Spares(t, "github-wide-permissions", workflow("push", "run: x"), "on: push\npermissions: read-all\njobs: {a: "+
		"{runs-on: x, permissions: {contents: write}}}\n")
}

func TestMissingPermissionsAreFound(t *testing.T) {
	family.Flags(t, "github-missing-permissions", "on: push\njobs: {a: {runs-on: x}, b: {runs-on: x}}\n")
	family.Spares(t, "github-missing-permissions", workflow("push", "run: x"), "on: push\njobs: {a: {runs-on: x, "+
		"permissions: {}}}\n", "on: workflow_call\njobs: {a: {runs-on: x}}\n", "runs: {using: composite, steps: []}\n")
}

func TestUnpinnedActionsAreFound(t *testing.T) {
	family.Flags(t, "github-unpinned-action", workflow("push", "uses: a/b@v1"), workflow("push", "uses: actions/checkout@v4"),
		"on: push\njobs: {a: {uses: a/b/.github/workflows/c.yml@main}}\n", workflow("push", "uses: a/b@0123456"))
	family.Spares(t, "github-unpinned-action", workflow("push", "uses: a/b@0123456789012345678901234567890123456789"),
		workflow("push", "uses: ./x"), workflow("push", "uses: docker://a"))
	family.Is(t, "github-unpinned-action", workflow("push", "uses: actions/checkout@v4"), core.SeverityLow, 7)
}

func TestUnpinnedImagesAreFound(t *testing.T) {
	family.Flags(t, "github-unpinned-image", "on: push\njobs: {a: {runs-on: x, container: 'a:1'}}\n",
		"on: push\njobs: {a: {runs-on: x, services: {b: {image: a}}}}\n", workflow("push", "uses: docker://a:1"),
		"runs: {using: docker, image: 'docker://a:1'}\n")
	family.Spares(t, "github-unpinned-image", "on: push\njobs: {a: {runs-on: x, container: {image: 'a@sha256:0'}}}\n",
		"runs: {using: docker, image: Dockerfile}\n", "on: push\njobs: {a: {runs-on: x, container: '${{ matrix.x }}'}}\n")
}

func TestPullRequestsOnMachinesOfOnesOwnAreFound(t *testing.T) {
	family.Flags(t, "github-self-hosted", "on: pull_request\njobs: {a: {runs-on: [self-hosted, linux]}}\n",
		"on: pull_request\njobs: {a: {runs-on: {labels: self-hosted}}}\n")
	family.Spares(t, "github-self-hosted", "on: push\njobs: {a: {runs-on: self-hosted}}\n",
		"on: pull_request\njobs: {a: {runs-on: ubuntu-24.04}}\n")
}

func TestUnsecureCommandsAreFound(t *testing.T) {
	family.Flags(t, "github-unsecure-commands", workflow("push", "{run: x, env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: true}}"),
		"on: push\nenv: {ACTIONS_ALLOW_UNSECURE_COMMANDS: 'true'}\njobs: {a: {runs-on: x}}\n")
	family.Spares(t, "github-unsecure-commands", workflow("push", "{run: x, env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: false}}"))
}

func TestCurlPipeShellIsFound(t *testing.T) {
	family.Flags(t, "github-curl-pipe-shell", workflow("push", "run: curl x | sh"), workflow("push",
		"run: curl ${{ env.X }} | bash"))
	family.Spares(t, "github-curl-pipe-shell", workflow("push", "run: curl x -o y"), workflow("push",
		"{run: 'curl x | sh', shell: pwsh}"))
	family.Is(t, "github-curl-pipe-shell", workflow("push", "run: |\n          true\n          curl x | sh"), core.SeverityMedium,
		9)
}

func TestIgnoreCommentsSpeakOfSteps(t *testing.T) {
	text := strings.Replace(workflow("push", "uses: a/b@v1"), "      - uses",
		"      # cleanbill:ignore github-unpinned-action it is ours\n      - uses", 1)
	if got := family.Found(t, "github-unpinned-action", text); len(got) != 1 || len(got[0].Suppressions) != 1 {
		t.Errorf("%+v", got)
	}
}
