#!/usr/bin/env bash
# same_state.sh [PRESET [FLIGHTS]]: one log of flights into five stores, each in another way; one digest must come out, and
# accounts that add up.
#
#   in_one_go   a batch of 20,000
#   killed      killed 10 times (SIGKILL)
#   twice       each record delivered again at once, and once more from far below the fence (tests/lib/wrap_source.h)
#   in_turn     one partition after the other
#   one_by_one  batches of 1
#
# And a second topic, which holds every record twice: the same digest, exactly half of its updates duplicates. At the end the
# proof that each comparison can fail: the copies of `twice` where the fence can't know them, the second topic without a window.
set -euo pipefail
# shellcheck source=tests/lib/real_broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/real_broker.sh"

preset=${1:-dev}
flight_count=${2:-10000} # twice as many records: one_by_one makes each of them durable by itself
partitions=4
kills=10
doubled_topic=flights_doubled

need_material
use_build "$preset"
start_broker

head -n $((flight_count + 1)) "$cache/flights/flights.csv" >"$work/flights.csv"
python3 "$flights/events.py" "$work/flights.csv" "$work/log.ndjson"
python3 "$flights/events.py" "$work/flights.csv" "$work/doubled.ndjson" --doubled >"$work/events.log"
records=$(wc -l <"$work/log.ndjson")
schema=$flights/schema.json
doubled_schema=$work/doubled_schema.json
python3 - "$schema" "$doubled_schema" "$doubled_topic" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as given, open(sys.argv[2], "w") as out:
    schema = json.load(given)
    json.dump(schema | {"sources": {sys.argv[3]: schema["sources"]["flights"]}}, out)
PYTHON
make_topic flights "$partitions"
make_topic "$doubled_topic" "$partitions"
produce "$work/log.ndjson" flights
produce "$work/doubled.ndjson" "$doubled_topic"

take_wrapped() { # mode, key window in seconds, store, schema
	configure "$3" "$4" 20000
	"$wrapped" "$1" "$2" "$work/$3" "$4" "$bootstrap" >"$work/$3.summary" 2>"$work/$3.log" ||
		die "ingest_wrapped $1 into $3 failed: $(tail -n 3 "$work/$3.log")"
}

wrong=0
complain() {
	printf 'wrong: %s\n' "$*"
	wrong=1
}

equals() { # name, is, must be
	[ "$2" = "$3" ] || complain "$1 is $2, must be $3"
}

compare() { # store, log: verify, accounts, digest
	local digest
	digest=$(check_store "$1")
	want=${want:-$digest} # the first one's
	printf '%-12s digest %s, %s batches, ' "$1" "$digest" "$(member "$work/$1.summary" batches)"
	python3 "$flights/accounts.py" "$2" "$work/$1.status" || complain "the accounts of $1"
	equals "the digest of $1" "$digest" "$want"
}

must_differ() { # store, why
	local digest
	digest=$(check_store "$1")
	printf '%-12s digest %s: %s\n' "$1" "$digest" "$2"
	[ "$digest" != "$want" ] || complain "$1 has the digest of all others, so nothing here shows that $2"
}

# A batch of 20,000 takes some patience: it closes when nothing more is there.
configure in_one_go "$schema" 20000
take_all in_one_go --set ingest.linger=1s --set ingest.batch_age=60s
compare in_one_go "$work/log.ndjson"
python3 "$flights/oracle.py" "$work/flights.csv" "$work/in_one_go/features.db" >"$work/oracle" || complain "$(cat "$work/oracle")"

batch=$((records / (kills + 1) / 16 + 1))
configure killed "$schema" "$batch"
python3 "$project/tests/lib/kills.py" "$failpoints" "$work/killed.json" "$records" "$kills" "$batch" --failpoints \
	>"$work/kills" 2>"$work/killed.log" || die "the kills went wrong: $(tail -n 3 "$work/kills" "$work/killed.log")"
tail -n 1 "$work/kills"
take_all killed
compare killed "$work/log.ndjson"

# Without a key window: the fence alone knows what comes again.
take_wrapped twice 0 twice "$schema"
compare twice "$work/log.ndjson"
equals "what came to twice" "$(member "$work/twice.summary" records) $(member "$work/twice.summary" redelivered)" \
	"$records $((2 * records))"

take_wrapped in_turn 3600 in_turn "$schema"
compare in_turn "$work/log.ndjson"

configure one_by_one "$schema" 1
take_all one_by_one
compare one_by_one "$work/log.ndjson"

configure doubled "$doubled_schema" 20000
take_all doubled
compare doubled "$work/doubled.ndjson"
half=$(python3 -c 'import json, sys; total = json.load(open(sys.argv[1]))["total"]; print(2 * total["duplicate"] == total["updates"])' \
	"$work/doubled.status")
equals "that half of the doubled topic's updates are duplicates" "$half" True

take_wrapped renumbered 0 no_fence "$schema"
must_differ no_fence "the fence keeps copies out"
take_wrapped plain 0 no_window "$doubled_schema"
must_differ no_window "the key window finds copies"

[ "$wrong" -eq 0 ] && printf '6 stores, 1 digest: %s\n' "$want"
exit "$wrong"
