#!/usr/bin/env bash
# Runs every fuzz target for the given time each. go test takes one target of
# one package at a time, so this finds them first.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

found=0
while IFS=: read -r file line; do
	target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	package=./$(dirname "${file#./}")
	found=$((found + 1))
	echo "== $package $target for $time"
	# Making a found input smaller may take a minute each, in which nothing is
	# printed; inputs of whole profiles and files are long, and that looks hung.
	CGO_ENABLED=0 go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x "$package"
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . || true)
echo "$found fuzz targets ran for $time each"
