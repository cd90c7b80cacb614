"""Two processes on one store: who lost it writes no row, no checkpoint and no Kafka commit.

The first is stopped at a place of its own by SIGSTOP; the second gets past the lock by another path to the same files, as it would
past a lock that is broken; then the first is continued. Each goes to the broker through a proxy of its own, which sees its commits.
"""

import os
import pathlib
import signal
import sqlite3

from proxy import OFFSET_COMMIT, Proxy, offsets_of_commit
from rig import await_true, check, equal, scenario

LOSES = "the first exits 4: not a row, not a checkpoint, not a Kafka commit of it, each looked at by itself (I9 I2 I3 I4)"
TRIES = 6


class Watched(Proxy):
    """Keeps the offsets that are committed through it."""

    def __init__(self, rig, upstream):
        super().__init__(upstream)
        rig.closers.append(self.close)
        self.commits, self.on_request = [], self.look

    def look(self, api, version, frame):
        if api == OFFSET_COMMIT:
            self.commits += [(partition, offset) for partition, offset, _ in offsets_of_commit(version, frame)]


def is_stopped(process):
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


class Rivals:
    def __init__(self, rig):
        self.rig, self.broker = rig, rig.broker()
        self.losers, self.winners = Watched(rig, self.broker.address), Watched(rig, self.broker.address)
        self.other = rig.directory / "other"
        self.other.mkdir()
        (self.other / "generations").symlink_to(rig.store / "generations")
        (self.other / "features.db").symlink_to("generations/g1.db")
        rig.client(self.losers.address)
        rig.holdfast("ingest", "--until-end")  # the 32 partitions are known to the store, each by commits of its own

    def stopped_at(self, failpoint, hit, count):
        """The first, stopped there for the hit-th time while it takes `count` more records. What librdkafka was given to commit before
        can't be taken back: whoever looks for commits stops it in its first batch."""
        self.rig.produce(self.broker.address, count)
        first = self.rig.start("ingest", program=self.rig.failpoints, environment={"HOLDFAST_FAILPOINT": f"{failpoint}:{hit}:stop"})
        await_true(f"it stops at {failpoint}", lambda: is_stopped(first) or not first.runs())
        check(first.runs(), first.said()[-300:])
        return first

    def second(self, busy_timeout="200ms"):
        """Below the limit there is no checkpoint, and a snapshot keeps its end from emptying the WAL: others may copy it."""
        return self.rig.start("ingest", "--until-end", "--set", f"store.path={self.other}", "--set", f"store.busy_timeout={busy_timeout}",
                              "--set", "store.wal_max_bytes=1GiB", "--set", f"kafka.bootstrap.servers={self.winners.address}")

    def is_kept_out(self, second):
        """By SQLite's own lock: another thread of the first was stopped in the midst of a transaction."""
        return second.wait() == 1 and "write lock" in second.said()

    def overtaken(self, failpoint, hit, count=2000):
        """A first that is stopped there, and a second that took all meanwhile."""
        for _ in range(TRIES):
            first = self.stopped_at(failpoint, hit, count)
            with self.rig.snapshot():
                second = self.second()
                kept_out = self.is_kept_out(second)
            if not kept_out:
                equal(second.wait(), 0, f"exit status of the second ({second.said()[-300:]})")
                equal(self.rig.total(), self.rig.sent_count(), "records taken by both")
                return first
            first.kill(signal.SIGCONT)
            first.end(signal.SIGTERM)
        raise AssertionError(f"a transaction was open each of {TRIES} times")

    def has_open(self, process):
        try:
            links = [os.readlink(path) for path in pathlib.Path(f"/proc/{process.pid}/fd").iterdir()]
        except FileNotFoundError:  # closed between the two looks
            return False
        return any(link.endswith("g1.db-wal") for link in links)

    def rows(self):
        db = sqlite3.connect(f"{self.rig.database.resolve().as_uri()}?mode=ro", uri=True)
        try:
            tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
            return {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}
        finally:
            db.close()

    def loses(self, first):
        """It is continued, and has more to take and to commit."""
        files = {"database": self.rig.database, "WAL": self.rig.database.with_name("g1.db-wal")}
        before = {name: path.read_bytes() for name, path in files.items()}
        rows, commits = self.rows(), list(self.losers.commits)
        check(len(before["WAL"]) > 0, "there is a WAL to be copied by a checkpoint")
        self.rig.produce(self.broker.address, 500)
        first.kill(signal.SIGCONT)
        status = first.wait()
        changed = [name for name, content in self.rows().items() if content != rows[name]]
        equal(changed, [], "tables that the first wrote rows to")
        equal(files["WAL"].read_bytes() == before["WAL"], True, "the WAL is as the second left it")
        equal(files["database"].read_bytes() == before["database"], True, "no checkpoint: the database file is as the second left it")
        equal(self.losers.commits[len(commits):], [], "Kafka commits of the first, partition and offset")
        equal(status, 4, f"exit status of the first ({first.said()[-300:]})")
        check("took this store over" in first.said(), first.said()[-300:])

    def ends_whole(self):
        equal(self.second().wait(), 0, "exit status of the second")
        offsets = {one["partition"]: one["next_offset"] for one in self.rig.status()["partitions"]}
        ahead = [one for one in self.losers.commits + self.winners.commits if one[1] > offsets[one[0]]]
        equal(ahead, [], "Kafka commits ahead of the store, ever")
        newest = dict(self.winners.commits)
        equal({one: newest.get(one) for one in offsets}, offsets, "what Kafka was told last")
        self.rig.whole()


def rivals(rig, failpoint, hit, count=2000):
    both = Rivals(rig)
    both.loses(both.overtaken(failpoint, hit, count))
    both.ends_whole()


@scenario("25b", "a zombie is stopped before a transaction", "SIGSTOP before its next BEGIN; a second takes the rest; SIGCONT", LOSES)
def before_transaction(rig):
    rivals(rig, "store_before_begin", 1)


@scenario("25c", "a zombie is stopped before a checkpoint", "SIGSTOP between a batch and the checkpoint after it; a second takes the rest; SIGCONT", LOSES)
def before_checkpoint(rig):
    rig.configure(store={"wal_max_bytes": "1MiB"})
    rivals(rig, "store_before_checkpoint", 2)  # the first is that of its opening


@scenario("25d", "a zombie is stopped before a Kafka commit", "SIGSTOP with durable offsets that Kafka was not told yet; a second takes the rest; SIGCONT", LOSES)
def before_kafka_commit(rig):
    rivals(rig, "kafka_before_commit", 1, 40)


@scenario("25e", "a zombie is stopped within a transaction", "SIGSTOP before its COMMIT; a second past the lock, twice: once it gives up, once it waits; SIGCONT",
          "SQLite's lock keeps the second out until the transaction, which counts, is over; then the first is fenced, exit 4 (I9 I2 I3 I4)")
def within_transaction(rig):
    both = Rivals(rig)
    first = both.stopped_at("store_before_commit", 3, 2000)
    before = both.rows()
    check(both.is_kept_out(both.second()), "the second gets in beside an open transaction")
    equal(both.rows() == before, True, "nothing is written by the second")
    second = both.second("30s")
    await_true("the second opens the store", lambda: both.has_open(second))
    first.kill(signal.SIGCONT)
    equal(first.wait(), 4, f"exit status of the first ({first.said()[-300:]})")
    check("took this store over" in first.said(), first.said()[-300:])
    equal(second.wait(), 0, f"exit status of the second ({second.said()[-300:]})")
    both.ends_whole()
