#!/usr/bin/env python3
"""rebuild.py HOLDFAST FAILPOINTS DIRECTORY [--rate N] [--share S]: rebuilds beside a service under load, and killed ones.

DIRECTORY holds live.json and plain.json, configurations of two stores on one topic, and late.ndjson, what is sent to it while
rebuilds go on. run.sh makes them.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

TOPIC = "flights"
PATIENCE_S = 120
TICK_S = 0.01
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
        self.late = (self.work / "late.ndjson").read_text().splitlines(keepends=True)
        self.parts = 0

    def environment(self, failpoint=None):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        return kept | ({"HOLDFAST_FAILPOINT": failpoint} if failpoint else {})

    def holdfast(self, *words, program=None, failpoint=None, config=None):
        return subprocess.run([program or self.given.holdfast, *map(str, words), "-c", str(config or self.config)],
                              env=self.environment(failpoint), capture_output=True, text=True, timeout=PATIENCE_S)

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

    def send(self, count, rate):
        """In the background, the next late records; the process."""
        self.parts += 1
        part = self.work / f"part{self.parts}.ndjson"
        part.write_text("".join(self.late[:count]))
        del self.late[:count]
        return subprocess.Popen([self.given.holdfast, "produce", str(part), "--topic", TOPIC, "--rate", str(rate),
                                 "--set", f"kafka.bootstrap.servers={self.bootstrap}"],
                                env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

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
    """Records a second, and how long ingest stood still."""
    if done.returncode != 0:
        fail(f"rebuild ended with {done.returncode}: {done.stderr}")
    rate = re.search(r"(\d+) records in ([\d.]+) s", done.stderr)
    stood = re.search(r"stood still for (\d+) ms", done.stderr)
    return int(rate[1]) / max(float(rate[2]), 0.1), int(stood[1])


def plain_rate(bed):
    """Ingest into a store of its own, beside the same load."""
    done = bed.holdfast("ingest", "--until-end", "--json", config=bed.work / "plain.json")
    if done.returncode != 0:
        fail(f"plain ingest failed: {done.stderr}")
    summary = json.loads(done.stdout)
    return summary["records"] / summary["seconds"]


def under_load(bed):
    bed.start()
    bed.await_taken()
    asker = Asker(int(bed.port_file.read_text().rpartition(":")[2]), bed.given.rate)
    asker.start()
    began = time.monotonic()
    share = len(bed.late) * 3 // 8  # the same load beside each of the two
    load = bed.send(share, bed.given.rate)
    plain = plain_rate(bed)
    if load.wait(PATIENCE_S) != 0:
        fail("the load could not be sent")
    load = bed.send(share, bed.given.rate)
    rate, stood_ms = rebuilt(bed.holdfast("rebuild"))
    went_on = load.poll() is None
    time.sleep(0.5)  # replies from the new generation
    asker.end()
    elapsed_s = time.monotonic() - began
    if load.wait(PATIENCE_S) != 0:
        fail("the load could not be sent")
    print(f"rebuild {rate:.0f} records/s, plain ingest {plain:.0f} beside the same load: {rate / plain:.2f}")
    print(f"ingest stood still for {stood_ms} ms{'' if went_on else ' (the load was over by then)'}")
    print(f"lookups: {asker.answered} answered, {asker.failed} failed, {asker.answered / elapsed_s:.0f} a second, "
          f"slowest burst {asker.slowest_s * 1000:.0f} ms, by generation {dict(asker.generations)}", flush=True)
    if asker.failed or asker.generations.keys() != {"g1", "g2"}:
        fail(f"lookups failed, or none was answered by one of the generations: {dict(asker.why)}")
    if rate / plain < bed.given.share:
        fail(f"a rebuild is slower than {bed.given.share} of plain ingest")


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
    load = bed.send(len(bed.late), KILLS_RATE)
    left = collections.Counter()
    for number, step in enumerate(BUILDER_STEPS + OWNER_STEPS):
        which = (kill_owner if step in OWNER_STEPS else kill_builder)(bed, step)
        left[which] += 1
        print(f"killed at {step.partition(':')[0]}: the {which} generation, {go_on(bed, step, number)}", flush=True)
    load.terminate()
    load.wait()
    bed.await_taken()
    bed.stop()
    print(f"{sum(left.values())} kills: {left['old']} left the old generation, {left['new']} the new one, 0 a mix")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("holdfast", "failpoints", "directory"):
        arguments.add_argument(name)
    arguments.add_argument("--rate", type=int, default=5000)
    arguments.add_argument("--share", type=float, default=0, help="of plain ingest's speed, at least")
    bed = Bed(arguments.parse_args())
    try:
        under_load(bed)
        killed(bed)
    finally:
        if bed.owner is not None and bed.owner.poll() is None:
            bed.owner.kill()


if __name__ == "__main__":
    main()
