#!/usr/bin/env python3
"""schema_apply.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: the schema changed in place, on a running service too.

What must come out is known from what was sent; a store that had the schema at once is the measure of one that got it later.
"""

import copy
import json
import pathlib
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
import rollback
from command import await_true
from operate import SCHEMA, TOPIC

WIDER = copy.deepcopy(SCHEMA)
WIDER["views"]["account"]["features"] = {"count": {"type": "int64", "merge": "sum", "default": 0},
                                         "limit": {"type": "int64", "default": 5},
                                         "label": {"type": "string", "default": "none"}}
WIDER["views"]["visitor"] = {"entity": {"name": "string"}, "features": {"seen": {"type": "timestamp", "merge": "max"}}}
STEPS_MIN = 10  # failpoints of such a change; each one is met


class Changed(rollback.Back):
    def setUp(self):
        super().setUp()
        self.wider = self.write("wider.json", WIDER)

    def write(self, name, schema):
        path = self.directory / name
        path.write_text(json.dumps(schema))
        return path

    def event(self, view, entity, **features):
        self.numbers += 1
        with self.sent.open("a") as out:
            out.write(json.dumps({"id": self.numbers, "view": view, "entity": entity, "event_time": command.AT,
                                  "features": features}) + "\n")

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True) as db:
            rows = db.execute(sql).fetchall()
        db.close()
        return rows

    def columns(self, table):
        return [name for (name,) in self.rows(f"SELECT name FROM pragma_table_info('{table}')")]

    def fed(self):
        """Upserts of some entities, one of them deleted, one of them returned after a delete."""
        self.send(30)
        for id in (1, 2, 3, -4):
            self.event("account", {"id": id}, label=f"of {id}")
        with self.sent.open("a") as out:
            for id in (2, 3):
                self.numbers += 1
                out.write(json.dumps({"id": self.numbers, "view": "account", "entity": {"id": id}, "op": "delete",
                                      "event_time": command.AT.replace(".500Z", ".600Z")}) + "\n")
            self.numbers += 1
            out.write(json.dumps({"id": self.numbers, "view": "account", "entity": {"id": 3},
                                  "event_time": command.AT.replace(".500Z", ".700Z"), "features": {"label": "back"}}) + "\n")
        self.take_all()

    def digest_of_one_that_had_it_at_once(self):
        here, self.store = self.store, self.directory / "other"
        self.configure(schema=self.wider)
        self.take_all()
        digest = self.status()["digest"]
        self.store = here
        self.configure(schema=self.directory / "schema.json")
        return digest


class Diff(Changed):
    def test_it_says_what_goes_in_place_and_what_does_not(self):
        self.send()
        self.take_all()
        told = self.holdfast("schema", "diff", self.wider).stdout
        self.assertIn("view account: feature limit is new (int64)", told)
        self.assertIn("view visitor is new", told)
        self.assertIn("in place: holdfast schema apply", told)
        self.assertIn("nothing differs", self.holdfast("schema", "diff", self.directory / "schema.json").stdout)
        narrower = copy.deepcopy(WIDER)
        narrower["views"]["account"]["features"]["count"]["merge"] = "max"
        told = self.holdfast("schema", "diff", self.write("narrower.json", narrower), status=4).stdout
        self.assertIn("! view account: feature count: merge differs: ", told)
        self.assertIn("holdfast rebuild --schema", told)
        found = json.loads(self.holdfast("schema", "diff", self.directory / "narrower.json", "--json", status=4).stdout)
        self.assertFalse(found["in_place"])
        self.assertEqual([one["in_place"] for one in found["changes"]].count(False), 1)
        self.refused("did you mean check, diff or apply?", "schema", "dif", "x.json")
        self.refused("nowhere.json", "schema", "diff", "nowhere.json")


