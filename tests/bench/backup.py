#!/usr/bin/env python3
"""backup.py HOLDFAST [--seconds N] [--rate N] [--every DURATION]: what backups cost a store that takes 20,000 events a second.

The development broker, the service and a producer, twice: without backups and with one after the other. Shown are the rate at
which records became durable, how old the newest durable record was (produce to durable; sampled every 2 ms once warm), and
each backup. Then every backup is verified, one of them by chance is restored while the service runs, and the digest must be
what it was. Defaults: 24 s (more than the broker's 5 MiB a partition don't hold), 20000, 2s. Release build; quiet machine.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = PROJECT / "tests/bench/schema.json"
TOPIC = "events.v1"
WARM_S = 4
SAMPLE_S = 0.002
PATIENCE_S = 60
VALUE_BYTES = 200
ENTITIES = 100000


def await_true(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"backup.py: not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)


class Round:
    """A broker, a service on a store of its own, and what is sent."""

    def __init__(self, options, directory, every):
        self.options, self.directory = options, directory
        self.store = directory / "store"
        self.processes = []
        address = directory / "address"
        self.start("broker", "--topic", TOPIC, "--port-file", address)
        await_true("the broker listens", address.exists)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | {
            "HOLDFAST_STORE_PATH": str(self.store), "HOLDFAST_SCHEMA": str(SCHEMA), "HOLDFAST_BACKUP_EVERY": every,
            "HOLDFAST_BACKUP_KEEP": "1000", "HOLDFAST_KAFKA_BOOTSTRAP_SERVERS": address.read_text().strip()}
        self.log = directory / "log"
        self.service = self.start("ingest", stderr=self.log.open("w"))
        await_true("the store is there", lambda: (self.store / "control.sock").exists())

    def start(self, *arguments, **more):
        process = subprocess.Popen([self.options.holdfast, *map(str, arguments)], stdout=subprocess.DEVNULL,
                                   env=getattr(self, "environment", None), **more)
        self.processes.append(process)
        return process

    def run(self, *arguments):
        done = subprocess.run([self.options.holdfast, *map(str, arguments)], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"backup.py: {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--json"))

    def stream(self):
        """Send all; returns records a second and the ages of the newest durable record, in ms."""
        count = self.options.rate * self.options.seconds
        producer = self.start("produce", "--generate", count, "--shape", "bench", "--entities", ENTITIES, "--value-bytes",
                              VALUE_BYTES, "--topic", TOPIC, "--rate", self.options.rate, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        ages = []
        db = sqlite3.connect(f"file:{self.store}/features.db?mode=ro", uri=True, isolation_level=None)
        while producer.poll() is None:
            (newest,) = db.execute("SELECT max(record_time) FROM _partition").fetchone()
            if newest is not None and time.monotonic() - began > WARM_S:
                ages.append(time.time() * 1e3 - newest / 1e3)
            time.sleep(SAMPLE_S)
        db.close()
        await_true("all is taken", lambda: self.status()["total"]["taken"] == count)
        return count / (time.monotonic() - began), sorted(ages[: -int(1 / SAMPLE_S / 4)])

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE_S)


def tell(name, rate, ages):
    at = lambda share: ages[int((len(ages) - 1) * share)]
    print(f"{name}: {rate:.0f} records/s; produce to durable p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, p99.9 {at(0.999):.1f} ms, "
          f"most {ages[-1]:.1f} ms", flush=True)


def go_back(this):
    """Every backup is good, and one of them becomes what all of them are made of."""
    checked = json.loads(this.run("verify", "--backups", "--json"))["backups"]
    digest = this.status()["digest"]
    taken = this.status()["total"]["taken"]
    one = random.choice(checked)
    this.run("restore", one["name"])
    await_true("it caught up", lambda: this.status()["total"]["taken"] == taken)
    if this.status()["digest"] != digest:
        sys.exit(f"backup.py: the digest after restoring {one['name']} is {this.status()['digest']}, must be {digest}")
    print(f"{len(checked)} backups verified; {one['name']}, {one['behind_offsets']} offsets behind, restored, caught up: same digest")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("holdfast")
    parser.add_argument("--seconds", type=int, default=24)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--every", default="2s")
    options = parser.parse_args()
    for name, every in (("without backups", "0s"), (f"a backup every {options.every}", options.every)):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=os.environ.get("TMPDIR", "/tmp")))
        this = Round(options, directory, every)
        try:
            tell(name, *this.stream())
            made = re.findall(r"backup (\S+) made and checked: (.*)", this.log.read_text())
            for backup, what in made:
                print(f"  {backup}: {what}")
            failed = [line for line in this.log.read_text().splitlines() if "failed" in line]
            if failed or (every != "0s" and not made):
                sys.exit(f"backup.py: {failed}")
            if made:
                go_back(this)
        finally:
            this.end()
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
