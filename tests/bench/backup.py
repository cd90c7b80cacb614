#!/usr/bin/env python3
"""backup.py HOLDFAST DIRECTORY BOOTSTRAP [options]: see backup.sh, which starts a broker and calls this.

How old the newest durable record is, and how long a lookup takes, is sampled all along by processes of their own; each sample
counts to `during a backup` or `otherwise` by the time the service says that the backup took.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = PROJECT / "tests/bench/schema.json"
TOPIC = "events.v1"
VIEW = "entity_stats"
ENTITIES = 100000
VALUE_BYTES = 200
WARM_S = 4  # the store is empty, and the first backups are of nothing
TAIL_S = 3  # events go on behind the last backup
SAMPLE_S = 0.005
LOOKUPS_A_SECOND = 200
PATIENCE_S = 180
UNITS = {"ms": 0.001, "s": 1, "m": 60}


class Failed(Exception):
    """What was expected did not come about."""


def await_true(what, condition, patience_s=PATIENCE_S, step_s=0.1):
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {patience_s} s: {what}")
        time.sleep(step_s)


def seconds_of(text):
    """"60s", "845 ms", "1.2 s"."""
    number, unit = re.fullmatch(r"([\d.]+)\s*([a-z]+)", text).groups()
    return float(number) * UNITS[unit]


def sample_ages(database, ending, out):
    """(when, ms that the newest durable record is old)"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None, timeout=10)
    found = []
    while not ending.is_set():
        (newest,) = db.execute("SELECT max(record_time) FROM _partition").fetchone()
        if newest is not None:
            found.append((time.time(), time.time() * 1e3 - newest / 1e3))
        time.sleep(SAMPLE_S)
    db.close()
    out.put(("ages", found, None))


def sample_lookups(address, ending, out):
    """(when, ms that a lookup took); the third: what failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chance, found, failures = random.Random(7), [], []
    connection = http.client.HTTPConnection(address, timeout=30)
    due = time.monotonic()
    while not ending.is_set():
        began = time.perf_counter()
        try:
            connection.request("GET", f"/v1/views/{VIEW}/{chance.randrange(ENTITIES)}")
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200 or VIEW not in json.loads(body)["views"]:
                failures.append(f"status {reply.status}: {body[:200]!r}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(repr(error))
            connection.close()
        found.append((time.time(), (time.perf_counter() - began) * 1e3))
        due += 1 / LOOKUPS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
    connection.close()
    out.put(("lookups", found, failures))


class Bench:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.directory)
        self.store, self.log = self.directory / "store", self.directory / "service.log"
        self.processes, self.samplers = [], []
        self.ending, self.samples = multiprocessing.Event(), multiprocessing.Queue()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | {
            "HOLDFAST_STORE_PATH": str(self.store), "HOLDFAST_SCHEMA": str(SCHEMA), "HOLDFAST_SERVE_PORT": "0",
            "HOLDFAST_BACKUP_EVERY": options.every, "HOLDFAST_BACKUP_KEEP": "1000",
            "HOLDFAST_KAFKA_BOOTSTRAP_SERVERS": options.bootstrap}

    def start(self, *arguments, **more):
        process = subprocess.Popen([self.options.holdfast, *map(str, arguments)], stdout=subprocess.DEVNULL, env=self.environment, **more)
        self.processes.append(process)
        return process

    def run(self, *arguments, statuses=(0,)):
        done = subprocess.run([self.options.holdfast, *map(str, arguments)], env=self.environment, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        if done.returncode not in statuses:
            raise Failed(f"holdfast {' '.join(map(str, arguments))}: status {done.returncode}: {(done.stderr or done.stdout)[-400:]}")
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--json"))

    def taken(self):
        return self.status()["total"]["taken"]

    def sample(self, target, where):
        process = multiprocessing.Process(target=target, args=(where, self.ending, self.samples), daemon=True)
        process.start()
        self.samplers.append(process)

    def end(self):
        self.ending.set()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
            process.wait(60)

    def told(self):
        """Backups that the service told of: name, when it began and ended, what is said of it."""
        found = []
        for at, name, what, took in re.findall(r"holdfast: (\S+) info backup (\S+) made and checked: (.*) in ([\d.]+ \w+)",
                                               self.log.read_text()):
            ended = datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
            found.append((name, ended - seconds_of(took), ended, f"{what} in {took}"))
        return found


def stream(bench):
    """Events and lookups until the last backup is made; returns records, records a second, ages, lookups, failures."""
    options = bench.options
    port_file = bench.directory / "port"
    service = bench.start("run", "--port-file", port_file, stderr=bench.log.open("w"))
    await_true("the service listens", lambda: port_file.exists() or service.poll() is not None)
    if service.poll() is not None:
        raise Failed(f"the service ended: {bench.log.read_text()[-400:]}")
    last_s = options.backups * seconds_of(options.every)
    count = int(options.rate * (last_s + TAIL_S))
    producer = bench.start("produce", "--generate", count, "--shape", "bench", "--entities", ENTITIES, "--value-bytes", VALUE_BYTES,
                           "--topic", TOPIC, "--rate", options.rate, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    time.sleep(WARM_S)
    bench.sample(sample_ages, bench.store / "features.db")
    bench.sample(sample_lookups, port_file.read_text().strip())
    await_true("all events are sent", lambda: producer.poll() is not None, patience_s=2 * last_s + PATIENCE_S)
    sent_s = time.monotonic() - began
    bench.ending.set()
    collected = {name: (values, failures) for name, values, failures in (bench.samples.get(timeout=30) for _ in bench.samplers)}
    await_true("the last backup is made", lambda: len(bench.told()) >= options.backups)
    await_true("all events are taken", lambda: bench.taken() == count)
    return count, count / sent_s, collected["ages"][0], *collected["lookups"]


def quantiles(values):
    values = sorted(values)
    if not values:
        return "no samples"
    at = lambda share: values[int((len(values) - 1) * share)]
    return f"p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, p99.9 {at(0.999):.2f} ms, most {values[-1]:.2f} ms ({len(values)} samples)"


def tell(name, samples, backups):
    during = [value for when, value in samples if any(began <= when <= ended for _, began, ended, _ in backups)]
    otherwise = [value for when, value in samples if not any(began <= when <= ended for _, began, ended, _ in backups)]
    print(f"{name}, otherwise:       {quantiles(otherwise)}\n{name}, during a backup: {quantiles(during)}", flush=True)


def check_backups(bench, wrong):
    """Each must be whole. Returns them."""
    backups = json.loads(bench.run("verify", "--backups", "--json", statuses=(0, 3)))["backups"]
    wrong += [f"backup {one['name']} is {one['state']}" for one in backups if one["state"] != "good"]
    if len(backups) < bench.options.backups:
        wrong.append(f"{len(backups)} backups, must be {bench.options.backups}")
    wrong += [line for line in bench.log.read_text().splitlines() if " warning backup " in line or " error " in line]
    return backups


def go_back(bench, backups, count, digest, wrong):
    """One of them by chance takes the live one's place, and catches up."""
    one = random.choice(backups)
    began = time.monotonic()
    bench.run("restore", one["name"])
    turned = time.monotonic()
    await_true(f"it caught up behind {one['name']}", lambda: bench.taken() == count)
    caught_up = time.monotonic()
    status = bench.status()
    if status["digest"] != digest:
        wrong.append(f"after restoring {one['name']} the digest is {status['digest']}, must be {digest}")
    print(f"restored {one['name']} (of {len(backups)}, by chance), {one['behind_offsets']} records behind: {turned - began:.1f} s, and "
          f"{caught_up - turned:.1f} s to catch up", flush=True)


