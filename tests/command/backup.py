#!/usr/bin/env python3
"""backup.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: backups of a running store, as its operators meet them.

What a backup must hold is counted from the file that was sent, up to the offset that the backup names itself, with Python's
own SQLite.
"""

import hashlib
import json
import os
import pathlib
import signal
import sqlite3
import sys
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
import operate
from command import await_true
from operate import TOPIC, Operated

STEPS = ["backup_begun", "backup_step", "backup_copied", "backup_settled", "backup_sealed", "backup_checked"]


class Backed(Operated):
    def backup_file(self, name):
        return self.store / "backups" / f"{name}.db"

    def listed(self, *more, status=0):
        return json.loads(self.holdfast("backup", "--list", "--json", *more, status=status).stdout)["backups"]

    def verified(self, status=0):
        return json.loads(self.holdfast("verify", "--backups", "--json", status=status).stdout)["backups"]

    def expect_one_moment(self, path):
        """It holds all lines below its own offset, and no other. Returns how many."""
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            (offset,) = db.execute("SELECT next_offset FROM _partition").fetchone()
            counted = dict(db.execute("SELECT id, count FROM account"))
        db.close()
        expected = {}
        for line in self.sent.read_bytes()[:offset].decode().splitlines():
            id = json.loads(line)["entity"]["id"]
            expected[id] = expected.get(id, 0) + 1
        self.assertEqual(counted, expected)
        return sum(expected.values())

    def take_all(self):
        return self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end")

    def send_many(self, count, ids=500):
        with self.sent.open("a") as out:
            for _ in range(count):
                self.numbers += 1
                out.write(json.dumps({"id": self.numbers, "view": "account", "entity": {"id": self.numbers * 7 % ids},
                                      "event_time": command.AT, "features": {"count": 1, "label": "x" * 100}}) + "\n")

    def damage_live(self):
        live = (self.store / "features.db").resolve()
        for beside in ("-wal", "-shm"):
            live.with_name(live.name + beside).unlink(missing_ok=True)
        # As another file: what a process read of it before would stay good in its memory.
        damaged = live.with_suffix(".damaged")
        damaged.write_bytes(b"\0" * 4096 + live.read_bytes()[4096:])
        damaged.rename(live)


