"""What producers do wrong: copies, reused keys, disorder, poison. Expected values are worked out here, by hand or in Python."""

import json
import random
import signal
import subprocess
import sys
import time

from processes import ShiftedClock
from rig import PATIENCE_S, PROJECT, TOPIC, await_true, check, equal, scenario, strace

VIEW = {"views": {"v": {"entity": {"k": "string"}, "features": {"n": {"type": "int64", "merge": "sum"}, "word": {"type": "string"}}},
                  "w": {"entity": {"k": "string"}, "features": {"word": {"type": "string"}}}},
        "sources": {TOPIC: {}}}


def stamp(second):
    return f"2026-11-23T{8 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def event(key, k="a", second=0, **features):
    return {"id": key, "view": "v", "entity": {"k": k}, "event_time": stamp(second), "features": features or {"n": 1}}


def at(second, value, key=None):
    """A whole record, with its timestamp in milliseconds."""
    return {"key": key, "value": value, "timestamp": 1795420800000 + second * 1000}


def envelope(rig, **sections):
    path = rig.directory / "envelope.json"
    path.write_text(json.dumps(VIEW))
    rig.configure(schema=path, **sections)
    rig.schema_path = path


def configure(rig, **sections):
    rig.configure(schema=rig.schema_path, **sections)


def row(rig, k="a"):
    found = rig.sql("SELECT n, word FROM v WHERE k = ?", k)
    return found[0] if found else None


def dispositions(rig, **must):
    total = rig.accounts()["total"]
    has = {name: total[name] for name in ("applied", "superseded", "duplicate", "parked", "dead")}
    equal(has, {name: must.get(name, 0) for name in has}, "dispositions")


def reasons(rig):
    found = {}
    for one in rig.status()["reasons"]:
        found[one["reason"]] = found.get(one["reason"], 0) + one["dead"] + one["parked"]
    return found


ONCE = "counted once, the copies are duplicates (I2)"


@scenario("44a", "copies of an event in one batch", "the same record 50 times in a row", ONCE)
def copies_in_batch(rig):
    envelope(rig)
    rig.lines(*[event("x")] * 50)
    rig.take()
    equal(row(rig), (1, None), "row")
    dispositions(rig, applied=1, duplicate=49)
    rig.sound()


@scenario("44b", "copies of an event in other batches", "batches of 3 records, a copy in each of 40", ONCE)
def copies_in_batches(rig):
    envelope(rig, ingest={"batch_records": 3})
    rig.lines(*[event("x") if i % 3 == 0 else event(f"y{i}", k=f"b{i}") for i in range(120)])
    rig.take()
    equal(row(rig), (1, None), "row")
    dispositions(rig, applied=81, duplicate=39)
    rig.sound()


@scenario("44c", "copies of an event in other partitions", "60 copies with 60 record keys, over 32 partitions of a broker", ONCE)
def copies_in_partitions(rig):
    envelope(rig)
    broker = rig.broker()
    configure(rig, kafka={"bootstrap.servers": broker.address})
    rig.lines(*[{"key": f"key{i}", "value": event("x")} for i in range(60)])
    rig.send(broker.address, rig.sent)
    rig.holdfast("ingest", "--until-end")
    check(len([one for one in rig.status()["partitions"] if one["taken"] > 0]) > 10, "they lie in many partitions")
    equal(row(rig), (1, None), "row")
    dispositions(rig, applied=1, duplicate=59)
    rig.sound()


