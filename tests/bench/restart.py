#!/usr/bin/env python3
"""restart.py HOLDFAST [RUNS]: how soon a service is back after SIGKILL, with 1,000,000 entities and 2,000,000 keys.

The service (`holdfast run`, both halves) takes a log of 3.5 million records from a file, a key each. With more than two million
keys in the window it is killed at random moments while it takes records, and started again. Measured from the start of the
process: the first lookup that is answered 200 with a value, and the first record that is durable beyond those of the run
before. Each must come within its bound in every run. Then the rest is taken, and `verify` finds nothing wrong. Wants a release
build and a quiet machine; 1.2 GB of log are made once and kept in the cache. The last lines are NAME SECONDS (of the slowest).
"""

import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parent
ENTITIES, STREAM = 1_000_000, 2_500_000
KEYS = 2_000_000
LOOKUP_S, INGEST_S = 1.0, 3.0
TOPIC = "events.v1"


def data_directory():
    home = os.environ.get("HOLDFAST_CACHE") or pathlib.Path.home() / ".cache/holdfast"
    data = pathlib.Path(home) / "bench" / "restart"
    data.mkdir(parents=True, exist_ok=True)
    return data


def make_log(holdfast, data):
    log = data / f"log.{ENTITIES}.{STREAM}.ndjson"
    if not log.exists():
        part = data / "log.part"
        subprocess.run([sys.executable, BENCH / "fill.py", str(ENTITIES), part], check=True)
        stream = data / "stream.part"
        subprocess.run([holdfast, "produce", "--generate", str(STREAM), "--shape", "bench", "--entities", str(ENTITIES), "--duplicates", "0",
                        "--base-time", "2026-01-01T00:00:00Z", "--to-file", stream], check=True, capture_output=True)
        with open(part, "ab") as out, open(stream, "rb") as more:
            while piece := more.read(1 << 24):
                out.write(piece)
        stream.unlink()
        part.rename(log)
    return log


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    def __init__(self, holdfast, store, log):
        self.port = free_port()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [holdfast, "run", "--set", f"schema={BENCH / 'schema.json'}", "--set", f"store.path={store}", "--set", f"file.path={log}",
             "--set", f"file.topic={TOPIC}", "--set", f"store.key_window_keys={2 * KEYS}", "--set", f"serve.port={self.port}"],
            stdout=subprocess.DEVNULL, stderr=open(f"{store}.log", "a"))

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
            return reply.read().decode()

    def seconds(self):
        return time.monotonic() - self.started

    def first_lookup(self):
        while True:
            try:
                answer = json.loads(self.get("/v1/views/entity_stats/4711"))
                if answer["views"]["entity_stats"]["event_time"][0] is not None:
                    return self.seconds()
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"restart.py: the service ended with {self.process.returncode}")
            time.sleep(0.005)

    def taken(self):
        found = re.search(r'^holdfast_records_taken_total\{[^}]*\} (\d+)', self.get("/metrics"), re.MULTILINE)
        return int(found.group(1)) if found else 0

    def first_ingest(self, before):
        while self.taken() <= before:
            time.sleep(0.01)
        return self.seconds()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def taken_of(holdfast, store):
    status = subprocess.run([holdfast, "status", "--json", "--set", f"store.path={store}"], check=True, capture_output=True, text=True)
    return sum(partition["taken"] for partition in json.loads(status.stdout)["partitions"])


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    holdfast, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5
    data = data_directory()
    log = make_log(holdfast, data)
    chance = random.Random(4711)
    lookups, ingests = [], []
    with tempfile.TemporaryDirectory(dir=data) as directory:
        store = f"{directory}/store"
        service = Service(holdfast, store, log)
        service.first_lookup()
        while service.taken() < KEYS:
            time.sleep(0.05)
        for run in range(runs):
            service.kill()
            before = taken_of(holdfast, store)
            service = Service(holdfast, store, log)
            lookups.append(service.first_lookup())
            ingests.append(service.first_ingest(before))
            print(f"run {run + 1}: {before} records were durable; first lookup after {lookups[-1]:.3f} s, "
                  f"first record after {ingests[-1]:.3f} s", flush=True)
            time.sleep(chance.uniform(0, 0.4))
        while service.taken() < ENTITIES + STREAM:
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait()
        subprocess.run([holdfast, "verify", "--set", f"store.path={store}"], check=True, stdout=subprocess.DEVNULL)
    print(f"first_lookup_seconds {max(lookups):.3f}\nfirst_ingest_seconds {max(ingests):.3f}")
    if max(lookups) >= LOOKUP_S or max(ingests) >= INGEST_S:
        sys.exit(f"restart.py: wanted under {LOOKUP_S} s and {INGEST_S} s")


if __name__ == "__main__":
    main()
