#!/usr/bin/env python3
"""load.py HOLDFAST HOLDFAST_FAILPOINTS: base data out of files, into a store that somebody runs or nobody; once, whatever is run twice or killed."""

import csv
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

SEED = 4711
SCHEMA = {"views": {"card": {"entity": {"card_id": "string", "region": "int64"},
                             "features": {"name": {"type": "string"}, "spend": {"type": "decimal(2)", "merge": "sum"},
                                          "limit": {"type": "int64"}, "vip": {"type": "bool"}, "rate": {"type": "float64"},
                                          "seen": {"type": "timestamp"}, "taste": {"type": "float32[2]"}}}},
          "sources": {"events": {"missing_key": "position"}}}


def check(true, what):
    if not true:
        raise AssertionError(what)


def equal(has, must, what):
    check(has == must, f"{what}: {has!r}, and must be {must!r}")


class Test:
    def __init__(self, holdfast, failpoints, directory):
        self.holdfast, self.failpoints, self.directory = holdfast, failpoints, pathlib.Path(directory)
        self.path = self.directory / "store"
        self.log = self.directory / "log.ndjson"
        self.log.write_text("")
        (self.directory / "schema.json").write_text(json.dumps(SCHEMA))
        self.config = self.directory / "holdfast.json"
        self.config.write_text(json.dumps({"schema": "schema.json", "store": {"path": str(self.path), "ballast_bytes": "0B"},
                                           "file": {"path": str(self.log), "topic": "events"}}))

    def run(self, *words, status=0):
        done = subprocess.run([self.holdfast, *map(str, words), "-c", self.config], capture_output=True, text=True, check=False,
                              timeout=120)
        equal(done.returncode, status, f"exit status of {words} ({done.stderr[-400:]}{done.stdout[-400:]})")
        return done

    def load(self, name, *more, status=0):
        done = self.run("load", "card", self.directory / name, *more, *(["--json"] if status == 0 else []), status=status)
        return json.loads(done.stdout) if status == 0 else done.stderr

    def rows(self):
        return [tuple(row) for row in self.ask("SELECT card_id, region, name, spend, \"limit\", vip, rate FROM card ORDER BY 1, 2")]

    def ask(self, sql):
        with sqlite3.connect(f"file:{self.path}/features.db?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def somebody_listens(self):
        """What an earlier owner left may be there, and nobody behind it."""
        directory = os.open(self.path, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"/proc/self/fd/{directory}/control.sock")
                return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        finally:
            os.close(directory)

    def digest(self):
        return json.loads(self.run("verify", "--json").stdout)["digest"]


def forms(test):
    """CSV as others write it, and the same as NDJSON: types, quotes, line ends, what is left out."""
    text = ('card_id,region,name,spend,limit,vip,rate,seen,taste,event_time\r\n'
            'a,1,"Smith, ""Jo""\nand sons",1.50,7,true,2.5,2026-01-01T00:00:00Z,"[1,2.5]",2026-02-01T00:00:00Z\r\n'
            '"4711",2,,0.10,,false,3,,,2026-02-01T00:00:00Z\n'
            '\n'
            'b,3,"",,,,,,,2026-02-01T00:00:00Z')
    (test.directory / "cards.csv").write_bytes(text.encode())
    told = test.load("cards.csv", "--because", "the base")
    equal((told["taken"], told["applied"], told["dead"]), (3, 3, 0), "rows of the CSV")
    equal(test.rows(), [("4711", 2, None, 0.1, None, 0, 3.0), ("a", 1, 'Smith, "Jo"\nand sons', 1.5, 7, 1, 2.5),
                        ("b", 3, "", None, None, None, None)], "rows in the store")
    (decision,) = test.ask("SELECT what, because FROM _decision")
    equal(decision, ("load", "the base"), "the decision")
    before = test.digest()
    again = test.load("cards.csv")
    equal((again["loaded_before"], again["taken"]), (True, 3), "loaded twice")
    equal(test.digest(), before, "digest of a load that was nothing")
    # The sums would tell.
    (test.directory / "more.ndjson").write_text(
        '{"card_id": "a", "region": 1, "spend": 2.25}\n\n{"card_id": "a", "region": 1, "name": "old", "event_time": "2020-01-01T00:00:00Z"}\n')
    told = test.load("more.ndjson", "--event-time", "2026-03-01T00:00:00Z")
    equal((told["applied"], told["superseded"]), (1, 1), "newer and older rows")
    equal([row[3] for row in test.rows()], [0.1, 3.75, None], "sums")


def broken(test):
    """Rows that can't be taken are dead letters; a header that can't be right takes nothing."""
    (test.directory / "bad.ndjson").write_text("\n".join([
        '{"card_id": "x", "region": 1, "limit": "many", "event_time": "2026-02-01T00:00:00Z"}', "not json",
        '{"card_id": "x", "region": 1, "limit": 5}', '{"card_id": "x", "limit": 5, "event_time": "2026-02-01T00:00:00Z"}',
        '{"card_id": "x", "region": 1, "limt": 5, "event_time": "2026-02-01T00:00:00Z"}',
        '{"card_id": "x", "region": 1, "limit": 5, "event_time": "2026-02-01T00:00:00Z"}']))
    told = test.load("bad.ndjson")
    equal((told["taken"], told["applied"], told["dead"]), (6, 1, 5), "rows taken, applied, dead")
    reasons = sorted(row[0] for row in test.ask("SELECT reason FROM _dead"))
    equal(reasons, ["bad_json", "missing_entity", "no_event_time", "type_mismatch", "unknown_feature"], "reasons")
    (test.directory / "short.csv").write_text("card_id,region,limit\nz,1\nz,1,2,3\nz,x,2\n")
    told = test.load("short.csv", "--event-time", "2026-02-01T00:00:00Z")
    equal((told["taken"], told["dead"]), (3, 3), "rows with too few, too many, wrong fields")
    for name, header, words in (("a.csv", "card_id,region,limt\n", "limt"), ("b.csv", "card_id,limit\n", '"region"'),
                                ("c.csv", "card_id,region,limit,limit\n", "twice")):
        (test.directory / name).write_text(header + "a,1,2\n")
        check(words in test.load(name, status=2), f"the message about {header!r} names {words}")
    check("no view" in test.run("load", "cart", test.directory / "cards.csv", status=2).stderr, "an unknown view")
    # A letter is retried as any other, and stays dead here.
    told = json.loads(test.run("dead", "retry", "--reason", "type_mismatch", "--json").stdout)
    check(all("still broken" in name for name in told["counts"]), f"letters retried: {told['counts']}")
    test.digest()


def quotes(test):
    """A quote within a field is a byte; one that nothing closes takes nothing; bytes behind a closing one make a dead letter."""
    (test.directory / "inches.csv").write_text(
        'card_id,region,name\np,1,5" pipe\np,2,plain\np,3,"7"" ""pipe"\np,4,9"\np,5,last\n')
    told = test.load("inches.csv", "--event-time", "2026-02-01T00:00:00Z")
    equal((told["taken"], told["applied"]), (5, 5), "rows with quotes in their fields")
    equal(test.ask("SELECT region, name FROM card WHERE card_id = 'p' ORDER BY 1"),
          [(1, '5" pipe'), (2, "plain"), (3, '7" "pipe'), (4, '9"'), (5, "last")], "names with quotes")
    (test.directory / "behind.csv").write_text('card_id,region,name\nq,1,"a" b\nq,2,"a",\nq,3,c\n"q"r,4,c\n')
    told = test.load("behind.csv", "--event-time", "2026-02-01T00:00:00Z")
    equal((told["taken"], told["applied"], told["dead"]), (4, 1, 3), "rows with more behind a closing quote, or a field more")
    for name, text in (("open.csv", 'card_id,region,name\nr,1,a\nr,2,"open\nr,3,c\n'), ("header.csv", '"card_id,region,name\nr,1,a\n')):
        (test.directory / name).write_text(text)
        check("nothing closes" in test.load(name, "--event-time", "2026-02-01T00:00:00Z", status=2), f"the message about {name}")
    (test.directory / "wrong.csv").write_text('"card_id"s,region\nr,1\n')
    check("header's quotes" in test.load("wrong.csv", "--event-time", "2026-02-01T00:00:00Z", status=2), "the message about a header")
    equal(test.ask("SELECT count(*) FROM card WHERE card_id = 'r'"), [(0,)], "rows of files that are refused")
    test.digest()


def marked(test):
    """What spreadsheets write: a byte order mark, any order of columns, blank lines at the end, a header alone."""
    (test.directory / "marked.csv").write_bytes("\ufeffname,event_time,region,card_id\r\nZoë,2026-02-01T00:00:00Z,1,s\r\n\r\n\r\n".encode())
    equal(test.load("marked.csv")["applied"], 1, "rows behind a mark")
    equal(test.ask("SELECT name FROM card WHERE card_id = 's'"), [("Zoë",)], "its name")
    (test.directory / "marked.ndjson").write_bytes('\ufeff{"card_id": "s", "region": 2, "event_time": "2026-02-01T00:00:00Z", "vip": true}'.encode())
    equal(test.load("marked.ndjson")["applied"], 1, "a row behind a mark, without a newline")
    (test.directory / "alone.csv").write_text("card_id,region,event_time")
    equal(test.load("alone.csv")["taken"], 0, "a header alone")
    (test.directory / "empty.csv").write_text("")
    check("empty" in test.load("empty.csv", status=2), "an empty file")


def timeless(test):
    """A file is loaded once: where its rows have no time that is said before, and nothing is taken."""
    (test.directory / "timeless.csv").write_text("card_id,region,limit\nt,1,7\n")
    (test.directory / "timeless.ndjson").write_text('{"card_id": "t", "region": 2, "limit": 7}\n')
    for name in ("timeless.csv", "timeless.ndjson"):
        check("--event-time" in test.load(name, status=2), f"the message about {name}")
        equal(test.load(name, "--event-time", "2026-02-01T00:00:00Z")["applied"], 1, f"{name} with a time")


def long_row(test):
    """A row that no request can hold is found before any is taken: the file without it is another one, whose sums would count again."""
    with open(test.directory / "long.csv", "w", encoding="utf-8") as out:
        out.write("card_id,region,spend,name\n")
        out.writelines(f"long,{i},1.00,\n" for i in range(6000))
        out.write("long,1,1.00," + "\\" * 700000 + "\n")
    check("nothing was loaded" in test.load("long.csv", "--event-time", "2026-02-01T00:00:00Z", status=2), "the message about a long row")
    equal(test.ask("SELECT count(*) FROM card WHERE card_id = 'long'"), [(0,)], "rows of a file with one too long")
    (test.directory / "fits.csv").write_text("card_id,region,name\nfits,1," + "a" * 300000 + "\n")
    equal(test.load("fits.csv", "--event-time", "2026-02-01T00:00:00Z")["applied"], 1, "a long row that fits")


def make_base(path, count):
    """Sums, so that a row taken twice shows."""
    chance, sums = random.Random(SEED), {}
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["card_id", "region", "spend", "event_time"])
        for i in range(count):
            card, cents = f"base{chance.randrange(3000)}", chance.randrange(1, 10000)
            sums[card] = sums.get(card, 0) + cents
            writer.writerow([card, 9, f"{cents // 100}.{cents % 100:02}", f"2026-02-0{1 + i % 9}T00:00:00Z"])
    return sums


