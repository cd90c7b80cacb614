"""The log itself is not what it was: trimmed, cut, made anew, of another cluster; or there is nothing in it."""

import json
import os
import signal
import time

from proxy import Proxy
from rig import await_true, check, equal, scenario

STOPS = "each partition stops with log_changed, nothing is taken from there, no reset to either end (I13)"


def with_values(lines, change):
    """The same keys, so the same partitions and offsets, with other content."""
    made = []
    for line in lines:
        record = json.loads(line)
        record["value"] = change(record["value"])
        made.append(json.dumps(record) + "\n")
    return made


def other(value):
    return value | {"id": value["id"] + "-other", "amount": 1.00} if value["type"] == "payment" else value | {"id": value["id"] + "-other"}


def stamped(rig, address, count=1500):
    """Records with timestamps of their own: sent again, they are the same records."""
    rig.generate(count)
    records = [json.loads(line) for line in rig.sent.read_text().splitlines()]
    began_ms = int(rig.began.timestamp() * 1000)
    rig.lines(*[record | {"timestamp": began_ms + 50 * i} for i, record in enumerate(records)])
    rig.send(address, rig.sent)


def changed_log(rig, make):
    """A store that took 1,500 records meets the log that `make` makes of their lines."""
    broker = rig.broker()
    rig.client(broker.address)
    stamped(rig, broker.address)
    rig.holdfast("ingest", "--until-end")
    rig.whole()
    before = rig.status()
    broker.end()
    again = rig.broker()
    path = rig.directory / "again.ndjson"
    path.write_text("".join(make(rig.sent.read_text().splitlines(keepends=True))))
    rig.send(again.address, path)
    rig.client(again.address)
    rig.again = again
    done = rig.run("ingest", "--until-end")
    return before, done


def stopped(rig, before, done, count=32):
    equal(done.returncode, 4, f"exit status ({done.stderr[-300:]})")
    equal(done.stderr.count("log_changed") >= count, True, f"partitions stopped with log_changed: {done.stderr.count('log_changed')} of {count}")
    after = rig.status()
    equal((after["digest"], after["total"]["taken"]), (before["digest"], before["total"]["taken"]), "digest and records taken")
    rig.whole()


@scenario("35a", "the log ends before our offset", "the broker comes back with the first 300 of 1,500 records", STOPS)
def cut_off(rig):
    stopped(rig, *changed_log(rig, lambda lines: lines[:300]))


@scenario("35b", "the log is empty", "the broker comes back with no record at all", STOPS)
def emptied(rig):
    stopped(rig, *changed_log(rig, lambda lines: []))


@scenario("36a", "the topic was deleted and made anew", "the broker comes back with as many records of other content, and 500 more", STOPS)
def made_anew(rig):
    stopped(rig, *changed_log(rig, lambda lines: with_values(lines + lines[:500], other)))


@scenario("36e", "the operator takes the new log", "36a, then resume T:P --new-log for each partition",
          "the new log is taken from its start, once, beside what stands (I1 I3)")
def new_log_taken(rig):
    before, done = changed_log(rig, lambda lines: with_values(lines, other))
    stopped(rig, before, done)
    for partition in range(32):
        rig.holdfast("resume", f"payments.v1:{partition}", "--new-log", "--because", "the test says so")
    rig.holdfast("ingest", "--until-end")
    rig.sound()
    again = rig.directory / "again.ndjson"
    records = rig.sent_count()
    taken = sum(one["taken"] for one in rig.status()["partitions"])
    equal(taken, records + again.read_bytes().count(b"\n"), "records taken of both logs")
    rig.holdfast("ingest", "--until-end")
    equal(sum(one["taken"] for one in rig.status()["partitions"]), taken, "records taken once more")


@scenario("37", "same offsets, other records at the end", "the broker comes back with the last fifth of the records replaced (an unclean election)",
          STOPS)
def other_suffix(rig):
    stopped(rig, *changed_log(rig, lambda lines: lines[:1200] + with_values(lines[1200:], other)))


@scenario("36c", "another cluster with the same records", "the broker is replaced by one that holds the same records, and 500 more",
          "goes on where it was (I1 I2)")
def same_records(rig):
    before, done = changed_log(rig, lambda lines: lines)
    equal(done.returncode, 0, f"exit status ({done.stderr[-300:]})")
    equal(rig.status()["digest"], before["digest"], "digest")
    rig.produce(rig.again.address, 500)
    rig.holdfast("ingest", "--until-end")
    rig.whole()


@scenario("36b", "the topic is made anew under a running service, longer than it was",
          "behind a proxy the broker is replaced by one with twice as many records, all others", STOPS + "; lookups go on")
def made_anew_while_running(rig):
    replaced(rig, lambda lines: with_values(lines * 2, other))


@scenario("36d", "the topic is made anew under a running service, and is still short",
          "behind a proxy the broker is replaced by one with a fifth of the records, all others", STOPS + "; lookups go on")
def made_short_while_running(rig):
    replaced(rig, lambda lines: with_values(lines[:300], other))


