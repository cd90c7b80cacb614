#!/usr/bin/env python3
"""rollback.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: generations listed and dropped, and going back to one.

Expected sums are counted from what was sent; lookups go on over HTTP through each switch, and none may fail.
"""

import contextlib
import json
import pathlib
import signal
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
from command import await_true
from operate import TOPIC, Operated


class Asker(threading.Thread):
    """Looks entity 7 up again and again until it is told to stop; every answer counts."""

    def __init__(self, address):
        super().__init__()
        self.url = f"http://{address}/v1/views/account/7"
        self.answers, self.failures, self.ended = [], [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                with urllib.request.urlopen(self.url, timeout=5) as reply:
                    answer = json.load(reply)
                view = answer["views"]["account"]
                row = dict(zip(view["features"], view["values"][0]))
                self.answers.append((answer["generation"], row["count"]))
            except Exception as error:
                self.failures.append(str(error))


class Back(Operated):
    def take_all(self, status=0, **more):
        return self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", status=status, **more)

    def generations(self):
        return {one["name"]: one for one in json.loads(self.holdfast("generations", "--json").stdout)["generations"]}

    def two_generations(self):
        """g1 has 20 events, g2, which is live, 25."""
        self.send(10)
        self.take_all()
        self.holdfast("backup", "ten")
        self.send(10)
        self.take_all()
        self.holdfast("restore", "ten", "--because", "a test")
        self.send(5)
        self.take_all()
        self.assertEqual(self.taken(), 25)

    @contextlib.contextmanager
    def asked_all_along(self):
        port_file = self.directory / "port"
        self.started("serve", "--port-file", port_file)
        await_true("it listens", port_file.exists)
        asker = Asker(port_file.read_text().strip())
        asker.start()
        try:
            yield asker
        finally:
            asker.ended.set()
            asker.join()
        self.assertEqual(asker.failures, [])

    def log(self):
        return "--set", f"file.path={self.sent}", "--set", f"file.topic={TOPIC}"

    def expect_rolled_back(self):
        (stop,) = self.status()["stops"]
        self.assertEqual(stop["reason"], "rolled_back")
        self.assertIn("holdfast resume", stop["detail"])


class Generations(Back):
    def test_they_are_listed(self):
        self.two_generations()
        found = self.generations()
        self.assertEqual(list(found), ["g1", "g2"])
        self.assertEqual([(one["state"], one["live"], one["peer"]) for one in found.values()],
                         [("sealed", False, "g2"), ("live", True, None)])
        self.assertEqual(found["g2"]["built_from"], "backup ten")
        self.assertEqual(found["g2"]["digest"], self.status()["digest"])
        self.assertNotEqual(found["g1"]["digest"], found["g2"]["digest"])
        self.assertGreater(found["g1"]["bytes"], 4096)
        text = self.holdfast("generations", "list").stdout
        self.assertIn("g1", text)
        self.assertIn("backup ten", text)

    def test_only_what_nobody_needs_is_dropped(self):
        self.two_generations()
        self.refused("--because", "generations", "drop", "g1")
        self.refused("is the live one", "generations", "drop", "g2", "--because", "x", status=4)
        self.refused("no generation g9", "generations", "drop", "g9", "--because", "x")
        self.refused("did you mean list, or drop?", "generations", "dorp")
        self.assertEqual([one["what"] for one in self.status()["decisions"]], ["restore", "backup"])
        self.holdfast("generations", "drop", "g1", "--because", "room")
        self.assertEqual(list(self.generations()), ["g2"])
        decision = self.status()["decisions"][0]
        self.assertEqual((decision["what"], decision["target"], decision["because"]), ("drop generation", "g1", "room"))
        self.assertEqual(list((self.store / "generations").glob("g1*")), [])
        self.refused("no generation g1", "rollback", "g1", "--now")
        self.holdfast("verify")

    def test_one_that_is_damaged_is_listed_with_the_reason(self):
        self.two_generations()
        with (self.store / "generations/g1.db").open("r+b") as file:
            file.write(b"\0" * 4096)
        self.assertEqual(self.generations()["g1"]["state"], "unreadable")
        self.assertIn("g1 can't be read", self.holdfast("generations").stdout)
        self.refused("damaged", "rollback", "g1", "--now", status=3)
        self.assertTrue(self.generations()["g2"]["live"])
        self.send()
        self.take_all()
        self.holdfast("generations", "drop", "g1", "--because", "damaged")


class Rollback(Back):
    def test_it_must_be_meant(self):
        self.two_generations()
        self.refused("one of them", "rollback", "g1", "--now", "--when-caught-up")
        self.refused("no generation g9", "rollback", "g9", *self.log())
        self.refused("is the live one", "rollback", "g2", "--now", status=4)
        self.assertEqual(self.status()["stops"], [])

    def test_beside_an_owner_no_lookup_fails_and_nothing_is_taken_until_resume(self):
        self.two_generations()
        owner = self.owner()
        with self.asked_all_along() as asker:
            await_true("lookups come", lambda: len(asker.answers) > 10)
            told = self.asked("rollback", "g1", "--now", "--because", "a bad deploy")
            self.assertEqual(told["generation"], "g1")
            reached = len(asker.answers)
            await_true("lookups go on", lambda: len(asker.answers) > reached + 10)
        # What began after the rollback was done is answered from g1.
        self.assertEqual(set(asker.answers[reached + 1:]), {("g1", 20)})
        self.assertEqual(set(asker.answers), {("g2", 25), ("g1", 20)})
        self.expect_rolled_back()
        self.send(3)
        self.holdfast("hold", "account", "default", "--because", "the owner comes round")
        self.assertEqual(self.taken(), 20)
        self.assertIsNone(owner.poll())
        # Neither a crash nor a restart brings it back.
        self.end(owner)
        owner = self.owner()
        self.holdfast("release", "account")
        self.assertEqual(self.taken(), 20)
        self.expect_rolled_back()
        self.assertEqual(self.asked("resume")["partitions"], [{"partition": f"{TOPIC}:0", "state": "resumed, was rolled_back"}])
        await_true("it caught up", lambda: self.taken() == 28)
        self.assertEqual(self.status()["stops"], [])
        self.assertEqual(self.generations()["g1"]["state"], "live")
        self.assertEqual(self.generations()["g2"]["state"], "sealed")
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        self.holdfast("verify")
        decision = next(one for one in self.status()["decisions"] if one["what"] == "rollback")
        self.assertEqual((decision["target"], decision["before"], decision["after"], decision["because"]),
                         ("g1", "g2", "g1", "a bad deploy"))

    def test_without_an_owner_and_there_and_back(self):
        self.two_generations()
        forward = self.status()["digest"]
        self.assertIn("until `holdfast resume`", self.holdfast("rollback", "g1", "--now").stdout)
        self.expect_rolled_back()
        self.assertIn("rolled_back", self.holdfast("status").stdout)
        self.assertIn("(rolled_back)", self.take_all(status=4).stderr)
        self.assertEqual(self.taken(), 20)
        self.holdfast("resume", f"{TOPIC}:0")
        self.take_all()
        self.assertEqual((self.taken(), self.status()["digest"]), (25, forward))
        self.holdfast("rollback", "g2", "--now")
        self.assertEqual((self.taken(), self.status()["digest"]), (25, forward))

    def test_when_caught_up_nothing_goes_back_in_time(self):
        self.two_generations()
        digest = self.status()["digest"]
        owner = self.owner()
        with self.asked_all_along() as asker:
            await_true("lookups come", lambda: len(asker.answers) > 10)
            self.holdfast("rollback", "g1", "--because", "the older program wrote it", *self.log())
            reached = len(asker.answers)
            await_true("lookups go on", lambda: len(asker.answers) > reached + 10)
        self.assertEqual(set(asker.answers), {("g2", 25), ("g1", 25)})
        self.expect_rolled_back()
        self.assertEqual((self.taken(), self.status()["digest"]), (25, digest))
        self.assertEqual(self.status()["decisions"][0]["because"], "the older program wrote it")
        self.send(2)
        self.holdfast("resume")
        await_true("it goes on", lambda: self.taken() == 27)
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)
        self.holdfast("verify")
        # And where nobody owns the store.
        self.holdfast("rollback", "g2", *self.log())
        self.expect_rolled_back()
        self.assertEqual(self.taken(), 27)
        self.assertEqual([name for name, one in self.generations().items() if one["live"]], ["g2"])

    def test_what_was_paused_stays_paused(self):
        self.two_generations()
        self.holdfast("rollback", "g1", "--now")
        self.holdfast("pause", f"{TOPIC}:0")
        self.holdfast("resume")
        self.holdfast("pause", f"{TOPIC}:0", "--because", "a look")
        self.holdfast("rollback", "g2", "--now")
        self.holdfast("rollback", "g1", "--now")
        self.assertEqual([one["reason"] for one in self.status()["stops"]], ["paused"])

    def test_a_crash_at_any_step_leaves_the_one_or_the_other(self):
        self.two_generations()
        for step, left in (("switch_ready", "g2"), ("switch_sealed", "g1"), ("switch_linked", "g1")):
            self.holdfast("rollback", "g1", "--now", status=-signal.SIGKILL, program=command.FAILPOINTS,
                          HOLDFAST_FAILPOINT=f"{step}:1")
            self.take_all(status=0 if left == "g2" else 4)
            live = [name for name, one in self.generations().items() if one["live"]]
            self.assertEqual((step, live, self.taken()), (step, [left], 25 if left == "g2" else 20))
            self.holdfast("verify")
            if left == "g1":
                self.expect_rolled_back()
                self.holdfast("rollback", "g2", "--now")
                self.holdfast("resume")


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(lambda path: str(pathlib.Path(path).resolve()), sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
