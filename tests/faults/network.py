"""Between the service and its broker: cut, silent, slow, corrupted, full of errors."""

import signal
import subprocess
import time

from proxy import FETCH, OFFSET_COMMIT, RECORDS_BYTES_MIN, Proxy, fail_commits, fail_fetch, offsets_of_commit
from rig import await_true, check, equal, scenario, strace

BACK = "nothing lost or doubled, and lag returns to zero by itself (I1 I2 I8)"


class Line:
    """A broker, a proxy before it, and a service that takes what is produced."""

    def __init__(self, rig, first=500, **kafka):
        self.rig, self.broker = rig, rig.broker()
        self.proxy = Proxy(self.broker.address)
        rig.closers.append(self.proxy.close)
        rig.client(self.proxy.address, **kafka)
        if first:
            rig.produce(self.broker.address, first)
        self.service = self.begin()
        if first:
            rig.await_taken(first, self.service)

    def begin(self):
        return self.rig.start("run", "--port-file", self.rig.directory / "listener")

    def produce(self, count=1000):
        self.rig.produce(self.broker.address, count)

    def ends_whole(self):
        self.rig.await_taken(self.rig.sent_count(), self.service)
        equal(self.service.end(signal.SIGTERM), 0, f"exit status ({self.service.said()[-300:]})")
        self.rig.whole()

    def answers(self):
        """Lookups go on."""
        address = self.rig.listener(self.service, self.rig.directory / "listener")
        status, answer = self.rig.ask(address, f"/v1/views/card/{self.rig.a_card()}")
        equal(status, 200, f"status of {answer}")


@scenario("55a", "the broker is down, then up", "connections are cut and refused for 1.5 s, three times, records produced meanwhile",
          "lookups go on meanwhile; " + BACK)
def down_and_up(rig):
    line = Line(rig)
    for _ in range(3):
        line.proxy.refuse = True
        line.proxy.cut()
        line.produce(400)
        time.sleep(1.5)
        line.answers()
        line.proxy.refuse = False
        time.sleep(0.5)
    line.ends_whole()


@scenario("55b", "the broker hangs", "SIGSTOP of the broker for 4 s, SIGCONT", "lookups go on meanwhile; " + BACK)
def hangs(rig):
    line = Line(rig)
    line.broker.kill(signal.SIGSTOP)
    time.sleep(4)
    line.answers()
    check(line.service.runs(), line.service.said()[-300:])
    line.broker.kill(signal.SIGCONT)
    line.produce()
    line.ends_whole()


@scenario("55c", "a slow line", "each frame of each connection 300 ms late, both ways", BACK)
def slow_line(rig):
    line = Line(rig)
    line.proxy.delay_s = 0.3
    line.produce()
    line.ends_whole()


@scenario("55d", "fetches answered with errors", "NOT_LEADER, LEADER_NOT_AVAILABLE, UNKNOWN_SERVER_ERROR, KAFKA_STORAGE_ERROR in each partition of every second answer",
          BACK)
