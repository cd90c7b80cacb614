"""A record ends the process: it is found, parked, and nothing else suffers."""

import json
import random
import signal
import time
import urllib.request

import kills
from rig import PATIENCE_S, TOPIC, await_true, check, equal, scenario, strace

ABORTED = -signal.SIGABRT
STARTS_MAX = 25  # 16 to a record at a time, 3 with it alone, and a few for chance
CRASH = {"reason": "crash_loop", "view": "", "dead": 0, "parked": 1}


def culprit(rig, line):
    """What only that record holds: its id."""
    value = json.loads(rig.sent.read_text().splitlines()[line])["value"]
    return value["id"] if "id" in value else value["batch"]


def loop(rig, text, *command):
    """Starts it as a supervisor would, until it ends well; says how often it died."""
    for deaths in range(STARTS_MAX):
        done = rig.run(*command, program=rig.failpoints, environment={"HOLDFAST_CRASH_AT": text})
        if done.returncode == 0:
            return deaths, done.stderr
        equal(done.returncode, ABORTED, f"exit status ({done.stderr[-300:]})")
        if rig.status() is not None:
            equal(rig.total("dead") + rig.total("parked"), 0, "letters before it is found")
    raise AssertionError(f"not found within {STARTS_MAX} starts: {rig.status()['search']}")


def found(rig, text):
    """That record is parked, with its payload, and nothing else is; a version that can take it does."""
    status = rig.accounts()
    equal(status["search"], None, "the search is over")
    equal([{name: one[name] for name in CRASH} for one in status["reasons"]], [CRASH], "letters")
    letters = json.loads(rig.holdfast("dead", "list", "--parked", "--json").stdout)["letters"]
    equal(len(letters), 1, "letters listed")
    check(text in rig.holdfast("dead", "show", "--parked", letters[0]["id"], "--json").stdout, "the payload is kept")


def letters(rig):
    """What is parked: its number, reason and coordinates."""
    listed = json.loads(rig.holdfast("dead", "list", "--parked", "--json").stdout)["letters"]
    return [{name: one[name] for name in ("id", "reason", "topic", "partition", "offset")} for one in listed]


def without(rig, text):
    """The digest of a store that never saw that record."""
    everything = rig.sent.read_text()
    rig.sent.write_text("".join(line + "\n" for line in everything.splitlines() if text not in line))
    digest = rig.undisturbed()
    rig.sent.write_text(everything)
    return digest


def taken_up(rig):
    rig.holdfast("dead", "retry", "--parked", "--reason", "crash_loop")
    equal(rig.total("parked"), 0, "parked after dead retry")
    rig.whole()


@scenario("69a", "a record ends the process whenever it is decoded", "abort() at one of 30,000 records of a file, started again each time",
          "that record is parked as crash_loop, all others are in, once (I1 I2 I8); retried by a version that can, as if it came in time (I7)")
def in_a_file(rig):
    rig.generate(30000)
    rig.configure(ingest={"batch_records": 20000})
    text = culprit(rig, 17000)
    deaths, said = loop(rig, text, *rig.file_command())
    check(deaths >= 5, f"it died {deaths} times only")
    check("crash_loop" in said, f"the log names it: {said[-600:]}")
    rig.sound()
    found(rig, text)
    equal(rig.status()["digest"], without(rig, text), "digest, against a log without that record")
    taken_up(rig)


@scenario("69b", "a record ends the process, with traffic in other partitions",
          "abort() at one of 6,000 records in 32 partitions of a broker; 300 more come after each start", "as 69a; the other partitions go on")
