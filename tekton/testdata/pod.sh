#!/usr/bin/env bash
# Runs the steps of a pod, all started at the same time and with one /tekton of their own, as a node does. It has to be
# started in a new mount and process namespace. CI_ROOT is a directory with the empty directories upper, work and root;
# CI_SOURCE is the steps' working directory. The commands of the steps are separated by the word +++, and their exit codes
# are left in CI_ROOT/exit-0 and so on.
set -euo pipefail

mount --make-rprivate /
mount -t tmpfs tmpfs "$CI_ROOT/work"
mkdir "$CI_ROOT/work/upper" "$CI_ROOT/work/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$CI_ROOT/work/upper,workdir=$CI_ROOT/work/work" "$CI_ROOT/root"
mount --rbind /dev "$CI_ROOT/root/dev"
mount -t proc proc "$CI_ROOT/root/proc"
# What the step writes outside of /tekton, and reads of the project, is that of the test.
mount --rbind "${TMPDIR_OF_TEST:-/tmp}" "$CI_ROOT/root${TMPDIR_OF_TEST:-/tmp}"
mkdir -p "$CI_ROOT/root/tekton/results" "$CI_ROOT/root/tekton/run/"{0,1} "$CI_ROOT/root/tekton/steps" "$CI_ROOT/root/tekton/home"
ln -s ../run/0/status "$CI_ROOT/root/tekton/steps/step-gate" # as the entrypoint's step-init does

run_steps() {
	local -a step=()
	local word number=0
	cd "$CI_SOURCE"
	for word in "$@" +++; do
		if [[ $word != +++ ]]; then
			step+=("$word")
			continue
		fi
		(
			code=0
			"${step[@]}" || code=$?
			echo "$code" >"$CI_ROOT/exit-$number"
		) &
		step=() number=$((number + 1))
	done
	wait
}
export -f run_steps
exec chroot "$CI_ROOT/root" bash -c 'run_steps "$@"' pod "$@"
