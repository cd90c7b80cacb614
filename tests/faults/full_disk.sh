#!/usr/bin/env bash
# full_disk.sh [PRESET]: the disk full for 20 s in the middle of ingest at 20,000 events a second, on a real broker; release by default.
#
# 1.2 million events in a minute; what must hold, and how it is looked at: full_disk.py. Prints the rates that were really
# produced and applied before, meanwhile and after, when lag was zero again, and the lookups. Takes two to three minutes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

preset=${1:-release}
topic=payments.v1
partitions=8

command -v java >/dev/null || skip "java is not on PATH: run deploy/packages.sh test"
reason=$("$project/tests/kafka/broker.sh" fetch 2>&1) || skip "$reason"
use_build "$preset"
start_broker
make_topic "$topic" "$partitions"
python3 "$project/tests/faults/full_disk.py" "$project/build/$preset" "$bootstrap"
