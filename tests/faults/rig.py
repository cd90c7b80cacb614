"""What scenarios share: a directory with a service in it, brokers, ways to hurt them, and an oracle that shares no code with it."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import datetime, timedelta, timezone

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "deploy/sample"))
import oracle  # noqa: E402  it folds the sample's events in Python

SAMPLE = PROJECT / "deploy/sample/schema.json"
TOPIC = "payments.v1"
PATIENCE_S = 40
STOP_S = 15  # the service ends within that, whatever state it is in
PART_MINUTES = 6  # 20 records a second, and 5,000 of them
NOT_RUN = 77
NOBODY = 65534
SCENARIOS = {}


class Scenario:
    def __init__(self, sentence, injection, invariant, run, fault=None):
        self.sentence, self.injection, self.invariant, self.run, self.fault = sentence, injection, invariant, run, fault


def scenario(number, sentence, injection, invariant, fault=None):
    """Registers a function of a Rig: it raises AssertionError when the invariant does not hold. `fault`: a known one of the
    service, for which it counts as broken without failing the run."""
    def register(run):
        assert number not in SCENARIOS, number
        SCENARIOS[number] = Scenario(sentence, injection, invariant, run, fault)
        return run
    return register


def not_run(number, sentence, reason):
    assert number not in SCENARIOS, number
    SCENARIOS[number] = Scenario(sentence, reason, "", None)


class CannotRun(Exception):
    """This machine lacks what the injection needs."""


def where(error):
    """The line of the scenario that found it."""
    return "".join(f"{pathlib.Path(frame.filename).name}:{frame.lineno} " for frame in traceback.extract_tb(error.__traceback__)
                   if "tests/" in frame.filename)


def check(true, what):
    if not true:
        raise AssertionError(what)


def equal(has, must, what):
    check(has == must, f"{what}: {has!r}, and must be {must!r}")


def await_true(what, condition, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not condition():
        check(time.monotonic() < deadline, f"not within {patience_s} s: {what}")
        time.sleep(0.02)


def strace(*injections, path=None):
    """The command before the program: its system calls, tampered with; only those on `path` where given."""
    if shutil.which("strace") is None:
        raise CannotRun("there is no strace here: deploy/packages.sh test installs it")
    calls = ",".join(sorted({name for one in injections for name in one.split(":")[0].split(",")}))
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
    if path is not None:
        command += ["-P", str(path)]
    for one in injections:
        command += ["-e", f"inject={one}"]
    return command


class Process:
    """One that the scenario started; its log is a file."""

    def __init__(self, command, log, **more):
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, **more)
        self.pid = self.popen.pid

    def said(self):
        return self.log.read_text(errors="replace")

    def runs(self):
        return self.popen.poll() is None

    def kill(self, number=signal.SIGKILL):
        if self.runs():
            self.popen.send_signal(number)

    def wait(self, patience_s=PATIENCE_S):
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"process {self.pid} is not over within {patience_s} s: {self.said()[-600:]}") from None

    def end(self, number=signal.SIGKILL):
        self.kill(number)
        return self.wait(STOP_S)

    def status_of(self, name):
        """A figure of /proc/PID/status, in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)