class Apply(Changed):
    def test_without_an_owner_rows_stay_and_columns_are_in_order(self):
        self.fed()
        before = self.rows("SELECT * FROM _readable_account ORDER BY id")
        digest = self.status()["digest"]
        self.assertIn("has this schema now", self.holdfast("schema", "apply", self.wider, "--because", "limits").stdout)
        self.assertEqual(self.columns("account")[:5], ["id", "count", "limit", "label", "_event_time"])
        self.assertEqual(self.columns("_readable_account"), ["id", "count", "limit", "label", "_event_time"])
        after = self.rows("SELECT id, count, label, _event_time FROM _readable_account ORDER BY id")
        self.assertEqual(after, before)
        self.assertEqual(self.rows("SELECT count(*) FROM account WHERE \"limit\" IS NOT NULL"), [(0,)])
        self.assertEqual(self.rows("SELECT name FROM sqlite_master WHERE name LIKE '%replaced%'"), [])
        self.assertEqual(self.status()["digest"], digest)
        self.holdfast("verify")
        ((who, because, changes, text),) = self.rows("SELECT who, because, changes, before FROM _schema")
        self.assertEqual((because, json.loads(text)), ("limits", SCHEMA))
        self.assertEqual(changes, "view account: feature limit is new (int64); view visitor is new")
        decision = self.status()["decisions"][0]
        self.assertEqual((decision["what"], decision["who"], decision["before"], decision["after"]), ("schema apply", who, "0", "1"))
        self.assertIn("nothing differs", self.holdfast("schema", "apply", self.wider).stdout)
        self.assertEqual(len(self.rows("SELECT id FROM _schema")), 1)

    def test_the_same_log_gives_the_same_state(self):
        self.fed()
        self.holdfast("schema", "apply", self.wider)
        self.event("account", {"id": 3}, limit=9, count=1)
        self.event("account", {"id": 7}, limit=8)
        self.event("account", {"id": 2}, limit=7)
        self.event("visitor", {"name": "ada"}, seen=command.AT)
        self.take_all()
        self.assertEqual(self.status()["total"]["parked"], 0)
        self.assertEqual(self.status()["digest"], self.digest_of_one_that_had_it_at_once())
        self.holdfast("verify")

    def test_a_rebuild_gives_the_same_and_keeps_the_history(self):
        self.fed()
        self.holdfast("schema", "apply", self.wider, "--because", "limits")
        self.event("account", {"id": 3}, limit=9, count=1)
        self.take_all()
        digest = self.status()["digest"]
        self.holdfast("rebuild", *self.log())
        self.assertEqual([name for name, one in self.generations().items() if one["live"]], ["g2"])
        self.assertEqual(self.status()["digest"], digest)
        self.assertEqual(self.rows("SELECT because FROM _schema"), [("limits",)])
        # So has the one it took the place of.
        self.holdfast("rollback", "g1", "--now")
        self.assertIn("nothing differs", self.holdfast("schema", "diff", self.wider).stdout)
        self.holdfast("verify")

    def test_what_does_not_go_in_place_changes_nothing(self):
        self.send()
        self.take_all()
        other = copy.deepcopy(WIDER)
        del other["views"]["account"]["features"]["label"]
        told = self.refused("feature label is gone", "schema", "apply", self.write("other.json", other), status=4).stderr
        self.assertIn("holdfast rebuild --schema", told)
        self.assertEqual(self.rows("SELECT count(*) FROM _schema"), [(0,)])
        self.assertEqual(self.columns("account")[:4], ["id", "count", "label", "_event_time"])
        self.holdfast("verify")

    def test_a_crash_at_each_step_leaves_the_old_or_the_new(self):
        self.fed()
        digest = self.status()["digest"]
        step, met = 1, []
        while True:
            done = self.holdfast("schema", "apply", self.wider, status=None, program=command.FAILPOINTS,
                                 HOLDFAST_FAILPOINT=f"schema_step:{step}")
            self.holdfast("verify")
            self.assertEqual(self.status()["digest"], digest)
            edition = len(self.rows("SELECT id FROM _schema"))
            width = len(self.columns("account"))
            views = len(self.rows("SELECT name FROM _view"))
            self.assertIn((edition, width, views), [(0, 10, 1), (1, 11, 2)])
            met.append((done.returncode, edition))
            if edition == 1:
                break
            step += 1
        self.assertEqual(set(met[:-1]), {(-signal.SIGKILL, 0)})
        self.assertGreaterEqual(len(met), STEPS_MIN)
        self.take_all()

    def holdfast(self, *arguments, status=0, **more):
        if status is not None:
            return super().holdfast(*arguments, status=status, **more)
        process = self.started(*arguments, **more)
        process.returncode = self.end_quietly(process)
        return process

    def end_quietly(self, process):
        process.stderr.read()
        return process.wait(command.PATIENCE_S)


