#!/usr/bin/env python3
"""rebuild.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: a new generation from the log, with and without an owner.

Real processes on a file, which tests may change: then the log is not what the live generation took.
"""

import contextlib
import copy
import json
import os
import pathlib
import re
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
from command import await_true
from operate import Operated, SCHEMA, TOPIC


class Rebuilt(Operated):
    def setUp(self):
        super().setUp()
        self.settle(SCHEMA)
        self.send(20)
        self.send(5, id=8)

    def settle(self, schema):
        path = self.directory / "schema.json"
        path.write_text(json.dumps(schema))
        self.configure(schema=path, file={"path": str(self.sent), "topic": TOPIC})

    def take_all(self):
        self.holdfast("ingest", "--until-end")

    def running(self, **more):
        process = self.started("ingest", **more)
        await_true("the owner listens", lambda: process.poll() is not None or (self.store / "control.sock").exists())
        await_true("all is taken", lambda: self.total() == self.numbers)
        return process

    def total(self):
        """Records taken; the store may not be there yet."""
        done = self.holdfast("status", "--json") if (self.store / "features.db").exists() else None
        return sum(one["taken"] for one in json.loads(done.stdout)["partitions"]) if done else 0

    def live(self):
        return pathlib.Path(os.readlink(self.store / "features.db")).stem

    def generations(self):
        return sorted(path.stem for path in (self.store / "generations").glob("*.db"))

    def digest(self):
        return json.loads(self.holdfast("verify", "--json").stdout)["digest"]

    def count(self, id):
        row = json.loads(self.holdfast("get", "account", id, "--json").stdout)
        return row["views"]["account"]["values"][0][0]

    def change_log(self):
        """The first event of entity 8 says 3, not 1; as many bytes as before."""
        text = self.sent.read_bytes()
        at = text.index(b'"count": 1', text.index(b'"entity": {"id": 8}')) + len(b'"count": ')
        with self.sent.open("r+b") as file:  # in place: an owner may be reading
            file.seek(at)
            file.write(b"3")


class WithoutAnOwner(Rebuilt):
    def test_it_takes_the_live_ones_place(self):
        self.take_all()
        before = self.digest()
        told = self.holdfast("rebuild").stderr
        self.assertIn("generation g2 is live, g1 is kept; ingest stood still", told)
        self.assertEqual((self.live(), self.digest()), ("g2", before))
        self.send(1)
        self.take_all()
        self.assertEqual(self.count(7), 21)

    def test_another_schema_takes_the_same_log(self):
        self.take_all()
        other = copy.deepcopy(SCHEMA)
        other["views"]["account"]["features"]["count"]["merge"] = "max"
        (self.directory / "other.json").write_text(json.dumps(other))
        self.holdfast("rebuild", "--schema", "other.json")
        self.assertEqual((self.live(), self.count(7)), ("g2", 1))

    def test_a_schema_without_the_source_is_refused(self):
        self.take_all()
        other = copy.deepcopy(SCHEMA) | {"sources": {"others": {}}}
        (self.directory / "other.json").write_text(json.dumps(other))
        self.refused("no source of the store's schema", "rebuild", "--schema", "other.json")
        self.assertEqual(self.generations(), ["g1"])

    def test_what_makes_no_sense_is_refused(self):
        self.refused("holds no store", "rebuild", status=4)
        self.take_all()
        self.refused("there is no generation g7", "rebuild", "--continue", "g7", status=2)
        self.refused("g1 is the live one", "rebuild", "--continue", "g1", status=4)
        self.refused("--schema is for a new generation", "rebuild", "--continue", "g2", "--schema", "schema.json")
        self.refused("nowhere.json", "rebuild", "--schema", "nowhere.json")


