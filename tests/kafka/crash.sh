#!/usr/bin/env bash
# crash.sh [KILLS [PRESET [FLIGHTS]]]: kills the service (SIGKILL) KILLS times, 20 by default, on its way through the flights of
# 2013, of which 5 % of the records are produced twice. All of them, or the first so many: sanitizers are slow.
#
# The store must then be what the flights table says, row by row, account for each record, and have the digest of a store that
# took the same log undisturbed. The last line is `20 kills: 0 lost, 0 doubled`.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

kills=${1:-20}
preset=${2:-dev}
flight_count=${3:-336776}
partitions=4
doubled_share=0.05
batches_a_life=16 # enough for a kill to have passed some and left some

need_material
use_build "$preset"
start_broker

head -n $((flight_count + 1)) "$cache/flights/flights.csv" >"$work/flights.csv"
python3 "$flights/events.py" "$work/flights.csv" "$work/log.ndjson" --doubled "$doubled_share"
records=$(wc -l <"$work/log.ndjson")
make_topic flights "$partitions"
produce "$work/log.ndjson" flights

batch=$((records / (kills + 1) / batches_a_life + 1))
configure killed "$flights/schema.json" "$batch"
python3 "$project/tests/lib/kills.py" "$failpoints" "$work/killed.json" "$records" "$kills" "$batch" 2>"$work/killed.log" |
	tee "$work/kills" || die "the kills went wrong: $(tail -n 3 "$work/killed.log")"
take_all killed

configure undisturbed "$flights/schema.json" 20000
take_all undisturbed

wrong=0
digest=$(check_store killed)
want=$(check_store undisturbed)
printf 'digest %s, undisturbed %s\n' "$digest" "$want"
[ "$digest" = "$want" ] || wrong=1
python3 "$flights/accounts.py" "$work/log.ndjson" "$work/killed.status" || wrong=1
python3 "$flights/oracle.py" "$work/flights.csv" "$work/killed/features.db" | grep -v '^accounts must be' | tee "$work/oracle" || wrong=1
printf '%s kills: %s\n' "$(grep -c '^kill ' "$work/kills")" "$(sed -n 's/^updates by their counts: //p' "$work/oracle")"
exit "$wrong"
