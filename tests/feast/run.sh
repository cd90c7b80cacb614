#!/usr/bin/env bash
# run.sh HOLDFAST [VERSION…]: Feast clients read from `holdfast serve`, unchanged.
#
# A store is filled from a file, `holdfast serve` answers from it, ingest is down. Then: Feast's contract over plain HTTP, reply
# by reply against Feast's own feature server (0.67.0) with the same rows; and the Feast SDK from PyPI, the newest and one from
# before clients asked everything at once, or the VERSIONs given. Virtual environments (600 MB each) stay in the cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
holdfast=$1
shift
newest=0.67.0
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=("$newest" 0.58.0)
cache=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}
patience_s=60
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore TZ=UTC # Feast's SQLite store shifts times elsewhere

skip() { # why; with CI=true nothing may be skipped
	printf 'skipped: %s\n' "$1"
	[ "${CI:-}" = true ] && exit 1
	exit 77
}

venv() { # version: leaves $cache/feast-VERSION
	local venv=$cache/feast-$1 pins=()
	[ ! -f "$venv/whole" ] || return 0
	case $1 in
	0.[1-4]*) pins=('pyarrow<17') ;; # numpy below 2, which a newer pyarrow does not do with and does not say
	esac
	printf 'installing feast %s into %s\n' "$1" "$venv"
	rm -rf "$venv"
	mkdir -p "$cache"
	python3 -m venv "$venv" &&
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "feast==$1" "${pins[@]}" &&
		touch "$venv/whole"
}

work=$(mktemp -d)
processes=()
finish() {
	[ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

await() { # what, log, command…
	local until=$((SECONDS + patience_s)) what=$1 log=$2
	shift 2
	until "$@"; do
		if [ $SECONDS -gt $until ]; then
			tail -n 20 "$log" >&2
			printf 'run.sh: not within %s s: %s\n' "$patience_s" "$what" >&2
			exit 1
		fi
		sleep 0.05
	done
}

free_port() {
	python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

healthy() { # port
	python3 - "$1" 2>/dev/null <<-'PYTHON'
		import sys, urllib.request
		urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=5)
	PYTHON
}

for version in "$newest" "${versions[@]}"; do
	venv "$version" || skip "feast $version can't be had from PyPI (above)"
done
for name in "${!HOLDFAST_@}"; do # settings are somebody else's
	unset "$name"
done

now=$(date +%s)
python3 rows.py "$now" >"$work/rows.ndjson"
"$holdfast" ingest --file "$work/rows.ndjson" --topic features.v1 --until-end --set schema="$PWD/schema.json" \
	--set store.path="$work/store" 2>"$work/ingest.log" || { cat "$work/ingest.log" >&2 && exit 1; }
"$holdfast" serve --set store.path="$work/store" --set serve.port=0 --port-file "$work/port" 2>"$work/serve.log" &
processes+=($!)
mkdir "$work/reference"
reference=$(free_port)
HOME=$work "$cache/feast-$newest/bin/python" reference.py "$work/reference" "$reference" "$now" >"$work/reference.log" 2>&1 &
processes+=($!)
await 'holdfast serve listens' "$work/serve.log" test -s "$work/port"
port=$(sed 's/.*://' "$work/port")
await "Feast's own server is healthy" "$work/reference.log" healthy "$reference"

status=0
python3 contract.py "$port" "$reference" "$now" || status=1
for version in "${versions[@]}"; do
	mkdir "$work/$version"
	HOME=$work "$cache/feast-$version/bin/python" sdk.py "$work/$version" "$port" "$now" || status=1
done
[ $status -eq 0 ] || tail -n 20 "$work/serve.log" >&2
exit $status
