#!/usr/bin/env python3
"""flipped.py BUILD_DIRECTORY [TRIES [SEED]]: one flipped byte anywhere in the file or the WAL of a store.

Each try is of a fresh copy of a store: one that was stopped, or one that was killed, so that its newest batches are in the WAL alone. Bytes are
chosen by what they are, in turn: values, versions, checksums and keys of rows, rows and pointers of interior pages, headers, free pages,
rows of our own tables, parts of the WAL; and any. Some tries put a whole page of a view back to what it held before, as a write that was
lost does. Each entity is looked up by itself, then `holdfast verify` runs, then all are looked up again, by libholdfast and over HTTP, and
ingest is tried. Whatever byte it was:

  read      a lookup said that the store is damaged, and each value that came was right
  verify    each value that came was right, though some may have seemed missing, and `verify` finds the damage
  harmless  all is right, and `verify` finds nothing: a free page, slack, a page whose newer copy is in the WAL, or a WAL
            that SQLite's own checksums cut at a whole batch (what was behind is taken again, and told as store_went_back)

What was found stays found: from then on nothing but what is right comes from either reader, not even that something is missing, and ingest
refuses the store. What MUST be found is, wherever it is. Right is what a dictionary in Python holds of the records that the store says it took.
"""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import pages

ENTITIES, RECORDS, BATCH, LAST = 240, 1200, 50, 20
VIEWS = ("card", "badge")  # of entity e<n>: VIEWS[n % 2]
FEATURES = {"n": {"type": "int64", "merge": "sum"}, "label": {"type": "string"}}
SCHEMA = {"views": {view: {"entity": {"id": "string"}, "features": FEATURES} for view in (*VIEWS, "held")},
          "sources": {"events": {"missing_key": "position"}}}
MUST = re.compile("value|version|key|checksum|interior key|interior row|row of .*|lost write")
ANY = ["any byte", "any byte of the killed one", "wal header", "wal frame header", "wal page"]
DAMAGED = "damaged"
PATIENCE_S = 20


def check(true, what):
    if not true:
        raise AssertionError(what)


def view_of(entity):
    return VIEWS[int(entity[1:]) % 2]


def kind_of(table, column):
    if table.startswith("sqlite_"):
        return "SQLite's own schema"
    if table not in VIEWS:
        return f"row of {table}"
    return {"id": "key", "n": "value", "label": "value", "_checksum": "checksum"}.get(column, "version")


