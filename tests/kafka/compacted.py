"""compacted.py HOLDFAST DIRECTORY: see compacted.sh."""

import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20261123
KEYS, ROUNDS = 120, 6
CLEANER_S = 120  # until the cleaner has been there, on a busy machine
KEPT_S = 20  # delete.retention.ms of the topic whose deletes are lost
COMPACT = ["cleanup.policy=compact", "min.cleanable.dirty.ratio=0.01", "segment.ms=1000", "min.compaction.lag.ms=0"]
VIEW = {"entity": {"id": "string"}, "features": {"amount": {"type": "int64"}, "name": {"type": "string"}}}


def source(**more):
    return {"missing_key": "position", **more,
            "updates": [{"view": "card", "entity": {"id": "/id"}, "features": {"amount": "/amount", "name": "/name"}}]}


def check(true, what):
    if not true:
        raise AssertionError(what)


def equal(has, must, what):
    check(has == must, f"{what}: {has!r}, and must be {must!r}")


class Test:
    def __init__(self, holdfast, directory):
        self.holdfast, self.directory = holdfast, pathlib.Path(directory)
        self.bootstrap = (self.directory / "broker/bootstrap").read_text().strip()
        self.stores = 0

    def topic(self, name, partitions, *settings):
        subprocess.run([HERE / "broker.sh", "topic", self.directory / "broker", name, str(partitions), *settings], check=True)

    def store(self, schema):
        """The configuration of a new store."""
        self.stores += 1
        path = self.directory / f"store{self.stores}"
        (self.directory / f"schema{self.stores}.json").write_text(json.dumps(schema))
        config = self.directory / f"store{self.stores}.json"
        config.write_text(json.dumps({"schema": f"schema{self.stores}.json", "store": {"path": str(path)},
                                      "kafka": {"bootstrap.servers": self.bootstrap}}))
        return config

    def run(self, *words, status=0):
        done = subprocess.run([self.holdfast, *map(str, words)], capture_output=True, text=True, check=False, timeout=120)
        equal(done.returncode, status, f"exit status of {words[0]} ({done.stderr[-400:]})")
        return done

    def ingest(self, config, status=0):
        return self.run("ingest", "--until-end", "-c", config, status=status).stderr

    def status(self, config):
        return json.loads(self.run("status", "--json", "-c", config).stdout)

    def produce(self, topic, records):
        path = self.directory / "lines.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        self.run("produce", path, "--topic", topic, "--set", f"kafka.bootstrap.servers={self.bootstrap}")

    def rows(self, config):
        path = json.loads(config.read_text())["store"]["path"]
        with sqlite3.connect(f"file:{path}/features.db?mode=ro", uri=True) as db:
            return {row[0]: row[1:] for row in db.execute("SELECT id, amount, name FROM card")}

    def digest(self, config):
        return json.loads(self.run("verify", "--json", "-c", config).stdout)["digest"]