class Making(Backed):
    def test_beside_an_owner_that_takes_records(self):
        self.send_many(5000)
        owner = self.owner()
        await_true("all are taken", lambda: self.taken() == 5000)
        ended = threading.Event()

        def go_on():
            while not ended.is_set():
                self.send_many(50)
                time.sleep(0.01)

        sending = threading.Thread(target=go_on)
        sending.start()
        try:
            for name in ("one", "two", "three"):
                told = self.asked("backup", name, "--because", "a test")
                self.assertEqual((told["name"], told["state"]), (name, "made"))
                self.assertEqual(told["bytes"], self.backup_file(name).stat().st_size)
        finally:
            ended.set()
            sending.join()
        held = [self.expect_one_moment(self.backup_file(name)) for name in ("one", "two", "three")]
        self.assertEqual(held, sorted(held))
        self.assertGreater(held[0], 4999)
        self.assertGreater(held[2], held[0])
        self.assertEqual(sorted(path.name for path in (self.store / "backups").iterdir()), ["one.db", "three.db", "two.db"])
        await_true("the rest is taken", lambda: self.taken() == self.numbers)
        self.assertEqual([one["what"] for one in self.status()["decisions"]], ["backup"] * 3)
        last = self.status()["backups"]["last"]
        self.assertEqual((last["name"], last["bytes"]), ("three", self.backup_file("three").stat().st_size))
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        for one, size in zip(self.verified(), held[::-1]):
            behind = len(self.sent.read_bytes()) - len(b"".join(self.sent.read_bytes().splitlines(True)[:size]))
            self.assertEqual((one["state"], one["behind_offsets"], one["generation"]), ("good", behind, "g1"))
            self.assertGreater(one["behind_ms"], 0)

    def test_without_an_owner(self):
        self.send_many(300)
        self.take_all()
        self.assertIn("backups/plain.db", self.holdfast("backup", "plain").stdout)
        self.assertEqual(self.expect_one_moment(self.backup_file("plain")), 300)
        self.assertIn("last backup plain", self.holdfast("status").stdout)
        self.refused("already", "backup", "plain", status=4)
        self.refused("a backup's name", "backup", "../plain")
        name = self.asked("backup")["name"]
        self.assertRegex(name, r"^\d{8}T\d{6}Z$")
        self.assertEqual([one["name"] for one in self.listed()], [name, "plain"])

    def test_there_are_none(self):
        self.send()
        self.take_all()
        self.assertIn("there are no backups", self.holdfast("backup", "--list").stdout)
        self.assertEqual(self.verified(), [])

    def test_a_crash_at_any_step_leaves_nothing_that_looks_like_one(self):
        self.send_many(2000)
        self.take_all()
        digest = self.status()["digest"]
        for step in STEPS:
            self.holdfast("backup", step, status=-signal.SIGKILL, program=command.FAILPOINTS, HOLDFAST_FAILPOINT=f"{step}:1")
            self.assertFalse(self.backup_file(step).exists(), step)
            self.assertTrue(self.backup_file(step).with_suffix(".db.part").exists(), step)
            self.assertEqual(self.listed(), [])
        self.holdfast("backup", "renamed", status=-signal.SIGKILL, program=command.FAILPOINTS, HOLDFAST_FAILPOINT="backup_renamed:1")
        self.assertEqual([one["state"] for one in self.verified()], ["good"])
        self.take_all()
        self.assertEqual([path.name for path in (self.store / "backups").iterdir()], ["renamed.db"])
        self.holdfast("backup", "whole")
        self.assertEqual([one["state"] for one in self.verified()], ["good", "good"])
        self.assertEqual(self.status()["digest"], digest)
        self.holdfast("verify")

    def test_by_themselves_and_only_the_newest_stay(self):
        self.send_many(100)
        owner = self.owner()
        await_true("all are taken", lambda: self.taken() == 100)
        self.holdfast("backup", "kept")
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        self.configure(schema=self.directory / "schema.json", backup={"every": "1s", "keep": 2})
        owner = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        seen = set()

        def look():
            seen.update(one["name"] for one in self.listed())
            return len(seen) >= 5

        await_true("four and the named one were there", look)
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        names = [one["name"] for one in self.verified()]
        self.assertEqual(len(names), 3)
        self.assertIn("kept", names)
        self.assertEqual(sorted(names[:2]), sorted(seen - {"kept"})[-2:])
        self.assertEqual(self.status()["decisions"][0]["target"], "kept")

    def test_they_go_on_when_the_clock_was_set_back(self):
        self.send_many(100)
        self.take_all()
        for year in (2121, 2122):
            self.holdfast("backup", "early")
            self.forge(self.backup_file("early"), self.backup_file(f"{year}0101T000000Z"), datetime(year, 1, 1, tzinfo=timezone.utc))
            self.backup_file("early").unlink()
        self.configure(schema=self.directory / "schema.json", backup={"every": "1s", "keep": 2})
        owner = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("only newer ones are there", lambda: all(one["name"] < "21" for one in self.listed()))
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        self.assertEqual([one["state"] for one in self.verified()], ["good", "good"])

    def forge(self, old, new, at):
        """The same backup, sealed at another time (store/backup_seal.c)."""
        data = bytearray(old.read_bytes()[:-32])
        data[-16:-8] = int(at.timestamp() * 1e6).to_bytes(8, "little")
        new.write_bytes(bytes(data) + hashlib.blake2b(data, digest_size=32).digest())

    def test_one_that_finds_the_store_damaged_is_told_and_ends_ingest(self):
        self.send_many(3000)
        owner = self.owner()
        await_true("all are taken", lambda: self.taken() == 3000)
        self.end(owner)
        path = (self.store / "features.db").resolve()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE account SET count = 5 WHERE id = 77")
        db.close()
        owner = self.owner()
        self.refused("holdfast restore", "backup", "bad", status=3)
        self.assertEqual(list((self.store / "backups").iterdir()), [])
        status = self.status()["backups"]
        self.assertEqual((status["last"], status["failures"]), (None, 1))
        self.assertIn("damaged", status["failed"]["why"])
        self.assertIn("a backup failed at", self.holdfast("status").stdout)
        await_true("ingest ended", lambda: owner.poll() is not None)
        self.assertEqual(owner.returncode, 3)


