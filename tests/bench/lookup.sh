#!/usr/bin/env bash
# lookup.sh [USERS]: lookups over HTTP beside Redis, with 1,000,000 users by default. Fails below 0.6 of Redis, or where a value
# differs from Redis's.
#
# redis-server as Debian has it: one thread, no persistence (--save "" --appendonly no), all else as it comes; `holdfast serve`
# with its defaults. Both hold the same ten features of the same users, Redis as hashes, and are asked over loopback by the same
# client (lookup_client.c): 32 connections, one request outstanding on each, users drawn by Zipf's law (0.99) from one seed.
#
#   single     GET /v1/views/user_stats/KEY     beside one HMGET of ten fields
#   batch100   POST /v1/lookup of 100 entities  beside 100 HMGETs sent in one go
#
# Rounds alternate between the two servers; figures are medians of all rounds. Servers, client and ingest each have a session
# of their own, as services have, so none gets processor time by having more threads. Everything twice: idle, and `busy`, while
# `holdfast ingest` applies 20,000 events a second to the same store on the same machine, also while Redis is measured. That it
# did is measured, too. Values of both are compared before each pass. Wants a quiet machine with two cores, and a release build;
# 1.2 GB of data are made once and kept in the cache. The last lines are NAME FIGURE, of the busy pass with _busy behind the name:
#
#   http_single_vs_redis R     http_batch100_vs_redis R (entities a second)     in_process_p50_us X     http_p99_ms X (of single)
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=$project/tests/bench
release=$project/build/release
holdfast=$release/holdfast
users=${1:-1000000}
events=3000000 # more than the busy pass takes
data=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/bench/lookup
work=$data/run
redis=(redis-server --bind 127.0.0.1 --save "" --appendonly no)

die() {
	printf 'lookup.sh: %s\n' "$*" >&2
	exit 1
}

[ -x "$holdfast" ] || die "$holdfast is not built: cmake --preset release && cmake --build --preset release"
command -v redis-server >/dev/null || die "there is no redis-server: deploy/packages.sh bench"
mkdir -p "$data"
case $(stat -f -c %T "$data") in
tmpfs | ramfs) die "$data is memory, not a disk: set HOLDFAST_CACHE to a directory on one" ;;
esac
for name in "${!HOLDFAST_@}"; do # settings are somebody else's
	unset "$name"
done

processes=()
finish() {
	[ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

await() { # what, command…
	local until=$((SECONDS + 30)) what=$1
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || die "not within 30 s: $what"
		sleep 0.05
	done
}

make_data() {
	local made
	made=$data/made.$users.$events.$(sha256sum "$bench/lookup_data.py" | cut -c 1-16)
	[ ! -f "$made" ] || return 0
	rm -rf "$data"/made.*
	python3 "$bench/lookup_data.py" "$users" "$events" "$data"
	touch "$made"
}

make_data
rm -rf "$work"
mkdir "$work"
cp "$data/fill.ndjson" "$work/log.ndjson" # to which the busy pass adds its events
"$holdfast" ingest --file "$work/log.ndjson" --topic users.v1 --until-end --set schema="$bench/lookup.json" \
	--set store.path="$work/store" 2>"$work/ingest.log" || die "ingest failed: $(tail -n 3 "$work/ingest.log")"
setsid "$holdfast" serve --set store.path="$work/store" --set serve.port=0 --port-file "$work/port" 2>"$work/serve.log" &
processes+=($!)
await 'holdfast serve listens' test -s "$work/port"
redis_port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
setsid "${redis[@]}" --port "$redis_port" --logfile "$work/redis.log" --dir "$work" &
processes+=($!)
await 'Redis listens' redis-cli -p "$redis_port" ping
redis-cli -p "$redis_port" --pipe <"$data/fill.resp" >"$work/fill.log" || die "Redis was not filled: $(cat "$work/fill.log")"
printf '%s; %s; %s processors\n' "$(redis-server --version)" "$("$holdfast" --version 2>/dev/null || echo holdfast)" "$(nproc)"
python3 "$bench/lookup_rounds.py" "$release" "$data" "$users" "$(sed 's/.*://' "$work/port")" "$redis_port"
