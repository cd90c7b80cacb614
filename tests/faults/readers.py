"""Readers beside the writer: by HTTP, by SQL, slow ones, and while it comes and goes."""

import json
import os
import signal
import sqlite3
import threading
import time

from rig import PATIENCE_S, TOPIC, await_true, check, equal, scenario

MIB = 1 << 20


def reader_of(rig):
    return sqlite3.connect(f"{rig.database.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None)


@scenario("22a", "a reader holds a snapshot", "a transaction that read one row stays open while 20,000 records are taken; store.wal_max_bytes is 1 MiB",
          "it sees its snapshot unchanged, ingest goes on, and once it ends the WAL is small again (I6 I8)")
def snapshot_held(rig):
    rig.generate(20000)
    content = rig.sent.read_bytes()
    lines = content.splitlines(keepends=True)
    rig.sent.write_bytes(b"".join(lines[:2000]))
    rig.configure(store={"wal_max_bytes": "1MiB"})
    rig.take()
    reader = reader_of(rig)
    reader.execute("BEGIN")
    total = "SELECT (SELECT sum(txns) FROM card), (SELECT sum(payments) FROM merchant), (SELECT sum(taken) FROM _partition)"
    before = reader.execute(total).fetchone()
    rig.sent.write_bytes(content)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        equal(reader.execute(total).fetchone(), before, "what the snapshot holds")
        time.sleep(0.05)
    check(service.runs(), service.said()[-300:])
    reader.execute("COMMIT")
    reader.close()
    rig.await_taken(20000, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    rig.take()
    wal = rig.database.with_name("g1.db-wal").stat().st_size
    check(wal <= 4 * MIB, f"the WAL is still {wal} bytes")
    rig.whole()


@scenario("22b", "a reader keeps its snapshot longer than it may", "a transaction stays open; store.wal_max_bytes 1 MiB, store.reader_max 1 s; 40,000 records come",
          "ingest waits before the WAL is 8 MiB, log and status name the process; once it ends all is taken (I12 I8)")
def snapshot_kept(rig):
    rig.generate(42000)
    content = rig.sent.read_bytes()
    rig.sent.write_bytes(b"".join(content.splitlines(keepends=True)[:2000]))
    rig.configure(store={"wal_max_bytes": "1MiB", "reader_max": "1s"})
    rig.take()
    reader = reader_of(rig)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM card").fetchone()
    rig.sent.write_bytes(content)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    await_true("it waits and names the process", lambda: str(os.getpid()) in service.said())
    time.sleep(1)
    wal, taken = rig.database.with_name("g1.db-wal").stat().st_size, rig.total()
    check(taken < 42000, "it did not wait")
    check(str(os.getpid()) in rig.holdfast("status").stdout, "status does not name the process")
    told = json.loads(rig.holdfast("status", "--json").stdout)["wal_readers"]
    check(str(os.getpid()) in told, f"status --json names {told!r}")
    check(service.runs(), service.said()[-300:])
    reader.execute("COMMIT")
    reader.close()
    rig.await_taken(42000, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    check(wal <= 8 * MIB, f"the WAL was {wal} bytes")
    rig.whole()


class Loop(threading.Thread):
    """Does the same again and again until told to stop; keeps what went wrong."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self.act, self.over, self.wrong, self.count = act, threading.Event(), [], 0
        self.start()

    def run(self):
        while not self.over.is_set() and not self.wrong:
            try:
                self.act()
                self.count += 1
            except Exception as error:  # whatever it is, it is wrong
                self.wrong.append(repr(error))

    def end(self, what, least=20):
        self.over.set()
        self.join()
        equal(self.wrong, [], what)
        check(self.count >= least, f"{what}: only {self.count} rounds")


@scenario("65a", "readers come while the writer starts and is killed", "40 starts, each killed 5 to 80 ms later; a new SQL connection and `get` all the while",
          "no reader fails, none sees half a batch (I6 I11)")
def readers_at_recovery(rig):
    rig.generate(20000)
    rig.sent.write_bytes(b"".join(rig.sent.read_bytes().splitlines(keepends=True)))
    rig.configure(ingest={"batch_records": 50})
    rig.take(status=-9, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": "store_committed:3"})
    card = rig.a_card()

    def by_sql():
        db = reader_of(rig)
        try:
            txns, payments = db.execute("SELECT (SELECT sum(txns) FROM card), (SELECT sum(payments) FROM merchant)").fetchone()
            equal(txns, payments, "payments counted by card and by merchant")
        finally:
            db.close()

    loops = [Loop(by_sql), Loop(lambda: rig.holdfast("get", "card", card))]
    for i in range(40):
        service = rig.start(*rig.file_command())
        time.sleep(0.005 + 0.075 * (i * 7 % 40) / 40)
        service.end()
    for loop in loops:
        loop.end("reading while the writer is killed")
    rig.take()
    rig.whole()


@scenario("65b", "readers come while the writer ends in peace", "30 starts, each ended by SIGTERM; lookups by a server and new SQL connections", "no reader fails")
def readers_at_close(rig):
    rig.generate(3000)
    rig.take()
    serve = rig.serve()
    card = rig.a_card()

    def by_sql():
        db = reader_of(rig)
        try:
            equal(db.execute("SELECT sum(taken) FROM _partition").fetchone(), (3000,), "records taken")
        finally:
            db.close()

    loops = [Loop(by_sql), Loop(lambda: equal(rig.ask(serve.address, f"/v1/views/card/{card}")[0], 200, "status"))]
    for _ in range(30):
        service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
        await_true("it has begun", lambda: "taking" in service.said())
        equal(service.end(signal.SIGTERM), 0, "exit status")
    for loop in loops:
        loop.end("reading while the writer comes and goes")
    rig.whole()


@scenario("67a", "lookups while ingest commits", "three HTTP clients look entities up as fast as they can while 30,000 records are taken",
          "no count goes back, no answer is an error (I5 I10)")
def lookups(rig):
    rig.generate(30000)
    rig.configure(ingest={"batch_records": 100})
    service = rig.start(*rig.file_command())
    await_true("it has begun", lambda: rig.total() > 0)
    serve, card, held = rig.serve(), rig.a_card(), {}

    def look(name):
        status, answer = rig.ask(serve.address, f"/v1/views/card/{card}")
        equal(status, 200, "status")
        txns = answer["views"]["card"]["values"][0][0]
        check(txns >= held.get(name, 0), f"{card} went back from {held.get(name)} to {txns}")
        held[name] = txns

    loops = [Loop(lambda name=name: look(name)) for name in range(3)]
    equal(service.wait(), 0, "exit status")
    for loop in loops:
        loop.end("lookups")
    rig.whole()


@scenario("67b", "SQL snapshots while ingest commits", "a transaction compares two views and the accounts while 20,000 records are taken in batches of 50",
          "each payment is in both views or in neither, and in the accounts; no count goes back (I6 I5)")
def snapshots(rig):
    rig.generate(20000)
    rig.configure(ingest={"batch_records": 50})
    service = rig.start(*rig.file_command())
    await_true("it has begun", lambda: rig.total() > 0)
    db, before, rounds = reader_of(rig), (0, 0, 0), 0
    content = rig.sent.read_bytes()
    while service.runs():
        now = db.execute("SELECT (SELECT sum(txns) FROM card), (SELECT sum(payments) FROM merchant), (SELECT next_offset FROM _partition)").fetchone()
        equal(now[0], now[1], "payments counted by card and by merchant")
        check(now[0] >= before[0] and now[2] >= before[2], f"went back from {before} to {now}")
        equal(content[now[2] - 1:now[2]], b"\n", "the byte before the offset")
        before, rounds = now, rounds + 1
    db.close()
    equal(service.wait(), 0, "exit status")
    check(rounds > 50, f"only {rounds} rounds")
    rig.whole()
