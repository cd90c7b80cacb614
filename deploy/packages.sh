#!/usr/bin/env bash
# Installs what Debian (12 or 13) lacks here: `packages.sh build` to build and run holdfast, `packages.sh test` for its tests,
# `packages.sh bench` for what its benchmarks measure themselves against.
# Does nothing, and asks the network nothing, where all is there already.
set -euo pipefail

die() {
	printf 'packages.sh: %s\n' "$*" >&2
	exit 1
}

java_is_new_enough() { # Kafka needs 17
	local version
	version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
	[ "${version:-0}" -ge 17 ]
}

debian_java() { # Debian 12 has 17, Debian 13 has 21
	local package
	for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
		apt-cache policy "$package" | grep 'Candidate: [0-9]' >/dev/null && printf '%s\n' "$package" && return
	done
	die "the package lists have neither openjdk 17 nor 21: install a Java of 17 or newer by hand"
}

missing() { # packages: those that dpkg does not have installed
	for package in "$@"; do
		dpkg -s "$package" 2>/dev/null | grep -x 'Status: install ok installed' >/dev/null || printf '%s\n' "$package"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

apt() { # arguments: apt-get that shows what it said only where it failed
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$said" 2>&1 && return
	tail -n 20 "$said" >&2
	die "apt-get $1 failed (above): check this machine's Debian mirror (/etc/apt) and its network, then run packages.sh again"
}

case ${1-} in
build)
	wanted=(gcc cmake ninja-build pkg-config libsqlite3-dev librdkafka-dev libjansson-dev libsodium-dev libmicrohttpd-dev python3 sqlite3)
	;;
test)
	wanted=(g++ curl libcmocka-dev clang-format clang-tidy python3-venv python3-yaml strace iptables iproute2 binutils buildah debootstrap)
	command -v mvn >/dev/null || wanted+=(maven)
	;;
bench)
	wanted=(redis-server)
	;;
*)
	printf 'usage: packages.sh build|test|bench\n' >&2
	exit 2
	;;
esac
command -v apt-get >/dev/null || die "this is no Debian: install by hand what stands for ${wanted[*]}"

mapfile -t lacking < <(missing "${wanted[@]}")
java=there
[ "$1" != test ] || java_is_new_enough || java=lacking
[ ${#lacking[@]} -gt 0 ] || [ "$java" = lacking ] || exit 0

[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
	die "missing: ${lacking[*]}, and neither root nor sudo: run it as root"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
apt update
if [ "$java" = lacking ]; then
	java=$(debian_java)
	lacking+=("$java")
fi
printf 'packages.sh: installing %s\n' "${lacking[*]}"
apt install --yes --no-install-recommends "${lacking[@]}"