class Rig:
    """A directory with a store, a configuration and what was sent."""

    def __init__(self, build):
        self.program, self.failpoints = f"{build}/holdfast", f"{build}/holdfast-failpoints"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-faults-"))
        self.directory.chmod(0o755)
        self.store, self.sent = self.directory / "store", self.directory / "sent.ndjson"
        self.database = self.store / "generations/g1.db"
        self.began, self.produced = datetime.now(timezone.utc) - timedelta(hours=3), 0
        self.sections, self.processes, self.closers, self.reference = {}, [], [], {}
        self.configure()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill(signal.SIGCONT)
            process.kill()
        for close in reversed(self.closers):
            close()
        for process in self.processes:
            process.popen.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Running it

    def configure(self, schema=SAMPLE, **sections):
        self.sections |= sections
        config = {"schema": str(schema), "store": {"path": str(self.store), "ballast_bytes": "0B"}, "serve": {"port": 0},
                  "ingest": {"batch_records": 200}}
        for name, values in self.sections.items():
            config[name] = config.get(name, {}) | values
        (self.directory / "holdfast.json").write_text(json.dumps(config))

    def environment(self, **more):
        return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | more

    def run(self, *arguments, program=None, before=(), environment=(), stdin=None, patience_s=PATIENCE_S):
        try:
            return subprocess.run([*map(str, before), program or self.program, *map(str, arguments)], cwd=self.directory,
                                  env=self.environment(**dict(environment)), capture_output=True, text=True, errors="replace",
                                  input=stdin, timeout=patience_s, check=False)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{arguments} is not over within {patience_s} s: {(late.stderr or b'')[-600:]}") from None

    def holdfast(self, *arguments, status=0, **more):
        done = self.run(*arguments, **more)
        equal(done.returncode, status, f"exit status of {' '.join(map(str, arguments))} ({done.stderr.strip()[-400:]})")
        return done

    def start(self, *arguments, program=None, before=(), environment=(), **more):
        process = Process([*before, program or self.program, *arguments], self.directory / f"{len(self.processes)}.log",
                          cwd=self.directory, env=self.environment(**dict(environment)), **more)
        self.processes.append(process)
        return process

    def file_command(self, *more):
        return ("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", *more)

    def take(self, *more, status=0, **how):
        """Takes the file that was sent; `status` None allows any."""
        done = self.run(*self.file_command(*more), **how)
        if status is not None:
            equal(done.returncode, status, f"exit status of ingest ({done.stderr.strip()[-400:]})")
        return done

    def generate(self, count=3000, *more, entities=100):
        self.holdfast("produce", "--generate", count, "--to-file", self.sent, "--entities", entities, *self.times(0), *more)

    def times(self, part):
        """Event times of one part do not meet those of another: the fold knows no coordinates to tell them apart by."""
        begin = self.began + timedelta(minutes=PART_MINUTES * part)
        return "--base-time", begin.strftime("%Y-%m-%dT%H:%M:%SZ")

    def lines(self, *values):
        """A file of records."""
        self.sent.write_text("".join(json.dumps(value) + "\n" for value in values))

    # Kafka

    def broker(self):
        port_file = self.directory / f"bootstrap.{len(self.processes)}"
        process = self.start("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker's port", lambda: port_file.exists() or not process.runs())
        check(process.runs(), process.said())
        process.address = port_file.read_text().strip()
        return process

    def client(self, address, **kafka):
        self.configure(kafka={"bootstrap.servers": address, "reconnect.backoff.max.ms": 200} | kafka)

    def produce(self, address, count, *more, entities=100, tee=True):
        """Generated events to a topic; what was sent is added to the file."""
        part = self.directory / "part.ndjson"
        self.produced += 1
        self.holdfast("produce", "--generate", count, "--entities", entities, "--topic", TOPIC, "--tee", part, *more,
                      "--seed", self.produced + 1, *self.times(self.produced),
                      "--set", f"kafka.bootstrap.servers={address}")
        if tee:
            with self.sent.open("a") as all_of_it:
                all_of_it.write(part.read_text())

    def send(self, address, path, *more):
        self.holdfast("produce", path, "--topic", TOPIC, *more, "--set", f"kafka.bootstrap.servers={address}")

    # Looking at it from outside

    def sql(self, query, *values, database=None):
        path = (database or self.database).resolve()
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    @contextlib.contextmanager
    def snapshot(self):
        """Somebody reads meanwhile: what is committed stays in the WAL, which no clean stop can empty."""
        db = sqlite3.connect(f"{self.database.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None)
        try:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM _partition").fetchall()
            yield
        finally:
            db.close()

    def status(self):
        done = self.run("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def total(self, name="taken"):
        status = self.status()
        return status["total"][name] if status else 0

    def sent_count(self):
        return self.sent.read_bytes().count(b"\n")

    def await_taken(self, count, process=None):
        await_true(f"{count} records are taken, and now {self.total()}",
                   lambda: self.total() >= count or (process is not None and not process.runs()))
        if process is not None:
            check(process.runs(), f"ended: {process.said()[-600:]}")
        equal(self.total(), count, "records taken")

    def accounts(self):
        """P1: every record and every update is accounted for."""
        status = self.status()
        check(status is not None, "status can be read")
        for one in status["partitions"]:
            of = f"{one['topic']}:{one['partition']}"
            equal(one["first_offset"] + one["taken"] + one["gaps"] + one["lost"], one["next_offset"], f"offsets of {of}")
            equal(sum(one[name] for name in ("applied", "superseded", "duplicate", "parked", "dead")), one["updates"],
                  f"dispositions of {of}")
        return status

    def sound(self):
        """I11: SQLite's check and the service's own of every row, checksum, account and digest."""
        equal(self.sql("PRAGMA integrity_check"), [("ok",)], "integrity_check")
        verdict = self.run("verify", "--json")
        equal(verdict.returncode, 0, f"verify ({verdict.stdout[-600:]}{verdict.stderr[-300:]})")
        self.accounts()

    def undisturbed(self, batch_records=777, patience_s=PATIENCE_S):
        """The digest of a store that took the same records in peace, in batches of another size."""
        content = self.sent.read_bytes()
        if content not in self.reference:
            path = self.directory / f"undisturbed.{len(self.reference)}"
            self.holdfast(*self.file_command("--set", f"store.path={path}", "--set", f"ingest.batch_records={batch_records}"), patience_s=patience_s)
            done = self.holdfast("verify", "--json", "--set", f"store.path={path}")
            self.reference[content] = json.loads(done.stdout)["digest"]
            shutil.rmtree(path)
        return self.reference[content]

    def folded(self, sent=None):
        """Each stored row, compared with the events folded in Python."""
        must = oracle.fold(sent or self.sent)[1]
        db = sqlite3.connect(f"{self.database.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
        try:
            db.execute("BEGIN")
            for view, rows in must.items():
                has = oracle.stored(db, view)
                wrong = [entity for entity in rows.keys() | has.keys() if rows.get(entity) != has.get(entity)]
                check(not wrong, f"{len(wrong)} rows of {view} differ from the fold: {wrong[:1]} is "
                                 f"{has.get(wrong[0]) if wrong else ''}, must be {rows.get(wrong[0]) if wrong else ''}")
        finally:
            db.close()

    def whole(self):
        """I1 I2 I7 I11: all that was sent is in, once; and the state is that of an undisturbed run."""
        self.sound()
        equal(self.total(), self.sent_count(), "records taken")
        self.folded()
        equal(self.status()["digest"], self.undisturbed(), "digest, against an undisturbed run")

    def prefix(self):
        """I3 I6: what is stored is what the log says up to the stored offset, nothing of what follows."""
        status = self.accounts()
        offset = status["partitions"][0]["next_offset"] if status["partitions"] else 0
        content = self.sent.read_bytes()
        check(offset == 0 or content[offset - 1:offset] == b"\n", f"the offset {offset} is between two lines")
        taken = self.directory / "taken.ndjson"
        taken.write_bytes(content[:offset])
        self.folded(taken)
        return offset

    # Serving

    def listener(self, process, path):
        await_true("a port", lambda: path.exists() or not process.runs())
        check(process.runs(), process.said())
        return path.read_text().strip()

    def serve(self, *more, **how):
        path = self.directory / f"listener.{len(self.processes)}"
        process = self.start("serve", "--port-file", path, *more, **how)
        process.address = self.listener(process, path)
        return process

    def ask(self, address, target):
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        try:
            connection.request("GET", target)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def a_card(self):
        for _, value in oracle.events(self.sent):
            if value["type"] == "payment":
                return value["card"]
        raise AssertionError("no payment was sent")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
