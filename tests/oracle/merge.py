#!/usr/bin/env python3
"""merge.py HOLDFAST [--seed N] [--rounds N]: random events, taken by the program and folded here.

The fold is written from the text of the design (sections 4 to 6), not from the C code: versions feature by feature,
floors, the four ways to merge, upsert, replace and delete, the key window. Then every row must be the same, unset told
from null, and so must deleted entities, floors, dispositions, reasons and accounts.
"""

import argparse
import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter

TOPIC = "events"
TIME_US = 1795422048 * 1000000  # 2026-11-23T08:20:48Z
SECOND_US = 1000000
WINDOW_US = MAX_SKEW_US = 3600 * SECOND_US
INT64_MAX = 2**63 - 1
DECIMAL_MAX = 10**15 - 1

# Feature: type, merge, scale.
VIEWS = {
    "mixed": {"keys": {"id": "string"}, "features": {
        "total": ("int64", "sum", 0), "money": ("decimal", "sum", 2), "low": ("int64", "min", 0), "high": ("decimal", "max", 3),
        "seen": ("timestamp", "max", 0), "cold": ("float64", "min", 0), "number": ("int64", "last", 0),
        "word": ("string", "last", 0)}},
    "pair": {"keys": {"shop": "string", "item": "int64"}, "features": {
        "a": ("int64", "last", 0), "b": ("string", "last", 0), "c": ("float64", "last", 0), "d": ("bool", "last", 0),
        "e": ("decimal", "last", 2)}},
    "single": {"keys": {"id": "int64"}, "features": {"n": ("int64", "sum", 0)}},
}


def schema():
    def feature(kind, merge, scale):
        return {"type": f"decimal({scale})" if kind == "decimal" else kind, "merge": merge}

    return {"views": {name: {"entity": view["keys"], "features": {f: feature(*what) for f, what in view["features"].items()}}
                      for name, view in VIEWS.items()},
            "sources": {TOPIC: {}}}


def rfc3339(us):
    seconds, fraction = divmod(us - TIME_US, SECOND_US)
    hour, minute, second = (8 * 3600 + 20 * 60 + 48 + seconds) // 3600, (20 * 60 + 48 + seconds) // 60 % 60, (48 + seconds) % 60
    text = f"2026-11-{23 + hour // 24}T{hour % 24:02}:{minute:02}:{second:02}"
    return text + (f".{fraction:06}Z" if fraction else "Z")


class Text(str):
    """A number as it is to be written: no detour over a double."""


