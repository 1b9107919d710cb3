#!/usr/bin/env bash
# Builds the program from the action's own checkout, so that what runs is what the workflow pinned, and names it in the
# step's output "binary". It reads no input of the action.
set -euo pipefail

if ! command -v go >/dev/null; then
	echo "::error title=Cleanbill needs Go::This version of the action builds the program from its sources, and there is no go on the PATH of this runner. Add actions/setup-go before it."
	exit 2
fi

# A new directory: nothing that an earlier step left behind is run.
directory=$(mktemp -d "$RUNNER_TEMP/cleanbill-build-XXXXXX")

# The sources are a checkout of a fixed commit, which need not be a repository that git trusts; neither the job's own
# workspace nor its Go settings have a say.
if ! GOWORK=off GOFLAGS=-mod=readonly \
	go build -C "$GITHUB_ACTION_PATH" -buildvcs=false -o "$directory/cleanbill" . 2>&1; then
	echo "::error title=Cleanbill could not be built::See the log of this step. The program needs the version of Go that its go.mod names, or a newer one, and Go's module proxy."
	exit 2
fi
echo "binary=$directory/cleanbill" >>"$GITHUB_OUTPUT"
