#!/usr/bin/env bash
# hostile.sh [--short] [-p PRESET] [NAME…]: a real broker that does its worst, and what must hold after each time:
#
#   rows are those of a fold in Python; every offset and update is accounted for; `verify` finds nothing; the digest is that of
#   a store that took the same records in peace; the store stands at the log's end; no commit to Kafka was ever ahead of it,
#   each read from the wire.
#
#   killed           the service is killed (SIGKILL) 500 times
#   broker_killed    the broker is killed 5 times under a running service, records flowing
#   both_killed      both at once, 5 times; who is back first changes
#   recreated        the topic is deleted and made anew, under a running service and under a stopped one, shorter and longer
#   unnoticed        the same while the service is frozen, so that it sees neither an error nor a new connection
#   removed          records are deleted below what was taken, and beyond it, of a stopped, a paused and a running partition
#   compacted        a topic whose records the cleaner removes, with views that bear it and with those that don't
#   transactions     committed, aborted and left open, the service killed while it waits behind the open one
#   black_hole       packets vanish for 8 s: by iptables in a network namespace of its own, else by a proxy that passes nothing on
#   overtaken        the service is stopped (SIGSTOP), another takes its store, and it goes on
#   grown            partitions are added, under a running service and under a stopped one
#
# --short, in a minute or two: 20 kills, one of each other kind; without `compacted` (a test of its own) and what only waits.
# The last line is `N scenarios, N held`.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

given=("$@")
preset=dev
options=()
while [ $# -gt 0 ]; do
	case $1 in
	--short | --in-namespace) options+=("$1") ;;
	-p) preset=$2 && shift ;;
	-*) sed -n '2s/^# //p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
	*) break ;;
	esac
	shift
done

# Root of a namespace may drop packets, and nobody else's.
if [[ " ${options[*]-} " != *" --in-namespace "* ]]; then
	need_material
	own=(unshare --user --map-root-user --net)
	if "${own[@]}" sh -c 'ip link set lo up && iptables -A INPUT -p tcp --dport 9 -j DROP' 2>/dev/null; then
		exec "${own[@]}" "${BASH_SOURCE[0]}" --in-namespace "${given[@]}"
	fi
else
	ip link set lo up
fi
use_build "$preset"
start_broker
python3 "$project/tests/kafka/hostile.py" "$(dirname "$holdfast")" "$work/broker" "${options[@]}" "$@"
