#!/usr/bin/env python3
"""alone.py HOLDFAST HOLDFAST_FAILPOINTS [unittest options]: lookups while ingest or the broker is down.

Three processes, each its own fault domain: `holdfast broker`, `holdfast ingest`, `holdfast serve`. Clients look up all the
while, on a view whose terms serve what is behind (card) and on one whose terms rather fail (merchant). A lookup of the first
must be answered 200 whatever happens to the other two processes, one of the second 200 or, once behind, 412.
"""

import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
ORACLE = PROJECT / "deploy/sample/oracle.py"
TOPIC = "payments.v1"
MAX_LAG_S = 3  # ingest stores how far it is once a second
PATIENCE_S = 60
KILLS = 20
SEED = 7
NOBODY = 65534
PROGRAM = FAILPOINTS = None


def await_true(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.02)


class Client:
    """One kept-alive connection."""

    def __init__(self, listener):
        self.connection = http.client.HTTPConnection(listener, timeout=PATIENCE_S)

    def get(self, target):
        self.connection.request("GET", target)
        reply = self.connection.getresponse()
        return reply.status, json.loads(reply.read())

    def close(self):
        self.connection.close()


class Watch(threading.Thread):
    """Looks one entity up, again and again, and notes what is not as promised."""

    def __init__(self, listener, view, entity, counter, allowed):
        super().__init__(daemon=True)
        self.client, self.target = Client(listener), f"/v1/views/{view}/{entity}"
        self.view, self.counter, self.allowed = view, counter, allowed
        self.stop = threading.Event()
        self.answers, self.refusals, self.wrong, self.slowest_s, self.held = 0, 0, [], 0.0, 0

    def run(self):
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                self.look(*self.client.get(self.target))
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.wrong.append(repr(error))
                self.client.close()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            time.sleep(0.001)

    def look(self, status, answer):
        if status not in self.allowed:
            self.wrong.append(f"{status}: {answer}")
        elif status == 412:
            self.refusals += 1
        else:
            self.answers += 1
            part = answer["views"][self.view]
            count = part["values"][0][part["features"].index(self.counter)]
            if count < self.held:
                self.wrong.append(f"{self.counter} went back from {self.held} to {count}")
            self.held = count

    def end(self):
        self.stop.set()
        self.join()
        self.client.close()


