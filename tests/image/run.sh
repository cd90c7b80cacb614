#!/usr/bin/env bash
# Builds the Dockerfile for real, without a container engine, and tests holdfast on Debian 13 and its librdkafka:
# the unit tests and deploy/run.sh --check where it was built, the program in the image that users get, asked from outside.
#
#   sudo tests/image/run.sh            root: debootstrap and buildah's chroot isolation need it
#
# The base is made by debootstrap once, with this machine's own Debian mirror and settings of apt, and kept with buildah's
# layers under ${HOLDFAST_CACHE:-~/.cache/holdfast}/image: remove that directory to begin anew. They take 1 GB there, or 3 GB
# where the kernel mounts no overlay.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=${1:-$(cd "$here/../.." && pwd)} # another one only to test this script
cache=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/image
suite=trixie
base=localhost/holdfast-base

die() {
	printf 'tests/image/run.sh: %s\n' "$*" >&2
	exit 1
}

say() { # seconds since the start, what comes
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

storage_driver() { # overlay, where it can be mounted in the cache: 20 times faster than vfs, which copies every layer
	local probe=$work/probe
	mkdir -p "$probe"/{lower,upper,work,merged}
	if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
		umount "$probe/merged"
		echo overlay
	else
		echo vfs
	fi
}

image() { # buildah, with our own storage
	buildah --root "$cache/$driver" --runroot "$work/run" --storage-driver "$driver" "$@"
}

quietly() { # a command whose output is of interest only if it fails
	"$@" >"$work/log" 2>&1 && return
	tail -n 40 "$work/log" >&2
	die "failed (above): $*"
}

debian_mirror() { # the one this machine uses; nothing where apt does not know one: debootstrap then has its own
	# shellcheck disable=SC2016 # apt-get expands it
	apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2>/dev/null | sed -n 1p
}

make_base() {
	local root=$work/root proxy container
	proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
	# shellcheck disable=SC2046 # no mirror is no argument
	quietly env ${proxy:+"http_proxy=$proxy"} debootstrap --variant=minbase "$suite" "$root" $(debian_mirror)

	# The mirror is reached from inside as from here: with the same proxy, patience and certificates.
	apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90this-machine" || true
	if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
		mkdir -p "$root/etc/ssl/certs"
		cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	fi
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

	container=$(image from scratch)
	quietly image add "$container" "$root" /
	quietly image commit --rm "$container" "$base"
	rm -rf "$root"
}

build() { # name, more options
	local name=$1
	shift
	quietly image bud --isolation chroot --pull-never --layers --format docker \
		--build-arg "BASE=$base" --tag "localhost/$name" "$@" "$project"
}

inside() { # name of an image, command
	local container status=0
	container=$(image from --pull-never "localhost/$1")
	shift
	image run --isolation chroot "$container" -- "$@" || status=$?
	quietly image rm "$container"
	[ "$status" -eq 0 ] || die "failed in the image (above): $*"
}

ask() { # from outside the container, by an address that is not loopback: a lookup must be answered
	python3 - "$1" "$2" <<-'PYTHON'
		import http.client, json, socket, sys
		port, card = int(sys.argv[1]), sys.argv[2]
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing: only asks for the way out
		    probe.connect(("192.0.2.1", 9))
		    address = probe.getsockname()[0]
		connection = http.client.HTTPConnection(address, port, timeout=30)
		connection.request("GET", f"/v1/views/card/{card}")
		reply = connection.getresponse()
		answer = json.loads(reply.read())
		print(f"  {address}:{port} answers {reply.status}: {answer['views']['card']['values']}")
		sys.exit(reply.status != 200 or answer["views"]["card"]["values"][0][0] < 1)
	PYTHON
}

# The image's own settings, a file of payments as its topic, and its health check, which must hold while it runs and fail behind.
serve() {
	local container port card status=0 check
	container=$(image from --pull-never localhost/holdfast)
	quietly image add --chown holdfast "$container" "$project/deploy/sample/schema.json" /etc/holdfast/schema.json
	check=$(image inspect --type image localhost/holdfast |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["Docker"]["config"]["Healthcheck"]["Test"][-1])')
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
	image run --isolation chroot --env HOLDFAST_SERVE_PORT="$port" --env HOLDFAST_SCHEMA=/etc/holdfast/schema.json \
		--env HOLDFAST_FILE_PATH=/var/lib/holdfast/sent --env HOLDFAST_FILE_TOPIC=payments.v1 "$container" -- bash -c '
			set -e
			cd /var/lib/holdfast
			holdfast produce --generate 300 --to-file sent
			holdfast run & service=$!
			until bash -c "$1"; do kill -0 $service; sleep 0.1; done 2>/dev/null
			sed -n "/\"type\":\"payment\"/{s/^{\"key\":\"\([^\"]*\)\".*/\1/p;q}" sent >card.new && mv card.new card
			until [ -e done ]; do kill -0 $service; sleep 0.1; done
			kill -TERM $service && wait $service
			! bash -c "$1" 2>/dev/null' bash "$check" >"$work/serve.log" 2>&1 &
	local running=$!
	until card=$(image run --isolation chroot "$container" -- cat /var/lib/holdfast/card 2>/dev/null); do
		kill -0 "$running" 2>/dev/null || break
		sleep 0.5
	done
	ask "$port" "$card" || status=$?
	image run --isolation chroot "$container" -- touch /var/lib/holdfast/done
	wait "$running" || status=$?
	quietly image rm "$container"
	[ "$status" -eq 0 ] || { cat "$work/serve.log" >&2 && die "the image's server (above) did not answer as it should"; }
}

setting() { # template: what the image of users says
	image inspect --type image --format "$1" localhost/holdfast
}

if [ "$(id -u)" -ne 0 ]; then
	[ "${CI:-}" != true ] || die "only root can make a root file system: run it with sudo"
	printf 'skipped: only root can make a root file system: run tests/image/run.sh with sudo\n'
	exit 77
fi
for tool in buildah debootstrap; do
	command -v "$tool" >/dev/null || die "$tool is not on PATH: run deploy/packages.sh test"
done
mkdir -p "$cache"
exec 9>"$cache/lock"
flock --nonblock 9 || die "another run uses $cache: wait for its end, or set HOLDFAST_CACHE"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
driver=$(storage_driver)
quietly image rm --all # what a killed run has left

if [ -z "$(image images --quiet --filter reference="$base")" ]; then
	say "Debian $suite by debootstrap (only the first time)"
	make_base
fi
say "build stage: packages, release build"
build holdfast-build --target build
say "unit tests"
inside holdfast-build ctest --test-dir build/release --label-regex unit --output-on-failure --no-tests=error
say "deploy/run.sh --check"
inside holdfast-build deploy/run.sh --check
say "the image"
build holdfast
inside holdfast holdfast --help >/dev/null
# shellcheck disable=SC2016 # a shell in the image expands it
inside holdfast sh -c 'test "$(id -un)" = holdfast && test -w /var/lib/holdfast'
[ "$(setting '{{.Docker.Config.Healthcheck}}')" != '<nil>' ] || die "the image has no health check: see Dockerfile"
inside holdfast dpkg-query --show librdkafka1 libsqlite3-0 libjansson4 libmicrohttpd12t64 libsodium23
say "its server, asked from outside"
serve
image rmi --prune >/dev/null # layers that no image of this run is made of
say "all good"