class FromKafka(Rebuilt):
    def setUp(self):
        super().setUp()
        port_file = self.directory / "broker"
        self.started("broker", "--port-file", port_file)
        await_true("the broker listens", lambda: port_file.exists() and port_file.read_text().strip())
        self.kafka = {"bootstrap.servers": port_file.read_text().strip()}
        self.settle_kafka(SCHEMA)
        for topic, count in ((TOPIC, 20), ("more", 30)):
            self.sent.unlink()
            self.sent.touch()
            self.send(count, id=7 if topic == TOPIC else 9)
            self.holdfast("produce", self.sent, "--topic", topic)

    def settle_kafka(self, schema, name="kafka.json"):
        path = self.directory / name
        path.write_text(json.dumps(schema))
        self.configure(schema=path, kafka=self.kafka)

    def test_a_topic_that_is_new_is_taken_to_its_end(self):
        owner = self.started("ingest")
        await_true("all is taken", lambda: self.total() == 20)
        more = copy.deepcopy(SCHEMA)
        more["sources"]["more"] = {}
        self.settle_kafka(more, "more.json")
        told = self.holdfast("rebuild", "--schema", "more.json").stderr
        self.assertIn("50 records in", told)
        self.assertEqual((self.live(), self.count(7), self.count(9)), ("g2", 20, 30))
        self.assertIsNone(owner.poll())


