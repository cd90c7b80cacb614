#!/usr/bin/env bash
# coverage.sh [LABELS]: builds with gcov's counters, runs the tests of these labels and prints the lines and branches of each
# room that they ran. LABELS as ctest takes them; those of `unit|store|serve|simulate` where none are named. Of `simulate`, more
# points of the walk than ctest has: it alone gets to most of what fails.
#
# What no test ran stands in build/coverage/uncovered.txt, by function. Branches that assert() alone makes don't count: the other
# side of each would be a bug.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
labels=${1:-unit|store|serve|simulate}
build=build/coverage

mkdir -p build
if ! { cmake --preset coverage && cmake --build --preset coverage -j"$(nproc)"; } >"$build.log" 2>&1; then
	tail -n 40 "$build.log"
	exit 1
fi
find "$build" -name '*.gcda' -delete
failed=0
ctest --preset coverage -L "^($labels)\$" -E '^walk$' --parallel "$(nproc)" >"$build/tests.log" 2>&1 || failed=1
[ $failed -eq 0 ] || sed -n '/tests passed,/,$p' "$build/tests.log"
if [[ "|$labels|" == *"|simulate|"* ]]; then
	tests/walk/run.sh -b "$build" every 997 5 >"$build/walk.log" 2>&1 || failed=1
	tail -n 1 "$build/walk.log"
fi
python3 tests/coverage.py "$build" "$build/uncovered.txt"
exit $failed