def beside_traffic(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.configure(ingest={"batch_records": 20000})
    rig.produce(broker.address, 6000)
    text = culprit(rig, 3000)
    deaths = 0
    while deaths < STARTS_MAX:
        rig.produce(broker.address, 300)
        done = rig.run("ingest", "--until-end", program=rig.failpoints, environment={"HOLDFAST_CRASH_AT": text})
        if done.returncode == 0:
            break
        deaths += 1
    check(5 <= deaths < STARTS_MAX, f"it died {deaths} times")
    equal(rig.total(), rig.sent_count(), "records taken")
    rig.sound()
    found(rig, text)
    equal(rig.status()["digest"], without(rig, text), "digest, against a log without that record")
    taken_up(rig)


@scenario("69h", "a generation is built from a log with a record that ended the process",
          "abort() at one of 3,000 records, until it is parked; then rebuild, which aborts at it as well, beside an owner and by itself",
          "the builder parks it unseen, as the live generation has it, under its number (P7 P8)")
def rebuilt(rig):
    rig.generate(3000)
    text = culprit(rig, 1700)
    environment = {"HOLDFAST_CRASH_AT": text}
    loop(rig, text, *rig.file_command())
    before = rig.status()["digest"], letters(rig)
    rig.configure(file={"path": str(rig.sent), "topic": TOPIC})
    rig.holdfast("rebuild", program=rig.failpoints, environment=environment)
    owner = rig.start("ingest", program=rig.failpoints, environment=environment)
    await_true("it owns the store", lambda: (rig.store / "control.sock").exists() or not owner.runs())
    rig.holdfast("rebuild", program=rig.failpoints, environment=environment)
    check(owner.runs(), owner.said())
    equal(owner.end(signal.SIGTERM), 0, "exit status of the owner")
    equal((rig.store / "features.db").readlink().name, "g3.db", "the live generation")
    equal((rig.status()["digest"], letters(rig)), before, "digest and letters")
    found(rig, text)


@scenario("69j", "the store goes back to before a record that ended the process",
          "abort() at one of 3,000 records, until it is parked; then restore of a backup from before it came, with the same program",
          "nothing dies of it again: it is parked unseen when it comes, and the state is as it was (P7 P8)")
def gone_back(rig):
    rig.generate(3000)
    text, everything = culprit(rig, 1700), rig.sent.read_text()
    rig.sent.write_text("".join(everything.splitlines(keepends=True)[:1000]))
    rig.take()
    rig.holdfast("backup", "early")
    rig.sent.write_text(everything)
    environment = {"HOLDFAST_CRASH_AT": text}
    loop(rig, text, *rig.file_command())
    before = rig.status()["digest"]
    told = json.loads(rig.holdfast("restore", "early", "--json").stdout)
    equal(told["carried"]["culprits"], 1, "records taken over")
    rig.take(program=rig.failpoints, environment=environment)
    rig.database = (rig.store / "features.db").resolve()
    equal(rig.status()["digest"], before, "digest")
    found(rig, text)
    taken_up(rig)


@scenario("69i", "a parked letter ends the process whenever it is tried again",
          "three updates of a view that is not there yet are parked; from then on abort() whenever one of them is decoded",
          "after three deaths it is left alone as crash_loop, the service goes on; with the view there, the others are taken, and it when told to (P8 I1)")
def parked_letter(rig):
    count = {"entity": {"k": "int64"}, "features": {"n": {"type": "int64", "merge": "sum"}}}
    schema = rig.directory / "schema.json"
    schema.write_text(json.dumps({"views": {"v": count}, "sources": {TOPIC: {}}}))
    rig.configure(schema)

    def event(view, name, number):
        return {"id": name, "view": view, "entity": {"k": number}, "event_time": "2026-01-01T00:00:00Z", "features": {"n": 1}}
    lines = [event("later", name, number) for number, name in enumerate(("before", "culprit", "behind"))]
    rig.lines(*lines)
    rig.take()
    equal(rig.total("parked"), 3, "updates parked")
    environment, deaths = {"HOLDFAST_CRASH_AT": "culprit"}, 0
    rig.lines(*lines, event("v", "new", 1))
    while True:
        service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, program=rig.failpoints, environment=environment)
        await_true("it dies, or says why it does not", lambda: not service.runs() or "crash_loop" in service.said())
        if service.runs():
            break
        deaths += 1
        equal(service.wait(), ABORTED, "exit status")
        check(deaths <= 3, "it dies again and again")
    rig.await_taken(4, service)
    check("parked letter 2 ended the process 3 times" in service.said(), service.said()[-600:])
    time.sleep(3)  # its turn comes, again and again
    check(service.runs(), service.said()[-300:])
    equal(service.end(signal.SIGTERM), 0, "exit status")
    equal([one["reason"] for one in letters(rig)], ["unknown_view", "crash_loop", "unknown_view"], "letters")
    rig.sound()
    schema.write_text(json.dumps({"views": {"v": count, "later": count}, "sources": {TOPIC: {}}}))
    rig.holdfast("schema", "apply", schema)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, program=rig.failpoints, environment=environment)
    await_true("the others are taken", lambda: rig.total("parked") == 1)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    rig.holdfast("dead", "retry", "--parked", "--reason", "crash_loop")
    equal(rig.sql("SELECT k, n FROM later ORDER BY k"), [(0, 1), (1, 1), (2, 1)], "rows")
    rig.sound()


