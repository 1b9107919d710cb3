#!/usr/bin/env bash
# Puts the program at hand and names it in the step's output "binary". In a release, RELEASE beside this script names each
# platform's program by digest, and one of them is fetched; elsewhere the program is built from the action's own checkout.
# Either way, what runs is what the workflow pinned. CLEANBILL_MIRROR may name another place with the same files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
record=$here/RELEASE

# A new directory: nothing that an earlier step left behind is run.
directory=$(mktemp -d "$RUNNER_TEMP/cleanbill-program-XXXXXX")

# fail TITLE MESSAGE CODE: both are texts of this script, with nothing from outside in them.
fail() {
	printf '::error title=%s::%s\n' "$1" "$2"
	exit "$3"
}

build() {
	if ! command -v go >/dev/null; then
		fail 'Cleanbill needs Go' 'At this commit the action builds the program from its sources, and there is no go on the PATH of this runner. Pin the commit of a release, or add actions/setup-go before it.' 2
	fi
	# The sources are a checkout of a fixed commit, which need not be a repository that git trusts; neither the job's own
	# workspace nor its Go settings have a say.
	if ! GOWORK=off GOFLAGS=-mod=readonly \
		go build -C "$here/.." -buildvcs=false -o "$directory/cleanbill" . 2>&1; then
		fail 'Cleanbill could not be built' "See the log of this step. The program needs the version of Go that its go.mod names, or a newer one, and Go's module proxy." 2
	fi
}

# name_of_program prints the file of this machine's platform.
name_of_program() {
	local os arch
	case $(uname -s) in
	Linux) os=linux ;;
	Darwin) os=darwin ;;
	*) return 1 ;;
	esac
	case $(uname -m) in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	*) return 1 ;;
	esac
	echo "cleanbill_${os}_$arch"
}

sha256_of() {
	if command -v sha256sum >/dev/null; then
		sha256sum <"$1"
	else
		shasum -a 256 <"$1"
	fi | cut -d' ' -f1
}

fetch() {
	local name version='' digest='' key value
	name=$(name_of_program) ||
		fail 'Cleanbill has no program for this runner' 'Releases are for Linux and macOS on x64 and arm64.' 2
	while read -r key value; do
		case $key in
		version) version=$value ;;
		*) [[ $value != "$name" ]] || digest=$key ;;
		esac
	done <"$record"
	if [[ ! $version =~ ^v[0-9A-Za-z.-]+$ || ! $digest =~ ^[0-9a-f]{64}$ ]]; then
		fail 'Cleanbill cannot be installed' 'The file RELEASE of this action does not name a program for this platform by digest: the action is damaged, or there is no such program.' 3
	fi
	# A mirror needs no trust: the digest decides.
	if ! curl --fail --silent --show-error --location --proto '=http,https' --proto-redir '=http,https' --max-redirs 5 \
		--connect-timeout 20 --max-time 600 --retry 3 --max-filesize 1073741824 --output "$directory/download" \
		"${CLEANBILL_MIRROR:-https://github.com/cleanbill-ci/cleanbill/releases/download}/$version/$name"; then
		fail 'Cleanbill could not be fetched' "See the log of this step. $name of release $version must be reachable, on github.com or where the input mirror says." 3
	fi
	if [[ $(sha256_of "$directory/download") != "$digest" ]]; then
		rm -f "$directory/download"
		fail 'Cleanbill is not what was released' "What was fetched as $name of release $version has another digest than the release records: it is truncated or was replaced. It was not run." 3
	fi
	chmod 0755 "$directory/download"
	mv "$directory/download" "$directory/cleanbill"
}

if [[ -e $record ]]; then
	fetch
else
	build
fi
printf 'binary=%s\n' "$directory/cleanbill" >>"$GITHUB_OUTPUT"
