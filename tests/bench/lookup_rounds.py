#!/usr/bin/env python3
"""lookup_rounds.py RELEASE_BUILD DATA USERS HOLDFAST_PORT REDIS_PORT: what lookup.sh measures, when both servers are filled."""

import http.client
import json
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import threading
import time

import lookup_data

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 32
ZIPF = 0.99
EVENTS_PER_S = 20000
EVENTS_LEAST = 0.97 * EVENTS_PER_S  # over all measurements of the pass
EVENTS_LEAST_ONCE = 0.8 * EVENTS_PER_S  # over each one, which may end just before a commit
FEED_STEP_S = 0.01
SAMPLE = 2000  # users compared one by one, and as many in batches of 100
BATCH = 100
STABLE = ["score", "rating", "active", "country", "device"]  # which the stream leaves as they are
QUIET = 0.5  # load average below which the machine counts as quiet
WANTED = 0.6  # of Redis
WANTED_US = 5  # in process, less than that

RELEASE, DATA = map(pathlib.Path, sys.argv[1:3])
USERS, HOLDFAST_PORT, REDIS_PORT = map(int, sys.argv[3:6])
WORK = DATA / "run"
STORE = WORK / "store"


def die(why):
    sys.exit(f"lookup.sh: {why}")


def load():
    return pathlib.Path("/proc/loadavg").read_text().split()[:3]


# ---- Values ------------------------------------------------------------


class Redis:
    def __init__(self):
        self.file = socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=20).makefile("rwb")

    def hmget(self, user):
        words = ["HMGET", f"user_stats:{user}", *lookup_data.FEATURES]
        self.file.write((f"*{len(words)}\r\n" + "".join(map(lookup_data.bulk, words))).encode())
        self.file.flush()
        count = int(self.file.readline()[1:])
        return [self.bulk() for _ in range(count)]

    def bulk(self):
        length = int(self.file.readline()[1:])
        return None if length < 0 else self.file.read(length + 2)[:-2].decode()


class Holdfast:
    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", HOLDFAST_PORT, timeout=20)

    def rows(self, method, path, body=None):
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            die(f"{method} {path}: {response.status} {text[:500]}")
        view = json.loads(text)["views"]["user_stats"]
        return [dict(zip(view["features"], row, strict=True)) for row in view["values"]]

    def one(self, user):
        return self.rows("GET", f"/v1/views/user_stats/{user}")

    def batch(self, users):
        return self.rows("POST", "/v1/lookup", json.dumps({"features": [f"user_stats:{name}" for name in lookup_data.FEATURES],
                                                           "entities": {"user_id": users}}))


def same(value, text):
    if isinstance(value, bool) or isinstance(value, str):
        return value == {"true": True, "false": False}.get(text, text)
    return value is not None and text is not None and float(value) == float(text)


def compare(row, user, redis, features):
    if set(row) != set(lookup_data.FEATURES) or None in row.values():
        die(f"{user}: holdfast answers {row}")
    held = dict(zip(lookup_data.FEATURES, redis.hmget(user)))
    for name in features:
        if not same(row[name], held[name]):
            die(f"{user}: {name} is {row[name]!r} in holdfast, {held[name]!r} in Redis")
    if row["txns"] < int(held["txns"]):
        die(f"{user}: fewer txns than it was filled with")
    return len(features)


def compare_values(features):
    """Of a sample of users, asked one by one and in batches; how many values were equal."""
    redis, holdfast, chance = Redis(), Holdfast(), random.Random(USERS)
    users = [lookup_data.user_id(chance.randrange(USERS)) for _ in range(2 * SAMPLE)]
    count = 0
    for user in users[:SAMPLE]:
        [row] = holdfast.one(user)
        count += compare(row, user, redis, features)
    for start in range(SAMPLE, 2 * SAMPLE, BATCH):
        some = users[start:start + BATCH]
        for user, row in zip(some, holdfast.batch(some), strict=True):
            count += compare(row, user, redis, features)
    return count


# ---- Ingest beside it ----------------------------------------------------


class Ingest:
    """`holdfast ingest` follows a file that grows by EVENTS_PER_S lines a second."""

    def __enter__(self):
        with open(WORK / "busy.log", "w") as log:
            self.process = subprocess.Popen(
                [RELEASE / "holdfast", "ingest", "--file", WORK / "log.ndjson", "--topic", "users.v1", "--set", f"store.path={STORE}"],
                stderr=log, start_new_session=True)
        self.stop = threading.Event()
        self.exhausted = False
        self.feeder = threading.Thread(target=self.feed)
        self.feeder.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.feeder.join()
        self.process.terminate()
        self.process.wait()

    def feed(self):
        start, fed = time.monotonic(), 0
        with open(DATA / "stream.ndjson", "rb") as stream, open(WORK / "log.ndjson", "ab", buffering=0) as log:
            while not self.stop.wait(FEED_STEP_S):
                due = int((time.monotonic() - start) * EVENTS_PER_S)
                lines = [stream.readline() for _ in range(due - fed)]
                fed = due
                log.write(b"".join(lines))
                if lines and not lines[-1]:
                    self.exhausted = True
                    return

    def applied(self):
        done = subprocess.run([RELEASE / "holdfast", "status", "--json", "--set", f"store.path={STORE}"], capture_output=True)
        if done.returncode != 0 or self.exhausted or self.process.poll() is not None:
            die(f"ingest does not go on: {done.stderr.decode()}{(WORK / 'busy.log').read_text()}")
        return json.loads(done.stdout)["total"]["applied"], time.monotonic()


