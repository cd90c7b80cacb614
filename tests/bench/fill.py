#!/usr/bin/env python3
"""fill.py ENTITIES OUT_NDJSON: one upsert for each entity of tests/bench/schema.json, all of them before BASE_TIME."""

import datetime
import json
import sys

BASE_TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    count = int(sys.argv[1])
    with open(sys.argv[2], "w") as out:
        for entity in range(count):
            at = (BASE_TIME - datetime.timedelta(milliseconds=count - entity)).isoformat(timespec="milliseconds")
            value = {"id": f"fill-{entity}", "at": at, "entity": entity, "sum_0": 1, "sum_1": 0.01, "sum_2": 1, "sum_3": 0.01,
                     "last_4": "0123456789abcdef", "last_5": 0.5, "last_6": 1, "last_7": "fedcba9876543210", "last_8": 0.25, "last_9": 2}
            out.write(json.dumps({"key": str(entity), "value": value}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
