"""Other processes at the store, the machine's clock, its memory."""

import os
import shutil
import signal
import sqlite3
import time

from rig import TOPIC, CannotRun, await_true, check, equal, scenario


def following(rig, *more):
    return rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, *more)


@scenario("24a", "a second writer", "ingest and run started beside a running ingest, lock file or not: what is locked is the directory",
          "refused with exit 4; the first goes on, its owner epoch unchanged (I9)")
def second_writer(rig):
    rig.generate(1000)
    first = following(rig)
    rig.await_taken(1000, first)
    before = rig.status()
    for path in rig.store.glob("*lock*"):
        path.unlink()
    done = rig.take(status=4)
    check(str(rig.store) in done.stderr, done.stderr)
    rig.holdfast("run", "--set", "kafka.bootstrap.servers=127.0.0.1:1", status=4)
    after = rig.status()
    equal((after["owner_epoch"], after["digest"]), (before["owner_epoch"], before["digest"]), "owner epoch and digest")
    check(first.runs(), first.said())
    equal(first.end(signal.SIGTERM), 0, "exit status of the first")
    rig.whole()


@scenario("24b", "four writers start at once", "four processes started in the same moment, eight times", "one takes the store, the others exit 4 (I9)")
def at_once(rig):
    rig.generate(3000)
    for _ in range(8):
        crowd = [following(rig) for _ in range(4)]
        await_true("three are refused", lambda: sum(not one.runs() for one in crowd) >= 3)
        winners = [one for one in crowd if one.runs()]
        equal(len(winners), 1, "writers that go on")
        equal([one.wait() for one in crowd if one not in winners], [4, 4, 4], "exit status of the others")
        rig.await_taken(3000, winners[0])
        equal(winners[0].end(signal.SIGTERM), 0, "exit status")
    rig.whole()


@scenario("24c", "a second writer while the first is stopped", "SIGSTOP of the first, a second started, SIGCONT", "the second is refused: the lock is held while the process lives (I9)")
def second_beside_stopped(rig):
    rig.generate(1000)
    first = following(rig)
    rig.await_taken(1000, first)
    first.kill(signal.SIGSTOP)
    rig.take(status=4)
    first.kill(signal.SIGCONT)
    equal(first.end(signal.SIGTERM), 0, "exit status of the first")
    rig.whole()


@scenario("25", "a zombie comes back", "SIGSTOP of the first; a second gets past the lock by another path to the same files and takes the rest; SIGCONT",
          "the first is fenced by the owner epoch: exit 4, not one byte written by it (I9 I2 I3)")
def zombie(rig):
    rig.generate(3000)
    lines = rig.sent.read_bytes().splitlines(keepends=True)
    rig.sent.write_bytes(b"".join(lines[:1000]))
    first = following(rig)
    rig.await_taken(1000, first)
    other = rig.directory / "other"
    other.mkdir()
    (other / "generations").symlink_to(rig.store / "generations")
    (other / "features.db").symlink_to("generations/g1.db")
    for _ in range(5):
        first.kill(signal.SIGSTOP)
        rig.sent.write_bytes(b"".join(lines[:2000]))
        if rig.take("--set", f"store.path={other}", status=None).returncode == 0:
            break
        first.kill(signal.SIGCONT)  # it was stopped in the midst of a transaction, and SQLite's lock kept the second out
        time.sleep(0.3)
    equal(rig.total(), 2000, "records taken by both")
    check(rig.status()["owner_epoch"] > 1, "the second took the store over")
    with rig.sent.open("ab") as more:
        more.write(b"".join(lines[2000:]))
    files = [rig.database, rig.database.with_name("g1.db-wal")]
    before = [path.read_bytes() for path in files]
    first.kill(signal.SIGCONT)
    equal(first.wait(), 4, f"exit status of the first ({first.said()[-300:]})")
    check("took this store over" in first.said(), first.said()[-300:])
    equal([path.read_bytes() for path in files] == before, True, "files are unchanged")
    rig.take("--set", f"store.path={other}")
    rig.whole()


@scenario("21a", "somebody else holds the write lock", "a second connection holds BEGIN IMMEDIATE for 3 s; store.busy_timeout is 200 ms",
          "ingest waits, says so, goes on by itself; lookups are answered meanwhile (I8)")