def replaced(rig, make):
    broker = rig.broker()
    proxy = Proxy(broker.address)
    rig.closers.append(proxy.close)
    rig.client(proxy.address)
    rig.produce(broker.address, 1500)
    service = rig.start("ingest")
    rig.await_taken(1500, service)
    before, address = rig.status(), rig.serve().address
    again = rig.broker()
    path = rig.directory / "again.ndjson"
    path.write_text("".join(make(rig.sent.read_text().splitlines())))
    rig.send(again.address, path)
    proxy.upstream = again.address
    proxy.cut()
    broker.end()
    await_true("partitions stop", lambda: "log_changed" in service.said())
    equal(rig.ask(address, f"/v1/views/card/{rig.a_card()}")[0], 200, "status of a lookup")
    await_true("all of them stop", lambda: service.said().count("log_changed") >= 32 or not service.runs())
    after = rig.status()
    equal((after["digest"], after["total"]["taken"]), (before["digest"], before["total"]["taken"]), "digest and records taken")
    rig.whole()


@scenario("34a", "the log was trimmed beyond our offset", "one partition gets more than the broker keeps while the service is down, another a few records",
          "that partition stops with records_lost and the gap, the other goes on (I13 I1)")
def trimmed(rig):
    gap_of(rig)


@scenario("34b", "the operator accepts the gap", "34a, then resume T:P --accept-gap",
          "goes on at the log's start; every offset is either taken, a gap or lost (I1)")
def gap_accepted(rig):
    stopped_at = gap_of(rig)
    of = f"payments.v1:{stopped_at}"
    rig.holdfast("resume", of, "--accept-gap", "--because", "the test says so")
    rig.holdfast("ingest", "--until-end")
    one = [one for one in rig.accounts()["partitions"] if one["partition"] == stopped_at][0]
    check(one["lost"] > 0, "records are counted as lost")
    equal(one["taken"] + one["lost"] + one["gaps"], one["next_offset"] - one["first_offset"], "offsets")
    equal(rig.total() + one["lost"], rig.sent_count() + 200, "records taken and lost, of those that were sent")
    rig.sound()


def gap_of(rig):
    """Makes it, and sees one partition stop and the others go on; which one it was."""
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 600)
    rig.holdfast("ingest", "--until-end")
    before = rig.status()
    card = json.loads(rig.sent.read_text().splitlines()[0])["key"]
    base = {"type": "payment", "at": before["partitions"][0]["record_time"], "card": card, "merchant": "m", "amount": 1.0, "country": "DE"}
    path = rig.directory / "many.ndjson"
    path.write_text("".join(json.dumps({"key": card, "value": base | {"id": f"many{i}", "pad": "x" * 60000}}) + "\n" for i in range(200)))
    rig.send(broker.address, path)
    done = rig.run("ingest", "--until-end")
    check("records_lost" in done.stderr, f"{done.returncode}: {done.stderr[-500:]}")
    after = rig.accounts()
    by = {one["partition"]: one for one in after["partitions"]}
    moved = [one["partition"] for one in before["partitions"] if by[one["partition"]]["next_offset"] != one["next_offset"]]
    equal(moved, [], "partitions that went on over the gap")
    rig.produce(broker.address, 600)
    rig.run("ingest", "--until-end")
    by = {one["partition"]: one for one in rig.accounts()["partitions"]}
    moved = [one["partition"] for one in before["partitions"] if by[one["partition"]]["next_offset"] != one["next_offset"]]
    check(len(moved) >= 20, f"only {len(moved)} partitions went on")
    check(rig.total("taken") < 1200, "the stopped one did not")
    rig.sound()
    return int(done.stderr.split("records_lost: payments.v1:")[1].split()[0].rstrip(":"))


@scenario("68a", "partitions that never get data", "32 empty partitions, 4 s", "no spinning: less than a quarter of a core; then records are taken from the first on (I8)")
def idle(rig):
    broker = rig.broker()
    rig.client(broker.address)
    service = rig.start("ingest")
    await_true("it has begun", lambda: rig.status() is not None and len(rig.status()["partitions"]) == 32)

    def busy_s():
        fields = open(f"/proc/{service.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    began, used = time.monotonic(), busy_s()
    time.sleep(4)
    share = (busy_s() - used) / (time.monotonic() - began)
    check(share < 0.25, f"{share:.0%} of a core while idle")
    rig.produce(broker.address, 500)
    rig.await_taken(500, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    rig.whole()


@scenario("68b", "the topic comes later than the service", "the broker has no topic when the service starts; it is made by the first producer",
          "waits; then takes every partition from its beginning (I1 I8)")
def topic_later(rig):
    port_file = rig.directory / "bootstrap"
    broker = rig.start("broker", "--port-file", port_file)
    await_true("the broker's port", port_file.exists)
    broker.address = port_file.read_text().strip()
    rig.client(broker.address)
    service = rig.start("ingest")
    time.sleep(2)
    check(service.runs(), service.said()[-300:])
    rig.produce(broker.address, 800)
    rig.await_taken(800, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    rig.whole()


@scenario("59a", "much more arrives than memory holds", "48 MiB in values of 64 KiB over 32 partitions, the disk slow; batch_bytes 2 MiB, queues 4 MiB",
          "resident memory stays below 192 MiB; all is taken (I12)")
def more_than_memory(rig):
    broker = rig.broker()
    rig.client(broker.address, **{"queued.max.messages.kbytes": "4096"})
    rig.configure(ingest={"batch_bytes": "2MiB"})
    rig.generate(750, entities=300)
    padded = with_values(rig.sent.read_text().splitlines(), lambda value: value | {"pad": "x" * 65000})
    rig.sent.write_text("".join(padded))
    rig.send(broker.address, rig.sent)
    service = rig.start("ingest")
    rig.await_taken(750, service)
    most = service.status_of("VmHWM")
    equal(service.end(signal.SIGTERM), 0, "exit status")
    check(most < 192 << 20, f"{most >> 20} MiB resident at most")
    rig.whole()
