#!/usr/bin/env bash
# make lint: what the compiler and the tests do not see. Each step is quiet
# when it finds nothing; all run, so that one look shows everything. The first
# run builds the linter, about three minutes on two cores; later ones take seconds.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export CGO_ENABLED=0

# Run by version, not through go.mod: its several hundred modules are not ours.
golangci=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

failed=()
step() {
	local name=$1 start=$SECONDS
	shift
	if "$@"; then
		printf 'ok    %-10s %3ds\n' "$name" $((SECONDS - start))
	else
		printf 'FAIL  %-10s %3ds\n' "$name" $((SECONDS - start))
		failed+=("$name")
	fi
}

go_files() { git ls-files -co --exclude-standard '*.go' | while read -r f; do [[ -f $f ]] && echo "$f"; done; }

formatted() {
	local files
	files=$(go_files | xargs -r gofmt -l)
	[[ -z $files ]] && return
	printf 'not formatted (gofmt -w):\n%s\n' "$files"
	return 1
}

# A file that does not fit in one head hides its mistakes.
lengths() {
	local file lines bad=0
	while read -r file; do
		lines=$(wc -l <"$file")
		((lines <= 500)) && continue
		if ((lines > 700)) && ! grep -qF "$file |" scripts/long-files.txt; then
			echo "$file: $lines lines; split it by what it is about (more than 700 needs a reason in scripts/long-files.txt)"
			bad=1
		else
			echo "note: $file has $lines lines; look whether it is two things"
		fi
	done < <(go_files)
	return $bad
}

# The end of make test prints why a test did not run, so every skip says it.
skips() {
	local found
	found=$(go_files | grep '_test\.go$' | xargs -r grep -nE '\.(Skip\(\)|SkipNow\(|Skip\(""\))')
	[[ -z $found ]] && return
	printf 'skipped without a reason (t.Skip("…") or needs.Tool):\n%s\n' "$found"
	return 1
}

scripts_ok() {
	local f
	if command -v shellcheck >/dev/null; then
		shellcheck scripts/*.sh .ci/run
	else
		for f in scripts/*.sh .ci/run; do bash -n "$f" || return 1; done
	fi
}

step gofmt formatted
step lengths lengths
step skips skips
step scripts scripts_ok
step golangci go run "$golangci" run ./...

if ((${#failed[@]})); then
	echo "lint failed: ${failed[*]}"
	exit 1
fi
