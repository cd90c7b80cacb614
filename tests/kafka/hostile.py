"""hostile.py BUILD_DIRECTORY BROKER_DIRECTORY [--short] [--in-namespace] [NAME…]: see hostile.sh."""

import collections
import contextlib
import json
import pathlib
import random
import signal
import subprocess
import sys
import textwrap
import time

import compacted as compaction
import log_decisions  # it knows the way to tests/faults
from wire import Wire, WireError

from proxy import OFFSET_COMMIT, Proxy, offsets_of_commit
from rig import TOPIC, Rig, await_true, check, equal, where
from rivals import Rivals
from transactions import EVENTS, in_transactions, payload_of

HERE = pathlib.Path(__file__).resolve().parent
PARTITIONS = 4
BACK_S = 60  # from the end of a fault until all is taken, on a busy machine
PEACE_S = 300  # for a store that takes a long log in peace
DOWN_MS = 3000  # from this lag on readers take ingest for dead
IDENTITY_S = 10  # each running log is compared so often
NOTICED_S = 3 * IDENTITY_S
BLACK_S = 8
SOCKET_MS = 3000  # a request without answer ends the connection within that
FLOW_A_KILL, FLOW_S = 120, 200  # records that are sent meanwhile, and how many a second
KILLED = -signal.SIGKILL
SEED = 7
TEXT_COLUMNS = 100
SCENARIOS = {}


def scenario(partitions=PARTITIONS, in_short=True):
    """Registers a function (field, short) -> figures; its doc string says what is done."""
    def register(run):
        run.partitions, run.in_short = partitions, in_short
        SCENARIOS[run.__name__] = run
        return run
    return register


class Broker(log_decisions.Broker):
    def __init__(self, directory, namespace):
        super().__init__(directory, (directory / "bootstrap").read_text().strip())
        self.namespace, self.wire = namespace, Wire(self.address)

    def anew(self, partitions):
        """The topic, empty, on a running broker whatever was done to it."""
        try:
            self.wire.partitions(TOPIC)
        except WireError:
            pass
        except OSError:
            self.run("restart")
        self.wire.patiently(lambda: self.wire.delete(TOPIC))
        self.wire.patiently(lambda: self.wire.create(TOPIC, partitions))


