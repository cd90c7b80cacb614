#!/usr/bin/env python3
"""against.py HOLDFAST [unittest options]: `verify --against`: two copies of a store, at the same offsets."""

import fcntl
import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import command  # noqa: E402
from command import TOPIC  # noqa: E402

AT = "2026-11-23T08:20:{:02d}Z"
SCHEMA = {"views": {"card": {"entity": {"id": "string"}, "features": {"n": {"type": "int64"}, "total": {"type": "int64", "merge": "sum"}}},
                    "shop": {"entity": {"id": "string"}, "features": {"n": {"type": "int64"}}}},
          "sources": {TOPIC: {}}}


class Compared(command.Case):
    def setUp(self):
        super().setUp()
        self.schema = self.directory / "schema.json"
        self.schema.write_text(json.dumps(SCHEMA))
        self.configure(self.schema, file={"path": str(self.sent), "topic": TOPIC}, ingest={"dead_share_max": 1})
        self.sent.touch()
        self.number = 0

    def send(self, count=5, view="card", **features):
        with self.sent.open("a") as file:
            for _ in range(count):
                self.number += 1
                features = features or {"n": self.number}
                file.write(json.dumps({"id": f"e{self.number}", "view": view, "entity": {"id": f"x{self.number % 3}"},
                                       "event_time": AT.format(self.number % 60), "features": features}) + "\n")

    def take(self, *more):
        self.holdfast("ingest", "--until-end", *more)

    def against(self, other, status=0):
        return json.loads(self.holdfast("verify", "--against", other, "--json", status=status).stdout.splitlines()[-1])

    def nothing_is_left(self):
        self.assertEqual([path.name for path in self.store.iterdir() if path.name.startswith("against")], [])

    def offset(self):
        partition, = [one for one in self.status()["partitions"] if one["topic"] == TOPIC]
        return partition["next_offset"]


class Left(Compared):
    def test_what_a_killed_one_left_is_removed_and_no_other(self):
        """One that somebody has locked is in use; one that is new may soon be."""
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        self.send(total=1)
        self.take()
        for name in ("against.dead", "against.used", "against.new"):
            (self.store / name / "generations").mkdir(parents=True)
            (self.store / name / "generations" / "g1.db").write_text("pages")
        for name in ("against.dead", "against.used"):
            os.utime(self.store / name, (0, 0))
        used = os.open(self.store / "against.used", os.O_RDONLY)
        self.addCleanup(os.close, used)
        fcntl.flock(used, fcntl.LOCK_EX)
        self.assertTrue(self.against("one")["same"])
        self.assertEqual(sorted(path.name for path in self.store.glob("against*")), ["against.new", "against.used"])