class Store:
    def __init__(self, build, directory, chance):
        self.build, self.directory = pathlib.Path(build).resolve(), pathlib.Path(directory)
        self.path, self.config = self.directory / "store", self.directory / "holdfast.json"
        self.log = self.directory / "log.ndjson"
        (self.directory / "schema.json").write_text(json.dumps(SCHEMA))
        self.config.write_text(json.dumps({"schema": "schema.json", "store": {"path": "store", "ballast_bytes": "0B"}, "serve": {"port": 0},
                                           "ingest": {"batch_records": BATCH}, "file": {"path": "log.ndjson", "topic": "events"}}))
        self.states = [{}]  # of entities, after so many records
        lines = [self.record(chance, number) for number in range(RECORDS)]
        self.take(lines[:RECORDS // 3])
        check(self.run("holdfast", "hold", "held", "fail", "--because", "nobody asks").returncode == 0, "what is held")
        self.log.write_text("".join(lines))
        done = self.run("holdfast-failpoints", "ingest", "--until-end", environment={"HOLDFAST_FAILPOINT": "store_committed:8"})
        check(done.returncode == -signal.SIGKILL, f"killed, and not {done.returncode}: {done.stderr[-300:]}")
        self.killed = self.keep("killed")
        check((self.killed / "generations/g1.db-wal").stat().st_size > 50000, "the WAL holds something")
        self.fresh(self.killed)
        self.take(lines[:RECORDS - LAST])
        before = pages.Pages(self.keep("before") / "generations/g1.db", kind_of)
        self.fresh(self.directory / "before")
        self.take(lines)
        self.make_free_pages()
        self.stopped = self.keep("stopped")
        self.pages = pages.Pages(self.stopped / "generations/g1.db", kind_of)
        self.older = {number: before.page(number) for view in VIEWS for number in self.pages.leaves[view]
                      if number in before.leaves[view] and before.page(number) != self.pages.page(number)}
        check(self.older and self.pages.kinds["interior key"] and self.pages.kinds["freelist"], "there is each kind of page")
        self.kinds = sorted(self.pages.kinds) + ["lost write", "interior key", "interior row", "value", *ANY]

    def take(self, lines):
        self.log.write_text("".join(lines))
        check(self.run("holdfast", "ingest", "--until-end").returncode == 0, "all is taken")

    def make_free_pages(self):
        with contextlib.closing(sqlite3.connect(self.path / "features.db")) as db, db:
            db.execute("CREATE TABLE scratch AS SELECT randomblob(20000) AS bytes")
            db.execute("DROP TABLE scratch")

    def keep(self, name):
        (self.path / "control.sock").unlink(missing_ok=True)  # it can't be copied
        return self.path.rename(self.directory / name)

    def record(self, chance, number):
        entity = f"e{chance.randrange(ENTITIES)}"
        state = dict(self.states[-1])
        self.states.append(state)
        event = {"view": view_of(entity), "entity": {"id": entity}, "event_time": f"2026-02-01T00:{number // 60:02}:{number % 60:02}Z"}
        if number < RECORDS - LAST and chance.random() < 0.03:
            return json.dumps(event | chance.choice(({"features": {"n": "none"}}, {"view": "unknown", "features": {"n": 1}}))) + "\n"
        if number < RECORDS - LAST and chance.random() < 0.1:
            event["op"] = "delete"
            state.pop(entity, None)
            return json.dumps(event) + "\n"
        n, label = chance.randrange(1, 1000), "".join(chance.choices("abcdefgh", k=chance.randrange(1, 200)))
        if number >= RECORDS - LAST:  # rows stay where they are
            entity = event["entity"]["id"] = chance.choice(sorted(state))
            event["view"], label = view_of(entity), state[entity][1][::-1]
        event["features"] = {"n": n, "label": label}
        state[entity] = (state.get(entity, (0, ""))[0] + n, label)
        return json.dumps(event) + "\n"

    def run(self, program, *words, environment=None):
        return subprocess.run([self.build / program, *words, "-c", self.config], cwd=self.directory, capture_output=True, text=True, errors="replace",
                              check=False, timeout=120, env=os.environ | (environment or {}))

    def fresh(self, which):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(which, self.path, symlinks=True)

    def taken(self):
        """Records taken, as plain SQL sees it; None where that is not to be read."""
        try:
            with sqlite3.connect(f"file:{self.path}/features.db?mode=ro", uri=True) as db:
                return db.execute("SELECT taken FROM _partition").fetchone()[0]
        except (sqlite3.Error, TypeError):
            return None

    def truths(self, which):
        """States that may be the store's: what it says it took, where that may differ and can be read."""
        if which == self.stopped:
            return [self.states[RECORDS]]
        taken = self.taken()
        return [self.states[taken]] if isinstance(taken, int) and 0 <= taken <= RECORDS else self.states

    def read(self):
        """By libholdfast, entity by entity: its values, DAMAGED, or nothing."""
        done = subprocess.run([self.build / "tests/rebuild/flipped_reader", self.path, str(ENTITIES)], capture_output=True, text=True, errors="replace",
                              check=False, timeout=60)
        if done.returncode == 3:
            return {f"e{number}": DAMAGED for number in range(ENTITIES)}
        check(done.returncode == 0, f"the reader ended with {done.returncode}: {done.stderr[-300:]}")
        rows = {}
        for line in done.stdout.splitlines():
            entity, n, *label = line.split(" ", 2)
            rows[entity] = DAMAGED if n == DAMAGED else (int(n), label[0])
        return rows

    def ask(self):
        """The same over HTTP, a view at a time."""
        listener = self.directory / "listener"
        listener.unlink(missing_ok=True)
        server = subprocess.Popen([self.build / "holdfast", "serve", "--port-file", listener, "-c", self.config], cwd=self.directory, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not listener.exists():
                check(server.poll() is None and time.monotonic() < deadline, "it serves")
                time.sleep(0.002)
            connection = http.client.HTTPConnection(listener.read_text().strip(), timeout=PATIENCE_S)
            rows = {}
            for first, view in enumerate(VIEWS):
                rows |= self.ask_view(connection, view, [f"e{number}" for number in range(first, ENTITIES, 2)])
            connection.close()
            return rows
        finally:
            server.kill()
            server.wait()

    def ask_view(self, connection, view, entities):
        connection.request("POST", "/v1/lookup", json.dumps({"features": [f"{view}:n", f"{view}:label"], "entities": {"id": entities}}))
        reply = connection.getresponse()
        body = json.loads(reply.read())
        if reply.status == 503:
            return {entity: DAMAGED for entity in entities}
        check(reply.status == 200, f"{reply.status}: {body}")
        answers = zip(entities, body["views"][view]["values"])
        return {entity: tuple(values) for entity, values in answers if values[1] is not None}


def differing(rows, truth, may_miss):
    return [entity for entity in truth.keys() | rows.keys() if rows.get(entity) != DAMAGED and rows.get(entity) != truth.get(entity)
            and not (may_miss and entity not in rows)]


def is_right(rows, truths, may_miss=False):
    """Is each value that came right? With `may_miss` some that should have come may be missing."""
    return any(not differing(rows, truth, may_miss) for truth in truths)


def place_of(store, kind, chance):
    """Which store is copied, which file of it, where."""
    if kind in ANY[1:]:
        sizes = [(store.killed / "generations" / name).stat().st_size for name in ("g1.db", "g1.db-wal")]
        frames = (sizes[1] - 32) // (24 + store.pages.size)
        frame = 32 + chance.randrange(frames) * (24 + store.pages.size)
        any_place = chance.randrange(sum(sizes))
        return store.killed, *{
            "wal header": ("g1.db-wal", chance.randrange(32)),
            "wal frame header": ("g1.db-wal", frame + chance.randrange(24)),
            "wal page": ("g1.db-wal", frame + 24 + chance.randrange(store.pages.size)),
        }.get(kind, ("g1.db", any_place) if any_place < sizes[0] else ("g1.db-wal", any_place - sizes[0]))
    start, end = (0, len(store.pages.data)) if kind == ANY[0] else chance.choice(store.pages.kinds[kind])
    return store.stopped, "g1.db", chance.randrange(start, end)


def damage(store, kind, chance):
    """Returns which store it is, and what was done to it."""
    if kind == "lost write":
        store.fresh(store.stopped)
        number = chance.choice(sorted(store.older))
        with open(store.path / "generations/g1.db", "r+b") as file:
            file.seek((number - 1) * store.pages.size)
            file.write(store.older[number])
        return store.stopped, f"{kind}: page {number} is an older one"
    which, name, place = place_of(store, kind, chance)
    store.fresh(which)
    mask = chance.randrange(1, 256)
    with open(store.path / "generations" / name, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))
    return which, f"{kind}: byte {place} of {name} of {which.name}, xor {mask:#04x}"


def expect_refused(store, truths, found, what):
    """It was found: nobody goes by it any more; nor by anything in a file whose structure is wrong."""
    for name, rows in (("libholdfast", store.read()), ("HTTP", store.ask())):
        check(is_right(rows, truths), f"{what}: {name} goes by what was found damaged")
        check("integrity:" not in found or set(rows.values()) == {DAMAGED}, f"{what}: {name} goes by a file whose structure is wrong")
    refused = store.run("holdfast", "ingest", "--until-end")
    check(refused.returncode in (3, 4), f"{what}: ingest ended with {refused.returncode}")


def attempt(store, kind, chance):
    which, what = damage(store, kind, chance)
    truths = store.truths(which)
    rows = store.read()
    if kind != "lost write":  # its rows were right once, and nothing tells a lookup that they are not
        check(is_right(rows, truths, may_miss=True), f"{what}: a wrong value was served")
    verified = store.run("holdfast", "verify")
    check(verified.returncode in (0, 3, 4), f"{what}: verify ended with {verified.returncode}: {verified.stderr[-300:]}")
    if verified.returncode != 0:
        expect_refused(store, truths, verified.stdout, what)
        return "read" if DAMAGED in rows.values() else "verify" if is_right(rows, truths) else "verify alone"
    check(not MUST.fullmatch(kind), f"{what}: verify does not find it")
    check(is_right(rows, truths) and DAMAGED not in rows.values(), f"{what}: verify calls good what a lookup did not find right")
    check(store.taken() is not None, f"{what}: plain SQL can't read what verify calls good")
    check(is_right(store.read(), truths) and is_right(store.ask(), truths), f"{what}: a wrong value is served")
    return "harmless"


def main():
    tries = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    print(f"flipped.py {sys.argv[1]} {tries} {seed}", flush=True)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="holdfast-flipped-") as directory:
        store = Store(sys.argv[1], directory, chance)
        for which in (store.killed, store.stopped):
            store.fresh(which)
            truths = store.truths(which)
            check(len(truths) == 1 and store.read() == store.ask() == truths[0], "what is not damaged is right")
            check(store.run("holdfast", "verify").returncode == 0, "what is not damaged is verified")
        counts = collections.Counter()
        for number in range(tries):
            kind = store.kinds[number % len(store.kinds)]
            counts[kind, attempt(store, kind, chance)] += 1
    columns = ("read", "verify", "verify alone", "harmless")
    print(f"{'flipped':28}", *(f"{name:>13}" for name in columns))
    for kind in dict.fromkeys(store.kinds):
        print(f"{kind:28}", *(f"{counts[kind, name]:13}" for name in columns))
    print(f"{'all of ' + str(tries):28}", *(f"{sum(counts[kind, name] for kind in dict.fromkeys(store.kinds)):13}" for name in columns))


main()
