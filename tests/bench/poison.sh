#!/usr/bin/env bash
# poison.sh [RECORDS]: what one poison record in a hundred costs, and whether exactly those are dead; 1,000,000 by default.
#
# Two forms of log, each against as many good records, without copies: `mapped`, records of deploy/sample (one or two updates
# each), broken by `holdfast produce` in every way that a mapped record can die; `envelope`, made by poison_events.py, broken in
# 140 ways, with every reason of schema/disposition.h that a record can die or be parked for when it is taken. Release build; the files
# are made once and kept in the cache. Three runs of each in turn, into new stores, then verify; then each letter is compared
# with what its record says is wrong with it, or poison_events.py. The last line is
# `poison_share_of_clean_rate S (medians of 3, the lower of two)`; fails below 0.8, or where a letter is wrong, missing or too many.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=$project/tests/bench
holdfast=$project/build/release/holdfast
records=${1:-1000000}
runs=3
wanted=0.8
data=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/poison

die() {
	printf 'poison.sh: %s\n' "$*" >&2
	exit 1
}

[ -x "$holdfast" ] || die "$holdfast is not built: cmake --preset release && cmake --build --preset release"
mkdir -p "$data"
for name in "${!HOLDFAST_@}"; do # settings are somebody else's
	unset "$name"
done

mapped=(--set "schema=$project/deploy/sample/schema.json")
envelope=(--set "schema=$bench/poison_schema.json" --set ingest.value_bytes_max=8KiB) # as poison_events.py has it

make_mapped() { # name, share of poison
	local file=$data/mapped.$1.$records.ndjson
	[ ! -f "$file" ] || return 0
	"$holdfast" produce --generate "$records" --duplicates 0 --broken "$2" --to-file "$file.made" 2>"$data/log" ||
		die "produce failed: $(tail -n 3 "$data/log")"
	mv "$file.made" "$file"
}

make_envelopes() { # anew where the ways have changed
	local of=$data/envelope
	if [ -f "$of.poison.$records.ndjson" ] && [ "$of.poison.$records.ndjson" -nt "$bench/poison_events.py" ]; then
		return 0
	fi
	python3 "$bench/poison_events.py" "$records" "$of.clean.$records.ndjson" "$of.made" "$of.$records.expected"
	mv "$of.made" "$of.poison.$records.ndjson"
}

use() { # form: $settings, $topic
	local -n of=$1
	settings=("${of[@]}")
	topic=payments.v1
	[ "$1" = mapped ] || topic=events.v1
}

rate() { # form, name: records a second
	rm -rf "$data/$2.store"
	"$holdfast" ingest "${settings[@]}" --set "store.path=$data/$2.store" --file "$data/$1.$2.$records.ndjson" --topic "$topic" \
		--until-end --json >"$data/summary" 2>"$data/log" || die "ingest failed: $(tail -n 3 "$data/log")"
	python3 -c 'import json, sys; one = json.load(sys.stdin); print(round(one["records"] / one["seconds"]))' <"$data/summary"
}

letters() { # file, more options
	"$holdfast" dead list --json --limit 1000000000 --set "store.path=$data/poison.store" "${@:2}" >"$1"
}

measure() { # form
	local run clean poison
	use "$1"
	for ((run = 1; run <= runs; run++)); do
		clean=$(rate "$1" clean)
		poison=$(rate "$1" poison)
		printf '%s, run %d: clean %d records a second, with poison %d\n' "$1" "$run" "$clean" "$poison"
		echo "$1 $clean $poison" >>"$data/rates.$$"
	done
	"$holdfast" verify --set "store.path=$data/poison.store" >"$data/log" || die "verify: $(tail -n 3 "$data/log")"
	letters "$data/letters.json"
	letters "$data/parked.json" --parked
	local more=()
	[ "$1" = mapped ] || more=("$data/parked.json" "$data/$1.$records.expected")
	python3 "$bench/poison.py" "$data/$1.poison.$records.ndjson" "$data/letters.json" "${more[@]}" || die "not exactly the poison is dead"
}

trap 'rm -f "$data/rates.$$"' EXIT
make_mapped clean 0
make_mapped poison 0.01
make_envelopes
measure mapped
measure envelope
python3 - "$data/rates.$$" "$wanted" "$runs" <<'PYTHON'
import statistics, sys
rates = {}
for line in open(sys.argv[1]):
    form, clean, poison = line.split()
    rates.setdefault(form, []).append((int(clean), int(poison)))
shares = []
for form, of in rates.items():
    clean, poison = (statistics.median(one) for one in zip(*of))
    shares.append(poison / clean)
    print(f"{form}: {poison / clean:.2f} of the clean rate")
print(f"poison_share_of_clean_rate {min(shares):.2f} (medians of {sys.argv[3]}, the lower of two)")
sys.exit(min(shares) < float(sys.argv[2]))
PYTHON
