"""full_disk.py BUILD_DIRECTORY [BROKER]: the disk full in the middle of ingest at 20,000 events a second; figures, and what must hold.

A producer at a steady rate, `holdfast run` on a small tmpfs, lookups over HTTP all the while; a file fills the disk and keeps it
full, then goes. Without BROKER: holdfast's own, which full_disk.sh does better. Scenario 15d of run.sh is the same, short.
"""

import bisect
import decimal
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import rig as rigs
from disk import SmallDisk
from proxy import OFFSET_COMMIT, Proxy, offsets_of_commit
from rig import TOPIC, await_true, check, equal

RATE = 20_000
ENTITIES = 10_000
CARDS_WATCHED = 40
LOOK_S = 0.2  # between two looks at what is taken
PAUSE_S = 0.002  # between two lookups: 300 a second and more
BACK_S = 120  # lag is zero again so soon after the disk has room
PEACE_S = 200  # a million events without a hurry, on a slow machine
CAUGHT_UP_MS = 1500  # an idle end is told once a second

# Who looks at the store from inside its namespace: for each line that it reads, the offsets and the dead letters of that moment.
LOOK = """
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=30, isolation_level=None)
for line in sys.stdin:
    rows = db.execute("SELECT partition, next_offset, taken, dead FROM _partition").fetchall()
    print(json.dumps(rows), flush=True)
"""