def locked(rig):
    rig.generate(2000)
    lines = rig.sent.read_bytes().splitlines(keepends=True)
    rig.sent.write_bytes(b"".join(lines[:500]))
    rig.configure(store={"busy_timeout": "200ms"})
    service = following(rig)
    rig.await_taken(500, service)
    serve = rig.serve()
    holder = sqlite3.connect(rig.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with rig.sent.open("ab") as more:
        more.write(b"".join(lines[500:]))
    await_true("it waits", lambda: "waiting" in service.said())
    end = time.monotonic() + 3
    while time.monotonic() < end:
        equal(rig.ask(serve.address, f"/v1/views/card/{rig.a_card()}")[0], 200, "status of a lookup")
    check(service.runs(), service.said()[-300:])
    equal(rig.total(), 500, "records taken while it is locked")
    holder.execute("ROLLBACK")
    holder.close()
    rig.await_taken(2000, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    rig.whole()


@scenario("21b", "stopped while somebody else holds the write lock", "BEGIN IMMEDIATE held for good, SIGTERM", "ends within the bound; the next start goes on")
def locked_and_stopped(rig):
    rig.generate(1000)
    rig.take()
    rig.generate(3000)
    rig.configure(store={"busy_timeout": "200ms"})
    lines = rig.sent.read_bytes().splitlines(keepends=True)
    rig.sent.write_bytes(b"".join(lines[:1000]))
    service = following(rig)
    await_true("it has begun", lambda: "taking" in service.said())
    time.sleep(0.3)
    holder = sqlite3.connect(rig.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with rig.sent.open("ab") as more:
        more.write(b"".join(lines[1000:]))
    await_true("it waits", lambda: "waiting" in service.said())
    check(service.end(signal.SIGTERM) >= 0, "it died of a signal")
    holder.close()
    rig.prefix()
    rig.take()
    rig.whole()


@scenario("20a", "memory runs out", "prlimit --as from 24 MiB to 54 MiB in 16 steps, the store going on from one to the next",
          "no crash: a fault and an exit status, never half a batch; with memory it goes on (I6 I13)")
def out_of_memory(rig):
    rig.generate(500)
    rig.take()
    rig.generate(3000)
    failed = 0
    for mib in range(24, 56, 2):
        done = rig.take(status=None, before=("prlimit", f"--as={mib << 20}"))
        loader = done.returncode == 127  # the program's libraries did not find room
        check(done.returncode in (0, 1, 2) or loader, f"exit status {done.returncode} with {mib} MiB: {done.stderr[-300:]}")
        failed += done.returncode != 0
        if rig.database.exists():
            rig.prefix()
    check(failed >= 6, f"only {failed} failed")
    rig.take()
    rig.whole()


class ShiftedClock:
    """A wall clock for one process, to be moved meanwhile."""

    def __init__(self, rig):
        library = os.path.join(os.path.dirname(rig.program), "tests/faults/libshifted_clock.so")
        if not os.path.exists(library):
            raise CannotRun(f"{library} is not built")
        self.file = rig.directory / "shift"
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": library, "SHIFTED_CLOCK": str(self.file)}

    def jump(self, shift_s):
        with self.file.open("r+b") as file:
            file.write(shift_s.to_bytes(8, "little", signed=True))


def shifted(rig, jumps_s, least_as_of=""):
    clock = ShiftedClock(rig)
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 500)
    service = rig.start("ingest", environment=clock.environment)
    rig.await_taken(500, service)
    for jump_s in jumps_s:
        clock.jump(jump_s)
        rig.produce(broker.address, 500)
        rig.send(broker.address, rig.directory / "part.ndjson")  # copies: the window asks no clock
        with rig.sent.open("a") as more:
            more.write((rig.directory / "part.ndjson").read_text())
        rig.await_taken(rig.sent_count(), service)
    await_true("its clock has jumped, as its next end tells", lambda: rig.status()["partitions"][0]["as_of"] > least_as_of)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    equal(rig.total("dead"), 0, "dead letters")
    rig.whole()


@scenario("60a", "the wall clock jumps ahead", "the service's clock jumps by 1 h, then by 30 days", "no key let go early, nothing dead, no timer stuck (I2 I8)")
def ahead(rig):
    shifted(rig, (3600, 30 * 86400), time.strftime("%Y-%m-%d", time.gmtime(time.time() + 28 * 86400)))


@scenario("60b", "the wall clock jumps back", "the service's clock jumps back by 1 h, then by 30 days, then to and fro", "nothing dead, no timer stuck, same state (I2 I8)")
def back(rig):
    shifted(rig, (-3600, -30 * 86400, 3600, -1))


@scenario("23a", "copies are made during heavy ingest", "VACUUM INTO by a second process, again and again while 30,000 records are taken",
          "each copy is sound and the log's state at one offset (I6 I11); ingest loses nothing")
def copies(rig):
    rig.generate(30000)
    service = rig.start(*rig.file_command())
    await_true("it has begun", lambda: rig.total() > 0)
    made, store, database = 0, rig.store, rig.database
    while service.runs() or made < 2:
        copy = rig.directory / f"copy{made}"
        (copy / "generations").mkdir(parents=True)
        rig.sql(f"VACUUM INTO '{copy}/generations/g1.db'")
        (copy / "features.db").symlink_to("generations/g1.db")
        rig.store, rig.database = copy, copy / "generations/g1.db"
        rig.configure(store={"path": str(copy)})
        db = sqlite3.connect(rig.database)
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
        rig.sound()
        rig.prefix()
        shutil.rmtree(copy)
        rig.store, rig.database = store, database
        rig.configure(store={"path": str(store)})
        made += 1
    equal(service.wait(), 0, "exit status")
    rig.whole()
