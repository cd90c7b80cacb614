"""Transactions of other producers, on a real broker: markers in the log, one left open, one aborted."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from rig import PROJECT, TOPIC, CannotRun, await_true, check, equal, scenario

SCRIPT = PROJECT / "tests/kafka/broker.sh"
JARS = pathlib.Path(os.environ.get("HOLDFAST_CACHE", pathlib.Path.home() / ".cache/holdfast"))
EVENTS = 20  # Kafka's tool sends them again and again, by chance


def payload_of(rig, name="payload"):
    """The values of what was generated, as Kafka's tool reads them."""
    path = rig.directory / name
    path.write_text("".join(json.dumps(json.loads(line)["value"]) + "\n" for line in rig.sent.read_text().splitlines()))
    return path


def in_transactions(rig, broker, payload, count, rate, length_ms, *more):
    """Kafka's own tool sends `count` of these events, in transactions so long."""
    jars = next(JARS.glob("kafka-*"))
    return rig.start("-Xmx256m", f"-Dlog4j2.configurationFile={broker.directory}/log4j2.properties", "-cp", f"{jars}/*",
                     "org.apache.kafka.tools.ProducerPerformance", "--topic", TOPIC, "--num-records", str(count), "--throughput",
                     str(rate), "--payload-file", payload, "--transactional-id", "a-test", "--transaction-duration-ms",
                     str(length_ms), "--producer-props", f"bootstrap.servers={broker.address}", *more, program="java")


class RealBroker:
    def __init__(self, rig):
        if shutil.which("java") is None:
            raise CannotRun("java is not on PATH: deploy/packages.sh test installs it")
        fetched = subprocess.run([SCRIPT, "fetch"], capture_output=True, text=True, check=False)
        if fetched.returncode != 0:
            raise CannotRun(fetched.stderr.strip()[-300:])
        self.rig, self.directory = rig, rig.directory / "kafka"
        self.directory.mkdir()
        rig.closers.append(lambda: self.script("kill"))
        self.script("start")
        self.script("topic", TOPIC, 1)
        self.address = (self.directory / "bootstrap").read_text().strip()
        rig.client(self.address)
        rig.generate(EVENTS, "--duplicates", 0, "--deletes", 0)
        self.payload = payload_of(rig)

    def script(self, verb, *arguments):
        done = subprocess.run([SCRIPT, verb, self.directory, *map(str, arguments)], capture_output=True, text=True, check=False)
        check(done.returncode == 0 or verb == "kill", done.stderr[-300:])

    def in_transactions(self, *more):
        return in_transactions(self.rig, self, self.payload, *more)

    def log_bytes(self):
        return sum(path.stat().st_size for path in (self.directory / "data").glob(f"{TOPIC}-0/*.log"))


@scenario("40a", "transaction markers in the log, one at its end", "a real broker; 400 records in transactions of 50 ms by Kafka's own tool",
          "markers are gaps, the offset is behind the last one, lag is zero; each event counts once (I3 I1 I2)")
def markers(rig):
    broker = RealBroker(rig)
    sender = broker.in_transactions(400, 400, 50)
    equal(sender.wait(), 0, f"exit status of Kafka's tool ({sender.said()[-300:]})")
    rig.holdfast("ingest", "--until-end")
    one, = rig.accounts()["partitions"]
    equal(one["taken"], 400, "records taken")
    check(one["gaps"] >= 3, f"{one['gaps']} gaps: there were no markers")
    rig.sound()
    rig.folded()
    before = one["next_offset"]
    rig.holdfast("ingest", "--until-end")
    equal(rig.status()["partitions"][0]["next_offset"], before, "the offset, with nothing new behind the last marker")


@scenario("41", "an open transaction blocks the log's stable end, then is aborted",
          "a real broker; Kafka's own tool is killed within a transaction, others' records come behind it; the broker aborts it after 8 s or more",
          "no spinning; nothing of it is taken, ever; what lies behind it is, by itself; an aborted transaction is a gap (I1 I3 I8)")
def left_open(rig):
    broker = RealBroker(rig)
    rig.sent.unlink()
    service = rig.start("ingest")
    await_true("the partition is known", lambda: rig.status() is not None and len(rig.status()["partitions"]) == 1)
    sender = broker.in_transactions(100000, 200, 60000, "transaction.timeout.ms=8000")
    await_true("some of it is in the log", lambda: broker.log_bytes() > 4000 or not sender.runs())
    check(sender.runs(), sender.said()[-300:])
    sender.end()
    rig.produce(broker.address, 300)
    began, used = time.monotonic(), busy_s(service)
    time.sleep(2)
    check((busy_s(service) - used) / (time.monotonic() - began) < 0.25, "it spins")
    equal(rig.total(), 0, "records taken while the transaction is open")
    rig.await_taken(300, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    one, = rig.accounts()["partitions"]
    check(one["gaps"] > 10, f"{one['gaps']} gaps where a transaction was aborted")
    rig.whole()


def busy_s(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
