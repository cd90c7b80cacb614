"""Files of the store are damaged behind its back."""

import json
import shutil
import signal
import sqlite3

from rig import check, equal, scenario

KILLED = -signal.SIGKILL


def checkpointed(rig):
    """All of the store is in the database file."""
    db = sqlite3.connect(rig.database)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def with_wal(rig, hit=8):
    """A store whose newest batches are in the WAL alone, as a kill leaves it."""
    rig.generate()
    rig.take(status=KILLED, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": f"store_committed:{hit}"})
    wal = rig.database.with_name("g1.db-wal")
    check(wal.stat().st_size > 100000, "the WAL holds something")
    return wal


def flip(path, place, mask=0x10):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


@scenario("9a", "the tail of the WAL is garbage", "a kill; then the WAL's last 3,000 bytes are overwritten",
          "what is left is a whole prefix; records taken anew give the undisturbed state (I3 I11 I7)")
def garbage_tail(rig):
    wal = with_wal(rig)
    with wal.open("r+b") as file:
        file.seek(-3000, 2)
        file.write(bytes(range(200)) * 15)
    rig.prefix()
    rig.take()
    rig.whole()


@scenario("9b", "a page of the WAL is torn", "a kill; then 512 of a frame's 4,096 bytes are zeroed, in its first, middle and last sectors",
          "what is left is a whole prefix; records taken anew give the undisturbed state (I3 I11 I7)")
def torn_page(rig):
    for sector in (0, 3, 7):
        shutil.rmtree(rig.store, ignore_errors=True)
        wal = with_wal(rig)
        frames = (wal.stat().st_size - 32) // 4120
        with wal.open("r+b") as file:
            file.seek(32 + (frames - 3) * 4120 + 24 + sector * 512)
            file.write(bytes(512))
        rig.prefix()
        rig.take()
        rig.whole()


@scenario("10a", "the WAL grew, its content was not written", "a kill; then 40 KiB of zeros behind the WAL",
          "ignored: no batch is lost, the state is the undisturbed one (I11 I7)")
def grown_wal(rig):
    wal = with_wal(rig)
    before = rig.prefix()
    with wal.open("ab") as file:
        file.write(bytes(40960))
    equal(rig.prefix(), before, "offset")
    rig.take()
    rig.whole()


@scenario("10b", "the database file grew, its content was not written", "garbage of 3 pages behind the file",
          "never taken for data (I11 I7)")
def grown_database(rig):
    rig.generate(1000)
    rig.take()
    checkpointed(rig)
    with rig.database.open("ab") as file:
        file.write(bytes(range(256)) * 48)
    rig.generate(2000)
    rig.take()
    rig.whole()


@scenario("64a", "the file belongs to another program", "application_id is changed", "refused, exit 4, the file untouched")
def foreign(rig):
    refused_untouched(rig, "PRAGMA application_id = 1179206")


@scenario("63b", "the store is of a newer release", "user_version is raised", "an older program refuses it, exit 4, the file untouched")
def newer(rig):
    refused_untouched(rig, "PRAGMA user_version = 999")


def refused_untouched(rig, change):
    rig.generate(500)
    rig.take()
    checkpointed(rig)
    db = sqlite3.connect(rig.database)
    db.execute(change)
    db.close()
    checkpointed(rig)
    before = rig.database.read_bytes()
    done = rig.take(status=4)
    check(str(rig.store) in done.stderr, f"it says {done.stderr[-300:]}")
    equal(rig.database.read_bytes() == before, True, "the file is unchanged")
    rig.holdfast("status", status=4)


@scenario("64b", "the database file is cut off", "its second half is cut away", "refused as damaged, exit 3; never written to; no lookup is answered wrong")
def truncated(rig):
    rig.generate(2000)
    rig.take()
    checkpointed(rig)
    card = rig.a_card()
    size = rig.database.stat().st_size
    with rig.database.open("r+b") as file:
        file.truncate(size // 2 // 4096 * 4096)
    before = rig.database.read_bytes()
    done = rig.take(status=None)
    check(done.returncode in (3, 4), f"exit status {done.returncode}: {done.stderr[-300:]}")
    equal(rig.database.read_bytes() == before, True, "the file is unchanged")
    check(rig.run("verify").returncode != 0, "verify finds it good")
    done = rig.run("get", "card", card, "--json")
    check(done.returncode in (1, 3) and '"values": [[' not in done.stdout, f"{done.returncode}: {done.stdout}")


@scenario("64c", "one bit of a stored row is flipped", "a bit of a value, a version or a checksum, in 30 rows one after the other",
          "verify finds each; a lookup of that row is refused, never answered with another value")
def flipped_row(rig):
    rig.generate(1500, entities=60)
    rig.take()
    checkpointed(rig)
    good = rig.database.read_bytes()
    serve = rig.serve()
    must = {row[0]: rig.ask(serve.address, f"/v1/views/card/{row[0]}")[1]["views"]["card"]["values"]
            for row in rig.sql("SELECT card_id FROM card ORDER BY card_id LIMIT 30")}
    serve.end()
    found = refused = 0
    for number, (card, values) in enumerate(must.items()):
        places = [at for at in range(len(good)) if good.startswith(card.encode(), at)][:40]
        place = places[number % len(places)] + len(card) + number % 9
        rig.database.write_bytes(good)
        flip(rig.database, place, 1 << number % 8)
        for suffix in ("-wal", "-shm"):
            rig.database.with_name("g1.db" + suffix).unlink(missing_ok=True)
        found += rig.run("verify").returncode != 0
        done = rig.run("get", "card", card, "--json")
        if done.returncode == 0:
            equal(json.loads(done.stdout)["views"]["card"]["values"], values, f"{card} with byte {place} flipped")
        refused += done.returncode != 0
    equal(found, len(must), "flips found by verify")
    check(refused > 0, "no flip hit the row that was asked for")


@scenario("64d", "one bit of the WAL is flipped", "a kill; then a bit in the middle of the WAL: SQLite drops what follows, integrity ok",
          "the store goes back to a whole prefix, takes the records anew, and comes out the same (I3 I7)")
def flipped_wal(rig):
    wal = with_wal(rig)
    before = rig.prefix()
    flip(wal, wal.stat().st_size * 3 // 4)
    rig.database.with_name("g1.db-shm").unlink(missing_ok=True)
    check(rig.prefix() < before, "nothing was lost: the flip hit nothing")
    rig.take()
    rig.whole()


@scenario("64e", "-shm holds garbage", "a kill; then the index file is overwritten", "rebuilt at the next start; no batch lost (I11 I7)")
def garbage_shm(rig):
    with_wal(rig)
    before = rig.prefix()
    shm = rig.database.with_name("g1.db-shm")
    shm.write_bytes(bytes(range(256)) * (shm.stat().st_size // 256))
    rig.take()
    rig.whole()
    check(before > 0, "something was there")


@scenario("64f", "the WAL is deleted", "a kill; then g1.db-wal is removed", "refused as damaged, or a whole prefix that is made up from the log: never half")
def deleted_wal(rig):
    wal = with_wal(rig)
    wal.unlink()
    rig.database.with_name("g1.db-shm").unlink(missing_ok=True)
    done = rig.take(status=None)
    if done.returncode == 0:
        rig.whole()
    else:
        check(done.returncode in (3, 4), f"exit status {done.returncode}: {done.stderr[-300:]}")


@scenario("64g", "the file's header is destroyed", "its first 100 bytes are zeroed", "refused; never written to; status and verify say so")
def destroyed_header(rig):
    rig.generate(500)
    rig.take()
    checkpointed(rig)
    with rig.database.open("r+b") as file:
        file.write(bytes(100))
    before = rig.database.read_bytes()
    done = rig.take(status=None)
    check(done.returncode in (3, 4), f"exit status {done.returncode}")
    for command in ("status", "verify"):
        check(rig.run(command).returncode in (3, 4), f"{command} is content")
    equal(rig.database.read_bytes() == before, True, "the file is unchanged")


@scenario("64h", "garbage in the database file, page by page", "each of 25 pages overwritten in turn",
          "verify says so, or the page held nothing; ingest refuses or stops, and never dies of a signal")
def garbage_pages(rig):
    rig.generate(1500, entities=60)
    rig.take()
    checkpointed(rig)
    good = rig.database.read_bytes()
    pages = len(good) // 4096
    digest, found = rig.status()["digest"], 0
    for number in range(25):
        at = (1 + number * (pages - 2) // 24) * 4096
        damaged = bytearray(good)
        damaged[at:at + 4096] = bytes((7 * i + number) % 251 for i in range(4096))
        for suffix in ("-wal", "-shm"):
            rig.database.with_name("g1.db" + suffix).unlink(missing_ok=True)
        rig.database.write_bytes(damaged)
        verdict = rig.run("verify", "--json")
        check(verdict.returncode >= 0, f"verify died of a signal on page {at // 4096}")
        if verdict.returncode == 0:
            check(digest in verdict.stdout, f"page {at // 4096}: good, with another digest")
        found += verdict.returncode != 0
        check(rig.take(status=None).returncode >= 0, f"ingest died of a signal on page {at // 4096}")
    check(found >= 20, f"only {found} of 25 found")


@scenario("32", "the store is older than Kafka's committed offset", "the store's directory is put back to an earlier copy, after 2,000 more records",
          "starts at its own offset, not Kafka's; same state (I1 I7)")
def restored(rig):
    broker = rig.broker()
    rig.client(broker.address)
    rig.produce(broker.address, 1000)
    rig.holdfast("ingest", "--until-end")
    shutil.copytree(rig.store, rig.directory / "copy", symlinks=True)
    rig.produce(broker.address, 2000)
    rig.holdfast("ingest", "--until-end")
    shutil.rmtree(rig.store)
    shutil.move(rig.directory / "copy", rig.store)
    equal(rig.total(), 1000, "records in the copy")
    rig.holdfast("ingest", "--until-end")
    rig.whole()
