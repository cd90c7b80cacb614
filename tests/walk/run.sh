#!/bin/sh
# The walk: a store's life in chapters, in which each request for memory fails once and for ever, and each call of the disk.
#
#     run.sh [-b BUILD] quick             one request in some hundred, one call in eleven: what ctest runs
#     run.sh [-b BUILD] full              all of them: an hour
#     run.sh [-b BUILD] every M D         each M-th request, each D-th call of SQLite's and of ours, and
#                                         statement; of what rooms alone ask for more, and all pieces
#     run.sh [-b BUILD] at KIND CHAPTER N once|forever   one of them again
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build="$here/../../build/dev"
if [ "${1:-}" = -b ]; then
	build=$2
	shift 2
fi
# In memory: directories of stores would cost most of the time.
[ -n "${TMPDIR:-}" ] || { [ -d /dev/shm ] && export TMPDIR=/dev/shm; } || true
# Each point counts its blocks itself.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0}"
walk="$build/tests/walk/walk"
[ -x "$walk" ] || { echo "$walk is missing: build it (cmake --build --preset dev), or name a build with -b" >&2; exit 2; }
every() { # requests for memory, calls of the disk
	failed=0
	said=$(mktemp)
	"$walk" memory all "$1" >"$said" || failed=1
	"$walk" disk all "$2" >>"$said" || failed=1
	"$walk" files all "$2" >>"$said" || failed=1
	"$walk" rooms all $((($2 + 2) / 3)) >>"$said" || failed=1
	"$walk" statements all "$2" >>"$said" || failed=1
	"$walk" pieces all 1 >>"$said" || failed=1 # seconds
	grep -v 'points, .* violations$' "$said" || true
	sed -n 's/ points, \(.*\) violations$/ \1/p' "$said" |
		awk '{points += $1; violations += $2} END {print points " points, " violations " violations"}'
	rm -f "$said"
	return $failed
}
case "${1:-}" in
quick) every 401 11 ;;
full) every 1 1 ;;
every) every "$2" "$3" ;;
at) exec "$walk" "$2" "$3" at "$4" "$5" ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
	exit 2
	;;
esac
