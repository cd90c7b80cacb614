#!/usr/bin/env python3
"""flipped.py BUILD_DIRECTORY [TRIES [SEED]]: one flipped byte anywhere in the file or the WAL of a store.

Each try is of a fresh copy of a store that was killed, so that its newest batches are in the WAL alone. All entities are looked up,
then `holdfast verify` runs, then they are looked up again. Whatever byte it was:

  read      the lookup says that the store is damaged, and no value comes
  verify    every value that came is right, and `verify` finds the damage
  harmless  every value is right, and `verify` finds nothing: a free page, slack, a page whose newer copy is in the WAL, or a WAL
            that SQLite's own checksums cut at a whole batch (what was behind is taken again, and told as store_went_back)

Right is what a dictionary in Python holds of the records that the store says it took. A wrong value that is served is a failure; so is
one that comes by the second lookup.
"""

import collections
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ENTITIES, RECORDS, BATCH = 160, 900, 50
SCHEMA = {"views": {"card": {"entity": {"id": "string"},
                             "features": {"n": {"type": "int64", "merge": "sum"}, "label": {"type": "string"}}}},
          "sources": {"events": {"missing_key": "position"}}}
DAMAGED = 3


def check(true, what):
    if not true:
        raise AssertionError(what)


class Store:
    def __init__(self, build, directory, chance):
        self.build, self.directory = pathlib.Path(build).resolve(), pathlib.Path(directory)
        self.path, self.config = self.directory / "store", self.directory / "holdfast.json"
        self.log = self.directory / "log.ndjson"
        (self.directory / "schema.json").write_text(json.dumps(SCHEMA))
        self.config.write_text(json.dumps({"schema": "schema.json", "store": {"path": "store", "ballast_bytes": "0B"},
                                           "ingest": {"batch_records": BATCH}, "file": {"path": "log.ndjson", "topic": "events"}}))
        self.states = [{}]  # of entities, after so many records
        lines = [self.record(chance, number) for number in range(RECORDS)]
        self.log.write_text("".join(lines[:RECORDS // 3]))
        check(self.run("holdfast", "ingest", "--until-end").returncode == 0, "the first third is taken")
        self.log.write_text("".join(lines))
        done = self.run("holdfast-failpoints", "ingest", "--until-end", environment={"HOLDFAST_FAILPOINT": "store_committed:8"})
        check(done.returncode == -9, f"killed, and not {done.returncode}: {done.stderr[-300:]}")
        self.files = [self.path / "generations/g1.db", self.path / "generations/g1.db-wal"]
        check(self.files[1].stat().st_size > 50000, "the WAL holds something")
        self.kept = self.directory / "kept"
        (self.path / "control.sock").unlink(missing_ok=True)  # it can't be copied
        self.path.rename(self.kept)

    def record(self, chance, number):
        entity = f"e{chance.randrange(ENTITIES)}"
        state = dict(self.states[-1])
        event = {"view": "card", "entity": {"id": entity}, "event_time": f"2026-02-01T00:{number // 60:02}:{number % 60:02}Z"}
        if chance.random() < 0.1:
            event["op"] = "delete"
            state.pop(entity, None)
        else:
            n, label = chance.randrange(1, 1000), "".join(chance.choices("abcdefgh", k=chance.randrange(1, 200)))
            event["features"] = {"n": n, "label": label}
            state[entity] = (state.get(entity, (0, ""))[0] + n, label)
        self.states.append(state)
        return json.dumps(event) + "\n"

    def run(self, program, *words, environment=None):
        return subprocess.run([self.build / program, *words, "-c", self.config], cwd=self.directory, capture_output=True, text=True, errors="replace",
                              check=False, timeout=120, env=os.environ | (environment or {}))

    def fresh(self):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.kept, self.path, symlinks=True)

    def taken(self):
        """Records taken, as plain SQL sees it; None where that is not to be read."""
        try:
            with sqlite3.connect(f"file:{self.path}/features.db?mode=ro", uri=True) as db:
                return db.execute("SELECT taken FROM _partition").fetchone()[0]
        except (sqlite3.Error, TypeError):
            return None

    def read(self):
        """All rows, or None: it said that the store is damaged."""
        done = subprocess.run([self.build / "tests/rebuild/flipped_reader", self.path, str(ENTITIES)], capture_output=True, text=True, errors="replace",
                              check=False, timeout=60)
        check(done.returncode in (0, DAMAGED), f"the reader ended with {done.returncode}: {done.stderr[-300:]}")
        if done.returncode == DAMAGED:
            return None
        return {name: (int(n), label) for name, n, label in (line.split() for line in done.stdout.splitlines())}

    def is_right(self, rows):
        """Are these the rows of the records the store says it took? Where that number can't be read, of any number of them."""
        taken = self.taken()
        if isinstance(taken, int) and 0 <= taken <= RECORDS:
            return rows == self.states[taken]
        return rows in self.states


def flip(path, place, mask):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


def attempt(store, chance):
    store.fresh()
    sizes = [path.stat().st_size for path in store.files]
    place = chance.randrange(sum(sizes))
    path = store.files[place >= sizes[0]]
    place -= sizes[0] if place >= sizes[0] else 0
    mask = chance.randrange(1, 256)
    what = f"byte {place} of {path.name}, xor {mask:#04x}"
    flip(path, place, mask)
    rows = store.read()
    check(rows is None or store.is_right(rows), f"{what}: a wrong value was served")
    verified = store.run("holdfast", "verify")
    check(verified.returncode >= 0, f"{what}: verify ended with {verified.returncode}")
    again = store.read()
    check(again is None or store.is_right(again), f"{what}: a wrong value was served after verify")
    check(rows is not None or again is None, f"{what}: was damaged, and is served again")
    found = "read" if rows is None else "verify" if verified.returncode != 0 else "harmless"
    # Nobody found anything: then nothing may be wrong with any row, nor with what is said of them.
    check(found != "harmless" or store.taken() is not None, f"{what}: plain SQL can't read what verify calls good")
    return path.suffix, found


def main():
    tries = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    print(f"flipped.py {sys.argv[1]} {tries} {seed}", flush=True)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="holdfast-flipped-") as directory:
        store = Store(sys.argv[1], directory, chance)
        store.fresh()
        check(store.read() == store.states[store.taken()], "what is not damaged is right")
        check(store.run("holdfast", "verify").returncode == 0, "what is not damaged is verified")
        counts = collections.Counter(attempt(store, chance) for _ in range(tries))
    for name in (".db", ".db-wal"):
        print(name, *(f"{found} {counts[name, found]}" for found in ("read", "verify", "harmless")))


main()
