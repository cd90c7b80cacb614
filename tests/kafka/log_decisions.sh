#!/usr/bin/env bash
# log_decisions.sh [PRESET]: what an operator decides about a log that lost records, or was made anew, on a real broker.
#
#   records_lost   a partition's records are deleted beyond what was taken of it; `resume T:P --accept-gap`
#   log_changed    the topic is deleted and made anew under a running service; `resume T:P --new-log`
#
# Each stops its partition and nothing else, is accounted for to the record, stands in _decision, and leaves the rows and the
# digest that the records which are left say (an oracle in Python, and a store that took just them from a file).
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

need_material
use_build "${1:-dev}"
start_broker
python3 "$project/tests/kafka/log_decisions.py" "$(dirname "$holdfast")" "$work/broker" "$bootstrap"
