#!/usr/bin/env python3
"""Readers beside a writer at full speed: whole batches, versions that only go up, a bounded WAL.

    beside.py HOLDFAST STREAM READER [SECONDS] [--two-snapshots]

`holdfast ingest` follows a file that grows faster than it reads; processes and threads read beside it, by libholdfast and by
plain SQL, and check each snapshot (beside_reader.c). With --two-snapshots the readers are made wrong, and must be found out.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

SECONDS = 10
BATCH_RECORDS = 1000  # small, for many commits
WAL_MAX_BYTES = 4 << 20
# The keys of 1,000 records, 70 bytes each, and every page of three views with 1,000 entities.
BATCH_BYTES = 1 << 20
LOOK_EVERY_S = 0.002


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def start(command, **options):
    return subprocess.Popen([str(word) for word in command], **options)


def wait_for(what, condition, process, log=None, limit_s=60):
    end = time.monotonic() + limit_s
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            said = open(log, encoding="utf-8").read() if log else ""
            sys.exit(f"beside.py: {what} did not come\n{said}")
        time.sleep(0.01)


def watch_wal(wal, readers):
    """Its largest size, while the readers read."""
    largest = 0
    while any(reader.poll() is None for reader in readers):
        largest = max(largest, size(wal))
        time.sleep(LOOK_EVERY_S)
    return largest


def stop(process):
    if process is not None and process.poll() is None:
        process.terminate()
        process.wait(timeout=60)


def run(holdfast, stream, reader, seconds, broken, directory):
    store, file = f"{directory}/store", f"{directory}/stream.ndjson"
    wal = f"{store}/generations/g1.db-wal"
    here = os.path.dirname(os.path.abspath(__file__))
    streaming = ingest = None
    try:
        streaming = start([stream, store, file])
        wait_for("the stream", lambda: size(file) > 0, streaming)
        with open(f"{directory}/log", "w", encoding="utf-8") as log:
            ingest = start([holdfast, "ingest", "--file", file, "--topic", "beside",
                            "--set", f"schema={here}/beside.json", "--set", f"store.path={store}",
                            "--set", f"store.wal_max_bytes={WAL_MAX_BYTES}B",
                            "--set", f"ingest.batch_records={BATCH_RECORDS}"], stderr=log)
        wait_for("the store", lambda: os.path.exists(f"{store}/features.db"), ingest, f"{directory}/log")
        wrong = ["--two-snapshots"] if broken else []
        kinds = {"libholdfast": (2, []), "libholdfast again": (1, []), "SQL": (1, ["--sql"])}
        readers = {name: start([reader, store, seconds, threads, *more, *wrong], stdout=subprocess.PIPE, text=True)
                   for name, (threads, more) in kinds.items()}
        largest = watch_wal(wal, readers.values())
        seen = {name: json.loads(process.communicate()[0] or "{}") for name, process in readers.items()}
        still_there = ingest.poll() is None and streaming.poll() is None
    finally:
        stop(streaming)
        stop(ingest)
    status = json.loads(subprocess.run([holdfast, "status", "--json", "--set", f"store.path={store}"],
                                       check=True, stdout=subprocess.PIPE, text=True).stdout)
    return seen, largest, still_there, status


def main():
    arguments = [word for word in sys.argv[1:] if not word.startswith("--")]
    broken = "--two-snapshots" in sys.argv
    holdfast, stream, reader = arguments[:3]
    seconds = float(arguments[3]) if len(arguments) > 3 else SECONDS
    directory = tempfile.mkdtemp(prefix="holdfast-beside-")
    try:
        seen, largest, still_there, status = run(holdfast, stream, reader, seconds, broken, directory)
        with open(f"{directory}/log", encoding="utf-8") as log:
            said = log.read()
    finally:
        shutil.rmtree(directory)
    taken = status["partitions"][0]["taken"]
    for name, what in seen.items():
        print(f"{name}: " + ", ".join(f"{count} {word}" for word, count in what.items()))
    total = {word: sum(what.get(word, 0) for what in seen.values()) for word in ("reads", "snapshots", "violations")}
    commits = max(what.get("commits", 0) for what in seen.values())
    print(f"{seconds:.0f} s beside {taken / seconds:.0f} records/s: {total['reads']} reads, {total['snapshots']} snapshots, "
          f"{commits} commits seen, WAL at most {largest / (1 << 20):.1f} MiB, {total['violations']} violations")
    if not still_there or not all(what.get("snapshots") for what in seen.values()) or commits < 2:
        sys.exit(f"beside.py: the writer or a reader did not hold out\n{said}")
    if broken:
        sys.exit(0 if all(what["violations"] for what in seen.values()) else "beside.py: wrong readers were not found out")
    if total["violations"]:
        sys.exit("beside.py: a reader saw half a batch, or a version went back")
    if largest > WAL_MAX_BYTES + BATCH_BYTES:
        sys.exit(f"beside.py: the WAL grew beyond {WAL_MAX_BYTES} bytes and a batch")


main()
