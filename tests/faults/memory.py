"""Memory and polling while the disk is slow: bounded by settings, whatever the broker delivers meanwhile."""

import json
import os
import signal
import time
import zlib

from network import Committed, Line
from rig import CannotRun, await_true, check, equal, scenario

MIB = 1 << 20
TOPICS = ("big.a", "big.b")
PARTITIONS = 32  # of each topic
TEXT_BYTES = 990_000  # with what stands around it still within the producer's message.max.bytes


class SlowDisk:
    """fsync and fdatasync of one process take longer, as told meanwhile."""

    def __init__(self, rig):
        library = os.path.join(os.path.dirname(rig.program), "tests/faults/libslow_disk.so")
        if not os.path.exists(library):
            raise CannotRun(f"{library} is not built")
        self.file = rig.directory / "slow"
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": library, "SLOW_DISK": str(self.file)}

    def take(self, seconds):
        with self.file.open("r+b") as file:
            file.write(int(seconds * 1e6).to_bytes(8, "little"))


def key_for(partition, number):
    """A key that librdkafka's default partitioner puts there."""
    while zlib.crc32(f"{number}".encode()) % PARTITIONS != partition:
        number += 1_000_003
    return f"{number}"


def large_schema(rig):
    """What is large is taken into the store: it passes through all that holds memory."""
    update = {"view": "large", "entity": {"k": "/k"}, "features": {"text": "/text"}}
    path = rig.directory / "large.json"
    path.write_text(json.dumps({
        "views": {"large": {"entity": {"k": "string"}, "features": {"text": {"type": "string", "max_length": MIB}}}},
        "sources": {topic: {"id": "/id", "event_time": "/t", "updates": [update]} for topic in TOPICS}}))
    return path


def send_large(rig, address, each):
    """`each` records of nearly 1 MB to every partition of both topics."""
    began = rig.began.strftime("%Y-%m-%dT%H:%M:%SZ")
    part, text, count = rig.directory / "large.ndjson", "x" * TEXT_BYTES, 0
    for topic in TOPICS:
        with part.open("w") as out:
            for partition in range(PARTITIONS):
                for _ in range(each):
                    count += 1
                    key = key_for(partition, count)
                    out.write(json.dumps({"key": key, "value": {"id": key, "k": f"{topic} {key}", "t": began, "text": text}}) + "\n")
        rig.holdfast("produce", part, "--topic", topic, "--set", f"kafka.bootstrap.servers={address}")
    part.unlink()
    return count


def fetch_bytes(kafka):
    """What librdkafka asks of a broker at most at once, where fetch.max.bytes is not set."""
    return max(min(50 * MIB, kafka * 1024), 1_000_000)


def bound(batch_bytes, value_bytes, cache_bytes, queued_kbytes, brokers=1):
    """Of resident memory, by the settings: as README says under Operating."""
    queues = 2 * (queued_kbytes * 1024 + 2 * brokers * fetch_bytes(queued_kbytes))
    return 96 * MIB + cache_bytes + 6 * batch_bytes + 60 * value_bytes + queues


@scenario("59b", "more arrives than memory holds, from 64 partitions, while the disk is slow",
          "256 MB in values of 1 MB over 64 partitions, each fsync 2 s longer; cache 8 MiB, batch_bytes 8 MiB, queues 4 MiB",
          "resident memory stays below what these settings allow (README, Operating); all is taken (I12 P11)")
def large_and_slow(rig):
    port_file = rig.directory / "bootstrap"
    broker = rig.start("broker", *(word for topic in TOPICS for word in ("--topic", topic)), "--port-file", port_file)
    await_true("the broker's port", port_file.exists)
    address = port_file.read_text().strip()
    rig.client(address, **{"queued.max.messages.kbytes": "4096"})
    rig.configure(schema=large_schema(rig), ingest={"batch_bytes": "8MiB"}, store={"cache_bytes": "8MiB", "wal_max_bytes": "32MiB"})
    count = send_large(rig, address, 4)
    disk = SlowDisk(rig)
    service = rig.start("ingest", environment=disk.environment)
    await_true("it has begun", lambda: rig.total() > 0 or not service.runs())
    disk.take(2)
    begun = rig.total()
    await_true("the slow disk took some batches", lambda: rig.total() >= begun + 30 or not service.runs(), 60)
    disk.take(0)
    rig.await_taken(count, service)
    most, limit = service.status_of("VmHWM"), bound(8 * MIB, MIB, 8 * MIB, 4096)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    check(most < limit, f"{most >> 20} MiB were resident, the settings allow {limit >> 20} MiB")
    check(broker.runs(), broker.said()[-300:])
    rig.sound()
    equal(rig.total("applied"), count, "updates applied")


@scenario("58b", "a disk that hangs for longer than a poll may wait",
          "each fsync hangs for 12 s, max.poll.interval.ms is 6 s; connections are cut meanwhile, twice, and records produced",
          "no max.poll, lookups go on; no commit ahead of the store; lag returns to zero by itself (I4 I8 I12)")
def hanging_disk(rig):
    disk = SlowDisk(rig)
    line = Line(rig, first=500, **{"max.poll.interval.ms": 6000, "session.timeout.ms": 6000})
    equal(line.service.end(signal.SIGTERM), 0, "exit status")
    (rig.directory / "listener").unlink()
    watch = line.proxy.on_request = Committed(rig)
    line.service = rig.start("run", "--port-file", rig.directory / "listener", environment=disk.environment)
    line.produce(500)
    rig.await_taken(1000, line.service)
    disk.take(3600)
    line.produce(3000)
    hung = time.monotonic()
    for cut_s in (3, 9):
        time.sleep(max(0, hung + cut_s - time.monotonic()))
        line.proxy.cut()
        line.answers()
    time.sleep(max(0, hung + 12 - time.monotonic()))
    taken = rig.total()
    check(taken < rig.sent_count(), "the disk did not hang")
    disk.take(0)
    rig.await_taken(rig.sent_count(), line.service)
    check("poll" not in line.service.said(), line.service.said()[-300:])
    line.produce(500)
    before = watch.count
    line.ends_whole()
    check(watch.count > before, "nothing is committed any more")
    equal(watch.ahead, [], "commits ahead of the store (partition, committed, stored)")