class Checking(Backed):
    def test_every_flipped_byte_is_found(self):
        self.send_many(2000)
        self.take_all()
        self.holdfast("backup", "good")
        self.holdfast("backup", "bad")
        path = self.backup_file("bad")
        whole = path.read_bytes()
        for number in range(25):
            at = (len(whole) - 1) * number // 24
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << number % 8)]) + whole[at + 1:])
            told = {one["name"]: one for one in self.verified(status=3)}
            self.assertTrue(told["bad"]["damaged"], at)
            self.assertEqual(told["good"]["state"], "good")
        path.write_bytes(whole[:-8192])
        self.assertIn("not a whole one", self.holdfast("verify", "--backups", status=3).stdout)
        path.write_bytes(whole)
        self.holdfast("verify", "--backups")

    def test_a_store_that_can_not_be_read_has_backups_all_the_same(self):
        self.send_many(200)
        self.take_all()
        self.holdfast("backup", "kept")
        self.damage_live()
        self.refused("restore a backup", "verify", status=3)
        (one,) = self.verified()
        self.assertEqual((one["name"], one["state"], one["behind_offsets"]), ("kept", "good", None))


class Restoring(Backed):
    def backed_up(self, before=2000, after=1500):
        """A backup `early`, then more records. Returns the digest of all of them."""
        self.send_many(before)
        self.take_all()
        self.holdfast("backup", "early")
        self.send_many(after)
        self.take_all()
        return self.status()["digest"]

    def expect_all(self, digest, generation):
        status = self.status()
        self.assertEqual((status["digest"], status["generation"], status["total"]["taken"]), (digest, generation, self.numbers))
        self.holdfast("verify")

    def test_beside_an_owner_that_goes_on(self):
        digest = self.backed_up()
        owner = self.owner()
        self.assertEqual(self.asked("restore", "early", "--because", "a bad deploy")["generation"], "g2")
        await_true("all is taken again", lambda: self.taken() == self.numbers)
        self.expect_all(digest, "g2")
        self.assertIsNone(owner.poll())
        decision = self.status()["decisions"][0]
        self.assertEqual((decision["what"], decision["target"], decision["because"]), ("restore", "early", "a bad deploy"))
        self.send_many(10)
        await_true("and what is new", lambda: self.taken() == self.numbers)
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)

    def test_without_an_owner_the_next_goes_on(self):
        digest = self.backed_up()
        self.assertIn("generation g2 is live", self.holdfast("restore", "early").stdout)
        status = self.status()
        self.assertEqual((status["generation"], status["total"]["taken"]), ("g2", 2000))
        self.take_all()
        self.expect_all(digest, "g2")

    def test_where_the_live_one_can_not_be_opened(self):
        digest = self.backed_up()
        self.damage_live()
        self.refused("restore a backup", "ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", status=4)
        self.holdfast("restore", "early")
        self.take_all()
        self.expect_all(digest, "g2")

    def test_where_the_live_one_is_gone(self):
        digest = self.backed_up()
        (self.store / "features.db").resolve().unlink()
        self.holdfast("restore", "early")
        self.take_all()
        self.expect_all(digest, "g2")

    def test_where_there_is_no_store_yet(self):
        digest = self.backed_up()
        file = self.directory / "elsewhere.db"
        self.backup_file("early").rename(file)
        self.store.rename(self.directory / "lost")
        self.assertEqual(self.asked("restore", "elsewhere.db")["generation"], "g1")
        self.take_all()
        self.expect_all(digest, "g1")

    def test_a_damaged_backup_changes_nothing(self):
        digest = self.backed_up()
        path = self.backup_file("early")
        whole = path.read_bytes()
        path.write_bytes(whole[:50000] + b"?" + whole[50001:])
        self.refused("is not as it was", "restore", "early", status=3)
        self.refused("no such file", "restore", "late")
        self.expect_all(digest, "g1")
        self.assertEqual(sorted(one.name for one in (self.store / "generations").glob("*.db")), ["g1.db"])

    def test_only_a_backup_of_this_store(self):
        digest = self.backed_up()
        copy = self.directory / "copied.db"
        copy.write_bytes((self.store / "features.db").read_bytes())
        self.refused("the file of a live store", "restore", copy, status=4)
        other = self.store.rename(self.directory / "other")
        self.send_many(10)
        self.take_all()
        self.refused("name a backup of this store", "restore", other / "backups" / "early.db", status=4)
        self.assertNotEqual(self.status()["digest"], digest)
        self.assertEqual(sorted(one.name for one in (self.store / "generations").glob("*.db")), ["g1.db"])

    def test_a_crash_at_any_step_leaves_the_one_or_the_other(self):
        digest = self.backed_up()
        for step, live in (("switch_ready", "g1"), ("switch_sealed", "g3"), ("switch_linked", "g4")):
            self.holdfast("restore", "early", status=-signal.SIGKILL, program=command.FAILPOINTS, HOLDFAST_FAILPOINT=f"{step}:1")
            self.take_all()
            self.expect_all(digest, live)


