#!/usr/bin/env python3
"""back.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: going back keeps what operators decided since, and is possible where the
live generation is damaged.

Lookups are asked before and after by `holdfast get`; what was held is what the test held itself.
"""

import contextlib
import json
import pathlib
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
from backup import Backed
from command import await_true
from operate import SCHEMA, TOPIC
from rollback import Back


class Decided(Back, Backed):
    def ten_then_twenty(self):
        """A backup `ten` of ten events; ten more since, and a hold, a pause and a release."""
        self.send(10)
        Back.take_all(self)
        self.holdfast("hold", "account:label", "fail", "--because", "released later")
        self.holdfast("backup", "ten")
        self.send(10)
        Back.take_all(self)
        self.holdfast("release", "account:label")
        self.holdfast("hold", "account:count", "default", "--because", "it counts cents")
        self.holdfast("pause", f"{TOPIC}:0", "--because", "a look")

    def write(self, text):
        with self.sent.open("a") as out:
            out.write(text)

    def served(self):
        """count and label of entity 7, and how it is served."""
        answer = json.loads(self.holdfast("get", "account", 7, "--json").stdout)
        row = dict(zip(answer["views"]["account"]["features"], answer["views"]["account"]["values"][0]))
        return row["count"], row["label"]

    def held(self):
        return {one["target"]: one["because"] for one in self.status()["holds"]}

    def expect_kept(self):
        self.assertEqual(self.served(), (0, "set"))
        self.assertEqual(self.held(), {"account:count": "it counts cents"})
        self.assertEqual([one["reason"] for one in self.status()["stops"]], ["paused"])
        what = [one["what"] for one in self.status()["decisions"]][::-1]
        self.assertEqual(what[:5], ["hold", "backup", "release", "hold", "pause"])

    def damage_row(self, sql):
        path = (self.store / "features.db").resolve()
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute(sql)


