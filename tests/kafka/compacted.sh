#!/usr/bin/env bash
# compacted.sh [PRESET]: compacted topics on a real broker, whose cleaner removes what later records of a key cover.
#
#   whole          a store that took every record, and one that took what compaction left (holes in the offsets, deletes): the
#                  same digest, and the rows that a dictionary in Python holds
#   refused        a topic that is compacted and must not be: its partitions stop, not_compaction_safe; another topic goes on
#   deletes_lost   away longer than deletes stay in the log: stops, and goes on with `resume --accept-gap`
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

need_material
use_build "${1:-dev}"
start_broker
python3 "$project/tests/kafka/compacted.py" "$holdfast" "$work"
