#!/usr/bin/env python3
"""The rows that the tests of Feast's contract look up, written down by hand, once for both stores.

rows.py NOW: prints them as events of the topic features.v1, one JSON object a line; NOW in seconds since 1970. The Feast
reference is filled from ROWS with the same NOW. Needs nothing but Python.
"""

import base64
import datetime
import json
import sys

BIG = 9007199254740993  # 2^53 + 1: a float64 would make it ...992
ODD_NAME = "O'Brien \"Zoë\" \\ 日本 / \U0001f600\n"
ODD_ZONE = "it's \"odd\", 50 %2F ü/../x"
LONG_AGO = 1735689600  # 2025-01-01T00:00:00Z: out of any ttl here

# (view, entity, seconds before NOW or None for LONG_AGO, features). A timestamp is seconds since 1970; None is a stored null.
ROWS = [
    ("driver_stats", {"driver_id": 1001}, 60,
     {"conv_rate": 1.0, "trips": BIG, "active": True, "rating": 4.25, "name": ODD_NAME, "seen": 1767323045,
      "embedding": [1.0, 2.5, -0.125], "photo": b"\x00\xff"}),
    ("driver_stats", {"driver_id": 1002}, 61,
     {"conv_rate": -0.5, "trips": -BIG, "active": False, "rating": -0.01, "name": "", "seen": -1, "embedding": [0.0, 1e10, -1.0],
      "photo": b"x"}),
    ("driver_stats", {"driver_id": 1003}, None,
     {"conv_rate": 0.25, "trips": 3, "active": True, "rating": 3.0, "name": "old", "seen": 0, "embedding": [0.5, 0.5, 0.5],
      "photo": b"old"}),
    ("driver_stats", {"driver_id": -7}, 62,
     {"conv_rate": 5e-324, "trips": 2**63 - 1, "active": True, "rating": 99999999.99, "name": "null", "seen": 7258118400,
      "embedding": [3.0, 2.0, 1.0], "photo": b"\x01\x02\x03"}),
    ("session_item", {"customer": "c1", "item": 1}, 10, {"clicks": 7, "score": 0.5}),
    ("session_item", {"customer": "c1", "item": 2}, 11, {"clicks": 8, "score": 1e300}),
    ("session_item", {"customer": "c2", "item": 1}, 12, {"clicks": -2**63, "score": -1.0}),
    ("session_item", {"customer": "1", "item": 1}, 13, {"clicks": 11, "score": 3.0}),
    ("zones", {"zone": "a/b"}, 20, {"city": "Würzburg", "population": 130000, "altitude": 177.0}),
    ("zones", {"zone": ODD_ZONE}, 21, {"city": "b", "population": 0, "altitude": 0.0}),
    ("card_stats", {"card_id": "c1"}, 30, {"txns": 2, "country": "DE", "limit": 100.0}),
    ("credit", {"driver_id": 1001}, 5, {"line": 5000}),
]

# Nulls by themselves: pandas would turn integers beside a None into floats. Feast does not write a row of nulls alone.
NULLS = [
    ("zones", {"zone": "nowhere"}, 22, {"city": None, "population": None, "altitude": -3.5}),
    ("zones", {"zone": "nobody"}, 23, {"city": "x", "population": None, "altitude": None}),
]

# What only holdfast's events can say: fractions of a second, a part of a row, a delete.
OURS = [
    {"view": "card_stats", "entity": {"card_id": "old"}, "event_time": "2025-01-01T00:00:00Z", "features": {"txns": 2, "country": "FR", "limit": 3.5}},
    {"view": "card_stats", "entity": {"card_id": "half"}, "event_time": "{now}Z", "features": {"limit": 1.0}},
    {"view": "driver_stats", "entity": {"driver_id": 1004}, "event_time": "{now}.678Z", "features": {"conv_rate": 0.1, "name": None,
     "seen": "2026-01-02T03:04:05.678Z", "embedding": [0.1, 0.2, 0.3]}},
    {"view": "driver_stats", "entity": {"driver_id": 1005}, "event_time": "{now}.678901Z", "features": {"trips": 5, "seen": "1969-12-31T23:59:58.5Z"}},
    {"view": "driver_stats", "entity": {"driver_id": 1006}, "event_time": "{now}Z", "features": {"trips": 6}},
    {"view": "driver_stats", "entity": {"driver_id": 1006}, "event_time": "{now}.5Z", "op": "delete"},
]


def event_time(now, before):
    """In seconds since 1970."""
    return LONG_AGO if before is None else now - before


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def value_json(name, value):
    if name == "seen":
        return utc(value) + "Z"
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def events(now):
    for view, entity, before, features in ROWS + NULLS:
        yield {"view": view, "entity": entity, "event_time": utc(event_time(now, before)) + "Z",
               "features": {name: value_json(name, value) for name, value in features.items()}}
    for event in OURS:
        yield event | {"event_time": event["event_time"].format(now=utc(now - 60))}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for number, event in enumerate(events(int(sys.argv[1]))):
        print(json.dumps({"id": f"row-{number}"} | event))


if __name__ == "__main__":
    main()