class Generator:
    """Lines of a file: events that few entities, keys and times make meet, some of them spoilt."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events = []  # what was sent, to be sent again
        self.clock_s = 0  # event times lie around it

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def value(self, kind, merge, scale):
        if merge == "last" and self.chance(12):
            return None
        if kind == "string":
            return self.random.choice(["", "x", "Köln", 'q"\\'])
        if kind == "bool":
            return self.chance(50)
        if kind == "float64":
            return self.random.randrange(-40, 40) / 8
        if kind == "timestamp":
            return rfc3339(TIME_US + self.random.randrange(1000) * 1000)
        number = self.random.randrange(-100, 100)
        if merge == "sum" and self.chance(8):
            number += self.random.choice([1, -1]) * ((DECIMAL_MAX if kind == "decimal" else INT64_MAX) - 200)
        return decimal_text(number, scale) if kind == "decimal" else number

    def entity(self, view):
        return {name: self.random.choice(["a", "b", "ö"] if kind == "string" else [0, 1, -7])
                for name, kind in VIEWS[view]["keys"].items()}

    def event_time(self):
        self.clock_s += self.random.randrange(4) // 3
        us = TIME_US + (self.clock_s + self.random.randrange(30)) * SECOND_US
        return us + self.random.choice([0, 0, 1, 500000])

    def envelope(self):
        view = self.random.choice(list(VIEWS))
        features = VIEWS[view]["features"]
        names = [name for name in features if self.chance(50)] or [self.random.choice(list(features))]
        self.random.shuffle(names)
        op = self.random.choices(["upsert", "replace", "delete", None], [40, 6, 6, 48])[0]
        event = {"id": self.random.choice([self.random.randrange(10**9), f"k{self.random.randrange(10**9)}"]), "view": view,
                 "entity": self.entity(view), "event_time": rfc3339(self.event_time())}
        if op is not None:
            event["op"] = op
        if op != "delete":
            event["features"] = {name: self.value(*features[name]) for name in names}
        if op == "replace" and self.chance(15):
            event["features"] = {}
        return event

    def spoil(self, event):
        """Something is wrong with it, one thing only."""
        spoilt = dict(event)
        how = self.random.choice(["no_key", "unknown_view", "missing_entity", "bad_entity", "event_time_unreadable",
                                  "event_time_implausible", "event_time_in_future", "type_mismatch", "bad_event"])
        if how == "no_key":
            del spoilt["id"]
        elif how == "unknown_view":
            spoilt["view"] = "not_yet"
        elif how == "missing_entity":
            spoilt["entity"] = {}
        elif how == "bad_entity":
            spoilt["entity"] = {name: True for name in event["entity"]}
        elif how == "event_time_unreadable":
            spoilt["event_time"] = "yesterday"
        elif how == "event_time_implausible":
            spoilt["event_time"] = "1999-12-31T23:59:59Z"
        elif how == "event_time_in_future":
            spoilt["event_time"] = rfc3339(TIME_US + 10 * MAX_SKEW_US)
        elif how == "bad_event":
            spoilt["op"] = "merge"
        elif "features" in spoilt and spoilt["features"]:
            name = next(iter(spoilt["features"]))
            spoilt["features"] = spoilt["features"] | {name: [1]}
        return spoilt

    def event(self):
        if self.events and self.chance(25):
            return self.random.choice(self.events[-8:] if self.chance(50) else self.events)
        event = self.envelope()
        if self.chance(12):
            event = self.spoil(event)
        if self.events and self.chance(12):  # an older event's key, used for another one
            older = self.random.choice(self.events)
            if "id" in older:
                event["id"], event["view"] = older["id"], event["view"]
        if self.chance(5) and event.get("features"):
            event["features"] = event["features"] | {"nobody_knows": 1}
        self.events.append(event)
        return event

    def line(self):
        """A line of the file, and what it means: (value or None, timestamp in us or None, key), ("rejected", None, reason),
        or nothing."""
        if self.chance(2):
            return self.random.choice(["", "\r"]), None
        if self.chance(2):
            text = self.random.choice(['{"id": 1', "5", '"text"', "[]"])
            return text, ("rejected", None, "bad_json" if text.startswith("{") else "bad_event")
        timestamp_ms = (TIME_US + self.random.choice([-2, -1, 0, 0, 0, 0, 1, 2]) * WINDOW_US // 2) // 1000 + self.random.randrange(-3, 4)
        if self.chance(4):
            view = self.random.choice(list(VIEWS))
            key = {"view": view, "entity": self.entity(view)}
            return write({"key": key, "value": None, "timestamp": timestamp_ms}), (None, timestamp_ms * 1000, key)
        event = self.event()
        if self.chance(10):
            return write(event), (event, None, None)
        return write({"value": event, "timestamp": timestamp_ms}), (event, timestamp_ms * 1000, None)


def decimal_text(unscaled, scale):
    digits = f"{abs(unscaled):0{scale + 1}}"
    return Text(f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}")


def write(value):
    """JSON, with the numbers of Text as they are."""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {write(member)}" for name, member in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def content_of(value):
    """Equal for JSON values that are equal, numbers compared by value."""
    if isinstance(value, Text):
        return "number", float(value)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__, value
    if isinstance(value, dict):
        return "object", tuple(sorted((name, content_of(member)) for name, member in value.items()))
    if isinstance(value, list):
        return "array", tuple(content_of(member) for member in value)
    return "number", value


class Row:
    def __init__(self):
        self.floor = None
        self.cells = {}  # feature: (value, version); a null value is None


class Fold:
    """What a store holds after the events, one by one."""

    def __init__(self):
        self.rows = {}  # (view, entity): Row
        self.holders = {}  # key: [content, record time, state]
        self.dispositions = Counter()
        self.reasons = Counter()
        self.overtaken = self.late_deletes = self.taken = self.ignored = 0
        self.record_time_us = None

    def take(self, offset, meaning):
        value, timestamp_us, key = meaning
        self.taken += 1
        if value == "rejected":
            return self.count("dead", key)
        if value is None:
            event = {"view": key["view"], "entity": key["entity"], "op": "delete"}
            identity = ("position", offset)
        else:
            event = value
            identity = (event.get("view"), content_of(event["id"])) if "id" in event else None
        event_us, time_wrong = self.event_time(event, timestamp_us)
        record_us = timestamp_us if timestamp_us is not None or time_wrong else event_us
        if record_us is not None:
            self.record_time_us = max(record_us, self.record_time_us or record_us)
        elif self.record_time_us is not None:
            record_us = self.record_time_us
        else:
            record_us = 0
        if identity is None:
            return self.count("dead", "no_key")
        content = content_of({name: member for name, member in event.items() if name != "id"})
        holder = self.holders.get(identity)
        if holder is not None and (holder[2] != "taken" or abs(holder[1] - record_us) <= WINDOW_US):
            if holder[0] == content:
                return self.count("duplicate")
            if holder[2] != "dead":
                return self.count("dead", "key_reused")
            self.overtaken += 1
        disposition, reason = self.judge(event, event_us, time_wrong, offset)
        self.holders[identity] = [content, record_us, disposition if disposition in ("dead", "parked") else "taken"]
        return self.count(disposition, reason)

    def count(self, disposition, reason=None):
        self.dispositions[disposition] += 1
        if reason is not None:
            self.reasons[reason] += 1

    def event_time(self, event, timestamp_us):
        """(us, reason): what the event says, else its record."""
        text = event.get("event_time")
        if text is None:
            return timestamp_us, None if timestamp_us is not None else "no_event_time"
        if text == "yesterday":
            return None, "event_time_unreadable"
        if text.startswith("1999"):
            return None, "event_time_implausible"
        us = parse_time(text)
        if timestamp_us is not None and us > timestamp_us + MAX_SKEW_US:
            return None, "event_time_in_future"
        return us, None

    def judge(self, event, event_us, time_wrong, offset):
        view = VIEWS.get(event["view"])
        if view is None:
            return "parked", "unknown_view"
        op = event.get("op", "upsert")
        if op == "merge":
            return "dead", "bad_event"
        if not event["entity"]:
            return "dead", "missing_entity"
        if any(type(event["entity"][name]) is not {"string": str, "int64": int}[kind] for name, kind in view["keys"].items()):
            return "dead", "bad_entity"
        if time_wrong is not None:
            return "dead", time_wrong
        given = {name: member for name, member in event.get("features", {}).items() if name in view["features"]}
        if any(isinstance(member, list) for member in given.values()):
            return "dead", "type_mismatch"
        disposition, reason = self.merge(view["features"], self.row_of(event["view"], event["entity"]), op,
                                         {name: typed(view["features"][name], member) for name, member in given.items()},
                                         (event_us, offset))
        if disposition != "dead":
            self.ignored += len(event.get("features", {})) - len(given)
        return disposition, reason

    def row_of(self, view, entity):
        return self.rows.setdefault((view, tuple(entity[name] for name in VIEWS[view]["keys"])), Row())

    def merge(self, features, row, op, given, version):
        if op == "upsert":
            return self.upsert(features, row, given, version)
        if row.floor is not None and version <= row.floor:
            return "superseded", None
        row.floor = version
        kept = {name: cell for name, cell in row.cells.items() if cell[1] > version}
        self.late_deletes += any(features[name][1] != "last" for name in kept)
        row.cells = {name: (value, version) for name, value in given.items()} | kept
        return "applied", None

    def upsert(self, features, row, given, version):
        if row.floor is not None and version < row.floor:
            return "superseded", None
        merged = {}
        for name, value in given.items():
            kind, merge, _ = features[name]
            held = row.cells.get(name)
            if held is None:
                merged[name] = (value, version)
            elif merge == "last":
                if version > held[1]:
                    merged[name] = (value, version)
            else:
                together = {"sum": lambda a, b: a + b, "min": min, "max": max}[merge](held[0], value)
                limit = (-DECIMAL_MAX, DECIMAL_MAX) if kind == "decimal" else (-INT64_MAX - 1, INT64_MAX)
                if merge == "sum" and not limit[0] <= together <= limit[1]:
                    return "dead", "overflow"
                merged[name] = (together, max(held[1], version))
        row.cells.update(merged)
        return ("applied" if merged else "superseded"), None


def parse_time(text):
    day, hour, minute, second = int(text[8:10]), int(text[11:13]), int(text[14:16]), int(text[17:19])
    fraction = int(text[20:-1].ljust(6, "0")) if "." in text else 0
    return TIME_US + (((day - 23) * 24 + hour - 8) * 60 + minute - 20) * 60 * SECOND_US + (second - 48) * SECOND_US + fraction


def typed(feature, value):
    """A value as it is stored: decimals as unscaled integers here."""
    kind, _, scale = feature
    if value is None:
        return None
    if kind == "decimal":
        return int(value.replace(".", ""))
    if kind == "timestamp":
        return parse_time(value)
    return int(value) if kind == "bool" else value


class Checked(Exception):
    pass


def same(what, program, fold):
    if program != fold:
        raise Checked(f"{what}: the program has {program!r}, the fold {fold!r}")


def read_version(text, base_us):
    """(event time, offset); one file is one log, and an envelope one update."""
    time, log, offset, place = map(int, text.split("/"))
    same("log and place", (log, place), (1, 0))
    return base_us + time, offset


def read_cells(view, record):
    """The cells of a stored row, by the rules of schema/row.c's comment."""
    words = record["_versions"].split(",") if record["_versions"] is not None else [""] * len(view["features"])
    newest = record["_event_time"], record["_offset"]
    cells = {}
    for (name, (kind, _, scale)), word in zip(view["features"].items(), words, strict=True):
        if word == "-":
            continue
        value = None if word.startswith("n") else record[name]
        if kind == "decimal" and value is not None:
            value = round(value * 10**scale)
            same(f"{name}, the nearest double", record[name], value / 10**scale)
        word = word.removeprefix("n")
        cells[name] = value, read_version(word, newest[0]) if word else newest
    return cells


