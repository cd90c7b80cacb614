#!/usr/bin/env bash
# Builds holdfast and shows it at work.
#
#   deploy/run.sh           a development broker, a stream of sample payments, and the service, until Ctrl-C; prints a
#                           `curl` line that answers
#   deploy/run.sh --check   the same, once: kills the service half way, starts it again, compares lookups over HTTP and every
#                           stored row with an oracle; the last line is `checked N entities: 0 wrong`
#
# With HOLDFAST_KAFKA_BOOTSTRAP_SERVERS set, the service takes topic payments.v1 of that cluster instead: no broker, no sample.
# Lookups are answered on any free port, or on HOLDFAST_SERVE_PORT with a cluster of yours.
# HOLDFAST_PROGRAM names a program that is built already. What it writes is in build/run, a directory a start.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$here")
topic=payments.v1
records=200000    # of --check: 60 MB, where the broker in memory holds 160
rate=25000        # of --check, a second: slow enough to hit half way with a kill
gentle_rate=500   # of the stream that is there to look at
gentle_records=1000000
wait_seconds=120  # for anything that should take a few
pids=()

die() {
	printf 'run.sh: %s\n' "$*" >&2
	exit 1
}

say() {
	printf 'run.sh: %s\n' "$*"
}

usage() {
	sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

clean_up() { # ours by process id, and nobody else's; what was written stays where something failed
	local status=$? i
	trap - EXIT INT TERM HUP
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do # the broker last: who sends to it can finish
		kill -TERM "${pids[i]}" 2>/dev/null || true
		wait "${pids[i]}" 2>/dev/null || true
	done
	case $status in 0 | 130 | 143) rm -rf "$work" ;; esac
	exit "$status"
}

gone() { # a process that ended: not ours to signal any more
	local pid kept=()
	for pid in "${pids[@]}"; do
		[ "$pid" = "$1" ] || kept+=("$pid")
	done
	pids=("${kept[@]}")
}

begin() { # log, command: in a session of its own, so that Ctrl-C reaches this script alone, which ends all in order
	setsid "${@:2}" >>"$1" 2>&1 &
	begun=$!
	pids+=("$begun")
}

build() {
	if [ -n "${HOLDFAST_PROGRAM:-}" ]; then
		holdfast=$HOLDFAST_PROGRAM
		return
	fi
	"$here/packages.sh" build
	say "building $project/build/release"
	mkdir -p "$project/build"
	if ! (cd "$project" && cmake --preset release -DHOLDFAST_TESTS=OFF && cmake --build --preset release) \
		>"$project/build/run.log" 2>&1; then
		tail -n 30 "$project/build/run.log" >&2
		die "the build failed (above): see $project/build/run.log"
	fi
	holdfast=$project/build/release/holdfast
}

await() { # what is awaited, a process that must live on, command: true in the end
	local what=$1 pid=$2 deadline=$((SECONDS + wait_seconds))
	shift 2
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || die "$what: process $pid ended instead; see $work"
		[ "$SECONDS" -lt "$deadline" ] || die "$what: not within $wait_seconds s; see $work"
		sleep 0.02
	done
}

start_broker() {
	begin "$work/broker.log" "$holdfast" broker --topic "$topic" --port-file "$work/bootstrap"
	broker=$begun
	await "the development broker" "$broker" test -s "$work/bootstrap"
	export HOLDFAST_KAFKA_BOOTSTRAP_SERVERS
	HOLDFAST_KAFKA_BOOTSTRAP_SERVERS=$(cat "$work/bootstrap")
	say "development broker at $HOLDFAST_KAFKA_BOOTSTRAP_SERVERS (process $broker)"
}

configure() { # store directory
	cat >"$work/holdfast.json" <<-JSON
		{"schema": "${HOLDFAST_SCHEMA:-$here/sample/schema.json}",
		 "store": {"path": "$1"},
		 "serve": {"port": 0},
		 "kafka": {"bootstrap.servers": "$HOLDFAST_KAFKA_BOOTSTRAP_SERVERS"}}
	JSON
}

start_service() { # answers when it returns
	rm -f "$work/listener"
	begin "$work/service.log" "$holdfast" run -c "$work/holdfast.json" --port-file "$work/listener"
	service=$begun
	await "the service" "$service" test -s "$work/listener"
	url=http://$(cat "$work/listener")
	say "service is process $service, answers on $url, its log $work/service.log"
}

number() { # name in `status --json` behind "total": its value, or nothing while there is no store
	"$holdfast" status --json -c "$work/holdfast.json" 2>/dev/null | sed -n 's/.*"total": {[^}]*"'"$1"'": \([0-9]*\).*/\1/p'
}

taken_at_least() {
	local taken
	taken=$(number taken)
	[ "${taken:-0}" -ge "$1" ]
}

produce() { # records, rate, more options
	begin "$work/produce.log" "$holdfast" produce --generate "$1" --rate "$2" --topic "$topic" \
		--tee "$work/sent.ndjson" -c "$work/holdfast.json" "${@:3}"
	producer=$begun
}

stop() { # process: SIGTERM, and it must end well
	local pid=$1 status=0
	kill -TERM "$pid"
	wait "$pid" || status=$?
	gone "$pid"
	[ "$status" -eq 0 ] || die "process $pid ended with status $status on SIGTERM; see $work"
}

