#!/usr/bin/env python3
"""damage.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: damage that was found, as operators and callers meet it from then on.

A row is removed from outside: no lookup can notice, since what is not there is `missing`.
"""

import contextlib
import json
import os
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import backup
import command
from command import await_true
from operate import TOPIC

VIEWS = ("hurt", "whole")


class Damaged(backup.Backed):
    def setUp(self):
        super().setUp()
        features = {"count": {"type": "int64", "merge": "sum", "default": 0}}
        schema = self.directory / "schema.json"
        schema.write_text(json.dumps({
            "views": {name: {"entity": {"id": "int64"}, "features": features} for name in VIEWS},
            "sources": {TOPIC: {"id": "/id", "event_time": "/event_time", "updates": [
                {"view": name, "entity": {"id": "/entity/id"}, "features": {"count": {"const": 1}}} for name in VIEWS]}}}))
        self.configure(schema=schema, file={"path": str(self.sent), "topic": TOPIC})
        self.sent.write_text('{"this": "is a dead letter"}\n')
        self.send_many(3000)
        self.take_all()
        self.holdfast("backup", "early")
        self.send_many(1000)
        self.take_all()

    def counted(self, lines, id=7):
        return sum(1 for line in self.sent.read_text().splitlines()[1:lines + 1] if json.loads(line)["entity"]["id"] == id)

    def taken(self):
        return super().taken() - 1

    def tamper(self, *statements):
        with contextlib.closing(sqlite3.connect(self.store / "features.db", timeout=10)) as db, db:
            for statement in statements:
                db.execute(statement)

    def lose_a_row(self):
        self.tamper("DELETE FROM hurt WHERE id = 7")

    def find_damage(self):
        found = self.holdfast("verify", status=3)
        self.assertIn("remembered: ingest takes nothing into generation", found.stdout)
        return found

    def service(self, *arguments):
        listener = self.directory / "listener"
        listener.unlink(missing_ok=True)
        process = self.started(*arguments, "--port-file", listener)
        await_true("it listens", lambda: listener.exists() or process.poll() is not None)
        self.address = listener.read_text().strip()
        return process

    def get(self, target):
        return command.fetch(self.address, target)

    def look_up(self, view, id=7):
        status, body = self.get(f"/v1/views/{view}/{id}")
        answer = json.loads(body)
        return (status, answer["generation"], answer["views"][view]["values"][0][0]) if status == 200 else (status, answer["error"]["code"])


class Lookups(Damaged):
    def test_of_the_view_come_from_the_backup_from_then_on_and_all_others_from_the_live_one(self):
        self.service("serve")
        self.assertEqual(self.look_up("hurt"), (200, "g1", self.counted(4000)))
        self.lose_a_row()
        self.assertEqual(self.look_up("hurt"), (200, "g1", 0))  # nobody can know
        self.find_damage()
        self.assertEqual(self.look_up("hurt"), (200, "g1@early", self.counted(3000)))
        self.assertEqual(self.look_up("hurt", 14), (200, "g1@early", self.counted(3000, 14)))
        self.assertEqual(self.look_up("whole"), (200, "g1", self.counted(4000)))
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertIn("[!]store degraded: verify", self.get("/readyz?verbose")[1])
        self.assertIn("holdfast_store_damaged 1\n", self.get("/metrics")[1])
        self.assertIn("<b>The store is damaged</b>verify", self.get("/")[1])
        self.assertIn("lookups of hurt are answered from the newest backup", self.get("/")[1])
        self.assertIn("g1 is damaged, as verify", self.holdfast("generations").stdout)
        (generation,) = json.loads(self.holdfast("generations", "--json").stdout)["generations"]
        self.assertIn("as verify", generation["damage"])
        self.assertEqual(self.holdfast("get", "whole", "7").returncode, 0)
        self.refused("is damaged, as verify", "get", "hurt", "7", status=3)

    def test_without_a_backup_are_refused(self):
        self.service("serve")
        self.backup_file("early").unlink()
        self.tamper("DELETE FROM _dead")
        self.find_damage()
        for view in VIEWS:
            self.assertEqual(self.look_up(view), (503, "store_unreadable"))
        self.assertEqual(self.get("/readyz")[0], 503)
        self.assertIn("[-]store failed: the store is damaged, as verify", self.get("/readyz?verbose")[1])

    def test_all_come_from_the_backup_where_two_tables_contradict_each_other(self):
        self.service("serve")
        self.tamper("DELETE FROM _dead")
        self.find_damage()
        for view in VIEWS:
            self.assertEqual(self.look_up(view), (200, "g1@early", self.counted(3000)))
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertIn("[!]store degraded: lookups are answered from backup g1@early", self.get("/readyz?verbose")[1])

    def test_all_come_from_the_backup_where_nobody_can_open_it_any_more(self):
        self.tamper("UPDATE _partition SET taken = taken + 1")
        self.assertIn("does not fit", self.holdfast("verify", status=3).stderr)
        self.service("serve")
        for view in VIEWS:
            self.assertEqual(self.look_up(view), (200, "g1@early", self.counted(3000)))
        self.refused("is damaged, as verify", "pause", f"{TOPIC}:0", status=3)
        self.holdfast("restore", "early")
        self.take_all()
        await_true("the restored one answers", lambda: self.look_up("hurt") == (200, "g2", self.counted(4000)))


