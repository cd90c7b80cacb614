"""going_back.py BUILD_DIRECTORY BROKER_DIRECTORY BOOTSTRAP: see going_back.sh."""

import json
import pathlib
import shutil
import socket
import struct
import sys
from datetime import datetime, timezone

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "faults"), str(HERE)]
from log_decisions import PARTITIONS, Broker  # noqa: E402
from rig import TOPIC, Rig, await_true, check, equal  # noqa: E402

GROUP = "going-back"
OFFSET_FETCH, VERSION = 9, 1  # version 1 is what brokers of every release know


def receive(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        check(part, "the broker hung up")
        data += part
    return data


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def committed(address):
    """What is committed of each partition, asked of the broker in its own protocol; -1: nothing."""
    request = struct.pack(">hhi", OFFSET_FETCH, VERSION, 7) + text("test") + text(GROUP)
    request += struct.pack(">i", 1) + text(TOPIC) + struct.pack(f">i{PARTITIONS}i", PARTITIONS, *range(PARTITIONS))
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", receive(connection, 4))
        reply = receive(connection, size)
    at = 4 + 4 + 2 + len(TOPIC) + 4  # correlation, topics, its name, partitions
    found = {}
    for _ in range(PARTITIONS):
        number, offset, length = struct.unpack_from(">iqh", reply, at)
        (error,) = struct.unpack_from(">h", reply, at + 14 + max(length, 0))
        equal(error, 0, f"error code of OffsetFetch for partition {number}")
        found[number] = offset
        at += 16 + max(length, 0)
    return found


def stored(rig):
    return {one["partition"]: one["next_offset"] for one in rig.status()["partitions"]}


def await_level(rig, address, count):
    """All that was sent is taken, and Kafka is told."""
    await_true(f"{count} records are taken", lambda: rig.total() == count)
    await_true("commits are where the store is", lambda: committed(address) == stored(rig))
    return stored(rig)


def started(rig):
    service = rig.start("ingest")
    await_true("the service listens", lambda: (rig.store / "control.sock").exists() or not service.runs())
    return service


def stopped(rig, service):
    service.end(15)
    equal(service.popen.returncode, 0, f"exit status ({service.said()[-300:]})")


def whole(rig):
    rig.database = (rig.store / "features.db").resolve()
    rig.whole()


def restore(rig, address):
    service = started(rig)
    rig.produce(address, 2000)
    early = await_level(rig, address, 2000)
    rig.holdfast("backup", "early")
    rig.produce(address, 2000)
    late = await_level(rig, address, 4000)
    rig.holdfast("restore", "early")
    equal(await_level(rig, address, 4000), late, "offsets after the restore caught up")
    rig.holdfast("pause", f"{TOPIC}:0", "--because", "a look")
    rig.holdfast("restore", "early")
    await_true("partition 1 caught up, partition 0 is paused", lambda: stored(rig) == {0: early[0], 1: late[1]})
    await_true("the commit of partition 0 went down", lambda: committed(address) == {0: early[0], 1: late[1]})
    rig.holdfast("resume", f"{TOPIC}:0")
    equal(await_level(rig, address, 4000), late, "offsets after the pause")
    rig.holdfast("pause", f"{TOPIC}:0", "--because", "a look")
    stopped(rig, service)
    rig.holdfast("restore", "early")
    equal(committed(address), late, "commits, while nobody tells Kafka")
    service = started(rig)
    await_true("partition 1 caught up, that of partition 0 went down at the start", lambda: committed(address) == {0: early[0], 1: late[1]})
    for number in range(PARTITIONS):
        check(f"store_went_back: {TOPIC}:{number}" in service.said(), f"not told of partition {number}: {service.said()[-600:]}")
    rig.holdfast("resume", f"{TOPIC}:0")
    await_level(rig, address, 4000)
    stopped(rig, service)
    whole(rig)
    print(f"restored twice beside the service, once without it: commits {late} down to {early[0]} in partition 0, paused, and up again, "
          "rows and digest are whole")


def rollback(rig, address):
    live = json.loads(rig.holdfast("status", "--json").stdout)["generation"]
    service = started(rig)
    rig.holdfast("restore", "early")
    await_level(rig, address, 4000)
    rig.produce(address, 1000)
    late = await_level(rig, address, 5000)
    told = json.loads(rig.holdfast("rollback", live, "--now", "--json").stdout)
    equal(told["generation"], live, "the generation that is live")
    low = stored(rig)
    equal(sum(late.values()) - sum(low.values()), 1000, "offsets that it went back")
    await_true("commits went down", lambda: committed(address) == low)
    stopped(rig, service)
    service = started(rig)
    rig.produce(address, 500)
    rig.holdfast("hold", "card", "default", "--because", "the owner comes round")
    equal((stored(rig), committed(address)), (low, low), "what is stored and committed after a restart, rolled back")
    rig.holdfast("release", "card")
    rig.holdfast("resume")
    high = await_level(rig, address, 5500)
    stopped(rig, service)
    whole(rig)
    print(f"rolled back: commits {late} down to {low}, over a restart, after resume up to {high}; rows and digest are whole")


MOMENTS = "moments.v1"
RECORDS, KEYS = 600, 20
BEGAN_S = 1795392000  # 2026-11-23T00:00:00Z; a record every ten seconds
SCHEMA = {"views": {"item": {"entity": {"id": "string"}, "features": {"n": {"type": "int64", "merge": "sum"}, "last": {"type": "int64"}}}},
          "sources": {MOMENTS: {}}}


def moment(stamp_s):
    return f"{datetime.fromtimestamp(stamp_s, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def stamp_of(number):
    """Every seventh is ahead of those behind it, so that the first that is later is not the last that is earlier."""
    return BEGAN_S + 10 * number + (35 if number % 7 == 0 else 0)


def line(number):
    key = f"k{number * 13 % KEYS}"
    return {"key": key, "timestamp": moment(stamp_of(number)),
            "value": {"id": f"e{number}", "view": "item", "entity": {"id": key}, "event_time": moment(BEGAN_S + 10 * number),
                      "features": {"n": number, "last": number}}}


class Moments:
    def __init__(self, rig, broker, address):
        self.rig, self.broker, self.address = rig, broker, address
        broker.run("topic", MOMENTS, PARTITIONS)
        schema = rig.directory / "moments.json"
        schema.write_text(json.dumps(SCHEMA))
        rig.configure(schema=schema, store={"path": str(rig.directory / "moments")}, kafka={"bootstrap.servers": address})

    def send(self, first, end):
        part = self.rig.directory / "part.ndjson"
        part.write_text("".join(json.dumps(line(number)) + "\n" for number in range(first, end)))
        self.rig.holdfast("produce", part, "--topic", MOMENTS)
        self.rig.holdfast("ingest", "--until-end")

    def logs(self):
        """The numbers of the records of each partition, in its order, read by Kafka's own consumer."""
        ends = {one["partition"]: one["next_offset"] for one in self.rig.status()["partitions"]}
        return [[int(json.loads(value)["id"][1:]) for value in self.broker.run("read", MOMENTS, number, ends[number])]
                for number in range(PARTITIONS)]

    def expect(self, logs, at_s):
        """Of each partition what comes before its first record that is later."""
        taken = []
        for log in logs:
            later = next((place for place, number in enumerate(log) if stamp_of(number) > at_s), len(log))
            taken += log[:later]
        rows = {}
        for number in sorted(taken):
            key = line(number)["key"]
            rows[key] = (rows.get(key, (0, 0))[0] + number, number)
        path, store = self.rig.directory / "until.ndjson", self.rig.directory / "until"
        path.write_text("".join(json.dumps(line(number)) + "\n" for number in sorted(taken)))
        where = ("--set", f"store.path={store}")
        self.rig.holdfast("ingest", "--file", path, "--topic", MOMENTS, "--until-end", *where)
        digest = json.loads(self.rig.holdfast("verify", "--json", *where).stdout)["digest"]
        shutil.rmtree(store)
        return len(taken), rows, digest

    def held(self):
        status = self.rig.status()
        database = self.rig.directory / "moments" / "features.db"
        rows = {key: (n, last) for key, n, last in self.rig.sql("SELECT id, n, last FROM item", database=database)}
        return status["total"]["taken"], rows, status["digest"]

    def go_to(self, logs, at_s, *backup):
        told = self.rig.holdfast("restore", *backup, "--at", moment(at_s)).stdout
        equal(self.held(), self.expect(logs, at_s), f"records, rows and digest at {moment(at_s)}")
        equal({one["reason"] for one in self.rig.status()["stops"]}, {"rolled_back"}, "why nothing more is taken")
        self.rig.holdfast("verify")
        return told


def moments(rig, broker, address):
    this = Moments(rig, broker, address)
    for number in range(3):
        this.send(200 * number, 200 * (number + 1))
        if number < 2:
            rig.holdfast("backup", f"b{number}")
    logs = this.logs()
    whole = this.held()
    equal(whole[0], RECORDS, "records taken")
    check("the beginning of the log" in this.go_to(logs, stamp_of(100)), "before the first backup")
    check("backup b0" in this.go_to(logs, stamp_of(251)), "a record's very time, behind the first backup")
    this.go_to(logs, stamp_of(251) - 1)
    check("backup b1" in this.go_to(logs, stamp_of(500) + 5), "between two records, behind the second backup")
    this.go_to(logs, stamp_of(500) + 5, "b0")
    check("backup b1" in this.go_to(logs, BEGAN_S + 86400), "beyond the end")
    equal(this.held(), whole, "what is held beyond the end")
    service = rig.start("ingest")
    await_true("the service listens", (rig.directory / "moments" / "control.sock").exists)
    this.go_to(logs, stamp_of(420))
    rig.holdfast("resume")
    await_true("all is taken again", lambda: rig.total() == RECORDS)
    equal(this.held(), whole, "what is held after resume")
    stopped(rig, service)
    broker.run("forget", MOMENTS, 1, 5)
    done = rig.run("restore", "--at", moment(stamp_of(100)))
    check(done.returncode == 4 and f"the log can't give it: {MOMENTS}:1: the log begins at offset 5 now" in done.stderr, done.stderr)
    equal(this.held(), whole, "what is held after what was refused")
    print("moments: before the first backup, at a record's time, just before it, between two, from an older backup, beyond the end, beside the service: as folded")


def main():
    build, directory, address = sys.argv[1:]
    broker = Broker(directory, address)
    broker.run("topic", TOPIC, PARTITIONS)
    with Rig(build) as rig:
        rig.client(address, **{"group.id": GROUP})
        restore(rig, address)
        rollback(rig, address)
    with Rig(build) as rig:
        moments(rig, broker, address)


if __name__ == "__main__":
    main()