class Case(unittest.TestCase):
    def setUp(self):
        random.seed(SEED)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-alone-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        self.store, self.sent = self.directory / "store", self.directory / "sent.ndjson"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        schema = json.loads((PROJECT / "deploy/sample/schema.json").read_text())
        schema["views"]["card"]["serve"] |= {"max_lag": f"{MAX_LAG_S}s", "when_behind": "serve"}
        schema["views"]["merchant"]["serve"] |= {"max_lag": f"{MAX_LAG_S}s", "when_behind": "fail"}
        (self.directory / "schema.json").write_text(json.dumps(schema))
        self.configure()

    def configure(self, **kafka):
        (self.directory / "holdfast.json").write_text(json.dumps({
            "schema": "schema.json", "store": {"path": str(self.store)}, "serve": {"port": 0}, "kafka": kafka,
            "ingest": {"batch_records": 500}}))

    def start(self, *command, failpoint=None, **more):
        log = open(self.directory / f"{command[0]}.log", "ab")
        self.addCleanup(log.close)
        environment = self.environment | ({"HOLDFAST_FAILPOINT": failpoint} if failpoint else {})
        process = subprocess.Popen([FAILPOINTS if failpoint else PROGRAM, *map(str, command)], cwd=self.directory,
                                   env=environment, stdout=log, stderr=log, **more)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process, number=signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(PATIENCE_S)

    def listener(self, name, process):
        path = self.directory / name
        await_true(f"{name} by process {process.pid}", lambda: path.exists() or process.poll() is not None)
        self.assertIsNone(process.poll(), "".join(log.read_text() for log in self.directory.glob("*.log")))
        text = path.read_text().strip()
        path.unlink()
        return text

    def broker(self):
        process = self.start("broker", "--topic", TOPIC, "--port-file", "bootstrap")
        self.configure(**{"bootstrap.servers": self.listener("bootstrap", process), "reconnect.backoff.max.ms": 500})
        return process

    def serve(self, **more):
        process = self.start("serve", "--port-file", self.directory / "listener", **more)
        listener = self.listener("listener", process)
        return process, listener

    def produce(self, count, *more):
        return self.start("produce", "--generate", count, "--entities", 500, "--topic", TOPIC, "--tee", self.sent, *more)

    def status(self):
        done = subprocess.run([PROGRAM, "status", "--json"], cwd=self.directory, env=self.environment, capture_output=True,
                              check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def taken(self):
        status = self.status()
        return status["total"]["taken"] if status else 0

    def payment(self):
        """Card and merchant of the first payment sent."""
        def sent():
            lines = self.sent.read_text().splitlines(keepends=True) if self.sent.exists() else []
            return [json.loads(line)["value"] for line in lines[:1000]
                    if line.endswith("\n") and '"type":"payment"' in line and '"poison"' not in line]
        await_true("a payment", sent)
        first = sent()[0]
        return first["card"], first["merchant"]

    def oracle(self, listener):
        done = subprocess.run([sys.executable, ORACLE, self.sent, f"http://{listener}"], capture_output=True, text=True,
                              check=False)
        self.assertRegex(done.stdout, r"asked for \d+ entities: 0 wrong\n\Z", done.stdout + done.stderr)

    def lag_ms(self, client, card):
        status, answer = client.get(f"/v1/views/card/{card}")
        self.assertEqual(status, 200, answer)
        return answer["lag_ms"]

    def behind(self, client, card, merchant):
        """Both views behind: the one served and marked, lag growing; the other refused, by name."""
        await_true("card is behind", lambda: (self.lag_ms(client, card) or 0) > MAX_LAG_S * 1000)
        status, answer = client.get(f"/v1/views/card/{card}")
        self.assertEqual(status, 200)
        part = answer["views"]["card"]
        self.assertEqual((part["status"], part["reason"]), ("behind", "max_lag"), answer)
        self.assertGreater(part["values"][0][0], 0)
        before = answer["lag_ms"]
        await_true("the lag grows", lambda: self.lag_ms(client, card) > before + 500)
        status, answer = client.get(f"/v1/views/merchant/{merchant}")
        self.assertEqual(status, 412, answer)
        self.assertEqual([(one["view"], one["feature"], one["reason"]) for one in answer["refused"]],
                         [("merchant", name, "max_lag") for name in ("payments", "revenue", "last_card")])

    def fresh(self, client, card, merchant):
        await_true("the lag is small again", lambda: self.lag_ms(client, card) < MAX_LAG_S * 1000)
        await_true("merchant is answered again", lambda: client.get(f"/v1/views/merchant/{merchant}")[0] == 200)


class Alone(Case):
    def streaming(self, count, *more):
        """Broker, stream, ingest and serve; the store has something of both views."""
        broker = self.broker()
        producer = self.produce(count, *more)
        ingest = self.start("ingest")
        _, listener = self.serve()
        client = Client(listener)
        self.addCleanup(client.close)
        card, merchant = self.payment()
        await_true("the first lookup", lambda: client.get(f"/v1/views/card/{card}")[0] == 200)
        await_true("its payment is taken", lambda: client.get(f"/v1/views/card/{card}")[1]["views"]["card"]["values"][0][0] > 0)
        await_true("merchant's, too", lambda: client.get(f"/v1/views/merchant/{merchant}")[0] == 200)
        return broker, producer, ingest, client, listener, card, merchant

    def test_ingest_is_killed_again_and_again_and_no_lookup_fails(self):
        _, producer, ingest, client, listener, card, merchant = self.streaming(60000, "--rate", 1500)
        watches = [Watch(listener, "card", card, "txns", {200}) for _ in range(3)]
        watches.append(Watch(listener, "merchant", merchant, "payments", {200, 412}))
        for watch in watches:
            watch.start()
        writing = 0
        for _ in range(KILLS):
            before = self.taken()
            await_true("more is taken", lambda: self.taken() > before or producer.poll() is not None)
            writing += self.taken() > before
            time.sleep(random.uniform(0, 0.1))  # anywhere in a batch
            self.assertEqual(self.kill(ingest), -signal.SIGKILL)
            ingest = self.start("ingest")
        before = self.taken()
        await_true("more is taken", lambda: self.taken() > before or producer.poll() is not None)
        self.assertEqual(self.kill(ingest, signal.SIGTERM), 0)  # a clean stop
        ingest = self.start("ingest")
        self.assertEqual(producer.wait(PATIENCE_S), 0)
        sent = len(self.sent.read_text().splitlines())
        await_true("all is taken", lambda: self.taken() == sent)
        self.fresh(client, card, merchant)
        for watch in watches:
            watch.end()
        for watch in watches:
            self.assertEqual(watch.wrong, [], f"{len(watch.wrong)} wrong of {watch.answers}")
            self.assertGreater(watch.answers, 100)
        self.oracle(listener)
        print(f"{KILLS} kills, {writing} of them while it wrote: {sum(watch.answers for watch in watches)} lookups answered, "
              f"{watches[-1].refusals} refused, 0 failed; slowest {max(watch.slowest_s for watch in watches) * 1e3:.0f} ms",
              file=sys.stderr)

    def test_a_clean_stop_is_behind_and_comes_back(self):
        _, producer, ingest, client, listener, card, merchant = self.streaming(3000)
        self.assertEqual(producer.wait(PATIENCE_S), 0)
        self.fresh(client, card, merchant)
        self.assertEqual(self.kill(ingest, signal.SIGTERM), 0)
        self.behind(client, card, merchant)
        self.start("ingest")
        self.fresh(client, card, merchant)
        self.oracle(listener)

    def test_without_the_broker_it_is_behind(self):
        broker, producer, ingest, client, _, card, merchant = self.streaming(3000)
        self.assertEqual(producer.wait(PATIENCE_S), 0)
        self.fresh(client, card, merchant)
        self.kill(broker)
        self.behind(client, card, merchant)
        self.assertIsNone(ingest.poll())

    def test_serve_is_killed_and_ingest_does_not_notice(self):
        broker = self.broker()
        producer = self.produce(20000, "--rate", 4000)
        ingest = self.start("ingest")
        for _ in range(5):
            process, listener = self.serve()
            client = Client(listener)
            await_true("an answer", lambda: client.get("/v1/views/card/nobody")[0] == 200)
            client.close()
            self.kill(process)
        self.assertEqual(producer.wait(PATIENCE_S), 0)
        sent = len(self.sent.read_text().splitlines())
        await_true("all is taken", lambda: self.taken() == sent)
        self.assertIsNone(ingest.poll())
        self.assertIsNone(broker.poll())


class Started(Case):
    """`serve` by itself, on what others left behind."""

    def holdfast(self, *command):
        subprocess.run([PROGRAM, *map(str, command)], cwd=self.directory, env=self.environment, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def generate(self, count=2000):
        self.holdfast("produce", "--generate", count, "--entities", 200, "--to-file", self.sent)

    def fill(self):
        """A store made from a file. Returns a card that it holds."""
        self.generate()
        self.holdfast("ingest", "--file", self.sent, "--topic", TOPIC, "--until-end")
        return self.payment()[0]

    def killed(self):
        """A store whose writer was killed behind a commit, before it checkpointed: its newest batch is in the WAL alone."""
        if not self.sent.exists():
            self.generate()
        done = subprocess.run([FAILPOINTS, "ingest", "--file", self.sent, "--topic", TOPIC, "--set", "ingest.batch_records=100"],
                              cwd=self.directory, env=self.environment | {"HOLDFAST_FAILPOINT": "store_committed:8"}, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        shutil.copy(self.store / "generations/g1.db", self.directory / "without.db")
        without = sqlite3.connect(f"file:{self.directory}/without.db?immutable=1", uri=True)
        held = without.execute("SELECT next_offset FROM _partition").fetchone()
        without.close()
        self.assertLess(held[0] if held else 0, self.next_offset())
        return self.payment()[0]

    def next_offset(self):
        return self.status()["partitions"][0]["next_offset"]

    def answered(self, card, **more):
        process, listener = self.serve(**more)
        client = Client(listener)
        status, answer = client.get(f"/v1/views/card/{card}")
        client.close()
        self.assertEqual(self.kill(process, signal.SIGTERM), 0)
        return status, answer

    def test_before_there_is_a_store(self):
        _, listener = self.serve()
        client = Client(listener)
        self.addCleanup(client.close)
        status, answer = client.get("/v1/views/card/nobody")
        self.assertEqual(status, 503, answer)
        card = self.fill()
        await_true("the store is noticed", lambda: client.get(f"/v1/views/card/{card}")[0] == 200)

    def test_with_a_wal_to_recover_and_no_writer(self):
        card = self.killed()
        expected = self.next_offset()
        status, answer = self.answered(card)
        self.assertEqual((status, answer["position"]), (200, f"{TOPIC}:0:{expected}"), answer)

    def test_run_answers_before_its_keys_are_in_memory(self):
        card = self.killed()
        expected = self.next_offset()
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        process = self.start("run", "--port-file", self.directory / "listener", "--set", f"file.path={self.sent}",
                             "--set", f"file.topic={TOPIC}", failpoint=f"keys_load:1:{fifo}")
        listener = self.listener("listener", process)
        client = Client(listener)
        self.addCleanup(client.close)
        with fifo.open("w"):  # it stands before the first key
            status, answer = client.get(f"/v1/views/card/{card}")
            self.assertEqual((status, answer["position"]), (200, f"{TOPIC}:0:{expected}"), answer)
            with urllib.request.urlopen(f"http://{listener}/readyz?verbose", timeout=PATIENCE_S) as reply:
                self.assertIn("[+]store ok", reply.read().decode())
            await_true("the lag tells", lambda: self.lag_ms(client, card) > MAX_LAG_S * 1000)
            self.assertEqual(self.next_offset(), expected)
        await_true("all is taken", lambda: self.next_offset() == self.sent.stat().st_size)
        self.oracle(listener)

    def test_with_a_wal_and_no_index_of_it(self):
        card = self.killed()
        expected = self.next_offset()
        (self.store / "generations/g1.db-shm").unlink()
        status, answer = self.answered(card)
        self.assertEqual((status, answer["position"]), (200, f"{TOPIC}:0:{expected}"), answer)

    def by_nobody(self, card):
        """status and answer for a user who may only read."""
        for path in [self.store, *self.store.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
        (self.directory / "open").mkdir(exist_ok=True)
        (self.directory / "open").chmod(0o777)
        process = self.start("serve", "--port-file", "open/listener", user=NOBODY, group=NOBODY, extra_groups=[])
        client = Client(self.listener("open/listener", process))
        status, answer = client.get(f"/v1/views/card/{card}")
        client.close()
        self.assertEqual(self.kill(process, signal.SIGTERM), 0)
        return status, answer

    def test_as_a_user_who_may_only_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        card = self.killed()
        expected = f"{TOPIC}:0:{self.next_offset()}"
        with self.subTest("with a WAL to recover"):
            status, answer = self.by_nobody(card)
            self.assertEqual((status, answer["position"]), (200, expected), answer)
        with self.subTest("where the index of the WAL is to be made anew"):
            (self.store / "generations/g1.db-shm").unlink()
            status, answer = self.by_nobody(card)
            self.assertEqual((status, answer["error"]["code"]), (503, "store_unreadable"))
        with self.subTest("beside a writer"):
            ingest = self.start("ingest", "--file", self.sent, "--topic", TOPIC)
            await_true("all is taken", lambda: self.next_offset() == self.sent.stat().st_size)
            status, answer = self.by_nobody(card)
            self.assertEqual((status, answer["position"]), (200, f"{TOPIC}:0:{self.next_offset()}"), answer)
        with self.subTest("after a clean stop"):
            self.assertEqual(self.kill(ingest, signal.SIGTERM), 0)
            self.assertEqual(self.by_nobody(card)[0], 200)


if __name__ == "__main__":
    PROGRAM, FAILPOINTS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