def undisturbed(bench, count, digest, wrong):
    """A store that takes the same log, with nothing else going on."""
    bench.environment |= {"HOLDFAST_STORE_PATH": str(bench.directory / "undisturbed"), "HOLDFAST_BACKUP_EVERY": "0s"}
    began = time.monotonic()
    bench.run("ingest", "--until-end")
    took_s = time.monotonic() - began
    found = json.loads(bench.run("verify", "--json"))
    if bench.taken() != count or found["digest"] != digest:
        wrong.append(f"a store that took the log undisturbed has digest {found['digest']}, this one had {digest}")
    print(f"undisturbed: {count} records in {took_s:.1f} s", flush=True)


def measure(bench, wrong):
    count, rate, ages, lookups, failures = stream(bench)
    backups = bench.told()
    for name, _, _, what in backups:
        print(f"backup {name}: {what}")
    print(f"{count} records at {rate:.0f} a second")
    if rate < 0.95 * bench.options.rate:
        print(f"the machine could not send {bench.options.rate} a second: the figures are of less")
    tell("produce to durable", ages, backups)
    tell("lookup over HTTP", lookups, backups)
    if failures:
        wrong.append(f"{len(failures)} of {len(lookups)} lookups failed: {failures[0]}")
    digest = bench.status()["digest"]
    checked = check_backups(bench, wrong)
    if checked:
        go_back(bench, checked, count, digest, wrong)
    bench.run("verify")
    bench.end()
    undisturbed(bench, count, digest, wrong)
    return f"{len(checked)} backups of {count} records verified, one restored and caught up, {len(lookups)} lookups and none failed, digest equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("holdfast")
    parser.add_argument("directory")
    parser.add_argument("bootstrap")
    parser.add_argument("--backups", type=int, default=3)
    parser.add_argument("--every", default="60s")
    parser.add_argument("--rate", type=int, default=20000)
    wrong, good = [], ""
    bench = Bench(parser.parse_args())
    try:
        good = measure(bench, wrong)
    except (Failed, subprocess.TimeoutExpired) as error:
        wrong.append(str(error))
    finally:
        bench.end()
    print("FAILED: " + "; ".join(wrong) if wrong else "good: " + good)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