class Beside(Changed):
    def test_lookups_go_on_and_what_was_parked_is_taken_at_once(self):
        self.send(20)
        self.event("visitor", {"name": "ada"}, seen=command.AT)
        owner = self.owner()
        await_true("it is parked", lambda: self.status()["total"]["parked"] == 1)
        with self.asked_all_along() as asker:
            await_true("lookups come", lambda: len(asker.answers) > 10)
            for turn in range(6):
                schema = copy.deepcopy(WIDER)
                for extra in range(turn):
                    schema["views"]["account"]["features"] = {f"extra{extra}": {"type": "bool"}} | schema["views"]["account"]["features"]
                self.holdfast("schema", "apply", self.write("next.json", schema))
                reached = len(asker.answers)
                await_true("lookups go on", lambda: len(asker.answers) > reached + 10)
        self.assertEqual(set(asker.answers), {("g1", 20)})
        await_true("it is taken", lambda: self.status()["total"]["parked"] == 0)
        self.assertEqual(self.rows("SELECT name FROM visitor"), [("ada",)])
        self.event("account", {"id": 7}, extra4=True, limit=1, count=1)
        await_true("it is taken", lambda: self.rows("SELECT extra4, \"limit\", count FROM account WHERE id = 7") == [(1, 1, 21)])
        self.assertIsNone(owner.poll())
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        self.holdfast("verify")

    def test_both_halves_in_one_process(self):
        self.send(5)
        port_file = self.directory / "port"
        self.configure(schema=self.directory / "schema.json", file={"path": str(self.sent), "topic": TOPIC})
        service = self.started("run", "--port-file", port_file)
        await_true("it listens", port_file.exists)
        await_true("all is taken", lambda: self.taken() == 5)
        asker = rollback.Asker(port_file.read_text().strip())
        asker.start()
        try:
            await_true("lookups come", lambda: len(asker.answers) > 10)
            self.holdfast("schema", "apply", self.wider)
            reached = len(asker.answers)
            await_true("lookups go on", lambda: len(asker.answers) > reached + 10)
        finally:
            asker.ended.set()
            asker.join()
        self.assertEqual(asker.failures, [])
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_sighup_takes_the_file_if_it_goes_in_place(self):
        self.send(3)
        owner = self.owner()
        self.write("schema.json", WIDER)
        owner.send_signal(signal.SIGHUP)
        await_true("it is taken", lambda: "limit" in self.columns("account"))
        self.assertEqual(self.status()["decisions"][0]["who"], "SIGHUP")
        other = copy.deepcopy(WIDER)
        del other["views"]["account"]["features"]["label"]
        self.write("schema.json", other)
        owner.send_signal(signal.SIGHUP)
        self.send(2)
        await_true("it goes on", lambda: self.taken() == 5)
        self.holdfast("pause")  # behind the signal
        self.assertEqual(self.columns("account")[:5], ["id", "count", "limit", "label", "_event_time"])
        owner.send_signal(signal.SIGTERM)
        told = owner.stderr.read()
        self.assertIn("is the store's schema now", told)
        self.assertIn("was not taken", told)
        self.assertIn("feature label is gone", told)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(lambda path: str(pathlib.Path(path).resolve()), sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
