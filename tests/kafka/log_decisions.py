"""log_decisions.py BUILD_DIRECTORY BROKER_DIRECTORY BOOTSTRAP: see log_decisions.sh."""

import collections
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "faults"))
from rig import TOPIC, Rig, await_true, check, equal  # noqa: E402

PARTITIONS = 2
LOST = 100  # records that were not taken before they were deleted


class Broker:
    def __init__(self, directory, address):
        self.directory, self.address = directory, address

    def run(self, command, *arguments):
        done = subprocess.run([HERE / "broker.sh", command, self.directory, *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        equal(done.returncode, 0, f"exit status of broker.sh {command} ({done.stderr[-300:]})")
        return done.stdout.splitlines()


def partition_of(rig, number):
    """Its newest incarnation."""
    return [one for one in rig.status()["partitions"] if one["partition"] == number][-1]


def without(path, log, lost):
    """Drops the records log[lost] from a file, whose records are in the order of their log: copies of one are told apart by it."""
    lost = set(lost)
    places = collections.defaultdict(list)
    for offset, value in enumerate(log):
        places[value].append(offset)
    kept = []
    for line in path.read_text().splitlines():
        record = json.loads(line)
        value = json.dumps(record["value"], sort_keys=True)
        if places[value] and places[value].pop(0) in lost:
            continue
        kept.append(line + "\n")
    path.write_text("".join(kept))


def decided(rig, count):
    """The newest decisions: what, about which partition, before, after."""
    return rig.sql("SELECT what, target, before, after, because FROM _decision ORDER BY id DESC LIMIT ?", count)[::-1]


def gap(rig, broker):
    """Records are deleted before they are taken."""
    rig.produce(broker.address, 600)
    rig.holdfast("ingest", "--until-end")
    taken = partition_of(rig, 0)["next_offset"]
    rig.produce(broker.address, 600)
    begin = taken + LOST
    log = [json.dumps(json.loads(line), sort_keys=True) for line in broker.run("read", TOPIC, 0, begin)]
    equal(len(log), begin, "records read by Kafka's own consumer")
    broker.run("forget", TOPIC, 0, begin)
    done = rig.run("ingest", "--until-end")
    equal(done.returncode, 4, f"exit status ({done.stderr[-300:]})")
    check(f"records_lost: {TOPIC}:0 no longer holds offsets {taken} to {begin - 1}," in done.stderr, done.stderr[-300:])
    equal(partition_of(rig, 0)["next_offset"], taken, "where the stopped partition stands")
    other = partition_of(rig, 1)["next_offset"]
    rig.holdfast("resume", f"{TOPIC}:0", "--accept-gap", "--because", "it was trimmed")
    rig.holdfast("ingest", "--until-end")
    equal(partition_of(rig, 1)["next_offset"], other, "where the other one stands, which had not stopped")
    equal(partition_of(rig, 0)["lost"], LOST, "records counted as lost")
    without(rig.sent, log, range(taken, begin))
    rig.whole()
    equal(decided(rig, 9), [("accept gap", f"{TOPIC}:0", str(taken), str(begin), "it was trimmed")], "decisions")
    print(f"gap accepted: {LOST} records lost, {rig.total()} taken, rows and digest are those of what is left")


def new_log(rig, broker):
    """The topic is deleted and made anew, longer than it was, while the service runs."""
    service = rig.start("ingest")
    await_true("the service listens", (rig.store / "control.sock").exists)
    before = rig.status()
    broker.run("delete", TOPIC)
    broker.run("topic", TOPIC, PARTITIONS)
    rig.produce(broker.address, 4 * rig.sent_count())
    equal(service.wait(), 4, f"exit status once both partitions stopped ({service.said()[-300:]})")
    check(all(f"log_changed: {TOPIC}:{number} " in service.said() for number in range(PARTITIONS)), service.said()[-600:])
    after = rig.status()
    equal((after["digest"], after["total"]["taken"]), (before["digest"], before["total"]["taken"]), "digest and records taken")
    for number in range(PARTITIONS):
        rig.holdfast("resume", f"{TOPIC}:{number}", "--new-log", "--because", "it was made anew")
    rig.holdfast("ingest", "--until-end")
    rig.whole()
    of_new = [partition_of(rig, number) for number in range(PARTITIONS)]
    equal([(one["first_offset"], one["lost"]) for one in of_new], [(0, 0)] * PARTITIONS, "where the new logs begin, and what they lost")
    equal(decided(rig, PARTITIONS),
          [("new log", f"{TOPIC}:{number}", "0", "1", "it was made anew") for number in range(PARTITIONS)], "decisions, by incarnation")
    done = rig.run("restore", "--at", "2100-01-01T00:00:00Z")
    equal(done.returncode, 4, f"exit status of restore --at ({done.stderr[-300:]})")
    check("part of it came from an older log, which is gone" in done.stderr, done.stderr[-300:])
    print(f"new log taken: {rig.total()} records of both, rows and digest are those of both")


def main():
    build, directory, address = sys.argv[1:]
    broker = Broker(directory, address)
    broker.run("topic", TOPIC, PARTITIONS)
    with Rig(build) as rig:
        rig.client(address)
        gap(rig, broker)
        new_log(rig, broker)


if __name__ == "__main__":
    main()