def read_rows(db):
    rows = {}
    for name, view in VIEWS.items():
        for record in db.execute(f"SELECT * FROM {name}"):
            row = rows[name, tuple(record[key] for key in view["keys"])] = Row()
            row.cells = read_cells(view, record)
            row.floor = read_version(record["_floor"], 0) if record["_floor"] is not None else None
        for record in db.execute(f"SELECT * FROM _deleted_{name}"):
            row = rows[name, tuple(record[key] for key in view["keys"])] = Row()
            row.floor = read_version(record["_floor"], 0)
            same("_event_time of a deleted entity", record["_event_time"], row.floor[0])
    return rows


def check_store(path, fold, size):
    db = sqlite3.connect(f"file:{path}/features.db?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    rows = read_rows(db)
    expected = {entity: row for entity, row in fold.rows.items() if row.cells or row.floor is not None}
    same("entities", sorted(rows, key=repr), sorted(expected, key=repr))
    for entity, row in expected.items():
        same(f"{entity}, floor", rows[entity].floor, row.floor)
        same(f"{entity}, features", rows[entity].cells, row.cells)
    accounts, = db.execute("SELECT * FROM _partition")
    for disposition in ("applied", "superseded", "duplicate", "parked", "dead"):
        same(disposition, accounts[disposition], fold.dispositions[disposition])
    same("taken", accounts["taken"], fold.taken)
    same("next_offset", accounts["next_offset"], size)
    same("gaps", accounts["gaps"], size - fold.taken)
    same("late_deletes", accounts["late_deletes"], fold.late_deletes)
    same("ignored_features", accounts["ignored_features"], fold.ignored)
    same("record_time", accounts["record_time"], fold.record_time_us)
    reasons = Counter(row["reason"] for row in db.execute("SELECT reason FROM _dead UNION ALL SELECT reason FROM _parked"))
    same("reasons", reasons, fold.reasons)
    overtaken, = db.execute("SELECT count(*) FROM _dead WHERE state = 'overtaken'").fetchone()
    same("overtaken", overtaken, fold.overtaken)
    db.close()


class Round:
    def __init__(self, program, seed, directory):
        self.program, self.generator, self.fold = program, Generator(seed), Fold()
        self.file, self.store = directory / "events.ndjson", directory / "store"
        self.config = directory / "holdfast.json"
        (directory / "schema.json").write_text(json.dumps(schema()))
        self.config.write_text(json.dumps({"schema": "schema.json", "store": {"path": str(self.store)}}))

    def append(self, lines):
        with self.file.open("ab") as file:
            for _ in range(lines):
                text, meaning = self.generator.line()
                if meaning is not None:
                    self.fold.take(file.tell(), meaning)
                file.write(text.encode() + b"\n")

    def run(self, command, *arguments):
        done = subprocess.run([self.program, command, "-c", str(self.config), *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Checked(f"{command} {arguments}: exit status {done.returncode}: {done.stderr}")
        return done.stdout

    def take(self, batch_records):
        self.run("ingest", "--file", str(self.file), "--topic", TOPIC, "--until-end",
                 "--set", f"ingest.batch_records={batch_records}")
        self.run("verify")
        check_store(self.store, self.fold, self.file.stat().st_size)

    def look_up(self):
        """A few entities as `holdfast get` answers them."""
        present = [(entity, row) for entity, row in self.fold.rows.items() if row.cells]
        for (view, entity), row in self.generator.random.sample(present, min(3, len(present))):
            answer = json.loads(self.run("get", "--json", "--", view, *map(str, entity)))["views"][view]
            values = dict(zip(answer["features"], answer["values"][0]))
            unset = {exception["feature"] for exception in answer["exceptions"]}
            same("unset", unset, set(VIEWS[view]["features"]) - set(row.cells))
            for name, (kind, _, scale) in VIEWS[view]["features"].items():
                if name in unset:
                    continue
                value, _ = row.cells[name]
                if kind == "decimal" and value is not None:
                    value /= 10**scale
                if kind == "timestamp" and value is not None:
                    same(name, parse_time(values[name]), value)
                elif kind == "bool" and value is not None:
                    same(name, values[name], bool(value))
                else:
                    same(name, values[name], value)
            newest = max(version for _, version in row.cells.values())
            same("event time", parse_time(answer["event_time"][0]), newest[0])


def run_round(program, seed):
    with tempfile.TemporaryDirectory(prefix="holdfast-merge-") as directory:
        this = Round(program, seed, pathlib.Path(directory))
        for lines, batch_records in ((300, 7), (1, 1), (400, 20000)):
            this.append(lines)
            this.take(batch_records)
        this.look_up()
        return this.fold.dispositions


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.rounds):
        try:
            dispositions = run_round(options.program, seed)
        except Checked as wrong:
            sys.exit(f"seed {seed}: {wrong}")
        print(f"seed {seed}:", ", ".join(f"{count} {name}" for name, count in sorted(dispositions.items())))


if __name__ == "__main__":
    main()
