#!/usr/bin/env bash
# make test: fetches the tools that tests use where it may, then runs every
# test once and says what did not run. Arguments are packages.
#
# RACE=0 leaves out the race detector, RACE=1 insists on it. Without either it
# is used when there is a C compiler; in CI it is required.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/deps.sh || echo "Going on without them; the tests that need them are counted at the end."

c_works() { # the race detector links against libc
	local out
	out=$(mktemp)
	echo '#include <stdlib.h>
int main(void) { return 0; }' | gcc -x c - -o "$out" >/dev/null 2>&1
	local ok=$?
	rm -f "$out"
	return $ok
}

race=${RACE:-}
if [[ -z $race ]]; then
	race=0
	if [[ ${CI:-} == true ]] || c_works; then race=1; fi
fi

# Tests that run side by side mostly wait for a line, a disk or a process: twice
# as many as there are processors keep those busy.
flags=(-timeout 30m -parallel $((2 * $(getconf _NPROCESSORS_ONLN))))
export CGO_ENABLED=0
if [[ $race == 1 ]]; then
	export CGO_ENABLED=1 # for the race detector only; what we ship is built without
	flags+=(-race)
	# SQLite is C that was translated to Go, and the parser of YAML is used by one
	# goroutine at a time. Watching every byte that they touch makes them five times
	# slower, most of what our tests spend, and a race inside of them is not ours to
	# find. The driver of SQLite is watched: that is who reads what we hand over.
	for package in modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory gopkg.in/yaml.v3; do
		flags+=("-gcflags=$package=-race=false")
	done
	# It holds up the end of every process for a second, in case another thread
	# is about to say something, and our tests start hundreds of them.
	export GORACE="${GORACE:-atexit_sleep_ms=20}"
	echo "Testing with the race detector; a line follows for each package as it ends."
else
	echo "No C compiler (package gcc), or RACE=0: testing without the race detector; a line follows for each package as it ends."
fi

# The longest first: the others run beside them, and nothing long is left for the
# end, when a processor would stand idle. Go takes the order that it is given, and
# each package once.
packages=("${@:-./...}")
if [[ ${packages[*]} == ./... ]]; then packages=(./instance ./cmd/pabal ./store ./...); fi

mkdir -p bin
# The reporter itself is built without cgo, whatever the tests need.
CGO_ENABLED=0 go build -buildvcs=false -o bin/testsum ./internal/tools/testsum
exec bin/testsum -deps scripts/deps.txt -summary bin/test-summary.txt -- "${flags[@]}" "${packages[@]}"
