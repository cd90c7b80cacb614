#!/usr/bin/env python3
"""events.py FLIGHTS_CSV OUT_NDJSON [--doubled [SHARE]]: the flights table as the log that its airports would have written.

Two records a flight, a departure and an arrival, all in order of event time, so that flights overlap. Per flight:

- it departs at its scheduled time (time_hour, which the table has in UTC, + minute) + dep_delay;
- it arrives air_time minutes later. Arrival times in the table are local to airports whose time zone it does not have.
  Where air_time is missing (cancelled, diverted), one minute is taken for each 7 miles;
- the table knows minutes only. The row number (modulo 60,000) supplies the milliseconds within the minute, so no two events
  of the log coincide and the newest one of each aircraft, airport and route is plain;
- a cancelled flight (no dep_time) has both records too, at the scheduled times, with "cancelled": true and no delay;
- a diverted flight has no delay on arrival. What the table does not have is left out, never null.

A record's id is (time_hour, carrier, flight, kind); its timestamp is the event time; its key is the route.
With --doubled each record, or that share of them, comes a second time, 100 records after the first and with a timestamp one
second later: a producer that sends again.
"""

import argparse
import collections
import csv
import datetime
import json
import random

KINDS = ("departure", "arrival")
MILES_A_MINUTE = 7
COPY_DISTANCE = 100
COPY_DELAY_MS = 1000
SEED = 2013  # which records a share of them is


def epoch_ms(utc):
    return int(datetime.datetime.fromisoformat(utc.replace("Z", "+00:00")).timestamp()) * 1000


def rfc3339(ms):
    moment = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def number(text):
    return None if text == "NA" else int(text)


def flight_events(row_number, row):
    """The (event time in ms, value) of the departure and of the arrival."""
    cancelled = row["dep_time"] == "NA"
    distance = int(row["distance"])
    dep_delay, arr_delay, air_time = number(row["dep_delay"]), number(row["arr_delay"]), number(row["air_time"])
    if air_time is None:
        air_time = distance // MILES_A_MINUTE
    departs = epoch_ms(row["time_hour"]) + 60_000 * (int(row["minute"]) + (dep_delay or 0)) + row_number % 60_000
    arrives = departs + 60_000 * air_time

    for kind, at, delay in zip(KINDS, (departs, arrives), (dep_delay, arr_delay)):
        value = {"kind": kind, "carrier": row["carrier"], "flight": int(row["flight"])}
        if row["tailnum"] != "NA":
            value["tailnum"] = row["tailnum"]
        value |= {"origin": row["origin"], "dest": row["dest"], "time_hour": row["time_hour"], "at": rfc3339(at)}
        if delay is not None:
            value["delay"] = delay
        value |= {"distance": distance, "cancelled": cancelled}
        yield at, value


def check_unique(events):
    """What the schema and the oracle rely on."""
    ids = {(v["time_hour"], v["carrier"], v["flight"], v["kind"]) for _, v in events}
    if len(ids) != len(events):
        raise SystemExit(f"events.py: {len(events) - len(ids)} records share an id: this is not the table it was written for")
    times = {at for at, _ in events}
    if len(times) != len(events):
        raise SystemExit(f"events.py: {len(events) - len(times)} records share an event time: the oracle could not order them")


def with_copies(records, share):
    chance, pending = random.Random(SEED), collections.deque()
    for i, record in enumerate(records):
        yield record
        if pending and pending[0][0] <= i:
            yield pending.popleft()[1]
        if chance.random() < share:
            pending.append((i + COPY_DISTANCE, record | {"timestamp": record["timestamp"] + COPY_DELAY_MS}))
    yield from (copy for _, copy in pending)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("flights_csv")
    arguments.add_argument("out_ndjson")
    arguments.add_argument("--doubled", nargs="?", type=float, default=0, const=1, metavar="SHARE")
    given = arguments.parse_args()

    with open(given.flights_csv, newline="") as table:
        events = [event for i, row in enumerate(csv.DictReader(table)) for event in flight_events(i, row)]
    check_unique(events)
    events.sort(key=lambda event: event[0])

    encode = json.JSONEncoder(separators=(",", ":")).encode
    records = ({"key": f"{v['origin']}-{v['dest']}", "timestamp": at, "value": v} for at, v in events)
    written = 0
    with open(given.out_ndjson, "w") as out:
        for record in with_copies(records, given.doubled):
            out.write(encode(record) + "\n")
            written += 1

    cancelled = sum(v["cancelled"] for _, v in events) // 2
    nameless = sum("tailnum" not in v for _, v in events) // 2
    print(f"{len(events) // 2} flights, {cancelled} of them cancelled, {nameless} without a tail number")
    print(f"{len(events)} events, ids and event times all different; {written} records written")


if __name__ == "__main__":
    main()
