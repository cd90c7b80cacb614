#!/usr/bin/env python3
"""Readers beside a writer at full speed: whole batches, versions that only go up, a bounded WAL.

    beside.py HOLDFAST STREAM READER [SECONDS] [--end-writers] [--two-snapshots]

`holdfast ingest` follows a file that grows faster than it reads; processes and threads read beside it, by libholdfast, by
plain SQL and over HTTP, and check each snapshot (beside_reader.c, beside_http.py). With --end-writers it is killed and stopped in
turn, again and again, and a new one takes over: no lookup may fail. With --two-snapshots the readers are made wrong, and must be
found out.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SECONDS = 10
BATCH_RECORDS = 250  # small, for many commits
WAL_MAX_BYTES = 4 << 20
# A batch is 1,000 keys of 70 bytes and up to every page of three views with 1,000 entities. Twice that: the checkpoint gives
# way to a reader that holds out.
BATCH_BYTES = 2 << 20
LOOK_EVERY_S = 0.002
END_EVERY_S = 0.7
HERE = os.path.dirname(os.path.abspath(__file__))


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def start(*command, **options):
    return subprocess.Popen([str(word) for word in command], **options)


def stop(process):
    if process is not None and process.poll() is None:
        process.terminate()
        process.wait(timeout=60)


class Bed:
    """A stream, who takes it, who serves it: processes that live while the readers read."""

    def __init__(self, holdfast, stream, directory):
        self.holdfast, self.directory = holdfast, directory
        self.store, self.file = f"{directory}/store", f"{directory}/stream.ndjson"
        self.streaming = self.writer = self.server = None
        self.writers_ended = 0
        self.streaming = start(stream, self.store, self.file)

    def log(self):
        with open(f"{self.directory}/log", encoding="utf-8") as log:
            return log.read()

    def wait_for(self, what, condition, process):
        end = time.monotonic() + 60
        while not condition():
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"beside.py: {what} did not come\n{self.log()}")
            time.sleep(0.01)

    def start_writer(self):
        with open(f"{self.directory}/log", "a", encoding="utf-8") as log:
            self.writer = start(self.holdfast, "ingest", "--file", self.file, "--topic", "beside",
                                "--set", f"schema={HERE}/beside.json", "--set", f"store.path={self.store}",
                                "--set", f"store.wal_max_bytes={WAL_MAX_BYTES}B",
                                "--set", f"ingest.batch_records={BATCH_RECORDS}", stderr=log)

    def end_writer(self):
        self.writer.send_signal(signal.SIGTERM if self.writers_ended % 2 else signal.SIGKILL)
        self.writer.wait(timeout=60)
        self.writers_ended += 1

    def start_all(self):
        """Returns where the server listens."""
        self.wait_for("the stream", lambda: size(self.file) > 0, self.streaming)
        self.start_writer()
        self.wait_for("the store", lambda: os.path.exists(f"{self.store}/features.db"), self.writer)
        port_file = f"{self.directory}/port"
        with open(f"{self.directory}/log", "a", encoding="utf-8") as log:
            self.server = start(self.holdfast, "serve", "--port-file", port_file, "--set", f"store.path={self.store}",
                                "--set", "serve.port=0", stderr=log)
        self.wait_for("the server", lambda: size(port_file) > 0, self.server)
        with open(port_file, encoding="utf-8") as told:
            return told.read().strip()

    def watch(self, readers, end_writers):
        """While the readers read. Returns the WAL's largest size."""
        largest, next_end = 0, time.monotonic() + END_EVERY_S
        while any(reader.poll() is None for reader in readers):
            largest = max(largest, size(f"{self.store}/generations/g1.db-wal"))
            if end_writers and time.monotonic() > next_end:
                self.end_writer()
                self.start_writer()
                next_end = time.monotonic() + END_EVERY_S
            time.sleep(LOOK_EVERY_S)
        return largest

    def is_alive(self):
        return all(process.poll() is None for process in (self.streaming, self.writer, self.server))

    def taken(self):
        told = subprocess.run([self.holdfast, "status", "--json", "--set", f"store.path={self.store}"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        return json.loads(told)["partitions"][0]["taken"]

    def stop(self):
        for process in (self.streaming, self.writer, self.server):
            stop(process)


def read(bed, reader, seconds, wrong):
    """Starts the readers, by name."""
    listener = bed.start_all()
    commands = {"libholdfast": [reader, bed.store, seconds, 2], "libholdfast, kept": [reader, bed.store, seconds, 1, "--keep"],
                "SQL": [reader, bed.store, seconds, 1, "--sql"],
                "HTTP": [sys.executable, f"{HERE}/beside_http.py", listener, seconds]}
    return {name: start(*command, *wrong, stdout=subprocess.PIPE, text=True) for name, command in commands.items()}


def judge(seen, largest, bed, broken):
    """What is wrong, if anything."""
    if not bed.is_alive() or not all(what.get("snapshots") and what["commits"] >= 2 for what in seen.values()):
        return f"the writer or a reader did not hold out\n{bed.log()}"
    if broken:
        return None if all(what["violations"] for what in seen.values()) else "wrong readers were not found out"
    if any(what["violations"] for what in seen.values()):
        return "a reader saw half a batch, or a version went back"
    if largest > WAL_MAX_BYTES + BATCH_BYTES:
        return f"the WAL grew beyond {WAL_MAX_BYTES} bytes and a batch"
    return None


def run(bed, reader, seconds, options):
    broken = "--two-snapshots" in options
    readers = read(bed, reader, seconds, ["--two-snapshots"] if broken else [])
    largest = bed.watch(readers.values(), "--end-writers" in options)
    seen = {name: json.loads(process.communicate()[0] or "{}") for name, process in readers.items()}
    for name, what in seen.items():
        print(f"{name}: " + ", ".join(f"{count} {word}" for word, count in what.items()))
    total = {word: sum(what.get(word, 0) for what in seen.values()) for word in ("reads", "snapshots", "violations")}
    ended = f", {bed.writers_ended} writers ended" if bed.writers_ended else ""
    print(f"{seconds:.0f} s beside {bed.taken() / seconds:.0f} records/s{ended}: {total['reads']} reads, "
          f"{total['snapshots']} snapshots, {max(what.get('commits', 0) for what in seen.values())} commits seen, "
          f"WAL at most {largest / (1 << 20):.1f} MiB, {total['violations']} violations", flush=True)
    return judge(seen, largest, bed, broken)


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    options = [word for word in sys.argv[1:] if word.startswith("--")]
    holdfast, stream, reader = words[:3]
    seconds = float(words[3]) if len(words) > 3 else SECONDS
    directory = tempfile.mkdtemp(prefix="holdfast-beside-")
    bed = Bed(holdfast, stream, directory)
    try:
        wrong = run(bed, reader, seconds, options)
    finally:
        bed.stop()
        shutil.rmtree(directory)
    if wrong:
        sys.exit(f"beside.py: {wrong}")


main()
