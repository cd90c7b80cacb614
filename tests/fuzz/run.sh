#!/usr/bin/env bash
# run.sh SECONDS: libFuzzer sends requests to a small store, under the sanitizers, starting from the kept ones.
#
# A request that breaks something is left in build/fuzz/found: put it, made small, into tests/fuzz/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:?run.sh SECONDS}

compiler=$(command -v clang || command -v clang-19 || command -v clang-14 || true)
if [ -z "$compiler" ]; then
	printf 'skipped: there is no clang here: it comes with clang-tidy (deploy/packages.sh test)\n'
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi

log=build/fuzz-build.log
mkdir -p build
if ! { CC=$compiler cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_target -j"$(nproc)"; } >"$log" 2>&1; then
	tail -n 40 "$log"
	exit 1
fi

mkdir -p build/fuzz/found
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/fuzz/tests/fuzz/fuzz_target -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=2048 \
	-dict=tests/fuzz/words.dict -artifact_prefix=build/fuzz/found/ -print_final_stats=1 \
	"$work" tests/fuzz/corpus 2>"$work.log" || { tail -n 60 "$work.log" && exit 1; }
grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)|cov:' "$work.log" | tail -n 4
rm -f "$work.log"