class Field(Rig):
    """A service on a broker that outlives it; each commit to Kafka is seen on its way, and compared with the store."""

    def __init__(self, build, broker, partitions=PARTITIONS):
        super().__init__(build)
        self.real, self.wire, self.flows, self.sent_again = broker, broker.wire, {}, 0
        broker.anew(partitions)
        self.proxy, self.commits, self.ahead = Proxy(broker.address), 0, []
        self.proxy.on_request = self.look
        self.closers.append(self.proxy.close)
        self.client(self.proxy.address)

    def broker(self):
        return self.real

    def look(self, api, version, frame):
        if api != OFFSET_COMMIT:
            return
        stored = self.next_offsets()
        for partition, offset, _ in offsets_of_commit(version, frame):
            self.commits += 1
            if offset > stored.get(partition, 0):
                self.ahead.append((partition, offset, stored.get(partition)))

    def next_offsets(self):
        """By partition, of its newest incarnation."""
        return dict(self.sql("SELECT partition, next_offset FROM _partition ORDER BY incarnation"))

    def put(self, count, *more):
        self.produce(self.real.address, count, *more)

    def flow(self, count, rate):
        """Records that keep coming: who sends them."""
        self.produced += 1
        part = self.directory / f"flow.{self.produced}"
        sender = self.start("produce", "--generate", str(count), "--entities", "100", "--topic", TOPIC, "--tee", str(part), "--rate", str(rate),
                            "--seed", str(self.produced + 1), *self.times(self.produced), "--set", f"kafka.bootstrap.servers={self.real.address}")
        self.flows[sender] = part
        return sender

    def all_flowed(self, sender):
        part, status = self.flows[sender], sender.wait(PEACE_S)
        with self.sent.open("a") as all_of_it:
            all_of_it.write(part.read_text())
        if status != 0:
            # librdkafka gives up where a broker was killed in an unlucky moment, and does not know what of it is in the log.
            check("sequence desynchronization" in sender.said(), sender.said()[-300:])
            self.send(self.real.address, part)
            self.sent_again += 1

    def begin(self, *more):
        return self.start("run", *more)

    def decide(self, *words):
        self.holdfast("resume", *words, "--because", "the test says so")

    def at_the_end(self, service):
        """No lag: the store stands where the broker's log ends, and says that it is up to date."""
        def there():
            check(service.runs(), f"the service ended: {service.said()[-600:]}")
            status = self.status()
            return (status is not None and self.next_offsets() == self.wire.ends(TOPIC)
                    and all(one["lag_ms"] is not None and one["lag_ms"] < DOWN_MS for one in newest(status["partitions"])))
        await_true("lag is zero again", there, BACK_S)

    def in_peace(self):
        """The digest of another store that takes what Kafka holds, undisturbed."""
        path = self.directory / "peace"
        settings = ("--set", f"store.path={path}", "--set", f"kafka.bootstrap.servers={self.real.address}", "--set", "ingest.batch_records=7777")
        self.holdfast("ingest", "--until-end", *settings, patience_s=PEACE_S)
        return json.loads(self.holdfast("verify", "--json", *settings).stdout)["digest"]

    def holds(self, service, taken=None, same_log=True):
        """What must, after each scenario. `taken`: more records than were sent; `same_log`: Kafka holds all that was sent."""
        self.at_the_end(service)
        equal(service.end(signal.SIGTERM), 0, f"exit status ({service.said()[-300:]})")
        self.sound()
        status = self.status()
        if self.sent_again:
            taken = sum(self.wire.ends(TOPIC).values())
            check(taken >= self.sent_count(), f"{taken} of {self.sent_count()} records are in the log")
        equal(status["total"]["taken"], taken or self.sent_count(), "records taken")
        self.folded()
        equal(status["digest"], self.undisturbed(patience_s=PEACE_S), "digest, against a file of what was sent")
        if same_log:
            equal(status["digest"], self.in_peace(), "digest, against an undisturbed store of the same log")
        check(self.commits > 0, "no commit was seen")
        equal(self.ahead, [], "commits ahead of the store (partition, committed, stored)")
        told = self.wire.patiently(lambda: self.wire.committed(f"holdfast-{status['store']}", TOPIC))
        equal(told, {number: offset for number, offset in self.next_offsets().items() if number in told}, "what Kafka was told last")
        again = f", {self.sent_again} times sent again" if self.sent_again else ""
        return f"{status['total']['taken']} records{again}, {self.commits} commits seen"


def newest(partitions):
    return {one["partition"]: one for one in sorted(partitions, key=lambda one: one["incarnation"])}.values()