kill_half_way() {
	local taken
	await "half of the sample" "$service" taken_at_least $((records * 2 / 5))
	kill -KILL "$service"
	wait "$service" 2>/dev/null || true
	gone "$service"
	taken=$(number taken)
	say "killed the service (SIGKILL) when it had taken $taken of $records records"
	if [ "$taken" -lt $((records * 3 / 10)) ] || [ "$taken" -gt $((records * 7 / 10)) ]; then
		die "that is not half way: 30 to 70 % were to be taken. The machine may be busy: try again"
	fi
}

# All that was sent lies in the log, and all that lies in the log was taken: no partition begins behind 0 (the broker drops
# what it can't hold), none has a gap.
check_accounts() {
	local sent status=0
	wait "$producer" || status=$?
	gone "$producer"
	[ "$status" -eq 0 ] || die "produce failed: $(cat "$work/produce.log")"
	sent=$(wc -l <"$work/sent.ndjson")
	await "all $sent records sent being taken (less would mean that the broker dropped some)" "$service" taken_at_least "$sent"
	"$holdfast" status --json -c "$work/holdfast.json" >"$work/status.json"
	python3 - "$work/status.json" "$sent" <<-'PYTHON' || die "the accounts are wrong; see $work/status.json"
		import json, sys
		status, sent = json.load(open(sys.argv[1])), int(sys.argv[2])
		bad = [p for p in status["partitions"] if p["first_offset"] or p["gaps"] or p["lost"] or p["taken"] != p["next_offset"]]
		taken = status["total"]["taken"]
		print(f"run.sh: {sent} records sent, {taken} taken in {len(status['partitions'])} partitions,",
		      ", ".join(f"{status['total'][name]} {name}" for name in ("applied", "superseded", "duplicate", "parked", "dead")))
		for p in bad:
		    print(f"run.sh: {p['topic']}:{p['partition']} lacks records: {p}", file=sys.stderr)
		sys.exit(taken != sent or bool(bad))
	PYTHON
}

oracle() { # features.db, or the service's URL
	python3 "$here/sample/oracle.py" "$work/sent.ndjson" "$1" --rough
}

check_lookups() { # of the running service; the last line of its verdict, or all where it is not good
	oracle "$url" >"$work/lookups.log" || die "lookups over HTTP are wrong: $(cat "$work/lookups.log")"
	say "$(tail -n 1 "$work/lookups.log"), over HTTP"
}

# An oracle that can't fail proves nothing: it must find the one value changed in a copy.
check_oracle() {
	local verdict
	python3 - "$store/features.db" "$work/altered.db" <<-'PYTHON'
		import pathlib, sqlite3, sys
		store = sqlite3.connect(pathlib.Path(sys.argv[1]).resolve().as_uri() + "?mode=ro", uri=True)
		copy = sqlite3.connect(sys.argv[2])
		store.backup(copy)
		with copy:
		    copy.execute("UPDATE card SET spend = spend + 0.01 WHERE card_id = (SELECT card_id FROM card ORDER BY random() LIMIT 1)")
		copy.execute("PRAGMA journal_mode = DELETE")
	PYTHON
	verdict=$(oracle "$work/altered.db" | tail -n 1) || true
	case $verdict in
	*": 1 wrong") say "one value changed in a copy of the store is found" ;;
	*) die "one value was changed in $work/altered.db, and the oracle says: $verdict" ;;
	esac
}

# With a broker and a store of our own, settings of the environment are somebody else's.
start_apart() {
	unset "${!HOLDFAST_@}"
	start_broker
	store=$work/store
	configure "$store"
}

check() {
	start_apart
	say "sending $records records to topic $topic, $rate a second"
	produce "$records" "$rate" --duplicates 0.105 --disorder 0.21 --broken 0.002
	start_service
	kill_half_way
	start_service
	check_accounts
	check_lookups
	stop "$service"
	"$holdfast" verify -c "$work/holdfast.json" >"$work/verify.log" || die "verify found something wrong: see $work/verify.log"
	check_oracle
	oracle "$store/features.db"
}

show() {
	if [ -n "${HOLDFAST_KAFKA_BOOTSTRAP_SERVERS:-}" ]; then
		say "taking topic $topic of $HOLDFAST_KAFKA_BOOTSTRAP_SERVERS"
		store=${HOLDFAST_STORE_PATH:-$project/build/run/store}
		configure "$store"
		start_service
	else
		start_apart
		say "sending sample payments to topic $topic, $gentle_rate a second"
		produce "$gentle_records" "$gentle_rate"
		start_service
		await "the first payments" "$service" taken_at_least 100
		local card
		card=$(sed -n '/"type":"payment"/{s/^{"key":"\([^"]*\)".*/\1/p;q}' "$work/sent.ndjson")
		say "try: curl -s $url/v1/views/card/$card"
		say "and: $holdfast get -c $work/holdfast.json card $card"
	fi
	say "and: $url in a browser"
	say "and: $holdfast status -c $work/holdfast.json"
	say "Ctrl-C ends it all"
	wait "$service"
}

case ${1-} in
'') mode=show ;;
--check) mode=check ;;
*) usage ;;
esac
[ $# -le 1 ] || usage

build
mkdir -p "$project/build/run"
work=$(mktemp -d "$project/build/run/$mode.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
"$mode"
