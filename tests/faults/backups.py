"""Backups made and restored while things go wrong."""

import json
import random
import signal
import time

from rig import TOPIC, await_true, check, equal, scenario


def backups(rig):
    return sorted((rig.store / "backups").glob("*.db"))


def all_good(rig):
    """Every backup there is verifies. Returns them, the newest first."""
    done = rig.run("verify", "--backups", "--json")
    found = json.loads(done.stdout)["backups"]
    equal([one["name"] for one in found if one["damaged"]], [], "damaged backups")
    equal(done.returncode, 0, "exit status of verify --backups")
    return found


@scenario("23d", "a backup after the other while records come", "backup.every=1s with records from the broker all the while; then one of them by chance is restored",
          "each verifies and holds whole batches; restored and caught up: same state (I6 I7 I12)")
def under_load(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.configure(backup={"every": "1s", "keep": 100})
    service = rig.start("ingest")
    for _ in range(6):
        rig.produce(broker.address, 1500)
    rig.await_taken(9000, service)
    await_true("three backups", lambda: len(backups(rig)) >= 3)
    one = random.choice(all_good(rig))
    rig.holdfast("restore", one["name"])
    rig.await_taken(9000, service)
    rig.database = rig.store / "features.db"
    equal(service.end(signal.SIGTERM), 0, "exit status of the service")
    rig.whole()


@scenario("23e", "SIGKILL while a backup is made, again and again", "backup.every=1s; 12 kills at moments by chance, each after a start",
          "what is called a backup is one; state of an undisturbed run (I11 I7)")
def killed(rig):
    rig.generate(6000)
    rig.configure(backup={"every": "1s", "keep": 100})
    for number in range(12):
        service = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC)
        await_true("it listens", lambda: (rig.store / "control.sock").exists() or not service.runs())
        beside = rig.start("backup", f"kill-{number}")
        await_true("it is under way", lambda: (rig.store / f"backups/kill-{number}.db.part").exists() or not beside.runs())
        time.sleep(random.random() * 0.2)
        service.end()
        beside.wait()
        (rig.store / "control.sock").unlink(missing_ok=True)
        all_good(rig)
    rig.take()
    equal(list((rig.store / "backups").glob("*.part*")), [], "what dead processes left")
    all_good(rig)
    rig.whole()


@scenario("32b", "a backup is restored, older than Kafka's committed offset", "holdfast restore with the service running, after 2,000 more records; then the file destroyed, and again without a service",
          "starts at its own offsets, not Kafka's; same state (I1 I7)")
def restored(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 1000)
    rig.holdfast("ingest", "--until-end")
    rig.holdfast("backup", "early")
    rig.produce(broker.address, 2000)
    service = rig.start("ingest")
    rig.await_taken(3000, service)
    rig.holdfast("restore", "early")
    rig.await_taken(3000, service)
    equal(service.end(signal.SIGTERM), 0, "exit status of the service")
    rig.database = rig.store / "features.db"
    rig.whole()
    with rig.database.resolve().open("r+b") as file:
        file.write(bytes(100))
    check(rig.run("ingest", "--until-end").returncode != 0, "a destroyed file was taken")
    rig.holdfast("restore", "early")
    equal(rig.total(), 1000, "records in the backup")
    rig.holdfast("ingest", "--until-end")
    rig.whole()
