#!/usr/bin/env python3
"""dead.py HOLDFAST [unittest options]: letters as an operator meets them, with and without an owner of the store.
"""

import base64
import json
import os
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import command  # noqa: E402
from command import TOPIC, await_true  # noqa: E402

AT = "2026-11-23T08:20:48.500Z"
SCHEMA = {"views": {"card": {"entity": {"id": "string"}, "features": {
    "n": {"type": "int64", "maximum": 100}, "total": {"type": "int64", "merge": "sum"}}}},
    "sources": {TOPIC: {}}}


def event(number, view="card", id="a", n=1, at=AT, **more):
    return json.dumps({"id": f"e{number}", "view": view, "entity": {"id": id}, "event_time": at, "features": {"n": n, "total": n}} | more)


class Letters(command.Case):
    def setUp(self):
        super().setUp()
        self.schema = self.directory / "schema.json"
        self.schema.write_text(json.dumps(SCHEMA))
        self.configure(self.schema)

    def send(self, *lines):
        with self.sent.open("a") as file:
            file.writelines(line + "\n" for line in lines)

    def dead(self, *arguments, **more):
        return self.holdfast("dead", *arguments, **more)

    def listed(self, *arguments):
        return json.loads(self.dead("list", "--json", *arguments).stdout)["letters"]

    def decisions(self):
        with sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True) as file:
            return file.execute("SELECT who <> '', what, target, because FROM _decision ORDER BY id").fetchall()

    def three(self):
        """A record that is no JSON, one out of bounds, one whose event time is a day ahead of it; and a good one."""
        late = json.dumps({"timestamp": "2026-11-22T08:20:48Z", "key": "k", "headers": {"trace": "t1"},
                           "value": json.loads(event(3, id="b", n=7))})
        self.send("{", event(2, n=101), late, event(4))
        self.take()

    def test_a_list_by_what_letters_have_in_common(self):
        self.three()
        everything = self.listed()
        self.assertEqual([(one["id"], one["reason"], one["view"]) for one in everything],
                         [(1, "bad_json", ""), (2, "out_of_bounds", "card"), (3, "event_time_in_future", "card")])
        self.assertEqual([one["id"] for one in self.listed("--reason", "out_of_bounds")], [2])
        self.assertEqual([one["id"] for one in self.listed("--view", "card")], [2, 3])
        self.assertEqual([one["id"] for one in self.listed("--view", "card", "--id", 1, "--id", 3)], [3])
        self.assertEqual([one["id"] for one in self.listed("--topic", "other")], [])
        self.assertEqual([one["id"] for one in self.listed("--since", "2026-11-23T00:00:00Z")], [2])
        self.assertEqual([one["id"] for one in self.listed("--until", "2026-11-23T00:00:00Z")], [3])
        self.assertIn("out_of_bounds", self.dead("list").stdout)
        self.assertIn("no dead letters there", self.dead("list", "--reason", "overflow").stdout)

    def test_a_list_goes_on_where_it_ended(self):
        self.send(*["{"] * 2500)
        self.take("--set", "ingest.dead_share_max=1")
        first = json.loads(self.dead("list", "--json", "--limit", 1200).stdout)
        self.assertEqual((len(first["letters"]), first["next_after"]), (1200, 1200))
        rest = json.loads(self.dead("list", "--json", "--limit", 5000, "--after", 1200).stdout)
        self.assertEqual([one["id"] for one in rest["letters"]], list(range(1201, 2501)))
        self.assertIsNone(rest["next_after"])

    def test_a_letter_is_shown_whole(self):
        self.three()
        shown, = json.loads(self.dead("show", 3, "--json").stdout)
        self.assertIn("2026-11-22T08:20:48", json.dumps(shown))
        self.assertIn('"trace"', shown["value"])
        for word in ("dead letter 3", "event_time_in_future", f"{TOPIC}:0 @"):
            self.assertIn(word, self.dead("show", 3).stdout)
        self.assertIn("there is no dead letter 9", self.dead("show", 9, status=1).stderr)

    def test_a_strangers_bytes_do_not_talk_to_the_terminal(self):
        self.sent.write_bytes(b"{\"\x1b[31m\xe9\xc2\x9b\"}\n")
        self.take()
        text = self.dead("show", 1).stdout
        self.assertIn(r"\x1b[31m\xe9\xc2\x9b", text)
        shown, = json.loads(self.dead("show", 1, "--json").stdout)
        self.assertEqual(base64.b64decode(shown["value_base64"]), b"{\"\x1b[31m\xe9\xc2\x9b\"}")

    def test_a_dry_run_says_what_a_retry_does(self):
        self.three()
        wide = ("--set", "ingest.max_skew=48h")
        before = self.status()["digest"]
        expected = {1: ("still broken", "bad_json"), 2: ("still broken", "out_of_bounds"), 3: ("applied", "")}
        for options in (("--dry-run",), ()):
            told = json.loads(self.dead("retry", "--all", "--json", *wide, *options).stdout)
            self.assertEqual({one["id"]: (one["fate"], one["reason"]) for one in told["letters"]}, expected)
            if options:
                self.assertEqual((self.status()["digest"], self.decisions()), (before, []))
        self.assertNotEqual(self.status()["digest"], before)
        self.assertEqual([one["id"] for one in self.listed()], [1, 2])
        self.assertEqual(self.decisions(), [(1, "dead retry", "dead 1 to 3 (3 letters)", "")])
        self.holdfast("verify")

    def test_they_are_retried_in_the_order_of_the_log(self):
        """Also one that was parked first, and died later than others: deletes come before what follows them."""
        self.schema.write_text(json.dumps(SCHEMA | {"sources": {TOPIC: {"unknown_feature": "park"}}}))
        late = json.loads(event(1, features={"unknown": 1}))
        self.send(json.dumps({"timestamp": "2026-11-22T08:20:48Z", "value": late}), event(2, n=101))
        self.take("--set", "ingest.max_skew=48h")
        self.assertIn("event_time_in_future", self.dead("retry", "--parked", "--all").stdout)
        self.assertEqual([(one["id"], one["offset"] == 0) for one in self.listed()], [(1, False), (2, True)])
        told = json.loads(self.dead("retry", "--all", "--dry-run", "--json").stdout)
        self.assertEqual([one["id"] for one in told["letters"]], [2, 1])

    def test_a_retried_event_is_superseded_by_newer_ones(self):
        late = json.dumps({"timestamp": "2026-11-22T08:20:48Z", "value": json.loads(event(1, n=7, features={"n": 7}))})
        self.send(late, event(2, n=9, at="2026-11-23T08:20:49Z"))
        self.take()
        self.assertIn("superseded", self.dead("retry", "--id", 1, "--set", "ingest.max_skew=48h").stdout)
        self.assertEqual(self.listed(), [])
        self.holdfast("verify")

    def test_a_reused_key_needs_force(self):
        self.send(event(1), event(1, n=5))
        self.take()
        self.assertIn("still broken: key_reused", self.dead("retry", "--id", 1).stdout)
        self.assertIn("applied", self.dead("retry", "--id", 1, "--force").stdout)

    def test_dropped_letters_are_on_the_record_and_can_still_be_retried(self):
        self.three()
        self.refused("--because", "dead", "drop", "--id", 1)
        self.assertIn("1 dead letters would be", self.dead("drop", "--id", 1, "--dry-run").stdout)
        self.assertEqual(self.listed()[0]["state"], "open")
        self.assertIn("1 dead letters acknowledged", self.dead("drop", "--id", 1, "--because", "a test").stdout)
        self.assertEqual([one["state"] for one in self.listed()], ["acknowledged", "open", "open"])
        self.assertEqual(self.decisions(), [(1, "dead drop", "dead 1", "a test")])
        self.assertEqual(json.loads(self.dead("retry", "--id", 3, "--json", "--set", "ingest.max_skew=48h").stdout)["counts"], {"applied": 1})

    def test_dropped_letters_leave_counted(self):
        self.three()
        self.dead("drop", "--all", "--because", "a test")
        self.send(event(9))
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC, "--set", "ingest.dead_keep=0s")
        await_true("they leave", lambda: self.listed() == [])
        self.end(service, command.signal.SIGTERM)
        self.assertEqual([self.status()["total"][name] for name in ("dead", "cleared")], [3, 3])
        self.holdfast("verify")

    def test_who_means_all_must_say_so(self):
        self.three()
        self.refused("--all", "dead", "retry")
        self.refused("--all", "dead", "drop", "--because", "x")
        self.refused("--all goes with no other", "dead", "retry", "--all", "--id", 1)

    def test_slips_of_the_hand(self):
        self.three()
        self.refused("did you mean bad_json?", "dead", "list", "--reason", "bad_jsn")
        self.refused("did you mean list?", "dead", "lst")
        self.refused("12x is no id", "dead", "show", "12x")
        self.refused("12x is no id", "dead", "retry", "--id", "12x")
        self.assertIn("there is no store", self.dead("list", "--set", f"store.path={self.directory}/none", status=1).stderr)

    def test_parked_updates_wait_and_are_listed(self):
        self.send(event(1, view="later"), event(2))
        self.take()
        parked, = self.listed("--parked")
        self.assertEqual((parked["reason"], parked["view"], parked["attempts"]), ("unknown_view", "later", 0))
        self.assertIn("still parked: unknown_view", self.dead("retry", "--parked", "--all").stdout)
        self.assertEqual(self.listed("--parked")[0]["attempts"], 0)
        self.assertEqual(self.listed(), [])

    def test_the_owner_does_it_while_it_runs(self):
        self.three()
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC, "--set", "ingest.max_skew=48h")
        await_true("it listens", lambda: (self.store / "control.sock").exists())
        told = json.loads(self.dead("retry", "--all", "--json").stdout)
        self.assertEqual(told["counts"], {"applied": 1, "still broken (bad_json)": 1, "still broken (out_of_bounds)": 1})
        self.dead("drop", "--id", 1, "--because", "a test")
        self.send(event(5, id="c"))
        await_true("it goes on", lambda: self.status()["total"]["taken"] == 5)
        self.end(service, command.signal.SIGTERM)
        self.assertEqual([what for _, what, _, _ in self.decisions()], ["dead retry", "dead drop"])
        self.holdfast("verify")

    def test_a_flood_stops_the_partition_until_it_is_resumed(self):
        self.send(event(1))
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC, "--set", "ingest.batch_records=500")
        await_true("it runs", lambda: (self.store / "features.db").exists() and self.status()["total"]["taken"] == 1)
        self.send(*["{"] * 3000)
        stopped = lambda: sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True).execute("SELECT reason FROM _stop").fetchall()
        await_true("it stops", lambda: stopped() == [("dead_letter_flood",)])
        taken = self.status()["total"]["taken"]
        self.send(event(2))
        self.holdfast("resume", f"{TOPIC}:0", "--because", "a test")
        await_true("it goes on", lambda: self.status()["total"]["taken"] > taken or taken == 3002)
        self.end(service, command.signal.SIGTERM)

    def test_a_flood_ends_a_run_to_the_end(self):
        self.send(*["{"] * 30000)
        told = self.take("--set", "ingest.batch_records=500", status=4).stderr
        self.assertIn("dead_letter_flood", told)
        self.assertIn(f"holdfast resume {TOPIC}:0", told)
        self.assertLess(self.status()["total"]["taken"], 30000)

    def test_a_full_topic_waits(self):
        self.configure(self.schema, ingest={"parked_max": 100, "batch_records": 50})
        self.send(event(0))
        service = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("it runs", lambda: (self.store / "features.db").exists() and self.status()["total"]["taken"] == 1)
        self.send(*[event(number, view="later") for number in range(1, 2000)])
        stopped = lambda: sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True).execute("SELECT reason FROM _stop").fetchall()
        await_true("it waits", lambda: stopped() == [("parked_full",)])
        self.assertLess(self.status()["total"]["parked"], 1000)
        # It would go on by itself: a pause is more than that.
        self.assertIn("paused", self.holdfast("pause", f"{TOPIC}:0").stdout)
        self.assertEqual(stopped(), [("paused",)])
        self.end(service, command.signal.SIGTERM)
        self.holdfast("verify")

    def broker(self, *topics):
        port_file = self.directory / "bootstrap"
        self.started("broker", *[word for topic in topics for word in ("--topic", topic)], "--port-file", port_file)
        await_true("the broker", port_file.exists)
        return {"bootstrap.servers": port_file.read_text().strip()}

    def arrived(self, kafka):
        """What lies in the topic: a second store whose source it is, where all of it is dead again."""
        other = self.directory / "other.json"
        (self.directory / "other_schema.json").write_text(json.dumps(SCHEMA | {"sources": {"dead.v1": {}}}))
        other.write_text(json.dumps({"schema": str(self.directory / "other_schema.json"),
                                     "store": {"path": str(self.directory / "other")}, "kafka": kafka}))
        self.holdfast("ingest", "--until-end", "-c", other)
        found = json.loads(self.holdfast("dead", "list", "--json", "-c", other).stdout)["letters"]
        return json.loads(self.holdfast("dead", "show", "--json", "-c", other, *[one["id"] for one in found]).stdout)

    def test_dead_letters_are_exported_once_each(self):
        kafka = self.broker("dead.v1")
        self.configure(self.schema, kafka=kafka)
        self.three()
        self.refused("is a source of the store's schema", "dead", "export", "--topic", TOPIC)
        self.refused("--topic", "dead", "export")
        self.assertIn("3 dead letters exported", self.dead("export", "--topic", "dead.v1").stdout)
        self.assertIn("0 dead letters exported", self.dead("export", "--topic", "dead.v1").stdout)
        arrived = self.arrived(kafka)
        self.assertEqual(len(arrived), 3)
        broken, = [one for one in arrived if one["value"] == "{"]
        headers = {header["name"]: header["value"] for header in broken["headers"]}
        self.assertEqual(headers["__connect.errors.topic"], TOPIC)
        self.assertEqual((headers["__connect.errors.partition"], headers["__connect.errors.offset"]), ("0", "0"))
        self.assertEqual((headers["__connect.errors.stage"], headers["__connect.errors.exception.class.name"]), ("VALUE_CONVERTER", "bad_json"))
        self.assertEqual(headers["holdfast.letter"], "1")

    def test_letters_behind_an_export_are_never_passed_over(self):
        """Also where the exported ones left, and a new process gives ids anew."""
        self.configure(self.schema, kafka=self.broker("dead.v1"))
        late = json.dumps({"timestamp": "2026-11-22T08:20:48Z", "value": json.loads(event(1))})
        self.send(late)
        self.take()
        self.dead("export", "--topic", "dead.v1")
        self.dead("retry", "--all", "--set", "ingest.max_skew=48h")
        self.assertEqual(self.listed(), [])
        self.send("{")
        self.take()
        self.assertEqual([one["id"] for one in self.listed()], [2])
        self.assertIn("1 dead letters exported", self.dead("export", "--topic", "dead.v1").stdout)

    def test_one_that_is_too_large_for_kafka_is_named_and_those_before_it_are_not_sent_again(self):
        self.configure(self.schema, kafka=self.broker("dead.v1"))
        self.send("{", "{" + "x" * 1_100_000, "[")
        self.take()
        for exported in (1, 0):
            done = self.dead("export", "--topic", "dead.v1", "--json", status=1)
            self.assertEqual(json.loads(done.stdout or '{"exported": 0}'), {"exported": exported})
            self.assertIn("dead letter 2: ", done.stderr)
            self.assertIn("kafka.message.max.bytes", done.stderr)
        self.assertIn("2 dead letters exported",
                      self.dead("export", "--topic", "dead.v1", "--set", "kafka.message.max.bytes=5000000").stdout)

    def test_an_export_follows_beside_the_owner(self):
        kafka = self.broker("dead.v1")
        self.configure(self.schema, kafka=kafka)
        self.send("{")
        owner = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("it runs", lambda: (self.store / "features.db").exists() and self.status()["total"]["dead"] == 1)
        exporter = self.started("dead", "export", "--topic", "dead.v1", "--follow")
        cursor = lambda: sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True).execute(
            "SELECT value FROM _meta WHERE name = 'exported_dead'").fetchall()
        await_true("the first", lambda: cursor() == [(1,)])
        self.send("{", "{")
        await_true("the others", lambda: cursor() == [(3,)])
        self.assertEqual(self.end(exporter, command.signal.SIGTERM), 0)
        self.assertEqual(self.end(owner, command.signal.SIGTERM), 0)
        self.assertEqual(len(self.arrived(kafka)), 3)
        self.holdfast("verify")


if __name__ == "__main__":
    command.PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
