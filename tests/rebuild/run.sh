#!/usr/bin/env bash
# run.sh [PRESET [FLIGHTS]]: rebuilds on a real broker, with FLIGHTS of the flights (two records each).
#
# First they are killed (SIGKILL) at each step, and owners at each step of the switch, while events come: what is left is the old
# generation or the new one, and the next rebuild comes to its end. Then, with all records in the topic and nothing else
# running, a rebuild and plain ingest take turns, whose speeds are compared. Then a generation is rebuilt while the service takes
# 5,000 events a second and answers 5,000 lookups a second over HTTP, which go on until it is live: not one lookup may fail, and
# it takes the live one's place because its digest is the same. At last the store must have the digest of one that took the same
# log undisturbed.
#
# By default a middling form; the tests run 10,000 flights. `run.sh release 336776` is the full one, some four minutes on two
# quiet cores: it fails, too, where a rebuild alone has less than 0.9 of plain ingest's speed, or where the load can't be kept
# up. The last line has the figures.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

preset=${1:-dev}
flight_count=${2:-30000}
full=300000 # flights
few=30000   # records that the killed rebuilds take
partitions=4

need_material
use_build "$preset"
start_broker

head -n $((flight_count + 1)) "$cache/flights/flights.csv" >"$work/flights.csv"
python3 "$flights/events.py" "$work/flights.csv" "$work/log.ndjson"
records=$(wc -l <"$work/log.ndjson")
[ "$few" -lt $((records / 2)) ] || few=$((records / 2))
head -n "$few" "$work/log.ndjson" >"$work/first.ndjson"
tail -n +$((few + 1)) "$work/log.ndjson" >"$work/rest.ndjson"
make_topic flights "$partitions"
produce "$work/first.ndjson" flights

configure live "$flights/schema.json" 20000
configure plain "$flights/schema.json" 20000
strict=()
[ "$flight_count" -lt "$full" ] || strict=(--strict)
python3 "$project/tests/rebuild/rebuild.py" "$holdfast" "$failpoints" "$work" "${strict[@]}" | tee "$work/told"

configure undisturbed "$flights/schema.json" 20000
take_all undisturbed
digest=$(check_store live)
want=$(check_store undisturbed)
printf 'digest %s, undisturbed %s\n' "$digest" "$want"
[ "$digest" = "$want" ]
printf 'good, in %d s: %s; digests equal\n' "$SECONDS" "$(tail -n 1 "$work/told")"
