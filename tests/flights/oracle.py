#!/usr/bin/env python3
"""oracle.py FLIGHTS_CSV STORE_DB [--doubled]: is the store what the flights table says it must be?

The expected features come from the CSV by SQL, not from the log that events.py made of it, and are compared with the
store's tables row by row in both directions, the dead letters too. Exit status: 0 the same, 1 different.
Departures and arrivals are features that count updates one by one: by them it says how many were lost, how many doubled.
The last line says what `holdfast status --json` must count; --doubled is for a log that held each record twice
(events.py --doubled): the same features and dead letters, but a duplicate for each update.
"""

import argparse
import csv
import json
import pathlib
import sqlite3
import sys

SHOWN_MAX = 10

# One row an event, with its time in microseconds; events.py tells why it is this time.
EVENTS = """
CREATE TABLE event AS
WITH timed AS (
    SELECT *, 1000000 * (unixepoch(time_hour) + 60 * (minute + coalesce(dep_delay, 0))) + 1000 * (row_number % 60000) AS departs
    FROM flight)
SELECT 'departure' AS kind, departs AS at, dep_delay AS delay, origin AS airport, tailnum, origin, dest, distance FROM timed
UNION ALL
SELECT 'arrival', departs + 60000000 * coalesce(air_time, distance / 7), arr_delay, dest, tailnum, origin, dest, distance
FROM timed WHERE dep_time IS NOT NULL
"""

# SQLite takes the other columns of a query with one max() from the row that has the maximum.
# {entity}: the columns of the entity; events without it (NULL) are not in the view.
SEEN = "(SELECT {entity}, max(at) AS last_seen, airport AS last_airport FROM event GROUP BY {entity})"
DELAYED = "(SELECT {entity}, max(at), delay AS last_delay FROM event WHERE delay IS NOT NULL GROUP BY {entity})"
SUMS = """(SELECT {entity}, max(delay) AS worst_delay,
    sum(iif(kind = 'departure', 1, NULL)) AS departures, sum(iif(kind = 'arrival', 1, NULL)) AS arrivals,
    sum(iif(kind = 'arrival', distance, NULL)) AS miles FROM event GROUP BY {entity})"""

VIEWS = {  # view: (columns of the entity in the store, the same in our events, the store's features and ours by name)
    "aircraft": (["tailnum"], ["tailnum"], {
        "last_delay": "last_delay", "worst_delay": "worst_delay", "flights": "departures", "miles": "miles",
        "last_seen": "last_seen", "last_airport": "last_airport"}),
    "airport": (["airport"], ["airport"], {
        "departures": "departures", "arrivals": "arrivals", "last_delay": "last_delay", "worst_delay": "worst_delay",
        "last_seen": "last_seen"}),
    "route": (["origin", "dest"], ["origin", "dest"], {
        "flights": "departures", "miles": "miles", "worst_delay": "worst_delay", "last_delay": "last_delay",
        "last_seen": "last_seen"}),
}


def load_flights(path):
    db = sqlite3.connect(":memory:")
    with open(path, newline="") as table:
        rows = csv.reader(table)
        names = next(rows)
        db.execute(f"CREATE TABLE flight (row_number INTEGER, {', '.join(f'{name} NUMERIC' for name in names)})")
        places = ", ".join("?" * (len(names) + 1))
        db.executemany(f"INSERT INTO flight VALUES ({places})",
                       ([i, *(None if cell == "NA" else cell for cell in row)] for i, row in enumerate(rows)))
    db.execute(EVENTS)
    return db


def by_entity(rows, width):
    return {row[:width]: row[width:] for row in rows}


def expected(flights, view):
    _, entity, features = VIEWS[view]
    seen, delayed, sums = (part.format(entity=", ".join(entity)) for part in (SEEN, DELAYED, SUMS))
    rows = flights.execute(f"SELECT {', '.join([*entity, *features.values()])} FROM {seen} JOIN {sums} USING ({', '.join(entity)}) "
                           f"LEFT JOIN {delayed} USING ({', '.join(entity)}) WHERE {entity[0]} IS NOT NULL")
    return by_entity(rows, len(entity))


def stored(store, view):
    entity, _, features = VIEWS[view]
    return by_entity(store.execute(f"SELECT {', '.join([*entity, *features])} FROM {view}"), len(entity))


def compare(view, want, have):
    """The entities that differ, those that only one side has among them."""
    wrong = [entity for entity in want.keys() | have.keys() if want.get(entity) != have.get(entity)]
    for entity in sorted(wrong)[:SHOWN_MAX]:
        print(f"{view} {'/'.join(entity)} ({', '.join(VIEWS[view][2])}):\n"
              f"  must be {want.get(entity, 'absent')}\n  is      {have.get(entity, 'absent')}")
    if len(wrong) > SHOWN_MAX:
        print(f"{view}: and {len(wrong) - SHOWN_MAX} more")
    return len(wrong)


def miscounted(view, want, have):
    """How many updates its counting features lack, and how many they have too many."""
    counting = [i for i, ours in enumerate(VIEWS[view][2].values()) if ours in ("departures", "arrivals")]
    none = (None,) * len(VIEWS[view][2])
    excess = [(have.get(entity, none)[i] or 0) - (want.get(entity, none)[i] or 0)
              for entity in want.keys() | have.keys() for i in counting]
    return -sum(min(0, each) for each in excess), sum(max(0, each) for each in excess)


def accounts(flights, doubled):
    """What holdfast counts: an event updates three views, the arrival of a cancelled flight none."""
    count, nameless = flights.execute("SELECT count(*), sum(tailnum IS NULL) FROM flight").fetchone()
    updates = 3 * flights.execute("SELECT count(*) FROM event").fetchone()[0]
    copies = 2 if doubled else 1
    return {"taken": copies * 2 * count, "skipped": copies * (2 * count - updates // 3), "dead": nameless,
            "applied_or_superseded": updates - nameless, "duplicate": (copies - 1) * updates}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("flights_csv")
    arguments.add_argument("store_db", type=pathlib.Path)
    arguments.add_argument("--doubled", action="store_true")
    given = arguments.parse_args()

    if not given.store_db.is_file():
        sys.exit(f"oracle.py: {given.store_db} is no file: give the store's features.db, after an ingest of the flights")
    flights = load_flights(given.flights_csv)
    store = sqlite3.connect(f"{given.store_db.resolve().as_uri()}?mode=ro", uri=True)
    checked = wrong = lost = doubled = 0
    for view in VIEWS:
        want, have = expected(flights, view), stored(store, view)
        checked += len(want.keys() | have.keys())
        wrong += compare(view, want, have)
        lacking, excess = miscounted(view, want, have)
        lost, doubled = lost + lacking, doubled + excess
    print(f"checked {checked} entities: {wrong} wrong")
    print(f"updates by their counts: {lost} lost, {doubled} doubled")

    nameless = "SELECT count(*) FROM flight WHERE tailnum IS NULL"
    counts = [("dead updates of aircraft", nameless, "SELECT count(*) FROM _dead WHERE view = 'aircraft'"),
              ("dead updates of other views", "SELECT 0", "SELECT count(*) FROM _dead WHERE view IS NOT 'aircraft'")]
    for what, ours, theirs in counts:
        must, has = flights.execute(ours).fetchone()[0], store.execute(theirs).fetchone()[0]
        print(f"{what}: {has}, must be {must}")
        wrong += has != must
    print("accounts must be:", json.dumps(accounts(flights, given.doubled)))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
