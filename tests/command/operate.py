#!/usr/bin/env python3
"""operate.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: the operator's hand on a running service.

Real processes on a file; what is asked of the owner through its socket is also done where nobody owns the store.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
from command import Case, await_true

TOPIC = "events"
SCHEMA = {"views": {"account": {"entity": {"id": "int64"},
                                "features": {"count": {"type": "int64", "merge": "sum", "default": 0},
                                             "label": {"type": "string", "default": "none"}}}},
          "sources": {TOPIC: {}}}


class Operated(Case):
    def setUp(self):
        super().setUp()
        schema = self.directory / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        self.configure(schema=schema)
        self.sent.touch()
        self.numbers = 0

    def send(self, count=1, id=7):
        with self.sent.open("a") as out:
            for _ in range(count):
                self.numbers += 1
                out.write(json.dumps({"id": self.numbers, "view": "account", "entity": {"id": id}, "event_time": command.AT,
                                      "features": {"count": 1, "label": "set"}}) + "\n")

    def owner(self, program=None, **variables):
        """An ingest that follows the file; listens when this returns."""
        process = self.started("ingest", "--file", self.sent, "--topic", TOPIC, program=program, **variables)
        await_true("the owner listens", lambda: process.poll() is not None or self.somebody_listens())
        self.assertIsNone(process.poll())
        await_true("the partition is known", lambda: self.status()["partitions"])
        return process

    def somebody_listens(self):
        """What an owner left that was killed is there, but nobody is behind it: a command would act in its place meanwhile."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            directory = os.open(self.store, os.O_PATH)
            try:
                client.connect(f"/proc/self/fd/{directory}/control.sock")
            finally:
                os.close(directory)
            return True
        return False

    def taken(self):
        return self.status()["total"]["taken"]

    def asked(self, *arguments, status=0, **more):
        return json.loads(self.holdfast(*arguments, "--json", status=status, **more).stdout)

    def talk(self, request, seconds=10):
        """What the socket answers to these bytes."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(seconds)
            directory = os.open(self.store, os.O_PATH)
            client.connect(f"/proc/self/fd/{directory}/control.sock")
            os.close(directory)
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            heard = b""
            while more := client.recv(65536):
                heard += more
            return heard


class Partitions(Operated):
    def test_what_is_paused_takes_nothing_and_catches_up(self):
        self.send(10)
        owner = self.owner()
        await_true("ten are taken", lambda: self.taken() == 10)
        self.assertEqual(self.asked("pause", f"{TOPIC}:0", "--because", "a look"),
                         {"partitions": [{"partition": f"{TOPIC}:0", "state": "paused"}]})
        self.send(5)
        as_of = self.status()["partitions"][0]["as_of"]
        # Its end would be reported within a second or so; a hold goes through the same thread meanwhile.
        time.sleep(1.5)
        self.holdfast("hold", "account", "default", "--because", "to pass the time")
        status = self.status()
        self.assertEqual(status["total"]["taken"], 10)
        self.assertEqual(status["partitions"][0]["as_of"], as_of)
        self.assertGreater(status["partitions"][0]["lag_ms"], 1000)
        (stop,) = status["stops"]
        self.assertEqual((stop["topic"], stop["partition"], stop["reason"]), (TOPIC, 0, "paused"))
        self.assertIn("a look", stop["detail"])
        self.assertIn(f"holdfast resume {TOPIC}:0", self.holdfast("status").stdout)
        self.holdfast("resume", f"{TOPIC}:0")
        await_true("it caught up", lambda: self.taken() == 15)
        self.assertEqual(self.status()["stops"], [])
        self.assertIsNone(owner.poll())
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)

    def test_a_pause_outlasts_a_restart_and_ends_nothing(self):
        self.send(3)
        owner = self.owner()
        await_true("three are taken", lambda: self.taken() == 3)
        self.holdfast("pause")
        self.end(owner)
        self.send(2)
        self.owner()
        self.assertEqual(self.asked("pause")["partitions"][0]["state"], "stopped before: paused")
        self.assertEqual(self.taken(), 3)
        self.holdfast("resume")
        await_true("all is taken", lambda: self.taken() == 5)
        self.holdfast("verify")

    def test_without_an_owner_it_is_done_all_the_same(self):
        self.send(3)
        self.take_all()
        self.holdfast("pause", f"{TOPIC}:0")
        self.assertEqual(self.status()["stops"][0]["reason"], "paused")
        self.assertEqual(self.asked("resume")["partitions"][0]["state"], "resumed, was paused")
        self.assertEqual(self.asked("resume", f"{TOPIC}:0")["partitions"][0]["state"], "was not stopped")
        self.send(1)
        self.take_all()
        self.assertEqual(self.taken(), 4)

    def take_all(self, status=0):
        return self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", status=status)

    def test_until_the_end_waits_for_nobody_who_is_paused(self):
        self.send(3)
        self.take_all()
        self.holdfast("pause")
        self.send()
        told = self.take_all(status=4).stderr
        self.assertIn(f"{TOPIC}:0 (paused)", told)
        self.assertIn("holdfast resume", told)
        self.assertEqual(self.taken(), 3)
        self.holdfast("resume")
        self.take_all()
        self.assertEqual(self.taken(), 4)

    def test_a_full_key_window_stops_who_is_alone_until_there_is_room(self):
        settings = ("--set", "store.key_window_keys=1", "--set", "store.key_window_max_bytes=1MiB")
        self.send(20000)  # a MiB holds about 10,000 keys, and all come within an hour
        told = self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end", *settings,
                             "--set", "ingest.batch_records=500", status=4).stderr
        self.assertIn(f"{TOPIC}:0 (key_window_full)", told)
        (stop,) = self.status()["stops"]
        self.assertEqual(stop["reason"], "key_window_full")
        self.assertIn("store.key_window_max_bytes", stop["detail"])
        status = self.status()
        self.assertEqual(status["window_max_bytes"], 8 << 30)  # the default: status was told of no other
        self.assertEqual(status["window_need_bytes"], 96 * status["window_need_keys"])
        taken = self.taken()
        self.assertGreater(taken, 5000)
        self.assertLess(taken, 20000)
        self.take_all()  # with the default's room
        status = self.status()
        self.assertEqual((status["total"]["taken"], status["total"]["applied"], status["stops"]), (20000, 20000, []))
        self.holdfast("verify")

    def test_what_is_not_there_is_named(self):
        self.refused("there is no store", "pause", status=1)
        self.send()
        self.take_all()
        self.refused("no partition events:3", "pause", f"{TOPIC}:3")
        self.refused("no TOPIC:PARTITION", "pause", TOPIC)
        self.refused("each of one TOPIC:PARTITION", "resume", "--accept-gap")
        self.refused("not stopped for records_lost", "resume", f"{TOPIC}:0", "--accept-gap", status=4)
        self.refused("not stopped for log_changed", "resume", f"{TOPIC}:0", "--new-log", status=4)
        self.refused("unknown option --accept-gap", "pause", "--accept-gap")
        self.assertEqual(self.status()["decisions"], [])

    def test_another_file_is_found_and_taken_as_a_new_log_on_the_record(self):
        self.send(3)
        self.take_all()
        before = self.status()["digest"]
        self.sent.write_text(self.sent.read_text().replace("set", "new").replace('"id": ', '"id": 9'))
        self.assertIn("log_changed", self.take_all(status=4).stderr)
        (stop,) = self.status()["stops"]
        self.assertEqual(stop["reason"], "log_changed")
        self.holdfast("resume", f"{TOPIC}:0", "--new-log", "--because", "made anew")
        self.take_all()
        status = self.status()
        self.assertEqual([one["incarnation"] for one in status["partitions"]], [0, 1])
        self.assertEqual(status["total"]["taken"], 6)
        self.assertNotEqual(status["digest"], before)
        self.assertEqual(status["stops"], [])
        (decision,) = status["decisions"]
        self.assertEqual((decision["what"], decision["target"], decision["because"]), ("new log", f"{TOPIC}:0", "made anew"))
        self.holdfast("verify")

    def test_run_answers_lookups_with_every_partition_stopped_and_takes_up_what_is_resumed(self):
        self.send(3)
        self.take_all()
        self.sent.write_text(self.sent.read_text().replace("set", "new").replace('"id": ', '"id": 9'))
        port_file = self.directory / "port"
        service = self.started("run", "--port-file", port_file, "--set", f"file.path={self.sent}", "--set", f"file.topic={TOPIC}")
        await_true("it listens", lambda: port_file.exists() and port_file.read_text())
        await_true("it found what is wrong", lambda: [one["reason"] for one in self.status()["stops"]] == ["log_changed"])

        def ask(path):
            with urllib.request.urlopen(f"http://{port_file.read_text().strip()}{path}", timeout=10) as reply:
                return reply.read().decode()
        await_true("readyz tells", lambda: "[!]ingest degraded: every partition is paused or stopped" in ask("/readyz?verbose"))
        self.assertEqual(json.loads(ask("/v1/views/account/7"))["views"]["account"]["values"], [[3, "set"]])
        self.holdfast("resume", f"{TOPIC}:0", "--new-log")
        await_true("the new log is taken", lambda: self.taken() == 6)
        self.assertEqual(json.loads(ask("/v1/views/account/97"))["views"]["account"]["values"], [[3, "new"]])
        self.assertEqual(self.end(service, signal.SIGTERM), 0)

    def test_what_was_found_leaves_when_the_log_is_itself_again(self):
        self.send(3)
        self.take_all()
        whole = self.sent.read_text()
        self.sent.write_text(whole.replace("set", "new"))
        self.take_all(status=4)
        self.sent.write_text(whole)
        self.send()
        self.take_all()
        self.assertEqual(self.status()["stops"], [])
        self.assertEqual(self.taken(), 4)


class Kafka(Operated):
    """The development broker lets the oldest go beyond 5 MiB of a partition."""

    def setUp(self):
        super().setUp()
        bootstrap = self.directory / "bootstrap"
        self.started("broker", "--topic", TOPIC, "--port-file", bootstrap)
        await_true("the broker", bootstrap.exists)
        self.configure(schema=self.directory / "schema.json", kafka={"bootstrap.servers": bootstrap.read_text().strip()})

    def produce(self, count, pad=0):
        """To one partition. What is padded is taken as a dead letter."""
        lines = ""
        for _ in range(count):
            self.numbers += 1
            lines += json.dumps({"key": "k", "value": {
                "id": self.numbers, "view": "account", "entity": {"id": 7}, "event_time": command.AT,
                "features": {"count": "x" * pad if pad else 1}}}) + "\n"
        self.holdfast("produce", "-", "--topic", TOPIC, stdin=lines)

    def lose(self):
        """Records that nobody took: the partition's accounts, and what it is stopped for."""
        self.produce(3)
        self.holdfast("ingest", "--until-end")
        self.produce(70, pad=100000)
        self.assertIn("records_lost", self.holdfast("ingest", "--until-end", status=4).stderr)
        (stop,) = self.status()["stops"]
        self.assertEqual(stop["reason"], "records_lost")
        return stop["partition"]

    def accounts(self, number):
        (one,) = [one for one in self.status()["partitions"] if one["partition"] == number]
        self.assertEqual(one["first_offset"] + one["taken"] + one["gaps"] + one["lost"], one["next_offset"])
        return one

    def check_gap(self, number):
        one = self.accounts(number)
        self.assertGreater(one["lost"], 0)
        self.assertEqual(one["taken"] + one["lost"], 73)
        (decision,) = self.status()["decisions"]
        self.assertEqual((decision["what"], decision["before"], decision["after"]), ("accept gap", "3", str(3 + one["lost"])))
        self.holdfast("verify")

    def test_a_gap_is_accepted_where_nobody_runs(self):
        number = self.lose()
        self.refused("not stopped for log_changed", "resume", f"{TOPIC}:{number}", "--new-log", status=4)
        self.assertIn("lost", self.holdfast("resume", f"{TOPIC}:{number}", "--accept-gap").stdout)
        self.holdfast("ingest", "--until-end")
        self.check_gap(number)

    def test_a_gap_is_accepted_by_a_running_service(self):
        number = self.lose()
        service = self.started("ingest")
        await_true("it listens", (self.store / "control.sock").exists)
        self.assertEqual(self.asked("resume")["partitions"][number]["state"], "still stopped: records_lost")
        self.holdfast("resume", f"{TOPIC}:{number}", "--accept-gap")
        await_true("the rest is taken", lambda: self.accounts(number)["next_offset"] == 73)
        self.assertEqual(self.end(service, signal.SIGTERM), 0)
        self.check_gap(number)

    def test_a_pause_holds_one_partition_of_many(self):
        self.produce(3)
        service = self.started("ingest")
        await_true("three are taken", lambda: self.store.joinpath("features.db").exists() and self.status()["total"]["taken"] == 3)
        (number,) = [one["partition"] for one in self.status()["partitions"] if one["taken"]]
        self.holdfast("pause", f"{TOPIC}:{number}")
        self.produce(4)
        time.sleep(0.5)
        self.assertEqual(self.accounts(number)["taken"], 3)
        self.holdfast("resume", f"{TOPIC}:{number}")
        await_true("the rest is taken", lambda: self.accounts(number)["taken"] == 7)
        self.assertEqual(self.accounts(number)["redelivered"], 0)
        self.assertEqual(self.end(service, signal.SIGTERM), 0)


