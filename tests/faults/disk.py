"""A disk that is full, slow, or lies broken."""

import json
import os
import re
import shutil
import signal
import sqlite3
import time

from rig import NOBODY, TOPIC, CannotRun, await_true, check, equal, scenario, strace

PREFIX = "exits with a fault (I13); what is stored is a whole prefix of the log; the next start goes on to the same state (I3 I7)"


def fails(rig, injection, path=None, counts=(2, 3, 5), told="disk"):
    """A system call fails once, at several places: each time the process exits, and says why."""
    rig.generate()
    failed = 0
    for count in counts:
        done = rig.take(status=None, before=strace(f"{injection}:when={count}", path=path))
        check(done.returncode in (0, 1, 3), f"exit status {done.returncode}: {done.stderr[-300:]}")
        if done.returncode != 0:
            failed += 1
            check(told in done.stderr, f"it says {done.stderr[-300:]}")
        rig.prefix()
        equal(rig.total("dead"), 0, "dead letters")
    check(failed >= len(counts) // 2 + 1, f"only {failed} of {len(counts)} failed")
    rig.take()
    rig.whole()


@scenario("11", "fsync fails with EIO at COMMIT", "strace: fdatasync on the WAL returns EIO, at its 2nd, 3rd and 5th call", PREFIX)
def sync_of_wal(rig):
    rig.generate(200)
    rig.take()
    fails(rig, "fdatasync:error=EIO", path=f"{rig.database}-wal")


@scenario("12", "fsync fails with EIO at a checkpoint", "strace: fdatasync on the database file returns EIO, at its 1st call, twice",
          PREFIX)
def sync_of_database(rig):
    rig.generate(200)
    rig.take()
    with rig.snapshot():
        rig.generate(200)
        rig.take()
    fails(rig, "fdatasync:error=EIO", path=rig.database, counts=(1, 1))


@scenario("12b", "fsync fails with EIO at the last checkpoint of a clean stop", "strace: fdatasync on the database file returns EIO, once, when all is taken",
          "exit 1 and told; what was taken is there at the next start (I13 I3)")
def sync_at_the_stop(rig):
    rig.generate(200)
    rig.take()
    rig.generate(400)
    done = rig.take(status=1, before=strace("fdatasync:error=EIO:when=1", path=rig.database))
    check("was not left in order" in done.stderr, done.stderr[-300:])
    equal(rig.total(), 400, "records taken")
    rig.take()
    rig.whole()


@scenario("13", "fsync fails with EIO and the process dies at once", "strace: fdatasync returns EIO and SIGKILL comes with it",
          "whatever became of that commit, nothing counts twice (I2 I7)")
def sync_and_death(rig):
    rig.generate()
    died = 0
    for count in range(2, 8):
        done = rig.take(status=None, before=strace(f"fdatasync:error=EIO:signal=KILL:when={count}"))
        died += done.returncode not in (0, 1)
        if rig.database.exists():
            rig.prefix()
    check(died >= 4, f"only {died} died")
    rig.take()
    rig.whole()


@scenario("14a", "a page of the store can't be read", "strace: pread64 of ingest returns EIO, from its 1st, 5th and 12th call on", PREFIX)
def read_fails(rig):
    rig.generate(2000)
    rig.take()
    rig.generate(4000)
    for count in (1, 5, 12):
        done = rig.take(status=None, before=strace(f"pread64:error=EIO:when={count}+", path=rig.database))
        check(done.returncode in (1, 3, 4), f"exit status {done.returncode}: {done.stderr[-300:]}")
        rig.prefix()
    rig.take()
    rig.whole()


@scenario("14b", "a page is read short", "strace: pread64 of the database file returns 100 bytes, at several calls",
          "what is stored stays sound, and the next start goes on (I11 I7)")
def read_is_short(rig):
    rig.generate(2000)
    rig.take()
    rig.generate(4000)
    for count in (2, 5, 12):
        done = rig.take(status=None, before=strace(f"pread64:retval=100:when={count}", path=rig.database))
        check(done.returncode >= 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    rig.take()
    rig.whole()


@scenario("14c", "lookups can't read the disk", "strace: each pread64 of `serve` on the database file returns EIO",
          "a lookup is refused with 503, never answered wrong; a server on a good disk answers")
def lookup_cannot_read(rig):
    rig.generate(2000)
    rig.take()
    db = sqlite3.connect(rig.database)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that pages come from the file
    db.close()
    ill = rig.serve(before=strace("pread64:error=EIO:when=1+", path=rig.database))
    card = rig.a_card()
    for _ in range(20):
        status, answer = rig.ask(ill.address, f"/v1/views/card/{card}")
        equal(status, 503, f"status of {answer}")
    well = rig.serve()
    equal(rig.ask(well.address, f"/v1/views/card/{card}")[0], 200, "status from a good disk")


@scenario("15a", "no space for some writes, then space again", "strace: pwrite64 to the WAL returns ENOSPC for its 20th to 26th call",
          "ingest waits and says so, no dead letter, goes on by itself (I6 I8)")
def no_space_for_a_while(rig):
    rig.generate(200)
    rig.take()
    rig.generate()
    done = rig.take(before=strace("pwrite64:error=ENOSPC:when=20..26", path=f"{rig.database}-wal"))
    check("disk is full" in done.stderr, f"it says {done.stderr[-300:]}")
    equal(rig.total("dead"), 0, "dead letters")
    rig.whole()


@scenario("15b", "no space at the n-th write", "strace: pwrite64 returns ENOSPC once, at 16 different calls",
          "never half a batch, never a dead letter; goes on (I6 I8)")
def no_space_once(rig):
    rig.generate(2000)
    for count in range(2, 98, 6):
        shutil.rmtree(rig.store, ignore_errors=True)
        done = rig.take(status=None, before=strace(f"pwrite64:error=ENOSPC:when={count}"))
        check(done.returncode in (0, 1), f"exit status {done.returncode} at write {count}: {done.stderr[-300:]}")
        if done.returncode != 0:  # while the store was being made or opened
            rig.take()
        equal(rig.total(), 2000, f"records taken, no space at write {count}")
        equal(rig.total("dead"), 0, "dead letters")
    rig.whole()


class SmallDisk:
    """A tmpfs in a namespace of its own; what runs there is started through nsenter."""

    def __init__(self, rig, size):
        rig.store.mkdir()
        held = rig.directory / "mounted"
        self.holder = rig.start("-Urm", "sh", "-c", f"mount -t tmpfs -o size={size},mode=777 none '{rig.store}' && touch '{held}' && "
                                "exec sleep 600", program="unshare")
        await_true("a tmpfs", lambda: held.exists() or not self.holder.runs())
        if not self.holder.runs():
            raise CannotRun(f"no tmpfs in a user namespace here: {self.holder.said().strip()}")
        self.before = ("nsenter", "-t", self.holder.pid, "-U", "-m", "--preserve-credentials", f"--wd={rig.directory}")
        self.root = f"/proc/{self.holder.pid}/root{rig.store}"

    def free(self):
        of = os.statvfs(self.root)
        return of.f_bavail * of.f_frsize

    def fill(self):
        with open(f"{self.root}/filler", "wb", buffering=0) as filler:
            while True:
                try:
                    filler.write(bytes(4096))
                except OSError:
                    return

    def make_room(self):
        os.unlink(f"{self.root}/filler")


def in_small_disk(rig, disk, *arguments):
    return rig.run(*arguments, before=disk.before)


@scenario("15c", "a disk that is really full, then has room", "a 24 MiB tmpfs, filled by a file while ingest runs; later the file goes",
          "ingest waits, lookups go on, no dead letter; room again: goes on by itself to the undisturbed state (I8)")
def full_disk(rig):
    full_disk_of(rig, "24m")


def full_disk_of(rig, size):
    """Fills it, makes room; returns whether a ballast was there when it was full, and how large it was afterwards."""
    rig.generate(20000)
    lines = rig.sent.read_bytes().splitlines(keepends=True)
    rig.sent.write_bytes(b"".join(lines[:1000]))
    disk = SmallDisk(rig, size)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, before=disk.before)

    def taken():
        done = in_small_disk(rig, disk, "status", "--json")
        return json.loads(done.stdout)["total"]["taken"] if done.returncode == 0 else 0

    await_true("1,000 are taken", lambda: taken() == 1000)
    serve = rig.serve(before=disk.before)
    card = rig.a_card()
    disk.fill()
    with rig.sent.open("ab") as file:
        file.write(b"".join(lines[1000:]))
    # "was full", where a checkpoint met it first and gave the ballast up.
    await_true("it says that the disk is full", lambda: re.search("disk is full|disk of .* was full", service.said()))
    check(service.runs(), service.said()[-300:])
    for _ in range(50):
        equal(rig.ask(serve.address, f"/v1/views/card/{card}")[0], 200, "status of a lookup on a full disk")
    check(taken() < 20000, "some wait")
    ballast = f"{disk.root}/ballast"
    had = os.path.exists(ballast)
    disk.make_room()
    await_true("all is taken", lambda: taken() == 20000)
    service.kill(signal.SIGTERM)
    serve.kill(signal.SIGTERM)
    equal(service.wait(), 0, f"exit status ({service.said()[-300:]})")
    serve.wait()
    found = {"full": had, "after": os.path.getsize(ballast) if os.path.exists(ballast) else 0}
    shutil.copytree(disk.root, rig.directory / "copy", symlinks=True)
    shutil.rmtree(rig.store, ignore_errors=True)
    rig.configure(store={"path": str(rig.directory / "copy")})
    rig.store, rig.database = rig.directory / "copy", rig.directory / "copy/generations/g1.db"
    rig.whole()
    return found


@scenario("16b", "a full disk with a ballast", "a 32 MiB tmpfs with a ballast of 4 MiB, filled by a file while ingest runs; later the file goes",
          "the ballast is given up; lookups go on, no dead letter; room again: all is taken, and the ballast is back (I8)")
def full_disk_with_ballast(rig):
    rig.configure(store={"ballast_bytes": "4MiB", "wal_max_bytes": "2MiB"})
    ballast = full_disk_of(rig, "32m")
    check(not ballast["full"], "the ballast stayed while the disk was full")
    check(ballast["after"] == 4 << 20, f"the ballast is {ballast['after']} bytes again")


@scenario("15d", "a disk full at 20,000 events a second", "a 160 MiB tmpfs kept full for 3 s by a file while a producer goes on, then room",
          "lookups true and none fails, lag grows, no dead letter, no Kafka commit ahead of the store at any moment, the ballast given up "
          "and made again, lag zero by itself, the undisturbed state (I4 I8)")
def full_disk_at_speed(rig):
    import full_disk as at_speed  # it stands on this module
    rig.configure(store={"ballast_bytes": "16MiB", "wal_max_bytes": "16MiB"}, ingest={"batch_records": 20000})
    at_speed.full(rig, rig.broker().address, "160m", (1, 3, 4))


@scenario("16a", "no space while checkpointing", "strace: each pwrite64 to the database file returns ENOSPC for a while",
          "commits go on into the WAL; the checkpoint is made up for; same state (I8)")
def no_space_for_checkpoint(rig):
    rig.generate(200)
    rig.take()
    rig.generate(3000)
    rig.take(before=strace("pwrite64:error=ENOSPC:when=1..40", path=rig.database))
    equal(rig.total(), 3000, "records taken")
    equal(taken_without_wal(rig), 200, "records taken as the database file alone says, which nothing was copied to")
    rig.take()
    equal(taken_without_wal(rig), 3000, "records taken as the database file alone says, once there is space")
    rig.whole()


def taken_without_wal(rig):
    copy = rig.directory / "alone.db"
    shutil.copyfile(rig.database, copy)
    ((taken,),) = rig.sql("SELECT sum(taken) FROM _partition", database=copy)
    for one in rig.directory.glob("alone.db*"):
        one.unlink()
    return taken


@scenario("17", "the process may write no larger file", "prlimit --fsize=300 KiB: EFBIG, and SIGXFSZ, which kills by default",
          "not killed by a signal, no dead letter; without the limit it goes on (I13 I8)")
def file_size_limit(rig):
    rig.generate()
    service = rig.start(*rig.file_command(), before=("prlimit", "--fsize=300000"))
    await_true("it meets the limit", lambda: not service.runs() or "waiting" in service.said())
    status = service.end(signal.SIGTERM)
    check(status >= 0, f"it died of signal {-status}: {service.said()[-300:]}")
    rig.prefix()
    equal(rig.total("dead"), 0, "dead letters")
    rig.take()
    rig.whole()


def as_nobody():
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise CannotRun("this is root, and there is no setpriv to be somebody else")
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@scenario("18a", "the store's directory can't be written", "mode 0555, as a user who owns nothing of it",
          "a start is refused with a message naming the directory; nothing is changed")
def directory_not_writable(rig):
    rig.generate(500)
    rig.take()
    rig.directory.chmod(0o755)
    for path in (rig.store, rig.store / "generations"):
        path.chmod(0o555)
    before = rig.database.read_bytes()
    done = rig.take(status=None, before=as_nobody())
    check(done.returncode in (1, 4), f"exit status {done.returncode}")
    check(str(rig.store) in done.stderr, f"it says {done.stderr[-300:]}")
    equal(rig.database.read_bytes() == before, True, "the file is unchanged")
    for path in (rig.store, rig.store / "generations"):
        path.chmod(0o755)
    rig.take()
    rig.whole()


@scenario("18b", "-shm can't be made", "a directory stands where the file -shm belongs", "a start fails with a clean message; once it is gone, goes on")
def no_shm(rig):
    rig.generate(500)
    rig.take()
    shm = rig.database.with_name("g1.db-shm")
    shm.unlink(missing_ok=True)
    shm.mkdir()
    done = rig.take(status=None)
    check(done.returncode in (1, 3, 4) and "holdfast: " in done.stderr, f"{done.returncode}: {done.stderr[-300:]}")
    shm.rmdir()
    rig.take()
    rig.whole()


@scenario("58a", "a disk whose fsync takes 0.3 s", "strace makes each fdatasync 300 ms longer, records flow meanwhile",
          "polling goes on, memory stays bounded, nothing lost (I8 I12)")
def slow_disk(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.holdfast("ingest", "--until-end")  # the 32 partitions are known to the store, each by commits of its own
    service = rig.start("ingest", before=strace("fdatasync:delay_exit=300000"))
    await_true("it has begun", lambda: "taking 1 topics" in service.said())
    for _ in range(5):
        rig.produce(broker.address, 1000)
        time.sleep(0.3)
    rig.await_taken(5000, service)
    check("max.poll" not in service.said(), service.said()[-300:])
    rig.whole()