class PointInTime(Backed):
    """Three parts of a topic, an hour apart; a backup after the first."""

    def setUp(self):
        super().setUp()
        port_file = self.directory / "bootstrap"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker listens", port_file.exists)
        self.configure(schema=self.directory / "schema.json", kafka={"bootstrap.servers": port_file.read_text().strip()})
        self.began = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=6)
        owner = self.started("ingest")
        for part in range(3):
            self.send_part(part)
            await_true("all is taken", lambda: (self.store / "control.sock").exists() and self.taken() == 400 * (part + 1))
            if part == 0:
                self.holdfast("backup", "first")
        self.holdfast("backup", "third")
        self.end(owner, signal.SIGTERM)

    def owner_of_topics(self):
        owner = self.started("ingest")
        await_true("it listens", (self.store / "control.sock").exists)
        return owner

    def moment(self, hours):
        return (self.began + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def send_part(self, part, count=400):
        lines = [json.dumps({"key": str(number % 50), "timestamp": self.moment(part + number / 3600),
                             "value": {"id": part * count + number, "view": "account", "entity": {"id": number % 50},
                                       "event_time": self.moment(part + number / 3600), "features": {"count": 1, "label": f"{part}.{number}"}}})
                 for number in range(count)]
        path = self.directory / f"part{part}.ndjson"
        path.write_text("".join(line + "\n" for line in lines))
        self.holdfast("produce", path, "--topic", TOPIC)

    def digest_of(self, parts, records):
        """Of a store that took so many records of these parts from a file, and no other."""
        file, store = self.directory / "some.ndjson", self.directory / "other"
        lines = "".join((self.directory / f"part{part}.ndjson").read_text() for part in range(parts)).splitlines(True)
        file.write_text("".join(lines[:records]))
        self.holdfast("ingest", "--file", file, "--topic", TOPIC, "--until-end", "--set", f"store.path={store}")
        return json.loads(self.holdfast("verify", "--json", "--set", f"store.path={store}").stdout)["digest"]

    def test_the_newest_backup_before_then_the_log_up_to_there(self):
        whole = self.status()
        self.assertEqual(whole["total"]["taken"], 1200)
        self.assertIn("as backup first has it", self.holdfast("restore", "--at", self.moment(1.5), "--because", "garbage since").stdout)
        status = self.status()
        self.assertEqual((status["total"]["taken"], status["digest"]), (800, self.digest_of(2, 800)))
        self.assertEqual({one["reason"] for one in status["stops"]}, {"rolled_back"})
        self.holdfast("ingest", "--until-end", status=4)
        self.assertEqual(self.status()["total"]["taken"], 800)
        self.holdfast("resume")
        self.holdfast("ingest", "--until-end")
        status = self.status()
        self.assertEqual((status["total"]["taken"], status["digest"]), (1200, whole["digest"]))
        self.holdfast("verify")

    def test_within_a_part_and_beside_an_owner(self):
        owner = self.owner_of_topics()
        self.refused("holds records later than", "restore", "third", "--at", self.moment(1.5))
        self.refused("name a backup", "restore")
        self.assertEqual(self.status()["generation"], "g1")
        self.holdfast("restore", "first", "--at", self.moment(1 + 99.5 / 3600))
        status = self.status()
        self.assertEqual((status["generation"], status["total"]["taken"], status["digest"]), ("g2", 500, self.digest_of(2, 500)))
        self.holdfast("resume")
        await_true("all is taken", lambda: self.taken() == 1200)
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)


    def test_before_the_first_backup_from_the_beginning_of_the_log(self):
        whole = self.status()
        owner = self.owner_of_topics()
        self.assertIn("from the beginning of the log", self.holdfast("restore", "--at", self.moment(0.05)).stdout)
        status = self.status()
        self.assertEqual((status["generation"], status["total"]["taken"], status["digest"]), ("g2", 181, self.digest_of(1, 181)))
        self.assertEqual({one["reason"] for one in status["stops"]}, {"rolled_back"})
        self.assertEqual(status["decisions"][0]["target"], "the log")
        self.holdfast("resume")
        await_true("all is taken", lambda: self.taken() == 1200)
        self.assertEqual(self.status()["digest"], whole["digest"])
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        told = self.asked("restore", "--at", self.moment(0.01))
        self.assertEqual((told["backup"], told["made"], told["generation"]), (None, None, "g3"))
        self.holdfast("verify")

    def unchanged(self, words, hours):
        self.refused(f"the log can't give it: {words}", "restore", "--at", self.moment(hours), status=4)
        self.assertEqual((self.status()["generation"], self.taken()), ("g1", 1200))
        self.assertEqual([one.name for one in (self.store / "generations").glob("*.db")], ["g1.db"])

    def test_what_no_log_can_give_is_refused(self):
        self.unchanged("no record of any log is from before", -1)
        rows = self.directory / "rows.ndjson"
        rows.write_text('{"id": 1, "count": 1, "event_time": "2026-01-01T00:00:00Z"}\n')
        self.holdfast("load", "account", rows)
        self.refused("base data was loaded", "restore", "--at", self.moment(0.05), status=4)

    def test_a_log_that_is_another_one_is_refused(self):
        port_file = self.directory / "another"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker listens", port_file.exists)
        self.configure(schema=self.directory / "schema.json", kafka={"bootstrap.servers": port_file.read_text().strip()})
        self.refused("log_changed", "restore", "--at", self.moment(0.05), status=4)
        path = self.directory / "another.ndjson"
        path.write_text("".join((self.directory / f"part{part}.ndjson").read_text().replace('"label": "', '"label": "x') for part in range(3)) * 2)
        self.holdfast("produce", path, "--topic", TOPIC)
        self.refused("log_changed", "restore", "--at", self.moment(0.05), status=4)
        self.assertEqual(self.status()["generation"], "g1")