# ---- Rounds --------------------------------------------------------------


def measure(server, batch):
    port = {"holdfast": HOLDFAST_PORT, "redis": REDIS_PORT}[server]
    done = subprocess.run([RELEASE / "tests/bench/lookup_client", server, str(port), str(USERS), "--batch", str(batch), "--connections",
                           str(CONNECTIONS), "--seconds", str(SECONDS), "--zipf", str(ZIPF)], capture_output=True, text=True, start_new_session=True)
    if done.returncode != 0:
        die(f"{server}: {done.stderr}")
    return json.loads(done.stdout)


def in_process():
    done = subprocess.run([RELEASE / "tests/bench/in_process", STORE, "user_stats", DATA / "users.txt", "--zipf", str(ZIPF),
                           "--seconds", str(2 * SECONDS)], capture_output=True, text=True, start_new_session=True)
    if done.returncode != 0:
        die(f"in_process: {done.stderr}")
    [figure] = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("single_p50_us")]
    return float(figure)


class Rates:
    """Events a second that ingest applied while something was measured."""

    def __init__(self):
        self.events = self.seconds = 0
        self.each = []

    def add(self, before, after):
        events, seconds = after[0] - before[0], after[1] - before[1]
        self.events += events
        self.seconds += seconds
        self.each.append(events / seconds)

    def are_enough(self):
        overall = self.events / self.seconds
        print(f"ingest applied {overall:,.0f} events a second while this was measured, {min(self.each):,.0f} to {max(self.each):,.0f} "
              "in each measurement")
        return overall >= EVENTS_LEAST and min(self.each) >= EVENTS_LEAST_ONCE


def rounds(batch, ingest, rates):
    """{server: {figure: median of all rounds}}"""
    results = {"holdfast": [], "redis": []}
    for _ in range(ROUNDS):
        for server, figures in results.items():
            before = ingest.applied() if ingest else None
            figures.append(measure(server, batch))
            if ingest:
                rates.add(before, ingest.applied())
    return {server: {name: statistics.median(each[name] for each in figures) for name in figures[0]}
            for server, figures in results.items()}


def show(name, result):
    for server in ("holdfast", "redis"):
        row = result[server]
        print(f"{name:14} {server:9} {row['entities_per_s']:12,.0f} {row['p50_us']:9,.0f} {row['p99_us']:9,.0f} {row['p999_us']:9,.0f}", flush=True)


def one_pass(name, ingest):
    """Returns the pass's lines, and what is not as wanted."""
    started = load()
    compared = compare_values(STABLE if ingest else lookup_data.FEATURES)
    print(f"\n{name}: {compared:,} values compared with Redis's, all equal; load {' '.join(started)} before"
          + ("" if ingest or float(started[0]) < QUIET else ": this machine is not quiet"), flush=True)
    rates = Rates()
    print(f"{'':14} {'':9} {'entities/s':>12} {'p50 us':>9} {'p99 us':>9} {'p99.9 us':>9}")
    single = rounds(1, ingest, rates)
    show(f"{name} single", single)
    batch = rounds(BATCH, ingest, rates)
    show(f"{name} batch{BATCH}", batch)
    enough = not ingest or rates.are_enough()
    us = in_process()
    print(f"load {' '.join(load())} after")
    ratios = [result["holdfast"]["entities_per_s"] / result["redis"]["entities_per_s"] for result in (single, batch)]
    suffix = "_busy" if ingest else ""
    lines = [f"http_single_vs_redis{suffix} {ratios[0]:.2f}", f"http_batch{BATCH}_vs_redis{suffix} {ratios[1]:.2f}",
             f"in_process_p50_us{suffix} {us:.2f}", f"http_p99_ms{suffix} {single['holdfast']['p99_us'] / 1e3:.2f}"]
    wrong = [] if enough else [f"ingest did not apply {EVENTS_PER_S:,} events a second throughout: this machine is too slow or too busy"]
    if min(ratios) < WANTED or us >= WANTED_US:
        wrong.append(f"{name}: wanted are {WANTED} of Redis and more, and in process less than {WANTED_US} us")
    return lines, wrong


def main():
    print(f"{USERS:,} users, 10 features, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s each")
    idle, idle_wrong = one_pass("idle", None)
    with Ingest() as ingest:
        time.sleep(1)
        busy, busy_wrong = one_pass("busy", ingest)
    print("\n" + "\n".join(idle + busy), flush=True)
    if idle_wrong or busy_wrong:
        die("; ".join(idle_wrong + busy_wrong))


if __name__ == "__main__":
    main()
