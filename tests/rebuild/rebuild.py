#!/usr/bin/env python3
"""rebuild.py HOLDFAST FAILPOINTS DIRECTORY [--rate N] [--strict]: rebuilds that are killed, rebuilds against plain ingest, and
one beside a service under load, which lasts until it has taken its place, however long that takes.

DIRECTORY holds live.json and plain.json, configurations of two stores on one topic that has its first records already, and the
rest of them in rest.ndjson. run.sh makes them, and calls this.

What a rate means: `alone`, nothing else runs, and both take the very same log, one after the other, three times over; `beside
the load`, both take what the topic holds while the service takes events and answers lookups. Both are records a second over
the time that each took the log, as the programs tell it; what stands still for a rebuild, the switch, is told apart.
"""

import argparse
import collections
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

TOPIC = "flights"
PATIENCE_S = 240
TICK_S = 0.01
PAIRS = 3  # rebuilds and plain ingests that are compared
SHARE = 0.9  # of plain ingest's speed, a rebuild's at least (--strict)
KEPT = 0.9  # of the load's rate, what must come about (--strict)
YEAR_MS = 366 * 86_400_000
LINES_MAX = 100_000  # of the last ones, what the load repeats year by year
# Where the builder is killed; a number: at which pass.
BUILDER_STEPS = ["rebuild_begun:1", "store_begun:3", "store_before_commit:4", "store_committed:2", "rebuild_near:1",
                 "rebuild_stands:1", "rebuild_there:1", "carry_rows:1", "carry_letters:1", "rebuild_carried:1",
                 "rebuild_complete:1", "rebuild_closed:1", "rebuild_switched:1"]
# Where the live one's owner is killed.
OWNER_STEPS = ["switch_ready:1", "switch_sealed:1", "switch_linked:1"]
KILLS_RATE = 300  # events a second meanwhile
AIRPORTS = ["JFK", "LGA", "EWR", "ATL", "ORD", "LAX", "BOS", "MIA"]


def fail(text):
    sys.exit(f"rebuild.py: {text}")


