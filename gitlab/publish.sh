#!/bin/sh
# Publishes this directory as the root of its own project, where GitLab finds the component: publish.sh URL VERSION
#
# The commit is made of the history of this directory and of nothing else, so it is the same on every machine, and the
# project can only move forward. GitLab wants versions without a "v".
set -eu
url=$1
version=${2#v}
commit=$(git subtree split -q --prefix gitlab)
git push "$url" "$commit:refs/heads/main" "$commit:refs/tags/$version"