@scenario("69c", "killed 40 times at random moments of a backlog", "SIGKILL 20 to 250 ms after each start, whatever the batches are by then",
          "no record is parked for it (I1), and the size of batches comes back by itself (I8); " + kills.WHOLE)
def by_somebody_else(rig):
    rig.generate(60000)
    rig.configure(ingest={"batch_records": 20000})
    chance = random.Random(69)
    searched = died = 0
    for _ in range(40):
        service = rig.start(*rig.file_command())
        time.sleep(chance.uniform(0.02, 0.25))
        died += service.runs()
        service.end()
        status = rig.status() if rig.database.exists() else None
        searched += status is not None and status["search"] is not None
        check(status is None or status["total"]["parked"] + status["total"]["dead"] == 0, "nothing is parked")
    check(died >= 10, f"only {died} of 40 were killed")
    check(searched >= 1, "the kills began a search")
    rig.take()
    equal(rig.status()["search"], None, "the search is over")
    rig.whole()


def down_to_one(rig):
    """Until one record is in flight at a time, behind the middle of 2,000."""
    rig.generate(2000)
    text = culprit(rig, 1500)
    for _ in range(STARTS_MAX):
        rig.take(status=None, program=rig.failpoints, environment={"HOLDFAST_CRASH_AT": text})
        if rig.status()["search"] and rig.status()["search"]["batch_records"] == 1:
            break
    equal(rig.status()["search"]["batch_records"], 1, "a record at a time")


def told(rig):
    """status says it to people, and /metrics to Prometheus."""
    check("a record that ends it is searched for, 1 at a time" in rig.holdfast("status").stdout, "status tells of the search")
    server = rig.serve()
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=PATIENCE_S) as reply:
        check("\nholdfast_crash_search_records 1\n" in reply.read().decode(), "the metric")
    server.end(signal.SIGTERM)


@scenario("69d", "killed again and again with one record at a time in flight",
          "SIGKILL 10 to 60 ms after each start, 60 times, once batches are of one record", "as 69c: chance convicts nobody")
def one_at_a_time(rig):
    down_to_one(rig)
    told(rig)
    chance = random.Random(70)
    for _ in range(60):
        service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
        time.sleep(chance.uniform(0.01, 0.06))
        service.end()
        equal(rig.total("parked"), 0, "parked")
    rig.take()
    rig.whole()


@scenario("69g", "a disk that hangs, and a watchdog that kills what hangs",
          "one record at a time in flight; failpoint store_before_commit, at its 1st, 2nd and 3rd pass, 5 times each", "as 69c: the disk is no record's fault")
def in_commit(rig):
    down_to_one(rig)
    for hit in (1, 2, 3):
        for _ in range(5):
            rig.take(status=-signal.SIGKILL, program=rig.failpoints,
                     environment={"HOLDFAST_FAILPOINT": f"store_before_commit:{hit}"})
            equal(rig.total("parked"), 0, "parked")
    rig.take()
    rig.whole()


@scenario("69e", "the disk fails again and again", "strace lets each run's fdatasync fail with EIO from the 6th on, in 12 runs",
          "orderly exits convict nobody: nothing is searched for, nothing parked (I1 I13)")
def failing_disk(rig):
    rig.generate()
    failed = 0
    for _ in range(12):
        done = rig.take(status=None, before=strace("fdatasync:error=EIO:when=6+"))
        failed += done.returncode == 1
        check(not (rig.store / "generations/g1.db-running").exists(), "the note that it runs is taken back")
        status = rig.status()
        check(status is None or status["search"] is None, "no search")
    check(failed >= 3, f"only {failed} of 12 failed")
    rig.take()
    rig.whole()


@scenario("69f", "a clean stop leaves no trace of the run", "SIGTERM while it takes records, then looking at the directory",
          "the note that it runs is gone")
def clean_stop(rig):
    rig.generate(3000)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    await_true("it runs", lambda: (rig.store / "generations/g1.db-running").exists() and rig.total() > 0)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    check(not (rig.store / "generations/g1.db-running").exists(), "the note is there")
