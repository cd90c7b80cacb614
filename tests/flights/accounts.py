#!/usr/bin/env python3
"""accounts.py LOG_NDJSON STATUS_JSON: did a store that took this log of flights (events.py) account for all of it?

Counts in the log itself what must have become of it and compares that with the answer of `holdfast status --json`, in total;
and for each partition: first_offset + taken + gaps + lost = next_offset, updates = the sum of dispositions.
Exit status: 0 all as it must be, 1 not.
"""

import collections
import json
import sys

DISPOSITIONS = ("applied", "superseded", "duplicate", "parked", "dead")
VIEWS = 3  # an event updates each of them


def expected(lines):
    must, seen = collections.Counter(gaps=0, lost=0, parked=0, duplicate=0), set()
    for line in lines:
        event = json.loads(line)["value"]
        must["taken"] += 1
        if event["kind"] == "arrival" and event["cancelled"]:
            must["skipped"] += 1
            continue
        must["updates"] += VIEWS
        id = (event["time_hour"], event["carrier"], event["flight"], event["kind"])
        if id in seen:
            must["duplicate"] += VIEWS
            continue
        seen.add(id)
        nameless = "tailnum" not in event
        must["dead"] += nameless
        must["applied or superseded"] += VIEWS - nameless
    return must


def unbalanced(partitions):
    for one in partitions:
        offsets = sum(one[name] for name in ("first_offset", "taken", "gaps", "lost"))
        updates = sum(one[name] for name in DISPOSITIONS)
        if offsets != one["next_offset"]:
            yield f"partition {one['partition']}: offsets add up to {offsets}, next_offset is {one['next_offset']}"
        if updates != one["updates"]:
            yield f"partition {one['partition']}: dispositions add up to {updates}, updates are {one['updates']}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as log, open(sys.argv[2]) as status:
        must, status = expected(log), json.load(status)
    has = status["total"] | {"applied or superseded": status["total"]["applied"] + status["total"]["superseded"]}
    wrong = [f"{name}: {has[name]}, must be {count}" for name, count in must.items() if has[name] != count]
    wrong += unbalanced(status["partitions"])
    for one in wrong:
        print(one)
    print("accounts:", "wrong" if wrong else ", ".join(f"{count} {name}" for name, count in must.items() if count))
    sys.exit(len(wrong) > 0)


if __name__ == "__main__":
    main()