def sums_of(test):
    return {row[0]: round(row[1] * 100) for row in test.ask("SELECT card_id, spend FROM card WHERE region = 9")}


def interrupted(test, owner):
    """Killed again and again, with an owner or without, it goes on where it was."""
    count = 40000 if owner else 15000
    name = f"base-{owner}.csv"
    test.ask("SELECT 1")
    before = sums_of(test)
    sums = make_base(test.directory / name, count)
    chance = random.Random(SEED)
    service = None
    if owner:
        service = subprocess.Popen([test.holdfast, "ingest", "-c", test.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not test.somebody_listens():
            check(service.poll() is None, "the owner runs")
            check(time.monotonic() < deadline, "the owner listens within 30 s")
            time.sleep(0.02)
    kills = 0
    try:
        for _ in range(4):
            one = subprocess.Popen([test.holdfast, "load", "card", test.directory / name, "-c", test.config],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                one.wait(chance.uniform(0.02, 0.3))
            except subprocess.TimeoutExpired:
                one.send_signal(signal.SIGKILL)
                one.wait()
                kills += 1
        if owner:  # events come meanwhile
            with open(test.log, "a", encoding="utf-8") as log:
                log.write(json.dumps({"view": "card", "entity": {"card_id": "live", "region": 8}, "features": {"limit": 1},
                                      "event_time": "2026-02-01T00:00:00Z"}) + "\n")
        told = test.load(name)
        equal((told["taken"], told["dead"]), (count, 0), "rows taken in all")
        for card, cents in sums.items():
            before[card] = before.get(card, 0) + cents
        equal(sums_of(test), before, "sums: each row once")
        status = json.loads(test.run("status", "--json").stdout)
        (load,) = [one for one in status["partitions"] if one["topic"] == told["topic"]]
        equal((load["next_offset"], load["lag_ms"]), ((test.directory / name).stat().st_size, None), "the load in status")
    finally:
        if service is not None:
            service.send_signal(signal.SIGTERM)
            equal(service.wait(30), 0, "the owner's exit status")
    test.digest()
    return kills


def pieces(test):
    """Where nobody owns the store it is opened once, however many pieces there are."""
    count = 12000  # of 5,000 a piece
    sums = make_base(test.directory / "pieces.csv", count)
    before, epoch = sums_of(test), json.loads(test.run("status", "--json").stdout)["owner_epoch"]
    equal(test.load("pieces.csv")["applied"], count, "rows of three pieces")
    equal(json.loads(test.run("status", "--json").stdout)["owner_epoch"], epoch + 1, "the store's owners")
    equal(sums_of(test), {card: before.get(card, 0) + sums.get(card, 0) for card in before.keys() | sums.keys()}, "sums")
    test.digest()


def stands_still(process):
    return "T (stopped)" in pathlib.Path(f"/proc/{process.pid}/status").read_text()


def changed_meanwhile(test, path, change):
    """It stands still behind its first piece; how it ended, and what it said."""
    process = subprocess.Popen([test.failpoints, "load", "card", path, "-c", test.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ | {"HOLDFAST_FAILPOINT": "store_committed:1:stop"})
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and not stands_still(process):
            check(time.monotonic() < deadline, "a load stands still behind its first piece")
            time.sleep(0.01)
        equal(process.returncode, None, "exit status of a load that is to stand still")
        change(path)
    finally:
        process.send_signal(signal.SIGCONT)
    said = process.communicate(timeout=60)[1]
    return process.returncode, said


def edit(path):
    with open(path, "r+", encoding="utf-8") as file:
        file.seek(path.stat().st_size - 100)
        file.write("9")


def changed(test):
    """A file that is another one before all of it is loaded: nothing of that is taken for the first."""
    cases = (("edited.csv", edit, 4, "was changed while it was loaded"),
             ("longer.csv", lambda path: path.open("a").write("late,9,1.00,2026-02-01T00:00:00Z\n"), 4, "was changed while"),
             ("shorter.csv", lambda path: os.truncate(path, 5000), 1, "the file ended, or could not be read"))
    for count, (name, change, status, words) in enumerate(cases, 12001):  # other counts are other files
        path, before = test.directory / name, sums_of(test)
        sums = make_base(path, count)
        whole = path.read_bytes()
        ended, said = changed_meanwhile(test, path, change)
        equal(ended, status, f"exit status of a load of {name} ({said})")
        check(words in said, f"the message about {name}: {said}")
        path.write_bytes(whole)
        equal(test.load(name)["taken"], count, f"rows of {name}, as it was again")
        equal(sums_of(test), {card: before.get(card, 0) + sums.get(card, 0) for card in before.keys() | sums.keys()}, f"sums of {name}")
        test.digest()


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-load-") as directory:
        test = Test(sys.argv[1], sys.argv[2], directory)
        check("no store" in test.run("load", "card", test.log, status=1).stderr, "no store yet")
        test.run("ingest", "--until-end")
        forms(test)
        broken(test)
        quotes(test)
        marked(test)
        timeless(test)
        long_row(test)
        pieces(test)
        changed(test)
        killed = interrupted(test, False), interrupted(test, True)
        as_of = json.loads(test.run("get", "card", "a", "1", "--json").stdout)
        check("values" in json.dumps(as_of) or as_of, "a lookup answers")
        print(f"loads: forms, broken rows, killed {killed[0]} and {killed[1]} times: each row once")


main()