class Holds(Operated):
    def test_lookups_of_a_running_server_follow_within_a_second(self):
        self.send()
        self.owner()
        await_true("it is taken", lambda: self.taken() == 1)
        port_file = self.directory / "port"
        self.started("serve", "--port-file", port_file)
        await_true("it serves", port_file.exists)

        def answer():
            with urllib.request.urlopen(f"http://{port_file.read_text().strip()}/v1/views/account/7") as reply:
                text = reply.read().decode()
                return json.loads(text)

        self.assertNotIn("hold", json.dumps(answer()))
        self.holdfast("hold", "account:label", "default", "--because", "garbage upstream")
        began = time.monotonic()
        await_true("lookups know", lambda: '"hold"' in json.dumps(answer()))
        self.assertLess(time.monotonic() - began, 1)
        self.assertNotIn('"set"', json.dumps(answer()))
        with urllib.request.urlopen(f"http://{port_file.read_text().strip()}/metrics") as reply:
            self.assertIn('holdfast_held{target="account:label",choice="default"} 1', reply.read().decode())
        (hold,) = self.status()["holds"]
        self.assertEqual((hold["target"], hold["choice"], hold["because"]), ("account:label", "default", "garbage upstream"))
        self.holdfast("release", "account:label")
        await_true("it is served again", lambda: '"set"' in json.dumps(answer()))
        self.assertEqual([one["what"] for one in self.status()["decisions"]], ["release", "hold"])

    def test_it_says_what_is_wrong(self):
        self.send()
        self.owner()
        self.refused("no view acount", "hold", "acount", "default", "--because", "x")
        self.refused("no feature lable", "hold", "account:lable", "default", "--because", "x")
        self.refused("`default` or `fail`", "hold", "account", "serve", "--because", "x")
        self.refused("say why", "hold", "account", "fail")
        self.assertEqual(self.asked("release", "account"), {"target": "account", "state": "was not held"})
        self.assertEqual(self.status()["decisions"], [])