class Ingest(Damaged):
    def test_refuses_with_the_command(self):
        self.lose_a_row()
        self.find_damage()
        for words in (["ingest", "--until-end"], ["pause", f"{TOPIC}:0"], ["backup", "another"], ["hold", "hurt", "fail", "--because", "it is"]):
            self.assertIn("holdfast restore BACKUP", self.holdfast(*words, status=3).stderr)

    def test_that_runs_ends(self):
        owner = self.owner()
        self.lose_a_row()
        self.find_damage()
        await_true("it ended", lambda: owner.poll() is not None)
        self.assertEqual(owner.returncode, 3)
        self.send_many(10)
        self.assertEqual(self.taken(), 4000)

    def test_in_one_process_with_lookups_waits_for_the_repair(self):
        service = self.service("run")
        self.lose_a_row()
        self.find_damage()
        self.assertEqual(self.look_up("hurt"), (200, "g1@early", self.counted(3000)))
        self.send_many(500)
        status = self.status()
        self.assertEqual((status["total"]["taken"], status["damage"]["lookups"].split()), (4001, ["hurt"]))
        self.assertIn("DAMAGED, as verify", self.holdfast("status").stdout)
        # Nor when it is started anew.
        self.assertEqual(self.end(service, signal.SIGTERM), 0)
        service = self.service("run")
        self.assertEqual(self.look_up("hurt"), (200, "g1@early", self.counted(3000)))
        self.assertEqual(self.taken(), 4000)
        self.holdfast("restore", "early")
        await_true("all is taken", lambda: self.look_up("hurt") == (200, "g2", self.counted(4500)))
        status = self.status()
        self.assertEqual((status["total"]["taken"], status["damage"]), (4501, None))
        self.holdfast("verify")
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_that_meets_damage_looks_at_the_whole_store(self):
        self.tamper("UPDATE hurt SET count = 5000000 WHERE id = 7")
        self.send(1, id=7)
        self.assertIn("as ingest found", self.holdfast("ingest", "--until-end", status=3).stderr)
        self.assertEqual(self.status()["damage"]["by"], "ingest")
        self.refused("is damaged, as ingest found", "get", "hurt", "14", status=3)


class Backups(Damaged):
    def test_that_find_the_store_damaged_have_it_remembered(self):
        owner = self.owner()
        self.lose_a_row()
        self.holdfast("backup", "late", status=3)
        await_true("it is remembered", lambda: self.status()["damage"])
        damage = self.status()["damage"]
        self.assertEqual((damage["by"], damage["lookups"].split()), ("backup late", ["hurt"]))
        await_true("ingest ended", lambda: owner.poll() is not None)
        self.assertIn("damaged", self.status()["backups"]["failed"]["why"])
        self.assertEqual([one["name"] for one in self.listed()], ["early"])


class Ends(Damaged):
    def setUp(self):
        super().setUp()
        self.tamper("CREATE TABLE kept AS SELECT * FROM hurt")
        self.lose_a_row()
        self.find_damage()

    def expect_good(self, generation, lines):
        self.assertIsNone(self.status()["damage"])
        self.service("serve")
        self.assertEqual(self.look_up("hurt"), (200, generation, self.counted(lines)))
        self.assertNotIn("is damaged", self.get("/")[1])
        self.holdfast("verify")

    def test_with_a_rebuild_from_the_log(self):
        self.holdfast("rebuild")
        self.expect_good("g2", 4000)

    def test_with_a_rebuild_from_a_backup(self):
        self.holdfast("rebuild", "--base", "early")
        self.expect_good("g2", 4000)

    def test_with_a_rollback_which_leads_no_way_back(self):
        self.holdfast("restore", "early")
        self.take_all()
        self.lose_a_row()
        self.find_damage()
        self.refused("generations/g1.db is damaged, as verify", "rollback", "g1", "--now", status=3)
        self.holdfast("rebuild")
        self.refused("generations/g2.db is damaged, as verify", "rollback", "g2", "--now", status=3)
        self.expect_good("g3", 4000)

    def test_when_nothing_is_wrong_any_more(self):
        self.tamper("DELETE FROM hurt", "INSERT INTO hurt SELECT * FROM kept", "DROP TABLE kept")
        self.assertIn("and is not any more", self.holdfast("verify").stdout)
        self.expect_good("g1", 4000)
        self.send_many(10)
        self.take_all()
        self.assertEqual(self.taken(), 4010)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
