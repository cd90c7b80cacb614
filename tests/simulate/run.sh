#!/bin/sh
# The simulation: the real pipeline and store on a simulated log and a disk that
# loses power, compared with an oracle at each start.
#
#     run.sh [-b BUILD] quick             every crash point of the fixed workload, 20 kinds of damage each,
#                                         2,000 seeds: four minutes on two cores
#     run.sh [-b BUILD] some              a part of that: what ctest runs where sanitizers or counters slow it down
#     run.sh [-b BUILD] long HOURS        other seeds, until the time is over
#     run.sh mutants [NAME...]            deliberate bugs, each of which must be found: some ten minutes
#     run.sh [-b BUILD] seed N            one seed again
#     run.sh [-b BUILD] crash CHANGE KIND   one crash of the fixed workload again
#     run.sh [-b BUILD] back-seed N, back-crash CHANGE KIND   likewise, with generations and backups
#     run.sh [-b BUILD] rot-seed N, rot-crash CHANGE KIND     likewise, and a bit flips at the end
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build="$here/../../build/dev"
if [ "${1:-}" = -b ]; then
	build=$2
	shift 2
fi
# In memory: fsync of the scratch directory would cost most of the time.
[ -n "${TMPDIR:-}" ] || { [ -d /dev/shm ] && export TMPDIR=/dev/shm; } || true
if [ "${1:-}" = mutants ]; then
	shift
	work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-mutants-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	python3 "$here/mutants.py" "$here/../.." "$work" "$@"
	exit
fi
simulate="$build/tests/simulate/simulate"
[ -x "$simulate" ] || { echo "$simulate is missing: build it (cmake --build --preset dev), or name a build with -b" >&2; exit 2; }
case "${1:-}" in
quick) exec "$simulate" -j "$(nproc)" both 1 20 1 2000 ;;
some) exec "$simulate" both 97 5 1 150 ;;
seed | back-seed | rot-seed) exec "$simulate" "$1" "$2" ;;
crash | back-crash | rot-crash) exec "$simulate" "$1" "$2" "$3" ;;
long)
	end=$(($(date +%s) + ${2:?HOURS} * 3600))
	first=$(date +%s)000
	failed=0
	while [ "$(date +%s)" -lt "$end" ]; do
		"$simulate" -j "$(nproc)" both 0 0 "$first" 1000 || failed=1
		"$simulate" -j "$(nproc)" rot-both 0 0 "$first" 100 || failed=1
		first=$((first + 1000))
	done
	exit "$failed"
	;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