class Serving(Backed):
    """Three views on the same events: one that says nothing of lag, one that serves what is behind, one that rather fails."""

    def setUp(self):
        super().setUp()
        features = {"count": {"type": "int64", "merge": "sum", "default": 0}}
        terms = {"plain": {}, "serves": {"max_lag": "1s", "when_behind": "serve"}, "fails": {"max_lag": "1s", "when_behind": "fail"}}
        schema = self.directory / "schema.json"
        schema.write_text(json.dumps({
            "views": {name: {"entity": {"id": "int64"}, "features": features, "serve": serve} for name, serve in terms.items()},
            "sources": {TOPIC: {"id": "/id", "event_time": "/event_time", "updates": [
                {"view": name, "entity": {"id": "/entity/id"}, "features": {"count": {"const": 1}}} for name in terms]}}}))
        self.send_many(3000)
        self.take_all()
        self.holdfast("backup", "early")
        self.send_many(1000)
        self.take_all()
        listener = self.directory / "listener"
        self.server = self.started("serve", "--port-file", listener)
        await_true("it listens", lambda: listener.exists() or self.server.poll() is not None)
        self.address = listener.read_text().strip()

    def get(self, target):
        return command.fetch(self.address, target)

    def look_up(self, view, id=7):
        status, body = self.get(f"/v1/views/{view}/{id}")
        return status, json.loads(body)

    def counted(self, lines, id=7):
        return sum(1 for line in self.sent.read_text().splitlines()[:lines] if json.loads(line)["entity"]["id"] == id)

    def expect_live(self):
        status, answer = self.look_up("plain")
        self.assertEqual((status, answer["generation"]), (200, "g1"))
        self.assertEqual(answer["views"]["plain"]["values"], [[self.counted(4000)]])
        self.assertNotIn("backup", json.dumps(answer))

    def expect_backup(self):
        made = next(one for one in self.listed() if one["name"] == "early")
        status, answer = self.look_up("plain")
        self.assertEqual((status, answer["generation"]), (200, "g1@early"))
        self.assertEqual(answer["views"]["plain"]["values"], [[self.counted(3000)]])
        self.assertEqual((answer["views"]["plain"]["status"], answer["views"]["plain"]["reason"]), ("behind", "backup"))
        self.assertEqual(answer["views"]["plain"]["exceptions"], [])
        self.assertLess(answer["as_of"], made["made"])
        status, answer = self.look_up("serves")
        self.assertEqual((status, answer["views"]["serves"]["values"]), (200, [[self.counted(3000)]]))
        self.assertEqual((answer["views"]["serves"]["status"], answer["views"]["serves"]["reason"]), ("behind", "max_lag"))
        self.assertGreater(answer["lag_ms"], 1000)
        status, answer = self.look_up("fails")
        self.assertEqual((status, answer["error"]["code"]), (412, "refused"))

    def break_live(self):
        """Its first page; what the server keeps of it in memory does not outlive its next look."""
        live = (self.store / "features.db").resolve()
        self.kept = {path: path.read_bytes() for path in live.parent.iterdir()}
        self.damage_live()

    def mend_live(self):
        live = (self.store / "features.db").resolve()
        for path, bytes in self.kept.items():
            new = path.with_suffix(path.suffix + ".new")
            new.write_bytes(bytes)
            new.rename(path)
        live.with_name(live.name + "-shm").unlink(missing_ok=True)

    def test_where_the_live_file_can_not_be_read(self):
        time.sleep(1.1)  # so that the backup is behind the views' max_lag
        self.expect_live()
        self.break_live()
        await_true("a backup answers", lambda: self.look_up("plain")[1].get("generation") == "g1@early")
        self.expect_backup()
        status, text = self.get("/readyz?verbose")
        self.assertEqual(status, 200)
        self.assertIn("[!]store degraded: lookups are answered from backup g1@early", text)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertIn("holdfast_store_from_backup 1\n", self.get("/metrics")[1])
        self.mend_live()
        await_true("each thread takes the live one again",
                   lambda: all(self.look_up("plain")[1].get("generation") == "g1" for _ in range(20)))
        self.expect_live()
        self.assertIn("[+]store ok", self.get("/readyz?verbose")[1])
        self.assertIn("holdfast_store_from_backup 0\n", self.get("/metrics")[1])

    def test_until_another_generation_is_linked(self):
        self.break_live()
        await_true("a backup answers", lambda: self.look_up("plain")[1].get("generation") == "g1@early")
        self.holdfast("restore", "early")
        await_true("the restored one answers", lambda: self.look_up("plain")[1].get("generation") == "g2")
        self.take_all()
        status, answer = self.look_up("plain")
        self.assertEqual((answer["generation"], answer["views"]["plain"]["values"]), ("g2", [[self.counted(4000)]]))

    def test_where_there_is_no_backup(self):
        self.backup_file("early").unlink()
        self.break_live()
        await_true("it is unreadable", lambda: self.look_up("plain")[0] == 503)
        self.assertEqual(self.look_up("plain")[1]["error"]["code"], "store_unreadable")
        self.assertEqual(self.get("/readyz")[0], 503)

    def test_one_damaged_row_is_answered_from_the_backup_and_all_others_from_the_live_one(self):
        time.sleep(1.1)
        path = (self.store / "features.db").resolve()
        with sqlite3.connect(path) as db:
            for view in ("plain", "serves", "fails"):
                db.execute(f"UPDATE {view} SET count = 5000000 WHERE id = 7")
        db.close()
        self.expect_backup()
        status, answer = self.look_up("plain", 14)
        self.assertEqual((status, answer["generation"], answer["views"]["plain"]["values"]), (200, "g1", [[self.counted(4000, 14)]]))
        self.assertIn("damage was met", self.get("/readyz?verbose")[1])
        self.assertRegex(self.get("/metrics")[1], "holdfast_requests_met_damage_total [1-9]")
        self.backup_file("early").unlink()
        await_true("what was open is let go", lambda: self.look_up("plain")[0] == 503)
        self.assertNotIn("5000000", self.get("/v1/views/plain/7")[1])
        self.assertEqual(self.look_up("plain", 14)[0], 200)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