def await_true(what, condition, seconds=PATIENCE_S):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            fail(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Load:
    """So many events a second, without end: the log's last ones a year later, then two years later, and so on."""

    def __init__(self, bed, rate):
        self.lines = bed.last_lines
        self.years = bed.years
        self.ending = threading.Event()
        self.process = subprocess.Popen(
            [bed.given.holdfast, "produce", "-", "--topic", TOPIC, "--rate", str(rate), "--set",
             f"kafka.bootstrap.servers={bed.bootstrap}"], env=bed.environment(), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.feeder = threading.Thread(target=self.feed, daemon=True)
        self.feeder.start()

    def feed(self):
        try:
            for year in self.years:
                for line in self.lines:
                    if self.ending.is_set():
                        return
                    self.process.stdin.write(later(line, year))
        except BrokenPipeError:
            pass  # it ended: end() says so
        finally:
            self.process.stdin.close()

    def end(self):
        """All that was read is sent and acknowledged."""
        if self.process.poll() is not None:
            fail(f"the load ended by itself: {self.process.stderr.read().decode()}")
        self.ending.set()
        self.feeder.join()
        if self.process.wait(PATIENCE_S) != 0:
            fail(f"the load could not be sent: {self.process.stderr.read().decode()}")


def later(line, years):
    """The same event so many years later; its record's timestamp is never before it."""
    line = re.sub(rb'"(\d{4})-', lambda found: b'"%d-' % (int(found[1]) + years), line)
    return re.sub(rb'"timestamp":(\d+)', lambda found: b'"timestamp":%d' % (int(found[1]) + years * YEAR_MS), line, count=1)


class Asker(threading.Thread):
    """So many lookups a second over two connections, in bursts; every reply is looked at."""

    def __init__(self, port, rate):
        super().__init__(daemon=True)
        self.rate, self.port = rate, port
        self.asked = self.answered = self.failed = 0
        self.generations = collections.Counter()
        self.why = collections.Counter()
        self.slowest_s = 0
        self.ending = threading.Event()

    def run(self):
        links = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(2)]
        for link in links:
            link.settimeout(10)
        burst = max(1, int(self.rate * TICK_S / len(links)))
        due = time.monotonic()
        while not self.ending.is_set():
            due += TICK_S
            time.sleep(max(0, due - time.monotonic()))
            for link in links:
                self.ask(link, burst)

    def ask(self, link, burst):
        names = (AIRPORTS[(self.asked + i) % len(AIRPORTS)] for i in range(burst))
        began = time.monotonic()
        self.asked += burst
        try:
            link.sendall(b"".join(f"GET /v1/views/airport/{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for name in names))
            for status, body in replies(link, burst):
                self.judge(status, body)
        except (OSError, ValueError) as why:
            self.failed += burst
            self.why[str(why)] += burst
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def judge(self, status, body):
        found = re.search(rb'"generation":"(g\d+)"', body)
        if status == 200 and found:
            self.answered += 1
            self.generations[found[1].decode()] += 1
        else:
            self.failed += 1
            self.why[f"{status} {body[:100]}"] += 1

    def end(self):
        self.ending.set()
        self.join()


def replies(link, count):
    """(status, body) of so many replies on one connection."""
    heard = b""
    while count > 0:
        head, separator, rest = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if separator and length and len(rest) >= int(length[1]):
            yield int(head.split(b" ")[1]), rest[:int(length[1])]
            heard = rest[int(length[1]):]
            count -= 1
            continue
        more = link.recv(1 << 16)
        if not more:
            raise ValueError("the server hung up")
        heard += more


class Bed:
    def __init__(self, given):
        self.given = given
        self.work = pathlib.Path(given.directory)
        self.config = self.work / "live.json"
        self.bootstrap = json.loads(self.config.read_text())["kafka"]["bootstrap.servers"]
        self.port_file = self.work / "port"
        self.owner = None
        with (self.work / "rest.ndjson").open("rb") as rest:
            self.last_lines = list(collections.deque(rest, LINES_MAX))
        self.years = itertools.count(1)

    def environment(self, failpoint=None):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        return kept | ({"HOLDFAST_FAILPOINT": failpoint} if failpoint else {})

    def holdfast(self, *words, program=None, failpoint=None, config=None):
        try:
            return subprocess.run([program or self.given.holdfast, *map(str, words), "-c", str(config or self.config)],
                                  env=self.environment(failpoint), capture_output=True, text=True, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            fail(f"`holdfast {' '.join(map(str, words))}` takes more than {PATIENCE_S} s: it hangs, or this machine is too slow")

    def start(self, failpoint=None):
        self.port_file.unlink(missing_ok=True)
        with (self.work / "run.log").open("a") as log:
            self.owner = subprocess.Popen(
                [self.given.failpoints, "run", "-c", str(self.config), "--set", "serve.port=0", "--port-file", str(self.port_file)],
                env=self.environment(failpoint), stderr=log)
        await_true("the service listens", lambda: self.port_file.exists() and self.port_file.read_text().strip())
        await_true("the owner listens", lambda: (self.work / "live" / "control.sock").exists())

    def stop(self):
        self.owner.terminate()
        if self.owner.wait(PATIENCE_S) != 0:
            fail(f"the service ended with {self.owner.returncode}: {self.work}/run.log")

    def status(self):
        done = self.holdfast("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else fail(f"no status: {done.stderr}")

    def await_taken(self):
        """All that was sent so far."""
        await_true("all is taken", lambda: self.status()["partitions"] and all(
            one["lag_ms"] is not None and one["lag_ms"] < 2000 for one in self.status()["partitions"]))

    def taken(self):
        return sum(one["taken"] for one in self.status()["partitions"])

    def produce_rest(self):
        done = subprocess.run([self.given.holdfast, "produce", self.work / "rest.ndjson", "--topic", TOPIC, "--set",
                               f"kafka.bootstrap.servers={self.bootstrap}"], env=self.environment(), capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"the rest could not be sent: {done.stderr}")

    def generations(self):
        return {path.name.removesuffix(".db") for path in (self.work / "live" / "generations").glob("*.db")}

    def live(self):
        return pathlib.Path(os.readlink(self.work / "live" / "features.db")).name.removesuffix(".db")

    def drop_others(self):
        for name in self.generations() - {self.live()}:
            done = self.holdfast("generations", "drop", name, "--because", "a test")
            if done.returncode != 0:
                fail(f"{name} could not be dropped: {done.stderr}")


def rebuilt(done):
    """Records a second, and for how many ms ingest stood still."""
    if done.returncode != 0:
        fail(f"rebuild ended with {done.returncode}: {done.stderr}")
    rate = re.search(r"records in [\d.]+ s, (\d+) a second", done.stderr)
    stood = re.search(r"stood still for (\d+) ms", done.stderr)
    return int(rate[1]), int(stood[1])


def plain(bed):
    """Records a second of ingest into a new store."""
    shutil.rmtree(bed.work / "plain", ignore_errors=True)
    done = bed.holdfast("ingest", "--until-end", "--json", config=bed.work / "plain.json")
    if done.returncode != 0:
        fail(f"plain ingest failed: {done.stderr}")
    return json.loads(done.stdout)["records_per_second"]


def told(text):
    print(f"[load {os.getloadavg()[0]:.1f}] {text}", flush=True)


def with_cpu(command):
    """What `command` gives, and the CPU seconds of the process that it ran: these a busy machine changes least."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    given = command()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return given, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def alone(bed):
    """A rebuild's share of plain ingest's speed, nothing else running: the median of some pairs."""
    shares = []
    for _ in range(PAIRS):
        ingested, plain_s = with_cpu(lambda: plain(bed))
        done, rebuild_s = with_cpu(lambda: bed.holdfast("rebuild"))
        rate = rebuilt(done)[0]
        bed.drop_others()
        shares.append(rate / ingested)
        told(f"alone: rebuild {rate} records/s, plain ingest {ingested}: {shares[-1]:.2f}; CPU of the whole commands "
             f"{rebuild_s:.1f} and {plain_s:.1f} s")
    return statistics.median(shares)


def lookups_failed(asker):
    if asker.failed or len(asker.generations) != 2:
        fail(f"lookups failed, or not two generations answered: {dict(asker.why)}, {dict(asker.generations)}")


def beside_load(bed):
    """Plain ingest, then a rebuild, beside events and lookups that go on until it has switched."""
    asker = Asker(int(bed.port_file.read_text().rpartition(":")[2]), bed.given.rate)
    before, began = bed.taken(), time.monotonic()
    load = Load(bed, bed.given.rate)
    asker.start()
    ingested = plain(bed)
    rate, stood_ms = rebuilt(bed.holdfast("rebuild"))
    load.end()
    time.sleep(0.5)  # replies from the new generation
    asker.end()
    elapsed_s = time.monotonic() - began
    bed.await_taken()
    events, lookups = (bed.taken() - before) / elapsed_s, asker.answered / elapsed_s
    told(f"beside {events:.0f} events/s and {lookups:.0f} lookups/s: rebuild {rate} records/s, plain ingest {ingested}: "
         f"{rate / ingested:.2f}; ingest stood still for {stood_ms} ms")
    told(f"lookups: {asker.answered} answered, {asker.failed} failed, slowest burst {asker.slowest_s * 1000:.0f} ms, by "
         f"generation {dict(asker.generations)}")
    lookups_failed(asker)
    if bed.given.strict and min(events, lookups) < KEPT * bed.given.rate:
        fail(f"this machine does not keep up {bed.given.rate} events and lookups a second: repeat it on a quiet one")
    return rate / ingested, asker.answered


def check_whole(bed, before, step):
    """What a kill left is one generation or another, and can be read."""
    live = bed.live()
    if live not in bed.generations() or bed.holdfast("get", "airport", "JFK").returncode != 0:
        fail(f"{step}: {live} can't be read")
    return "old" if live == before else "new"


def kill_builder(bed, step):
    before = bed.live()
    done = bed.holdfast("rebuild", program=bed.given.failpoints, failpoint=step)
    if done.returncode != -signal.SIGKILL:
        fail(f"{step}: rebuild was not killed but ended with {done.returncode}: {done.stderr}")
    if bed.owner.poll() is not None:
        fail(f"{step}: the service ended with the builder")
    return check_whole(bed, before, step)


def kill_owner(bed, step):
    before = bed.live()
    bed.stop()
    bed.start(failpoint=step)
    bed.await_taken()
    done = bed.holdfast("rebuild")
    if bed.owner.wait(PATIENCE_S) != -signal.SIGKILL:
        fail(f"{step}: the owner was not killed: {done.stderr}")
    bed.start()
    return check_whole(bed, before, step)


def go_on(bed, step, number):
    """The half-built one in every other case, else another."""
    half = sorted(bed.generations() - {bed.live()}, key=lambda name: int(name[1:]))
    if number % 2 == 0 and half and int(half[-1][1:]) > int(bed.live()[1:]):
        done = bed.holdfast("rebuild", "--continue", half[-1])
    else:
        done = bed.holdfast("rebuild")
    stood_ms = rebuilt(done)[1]
    bed.drop_others()
    return f"then {' '.join(done.args[1:-2])} took its place in {stood_ms} ms"


def killed(bed):
    load = Load(bed, KILLS_RATE)
    left = collections.Counter()
    for number, step in enumerate(BUILDER_STEPS + OWNER_STEPS):
        which = (kill_owner if step in OWNER_STEPS else kill_builder)(bed, step)
        left[which] += 1
        told(f"killed at {step.partition(':')[0]}: the {which} generation, {go_on(bed, step, number)}")
    load.end()
    told(f"{sum(left.values())} kills: {left['old']} left the old generation, {left['new']} the new one, 0 a mix")
    return sum(left.values())


def prove(bed):
    bed.start()
    bed.await_taken()
    kills = killed(bed)
    bed.produce_rest()
    bed.await_taken()
    bed.stop()
    share = alone(bed)
    bed.start()
    beside, answered = beside_load(bed)
    bed.stop()
    if bed.given.strict and share < SHARE:
        fail(f"a rebuild alone has {share:.2f} of plain ingest's speed, less than {SHARE}")
    print(f"{kills} kills; rebuild at {share:.2f} of plain ingest alone (median of {PAIRS}), {beside:.2f} beside the load; "
          f"{answered} lookups, 0 failed")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("holdfast", "failpoints", "directory"):
        arguments.add_argument(name)
    arguments.add_argument("--rate", type=int, default=5000)
    arguments.add_argument("--strict", action="store_true", help="the rates must be good, too")
    bed = Bed(arguments.parse_args())
    try:
        prove(bed)
    finally:
        if bed.owner is not None and bed.owner.poll() is None:
            bed.owner.kill()


if __name__ == "__main__":
    main()
