#!/bin/sh
# Says whether the Go at hand can build pabal, and if not, exactly what to do.
# Plain sh, because this is the first thing that runs on an unknown machine.
set -eu
cd "$(dirname "$0")/.."

need=$(awk '$1 == "go" { print $2; exit }' go.mod)

remedy() {
	case $(uname -m) in
	aarch64 | arm64) arch=arm64 ;;
	armv6l | armv7l) arch=armv6l ;;
	i?86) arch=386 ;;
	*) arch=amd64 ;;
	esac
	tarball=go$need.linux-$arch.tar.gz
	cat >&2 <<EOF

pabal needs Go $need or newer; $1.

To install it:

  1. Download $tarball, or a newer one, from https://go.dev/dl/
  2. sudo rm -rf /usr/local/go && sudo tar -C /usr/local -xzf $tarball
  3. export PATH=/usr/local/go/bin:\$PATH

Then type the same command again. (Debian's own package golang-go does as well
where it, or its backport, is at least $need.)

EOF
	exit 1
}

# at_least A B: version A is B or newer. Release candidates count as the release.
at_least() {
	awk -v a="$1" -v b="$2" 'BEGIN {
		sub(/(rc|beta).*/, "", a)
		n = split(a, x, "."); split(b, y, ".")
		for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 > y[i] + 0)
		exit 0
	}'
}

command -v go >/dev/null 2>&1 || remedy "there is no go command in PATH"

# Asked for the local toolchain, and away from go.mod: otherwise a newer Go
# would be downloaded, or refused, before we hear which one is installed.
have=$(cd / && GOTOOLCHAIN=local go version 2>/dev/null | awk '{ sub(/^go/, "", $3); print $3 }')
case $have in
[0-9]*) ;;
devel*) exit 0 ;; # built from source: whoever does that knows
*) remedy "$(command -v go) does not say which version it is" ;;
esac
at_least "$have" "$need" && exit 0

# Go 1.21 and newer fetch the toolchain that go.mod names, unless told not to.
if at_least "$have" 1.21 && [ "$(go env GOTOOLCHAIN)" != local ]; then
	echo "Go $have is installed, pabal needs $need: letting Go fetch it" >&2
	go version >/dev/null && exit 0
fi
remedy "$(command -v go) is $have"
