#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them:
#
#   dev    everything: style, unit, store, Kafka's mock and a real broker, crashes, flights, the image
#   asan   address and undefined behaviour: all but fuzzing, style, image and the README's tour
#   tsan   threads: likewise
#
#   tests/run.sh [preset…]     only these
#
# tests/faults/run.sh runs by itself, three minutes: on a quiet machine, since it hurts a real service.
#
# What can't run here is skipped and says why; with CI=true it fails. Each part's time is printed; ctest's summaries come last.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(dev asan tsan)

deploy/packages.sh build
deploy/packages.sh test

logs=build/tests
mkdir -p "$logs"
times=()
failed=0

part() { # name, command: runs it and notes its time
	local name=$1 start=$SECONDS status=0
	shift
	printf '\n== %s\n' "$name"
	"$@" || status=$?
	times+=("$(printf '%-24s %4d s%s' "$name" $((SECONDS - start)) "$([ $status -eq 0 ] || echo '  failed')")")
	[ $status -eq 0 ] || failed=1
	return $status
}

build() { # preset
	cmake --preset "$1" >"$logs/$1-build.log" &&
		cmake --build --preset "$1" -j"$(nproc)" >>"$logs/$1-build.log" && return
	tail -n 40 "$logs/$1-build.log"
	return 1
}

run() { # preset
	local except=(--label-exclude faults)
	[ "$1" = dev ] || except=(--label-exclude 'faults|fuzz|style|image|flights')
	ctest --preset "$1" "${except[@]}" --parallel "$(nproc)" 2>&1 | tee "$logs/$1.log"
}

for preset in "${presets[@]}"; do
	rm -f "$logs/$preset.log"
	if part "$preset: build" build "$preset"; then
		part "$preset: tests" run "$preset" || true
	fi
done

printf '\n== time of each part\n'
printf '%s\n' "${times[@]}" "$(printf '%-24s %4d s' all "$SECONDS")"
for preset in "${presets[@]}"; do
	printf '\n== %s\n' "$preset"
	if [ -f "$logs/$preset.log" ]; then
		sed -n '/tests passed,/,$p' "$logs/$preset.log"
	else
		printf 'not run: the build failed, see %s\n' "$logs/$preset-build.log"
	fi
done
exit $failed
