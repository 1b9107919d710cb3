#!/usr/bin/env bash
# Runs a command with a /tekton of its own, as the first step of a pod has it. It has to be started in a new mount and
# process namespace. CI_ROOT is a directory with the empty directories upper, work and root; CI_SOURCE is the step's
# working directory.
set -euo pipefail

mount --make-rprivate /
mount -t tmpfs tmpfs "$CI_ROOT/work"
mkdir "$CI_ROOT/work/upper" "$CI_ROOT/work/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$CI_ROOT/work/upper,workdir=$CI_ROOT/work/work" "$CI_ROOT/root"
mount --rbind /dev "$CI_ROOT/root/dev"
mount -t proc proc "$CI_ROOT/root/proc"
# What the step writes outside of /tekton, and reads of the project, is that of the test.
mount --rbind "${TMPDIR_OF_TEST:-/tmp}" "$CI_ROOT/root${TMPDIR_OF_TEST:-/tmp}"
mkdir -p "$CI_ROOT/root/tekton/results" "$CI_ROOT/root/tekton/run/0" "$CI_ROOT/root/tekton/steps"
# shellcheck disable=SC2016 # the inner shell expands it
exec chroot "$CI_ROOT/root" bash -c 'cd "$CI_SOURCE" && exec "$@"' pod "$@"
