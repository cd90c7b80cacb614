#!/usr/bin/env bash
# poison.sh [RECORDS]: what one poison record in a hundred costs, and whether exactly those are dead; 1,000,000 by default.
#
# Records of deploy/sample (one or two updates each), 1 % of them broken in every way that the decoder knows, against as many good
# ones, without copies. Release build; the files are made once and kept in the cache. Three runs of each in turn, into new stores, then verify; then
# each dead letter is compared with what its record says is wrong with it. The last line is
# `poison_share_of_clean_rate S (medians of 3)`; fails below 0.8, or where a letter is wrong, missing or too many.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
holdfast=$project/build/release/holdfast
records=${1:-1000000}
runs=3
wanted=0.8
topic=payments.v1
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

make_file() { # name, share of poison
	local file=$data/$1.$records.ndjson
	[ ! -f "$file" ] || return 0
	"$holdfast" produce --generate "$records" --duplicates 0 --broken "$2" --to-file "$file.made" 2>"$data/log" ||
		die "produce failed: $(tail -n 3 "$data/log")"
	mv "$file.made" "$file"
}

settings=(--set "schema=$project/deploy/sample/schema.json")

rate() { # name: records a second
	rm -rf "$data/$1.store"
	"$holdfast" ingest "${settings[@]}" --set "store.path=$data/$1.store" --file "$data/$1.$records.ndjson" --topic "$topic" \
		--until-end --json >"$data/summary" 2>"$data/log" || die "ingest failed: $(tail -n 3 "$data/log")"
	python3 -c 'import json, sys; one = json.load(sys.stdin); print(round(one["records"] / one["seconds"]))' <"$data/summary"
}

median() {
	sort -n | sed -n "$(((runs + 1) / 2))p"
}

make_file clean 0
make_file poison 0.01
for ((run = 1; run <= runs; run++)); do
	clean=$(rate clean)
	poison=$(rate poison)
	printf 'run %d: clean %d records a second, with poison %d\n' "$run" "$clean" "$poison"
	echo "$clean" >>"$data/clean.rates.$$"
	echo "$poison" >>"$data/poison.rates.$$"
done
trap 'rm -f "$data"/*.rates.$$' EXIT
"$holdfast" verify --set "store.path=$data/poison.store" >"$data/log" || die "verify: $(tail -n 3 "$data/log")"
"$holdfast" dead list --json --limit 1000000000 --set "store.path=$data/poison.store" >"$data/letters.json"
python3 "$project/tests/bench/poison.py" "$data/poison.$records.ndjson" "$data/letters.json" || die "not exactly the poison is dead"
python3 - "$(median <"$data/clean.rates.$$")" "$(median <"$data/poison.rates.$$")" "$wanted" "$runs" <<'PYTHON'
import sys
clean, poison, wanted, runs = map(float, sys.argv[1:])
print(f"poison_share_of_clean_rate {poison / clean:.2f} (medians of {runs:.0f})")
sys.exit(poison / clean < wanted)
PYTHON
