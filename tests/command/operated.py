#!/usr/bin/env python3
"""operated.py HOLDFAST [SEED…]: whatever operators do to a store, what its log brings again is there, or it is said why it need not be.

A rough stream, taken in pieces; between them a schema is applied, letters are retried, forced, dropped and cleared, deletes are
forgotten, generations built. After each of that `replay` must find nothing missing, and `verify` nothing wrong.
"""

import copy
import datetime
import json
import pathlib
import random
import subprocess
import sys
import tempfile

SEEDS = (2, 4, 6)
STEPS = 14
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
SCHEMA = {"views": {"card": {"entity": {"id": "string"}, "features": {
    "n": {"type": "int64", "maximum": 1000}, "total": {"type": "int64", "merge": "sum"}, "least": {"type": "int64", "merge": "min"},
    "text": {"type": "string", "max_length": 5}}},
    "shop": {"entity": {"id": "string"}, "features": {"a": {"type": "int64"}}}}}


def time_text(ms):
    return (BEGIN + datetime.timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Run:
    def __init__(self, holdfast, seed, directory):
        self.holdfast, self.seed, self.chance, self.directory = holdfast, seed, random.Random(seed), pathlib.Path(directory)
        self.log, self.sent, self.count, self.now_ms, self.done = self.directory / "log", [], 0, 0, []
        self.log.touch()
        self.schema = copy.deepcopy(SCHEMA) | {"sources": {"events": {"unknown_feature": self.chance.choice(["ignore", "park", "reject"])}}}
        self.write_schema()
        (self.directory / "holdfast.json").write_text(json.dumps({
            "schema": "schema.json", "file": {"path": "log", "topic": "events"},
            "store": {"path": "store", "ballast_bytes": "0B", "key_window": self.chance.choice(["1h", "10s", "1s"]),
                      "key_window_keys": self.chance.choice([1, 50, 1000000])},
            "ingest": {"dead_share_max": 1, "batch_records": self.chance.choice([7, 500])}}))

    def write_schema(self):
        (self.directory / "schema.json").write_text(json.dumps(self.schema))

    def run(self, *words, good=(0,)):
        ended = subprocess.run([self.holdfast, *map(str, words)], cwd=self.directory, capture_output=True, text=True, timeout=120, check=False)
        if ended.returncode not in good:
            raise AssertionError(f"seed {self.seed}, after {self.done}: {words} ended with {ended.returncode}: {ended.stderr[-600:]}")
        return ended.stdout

    def event(self):
        chance = self.chance
        if self.sent and chance.random() < 0.15:  # a copy, or what reuses a key
            event = copy.deepcopy(chance.choice(self.sent[-200:]))
            if chance.random() < 0.4 and "features" in event:
                event["features"]["n"] = chance.randrange(1100)
            return event
        self.count += 1
        view = chance.choices(["card", "shop", "later"], [87, 10, 3])[0]
        given = {"n": chance.randrange(1100), "total": chance.randrange(5), "least": chance.randrange(100), "text": "abcdefg"[:chance.randrange(7)],
                 "new": chance.randrange(9)}
        features = {"shop": {"a": self.count}, "later": {"z": self.count}}.get(view) or {
            name: value for name, value in given.items() if chance.random() < 0.4} or {"total": 1}
        event = {"id": f"e{self.count}", "view": view, "entity": {"id": f"c{chance.randrange(40)}"}, "features": features,
                 "event_time": time_text(max(0, self.now_ms - chance.randrange(20000)))}
        if chance.random() < 0.05:
            event["op"] = chance.choice(["delete", "replace"])
            if event["op"] == "delete":
                del event["features"]
        return event

    def send(self, count):
        with self.log.open("a", encoding="utf-8") as out:
            for _ in range(count):
                self.now_ms += self.chance.randrange(2000)
                event = self.event()
                self.sent.append(event)
                out.write(self.chance.choices(["", "{bad\n", "\n\n"], [88, 2, 10])[0])
                out.write(json.dumps({"value": event, "timestamp": time_text(self.now_ms)}) + "\n")

    def apply(self, change):
        change(self.schema["views"])
        self.write_schema()
        self.run("schema", "apply", "schema.json")

    def new_feature(self):
        taken = self.schema["views"]["card"]["features"]
        self.apply(lambda views: taken.update({"new" if "new" not in taken else f"more{len(taken)}": {"type": "int64"}}))

    def new_view(self):
        self.apply(lambda views: views.update(later={"entity": {"id": "string"}, "features": {"z": {"type": "int64"}}}))

    def wider_bounds(self):
        def widen(views):
            views["card"]["features"]["n"]["maximum"] += 40
        self.apply(widen)

    def retry(self):
        self.run("dead", "retry", "--all", good=(0, 1))

    def force(self):
        self.run("dead", "retry", "--reason", "key_reused", "--force", "--because", "a test", good=(0, 1))

    def clear(self):
        self.run("dead", "drop", "--all", "--because", "a test", good=(0, 1))
        self.run("ingest", "--until-end", "--set", "ingest.dead_keep=1ms")

    def forget(self):
        self.run("rebuild", "--base", "live", "--forget-deletes-before", time_text(self.chance.randrange(self.now_ms)))

    def rebuild(self):
        self.run("rebuild", "--even-if-different")

    def check(self):
        summary = json.loads(self.run("replay", "events", "--json", good=(0, 3)).splitlines()[-1])
        if summary["answers"]["missing"] > 0 or not summary["whole"]:
            raise AssertionError(f"seed {self.seed}, after {self.done}: {summary}")
        return summary["answers"]

    def go(self):
        actions = [self.new_feature, self.new_view, self.wider_bounds, self.retry, self.force, self.clear, self.forget, self.rebuild]
        answers = {}
        for step in range(STEPS):
            self.send(self.chance.randrange(20, 150))
            self.run("ingest", "--until-end")
            action = actions[step % len(actions)] if step < len(actions) else self.chance.choice(actions)
            self.done.append(action.__name__)
            action()
            answers = self.check()
        self.run("verify")
        return answers


def main():
    for seed in map(int, sys.argv[2:]) if len(sys.argv) > 2 else SEEDS:
        with tempfile.TemporaryDirectory(prefix="holdfast-operated-") as directory:
            answers = Run(sys.argv[1], seed, directory).go()
        print(f"seed {seed}: {STEPS} actions, 0 missing, {answers['unproven']} unproven of {sum(answers.values())}")


main()