@scenario("44d", "copies of an event after a kill and restarts", "each of 6 copies by a new process, killed behind its COMMIT", ONCE)
def copies_after_restart(rig):
    envelope(rig)
    rig.sent.write_text("")
    for i in range(6):
        with rig.sent.open("a") as more:
            more.write(json.dumps(event("x", second=0)) + "\n" + json.dumps(event(f"y{i}", k="b", second=i)) + "\n")
        rig.take(status=-9, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": "store_committed:1"})
    rig.take()
    equal(row(rig), (1, None), "row")
    equal(row(rig, "b"), (6, None), "row of b")
    dispositions(rig, applied=7, duplicate=5)
    rig.sound()


@scenario("44e", "a copy beyond the key window", "key_window 60 s; copies 30 s, 60 s and 61 s of record time after the first",
          "within the window a duplicate; beyond it a new event, as documented")
def copies_beyond_window(rig):
    envelope(rig, store={"key_window": "60s"})
    rig.lines(*[at(second, event("x")) for second in (0, 30, 60, 61)])
    rig.take()
    equal(row(rig), (2, None), "row")
    dispositions(rig, applied=2, duplicate=2)
    rig.sound()


@scenario("45a", "a key used for another event", "the same id with other content, in one batch and in the next",
          "the first stands, the others are dead letters key_reused")
def reused(rig):
    envelope(rig, ingest={"batch_records": 2})
    rig.lines(event("x", word="first"), event("x", word="second"), event("y", k="b"), event("x", word="third"))
    rig.take()
    equal(row(rig), (None, "first"), "row")
    dispositions(rig, applied=2, dead=2)
    equal(reasons(rig), {"key_reused": 2}, "reasons")
    rig.sound()


@scenario("45b", "a key used for another event, after a restart", "kill behind the COMMIT of the first, then other content under its id",
          "the first stands, the other is a dead letter key_reused")
def reused_after_restart(rig):
    envelope(rig)
    rig.lines(event("x", word="first"))
    rig.take(status=-9, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": "store_committed:1"})
    rig.lines(event("x", word="first"), event("x", word="second"))
    rig.take()
    equal(row(rig), (None, "first"), "row")
    dispositions(rig, applied=1, dead=1)
    rig.sound()


@scenario("46a", "versions out of order within a batch", "an entity's event times t3, t2, t1 (Feast #5163); sums and words",
          "the newest word stands, the sum counts all (I5)")
def out_of_order(rig):
    envelope(rig)
    rig.lines(event("3", second=3, word="t3", n=100), event("2", second=2, word="t2", n=10), event("1", second=1, word="t1", n=1))
    rig.take()
    equal(row(rig), (111, "t3"), "row")
    rig.sound()


@scenario("46b", "events of equal time", "six events of one time, taken in batches of 1, 2, 3 and 6",
          "the later in the log wins, whatever the batches")
def equal_times(rig):
    envelope(rig)
    rig.lines(*[event(str(i), second=5, word=f"word{i}") for i in range(6)])
    digests = set()
    for size in (1, 2, 3, 6):
        path = rig.directory / f"store{size}"
        rig.take("--set", f"store.path={path}", "--set", f"ingest.batch_records={size}")
        equal(rig.sql("SELECT word FROM v", database=path / "generations/g1.db"), [("word5",)], f"row, batches of {size}")
        digests.add(json.loads(rig.holdfast("verify", "--json", "--set", f"store.path={path}").stdout)["digest"])
    equal(len(digests), 1, "digests")


@scenario("46c", "a producer's clock far in the future", "event times an hour and a second after the record, in 2262, and an hour exactly",
          "beyond max_skew dead, event_time_in_future; what comes later in good time is not shadowed")
def future(rig):
    envelope(rig)
    far = event("3", word="far") | {"event_time": "2262-01-01T00:00:00Z"}
    rig.lines(at(0, event("1", second=3601, word="ahead")), at(0, event("2", second=3600, word="edge")), at(0, far),
              at(10, event("4", second=3605, word="good")))
    rig.take()
    equal(row(rig), (None, "good"), "row")
    dispositions(rig, applied=2, dead=2)
    equal(reasons(rig), {"event_time_in_future": 2}, "reasons")


@scenario("46d", "a log in any order", "600 events of 5 entities, shuffled three ways, in batches of 7, 100 and 600", "the same digest each time (I5 I7)")
def shuffled(rig):
    envelope(rig)
    records = [event(str(i), k=f"e{i % 5}", second=i * 7 % 601, n=i, word=f"w{i}") for i in range(600)]
    chance, digests = random.Random(46), set()
    for size in (7, 100, 600):
        chance.shuffle(records)
        rig.lines(*[at(0, one) for one in records])
        path = rig.directory / f"store{size}"
        rig.take("--set", f"store.path={path}", "--set", f"ingest.batch_records={size}")
        digests.add(json.loads(rig.holdfast("verify", "--json", "--set", f"store.path={path}").stdout)["digest"])
        for k in range(5):
            of = [one for one in records if one["entity"]["k"] == f"e{k}"]
            newest = max(of, key=lambda one: one["event_time"])
            equal(rig.sql("SELECT n, word FROM v WHERE k = ?", f"e{k}", database=path / "generations/g1.db"),
                  [(sum(one["features"]["n"] for one in of), newest["features"]["word"])], f"row of e{k}")
    equal(len(digests), 1, "digests")


POISON = {  # raw lines of a value, and why each is dead
    b'{"id": ': "bad_json", b"nonsense": "bad_json", b'{"id": "d", "id": "d"}': "duplicate_member",
    b'{"id": "u", "view": "v\xff"}': "bad_utf8", b"[" * 5000 + b"]" * 5000: "too_deep",
    b'{"id": "n", "view": "v", "entity": {"k": "a"}, "event_time": "2026-11-23T08:00:00Z", "features": {"n": NaN}}': "bad_json",
    b'{"id": "h", "view": "v", "entity": {"k": "a"}, "event_time": "2026-11-23T08:00:00Z", "features": {"n": 1e999}}': None,
    b'{"id": "i", "view": "v", "entity": {"k": "a"}, "event_time": "2026-11-23T08:00:00Z", "features": {"n": 99999999999999999999}}': None,
    b'{"id": "f", "view": "v", "entity": {"k": "a"}, "event_time": "2026-11-23T08:00:00Z", "features": {"n": 1.5}}': "type_mismatch",
    b'{"id": "e", "view": "v", "event_time": "2026-11-23T08:00:00Z", "features": {"n": 1}}': "missing_entity",
    b'{"view": "v", "entity": {"k": "a"}, "event_time": "2026-11-23T08:00:00Z", "features": {"n": 1}}': "no_key",
    b'{"id": "t", "view": "v", "entity": {"k": "a"}, "event_time": "yesterday", "features": {"n": 1}}': "event_time_unreadable",
    b'{"id": "p", "view": "v", "entity": {"k": "a"}, "event_time": "1970-01-01T00:00:00Z", "features": {"n": 1}}': "event_time_implausible",
    b'"text"': None, b"17": None, b"[]": None,
}


@scenario("47a", "poison of every kind", "bad JSON and UTF-8, NaN, 1e999, 10^20, depth 5,000, no key, no entity, bad times …, between good events",
          "one dead letter each with its reason, the good ones all applied (I12)")
def poison(rig):
    envelope(rig)
    with rig.sent.open("wb") as file:
        for i, line in enumerate(POISON):
            file.write(line + b"\n" + json.dumps(event(f"good{i}", k="good")).encode() + b"\n")
    broker = rig.broker()
    configure(rig, kafka={"bootstrap.servers": broker.address})
    rig.send(broker.address, rig.sent, "--as-is")
    rig.holdfast("ingest", "--until-end")
    equal(row(rig, "good"), (len(POISON), None), "row")
    dispositions(rig, applied=len(POISON), dead=len(POISON))
    must, has = {}, reasons(rig)
    for reason in POISON.values():
        if reason is not None:
            must[reason] = must.get(reason, 0) + 1
    for reason, count in must.items():
        check(has.get(reason, 0) >= count, f"reasons: {has}, and must hold {must}")
    rig.sound()


@scenario("47b", "a value of 9 MB", "a record larger than value_bytes_max, between good ones", "a dead letter too_large that keeps it whole; the rest goes on (I12)")
def huge(rig):
    envelope(rig)
    long = json.dumps(event("long", word="x" * 9_000_000))
    rig.sent.write_text(json.dumps(event("1")) + "\n" + long + "\n" + json.dumps(event("2")) + "\n")
    rig.take()
    equal(row(rig), (2, None), "row")
    dispositions(rig, applied=2, dead=1)
    check(sum(len(one[0]) for one in rig.sql("SELECT value FROM _record")) >= 9_000_000, "the value is kept")
    rig.sound()


@scenario("47c", "a quarter of a stream is poison", "20,000 generated records, 25 % broken in every way that the generator knows",
          "the rows are those of the good ones alone, every record is accounted for (I1)")
def much_poison(rig):
    rig.generate(20000, "--broken", 0.25)
    rig.take("--set", "ingest.batch_records=3000")
    rig.sound()
    equal(rig.total(), 20000, "records taken")
    rig.folded()
    check(rig.total("dead") > 4000, f"{rig.total('dead')} dead letters")


@scenario("47e", "poison in 140 ways", "60,000 envelopes, one in a hundred broken in turn in every way of tests/bench/poison_events.py",
          "exactly those are dead or parked, each for the reason written beside the way; all others are applied (I1)")
def poison_in_every_way(rig):
    bench = PROJECT / "tests/bench"
    log, clean, expected = (rig.directory / name for name in ("poison", "clean", "expected"))
    subprocess.run([sys.executable, bench / "poison_events.py", "60000", clean, log, expected], check=True)
    rig.configure(bench / "poison_schema.json", ingest={"batch_records": 20000, "value_bytes_max": "8KiB"})
    rig.holdfast("ingest", "--file", log, "--topic", "events.v1", "--until-end")
    lists = []
    for more in ((), ("--parked",)):
        lists.append(rig.directory / f"letters{len(lists)}")
        lists[-1].write_text(rig.holdfast("dead", "list", "--json", "--limit", 1000000, *more).stdout)
    judged = subprocess.run([sys.executable, bench / "poison.py", log, *lists, expected], capture_output=True, text=True, check=False)
    check(judged.returncode == 0, judged.stdout[-600:] + judged.stderr[-300:])
    fates = [fate for fate, _ in json.loads(expected.read_text()).values()]
    dispositions(rig, applied=60000 - 600, dead=fates.count("dead"), parked=fates.count("parked"))
    rig.sound()


@scenario("48", "an update that can't be applied yet", "an unknown view in the midst of the events of its entity",
          "parked, once; later events of that entity and others flow (I10)")
def not_yet(rig):
    envelope(rig)
    later = event("q") | {"view": "not_yet"}
    rig.lines(event("1", second=1, word="old"), later, later, event("2", second=2, word="new"), event("3", k="b"))
    rig.take()
    equal(row(rig), (None, "new"), "row")
    dispositions(rig, applied=3, parked=1, duplicate=1)
    equal(reasons(rig), {"unknown_view": 1}, "reasons")
    rig.sound()


@scenario("42", "tombstones, empty values and records without a key", "null value with a key, null without, an empty text, a value without key",
          "each has its disposition: a delete, dead letters, applied")
def tombstones(rig):
    envelope(rig)
    rig.lines(at(0, {"id": "1", "view": "w", "entity": {"k": "a"}, "features": {"word": "x"}}, "any"), at(1, None), at(2, ""),
              at(3, event("4", second=3)))
    rig.take()
    equal(row(rig), (1, None), "row")
    total = rig.accounts()["total"]
    equal((total["applied"], total["dead"]), (2, 2), "applied and dead")
    rig.sound()


@scenario("52a", "the whole log is sent again while the service runs", "every record produced a second time to the topic, lookups meanwhile",
          "all duplicates, the digest unchanged, nobody sees an older value (I2 I5)")
def sent_again(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 3000)
    service = rig.start("run", "--port-file", rig.directory / "listener")
    address = rig.listener(service, rig.directory / "listener")
    rig.await_taken(3000, service)
    before = rig.status()
    card = rig.a_card()
    must = rig.ask(address, f"/v1/views/card/{card}")[1]["views"]["card"]["values"]
    rig.send(broker.address, rig.sent)
    while rig.total() < 6000:
        equal(rig.ask(address, f"/v1/views/card/{card}")[1]["views"]["card"]["values"], must, f"values of {card}")
        check(service.runs(), service.said()[-300:])
    after = rig.accounts()
    equal(after["digest"], before["digest"], "digest")
    equal(after["total"]["applied"], before["total"]["applied"], "applied")
    rig.sound()


@scenario("52b", "replay runs beside the live consumer", "records come while the whole log is read again, over and over",
          "nothing is missing, the service takes all, the digest is that of the log (I2 I5)")
def replayed_beside(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 1000)
    service = rig.start("run")
    rig.await_taken(1000, service)
    for part in range(3):
        sender = rig.start("produce", rig.sent, "--topic", TOPIC)  # copies of them all, meanwhile
        told = json.loads(rig.holdfast("replay", "--json").stdout.splitlines()[-1])
        equal(told["answers"]["missing"], 0, "missing")
        check(told["records"] >= 1000 * (part + 1), f"{told['records']} records read")
        equal(sender.wait(), 0, "exit status of produce")
        rig.await_taken(1000 * (part + 2), service)
    check(service.runs(), service.said()[-300:])
    told = json.loads(rig.holdfast("replay", "--json").stdout.splitlines()[-1])
    equal((told["records"], told["answers"]["missing"], told["answers"]["ahead"]), (4000, 0, 0), "of the whole log")
    rig.sound()


@scenario("54", "the log is taken into other stores", "the same file in batches of 1 to 20,000, one store killed five times on the way",
          "one digest (I7)")
def taken_again(rig):
    rig.generate(2000)
    digests = set()
    for size in (1, 13, 500, 20000):
        path = rig.directory / f"store{size}"
        where = ("--set", f"store.path={path}", "--set", f"ingest.batch_records={size}")
        for hit in (2, 3, 4, 2, 3) if size == 13 else ():
            rig.take(*where, status=-9, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": f"store_before_commit:{hit}"})
        rig.take(*where)
        digests.add(json.loads(rig.holdfast("verify", "--json", "--set", f"store.path={path}").stdout)["digest"])
    equal(digests, {rig.undisturbed()}, "digests")


@scenario("47d", "a flood of poison", "12,000 records of which all but the first 100 are poison", "the partition stops with dead_letter_flood, is resumed by hand, and nothing is dropped (I1 I13)")
def flood(rig):
    envelope(rig)
    with rig.sent.open("wb") as file:
        for i in range(12000):
            file.write(json.dumps(event(f"good{i}", k="good")).encode() + b"\n" if i < 100 else b"poison\n")
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
    await_true("it stops", lambda: "dead_letter_flood" in service.said())
    check(rig.total() < 12000, "it stopped on the way")
    end = time.monotonic() + PATIENCE_S
    while rig.total() < 12000 and time.monotonic() < end:
        rig.run("resume", f"{TOPIC}:0")
        time.sleep(0.2)
    rig.await_taken(12000, service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    equal(rig.total(), 12000, "records taken")
    dispositions(rig, applied=100, dead=11900)
    rig.sound()


@scenario("49", "killed while letters are retried", "a retry of ten letters is killed before its COMMIT, then in each fdatasync, then done, then done again",
          "each letter changes the state once (I1 I2)")
def retry_killed(rig):
    envelope(rig)
    rig.lines(event("x"), *[event("x", n=10 ** i) for i in range(1, 11)])
    rig.take()
    dispositions(rig, applied=1, dead=10)
    again = ("dead", "retry", "--all", "--force", "--because", "the test says so")
    for failpoint in ("store_begun:1", "store_before_commit:1"):
        rig.holdfast(*again, status=-9, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": failpoint})
        dispositions(rig, applied=1, dead=10)
    died = 0
    for count in (1, 2, 3):
        died += rig.run(*again, before=strace(f"fdatasync:signal=KILL:when={count}")).returncode != 0
        check(row(rig)[0] in (1, sum(10 ** i for i in range(11))), f"{row(rig)} of ten letters")
    check(died > 0, "none was killed")
    rig.run(*again)
    equal(row(rig), (sum(10 ** i for i in range(11)), None), "row")
    rig.run(*again)
    equal(row(rig), (sum(10 ** i for i in range(11)), None), "row after one more retry")
    dispositions(rig, applied=11)
    rig.sound()


@scenario("50", "the parked updates at their bound", "ingest.parked_max 50, one attempt: 300 updates of an unknown view, then 100 good ones; the service's clock is moved on",
          "the topic waits at the bound, says parked_full, goes on as there is room; nothing is dropped (I12 I8)")
def parked_bound(rig):
    envelope(rig, ingest={"batch_records": 10, "parked_max": 50, "retry_attempts": 1})
    rig.lines(*[event(f"p{i}") | {"view": "not_yet"} for i in range(300)], *[event(f"g{i}", k="good") for i in range(100)])
    clock = ShiftedClock(rig)
    service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, environment=clock.environment)
    most = hours = 0
    end = time.monotonic() + PATIENCE_S
    while rig.total() < 400 and time.monotonic() < end:
        before = rig.total()
        await_true("it waits", lambda: "parked_full" in service.said())
        time.sleep(0.3)
        most = max(most, rig.total("parked"))
        check(service.runs(), service.said()[-300:])
        hours += 2
        clock.jump(hours * 3600)
        await_true("it goes on", lambda: rig.total() > before)
    equal(rig.total(), 400, "records taken")
    check(50 <= most <= 100, f"{most} were parked at once")
    equal(row(rig, "good"), (100, None), "row")
    equal(service.end(signal.SIGTERM), 0, "exit status")
    total = rig.accounts()["total"]
    equal((total["applied"], total["parked"] + total["dead"]), (100, 300), "applied, and parked or dead")
    rig.sound()


@scenario("51", "the export of dead letters is killed", "`dead export` of 300 letters is killed in its 2nd to 6th fdatasync, each time going on; then done",
          "every letter is in the topic, some twice; letters and accounts unchanged (I1)")
def export_killed(rig):
    envelope(rig)
    broker = rig.broker()
    rig.sent.write_text("".join(f"poison {i}\n" for i in range(300)))
    rig.take("--set", "ingest.dead_share_max=1")
    before = rig.status()
    configure(rig, kafka={"bootstrap.servers": broker.address})
    export, died = ("dead", "export", "--topic", "letters"), 0
    for count in range(1, 7):
        died += rig.run(*export, before=strace(f"fdatasync:signal=KILL:when={count}")).returncode != 0
    rig.holdfast(*export)
    check(died >= 2, f"only {died} were killed")
    equal(rig.status()["digest"], before["digest"], "digest")
    equal(rig.total("dead"), 300, "dead letters")
    rig.sound()
    schema = rig.directory / "letters.json"
    schema.write_text(json.dumps(VIEW | {"sources": {"letters": {}}}))
    store = rig.directory / "letters"
    configure_letters = ("--set", f"store.path={store}", "--set", f"schema={schema}", "--set", "ingest.dead_share_max=1")
    rig.holdfast("ingest", "--until-end", *configure_letters)
    found = [bytes(one[0]) if not isinstance(one[0], str) else one[0].encode()
             for one in rig.sql("SELECT value FROM _record", database=store / "generations/g1.db")]
    equal({one for one in found} == {f"poison {i}".encode() for i in range(300)}, True, f"values in the topic, {len(found)} records")
