#!/usr/bin/env python3
"""replay.py HOLDFAST [unittest options]: the log read again, with and without an owner of the store, and what went from it named.
"""

import datetime
import json
import os
import pathlib
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import command  # noqa: E402
from command import TOPIC, await_true  # noqa: E402

MERGED = ("applied", "superseded", "held")


def time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Replay(command.Case):
    def taken(self, count=3000, *more):
        self.generate(count, "--broken", 0.02, *more)
        self.take("--set", "ingest.dead_share_max=1")

    def replay(self, *arguments, status=0):
        """Listed updates, and the summary."""
        lines = self.holdfast("replay", TOPIC, "--file", self.sent, "--json", *arguments, status=status).stdout.splitlines()
        return [json.loads(line) for line in lines[:-1]], json.loads(lines[-1])

    def change(self, *statements):
        with sqlite3.connect(self.store / "features.db") as file:
            for statement in statements:
                file.execute(statement)
        file.close()

    def ask(self, question):
        with sqlite3.connect(f"file:{self.store / 'features.db'}?mode=ro", uri=True) as file:
            return file.execute(question).fetchall()

    def accounts(self):
        partition, = self.status()["partitions"]
        return partition

    def started_to_pipe(self, *arguments):
        import subprocess
        process = subprocess.Popen([command.PROGRAM, *map(str, arguments)], cwd=self.directory, env=command.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.end, process)
        return process


