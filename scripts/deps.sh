#!/usr/bin/env bash
# Installs the Debian packages of deps.txt that are missing, where it may:
# as root, or with a sudo that asks no password. Otherwise it says what to type.
# The exit code is 1 if something is still missing.
set -euo pipefail
cd "$(dirname "$0")"

there() { # a command in PATH, in a directory for daemons, or a file
	command -v "$1" >/dev/null 2>&1 || [[ -x /usr/sbin/$1 ]] || [[ $1 == /* && -e $1 ]]
}

missing() { # prints "package<TAB>what for" for each line of deps.txt that is not there
	local package proof why when
	while IFS='|' read -r package proof why when; do
		read -r package <<<"$package"
		[[ -z $package || $package == \#* ]] && continue
		read -r proof <<<"$proof"; read -r why <<<"$why"; read -r when <<<"$when"
		[[ $when == ci && ${CI:-} != true ]] && continue
		there "$proof" || printf '%s\t%s\n' "$package" "$why"
	done <deps.txt
}

list=$(missing)
[[ -z $list ]] && exit 0

echo "Missing test tools:"
sed 's/\t/: /; s/^/  /' <<<"$list"
mapfile -t packages < <(cut -f1 <<<"$list")
install=(apt-get install -y --no-install-recommends "${packages[@]}")

become=()
if [[ $(id -u) != 0 ]]; then
	become=(sudo -n)
	if ! sudo -n true 2>/dev/null; then
		echo "They are not installed, because this user may not. To install them:"
		echo "  sudo apt-get update && sudo ${install[*]}"
		exit 1
	fi
fi
if ! command -v apt-get >/dev/null; then
	echo "There is no apt-get here; install them with this system's package manager."
	exit 1
fi

# Tests start servers of their own; Debian's package would make a database
# cluster and start it with the machine. Where it is there already nothing changes.
no_cluster=/etc/postgresql-common/createcluster.d/pabal-tests.conf
if [[ " ${packages[*]} " == *" postgresql "* && ! -e $no_cluster ]]; then
	"${become[@]}" sh -c "mkdir -p ${no_cluster%/*} && echo create_main_cluster = false >$no_cluster" || true
fi
# The same for the pooler: as a service it is masked before it is there.
unit=/etc/systemd/system/pgbouncer.service
if [[ " ${packages[*]} " == *" pgbouncer "* && -d ${unit%/*} && ! -e $unit ]]; then
	"${become[@]}" ln -s /dev/null "$unit" || true
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing: ${install[*]}"
if ! { "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update &&
	"${become[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"; } >"$log" 2>&1 </dev/null; then
	tail -n 15 "$log"
fi

list=$(missing)
[[ -z $list ]] && exit 0
echo "Still missing:"
sed 's/\t/: /; s/^/  /' <<<"$list"
exit 1