def fetch_errors(rig):
    line, count = Line(rig), [0]

    def spoil(api, version, frame):
        if api == FETCH and version <= 11 and count[0] < 40:
            count[0] += 1
            if count[0] % 2:
                fail_fetch(version, frame, (6, 5, -1, 56)[count[0] // 2 % 4])

    line.proxy.on_answer = spoil
    line.produce()
    await_true("forty answers", lambda: count[0] >= 40)
    line.ends_whole()


@scenario("55e", "connections end in the midst of records", "every connection is cut 20 times while 5,000 records flow", BACK)
def cut_often(rig):
    line = Line(rig)
    line.produce(4500)
    for _ in range(20):
        line.proxy.cut()
        time.sleep(0.1)
    line.ends_whole()


@scenario("56a", "a black hole", "bytes are accepted and never passed on for 6 s; socket.timeout.ms is 3 s", BACK + ", within the socket's timeout")
def black_hole(rig):
    line = Line(rig, **{"socket.timeout.ms": 3000})
    line.proxy.black_hole = True
    line.produce()
    time.sleep(6)
    line.answers()
    line.proxy.black_hole = False
    line.ends_whole()


@scenario("56b", "a black hole at the start", "the proxy accepts and says nothing when the service starts; 4 s later it does", BACK)
def black_hole_at_start(rig):
    rig.configure(ingest={"batch_records": 200})
    line = Line(rig, **{"socket.timeout.ms": 3000})
    line.service.end(signal.SIGTERM)
    line.proxy.black_hole = True
    line.produce()
    (rig.directory / "listener").unlink()
    line.service = line.begin()
    time.sleep(4)
    line.answers()
    line.proxy.black_hole = False
    line.ends_whole()


@scenario("57", "bytes are corrupted on the wire", "a bit of a record is flipped in 5 answers to fetches", "never applied: the checksum is seen, the batch is fetched again; " + BACK)
def corrupted(rig):
    line, flipped = Line(rig), [0]

    def flip(api, version, frame):
        if api == FETCH and len(frame) > RECORDS_BYTES_MIN and flipped[0] < 5:
            flipped[0] += 1
            frame[len(frame) * 2 // 3] ^= 0x04

    line.proxy.on_answer = flip
    for _ in range(5):
        line.produce(400)
        time.sleep(0.3)
    line.ends_whole()
    equal(flipped[0], 5, "answers flipped")


class Committed:
    """What is committed to Kafka, seen from the wire, and how far the store was then."""

    def __init__(self, rig):
        self.rig, self.ahead, self.count, self.change = rig, [], 0, None

    def __call__(self, api, version, frame):
        if api != OFFSET_COMMIT:
            return
        stored = dict(self.rig.sql("SELECT partition, next_offset FROM _partition"))
        for partition, offset, place in offsets_of_commit(version, frame):
            self.count += 1
            if offset > stored.get(partition, 0):
                self.ahead.append((partition, offset, stored.get(partition)))
            if self.change is not None:
                frame[place:place + 8] = self.change(offset).to_bytes(8, "big")


@scenario("30a", "Kafka is never told more than is durable", "each commit is read from the wire and compared with the store, its disk 100 ms slow",
          "no committed offset is beyond the stored one (I4)")
def commits_behind(rig):
    line = Line(rig)
    line.service.end(signal.SIGTERM)
    watch = line.proxy.on_request = Committed(rig)
    line.service = rig.start("ingest", before=strace("fdatasync:delay_exit=100000"))
    await_true("it has begun", lambda: "taking 1 topics" in line.service.said())
    for _ in range(4):
        line.produce(700)
    rig.await_taken(rig.sent_count(), line.service)
    await_true("commits are seen", lambda: watch.count > 20)
    equal(watch.ahead, [], "commits ahead of the store (partition, committed, stored)")


@scenario("30b", "Kafka refuses commits", "NOT_COORDINATOR, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, REQUEST_TIMED_OUT, UNKNOWN_MEMBER_ID in each answer to OffsetCommit",
          "ingest goes on, and a restart takes nothing twice (I2 I8)")
def commits_refused(rig):
    line, refused = Line(rig), [0]

    def refuse(api, version, frame):
        if api == OFFSET_COMMIT and version <= 7:
            fail_commits(version, frame, (16, 22, 27, 7, 25)[refused[0] % 5])
            refused[0] += 1

    line.proxy.on_answer = refuse
    while refused[0] < 5:
        before = refused[0]
        line.produce(400)
        await_true("one more commit is refused", lambda: refused[0] > before)
    line.ends_whole()
    (rig.directory / "listener").unlink()
    line.service = line.begin()
    line.produce(500)
    line.ends_whole()


@scenario("31", "an older commit overtakes a newer one", "the wire lowers each committed offset to 0; restart",
          "where to start is the store's word: nothing is taken twice (I2 I3)")
def lowered(rig):
    moved(rig, lambda offset: 0)


@scenario("33a", "Kafka's committed offset is beyond the log", "the wire raises each committed offset by 1,000,000; restart",
          "starts at its own offset, loses nothing (I1)")
def raised(rig):
    moved(rig, lambda offset: offset + 1000000)


def moved(rig, change):
    line = Line(rig)
    watch = line.proxy.on_request = Committed(rig)
    watch.change = change
    line.produce()
    rig.await_taken(rig.sent_count(), line.service)
    await_true("commits are seen", lambda: watch.count > 20)
    line.service.end(signal.SIGTERM)
    line.produce()
    (rig.directory / "listener").unlink()
    line.service = line.begin()
    line.ends_whole()
    equal(rig.total("redelivered"), 0, "records redelivered")


@scenario("33b", "the group is gone", "another kafka.group.id at the restart: no committed offset", "starts at its own offset, takes nothing twice (I1 I2)")
def group_gone(rig):
    line = Line(rig)
    line.service.end(signal.SIGTERM)
    line.produce()
    rig.client(line.proxy.address, **{"group.id": "another"})
    (rig.directory / "listener").unlink()
    line.service = line.begin()
    line.ends_whole()
    equal(rig.total("redelivered"), 0, "records redelivered")


@scenario("19", "no file descriptors left", "prlimit --nofile lowered to 3 under the running service, its connections cut; later raised", "waits, then reconnects; " + BACK)
def no_descriptors(rig):
    line = Line(rig)
    pid = line.service.pid
    limit = subprocess.run(["prlimit", "--pid", str(pid), "--nofile", "--output", "SOFT,HARD", "--noheadings"], capture_output=True,
                           text=True, check=True).stdout.split()
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile=3:{limit[1]}"], check=True)
    line.proxy.cut()
    line.produce()
    time.sleep(3)
    check(line.service.runs(), line.service.said()[-300:])
    check(rig.total() < rig.sent_count(), "it could not connect meanwhile")
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={limit[0]}:{limit[1]}"], check=True)
    line.ends_whole()
