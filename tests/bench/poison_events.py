#!/usr/bin/env python3
"""poison_events.py RECORDS CLEAN POISON EXPECTED: two logs of envelopes, alike but that one record in a hundred of the second is
poison, in turn in every way below; EXPECTED says which, and what becomes of them: {"offset": ["dead", "type_mismatch"], …}.

What is expected is said here, way by way, and comes from design section 4, not from the program. Not among the ways:
late_delete and crash_loop, which are of retries and crashes. no_event_time befalls only the first record of a log.
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone

BASE = datetime(2026, 1, 1, tzinfo=timezone.utc)
STEP = timedelta(milliseconds=10)
ENTITIES = 20000
SHARE = 100  # one of so many
VALUE_BYTES_MAX = 8192  # the setting that the log is taken with
FULL = "full"  # an entity whose sums stand at their types' ends


def event(i, id=None, view="every", entity=None, **more):
    at = (BASE + i * STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": id or f"e{i}", "view": view, "entity": {"id": f"n{i * 7919 % ENTITIES}"} if entity is None else entity,
            "event_time": at, "features": {"count": 1, "grade": i % 101, "word": f"w{i % 1000}"}} | more


def without(value, *names):
    return {name: one for name, one in value.items() if name not in names}


def text(value):
    return json.dumps(value, ensure_ascii=False).encode()


def good(i):
    if i == 1:
        return text(event(i, entity={"id": FULL}, features={"count": 2**63 - 1, "total": 9999999999999.99}))
    return (b'{"id":"e%d","view":"every","entity":{"id":"n%d"},"event_time":"%s","features":{"count":1,"total":%d.25,"grade":%d,"ratio":0.5,'
            b'"price":%d.5,"word":"w%d","flag":true,"taste":[0.5,1,%d]}}'
            % (i, i * 7919 % ENTITIES, (BASE + i * STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode(), i % 100, i % 101,
               i % 5000, i % 1000, i % 7))


def changed(**more):
    return lambda i: text(event(i, **more))


def left_out(*names):
    return lambda i: text(without(event(i), *names))


def feature(name, value):
    return lambda i: text(event(i, features={"count": 1, name: value}))


def written(name, literal):
    """A number that Python would write otherwise."""
    return lambda i: text(event(i, features={name: "@"})).replace(b'"@"', literal)


def broken(old, new):
    def make(i):
        line = text(event(i))
        assert old in line
        return line.replace(old, new, 1)
    return make


def alone(line):
    return lambda i: line


def whole(i, at=timedelta(), **more):
    stamp = (BASE + i * STEP + at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"value": event(i), "timestamp": stamp} | more


def in_cloud(**attributes):
    """A CloudEvent in structured mode, broken."""
    return lambda i: text(whole(i, headers={"content-type": "application/cloudevents+json"}, value={"id": f"c{i}", "source": "s"} | attributes))


def tombstone(key):
    return lambda i: text({"key": key, "value": None, "timestamp": whole(i)["timestamp"]})


def ahead(**by):
    def make(i):
        late = (BASE + i * STEP + timedelta(**by)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return text(whole(i, value=event(i, event_time=late)))
    return make


def used(i):
    """The key of an event 50 records before, which is good, for something else."""
    return text(event(i, id=f"e{i // SHARE * SHARE - SHARE // 2}", features={"count": 77}))


def nested(depth):
    return lambda i: text(event(i, features={"count": 1, "word": "@"})).replace(b'"@"', b"[" * depth + b"]" * depth)


MANY = "x" * (VALUE_BYTES_MAX + 1)
DEAD = {
    "bad_json": [alone(b"nonsense"), alone(b'{"id": '), broken(b"}}", b"},}"), broken(b'"count": 1', b'"count": NaN'), broken(b'"', b"'"),
                 broken(b'"count": 1', b'"count": 01'), broken(b'"count": 1', b'"count": +1'), broken(b'"w', b'"\x01w'),
                 broken(b'"w', b'"\\x'), broken(b'"count": 1', b'"count": 1 /* one */'), lambda i: text(event(i)) + b" {}",
                 broken(b'"count": 1', b'"count": -Infinity'), broken(b'"count": 1', b"count: 1"), broken(b'"view"', b'"view'),
                 alone(b"{"), alone(b"tru")],
    "bad_utf8": [broken(b'"w', b'"\xff'), broken(b'"w', b'"\xc0\xaf'), broken(b'"w', b'"\xed\xa0\x80'), broken(b'"w', b'"\xf4\x90\x80\x80'),
                 broken(b'"w', b'"caf\xe9 '), broken(b'"w', b'"\xe2\x82'), broken(b'"word"', b'"w\x80rd"')],
    "duplicate_member": [broken(b'"view"', b'"view": "every", "view"'), broken(b'"count"', b'"count": 2, "count"'),
                         broken(b'"entity": {', b'"entity": {"id": "x", ')],
    "too_deep": [nested(100), nested(4000)],
    "too_long": [feature("word", MANY), changed(id=MANY), lambda i: text(event(i)) + b" " * VALUE_BYTES_MAX],
    "bad_event": [alone(b'"text"'), alone(b"17"), alone(b"[]"), alone(b"true"), left_out("view"), changed(view=5), changed(view=None),
                  changed(op="merge"), changed(op=1), changed(features=[]), changed(features="count"), changed(features={}),
                  left_out("features"), changed(op="delete"),
                  lambda i: text(whole(i, timestamp="soon")), lambda i: text(whole(i, timestamp=-1)), lambda i: text(whole(i, headers=[])),
                  lambda i: text(whole(i, headers={"a": 1})), in_cloud(), in_cloud(data_base64="e30="), in_cloud(data=[1])],
    "no_key": [left_out("id")],
    "key_reused": [used],
    "missing_entity": [left_out("entity"), changed(entity={}), changed(entity={"id": None}), changed(view="pair", entity={"shop": "s"}),
                       lambda i: text(without(event(i), "entity") | {"entity": None}), tombstone(None), tombstone({"view": "every"}),
                       tombstone("text")],
    "bad_entity": [changed(entity={"id": 5}), changed(entity={"id": True}), changed(entity={"id": ["a"]}), changed(entity="n1"),
                   changed(entity=["n1"]), changed(entity={"id": "a", "more": 1}), changed(entity={"id": "a\0b"}),
                   changed(view="pair", entity={"shop": "s", "item": "1"}, features={"low": 1}),
                   changed(view="pair", entity={"shop": "s", "item": 1.5}, features={"low": 1}),
                   tombstone({"view": "every", "entity": {"id": 5}})],
    "event_time_unreadable": [changed(event_time="yesterday"), changed(event_time=1767225600), changed(event_time=True),
                              changed(event_time="2026-11-23"), changed(event_time="2026-13-01T00:00:00Z"),
                              changed(event_time="2026-02-30T00:00:00Z"), changed(event_time="2026-11-23T25:00:00Z"),
                              changed(event_time="2026-11-23T08:00:00"), changed(event_time={}), changed(event_time=""),
                              lambda i: text(whole(i, value=without(event(i), "event_time"), headers={"ce_time": "noon"}))],
    "event_time_implausible": [changed(event_time="1970-01-01T00:00:00Z"), changed(event_time="1999-12-31T23:59:59.999Z"),
                               changed(event_time="0001-01-01T00:00:00Z")],
    "event_time_in_future": [ahead(hours=1, milliseconds=1), ahead(days=1), ahead(days=365 * 200)],
    "unknown_feature": [feature("colour", "red"), feature("Count", 1)],
    "type_mismatch": [feature("flag", 1), feature("flag", "true"), feature("count", 1.5), written("count", b"1.0"), feature("count", "1"),
                      feature("count", True), feature("count", None), feature("count", []), feature("ratio", "0.5"), feature("ratio", False),
                      written("ratio", b"9007199254740993"), feature("price", 1.234), feature("price", "1"), feature("price", None),
                      feature("word", 5), feature("word", "a\0b"), feature("word", {}), feature("raw", "not base64!"), feature("raw", 5),
                      feature("raw", "YQ"), feature("seen", "yesterday"), feature("seen", 1767225600), feature("seen", None),
                      feature("taste", 5), feature("taste", [1, 2, "3"]), feature("taste", [1, 2, None]), feature("taste", [1, 2, 1e300]),
                      feature("taste", "AAAA"),
                      lambda i: text(event(i, view="pair", entity={"shop": "s", "item": 1}, features={"low": None}))],
    "out_of_range": [feature("count", 2**63), feature("count", -2**63 - 1), feature("grade", 10**25), feature("total", 10**13),
                     written("total", b"99999999999999.99"), written("price", b"1e15")],
    "wrong_length": [feature("taste", [1, 2]), feature("taste", [1, 2, 3, 4]), feature("taste", [])],
    "out_of_bounds": [feature("grade", -1), feature("grade", 101), feature("ratio", 1.5), feature("ratio", -0.5), feature("price", 1000000000.01),
                      feature("word", "thirteen char"), feature("word", "\u00e9" * 7), feature("raw", "AAAAAAAAAAAA")],
    "overflow": [changed(entity={"id": FULL}, features={"count": 1}), changed(entity={"id": FULL}, features={"total": 0.01})],
}
PARKED = {"unknown_view": [changed(view="later"), changed(view=""), tombstone({"view": "later", "entity": {"id": "a"}})]}
FIRST = left_out("event_time")


def ways():
    """In turn: each reason once, then each again in its next way; so all of them are there when the log is long enough."""
    all_of = [("dead", reason, makes) for reason, makes in DEAD.items()] + [("parked", reason, makes) for reason, makes in PARKED.items()]
    turn = 0
    while True:
        for fate, reason, makes in all_of:
            yield fate, reason, makes[turn % len(makes)]
        turn += 1


def main():
    records = int(sys.argv[1])
    chance, way, expected, offset = random.Random(1), ways(), {}, 0
    with open(sys.argv[2], "wb") as clean, open(sys.argv[3], "wb") as poison:
        spoiled = -1
        for i in range(records):
            line = good(i)
            clean.write(line + b"\n")
            if i % SHARE == 0:  # never the 50th, whose key is used again
                spoiled = i + chance.randrange(2, SHARE // 2) if i > 0 else 0
            if i == 0:
                fate, reason, make = "dead", "no_event_time", FIRST
            if i == spoiled and i > 0:
                fate, reason, make = next(way)
            if i == spoiled:
                line = make(i)
                expected[offset] = [fate, reason]
            poison.write(line + b"\n")
            offset += len(line) + 1
    json.dump(expected, open(sys.argv[4], "w"))


if __name__ == "__main__":
    main()
