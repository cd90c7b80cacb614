#!/bin/sh
# The walk: a store's life in chapters, in which each request for memory fails once and for ever, and each call of the disk.
#
#     run.sh [-b BUILD] quick             one request in some thousand, one call in forty: what ctest runs
#     run.sh [-b BUILD] full              all of them: hours
#     run.sh [-b BUILD] every M D         each M-th request, each D-th call of SQLite's and of ours, and statement; of what the
#                                         rooms alone ask for more, and all pieces
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
	said=$(mktemp -d)
	# pieces are few, and what the rooms ask for not many
	printf '%s\n' "memory $1" "disk $2" "statements $2" "files $2" "rooms $((($2 + 2) / 3))" "pieces 1" |
		xargs -P "$(nproc)" -L 1 sh -c '"$0" "$2" all "$3" >"$1/$2" || : >"$1/failed"' "$walk" "$said"
	failed=0
	[ ! -e "$said/failed" ] || failed=1
	rm -f "$said/failed"
	grep -hv 'points, .* violations$' "$said"/* || true
	sed -n 's/ points, \(.*\) violations$/ \1/p' "$said"/* |
		awk '{points += $1; violations += $2} END {print points " points, " violations " violations"}'
	rm -rf "$said"
	return $failed
}
case "${1:-}" in
quick) every 1201 41 ;;
full) every 1 1 ;;
every) every "$2" "$3" ;;
at) exec "$walk" "$2" "$3" at "$4" "$5" ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
	exit 2
	;;
esac
