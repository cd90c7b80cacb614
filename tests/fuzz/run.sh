#!/usr/bin/env bash
# run.sh SECONDS: libFuzzer tries each target for so long, under the sanitizers, starting from the kept inputs.
# run.sh TARGET RUNS: one target, so many inputs.
# run.sh all RUNS: each of them. 10,000,000 take hours: so these are built to be fast, without the address sanitizer and
# without libFuzzer's look at comparisons (preset fuzz-long).
#
# What breaks something is left in build/fuzz/found/TARGET: put it, made small, into tests/fuzz/corpus/TARGET. What a long run
# learned stays in build/fuzz/learned/TARGET, where the next one goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
targets=(exchange decode schema config load store)
preset=fuzz
if [ $# -eq 2 ]; then
	if [ "$1" = all ]; then preset=fuzz-long; else targets=("$1"); fi
	limit=(-runs="$2")
else
	limit=(-max_total_time="${1:?run.sh SECONDS, run.sh TARGET RUNS, or run.sh all RUNS}")
fi

compiler=$(command -v clang || command -v clang-19 || command -v clang-14 || true)
if [ -z "$compiler" ]; then
	printf 'skipped: there is no clang here: it comes with clang-tidy (deploy/packages.sh test)\n'
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi

log=build/fuzz-build.log
mkdir -p build
if ! { CC=$compiler cmake --preset $preset && cmake --build --preset $preset --target fuzz_targets -j"$(nproc)"; } >"$log" 2>&1; then
	tail -n 40 "$log"
	exit 1
fi

# In memory: directories of stores would cost most of the time.
[ -n "${TMPDIR:-}" ] || { [ -d /dev/shm ] && export TMPDIR=/dev/shm; } || true

# What is freed is kept from use for a while, which costs half of the time where it is kept for long.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=8}

all=0
for target in "${targets[@]}"; do
	found=build/fuzz/found/$target learned=build/fuzz/learned/$target said=build/fuzz/$target.log
	length=512
	[ "$target" = store ] && length=256 # sixteen lines
	mkdir -p "$found" "$learned"
	"build/$preset/tests/fuzz/fuzz_$target" "${limit[@]}" -max_len=$length -entropic=0 -timeout=60 -rss_limit_mb=2048 \
		-dict="tests/fuzz/words/$target" -artifact_prefix="$found/" -print_final_stats=1 \
		"$learned" "tests/fuzz/corpus/$target" >"$said" 2>&1 </dev/null || { tail -n 60 "$said" && exit 1; }
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$said")
	printf '%-10s %10d executions, %s a second, %s\n' "$target" "$runs" \
		"$(sed -n 's/^stat::average_exec_per_sec: *//p' "$said")" "$(grep -o 'cov: [0-9]*' "$said" | tail -n 1)"
	all=$((all + runs))
done
printf '%d executions, 0 findings\n' "$all"
