#!/usr/bin/env python3
"""command.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: the program as its users meet it.

Exit statuses, messages, and that what is refused was not touched. Needs no broker but `holdfast broker`.
"""

import fcntl
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
import unittest
from datetime import datetime, timedelta, timezone

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "deploy/sample/schema.json"
BENCH = PROJECT / "tests/bench/schema.json"
TOPIC = "payments.v1"
PATIENCE_S = 20
AT = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.500Z")  # fresh: the sample's card lasts 30 days
COMMANDS = ["run", "ingest", "serve", "get", "why", "status", "pause", "resume", "hold", "release", "dead", "backup", "restore", "load", "verify", "rebuild", "replay", "generations", "rollback", "schema", "faults", "produce", "broker"]
PROGRAM = FAILPOINTS = None


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return kept | more


def await_true(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


def fetch(address, target, method="GET", body=None):
    """The status and the text of a reply; address is what --port-file has."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    try:
        connection.request(method, target, body)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-command-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.store = self.directory / "store"
        self.sent = self.directory / "sent.ndjson"
        self.config = self.directory / "holdfast.json"
        self.configure()

    def configure(self, schema=SAMPLE, **sections):
        self.config.write_text(json.dumps(
            {"schema": str(schema), "store": {"path": str(self.store)}, "serve": {"port": 0}} | sections))

    def holdfast(self, *arguments, status=0, stdin=None, program=None, **variables):
        done = subprocess.run([program or PROGRAM, *map(str, arguments)], cwd=self.directory, env=environment(**variables),
                              capture_output=True, text=True, timeout=PATIENCE_S, input=stdin)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def started(self, *arguments, program=None, **variables):
        process = subprocess.Popen([program or PROGRAM, *map(str, arguments)], cwd=self.directory,
                                   env=environment(**variables), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    def end(self, process, number=signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        process.stderr.close()
        return process.wait(PATIENCE_S)

    def refused(self, told, *arguments, status=2, **more):
        done = self.holdfast(*arguments, status=status, **more)
        self.assertIn(told, done.stderr)
        self.assertTrue(done.stderr.startswith("holdfast: "), done.stderr)
        return done

    def generate(self, count=2000, *more):
        self.holdfast("produce", "--generate", count, "--to-file", self.sent, "--entities", 100, *more)

    def take(self, *more, status=0, **variables):
        return self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", *more, status=status, **variables)

    def status(self):
        return json.loads(self.holdfast("status", "--json").stdout)

    def first(self, kind):
        """The first good record of a kind."""
        for line in self.sent.read_text().splitlines():
            value = json.loads(line)["value"]
            if value["type"] == kind:
                return value
        raise AssertionError(kind)


class Usage(Case):
    def test_without_a_command_it_is_usage(self):
        self.assertIn("Usage: holdfast", self.holdfast(status=2).stderr)

    def test_an_unknown_command_names_the_nearest(self):
        self.refused("there is no command stauts: did you mean status?", "stauts")

    def test_help_lists_the_commands_there_are(self):
        listed = [line.split()[0] for line in self.holdfast("--help").stdout.splitlines() if line.startswith("  ")]
        self.assertEqual(listed, COMMANDS)

    def test_every_command_helps(self):
        for command in COMMANDS:
            self.assertIn(f"Usage: holdfast {command}", self.holdfast(command, "--help").stdout)

    def test_help_prints_defaults(self):
        text = self.holdfast("run", "--help").stdout
        for default in ("(default 6566)", "(default 127.0.0.1)", "(default 1h)", "(default 8GiB)", "(default 200MiB)", "(default 20000)", "(default 3ms)", "(default 64)"):
            self.assertIn(default, text)

    def test_an_unknown_option_names_the_nearest(self):
        self.refused("did you mean --json?", "status", "--jsno")
        self.refused("comes after --", "get", "card", "-5")
        self.refused("--config needs a value", "status", "--config")


class Configuration(Case):
    def nothing_written(self):
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), ["holdfast.json"])

    def test_a_file_that_is_no_json(self):
        self.config.write_text('{"store": }')
        self.refused("holdfast.json:1:", "run")
        self.nothing_written()

    def test_a_named_file_must_be_there(self):
        self.refused("nowhere.json", "run", "-c", "nowhere.json")
        self.nothing_written()

    def test_an_unknown_setting_names_the_nearest(self):
        self.configure(ingest={"batch_record": 5})
        self.refused("did you mean ingest.batch_records?", "run")
        self.config.unlink()
        self.refused("did you mean store.path?", "run", "--set", "store.pth=x")
        self.configure()
        self.nothing_written()

    def test_bounds_and_units(self):
        self.refused("give 1 to 20000", "run", "--set", "ingest.batch_records=20001")
        self.refused("us, ms, s, m, h or d", "run", HOLDFAST_INGEST_LINGER="3")
        self.nothing_written()

    def test_a_kafka_setting_that_breaks_a_promise(self):
        self.configure(kafka={"bootstrap.servers": "127.0.0.1:1", "enable.auto.commit": "true"})
        self.refused("kafka.enable.auto.commit", "run")
        self.nothing_written()

    def test_an_unknown_kafka_setting(self):
        self.refused("kafka.no.such.setting", "run", HOLDFAST_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
                     HOLDFAST_KAFKA_NO_SUCH_SETTING="1")
        self.nothing_written()

    def test_no_broker_and_no_file(self):
        self.refused("kafka.bootstrap.servers is not set", "run")
        self.nothing_written()

    def test_a_bad_schema(self):
        (self.directory / "bad.json").write_text('{"views": {"card": {"entity": {"id": "strin"}}}}')
        self.configure(schema="bad.json")
        self.generate()
        self.assertIn("bad.json", self.take(status=2).stderr)
        self.assertFalse(self.store.exists())

    def test_no_schema_for_a_new_store(self):
        self.configure(schema="nowhere.json")
        self.generate()
        self.assertIn("nowhere.json", self.take(status=2).stderr)
        self.assertFalse(self.store.exists())


class Taking(Case):
    def test_a_file_is_taken_to_its_end(self):
        self.generate(2000)
        summary = json.loads(self.take("--json").stdout)
        self.assertEqual(summary["records"], 2000)
        self.assertEqual(self.status()["total"]["taken"], 2000)
        self.assertEqual(json.loads(self.take("--json").stdout)["records"], 0)
        self.assertEqual(self.status()["total"]["taken"], 2000)
        self.assertTrue(json.loads(self.holdfast("verify", "--json").stdout)["good"])

    def test_updates_bound_a_batch_where_records_hold_many(self):
        schema = self.directory / "schema.json"
        update = {"view": "v", "entity": {"k": "/k"}, "when": {"/is": "never"}, "features": {"n": {"const": 1}}}
        schema.write_text(json.dumps({"views": {"v": {"entity": {"k": "int64"}, "features": {"n": {"type": "int64"}}}},
                                      "sources": {TOPIC: {"id": "/k", "updates": [update] * 1000}}}))
        self.configure(schema=schema, ingest={"linger": "1s", "batch_age": "60s"})
        self.sent.write_text("".join(f'{{"k": {number}}}\n' for number in range(500)))
        self.assertEqual(json.loads(self.take("--json").stdout)["batches"], 3)

    def test_a_full_key_window_goes_on_when_it_is_shortened(self):
        self.sent.write_text("".join(json.dumps({
            "type": "card_closed", "id": str(number), "at": f"2026-11-{1 + number // 1000:02}T08:20:48Z", "card": "c1"}) + "\n"
            for number in range(20000)))
        tight = {"key_window_max_bytes": "1MiB", "key_window_keys": 1}
        self.configure(store={"path": str(self.store), "key_window": "90d"} | tight, ingest={"batch_records": 100})
        self.assertIn("key_window_full", self.take(status=4).stderr)
        taken = self.status()["total"]["taken"]
        self.assertLess(taken, 20000)
        self.configure(store={"path": str(self.store), "key_window": "1h"} | tight, ingest={"batch_records": 100})
        self.take()
        self.assertEqual(self.status()["total"]["taken"], 20000)
        self.holdfast("verify")

    def test_a_topic_that_is_no_source(self):
        self.generate(10)
        done = self.holdfast("ingest", "--file", self.sent, "--topic", "payments.v2", "--until-end", status=2)
        self.assertIn("did you mean payments.v1?", done.stderr)

    def test_a_file_that_is_not_there(self):
        done = self.take(status=2)
        self.assertIn("sent.ndjson", done.stderr)

    def test_a_differing_schema_file_is_told_and_does_not_rule(self):
        self.generate(100)
        self.take()
        other = json.loads(SAMPLE.read_text())
        other["views"]["extra"] = {"entity": {"id": "string"}, "features": {"x": {"type": "int64"}}}
        (self.directory / "other.json").write_text(json.dumps(other))
        self.configure(schema="other.json")
        self.assertIn("differs from the schema in the store", self.take().stderr)
        self.assertNotIn("extra", self.status()["views"])

    def test_a_schema_file_that_says_the_same_in_other_words_does_not_differ(self):
        """What `schema diff` sees no difference in could never be applied, and would be told at each start."""
        schema = {"views": {"card": {"entity": {"id": "string"}, "features": {"n": {"type": "int64"}}, "ttl": "1h"}}, "sources": {"payments.v1": {}}}
        (self.directory / "one.json").write_text(json.dumps(schema))
        self.configure(schema="one.json")
        self.sent.touch()
        self.take()
        schema["views"]["card"]["ttl"] = "60m"
        schema["views"]["card"]["features"]["n"]["merge"] = "last"
        (self.directory / "one.json").write_text(json.dumps(schema))
        self.assertIn("nothing differs", self.holdfast("schema", "diff", "one.json").stdout)
        self.assertNotIn("differs", self.take().stderr)

    def test_an_unusable_schema_file_does_not_keep_a_store_from_going_on(self):
        self.generate(100)
        self.take()
        self.configure(schema="nowhere.json")
        self.assertIn("the schema in the store rules", self.take().stderr)

    def test_it_follows_until_told_to_stop(self):
        self.generate(100)
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("the file is taken", lambda: self.store.joinpath("features.db").exists() and self.status()["total"]["taken"] == 100)
        lines = self.sent.read_text()
        with self.sent.open("a") as more:
            more.write(lines)
        await_true("more is taken", lambda: self.status()["total"]["taken"] == 200)
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_a_failpoint_kills_and_the_next_start_goes_on(self):
        self.generate(2000)
        self.take("--set", "ingest.batch_records=500", program=FAILPOINTS, status=-signal.SIGKILL,
                  HOLDFAST_FAILPOINT="store_before_commit:2")
        self.assertLess(self.status()["total"]["taken"], 2000)
        self.take()
        self.assertEqual(self.status()["total"]["taken"], 2000)
        self.holdfast("verify")


class Refused(Case):
    def setUp(self):
        super().setUp()
        self.generate(200)

    def database(self):
        return self.store / "generations/g1.db"

    def untouched(self, change):
        """Changes the store's file, and sees that a refused writer leaves it alone."""
        self.take()
        db = sqlite3.connect(self.database())
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute(change)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        before = self.database().read_bytes()
        done = self.take(status=4)
        self.assertEqual(self.database().read_bytes(), before)
        self.holdfast("status", status=4)
        return done.stderr

    def test_a_foreign_store(self):
        self.assertIn(str(self.store), self.untouched("PRAGMA application_id = 7"))

    def test_a_newer_store(self):
        self.assertIn("newer", self.untouched("PRAGMA user_version = 999"))

    def test_a_second_writer(self):
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("the first is there", lambda: self.store.joinpath("features.db").exists())
        await_true("the file is taken", lambda: self.status()["total"]["taken"] == 200)
        before = self.status()
        self.take("--set", "store.lock_wait=1h", status=4)  # it listens: nothing is waited for
        after = self.status()
        self.assertEqual(after["owner_epoch"], before["owner_epoch"])
        self.assertIsNone(service.poll())

    def test_a_command_that_has_the_store_is_waited_for(self):
        self.generate(200)
        self.store.mkdir()
        directory = os.open(self.store, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, directory)
        fcntl.flock(directory, fcntl.LOCK_EX)  # as a command that acts in an owner's place
        done = self.take("--set", "store.lock_wait=300ms", status=4)
        self.assertIn("another holdfast process writes this store", done.stderr)
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", "--set", "store.lock_wait=1h")
        self.assertIn("Waiting for it", service.stderr.readline())
        fcntl.flock(directory, fcntl.LOCK_UN)
        self.assertEqual(service.wait(PATIENCE_S), 0)
        self.assertEqual(self.status()["total"]["taken"], 200)

    def test_a_store_that_is_no_directory(self):
        self.store.write_text("a file")
        self.assertIn("is not a directory", self.take(status=4).stderr)
        self.assertEqual(self.store.read_text(), "a file")

    def test_a_damaged_store(self):
        self.take()
        db = sqlite3.connect(self.database())
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        # Behind the header: the data is wrong. The header, too: it may be anybody's file, so nothing is written to it.
        for start, status in ((100, 3), (0, 4)):
            with self.database().open("r+b") as file:
                file.seek(start)
                file.write(bytes(4096 - start))
            before = self.database().read_bytes()
            (self.store / "generations/g1.db-damaged").unlink(missing_ok=True)  # what was found by the last one
            self.take(status=status)
            self.holdfast("status", status=3)
            self.assertEqual(self.database().read_bytes(), before)

    def test_no_store(self):
        self.refused("there is no store in", "status", status=1)
        self.refused("there is no store in", "get", "card", "x", status=1)
        self.refused("there is no store in", "verify", status=1)
        self.assertFalse(self.store.exists())

    def test_a_changed_row_is_found(self):
        self.take()
        card = self.first("payment")["card"]
        db = sqlite3.connect(self.database())
        db.execute("UPDATE card SET txns = txns + 1 WHERE card_id = ?", [card])
        db.commit()
        db.close()
        self.assertIn("wrong: ", self.holdfast("verify", status=3).stdout)
        self.holdfast("get", "card", card, status=3)


class Looking(Case):
    def test_what_one_record_said(self):
        self.sent.write_text(json.dumps({"key": "c1", "value": {
            "type": "payment", "id": "1", "at": AT, "card": "c1", "merchant": "m1", "amount": 12.30,
            "country": "DE"}}) + "\n")
        self.take()
        rows = [line.split() for line in self.holdfast("get", "card", "c1").stdout.splitlines()]
        self.assertEqual(rows[0][:4], ["generation", "g1,", "as", "of"])
        self.assertEqual(rows[1], ["feature", "value", "status", "event_time", "age"])
        self.assertEqual({row[0]: row[1] for row in rows[2:]}, {
            "txns": "1", "spend": "12.30", "largest": "12.30", "smallest": "12.30", "country": "DE", "last_merchant": "m1",
            "last_seen": AT})
        self.assertEqual({tuple(row[2:4]) for row in rows[2:]}, {("fresh", AT)})

    def test_terms_are_tightened_and_refusals_named(self):
        self.generate(300)
        self.take()
        card = self.first("payment")["card"]
        expired = self.holdfast("get", "card", card, "--ttl", "1us", "--when-expired", "serve", "--features", "txns,country")
        self.assertEqual([line.split()[0] for line in expired.stdout.splitlines()], ["generation", "feature", "txns", "country"])
        self.assertIn("default (ttl)", expired.stdout)  # what the view says is the tighter
        refused = self.refused("txns (ttl), spend (ttl)", "get", "card", card, "--ttl", "1us", "--when-expired", "fail", status=4)
        self.assertEqual(refused.stdout, "")
        self.refused("revenue (missing)", "get", "merchant", "nobody", "--when-missing", "fail", status=4)
        self.refused("--when-behind is \"maybe\"", "get", "card", card, "--when-behind", "maybe")
        self.refused("names txns twice", "get", "card", card, "--features", "txns,spend,txns")
        self.refused('no feature "txn"', "get", "card", card, "--features", "spend,txn")

    def test_defaults_of_what_is_not_there_are_told_apart(self):
        self.generate(10)
        self.take()
        done = self.refused("card has no entity nobody", "get", "card", "nobody", status=1)
        rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[2:]}
        self.assertEqual(rows["country"], ["??", "default", "(missing)", "-", "-"])
        self.assertEqual(rows["last_seen"], ["-", "missing", "-", "-"])

    def test_a_position_that_is_not_taken_yet(self):
        self.generate(100)
        self.take()
        card = self.first("payment")["card"]
        position = json.loads(self.holdfast("get", "card", card, "--json").stdout)["position"]
        self.holdfast("get", "card", card, "--at-least", position)
        self.refused("not taken yet", "get", "card", card, "--at-least", f"{TOPIC}:0:999999999", "--set", "serve.wait_time=50ms",
                     status=4)
        self.refused("position", "get", "card", card, "--at-least", "nonsense")

    def test_unset_and_null_and_vectors(self):
        self.sent.write_text(json.dumps({"type": "profile_changed", "id": "1", "at": "2026-11-23T08:20:48Z", "card": "c1",
                                         "tier": "gold", "segment": None, "taste": [1, -0.5, 0, 2]}) + "\n")
        self.take()
        rows = [line.split("  ") for line in self.holdfast("get", "card_profile", "c1").stdout.splitlines()]
        shown = {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
        self.assertEqual(shown["credit_limit"], ["-", "missing", "-", "-"])
        self.assertEqual(shown["segment"][:3], ["null", "fresh", "2026-11-23T08:20:48Z"])
        self.assertEqual(shown["taste"][0], "[1.0, -0.5, 0.0, 2.0]")

    def test_a_strangers_name_breaks_neither_json_nor_the_terminal(self):
        schema = self.directory / "schema.json"
        schema.write_text(json.dumps({"views": {"v": {"entity": {"k": "int64"}, "features": {"n": {"type": "int64"}}}},
                                      "sources": {TOPIC: {}}}))
        self.configure(schema=schema)
        names = ["plain", 'a"b\n\x1b[31m\x9b31m', 'a"b\n\x1b[31m\x9b31m']
        self.sent.write_text("".join(json.dumps({
            "id": number, "view": name, "entity": {"k": 1}, "event_time": "2026-11-23T08:20:48Z",
            "features": {"n": 1}}) + "\n" for number, name in enumerate(names)))
        self.take()
        reasons = self.status()["reasons"]
        self.assertEqual([(one["view"], one["parked"]) for one in reasons], [(names[1], 2), (names[0], 1)])
        self.assertIn('a"b  [31m  31m', self.holdfast("status").stdout)

    def test_what_is_not_there(self):
        closed = {"type": "card_closed", "id": "1", "at": "2026-11-23T08:20:48Z", "card": "c1"}
        self.sent.write_text(json.dumps(closed) + "\n")
        self.take()
        self.refused("deleted at 2026-11-23T08:20:48Z", "get", "card_profile", "c1", status=1)
        self.refused("no entity", "get", "card_profile", "c2", status=1)
        answer = json.loads(self.holdfast("get", "card_profile", "c2", "--json", status=1).stdout)
        self.assertEqual(answer["views"]["card_profile"]["event_time"], [None])

    def test_keys_are_strict(self):
        self.configure(schema=BENCH)
        self.holdfast("produce", "--generate", 10, "--shape", "bench", "--entities", 1, "--to-file", self.sent)
        self.holdfast("ingest", "--file", self.sent, "--topic", "events.v1", "--until-end")
        self.assertIn("sum_0", self.holdfast("get", "entity_stats", "0").stdout)
        self.refused('entity_id of entity_stats is an int64, and "0x0" is none', "get", "entity_stats", "0x0")
        self.refused("entity_id (int64)", "get", "entity_stats", "0", "1")
        self.refused("did you mean entity_stats?", "get", "entity_stat", "0")
        self.refused("no entity", "get", "entity_stats", "--", "-1", status=1)

    def test_schema_check(self):
        self.assertIn("good schema", self.holdfast("schema", "check", SAMPLE).stdout)
        self.refused("not JSON", "schema", "check", "/dev/null")
        self.refused("did you mean check, diff or apply?", "schema", "chekc", SAMPLE)

    def test_faults_are_listed_for_people_and_programs(self):
        for_people = self.holdfast("faults").stdout
        self.assertIn("SQLITE_IOERR_FSYNC", for_people)
        told = json.loads(self.holdfast("faults", "--json").stdout)
        families = {name: {code["name"]: code["policy"] for code in family["codes"]}
                    for name, family in told["families"].items()}
        self.assertEqual(set(families), {"event", "holdfast", "sqlite", "files", "kafka"})
        self.assertEqual(families["sqlite"]["SQLITE_FULL"], "wait")
        self.assertEqual(families["files"]["ENOSPC"], "wait")
        self.assertEqual(families["kafka"]["_FATAL"], "exit")
        self.assertEqual(families["event"]["unknown_view"], "park")
        for family in set(families) - {"event"}:
            self.assertFalse({"park", "dead_letter"} & set(families[family].values()), family)
        self.assertLessEqual({policy for family in families.values() for policy in family.values()}, set(told["policies"]))


class Serving(Case):
    """`serve`, and the serving half of `run`."""

    def setUp(self):
        super().setUp()
        self.listener = self.directory / "listener"

    def begun(self, *arguments, **more):
        """A process that answers, and its port."""
        process = self.started(*arguments, "--port-file", self.listener, **more)
        await_true("a port", lambda: self.listener.exists() or process.poll() is not None)
        self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
        address, _, port = self.listener.read_text().strip().rpartition(":")
        self.listener.unlink()
        return process, address, int(port)

    def ask(self, port, target, method="GET", body=None):
        status, text = fetch(f"127.0.0.1:{port}", target, method, body)
        return status, json.loads(text)

    def test_get_prints_what_http_answers(self):
        self.generate(300)
        self.take()
        _, address, port = self.begun("serve")
        self.assertEqual(address, "127.0.0.1")
        card = self.first("payment")["card"]
        for target, arguments, status in ((f"card/{card}", ("card", card), 0), ("merchant/nobody", ("merchant", "nobody"), 1),
                                          (f"card/{card}?ttl=1us&when_expired=fail",
                                           ("card", card, "--ttl", "1us", "--when-expired", "fail"), 4)):
            _, answer = self.ask(port, f"/v1/views/{target}")
            printed = json.loads(self.holdfast("get", *arguments, "--json", status=status).stdout)
            for text in (answer, printed):  # but for the time that passed
                text.pop("lag_ms")
                for view in text.get("views", {}).values():
                    view.pop("lag_ms")
            self.assertEqual(printed, answer)

    def test_it_starts_before_there_is_a_store(self):
        _, _, port = self.begun("serve")
        self.assertEqual(self.ask(port, "/v1/views/card/c1")[0], 503)
        self.assertFalse(self.store.exists())
        self.generate(300)
        self.take()
        await_true("the store is found", lambda: self.ask(port, f"/v1/views/card/{self.first('payment')['card']}")[0] == 200)

    def test_it_ends_well_on_sigterm_and_says_where_it_answers(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            service, _, port = self.begun("serve")
            service.send_signal(number)
            log = service.stderr.read()
            self.assertEqual(service.wait(PATIENCE_S), 0)
            self.assertIn(f"answering lookups on http://127.0.0.1:{port} from {self.store}", log)
            self.assertIn("told to stop", log)

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for command in (("serve",), ("run", "--set", "kafka.bootstrap.servers=127.0.0.1:1")):
                done = self.refused("serve.port", *command, "--set", f"serve.port={port}", status=1)
                self.assertIn(str(port), done.stderr)

    def test_an_address_that_is_none(self):
        self.assertIn("serve.address", self.refused("nowhere", "serve", "--set", "serve.address=nowhere").stderr)

    def test_an_ipv6_address(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("this machine has no ::1")
        service, address, _ = self.begun("serve", "--set", "serve.address=::1")
        self.assertEqual(address, "[::1]")
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_run_answers_while_kafka_is_down(self):
        self.generate(300)
        self.take()
        service, _, port = self.begun("run", HOLDFAST_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
        self.assertEqual(self.ask(port, f"/v1/views/card/{self.first('payment')['card']}")[0], 200)
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_a_second_run_is_refused_by_the_lock_whatever_its_port(self):
        self.generate(300)
        kafka = {"HOLDFAST_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        service, _, port = self.begun("run", **kafka)
        for other in (0, port):
            done = self.holdfast("run", "--set", f"serve.port={other}", status=4, **kafka)
            self.assertIn(str(self.store), done.stderr)
        self.assertEqual(self.ask(port, "/v1/views/card/nobody")[0], 200)
        self.assertIsNone(service.poll())

    def test_a_supervisor_is_told(self):
        path = str(self.directory / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(path)
            supervisor.settimeout(PATIENCE_S)
            service, _, _ = self.begun("serve", NOTIFY_SOCKET=path)
            self.assertEqual(supervisor.recv(100), b"READY=1")
            service.send_signal(signal.SIGTERM)
            self.assertEqual(supervisor.recv(100), b"STOPPING=1")
        # One that nobody holds is nobody's fault.
        self.begun("serve", NOTIFY_SOCKET=path)


class Producing(Case):
    def broker(self):
        port_file = self.directory / "bootstrap"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker", port_file.exists)
        self.configure(kafka={"bootstrap.servers": port_file.read_text().strip()})

    def test_options_must_fit(self):
        self.refused("a FILE or --generate", "produce", "--topic", TOPIC)
        self.refused("--topic NAME or --to-file", "produce", "--generate", 5)
        self.refused("sums of", "produce", "--generate", 5, "--to-file", self.sent, "--features", 1, "--sums", 2)
        self.refused("did you mean bench?", "produce", "--generate", 5, "--to-file", self.sent, "--shape", "bensh")

    def test_the_same_seed_writes_the_same_file(self):
        options = ("produce", "--generate", 500, "--base-time", "2026-11-23T00:00:00Z", "--broken", 0.05, "--to-file")
        self.holdfast(*options, "a")
        self.holdfast(*options, "b")
        self.assertEqual((self.directory / "a").read_bytes(), (self.directory / "b").read_bytes())

    def test_a_line_that_is_no_json_stops_it_unless_told(self):
        self.broker()
        done = self.refused("-:2: not sent, nor what follows", "produce", "-", "--topic", TOPIC, stdin='{"a": 1}\n{"a": \n')
        self.assertIn("1 records sent", done.stdout)
        done = self.holdfast("produce", "-", "--topic", TOPIC, "--as-is", stdin='{"a": 1}\n\n{"a": \n')
        self.assertIn("2 records sent to payments.v1, 2 acknowledged", done.stdout)

    def test_a_last_line_without_newline_is_not_there_yet(self):
        self.broker()
        self.refused("no newline", "produce", "-", "--topic", TOPIC, stdin='{"a": 1}\n{"a": 2}')

    def test_the_program_takes_what_it_produced(self):
        self.broker()
        self.holdfast("produce", "--generate", 3000, "--entities", 100, "--topic", TOPIC, "--tee", self.sent, "--broken", 0.01)
        self.holdfast("ingest", "--until-end")
        status = self.status()
        self.assertEqual(status["total"]["taken"], 3000)
        self.assertEqual(len(status["partitions"]), 32)
        self.assertGreater(status["total"]["dead"], 20)
        self.holdfast("verify")
        oracle = [sys.executable, PROJECT / "deploy/sample/oracle.py", self.sent, self.store / "features.db"]
        verdict = subprocess.run(oracle, capture_output=True, text=True, check=False).stdout
        self.assertTrue(verdict.endswith(" entities: 0 wrong\n"), verdict)

    def test_run_ends_well_on_sigterm(self):
        self.broker()
        self.holdfast("produce", "--generate", 100, "--topic", TOPIC)
        service = self.started("run")
        await_true("all is taken", lambda: self.store.joinpath("features.db").exists() and self.status()["total"]["taken"] == 100)
        service.send_signal(signal.SIGTERM)
        log = service.stderr.read()
        self.assertEqual(service.wait(PATIENCE_S), 0)
        self.assertIn("told to stop", log)
        self.assertRegex(log, r"(?m)^holdfast: \d{4}-\d\d-\d\dT[0-9:.]+Z info took 100 records")


if __name__ == "__main__":
    PROGRAM, FAILPOINTS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