class Watcher:
    """The store's offsets now, for whatever thread asks."""

    def __init__(self, rig, disk):
        self.lock = threading.Lock()
        self.process = subprocess.Popen([*map(str, disk.before), sys.executable, "-c", LOOK, str(rig.database)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        rig.closers.append(self.close)

    def rows(self):
        with self.lock:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def taken(self):
        return sum(row[2] for row in self.rows())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Commits(Proxy):
    """Each Kafka commit, compared with the store at the moment that it passes: the store may only be ahead."""

    def __init__(self, rig, upstream):
        super().__init__(upstream)
        rig.closers.append(self.close)
        self.watcher, self.count, self.ahead, self.on_request = None, 0, [], self.look

    def look(self, api, version, frame):
        if api != OFFSET_COMMIT or self.watcher is None:
            return
        stored = {partition: offset for partition, offset, _, _ in self.watcher.rows()}
        self.count += 1
        self.ahead += [(partition, offset, stored.get(partition)) for partition, offset, _ in offsets_of_commit(version, frame)
                       if offset > stored.get(partition, 0)]


class Looker(threading.Thread):
    """Asks for cards all the while; keeps what it was told."""

    def __init__(self, address, cards):
        super().__init__(daemon=True)
        self.address, self.cards, self.over = address, cards, threading.Event()
        self.answers, self.failures, self.slowest_s = [], [], 0.0
        self.start()

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        turn = 0
        while not self.over.is_set():
            card = self.cards[turn % len(self.cards)]
            turn += 1
            began = time.monotonic()
            try:
                connection.request("GET", f"/v1/views/card/{card}")
                reply = connection.getresponse()
                text = reply.read()
                if reply.status != 200:
                    raise ValueError(f"{reply.status} {text[:200]}")
                answer = json.loads(text, parse_float=decimal.Decimal)
                view = answer["views"]["card"]
                values = dict(zip(view["features"], view["values"][0], strict=True))
                self.answers.append((time.monotonic(), card, int(values["txns"]), decimal.Decimal(values["spend"]), answer["lag_ms"]))
            except (OSError, ValueError, KeyError, http.client.HTTPException) as wrong:
                self.failures.append(f"{card}: {wrong!r}")
                connection.close()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            time.sleep(PAUSE_S)

    def end(self):
        self.over.set()
        self.join()

    def check_values(self, sent):
        """Each answer was true at some place of the log, and none at an earlier place than the answer before."""
        truths = truths_of(sent, set(self.cards))
        stood = dict.fromkeys(self.cards, 0)
        for _, card, txns, spend, _ in self.answers:
            check(txns >= stood[card], f"{card}: {txns} payments after {stood[card]}")
            check(txns < len(truths[card]) and truths[card][txns] == spend,
                  f"{card}: {spend} spent in {txns} payments was never true: {truths[card][txns:txns + 1]}")
            stood[card] = txns

    def lags(self, begin, end):
        return [lag for at, _, _, _, lag in self.answers if begin <= at < end]


def truths_of(sent, cards):
    """What each of `cards` had spent after so many payments, by the log."""
    truths, seen = {card: [decimal.Decimal(0)] for card in cards}, set()
    names = [card.encode() for card in cards]
    with open(sent, "rb") as lines:
        for line in lines:
            if not any(name in line for name in names):
                continue
            value = json.loads(line, parse_float=decimal.Decimal)
            value = value.get("value", value)
            if value.get("type") != "payment" or value["card"] not in cards or value["id"] in seen:
                continue
            seen.add(value["id"])
            truths[value["card"]].append(truths[value["card"]][-1] + value["amount"])
    return truths


class Filler(threading.Thread):
    """Keeps the disk full: what is given up on it is taken as well."""

    def __init__(self, disk):
        super().__init__(daemon=True)
        self.disk, self.over = disk, threading.Event()
        self.ballast = f"{disk.root}/ballast"
        self.given_up = False
        self.start()

    def run(self):
        with open(f"{self.disk.root}/filler", "wb", buffering=0) as filler:
            while not self.over.is_set():
                try:
                    while not self.over.is_set():
                        filler.write(bytes(4096))
                except OSError:
                    self.given_up |= not os.path.exists(self.ballast)
                    time.sleep(0.02)

    def end(self):
        self.over.set()
        self.join()
        self.disk.make_room()


class Samples(threading.Thread):
    """How much is produced and taken by when."""

    def __init__(self, watcher, sent):
        super().__init__(daemon=True)
        self.watcher, self.sent, self.over, self.taken, self.bytes = watcher, sent, threading.Event(), [], []
        self.start()

    def run(self):
        while not self.over.is_set():
            self.taken.append((time.monotonic(), self.watcher.taken()))
            self.bytes.append((time.monotonic(), self.sent.stat().st_size if self.sent.exists() else 0))
            time.sleep(LOOK_S)

    def end(self):
        self.over.set()
        self.join()

    def rate(self, begin, end, series=None):
        series = series or self.taken
        times = [at for at, _ in series]
        first, last = bisect.bisect_left(times, begin), bisect.bisect_right(times, end) - 1
        return (series[last][1] - series[first][1]) / (series[last][0] - series[first][0]) if last > first else 0.0


class Flow:
    """The service on its small disk, a producer at its rate, and those who look on."""

    def __init__(self, rig, address, size, seconds):
        self.rig, self.seconds = rig, seconds
        self.disk = SmallDisk(rig, size)
        self.commits = Commits(rig, address)
        rig.client(self.commits.address)
        listener = rig.directory / "listener"
        self.service = rig.start("run", "--port-file", listener, before=self.disk.before)
        self.listener = rig.listener(self.service, listener)
        self.watcher = self.commits.watcher = Watcher(rig, self.disk)
        self.count = int(RATE * sum(seconds))
        self.producer = rig.start("produce", "--generate", self.count, "--rate", RATE, "--entities", ENTITIES, "--topic", TOPIC,
                                  "--tee", rig.sent, "--set", f"kafka.bootstrap.servers={address}")
        await_true("the first are taken", lambda: self.watcher.taken() > RATE // 4 or not self.service.runs())
        self.looker = Looker(self.listener, self.some_cards())
        self.samples = Samples(self.watcher, rig.sent)
        rig.closers += [self.looker.end, self.samples.end]

    def some_cards(self):
        cards = []
        for _, value in rigs.oracle.events(self.rig.sent):
            if value.get("type") == "payment" and value["card"] not in cards:
                cards.append(value["card"])
            if len(cards) == CARDS_WATCHED:
                return cards
        raise AssertionError("too few cards were sent")

    def lag_ms(self):
        return self.looker.answers[-1][4]

    def goes_on(self):
        check(self.service.runs(), f"the service ended: {self.service.said()[-400:]}")
        check(self.producer.runs(), "the producer ended too early: the machine is too slow for this, or the broker")

    def stays(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.goes_on()
            time.sleep(0.1)

    def is_caught_up(self):
        return not self.producer.runs() and self.watcher.taken() >= self.count and self.lag_ms() < CAUGHT_UP_MS


def full(rig, address, size, seconds):
    """seconds: before, full, after. Prints the figures, and ends where something does not hold."""
    flow = Flow(rig, address, size, seconds)
    began = time.monotonic()
    flow.stays(seconds[0])
    equal(os.path.exists(f"{flow.disk.root}/ballast"), True, "there is a ballast")
    filler = Filler(flow.disk)
    filled = time.monotonic()
    await_true("it says that the disk is full", lambda: "disk is full" in flow.service.said() or "was full" in flow.service.said(),
               seconds[1])
    waits, stood = time.monotonic(), flow.watcher.taken()
    flow.stays(seconds[1] - (waits - filled))
    equal(flow.watcher.taken(), stood, "records taken while the disk was full")
    equal(filler.given_up, True, "the ballast is given up")
    filler.end()
    room = time.monotonic()
    await_true("lag is zero again", lambda: not flow.service.runs() or flow.lag_ms() < CAUGHT_UP_MS, BACK_S)
    back, alive = time.monotonic(), flow.producer.runs()
    await_true("all is taken", lambda: not flow.service.runs() or flow.is_caught_up(), BACK_S)
    check(flow.service.runs(), f"the service ended: {flow.service.said()[-400:]}")
    flow.samples.end()
    flow.looker.end()
    holds(flow, (filled, waits, room))
    print("\n".join(figures(flow, (began, filled, waits, room, back), alive)), flush=True)
    finish(flow)


def holds(flow, times):
    filled, waits, room = times
    equal(flow.looker.failures[:3], [], f"lookups that failed, {len(flow.looker.failures)} of them")
    flow.looker.check_values(flow.rig.sent)
    lags = flow.looker.lags(waits, room)
    check(all(later > earlier - CAUGHT_UP_MS for earlier, later in zip(lags, lags[1:], strict=False)), "lag_ms grows")
    check(lags[-1] >= (room - waits) * 1000 - CAUGHT_UP_MS, f"lag_ms is {lags[-1]} after {room - filled:.1f} s")
    equal(flow.commits.ahead[:3], [], "Kafka commits ahead of the store: partition, committed, stored")
    check(flow.commits.count > 5, f"only {flow.commits.count} Kafka commits were seen")
    equal(sum(row[3] for row in flow.watcher.rows()), 0, "dead letters")
    await_true("the ballast is made again", lambda: os.path.exists(f"{flow.disk.root}/ballast"))


def figures(flow, times, alive):
    began, filled, waits, room, back = times
    samples, per_byte = flow.samples, flow.count / max(flow.rig.sent.stat().st_size, 1)
    lines = []
    for name, begin, end in (("before", began, filled), ("full", waits, room), ("catching up", room, back)):
        made = samples.rate(begin, end, samples.bytes) * per_byte
        lines.append(f"{name}: {end - begin:.1f} s, {made:.0f} events/s produced, {samples.rate(begin, end):.0f} applied")
    lags = flow.looker.lags(waits, room)
    lines.append(f"ingest waited {waits - filled:.1f} s after the disk was filled; lag_ms was {lags[-1]} when there was room, "
                 f"and zero {back - room:.1f} s later, {'while the producer went on' if alive else 'when the producer had ended'}")
    lookups = flow.looker.answers
    lines.append(f"{len(lookups)} lookups, {len(flow.looker.lags(waits, room))} of them on a full disk, 0 failed, none wrong, "
                 f"the slowest {flow.looker.slowest_s * 1000:.0f} ms; {flow.commits.count} Kafka commits, none ahead of the store; 0 dead")
    return lines


def finish(flow):
    """Stopped, copied out of its namespace, and compared with a run in peace."""
    rig, disk = flow.rig, flow.disk
    equal(flow.service.end(signal.SIGTERM), 0, f"exit status ({flow.service.said()[-300:]})")
    flow.watcher.close()
    copy = rig.directory / "copy"
    shutil.copytree(disk.root, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "filler"))
    rig.store, rig.database = copy, copy / "generations/g1.db"
    rig.configure(store={"path": str(copy)})
    rig.sound()
    equal(rig.total(), rig.sent_count(), "records taken")
    equal(rig.status()["digest"], rig.undisturbed(7777, PEACE_S), "digest, against an undisturbed run")


def main():
    with rigs.Rig(os.path.abspath(sys.argv[1])) as rig:
        address = sys.argv[2] if len(sys.argv) > 2 else rig.broker().address
        rig.configure(store={"ballast_bytes": "64MiB", "wal_max_bytes": "64MiB"}, ingest={"batch_records": 20000})
        full(rig, address, "640m", (10, 20, 30))
    print("full_disk: held")


if __name__ == "__main__":
    main()