class FromABase(Rebuilt):
    def delete(self, id):
        self.numbers += 1
        with self.sent.open("a") as out:
            out.write(json.dumps({"id": self.numbers, "view": "account", "entity": {"id": id}, "event_time": command.AT,
                                  "op": "delete"}) + "\n")

    def backups(self):
        return sorted(path.name for path in (self.store / "backups").iterdir())

    def deleted(self):
        return sum(one["deleted"] for one in self.status()["views"].values())

    def test_a_backup_and_the_log_after_it(self):
        self.take_all()
        self.holdfast("backup", "b1")
        self.send(4)
        self.take_all()
        before = self.digest()
        told = self.holdfast("rebuild", "--base", "b1").stderr
        self.assertIn("where the live one stands: 4 records", told)
        self.assertEqual((self.live(), self.digest(), self.count(7)), ("g2", before, 24))
        self.assertEqual(self.backups(), ["b1.db"])

    def test_a_copy_of_the_live_one_beside_its_owner(self):
        owner = self.running()
        self.holdfast("rebuild", "--base", "live")
        self.assertEqual((self.live(), self.backups()), ("g2", []))
        self.send(2)
        await_true("ingest goes on", lambda: self.total() == self.numbers)
        self.assertEqual(self.count(7), 22)
        self.assertIsNone(owner.poll())

    def test_deletes_are_forgotten(self):
        self.delete(7)
        self.delete(9)
        self.take_all()
        self.assertEqual(self.deleted(), 2)
        told = self.holdfast("rebuild", "--base", "live", "--forget-deletes-before", "2000-01-01T00:00:00Z").stderr
        self.assertIn("0 deletes are forgotten", told)
        told = self.holdfast("rebuild", "--base", "live", "--forget-deletes-before", "2100-01-01T00:00:00Z").stderr
        self.assertIn("2 deletes are forgotten", told)
        self.assertEqual((self.live(), self.deleted(), self.count(8)), ("g3", 0, 5))
        self.digest()  # as verify finds it

    def test_deletes_are_forgotten_where_that_was_interrupted(self):
        self.delete(7)
        self.delete(9)
        self.take_all()
        forget = ("--forget-deletes-before", "2100-01-01T00:00:00Z")
        for generation, point in (("g2", "rebuild_begun:1"), ("g3", "rebuild_near:1")):
            self.holdfast("rebuild", "--base", "live", *forget, program=command.FAILPOINTS, status=-9, HOLDFAST_FAILPOINT=point)
        self.assertIn("differs from the live one", self.holdfast("rebuild", "--continue", "g3", status=3).stderr)
        self.holdfast("rebuild", "--continue", "g3", *forget)
        self.assertEqual((self.live(), self.deleted(), self.count(8)), ("g3", 0, 5))
        self.holdfast("rollback", "g1", "--now")
        self.holdfast("rebuild", "--continue", "g2", *forget)
        self.assertEqual((self.live(), self.deleted(), self.count(8)), ("g2", 0, 5))

    def test_an_entity_that_is_back_was_never_away(self):
        self.send(1, id=6)
        self.take_all()
        alone = self.digest()
        with self.sent.open("a") as out:  # older than all others
            out.write(json.dumps({"id": 900, "view": "account", "entity": {"id": 6}, "event_time": "2020-01-01T00:00:00Z",
                                  "op": "delete"}) + "\n")
        self.take_all()
        self.assertNotEqual(self.digest(), alone)
        self.holdfast("rebuild", "--base", "live", "--forget-deletes-before", "2021-01-01T00:00:00Z")
        self.assertEqual((self.live(), self.digest()), ("g2", alone))

    def test_a_base_that_is_not_there_or_damaged_is_refused(self):
        self.take_all()
        self.refused("there is no backup b7", "rebuild", "--base", "b7")
        self.holdfast("backup", "b1")
        file = self.store / "backups" / "b1.db"
        kept = bytearray(file.read_bytes())
        kept[len(kept) // 2] ^= 1
        file.write_bytes(kept)
        self.refused("b1", "rebuild", "--base", "b1", status=3)
        self.refused("wants a --base", "rebuild", "--forget-deletes-before", "2020-01-01T00:00:00Z")
        self.assertEqual(self.generations(), ["g1"])


class DamagedDecisionsAndLetters(Rebuilt):
    """What is damaged of them keeps nobody from building a store anew: there may be no backup."""

    def tamper(self, statement):
        with contextlib.closing(sqlite3.connect(self.store / "features.db")) as db, db:
            db.execute(statement)
        self.holdfast("verify", status=3)

    def setUp(self):
        super().setUp()
        with self.sent.open("a") as out:
            out.write('{"is": "dead"}\n{"is": "dead, too"}\n')
        self.take_all()
        self.holdfast("hold", "account", "fail", "--because", "a test")
        self.holdfast("release", "account")

    def expect_whole(self, damaged, decisions, letters):
        told = self.holdfast("rebuild").stderr
        self.assertIn(f"{damaged} rows of decisions and letters of g1 are damaged", told)
        self.holdfast("verify")
        status = self.status()
        self.assertEqual([one["what"] for one in status["decisions"]], decisions)
        found = json.loads(self.holdfast("dead", "list", "--json").stdout)["letters"]
        self.assertEqual([one["id"] for one in found], letters)
        self.assertEqual((self.live(), self.count(7)), ("g2", 20))

    def test_a_letter(self):
        self.tamper("UPDATE _dead SET reason = 'bad_json' WHERE id = 1")
        self.expect_whole(1, ["switch", "release", "hold"], [1, 2])

    def test_a_decision(self):
        self.tamper("UPDATE _decision SET because = 'another' WHERE what = 'hold'")
        self.assertIn("a damaged row", self.holdfast("status").stdout)
        self.expect_whole(1, ["switch", "release"], [1, 2])


class ASchemaAppliedMeanwhile(Rebuilt):
    """It is not undone by what was begun, or kept, before."""

    def apply(self):
        other = copy.deepcopy(SCHEMA)
        other["views"]["account"]["features"]["extra"] = {"type": "int64"}
        (self.directory / "other.json").write_text(json.dumps(other))
        self.holdfast("schema", "apply", "other.json")

    def expect_extra(self, has):
        row = json.loads(self.holdfast("get", "account", "7", "--json").stdout)
        self.assertEqual("extra" in row["views"]["account"]["features"], has)

    def test_by_a_generation_that_was_begun_before(self):
        self.take_all()
        self.holdfast("rebuild", program=command.FAILPOINTS, status=-9, HOLDFAST_FAILPOINT="rebuild_near:1")
        self.holdfast("rebuild", "--continue", "g2", "--diff")
        self.apply()
        self.holdfast("rebuild", "--continue", "g2", "--diff")
        self.assertIn("another schema", self.holdfast("rebuild", "--continue", "g2", status=4).stderr)
        self.expect_extra(True)
        self.holdfast("rebuild", "--continue", "g2", "--even-if-different")
        self.expect_extra(False)

    def test_by_an_older_backup(self):
        self.take_all()
        self.holdfast("backup", "b1")
        self.apply()
        self.assertIn("another schema", self.holdfast("rebuild", "--base", "b1", status=4).stderr)
        self.assertEqual(self.generations(), ["g1"])
        self.expect_extra(True)
        self.holdfast("rebuild", "--base", "b1", "--even-if-different")
        self.expect_extra(False)

    def test_but_what_was_begun_under_another_is_gone_on_with(self):
        self.take_all()
        other = copy.deepcopy(SCHEMA)
        other["views"]["account"]["features"]["count"]["merge"] = "max"
        (self.directory / "max.json").write_text(json.dumps(other))
        self.holdfast("rebuild", "--schema", "max.json", program=command.FAILPOINTS, status=-9, HOLDFAST_FAILPOINT="rebuild_near:1")
        self.holdfast("rebuild", "--continue", "g2")
        self.assertEqual((self.live(), self.count(7)), ("g2", 1))


class WhatDiffers(Rebuilt):
    def test_it_is_not_switched_and_the_owner_goes_on(self):
        owner = self.running()
        self.change_log()
        self.refused_late("differs from the live one", "rebuild", status=3)
        self.assertEqual(self.live(), "g1")
        self.send(1)
        await_true("ingest goes on", lambda: self.total() == self.numbers)
        self.assertIsNone(owner.poll())

    def refused_late(self, told, *arguments, status):
        done = self.holdfast(*arguments, status=status)
        self.assertIn(told, done.stderr)

    def test_it_is_listed_with_both_values_and_their_records(self):
        self.take_all()
        self.change_log()
        told = self.holdfast("rebuild", "--diff")
        listed = [line.split() for line in told.stdout.splitlines() if line.startswith("account")]
        self.assertEqual(listed[0][:4] + listed[0][5:6], ["account", "8", "count", "5", "7"])
        self.assertRegex(listed[0][4], rf"^{TOPIC}:0@\d+$")
        # same, live only, new only, differing, features, by schema, by decision, deleted in both
        self.assertEqual(listed[1], ["account", "1", "0", "0", "1", "1", "0", "0", "0", "0"])
        self.assertEqual(self.live(), "g1")

    def test_it_is_switched_all_the_same_if_somebody_says_so(self):
        self.take_all()
        self.change_log()
        self.holdfast("rebuild", status=3)
        self.holdfast("rebuild", "--continue", "g2", "--even-if-different")
        self.assertEqual((self.live(), self.count(8)), ("g2", 7))

    def test_what_the_schema_explains_is_counted_apart(self):
        self.take_all()
        other = copy.deepcopy(SCHEMA)
        other["views"]["account"]["features"]["count"]["merge"] = "max"
        other["views"]["fresh"] = copy.deepcopy(SCHEMA["views"]["account"])
        (self.directory / "other.json").write_text(json.dumps(other))
        told = self.holdfast("rebuild", "--schema", "other.json", "--diff").stdout
        rows = [line.split() for line in told.splitlines()]
        self.assertIn(["account", "0", "0", "0", "2", "2", "2", "0", "0", "0"], rows)
        self.assertIn(["fresh", "(new)"] + ["0"] * 9, rows)

    def test_what_decisions_explain_is_told_apart(self):
        with self.sent.open("a") as out:  # the first event's key, for another entity
            out.write(json.dumps({"id": 1, "view": "account", "entity": {"id": 9}, "event_time": command.AT,
                                  "features": {"count": 4}}) + "\n")
        self.take_all()
        self.holdfast("dead", "retry", "--all", "--force", "--because", "it is another event")
        self.change_log()
        told = self.holdfast("rebuild", "--diff").stdout
        unexplained, decided = told.split("explained by decisions:\n")
        self.assertEqual(unexplained.splitlines()[1].split()[:4], ["account", "8", "count", "5"])
        self.assertRegex(decided.splitlines()[1], rf"^account +9 +count +4 +{TOPIC}:0@\d+ +- +- +dead 1 of the new one: key_reused$")
        self.assertIn(["account", "1", "1", "0", "1", "2", "0", "1", "0", "0"], [line.split() for line in told.splitlines()])


class OneView(Rebuilt):
    """`account` holds a dead letter that somebody forced in, which the log alone does not bring; `shop` is damaged."""

    def setUp(self):
        super().setUp()
        schema = copy.deepcopy(SCHEMA)
        schema["views"]["shop"] = {"entity": {"id": "int64"}, "features": {"sales": {"type": "int64", "merge": "sum"}}}
        self.settle(schema)
        with self.sent.open("a") as out:
            for event in ({"id": "a", "view": "shop", "entity": {"id": 1}, "features": {"sales": 3}},
                          {"id": "b", "view": "shop", "entity": {"id": 1}, "features": {"sales": 4}},
                          {"id": 1, "view": "account", "entity": {"id": 9}, "features": {"count": 4}}):
                out.write(json.dumps(event | {"event_time": command.AT}) + "\n")
        self.take_all()
        self.holdfast("dead", "retry", "--all", "--force", "--because", "it is another event")
        self.undisturbed = self.digests()
        self.numbers += 3

    def digests(self):
        views = json.loads(self.holdfast("verify", "--json").stdout)["views"]
        return {name: view["digest"] for name, view in views.items()}

    def damage(self):
        with contextlib.closing(sqlite3.connect(self.store / "features.db")) as db:
            db.execute("UPDATE shop SET sales = 99")
            db.commit()
        self.holdfast("verify", status=3)

    def test_it_is_repaired_and_the_others_stay_as_they_were(self):
        self.damage()
        self.assertIn("differs from the live one", self.holdfast("rebuild", status=3).stderr)
        told = self.holdfast("rebuild", "--view", "shop").stderr
        self.assertIn("of other views: 1 rows and 1 letters were others in the log", told)
        self.assertEqual((self.live(), self.count(9)), ("g3", 4))
        self.assertEqual(self.digests(), self.undisturbed)
        self.assertEqual(json.loads(self.holdfast("dead", "list", "--json").stdout)["letters"], [])
        (partition,) = self.status()["partitions"]
        self.assertEqual((partition["updates"], partition["applied"], partition["dead"]), (28, 28, 0))

    def test_beside_an_owner_which_goes_on(self):
        owner = self.running()
        self.holdfast("rebuild", "--view", "shop")
        self.send(2)
        await_true("ingest goes on", lambda: self.total() == self.numbers)
        self.assertEqual((self.live(), self.count(7), self.count(9)), ("g2", 22, 4))
        self.assertIsNone(owner.poll())

    def test_the_view_itself_comes_from_the_log(self):
        self.assertIn("in view account", self.holdfast("rebuild", "--view", "account", status=3).stderr)
        self.holdfast("rebuild", "--continue", "g2", "--view", "account", "--even-if-different")
        self.assertEqual(self.live(), "g2")
        self.assertEqual(self.digests()["shop"], self.undisturbed["shop"])
        self.assertEqual(self.status()["partitions"][0]["dead"], 1)
        self.holdfast("get", "account", "9", status=1)

    def test_killed_at_its_steps_it_is_gone_on_with(self):
        """The live one stays as it was until the switch; what was taken over already is taken over again."""
        self.damage()
        steps = ("rebuild_near", "rebuild_there", "carry_rows", "carry_letters", "rebuild_carried", "rebuild_complete", "rebuild_closed")
        self.holdfast("rebuild", "--view", "shop", program=command.FAILPOINTS, status=-9, HOLDFAST_FAILPOINT="rebuild_begun:1")
        for step in steps:
            self.holdfast("rebuild", "--continue", "g2", "--view", "shop", program=command.FAILPOINTS, status=-9,
                          HOLDFAST_FAILPOINT=f"{step}:1")
            self.assertEqual((self.live(), self.count(9)), ("g1", 4), step)
        for others in ((), ("--view", "account")):
            told = self.holdfast("rebuild", "--continue", "g2", *others, status=2).stderr
            self.assertIn("all views but shop from the live one already", told)
        self.holdfast("rebuild", "--continue", "g2", "--view", "shop", program=command.FAILPOINTS, status=-9,
                      HOLDFAST_FAILPOINT="rebuild_switched:1")
        self.assertEqual((self.live(), self.count(9)), ("g2", 4))
        self.assertEqual(self.digests(), self.undisturbed)
        self.assertEqual(json.loads(self.holdfast("dead", "list", "--json").stdout)["letters"], [])
        (partition,) = self.status()["partitions"]
        self.assertEqual((partition["updates"], partition["applied"], partition["dead"]), (28, 28, 0))

    def test_what_differs_is_told_of_it_alone(self):
        told = self.holdfast("rebuild", "--view", "shop", "--diff")
        self.assertEqual([line.split()[0] for line in told.stdout.splitlines()], ["view", "shop"])
        self.assertIn("no difference", told.stderr)

    def test_what_makes_no_sense_is_refused(self):
        self.refused("there is no view shops", "rebuild", "--view", "shops")
        self.refused("not with --schema", "rebuild", "--view", "shop", "--schema", "schema.json")
        self.refused("not with --schema", "rebuild", "--view", "shop", "--partial")
        self.assertEqual(self.generations(), ["g1"])


class BesideAnOwner(Rebuilt):
    def test_ingest_goes_on_in_the_new_one(self):
        owner = self.running()
        self.holdfast("rebuild")
        self.assertEqual(self.live(), "g2")
        self.send(3)
        await_true("ingest goes on", lambda: self.total() == self.numbers)
        self.assertIsNone(owner.poll())
        self.assertEqual(self.count(7), 23)

    def test_what_was_decided_is_taken_over(self):
        self.running()
        self.holdfast("hold", "account", "fail", "--because", "a test")
        self.holdfast("pause", f"{TOPIC}:0", "--because", "a test")
        told = self.holdfast("rebuild").stderr
        self.assertIn("taken over: 2 decisions, 1 holds, 1 stops, 0 letters", told)
        status = self.status()
        self.assertEqual([one["target"] for one in status["holds"]], ["account"])
        self.send(1)
        self.holdfast("resume", f"{TOPIC}:0")
        await_true("ingest goes on", lambda: self.total() == self.numbers)

    def test_one_at_a_time_is_built(self):
        self.running()
        first = self.started("rebuild", program=command.FAILPOINTS, HOLDFAST_FAILPOINT="rebuild_near:1:stop")
        await_true("the first one is there", lambda: "g2" in self.generations() and
                   re.search(r"State:\s+T", pathlib.Path(f"/proc/{first.pid}/status").read_text()))
        self.refused("another holdfast process builds", "rebuild", status=4)
        self.assertEqual(self.live(), "g1")

    def test_a_half_built_one_is_gone_on_with(self):
        self.running()
        self.holdfast("rebuild", program=command.FAILPOINTS, status=-9, HOLDFAST_FAILPOINT="rebuild_stands:1")
        self.send(2)
        told = self.holdfast("rebuild", "--continue", "g2").stderr
        self.assertIn("generation g2 is live", told)
        await_true("ingest goes on", lambda: self.total() == self.numbers)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
    unittest.main()