class Kept(Decided):
    def test_a_restore_keeps_holds_and_pauses(self):
        self.ten_then_twenty()
        told = self.asked("restore", "ten")
        self.assertEqual({name: told["carried"][name] for name in ("holds", "stops", "decisions", "missed")},
                         {"holds": 1, "stops": 1, "decisions": 4, "missed": ""})
        self.expect_kept()
        self.assertEqual(self.taken(), 10)
        self.holdfast("resume")
        Back.take_all(self)
        self.assertEqual(self.taken(), 20)
        self.assertEqual(self.served(), (0, "set"))
        self.holdfast("release", "account:count")
        self.assertEqual(self.served(), (20, "set"))
        self.holdfast("verify")

    def test_people_are_told(self):
        self.ten_then_twenty()
        told = self.holdfast("restore", "ten").stdout
        self.assertIn("but of partitions that were stopped before", told)
        self.assertIn("taken over: 1 holds, 1 stops, 4 decisions on the record", told)

    def test_beside_an_owner_and_back_again(self):
        self.ten_then_twenty()
        owner = self.owner()
        self.holdfast("restore", "ten")
        self.expect_kept()
        told = self.asked("rollback", "g1", "--now")
        self.assertEqual((told["generation"], told["carried"]["holds"]), ("g1", 1))
        self.assertEqual(self.served(), (0, "set"))
        self.holdfast("release", "account:count")
        self.holdfast("rollback", "g2", "--now")
        self.assertEqual(self.served(), (10, "set"))
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)

    def test_what_was_rolled_back_does_not_come_back_by_a_restore(self):
        self.two_generations()
        self.holdfast("rollback", "g1", "--now", "--because", "garbage since")
        self.holdfast("restore", "ten")
        self.expect_rolled_back()
        Back.take_all(self, status=4)
        self.assertEqual(self.taken(), 10)
        self.holdfast("resume")
        Back.take_all(self)
        self.assertEqual(self.taken(), 25)

    def test_dead_letters(self):
        self.send(2)
        self.write("{\n")
        Back.take_all(self)
        self.holdfast("backup", "one")
        self.write("[\n")
        Back.take_all(self)
        self.holdfast("dead", "drop", "--id", 1, "--id", 2, "--because", "tests")
        restored = self.holdfast("restore", "one")
        self.assertIn("1 dropped letters, 2 decisions", restored.stdout)
        self.assertIn("1 dropped letters are of records that were not taken yet", restored.stderr)
        Back.take_all(self)
        letters = json.loads(self.holdfast("dead", "list", "--json").stdout)["letters"]
        self.assertEqual([one["id"] for one in letters if not one["acknowledged"]], [3])
        self.holdfast("verify")

    def test_a_hold_on_what_the_older_schema_does_not_have_is_told(self):
        self.send(3)
        Back.take_all(self)
        self.holdfast("backup", "three")
        newer = json.loads(json.dumps(SCHEMA))
        newer["views"]["account"]["features"]["limit"] = {"type": "int64", "default": 5}
        path = self.directory / "newer.json"
        path.write_text(json.dumps(newer))
        self.holdfast("schema", "apply", path)
        self.holdfast("hold", "account:limit", "fail", "--because", "a test")
        restored = self.holdfast("restore", "three")
        self.assertIn("1 holds are on views or features that this generation does not have", restored.stderr)
        self.assertIn("without effect in it: 1 schema apply", restored.stderr)
        self.assertEqual(self.held(), {})
        self.holdfast("rollback", "g1", "--now")
        self.assertEqual(self.held(), {"account:limit": "a test"})

    def test_at_a_moment_of_a_file(self):
        """An NDJSON file has timestamps, too: those of its lines, or of their events."""
        def send(number, minute, **more):
            event = {"id": number, "view": "account", "entity": {"id": 7}, "event_time": f"2026-11-23T08:{minute:02}:00Z",
                     "features": {"count": 1}}
            self.write(json.dumps({"value": event} | more if more else event) + "\n")

        for number in range(10):
            send(number, number)
        Back.take_all(self)
        self.holdfast("backup", "ten")
        for number in range(10, 20):
            send(number, number)
        send(20, 15, timestamp="2026-11-23T08:30:00Z")
        send(21, 12, timestamp="2026-11-23T08:12:00Z")
        Back.take_all(self)
        digest = self.status()["digest"]
        for moment, taken in (("08:14:00", 15), ("08:14:59", 15), ("08:19:00", 20), ("08:29:59", 20), ("08:30:00", 22), ("09:00:00", 22)):
            self.holdfast("restore", "--at", f"2026-11-23T{moment}Z", *self.log())
            self.expect_rolled_back()
            self.assertEqual((moment, self.taken(), self.served()[0]), (moment, taken, taken))
        self.holdfast("restore", "--at", "2026-11-23T08:14:00Z", *self.log())
        self.holdfast("resume")
        Back.take_all(self)
        self.assertEqual(self.status()["digest"], digest)
        self.holdfast("verify")


