"""The process is killed, wherever it is."""

import os
import random
import signal
import time

from rig import TOPIC, await_true, check, equal, scenario, strace

KILLED = -signal.SIGKILL
BY_STRACE = {KILLED, 128 + signal.SIGKILL}
WHOLE = "no record lost or counted twice, same digest as undisturbed (I1 I2 I3 I7)"


def kill_at(rig, failpoint, hits):
    """Kills it there, each time further on; between the kills it stands at a whole batch."""
    rig.generate()
    before = 0
    for hit in hits:
        rig.take(status=KILLED, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": f"{failpoint}:{hit}"})
        offset = rig.prefix()
        check(offset >= before, f"the offset went back from {before} to {offset}")
        before = offset
    rig.take()
    rig.whole()


@scenario("1", "SIGKILL between poll and transaction", "failpoint store_begun (the transaction has begun, nothing is written), at its 2nd, 3rd and 5th pass", WHOLE)
def begun(rig):
    kill_at(rig, "store_begun", (2, 3, 5))


@scenario("2", "SIGKILL with a batch written and not committed", "failpoint store_before_commit, at its 2nd, 3rd and 4th pass", WHOLE)
def before_commit(rig):
    kill_at(rig, "store_before_commit", (2, 3, 4))


@scenario("3a", "SIGKILL after COMMIT, before anybody is told", "failpoint store_committed, at its 1st, 2nd and 5th pass", WHOLE)
def committed(rig):
    kill_at(rig, "store_committed", (1, 2, 5))


@scenario("3b", "SIGKILL after COMMIT, before the Kafka commit", "failpoint store_committed, 32 partitions of a broker",
          "records that Kafka believes untaken change nothing (I2)")
def committed_from_kafka(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 3000)
    for hit in (1, 2, 4):
        rig.holdfast("ingest", "--until-end", status=KILLED, program=rig.failpoints,
                     environment={"HOLDFAST_FAILPOINT": f"store_committed:{hit}"})
        rig.accounts()
    rig.holdfast("ingest", "--until-end")
    rig.whole()


def kill_at_call(rig, call, counts, path=None):
    """SIGKILL instead of the n-th such system call, the store going on from there."""
    rig.generate()
    died = 0
    for count in counts:
        done = rig.take(status=None, before=strace(f"{call}:signal=KILL:when={count}", path=path))
        check(done.returncode in BY_STRACE | {0}, f"exit status {done.returncode}: {done.stderr[-300:]}")
        died += done.returncode != 0
        if rig.database.exists():
            rig.prefix()
    check(died >= len(counts) // 2, f"only {died} of {len(counts)} were killed")
    rig.take()
    rig.whole()


@scenario("4a", "SIGKILL in the middle of COMMIT's writes", "strace kills at pwrite64 number 7, 20, 33, …",
          "the batch is there whole or not at all; " + WHOLE)
def in_write(rig):
    kill_at_call(rig, "pwrite64", range(7, 130, 13))


@scenario("4b", "SIGKILL in COMMIT's fdatasync", "strace kills at fdatasync number 2 to 8, each time on what the last left",
          "the batch is there whole or not at all; " + WHOLE)
def in_sync(rig):
    kill_at_call(rig, "fdatasync", range(2, 9))


@scenario("5", "SIGKILL during a checkpoint", "strace kills at the n-th pwrite64 to the database file itself", WHOLE)
def in_checkpoint(rig):
    rig.generate(200)
    rig.take()
    kill_at_call(rig, "pwrite64", (1, 2, 5, 9, 14, 20), path=rig.database)


@scenario("6a", "SIGKILL during recovery of the WAL, again and again",
          "a WAL is left by a kill; then starts killed at their n-th system call on the store's files", WHOLE)
def in_recovery(rig):
    rig.generate()
    rig.take(status=KILLED, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": "store_before_commit:6"})
    died = 0
    for call in ("pread64", "pwrite64", "ftruncate", "fdatasync"):
        for count in (1, 2, 4, 7):
            died += rig.take(status=None, before=strace(f"{call}:signal=KILL:when={count}")).returncode != 0
            rig.prefix()
    check(died >= 10, f"only {died} were killed")
    rig.take()
    rig.whole()


@scenario("6b", "killed 60 times at random moments", "SIGKILL 1 to 60 ms after each start, on the store that the last left", WHOLE)
def at_random(rig):
    rig.generate(20000)
    chance = random.Random(6)
    died = before = 0
    for _ in range(60):
        service = rig.start(*rig.file_command())
        time.sleep(chance.uniform(0.001, 0.06))
        died += service.runs()
        service.end()
        if rig.database.exists() and rig.store.joinpath("features.db").is_symlink():
            status = rig.status()
            offset = status["partitions"][0]["next_offset"] if status and status["partitions"] else 0
            check(offset >= before, f"the offset went back from {before} to {offset}")
            before = offset
    check(died >= 20, f"only {died} of 60 were killed")
    rig.take()
    rig.whole()


@scenario("6c", "SIGKILL while a new store is made", "strace kills at each of the first system calls that write, rename or link",
          "a store is whole or not there, and the next start goes on")
def while_made(rig):
    rig.generate(500)
    died = 0
    for call in ("mkdir", "pwrite64", "rename", "symlink", "fsync", "fdatasync"):
        for count in (1, 2, 3, 9):
            done = rig.take(status=None, before=strace(f"{call}:signal=KILL:when={count}"))
            died += done.returncode != 0
    check(died >= 6, f"only {died} were killed")
    rig.take()
    rig.whole()


@scenario("61a", "SIGTERM while catching up", "SIGTERM after the first batches of 20, with 30,000 records to take",
          "ends within the bound with 0, whole batches, and the next start goes on (I3 I6 I7)")
def told_to_stop(rig):
    rig.generate(30000)
    rig.configure(ingest={"batch_records": 20})
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    await_true("it has begun", lambda: rig.total() > 0)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    check(rig.prefix() < rig.sent.stat().st_size, "it was stopped before the end")
    rig.take()
    rig.whole()


@scenario("61b", "SIGTERM twice at once", "two SIGTERM, 1 ms apart, while catching up", "ends within the bound; the next start goes on")
def told_twice(rig):
    rig.generate(30000)
    rig.configure(ingest={"batch_records": 20})
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    await_true("it has begun", lambda: rig.total() > 0)
    service.kill(signal.SIGTERM)
    time.sleep(0.001)
    status = service.end(signal.SIGTERM)
    check(status in (0, -signal.SIGTERM, 128 + signal.SIGTERM), f"exit status {status}")
    rig.prefix()
    rig.take()
    rig.whole()


@scenario("61c", "SIGTERM while no broker answers", "nobody listens at bootstrap.servers; SIGTERM", "ends within the bound with 0")
def told_without_broker(rig):
    rig.client("127.0.0.1:1")
    service = rig.start("ingest")
    await_true("it has begun", lambda: "taking 1 topics" in service.said())
    time.sleep(0.5)
    equal(service.end(signal.SIGTERM), 0, "exit status")


@scenario("61d", "SIGTERM while the broker hangs", "SIGSTOP of the broker while records flow, then SIGTERM",
          "ends within the bound with 0; the next start goes on")
def told_with_hanging_broker(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 2000)
    service = rig.start("ingest")
    rig.await_taken(2000, service)
    broker.kill(signal.SIGSTOP)
    time.sleep(0.5)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    broker.kill(signal.SIGCONT)
    rig.produce(broker.address, 500)
    rig.holdfast("ingest", "--until-end")
    rig.whole()


@scenario("61e", "SIGTERM while the disk is slow", "strace makes each fdatasync 400 ms longer; SIGTERM",
          "what was polled is durable, ends within the bound with 0")
def told_with_slow_disk(rig):
    rig.generate(20000)
    rig.configure(ingest={"batch_records": 500})
    path = rig.directory / "pid"
    service = rig.start("-c", 'echo $$ > pid; exec "$@"', "sh", rig.program, "ingest", "--file", rig.sent, "--topic", TOPIC,
                        program="sh", before=strace("fdatasync:delay_exit=400000"))
    await_true("it has begun", lambda: path.exists() and rig.total() > 0)
    os.kill(int(path.read_text()), signal.SIGTERM)
    equal(service.wait(), 0, "exit status")
    check(rig.prefix() < rig.sent.stat().st_size, "it was stopped before the end")
    rig.take()
    rig.whole()
