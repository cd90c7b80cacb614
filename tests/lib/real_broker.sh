# Sourced by the tests that need a real broker and the flights: what they have in common.
# shellcheck shell=bash disable=SC2034 # variables are for those that source this

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
flights=$project/tests/flights
cache=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}
test_name=$(basename "$0")
skipped=77 # what ctest takes for `skipped`

die() {
	printf '%s: %s\n' "$test_name" "$*" >&2
	exit 1
}

# What a machine lacks is no failure of ours; but where CI runs all must be there.
skip() {
	[ "${CI:-}" != true ] || die "$* (and CI must not skip this)"
	printf '%s: skipped: %s\n' "$test_name" "$*"
	exit "$skipped"
}

need_material() { # the broker's jars and the flights: both come from the network, once
	local reason
	command -v java >/dev/null || skip "java is not on PATH: run deploy/packages.sh test"
	reason=$("$project/tests/kafka/broker.sh" fetch 2>&1) || skip "$reason"
	mkdir -p "$cache/flights"
	reason=$(flock "$cache/flights/lock" "$flights/fetch.sh" "$cache/flights" 2>&1) || skip "$reason"
}

use_build() { # preset
	local build=$project/build/$1
	holdfast=$build/holdfast failpoints=$build/holdfast-failpoints wrapped=$build/tests/kafka/ingest_wrapped
	[ -x "$failpoints" ] || die "$failpoints is not built: cmake --preset $1 && cmake --build --preset $1"
	# Settings of the environment are somebody else's.
	local name
	for name in "${!HOLDFAST_@}"; do
		[ "$name" = HOLDFAST_CACHE ] || unset "$name"
	done
}

clean_up() {
	local status=$?
	trap - EXIT INT TERM HUP
	"$project/tests/kafka/broker.sh" kill "$work/broker" || true
	if [ "$status" -eq 0 ]; then
		rm -rf "$work"
	else
		printf '%s: failed; what it left is in %s\n' "$test_name" "$work" >&2
	fi
	exit "$status"
}

start_broker() { # makes $work, which goes away with success
	work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-${test_name%.sh}.XXXXXX")
	mkdir "$work/broker"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	"$project/tests/kafka/broker.sh" start "$work/broker"
	bootstrap=$(cat "$work/broker/bootstrap")
}

make_topic() { # name, partitions
	"$project/tests/kafka/broker.sh" topic "$work/broker" "$1" "$2"
}

configure() { # store, schema, records a batch: $work/STORE.json, for the store in $work/STORE
	cat >"$work/$1.json" <<-JSON
		{"schema": "$2", "store": {"path": "$work/$1"},
		 "ingest": {"batch_records": $3}, "kafka": {"bootstrap.servers": "$bootstrap"}}
	JSON
}

produce() { # NDJSON, topic
	"$holdfast" produce "$1" --topic "$2" --set kafka.bootstrap.servers="$bootstrap" >"$work/produce.log" 2>&1 ||
		die "produce failed: $(cat "$work/produce.log")"
}

take_all() { # store, more options: to the log's end; $work/STORE.summary
	"$holdfast" ingest --until-end --json -c "$work/$1.json" "${@:2}" >"$work/$1.summary" 2>"$work/$1.log" ||
		die "ingest into $1 failed: $(tail -n 3 "$work/$1.log")"
}

member() { # JSON file, name: a member at the top
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"
}

check_store() { # store: verify is good; $work/STORE.verify, $work/STORE.status; prints the digest
	"$holdfast" verify --json -c "$work/$1.json" >"$work/$1.verify" || die "verify of $1 failed: $(head -c 2000 "$work/$1.verify")"
	"$holdfast" status --json -c "$work/$1.json" >"$work/$1.status" || die "no status of $1"
	member "$work/$1.verify" digest
}
