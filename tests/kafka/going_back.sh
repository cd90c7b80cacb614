#!/usr/bin/env bash
# going_back.sh [PRESET]: rollback and restore on a real broker, seen from Kafka's side too.
#
#   restore    of a backup while the service runs, and while none does: it catches up, and the state is that of an undisturbed store;
#              where a partition is paused, what is committed to Kafka goes down to what is stored
#   rollback   --now to an older generation: commits go down at once, and stay there over a restart; after `resume` they come up
#   moments    restore --at: before the first backup (from the beginning of the log, and refused once that is gone), at a record's very time, between two, beyond the end; what is held then is
#              folded in Python from the records' own timestamps
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

need_material
use_build "${1:-dev}"
start_broker
python3 "$project/tests/kafka/going_back.py" "$(dirname "$holdfast")" "$work/broker" "$bootstrap"