class Socket(Operated):
    def test_it_is_the_owners_alone(self):
        self.owner()
        mode = (self.store / "control.sock").stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_a_path_longer_than_an_address(self):
        self.store = self.directory / ("long" * 40)
        self.configure(schema=self.directory / "schema.json")
        self.owner()
        self.holdfast("pause")
        self.assertEqual(self.status()["decisions"][0]["what"], "pause")

    def test_what_a_dead_owner_left_is_replaced(self):
        owner = self.owner()
        self.end(owner)
        self.assertTrue((self.store / "control.sock").exists())
        self.holdfast("pause")  # nobody listens: done here
        self.owner()
        self.holdfast("resume")
        self.assertEqual([one["what"] for one in self.status()["decisions"]], ["resume", "pause"])

    def test_rubbish_is_told_so_and_nothing_is_waited_for(self):
        self.owner()
        silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for client in silent:
            client.connect(str(self.store / "control.sock"))
            self.addCleanup(client.close)
        silent[0].sendall(b'{"action"')
        for rubbish in (b"\n", b"rubbish\n", b"[1]\n", b'{"action": 5, "arguments": {}}\n', b'{"action": "fly", "arguments": {}}\n',
                        b'{"action": "pause", "arguments": {"topic": 5}}\n', b'{"action": "hold", "arguments": {"view": []}}\n'):
            self.assertEqual(json.loads(self.talk(rubbish))["code"], -2, rubbish)
        with contextlib.suppress(ConnectionError):  # hung up on: what it sent was not read to its end
            self.assertIn(b"at most", self.talk(b"x" * (1 << 21) + b"\n"))
        self.assertEqual(self.talk(b"no end"), b"")
        self.assertEqual(self.asked("pause")["partitions"][0]["state"], "paused")
        for client in silent:  # and are hung up on in the end
            client.settimeout(command.PATIENCE_S)
            self.assertEqual(client.recv(1), b"")

    def test_a_letter_that_is_named_twice_is_not_taken_up_twice(self):
        self.send()
        self.numbers = 0
        self.send(id=8)  # the same key, another entity: key_reused
        self.owner()
        await_true("both are taken", lambda: self.taken() == 2)
        told = json.loads(self.talk(b'{"action": "dead_retry", "arguments": {"ids": [1, 1], "force": true}}\n'))
        self.assertEqual(told["code"], -2, told)
        self.holdfast("dead", "retry", "--id", 1, "--id", 1, "--force")
        self.assertIn("1", self.holdfast("get", "account", 8).stdout)
        self.assertEqual([self.status()["total"][name] for name in ("applied", "dead")], [2, 0])
        self.holdfast("verify")

    def test_an_export_is_not_ahead_of_the_letters(self):
        self.owner()
        for number in (1, 2**63 - 1):
            told = self.talk(json.dumps({"action": "dead_exported", "arguments": {"id": number}}).encode() + b"\n")
            self.assertEqual(json.loads(told)["code"], -2, told)

    def test_who_asks_while_another_is_served_gets_an_answer_too(self):
        """However long the other takes: its own five seconds to ask are over meanwhile."""
        self.configure(schema=self.directory / "schema.json", store={"path": str(self.store), "busy_timeout": "7s"})
        self.send()
        self.owner()
        await_true("it is taken", lambda: self.taken() == 1)
        self.holdfast("pause")  # else a mark of the log's end may wait for the store, and with it all that is asked
        first, second = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        with contextlib.closing(first), contextlib.closing(second):
            for client in (first, second):
                client.settimeout(command.PATIENCE_S)
                client.connect(str(self.store / "control.sock"))
            time.sleep(0.5)  # both are let in
            with contextlib.closing(sqlite3.connect(self.store / "features.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                first.sendall(b'{"action": "resume", "arguments": {}}\n')
                time.sleep(0.5)
                second.sendall(b'{"action": "pause", "arguments": {}}\n')
                self.assertIn(b"code", first.recv(65536))  # in vain, after 7 s
            self.assertIn(b"code", second.recv(65536))

    def test_names_of_any_length_and_letters_are_told_off(self):
        self.owner()
        for name in ("x" * 63 + "\u20ac", "\u20ac" * 2000, "\U0001f600" * 1000):
            for request in ({"action": name, "arguments": {}},
                            *[{"action": "hold", "arguments": {"view": "v" * pad + name, "choice": "fail", "because": "x"}} for pad in range(4)]):
                told = self.talk(json.dumps(request, ensure_ascii=False).encode() + b"\n")
                self.assertEqual(json.loads(told or b"{}").get("code"), -2, request)

    def test_two_at_once_are_done_one_after_the_other(self):
        self.send()
        self.owner()
        done = []

        def hold(number):
            done.append(self.holdfast("hold", "account", "default", "--because", f"number {number}").returncode)

        threads = [threading.Thread(target=hold, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(done, [0] * 6)
        self.assertEqual({one["because"] for one in self.status()["decisions"]}, {f"number {number}" for number in range(6)})

    def test_an_owner_that_dies_while_one_waits(self):
        self.send()
        owner = self.owner()
        await_true("it is taken", lambda: self.taken() == 1)
        owner.send_signal(signal.SIGSTOP)
        waiting = subprocess.Popen([command.PROGRAM, "pause"], cwd=self.directory, env=command.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        self.assertIsNone(waiting.poll())
        self.end(owner)
        told = waiting.communicate(timeout=command.PATIENCE_S)[1]
        self.assertEqual(waiting.returncode, 1)
        self.assertIn("before it answered", told)
        self.assertEqual(self.status()["decisions"], [])
        self.holdfast("pause")
        self.assertEqual(len(self.status()["decisions"]), 1)

    def test_where_it_can_not_listen_records_are_taken_all_the_same(self):
        self.send()
        self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end")
        (self.store / "control.sock").mkdir()
        self.send()
        owner = self.started("ingest", "--file", self.sent, "--topic", TOPIC)
        await_true("both are taken", lambda: self.taken() == 2)
        self.refused("another holdfast process writes this store", "pause", status=4)
        self.assertEqual(self.end(owner, signal.SIGTERM), 0)

    def test_the_record_says_who(self):
        self.owner()
        self.holdfast("hold", "account", "fail", "--because", "a test")
        who = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(self.status()["decisions"][0]["who"], who)


if __name__ == "__main__":
    command.PROGRAM, command.FAILPOINTS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