def killed_on_its_way(field, kills, records):
    """Where a failpoint stands: within the transaction, and between it and the Kafka commit."""
    field.put(records, "--duplicate-distance", records // 10)
    batch = records // (kills + 1) // 16 + 1
    field.configure(ingest={"batch_records": batch})
    done = subprocess.run([sys.executable, HERE.parent / "lib/kills.py", field.failpoints, field.directory / "holdfast.json", str(records),
                           str(kills), str(batch), "--failpoints"], cwd=field.directory, capture_output=True, text=True, check=False)
    equal(done.returncode, 0, f"exit status of kills.py ({done.stdout[-200:]}{done.stderr[-300:]})")
    return done.stdout.splitlines()[-1]


def killed_anywhere(field, kills):
    """At any moment of twice the time until it takes records: as it opens the store, or connects, or takes what comes meanwhile."""
    sender, lives = field.flow(kills * FLOW_A_KILL, FLOW_S), collections.Counter()
    began, before, service = time.monotonic(), field.total(), field.begin()
    await_true("records are taken", lambda: field.total() > before, BACK_S)
    life_s = 2 * (time.monotonic() - began)
    service.end()
    for _ in range(kills):
        before = field.next_offsets()
        service = field.begin()
        time.sleep(random.uniform(0, life_s))
        equal(service.end(), KILLED, f"how the service ended ({service.said()[-300:]})")
        after = field.next_offsets()
        check(all(offset >= before[number] for number, offset in after.items()), f"an offset went back: {before}, {after}")
        lives["with records taken" if after != before else "before"] += 1
    field.accounts()
    field.all_flowed(sender)
    return ", ".join(f"{count} {what}" for what, count in lives.items())


@scenario()
def killed(field, short):
    """SIGKILL of the service: within its transaction, between it and the Kafka commit, and at any moment, half of them before it takes records"""
    kills, records = (10, 5000) if short else (250, 60_000)
    placed = killed_on_its_way(field, kills, records)
    return f"{placed}; {kills} at any moment: {killed_anywhere(field, kills)}; {field.holds(field.begin())}"


@scenario()
def broker_killed(field, short):
    """SIGKILL of the broker, and its restart, while records flow"""
    field.put(300)
    service, times = field.begin(), 1 if short else 5
    field.await_taken(300, service)
    for _ in range(times):
        sender, before = field.flow(1500, 500), field.total()
        await_true("records flow", lambda: field.total() > before)
        field.real.run("kill")
        time.sleep(1)
        field.real.run("restart")
        field.all_flowed(sender)
        field.at_the_end(service)
    return f"{times} restarts, {field.holds(service)}"


@scenario()
def both_killed(field, short):
    """SIGKILL of service and broker in one moment; the service comes back first, or the broker"""
    field.put(300)
    service, times = field.begin(), 1 if short else 5
    field.await_taken(300, service)
    for turn in range(times):
        sender, before = field.flow(1500, 500), field.total()
        await_true("records flow", lambda: field.total() > before)
        service.kill()
        field.real.run("kill")
        equal(service.wait(), KILLED, "how the service ended")
        field.accounts()
        if turn % 2 == 0:
            service = field.begin()
            await_true("it waits for the broker", lambda: "check the brokers" in service.said())
        field.real.run("restart")
        if turn % 2 == 1:
            service = field.begin()
        field.all_flowed(sender)
        field.at_the_end(service)
    return f"{times} times, {field.holds(service)}"


def swap(field, records):
    """The topic is deleted and made anew, with so many records."""
    field.real.anew(PARTITIONS)
    field.put(records)


def stops(field, service, patience_s=BACK_S):
    """Each partition stops and is named, and nothing more of it is taken; then the operator takes the new log. How much was taken by then."""
    await_true("all partitions stop", lambda: [one["reason"] for one in field.status()["stops"]] == ["log_changed"] * PARTITIONS, patience_s)
    check(all(f"log_changed: {TOPIC}:{number} " in service.said() for number in range(PARTITIONS)), service.said()[-600:])
    field.sound()
    taken = field.total()
    check(service.runs(), f"the service ended: {service.said()[-300:]}")
    for number in range(PARTITIONS):
        field.decide(f"{TOPIC}:{number}", "--new-log")
    return taken


@scenario()
def recreated(field, short):
    """topic deleted and made anew: under a running service and longer; then under a stopped one, shorter, and longer again"""
    field.put(600)
    service, logs, strange = field.begin(), 1, 0
    field.at_the_end(service)
    for records, running in ((2400, True),) if short else ((2400, True), (300, False), (4000, False)):
        before = field.sent_count()
        if not running:
            equal(service.end(signal.SIGTERM), 0, "exit status")
        swap(field, records)
        service = service if running else field.begin()
        # One that runs may take some of the new log before it notices, as in `unnoticed`; one that starts looks first.
        taken = stops(field, service) - before
        check(taken >= 0 if running else taken == 0, f"{taken} records of the new log were taken as the old one's")
        strange += taken
        field.at_the_end(service)
        logs += 1
    return f"{logs} logs, {strange} strange records; {field.holds(service, taken=field.sent_count() + strange, same_log=False)}"


@scenario()
def unnoticed(field, short):
    """the same while the service's connections stand still: no error, no new connection, and the new log is longer than what was taken"""
    field.put(600)
    service, notes = field.begin(), []
    for pause_s in (0,) if short else (0, IDENTITY_S + 2):  # before its first comparison, and after it
        field.at_the_end(service)
        time.sleep(pause_s)
        field.proxy.black_hole = True
        time.sleep(1)  # what the broker was asked for, it has answered
        before = field.total()
        swap(field, 4 * before)
        field.proxy.black_hole = False
        began = time.monotonic()
        strange = stops(field, service, NOTICED_S) - before
        notes.append((time.monotonic() - began, strange))
    strange = sum(count for _, count in notes)
    held = field.holds(service, taken=field.sent_count() + strange, same_log=False)
    return "; ".join([f"noticed after {seconds:.1f} s and {count} strange records" for seconds, count in notes] + [held])


def lose(field, partition, count):
    """Deletes `count` records of a partition that were not taken, and takes them out of what was sent."""
    begin = field.next_offsets().get(partition, 0)
    log = [json.dumps(json.loads(line), sort_keys=True) for line in field.real.run("read", TOPIC, partition, field.wire.ends(TOPIC)[partition])]
    field.wire.forget(TOPIC, partition, begin + count)
    log_decisions.without(field.sent, [None] * (field.wire.ends(TOPIC)[partition] - len(log)) + log, range(begin, begin + count))


def gap_is_told(field, service, partition):
    await_true("the gap is told", lambda: f"records_lost: {TOPIC}:{partition} " in service.said())
    field.decide(f"{TOPIC}:{partition}", "--accept-gap")


@scenario(partitions=3)
def removed(field, short):
    """DeleteRecords: beyond what was taken, of a stopped service's partition and of a paused one; below it, of a running one"""
    field.put(900)
    service = field.begin()
    field.at_the_end(service)
    equal(service.end(signal.SIGTERM), 0, "exit status")
    field.put(900)
    lose(field, 0, 50)
    service = field.begin()
    gap_is_told(field, service, 0)
    field.at_the_end(service)
    field.holdfast("pause", f"{TOPIC}:1")
    field.put(900)
    lose(field, 1, 50)
    field.decide(f"{TOPIC}:1")
    gap_is_told(field, service, 1)
    field.at_the_end(service)
    field.wire.forget(TOPIC, 2, field.next_offsets()[2])
    field.put(300)
    field.at_the_end(service)
    equal([one["lost"] for one in field.status()["partitions"]], [50, 50, 0], "records lost, by partition")
    return f"100 lost, all told; {field.holds(service, same_log=False)}"


@scenario(in_short=False)
def compacted(field, short):
    """compaction: a store that took each record beside one that took what was left; a topic whose views can't bear it"""
    test = compaction.Test(field.program, field.real.directory.parent)
    return "; ".join([compaction.whole(test), compaction.refused(test)])


@scenario(partitions=1)
def transactions(field, short):
    """400 records in committed transactions; one transaction aborted after it stood open, records behind it, the service killed meanwhile"""
    payloads = {}
    for name, seed in (("aborted", 98), ("committed", 99)):
        field.generate(EVENTS, "--duplicates", 0, "--deletes", 0, "--seed", seed)
        payloads[name] = payload_of(field, name)
    sender = in_transactions(field, field.real, payloads["committed"], 400, 400, 50)
    equal(sender.wait(), 0, f"exit status of Kafka's tool ({sender.said()[-300:]})")
    service = field.begin()
    field.at_the_end(service)
    before = field.wire.ends(TOPIC)[0]
    sender = in_transactions(field, field.real, payloads["aborted"], 100_000, 200, 60_000, "transaction.timeout.ms=8000")
    await_true("some of it is in the log", lambda: field.wire.ends(TOPIC)[0] > before + 10 or not sender.runs())
    check(sender.runs(), sender.said()[-300:])
    sender.end()
    field.put(300)
    equal(field.wire.ends(TOPIC, committed_only=True)[0], before, "where the open transaction holds readers")
    service.end()
    service = field.begin()
    equal(field.total(), 400, "records taken while it is open")
    held = field.holds(service, taken=700)
    gaps = field.status()["total"]["gaps"]
    check(gaps > 10, f"{gaps} gaps where a transaction was aborted")
    return f"{gaps} offsets of markers and of the aborted one, {held}"


@contextlib.contextmanager
def black(field):
    """What is sent to the service, or by it, vanishes: no answer, no refusal, no end of a connection."""
    if not field.real.namespace:
        field.proxy.black_hole = True
        yield
        field.proxy.black_hole = False
        return
    rules = [("INPUT", "-p", "tcp", side, str(field.proxy.port), "-j", "DROP") for side in ("--dport", "--sport")]
    for rule in rules:
        subprocess.run(["iptables", "-A", *rule], check=True)
    yield
    for rule in rules:
        subprocess.run(["iptables", "-D", *rule], check=True)


@scenario()
def black_hole(field, short):
    """packets between service and broker vanish for 8 s, longer than socket.timeout.ms; then once more, for less"""
    field.client(field.proxy.address, **{"socket.timeout.ms": SOCKET_MS})
    field.put(300)
    listener = field.directory / "listener"
    service = field.begin("--port-file", str(listener))
    field.at_the_end(service)
    for seconds in (BLACK_S,) if short else (BLACK_S, 1):
        before = field.total()
        with black(field):
            field.put(700)
            time.sleep(seconds)
            equal(field.total(), before, "records taken meanwhile")
            equal(field.ask(field.listener(service, listener), f"/v1/views/card/{field.a_card()}")[0], 200, "status of a lookup meanwhile")
        field.at_the_end(service)
    how = "iptables in a network namespace" if field.real.namespace else "a proxy that passes nothing on"
    return f"by {how}; {field.holds(service)}"


@scenario()
def overtaken(field, short):
    """SIGSTOP of the service, before a Kafka commit or a transaction; another takes the store past its lock, and the rest; SIGCONT"""
    both = Rivals(field)
    for failpoint, count in [("kafka_before_commit", 40)] + ([] if short else [("store_before_begin", 2000)]):
        both.loses(both.overtaken(failpoint, 1, count))
        both.ends_whole()
    equal(field.next_offsets(), field.wire.ends(TOPIC), "where the store stands, and the log's ends")
    return f"exit 4, nothing written, nothing committed by it; {field.total()} records"


@scenario(partitions=2)
def grown(field, short):
    """partitions added: under a stopped service, and under a running one"""
    field.put(600)
    service, partitions = field.begin(), 2
    field.at_the_end(service)
    for running in (False,) if short else (False, True):
        if not running:
            equal(service.end(signal.SIGTERM), 0, "exit status")
        partitions += 2
        field.wire.grow(TOPIC, partitions)
        field.put(1200)
        service = service if running else field.begin()
        field.at_the_end(service)
        equal(sorted(field.next_offsets()), list(range(partitions)), "partitions that are known")
    check(all(one["first_offset"] == 0 for one in field.status()["partitions"]), "each is taken from its first record on")
    return f"2 to {partitions}, {field.holds(service)}"


def told(name, verdict, seconds, text):
    print(f"{name:<17} {verdict:<6} {seconds:6.1f} s  {SCENARIOS[name].__doc__}", flush=True)
    print(textwrap.indent(textwrap.fill(text, TEXT_COLUMNS), " " * 35), flush=True)


def one(build, broker, name, short):
    began = time.monotonic()
    run = SCENARIOS[name]
    try:
        with Field(build, broker, run.partitions) as field:
            verdict, text = "held", run(field, short)
    except Exception as broken:  # what can't be checked did not hold
        verdict, text = "broken", f"{broken if isinstance(broken, AssertionError) else repr(broken)} ({where(broken).strip()})"
    told(name, verdict, time.monotonic() - began, text)
    return verdict


def main():
    options = {word for word in sys.argv[3:] if word.startswith("--")}
    names = [word for word in sys.argv[3:] if word not in options]
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        sys.exit(f"hostile.sh: no scenario {', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    short = "--short" in options
    names = names or [name for name, run in SCENARIOS.items() if run.in_short or not short]
    random.seed(SEED)
    broker = Broker(pathlib.Path(sys.argv[2]).resolve(), "--in-namespace" in options)
    verdicts = [one(sys.argv[1], broker, name, short) for name in names]
    print(f"{len(verdicts)} scenarios, {verdicts.count('held')} held")
    sys.exit(verdicts.count("held") != len(verdicts))


if __name__ == "__main__":
    main()