def one_round(chance, number, began_ms, rows):
    """A record a key, some of them without a feature, some deletes; `rows` follows."""
    records = []
    for key in chance.sample(range(KEYS), KEYS * 2 // 3):
        name = f"card-{key}"
        at = began_ms + number * 5000 + len(records)
        value = {"id": name, "amount": chance.randrange(10**6), "name": f"n{number}"}
        if chance.random() < 0.3:
            del value["name"]
        if chance.random() < 0.2:
            value = None
        records.append({"key": name, "timestamp": at, "value": value})
        if value is None:
            rows.pop(name, None)
        else:
            rows[name] = (value["amount"], value.get("name"))
    return records


def sum_of(status, member):
    return sum(one[member] for one in status["partitions"])


def whole(test):
    """What compaction left gives what all of it gave."""
    schema = {"views": {"card": VIEW}, "sources": {"cards": source(compacted=True)}}
    test.topic("cards", 3, *COMPACT)
    chance, rows = random.Random(SEED), {}
    began_ms = int(time.time() * 1000) - 600_000
    first, sent = test.store(schema), 0
    for number in range(ROUNDS):
        records = one_round(chance, number, began_ms, rows)
        sent += len(records)
        test.produce("cards", records)
        test.ingest(first)  # each record is taken while it is there
    equal(sum_of(test.status(first), "taken") + sum_of(test.status(first), "gaps"), sent, "offsets below the first store's")
    equal(test.rows(first), rows, "rows of the store that took each record")
    deadline = time.monotonic() + CLEANER_S
    while True:
        second = test.store(schema)
        test.ingest(second)
        left = sum_of(test.status(second), "taken")
        if left < sent * 3 // 4:
            break
        check(time.monotonic() < deadline, f"the cleaner left {left} of {sent} records for {CLEANER_S} s")
        time.sleep(1)
    equal(sum_of(test.status(second), "gaps"), sent - left, "holes that are gaps")
    equal(test.rows(second), rows, "rows of the store that took what was left")
    equal(test.digest(second), test.digest(first), "digest of what was left")
    test.ingest(first)
    equal(test.rows(first), rows, "rows after a restart on the compacted log")
    return f"whole: {left} of {sent} records were left, rows and digest are the same"


def refused(test):
    """Two topics, one of them compacted without the source's word for it."""
    test.topic("unsafe", 2, "cleanup.policy=compact,delete")
    test.topic("plain", 2)
    schema = {"views": {"card": VIEW}, "sources": {"unsafe": source(), "plain": source()}}
    now = int(time.time() * 1000)
    for topic in ("unsafe", "plain"):
        test.produce(topic, [{"key": f"k{i}", "timestamp": now, "value": {"id": f"{topic}{i}", "amount": i}} for i in range(20)])
    config = test.store(schema)
    said = test.ingest(config, status=4)
    check("not_compaction_safe: unsafe:0" in said and "not_compaction_safe: unsafe:1" in said, said[-600:])
    check('"compacted": true' in said, said[-600:])
    status = test.status(config)
    taken = {one["topic"]: 0 for one in status["partitions"]}
    for one in status["partitions"]:
        taken[one["topic"]] += one["taken"]
    equal(taken, {"unsafe": 0, "plain": 20}, "records taken")
    told = test.run("status", "-c", config).stdout
    check("not_compaction_safe" in told and "cleanup.policy" in told, told[-1500:])
    return "refused: the compacted topic's partitions stopped, the other topic was taken"


def deletes_lost(test):
    """Away for longer than the topic keeps deletes, and records came meanwhile."""
    test.topic("short", 1, *COMPACT, f"delete.retention.ms={KEPT_S * 1000}")
    config = test.store({"views": {"card": VIEW}, "sources": {"short": source(compacted=True)}})

    def put(name, value):
        test.produce("short", [{"key": name, "timestamp": int(time.time() * 1000), "value": value}])

    put("a", {"id": "a", "amount": 1})
    test.ingest(config)
    test.ingest(config)  # at once: in time
    left = time.monotonic()
    while time.monotonic() < left + KEPT_S + 1:
        time.sleep(0.2)
    test.ingest(config)  # nobody wrote meanwhile
    put("a", None)
    test.ingest(config)
    equal(test.rows(config), {}, "rows, its delete taken in time")
    left = time.monotonic()
    put("b", {"id": "b", "amount": 2})
    while time.monotonic() < left + KEPT_S + 1:
        time.sleep(0.2)
    said = test.ingest(config, status=4)
    check("deletes_lost: short:0" in said and "holdfast rebuild" in said, said[-600:])
    equal(test.rows(config), {}, "rows while it is stopped")
    test.run("resume", "short:0", "-c", config)
    check("deletes_lost" in test.ingest(config, status=4), "a plain resume looks again")
    test.run("resume", "short:0", "--accept-gap", "--because", "no deletes in there", "-c", config)
    test.ingest(config)
    equal(test.rows(config), {"b": (2, None)}, "rows when it was accepted")
    test.digest(config)
    path = json.loads(config.read_text())["store"]["path"]
    with sqlite3.connect(f"file:{path}/features.db?mode=ro", uri=True) as db:
        last = db.execute("SELECT what, before, after, because FROM _decision ORDER BY id DESC LIMIT 1").fetchone()
    equal(last, ("accept gap", "deletes_lost", "accepted", "no deletes in there"), "the decision")
    return "deletes_lost: stopped, and went on when it was accepted"


def main():
    test = Test(sys.argv[1], sys.argv[2])
    for part in (whole, refused, deletes_lost):
        print(part(test), flush=True)


if __name__ == "__main__":
    main()
