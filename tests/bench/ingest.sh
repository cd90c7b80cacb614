#!/usr/bin/env bash
# ingest.sh [RECORDS]: how fast records of a file become durable; 3,000,000 by default. Fails below 60,000 a second.
#
# Records of 300 bytes or more with ids of their own, one update each, 10 features (4 of them sums), entities uniform over
# 100,000 that the store holds already, 10 % of the records copies. Key window, checksums, digest and fsync are on, as always.
# Release build; 1 GB of records is made once and kept in the cache. The time is that of the whole process. Three runs, each on
# a copy of the filled store, then verify. The last line is `ingest_records_per_second R (median of 3)`.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=$project/tests/bench
holdfast=$project/build/release/holdfast
records=${1:-3000000}
entities=100000
duplicates=0.1
value_bytes=300
base_time=2026-01-01T00:00:00Z # as in fill.py
runs=3
wanted=60000 # records a second
data=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/bench
topic=events.v1

die() {
	printf 'ingest.sh: %s\n' "$*" >&2
	exit 1
}

[ -x "$holdfast" ] || die "$holdfast is not built: cmake --preset release && cmake --build --preset release"
mkdir -p "$data"
case $(stat -f -c %T "$data") in
tmpfs | ramfs) die "$data is memory, not a disk: set HOLDFAST_CACHE to a directory on one" ;;
esac
for name in "${!HOLDFAST_@}"; do # settings are somebody else's
	unset "$name"
done

take() { # store, file: $data/summary
	"$holdfast" ingest --file "$2" --topic "$topic" --until-end --json \
		--set schema="$bench/schema.json" --set store.path="$1" >"$data/summary" 2>"$data/log"
}

not_taken() {
	die "ingest failed: $(tail -n 3 "$data/log")"
}

# One file for both, so that what fills the store and what is measured are one log: the store goes on where it stands.
make_data() {
	local made=$data/made.$records.$entities.$duplicates.$value_bytes
	[ ! -f "$made" ] || return 0
	rm -rf "$data"/made.* "$data/filled"
	python3 "$bench/fill.py" "$entities" "$data/fill.ndjson"
	"$holdfast" produce --generate "$records" --shape bench --entities "$entities" --duplicates "$duplicates" \
		--value-bytes "$value_bytes" --base-time "$base_time" --to-file "$data/stream.ndjson" 2>"$data/log" ||
		die "produce failed: $(tail -n 3 "$data/log")"
	cat "$data/fill.ndjson" "$data/stream.ndjson" >"$data/log.ndjson"
	rm "$data/stream.ndjson"
	touch "$made"
}

fill_store() { # by the program under test: its file format may have changed
	rm -rf "$data/filled"
	take "$data/filled" "$data/fill.ndjson" || not_taken
}

measure() { # run: prints its line; records a second are in $data/rate
	local TIMEFORMAT='%R %U %S'
	rm -rf "$data/store"
	cp -r "$data/filled" "$data/store"
	sync
	{ time take "$data/store" "$data/log.ndjson"; } 2>"$data/time" || not_taken
	python3 - "$data/summary" "$data/time" "$data/rate" "$1" "$records" <<-'PYTHON'
		import json, sys
		with open(sys.argv[1]) as summary, open(sys.argv[2]) as time:
		    summary, (took, *processor) = json.load(summary), map(float, time.read().split())
		run, records = sys.argv[4], int(sys.argv[5])
		if summary["records"] != records:
		    sys.exit(f"ingest.sh: {summary['records']} records were taken, must be {records}")
		rate = int(records / took)
		decode, apply, commit = (summary[f"{stage}_seconds"] for stage in ("decode", "apply", "commit"))
		print(f"run {run}: {took:.2f} s, {rate} records/s, {sum(processor) / records * 1e6:.1f} us of processor each; threads: "
		      f"decode {decode:.2f} s, apply {apply:.2f} s, of which commit {commit:.2f} s; start and end "
		      f"{took - summary['seconds']:.2f} s; {summary['batches']} batches, {summary['duplicate']} duplicate", flush=True)
		with open(sys.argv[3], "w") as out:
		    print(rate, file=out)
	PYTHON
}

make_data
fill_store
rates=()
for ((run = 1; run <= runs; run++)); do
	measure "$run"
	rates+=("$(cat "$data/rate")")
	"$holdfast" verify --set store.path="$data/store" >"$data/verify" || die "verify found something wrong: see $data/verify"
done
rm -rf "$data/store" "$data/filled"
median=$(printf '%s\n' "${rates[@]}" | sort -n | sed -n "$(((runs + 1) / 2))p")
printf 'ingest_records_per_second %s (median of %s)\n' "$median" "$runs"
[ "$median" -ge "$wanted" ] || die "less than $wanted records a second"