class Answers(Replay):
    def test_they_are_the_dispositions_of_each_update(self):
        self.taken()
        before, accounts = self.status(), self.accounts()
        listed, end = self.replay("--list", "all")
        answers = end["answers"]
        self.assertEqual((answers["missing"], answers["ahead"]), (0, 0))
        for name in ("duplicate", "parked", "dead"):
            self.assertEqual(answers[name], accounts[name], name)
        self.assertEqual(sum(answers[name] for name in MERGED), accounts["applied"] + accounts["superseded"])
        self.assertGreater(answers["duplicate"], 0)
        self.assertGreater(answers["dead"], 0)
        self.assertEqual((len(listed), end["updates"], end["records"], end["whole"]),
                         (accounts["updates"] if "updates" in accounts else len(listed), len(listed), accounts["taken"], True))
        self.assertEqual(self.status()["digest"], before["digest"])
        self.holdfast("verify")

    def test_the_last_line_says_how_many_are_missing(self):
        self.taken(200)
        told = self.holdfast("replay", TOPIC, "--file", self.sent).stdout
        self.assertEqual(told.splitlines()[-1], "0 missing")

    def test_an_update_without_its_row_is_missing(self):
        self.taken()
        one = next(one for one in self.replay("--list", "applied")[0] if "entity" in one)
        view, entity = one["view"], one["entity"]
        where = " AND ".join(f'"{name}" = ' + (f"'{value}'" if isinstance(value, str) else str(value)) for name, value in entity.items())
        self.change(f"DELETE FROM {view} WHERE {where}")
        missing, end = self.replay(status=3)
        self.assertGreater(end["answers"]["missing"], 0)
        self.assertEqual({json.dumps([one["view"], one["entity"]]) for one in missing}, {json.dumps([view, entity])})
        told = self.holdfast("replay", TOPIC, "--file", self.sent, status=3).stdout
        self.assertEqual(told.splitlines()[-1], f"{len(missing)} missing")
        self.assertIn("the entity has no row", told)

    def test_a_dead_letter_that_went_is_missing(self):
        self.taken()
        # One that no other record is a copy of.
        (letter, record, offset), *_ = self.ask("SELECT d.id, d.record, r.offset FROM _dead d JOIN _record r ON r.id = d.record WHERE d.key IS NULL")
        self.change(f"DELETE FROM _dead WHERE id = {letter}", f"DELETE FROM _record WHERE id = {record}")
        missing, _ = self.replay(status=3)
        self.assertEqual([one["offset"] for one in missing], [offset])

    def test_a_key_that_went_is_missed(self):
        self.taken()
        held = self.ask("SELECT seq, offset, place, key FROM _key WHERE state = 'taken' ORDER BY seq")
        seq, offset, place, _ = held[len(held) // 2]
        self.change(f"DELETE FROM _key WHERE seq = {seq}")
        missing, _ = self.replay(status=3)
        # Copies of it, which came later, have nothing to be copies of.
        self.assertEqual((missing[0]["offset"], missing[0]["place"]), (offset, place))
        self.assertEqual({one["why"] for one in missing}, {missing[0]["why"]})

    def test_what_was_dropped_is_counted_and_not_missing(self):
        self.taken()
        dead = self.replay()[1]["answers"]["dead"]
        self.holdfast("dead", "drop", "--all", "--because", "a test")
        self.take("--set", "ingest.dead_share_max=1", "--set", "ingest.dead_keep=1ms")
        end = self.replay()[1]
        self.assertEqual((end["answers"]["missing"], end["answers"]["dead"]), (0, dead))

    def test_as_many_as_were_dropped_are_explained(self):
        self.taken()
        (first, _), (second, record), *_ = self.ask("SELECT id, record FROM _dead WHERE key IS NULL ORDER BY id")
        self.holdfast("dead", "drop", "--id", first, "--because", "a test")
        self.take("--set", "ingest.dead_share_max=1", "--set", "ingest.dead_keep=1ms")
        self.assertEqual(self.replay()[1]["answers"]["missing"], 0)
        self.change(f"DELETE FROM _dead WHERE id = {second}", f"DELETE FROM _record WHERE id = {record}")
        self.assertEqual(self.replay(status=3)[1]["answers"]["missing"], 1)

    def test_a_record_refused_whole_stays_so_when_it_could_be_decoded(self):
        self.generate(300)
        self.take("--set", "ingest.value_bytes_max=1KiB", "--set", "ingest.dead_share_max=1")
        self.sent.write_bytes(self.sent.read_bytes() + self.long_line())
        self.take("--set", "ingest.value_bytes_max=1KiB", "--set", "ingest.dead_share_max=1")
        listed, end = self.replay("--list", "dead")
        self.assertEqual(end["answers"]["missing"], 0)
        self.assertEqual(sorted(one["place"] for one in listed)[:2], [0, 1])

    def long_line(self):
        line = next(line for line in self.sent.read_text(errors="replace").splitlines() if '"payment"' in line)
        record = json.loads(line)
        record["value"] |= {"id": "long", "payment_id": "long", "padding": "x" * 2000}
        return (json.dumps(record) + "\n").encode()

    def test_what_was_retried_is_applied(self):
        self.generate(2000, "--broken", 0.1)
        self.take("--set", "ingest.dead_share_max=1")
        self.holdfast("dead", "retry", "--all", "--set", "ingest.max_skew=365d")
        self.assertEqual(self.replay("--set", "ingest.max_skew=365d")[1]["answers"]["missing"], 0)


class Ranges(Replay):
    def test_a_part_of_the_log_by_offset(self):
        self.taken(500)
        offsets = sorted({one["offset"] for one in self.replay("--list", "all")[0]})
        first, last = offsets[100], offsets[200]
        listed, _ = self.replay("--list", "all", "--from", first, "--to", last)
        self.assertEqual(sorted({one["offset"] for one in listed}), offsets[100:200])

    def test_a_part_of_the_log_by_time(self):
        self.taken(500)
        everything = [one for one in self.replay("--list", "all")[0] if one["record_time"]]
        middle = sorted((one["record_time"] for one in everything), key=time)[len(everything) // 2]
        later, _ = self.replay("--list", "all", "--from", middle)
        self.assertEqual(later, [one for one in everything if time(one["record_time"]) >= time(middle)])
        earlier, _ = self.replay("--list", "all", "--to", middle)
        self.assertEqual([one for one in earlier if one["record_time"]], [one for one in everything if time(one["record_time"]) < time(middle)])

    def test_what_is_not_taken_yet_is_ahead(self):
        self.taken(500)
        good = next(line for line in self.sent.read_bytes().splitlines() if b"card" in line)
        with self.sent.open("ab") as file:
            file.write(good + b"\n")
        end = self.replay()[1]
        self.assertEqual(end["answers"]["missing"], 0)
        self.assertGreater(end["answers"]["ahead"], 0)

    def test_verify_reads_the_log_too(self):
        self.taken(500)
        self.configure(file={"path": str(self.sent), "topic": TOPIC})
        for log in ("all", TOPIC):
            told = self.holdfast("verify", "--log", log).stdout
            self.assertIn(": 0 wrong", told)
            self.assertEqual(told.splitlines()[-1], "0 missing")
        self.change("DELETE FROM card")
        self.assertIn("missing", self.holdfast("verify", "--log", "all", status=3).stdout)

    def test_a_range_that_begins_ahead(self):
        self.taken(500)
        good = next(line for line in self.sent.read_bytes().splitlines() if b"card" in line) + b"\n"
        end = self.sent.stat().st_size
        with self.sent.open("ab") as file:
            file.write(good + good)
        listed, _ = self.replay("--list", "all", "--from", end + len(good))
        self.assertEqual({(one["answer"], one["offset"]) for one in listed}, {("ahead", end + len(good))})

    def test_nonsense_is_told(self):
        self.taken(10)
        file = ("--file", self.sent)
        self.refused("is no source", "replay", "others", *file)
        self.refused("--from is", "replay", TOPIC, *file, "--from", "yesterday")
        self.refused("no answer", "replay", TOPIC, *file, "--list", "lost")
        self.refused("--file needs", "replay", *file)

    def test_a_range_may_begin_within_a_line_and_end_in_a_gap(self):
        """Of a file every byte has an offset; a line's is its first."""
        self.sent.write_text("")
        self.taken(50)
        text = self.sent.read_bytes().replace(b"\n", b"\n\n\n")
        self.sent.write_bytes(text)
        self.store.rename(self.directory / "before")
        self.take("--set", "ingest.dead_share_max=1")
        offsets = sorted({one["offset"] for one in self.replay("--list", "all")[0]})
        first, second, third = offsets[3:6]
        for begin, end, there in ((first + 1, third, [second]), (first - 1, second - 1, [first]), (first - 2, first, []),
                                  (first, first, []), (second - 1, third + 1, [second, third]), (len(text) - 4, len(text), [])):
            listed, told = self.replay("--from", begin, "--to", end, "--list", "all")
            self.assertEqual(sorted({one["offset"] for one in listed}), there, (begin, end))
            self.assertEqual(told["answers"]["missing"], 0)

    def test_a_range_that_can_hold_nothing_is_refused(self):
        self.taken(50)
        self.refused("--from lies behind --to", "replay", TOPIC, "--file", self.sent, "--from", 500, "--to", 499)
        self.refused("--from lies behind --to", "replay", TOPIC, "--file", self.sent, "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z")
        self.configure(file={"path": str(self.sent), "topic": TOPIC})
        self.refused("there is no other", "replay", f"{TOPIC}:7")

    def test_another_file_is_no_log_of_this_store(self):
        self.taken(500)
        self.generate(500, "--seed", "99")
        done = self.holdfast("replay", TOPIC, "--file", self.sent, status=4)
        self.assertIn("log_changed", done.stderr)

    def test_interrupted_it_goes_on_where_it_was(self):
        self.taken(20000)
        whole = self.replay("--list", "none")[1]
        process = self.started_to_pipe("replay", TOPIC, "--file", self.sent, "--json", "--list", "all")
        first = process.stdout.readline()  # and no more: it soon has to wait for us
        process.send_signal(signal.SIGINT)
        first += process.stdout.read()
        self.assertEqual(process.wait(60), 1)
        self.assertIn("goes on where it was", process.stderr.read())
        so_far = json.loads(first.splitlines()[-1])
        self.assertTrue(0 < so_far["records"] < whole["records"], so_far)
        self.assertTrue((self.store / "replay.json").exists())
        listed, end = self.replay("--list", "all")
        self.assertEqual(end, whole)
        self.assertEqual(len(listed), whole["updates"] - so_far["updates"])
        self.assertFalse((self.store / "replay.json").exists())


class Kafka(Replay):
    def setUp(self):
        super().setUp()
        port_file = self.directory / "broker"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker", port_file.exists)
        self.configure(kafka={"bootstrap.servers": port_file.read_text().strip()}, ingest={"dead_share_max": 1})
        self.generate(3000)
        self.produced = 0

    def produce(self):
        self.holdfast("produce", self.sent, "--topic", TOPIC)

    def replay(self, *arguments, status=0):
        lines = self.holdfast("replay", "--json", *arguments, status=status).stdout.splitlines()
        return [json.loads(line) for line in lines[:-1]], json.loads(lines[-1])

    def test_every_partition_again_and_again(self):
        self.produce()
        self.holdfast("ingest", "--until-end")
        digest = self.status()["digest"]
        taken = sum(partition["taken"] for partition in self.status()["partitions"])
        for _ in range(3):
            end = self.replay()[1]
            self.assertEqual((end["answers"]["missing"], end["records"]), (0, taken))
        self.assertEqual(self.status()["digest"], digest)

    def test_interrupted_twice_it_goes_on_where_it_was_first(self):
        """The second time before any partition is heard of."""
        self.produce()
        self.holdfast("ingest", "--until-end")
        at = [{"topic": TOPIC, "partition": one["partition"], "next_offset": one["next_offset"]} for one in self.status()["partitions"]]
        store = self.ask("SELECT CAST(value AS TEXT) FROM _meta WHERE name = 'store_id'")[0][0]
        cursor = self.store / "replay.json"
        cursor.write_text(json.dumps({"of": f"{store} g1 of Kafka, all from beginning to end", "places": at,
                                      "tally": {"records": 3000, "updates": 7000, "applied": 7000}}))
        # Nobody listens there: no partition is announced.
        process = self.started("replay", "--set", "kafka.bootstrap.servers=127.0.0.1:1")
        said = next((line for line in process.stderr if "going on where it was interrupted" in line), "")
        self.assertIn("behind 3000 records", said)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        self.assertEqual(process.wait(command.PATIENCE_S), 1)
        self.assertEqual(sorted(json.loads(cursor.read_text())["places"], key=str), sorted(at, key=str))
        end = self.replay()[1]
        self.assertEqual((end["records"], end["answers"]["applied"]), (3000, 7000))

    def test_one_partition_from_an_offset(self):
        self.produce()
        self.holdfast("ingest", "--until-end")
        fullest = max(self.status()["partitions"], key=lambda partition: partition["taken"])
        target = f"{TOPIC}:{fullest['partition']}"
        listed, end = self.replay(target, "--from", 3, "--to", 9, "--list", "all")
        self.assertEqual(end["records"], 6)
        self.assertEqual({(one["partition"], one["offset"]) for one in listed} - {(fullest["partition"], at) for at in range(3, 9)}, set())
        self.refused("within one partition", "replay", TOPIC, "--from", 3)

    def test_beside_a_running_service(self):
        self.produce()
        self.started("run")
        await_true("all is taken", lambda: self.store.exists() and self.taken_so_far() == 3000)
        self.assertEqual(self.replay()[1]["answers"]["missing"], 0)
        self.produce()  # copies, while it is read
        self.assertEqual(self.replay()[1]["answers"]["missing"], 0)

    def taken_so_far(self):
        try:
            return sum(partition["taken"] for partition in self.status()["partitions"])
        except AssertionError:  # there is no store yet
            return 0


AT = "2026-11-23T08:20:{:02d}Z"
VIEWS = {"views": {"card": {"entity": {"id": "string"}, "ttl": "30d", "features": {
    "n": {"type": "int64", "maximum": 100}, "country": {"type": "string"}, "total": {"type": "int64", "merge": "sum"}}}},
    "sources": {TOPIC: {}}}


class Sent(Replay):
    def setUp(self):
        super().setUp()
        self.schema = self.directory / "schema.json"
        self.schema.write_text(json.dumps(VIEWS))
        self.configure(self.schema, file={"path": str(self.sent), "topic": TOPIC}, ingest={"dead_share_max": 1})
        self.sent.touch()

    def send(self, number, second, features=None, id="a", **more):
        with self.sent.open("a") as file:
            offset = file.tell()
            event = {"id": f"e{number}", "view": "card", "entity": {"id": id}, "event_time": AT.format(second)} | more
            file.write(json.dumps(event | ({} if features is None else {"features": features})) + "\n")
        return offset

    def why(self, *arguments, status=0):
        return json.loads(self.holdfast("why", *arguments, "--json", status=status).stdout)

    def answers(self, status=0):
        listed, end = self.replay("--list", "missing,unproven", status=status)
        self.assertEqual(len(listed), end["answers"]["missing"] + end["answers"]["unproven"])
        return {(one["offset"], one["place"]): one["answer"] for one in listed}

    def apply(self, change):
        wanted = json.loads(self.schema.read_text())
        change(wanted)
        self.schema.write_text(json.dumps(wanted))
        self.holdfast("schema", "apply", self.schema)


class Why(Sent):
    def test_each_feature_names_the_update_that_won(self):
        first = self.send(1, 10, {"n": 1, "country": "DE", "total": 5})
        late = self.send(2, 5, {"n": 2, "total": 7})
        newer = self.send(3, 20, {"n": 3})
        self.send(4, 30, {"n": 4}, id="b")
        self.holdfast("ingest", "--until-end")
        told = self.why("card", "a", "--log")
        self.assertEqual([(one["feature"], one["value"], one["offset"], one["event_time"], one["key"]) for one in told["features"]],
                         [("n", 3, newer, AT.format(20), "taken"), ("country", "DE", first, AT.format(10), "taken"), ("total", 12, first, AT.format(10), "taken")])
        self.assertEqual([(one["offset"], one["answer"]) for one in told["log"]], [(first, "applied"), (late, "applied"), (newer, "applied")])
        text = self.holdfast("why", "card", "a", "--log").stdout
        self.assertIn(f"n 2 (lost to {TOPIC}:0 @{newer}.0), total 7 (counted)", text)
        self.assertIn("n 3 (won)", text)
        self.assertIn("ttl 30 d", text)
        only = self.why("card:country", "a", "--log")
        self.assertEqual([one["feature"] for one in only["features"]], ["country"])
        self.assertEqual([one["offset"] for one in only["log"]], [first])

    def test_a_delete_is_a_floor_and_what_it_took_says_so(self):
        self.send(1, 10, {"n": 1})
        gone = self.send(2, 20, op="delete")
        self.holdfast("ingest", "--until-end")
        told = self.why("card", "a", "--log", status=1)
        self.assertEqual((told["found"], told["floor"]["offset"], [one["answer"] for one in told["log"]]), (False, gone, ["superseded", "applied"]))
        self.assertIn(f"(deleted by {TOPIC}:0 @{gone}.0)", self.holdfast("why", "card", "a", "--log", status=1).stdout)

    def test_what_became_of_each_feature_is_there_for_programs(self):
        lost = self.send(1, 10, {"n": 1, "country": "DE", "total": 5})
        won = self.send(2, 20, {"n": 2, "total": 7})
        copy = self.send(2, 20, {"n": 2, "total": 7})
        reused = self.send(2, 20, {"n": 3, "total": 7})
        self.holdfast("ingest", "--until-end")
        told = {one["offset"]: one for one in self.why("card", "a", "--log")["log"]}
        self.assertEqual([(one["feature"], one["value"], one["fate"], one.get("by", {}).get("offset")) for one in told[lost]["features"]],
                         [("n", 1, "lost", won), ("country", "DE", "won", None), ("total", 5, "counted", None)])
        self.assertEqual([(one["feature"], one["fate"]) for one in told[won]["features"]], [("n", "won"), ("total", "counted")])
        # A copy, and what reused a key, came to nothing.
        self.assertEqual([told[offset]["answer"] for offset in (copy, reused)], ["duplicate", "dead"])
        for offset in (copy, reused):
            self.assertEqual({one["fate"] for one in told[offset]["features"]}, {None})
        gone = self.send(3, 30, op="delete")
        self.holdfast("ingest", "--until-end")
        told = {one["offset"]: one for one in self.why("card", "a", "--log", status=1)["log"]}
        self.assertEqual([(one["fate"], one["by"]["offset"]) for one in told[won]["features"]], [("deleted", gone)] * 2)
        self.assertEqual((told[gone]["op"], told[gone]["features"]), ("delete", []))

    def test_a_letter_that_a_correction_overtook_says_so(self):
        bad = self.send(1, 10, {"n": 101})
        right = self.send(1, 10, {"n": 99})
        other = self.send(2, 11, {"n": 102})
        self.holdfast("ingest", "--until-end")
        told = self.why("card", "a", "--log")
        self.assertEqual([(one["offset"], one["overtaken"]) for one in told["letters"]], [(bad, True), (other, False)])
        self.assertEqual([(one["offset"], one["answer"]) for one in told["log"]], [(bad, "dead"), (right, "applied"), (other, "dead")])
        self.assertIn("out_of_bounds, overtaken by a correction", self.holdfast("why", "card", "a").stdout)

    def test_what_a_file_gave_and_its_letters(self):
        """A loaded file is no log: the log of what else came is read, or all."""
        sent = self.send(1, 10, {"n": 1})
        self.holdfast("ingest", "--until-end")
        rows = self.directory / "rows.csv"
        rows.write_text("id,n\na,7\na,many\nb,8\n")
        self.holdfast("load", "card", rows, "--event-time", AT.format(40))
        told = self.why("card", "a", "--log")
        self.assertEqual([one["offset"] for one in told["log"]], [sent])
        self.assertEqual([one["reason"] for one in told["letters"]], ["type_mismatch"])
        self.assertEqual(self.why("card", "b", "--log")["log"], [])
        self.assertNotIn("let go", self.holdfast("why", "card", "b").stdout)

    def test_holds_and_letters_of_the_entity(self):
        self.send(1, 10, {"n": 1})
        bad = self.send(2, 11, {"n": 101})
        self.send(3, 12, {"n": 102}, id="b")
        with self.sent.open("a") as file:
            file.write("{\n")
        self.holdfast("ingest", "--until-end")
        self.holdfast("hold", "card:n", "default", "--because", "wrong since noon")
        told = self.why("card:n", "a")
        self.assertEqual([(one["offset"], one["reason"]) for one in told["letters"]], [(bad, "out_of_bounds")])
        self.assertEqual(told["letters_whole"], 1)
        self.assertEqual([one["because"] for one in told["holds"]], ["wrong since noon"])
        self.assertEqual(self.why("card:total", "a")["holds"], [])

    def test_what_is_not_there(self):
        self.send(1, 10, {"n": 1})
        self.holdfast("ingest", "--until-end")
        self.assertIn("there is no such entity", self.holdfast("why", "card", "z", status=1).stdout)
        self.refused("did you mean card?", "why", "cart", "a")
        self.refused("has no feature", "why", "card:m", "a")


class Unproven(Sent):
    """What is not there and need not be is told apart from what is missing."""

    def test_deletes_that_were_forgotten(self):
        before = self.send(1, 10, {"n": 1})
        gone = self.send(2, 20, op="delete")
        other = self.send(3, 40, {"n": 3}, id="b")
        self.holdfast("ingest", "--until-end")
        self.assertEqual(self.answers(), {})
        self.holdfast("rebuild", "--base", "live", "--forget-deletes-before", AT.format(30))
        self.assertEqual(self.answers(), {(before, 0): "unproven", (gone, 0): "unproven"})
        told = self.holdfast("replay", TOPIC, "--file", self.sent).stdout
        self.assertEqual(told.splitlines()[-1], "0 missing, 2 of which it can't be said")
        # Newer than what was forgotten, it must be there.
        self.change("DELETE FROM card WHERE id = 'b'")
        self.assertEqual(self.answers(status=3), {(before, 0): "unproven", (gone, 0): "unproven", (other, 0): "missing"})

    def test_letters_that_were_forced(self):
        self.send(1, 10, {"n": 1, "total": 1})
        reused = self.send(1, 11, {"n": 2, "total": 2})
        self.send(2, 20, {"n": 3})
        self.holdfast("ingest", "--until-end")
        self.holdfast("dead", "retry", "--reason", "key_reused", "--force", "--because", "it is right")
        self.assertEqual(self.answers(), {})
        self.assertEqual(self.ask("SELECT what FROM _decision"), [("dead retry --force",)])
        newer = self.send(3, 30, {"n": 4, "total": 4})
        self.holdfast("ingest", "--until-end")
        self.assertEqual(self.answers(), {(reused, 0): "unproven"})
        self.change(f"DELETE FROM _key WHERE offset = {newer}")
        self.assertEqual(self.answers(status=3), {(reused, 0): "unproven", (newer, 0): "missing"})

    def test_a_schema_that_took_less_of_a_record(self):
        """A feature that was ignored then, and an update behind the others, are not there of what came before."""
        old = self.send(1, 10, {"n": 1, "later": 7})
        plain = self.send(2, 11, {"n": 2}, id="b")
        self.holdfast("ingest", "--until-end")
        self.apply(lambda schema: schema["views"]["card"]["features"].update(later={"type": "int64"}))
        new = self.send(3, 12, {"n": 3, "later": 8}, id="c")
        self.holdfast("ingest", "--until-end")
        self.assertEqual(self.answers(), {(old, 0): "unproven"})
        self.change("DELETE FROM card WHERE id IN ('b', 'c')")
        self.assertEqual(self.answers(status=3), {(old, 0): "unproven", (plain, 0): "missing", (new, 0): "missing"})

    def test_bounds_that_were_narrower(self):
        refused = self.send(1, 10, {"n": 101})
        self.holdfast("ingest", "--until-end")
        self.apply(lambda schema: schema["views"]["card"]["features"]["n"].update(maximum=200))
        self.assertEqual(self.answers(), {})
        self.holdfast("dead", "drop", "--all", "--because", "a test")
        self.holdfast("ingest", "--until-end", "--set", "ingest.dead_keep=1ms")
        self.assertEqual(self.answers(), {(refused, 0): "unproven"})
        # From the log under that schema, all is there.
        self.holdfast("rebuild", "--even-if-different")
        self.assertEqual(self.answers(), {})


class UnprovenMapped(Sent):
    def setUp(self):
        super().setUp()
        self.schema.write_text(json.dumps({
            "views": {"card": VIEWS["views"]["card"], "shop": {"entity": {"shop": "string"}, "features": {"n": {"type": "int64", "merge": "sum"}}}},
            "sources": {TOPIC: {"id": "/id", "event_time": "/at", "updates": [
                {"view": "card", "entity": {"id": "/card"}, "features": {"n": "/n"}}]}}}))

    def sell(self, number, second, card, shop, n):
        with self.sent.open("a") as file:
            offset = file.tell()
            file.write(json.dumps({"id": number, "at": AT.format(second), "card": card, "shop": shop, "n": n}) + "\n")
        return offset

    def test_an_update_that_came_behind(self):
        old = self.sell(1, 10, "a", "x", 1)
        self.holdfast("ingest", "--until-end")
        self.apply(lambda schema: schema["sources"][TOPIC]["updates"].append(
            {"view": "shop", "entity": {"shop": "/shop"}, "features": {"n": "/n"}}))
        new = self.sell(2, 11, "b", "x", 2)
        self.holdfast("ingest", "--until-end")
        self.assertEqual(self.answers(), {(old, 1): "unproven"})
        self.change(f"DELETE FROM _key WHERE offset = {new} AND place = 1", "DELETE FROM card WHERE id = 'a'")
        self.assertEqual(self.answers(status=3), {(old, 1): "unproven", (old, 0): "missing", (new, 1): "missing"})

    def test_a_letter_that_was_cleared_is_spent_once_also_where_it_was_interrupted(self):
        self.sell("bad", 10, "a", "x", "many")
        for number in range(20000):
            self.sell(number, 11, "a", "x", 1)
        copy = self.sell("bad", 10, "a", "x", "many")
        other = self.sell("other", 13, "a", "x", "many")
        self.holdfast("ingest", "--until-end")
        self.holdfast("dead", "drop", "--id", 1, "--because", "a test")
        self.holdfast("ingest", "--until-end", "--set", "ingest.dead_keep=1ms")
        self.change("DELETE FROM _dead")
        process = self.started_to_pipe("replay", TOPIC, "--file", self.sent, "--json", "--list", "all")
        self.assertEqual(json.loads(process.stdout.readline())["answer"], "dead")
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        self.assertEqual(process.wait(60), 1)
        self.assertTrue((self.store / "replay.json").exists())
        listed, _ = self.replay("--list", "missing,duplicate", status=3)
        self.assertEqual([(one["offset"], one["answer"]) for one in listed], [(copy, "duplicate"), (other, "missing")])

    def test_a_letter_that_was_cleared_is_not_spent_on_an_update_that_came_behind(self):
        old = self.sell(1, 10, "a", "x", 1)
        bad = self.sell(2, 11, "b", "x", "many")
        self.holdfast("ingest", "--until-end")
        self.holdfast("dead", "drop", "--all", "--because", "a test")
        self.holdfast("ingest", "--until-end", "--set", "ingest.dead_keep=1ms")
        self.assertEqual(self.answers(), {})
        self.apply(lambda schema: schema["sources"][TOPIC]["updates"].append(
            {"view": "shop", "entity": {"shop": "/shop"}, "features": {"n": "/n"}}))
        self.assertEqual(self.answers(), {(old, 1): "unproven", (bad, 1): "unproven"})


if __name__ == "__main__":
    command.PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