class Damaged(Decided):
    """The live generation can't be opened: then going back is needed most."""

    def test_holds_are_kept_where_they_can_be_read(self):
        self.ten_then_twenty()
        self.damage_row("UPDATE _view SET _checksum = 1")
        self.refused("restore a backup", "ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", status=3)
        told = self.asked("restore", "ten")
        # What it released since is in a store that is damaged: rather a hold too many.
        self.assertEqual((told["carried"]["holds"], told["carried"]["missed"]), (1, ""))
        self.assertEqual(set(self.held()), {"account:count", "account:label"})
        self.assertEqual(self.generations()["g1"]["live"], False)

    def test_what_can_not_be_read_is_told_loudly(self):
        self.ten_then_twenty()
        self.damage_live()
        restored = self.holdfast("restore", "ten")
        self.assertIn("warning what operators decided could not be read whole (all: ", restored.stderr)
        self.assertIn("hold again what must not be served", restored.stderr)
        Back.take_all(self)
        self.assertEqual(self.taken(), 20)
        self.assertEqual(set(self.held()), {"account:label"})

    def test_rollback_goes_back_from_it(self):
        self.two_generations()
        self.holdfast("hold", "account:count", "default", "--because", "a test")
        self.damage_row("UPDATE _view SET _checksum = 1")
        self.refused("`holdfast rollback g1 --now` goes back without it", "rollback", "g1", *self.log(), status=4)
        told = self.asked("rollback", "g1", "--now", "--because", "it is damaged")
        self.assertEqual(told["carried"]["holds"], 1)
        self.expect_rolled_back()
        self.assertIn("from generation one that can't be read", self.status()["stops"][0]["detail"])
        self.assertEqual((self.taken(), self.served()), (20, (0, "set")))
        decision = self.status()["decisions"][0]
        self.assertEqual((decision["what"], decision["target"], decision["because"]), ("rollback", "g1", "it is damaged"))
        self.holdfast("resume")
        self.holdfast("release", "account:count")
        Back.take_all(self)
        self.assertEqual(self.served(), (25, "set"))
        self.holdfast("verify")

    def test_rollback_where_nothing_of_it_can_be_read(self):
        self.two_generations()
        self.damage_live()
        told = self.asked("rollback", "g1", "--now")
        self.assertTrue(told["carried"]["missed"].startswith("all: "))
        self.expect_rolled_back()
        self.assertEqual(self.taken(), 20)
        self.assertEqual(self.generations()["g2"]["state"], "unreadable")
        self.holdfast("generations", "drop", "g2", "--because", "damaged")

    def test_a_replaced_one_that_was_mended_can_be_gone_back_to(self):
        self.two_generations()
        live = (self.store / "features.db").resolve()
        (checksum,) = sqlite3.connect(live).execute("SELECT _checksum FROM _view").fetchone()
        self.damage_row("UPDATE _view SET _checksum = 1")
        self.holdfast("rollback", "g1", "--now")
        with contextlib.closing(sqlite3.connect(live)) as db, db:
            db.execute("UPDATE _view SET _checksum = ?", (checksum,))
        self.assertEqual(self.generations()["g2"]["state"], "replaced")
        self.holdfast("rollback", "g2", "--now")
        self.assertEqual(self.taken(), 25)
        self.holdfast("verify")

    def test_beside_an_owner_nobody_replaces_anything(self):
        self.two_generations()
        self.owner()
        self.refused("no generation g9", "rollback", "g9", "--now")
        self.refused("is the live one", "rollback", "g2", "--now", status=4)
        self.assertTrue(self.generations()["g2"]["live"])


class Unfinished(Decided):
    def test_a_rollback_that_could_not_catch_up_has_spoilt_nothing(self):
        """The log is gone: then it can go back at once, all the same."""
        self.two_generations()
        whole = self.sent.read_bytes()
        self.sent.write_bytes(whole[:100])
        self.holdfast("rollback", "g1", *self.log(), status=4)
        self.assertEqual(self.generations()["g2"]["live"], True)
        self.sent.write_bytes(whole)
        self.holdfast("rollback", "g1", *self.log(), status=-signal.SIGKILL, program=command.FAILPOINTS,
                      HOLDFAST_FAILPOINT="rebuild_near:1")
        self.holdfast("rollback", "g1", "--now")
        self.expect_rolled_back()
        self.assertIn(self.taken(), range(20, 26))
        self.holdfast("resume")
        Back.take_all(self)
        self.assertEqual(self.taken(), 25)
        self.holdfast("verify")


class Left(Decided):
    def test_a_drop_that_was_killed_is_finished_at_the_next_start(self):
        self.two_generations()
        (self.store / "generations/g1.db-wal").touch()
        self.holdfast("generations", "drop", "g1", "--because", "room", status=-signal.SIGKILL, program=command.FAILPOINTS,
                      HOLDFAST_FAILPOINT="drop_file:1")
        generations = self.store / "generations"
        self.assertFalse((generations / "g1.db").exists())
        self.assertTrue((generations / "g1.db-wal").exists())
        for name in ("g7.draft", "g7.draft-wal"):
            (generations / name).touch()
        self.assertEqual(list(self.generations()), ["g2"])
        Back.take_all(self)
        self.assertEqual([one.name for one in generations.iterdir() if not one.name.startswith("g2.db")], [])
        self.assertEqual(self.taken(), 25)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(lambda path: str(pathlib.Path(path).resolve()), sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