class Against(Compared):
    def test_a_backup_at_the_same_offsets(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        told = self.against("one")
        self.assertEqual((told["same"], told["taken_here"], told["taken_there"]), (True, 0, 0))
        self.assertEqual([here == there for here, there in told["views"].values()], [True, True])
        self.assertIn("the same", self.holdfast("verify", "--against", self.store / "backups" / "one.db").stdout.splitlines()[-1])

    def test_a_backup_that_is_behind_is_taken_to_where_the_store_is(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        self.send(7, total=2)
        self.take()
        before, offset = self.status()["digest"], self.offset()
        told = self.against("one")
        self.assertEqual((told["same"], told["taken_here"], told["taken_there"]), (True, 0, 7))
        self.assertEqual((self.status()["digest"], self.offset()), (before, offset))
        self.nothing_is_left()

    def test_a_store_that_is_behind_is_copied(self):
        self.send(total=1)
        self.take()
        ahead = self.directory / "ahead"
        shutil.copytree(self.store, ahead, symlinks=True)
        self.send(4, total=2)
        self.take("--set", f"store.path={ahead}")
        before, offset = self.status()["digest"], self.offset()
        told = self.against(ahead)
        self.assertEqual((told["same"], told["taken_here"], told["taken_there"]), (True, 4, 0))
        self.assertEqual((self.status()["digest"], self.offset()), (before, offset))
        self.nothing_is_left()
        self.assertEqual(list((self.store / "backups").glob("*")), [])

    def test_what_differs_is_named_by_its_view(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        self.send(3, view="shop")
        self.take()
        # The log says something else now, and the copy takes that: the last value of all.
        text = self.sent.read_bytes()
        with self.sent.open("r+b") as file:
            file.seek(text.rindex(b'"n": ') + len(b'"n": '))
            file.write(b"9")
        told = self.against("one", status=3)
        self.assertEqual({name: here == there for name, (here, there) in told["views"].items()}, {"card": True, "shop": False})
        self.assertFalse(told["same"])
        self.nothing_is_left()

    def test_equal_digests_at_unequal_offsets_prove_nothing(self):
        """What the copy takes on its way counts."""
        self.send(1, total=1)
        self.take()
        self.holdfast("backup", "one")
        self.number = 0
        self.send(1, total=1)  # a copy of what was there: the digest stays
        self.take()
        text = self.sent.read_bytes()
        self.assertTrue(self.against("one")["same"])
        with self.sent.open("r+b") as file:  # another event, in the log alone
            file.seek(text.rindex(b'"id": "e1"') + len(b'"id": "e'))
            file.write(b"7")
        told = self.against("one", status=3)
        self.assertEqual((told["same"], told["taken_there"]), (False, 1))

    def test_what_no_log_holds_is_refused(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        rows = self.directory / "rows.csv"
        rows.write_text("id,n\nq,7\n")
        self.holdfast("load", "card", rows, "--event-time", AT.format(40))
        self.refused("no log holds them", "verify", "--against", "one", status=4)

    def test_another_schema_is_refused(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        wanted = json.loads(json.dumps(SCHEMA))
        wanted["views"]["card"]["features"]["more"] = {"type": "int64"}
        self.schema.write_text(json.dumps(wanted))
        self.holdfast("schema", "apply", self.schema)
        self.refused("has another schema", "verify", "--against", "one", status=4)

    def test_a_log_that_does_not_lead_there_is_refused(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        size = self.sent.stat().st_size
        self.send(4, total=2)
        self.take()
        os.truncate(self.sent, size)
        self.refused("the same offsets", "verify", "--against", "one", status=4)
        self.nothing_is_left()

    def test_what_is_no_copy_is_said(self):
        self.send(total=1)
        self.take()
        self.refused("there is no backup two", "verify", "--against", "two")
        self.holdfast("backup", "one")
        path = self.store / "backups" / "one.db"
        whole = path.read_bytes()
        path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        self.assertNotEqual(self.holdfast("verify", "--against", "one", status=3).stderr, "")

    def test_beside_a_service_that_goes_on(self):
        self.send(total=1)
        self.take()
        self.holdfast("backup", "one")
        self.send(6, total=2)
        service = self.started("ingest")
        command.await_true("all is taken", lambda: self.offset() == self.sent.stat().st_size)
        self.assertTrue(self.against("one")["same"])
        self.end(service)


class Partitions(Compared):
    """Of Kafka each of the two may be behind in other partitions."""

    def setUp(self):
        super().setUp()
        port_file = self.directory / "broker"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        command.await_true("the broker", port_file.exists)
        self.configure(self.schema, kafka={"bootstrap.servers": port_file.read_text().strip()})

    def produce(self, count, **features):
        self.sent.write_text("")
        self.send(count, **features)
        text = self.sent.read_text().splitlines()
        self.sent.write_text("".join(json.dumps({"key": json.loads(line)["entity"]["id"] + str(number), "value": json.loads(line)}) + "\n"
                                     for number, line in enumerate(text)))
        self.holdfast("produce", self.sent, "--topic", TOPIC)

    def test_one_record_behind(self):
        self.produce(40, total=1)
        self.take()
        self.holdfast("backup", "one")
        self.produce(1, total=1)
        self.take()
        told = self.against("one")
        self.assertEqual((told["same"], told["taken_here"], told["taken_there"]), (True, 0, 1))

    def test_each_is_behind_somewhere(self):
        self.produce(200, total=1)
        self.take()
        other = self.directory / "other"
        shutil.copytree(self.store, other, symlinks=True)
        numbers = [one["partition"] for one in self.status()["partitions"]]
        half = len(numbers) // 2
        for path, paused in ((self.store, numbers[:half]), (other, numbers[half:])):
            for number in paused:
                self.holdfast("pause", f"{TOPIC}:{number}", "--set", f"store.path={path}")
        self.produce(300, total=2)
        for path in (self.store, other):
            self.holdfast("ingest", "--until-end", "--set", f"store.path={path}", status=4)  # since some are paused
        told = self.against(other)
        self.assertTrue(told["same"])
        self.assertEqual(told["taken_here"] + told["taken_there"], 300)
        self.assertGreater(min(told["taken_here"], told["taken_there"]), 0)
        self.nothing_is_left()


if __name__ == "__main__":
    command.PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
