#!/usr/bin/env python3
"""lookup_data.py USERS EVENTS DIRECTORY: what lookup.sh fills both servers with, and the events that go on afterwards.

    fill.ndjson    one event a user: holdfast's rows
    fill.resp      one HSET a user: the same rows as Redis's hashes
    stream.ndjson  EVENTS events of users at random, which leave score, rating, active, country and device as they are
    users.txt      every user, the popular ones (as lookup_client draws them) first
"""

import datetime
import pathlib
import random
import sys

BASE_TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
SCATTER = 2654435761  # as in lookup_client.c
FEATURES = ["txns", "spend", "visits", "last_amount", "last_seen", "score", "rating", "active", "country", "device"]
COUNTRIES = ["DE", "FR", "US", "JP", "BR", "IN", "ZA", "AU"]


def user_id(user):
    return f"user-{user:07d}"


def timestamp(at):
    """As holdfast prints it."""
    text = at.isoformat(timespec="milliseconds").removesuffix("+00:00")
    return text.removesuffix(".000") + "Z"


def features(user, at):
    """As the JSON of an event has them; `at` is last_seen."""
    mixed = user * SCATTER % 2**32
    return {"txns": str(mixed % 1000), "spend": f"{mixed % 10000000 / 100 + 0.01:.2f}", "visits": str(mixed % 100000 * 1000003),
            "last_amount": repr(mixed % 99991 / 128 + 0.0078125), "last_seen": f'"{at}"', "score": repr((mixed % 999983 + 1) / 999984),
            "rating": f"{mixed % 50 / 10 + 0.1:.1f}", "active": "true" if mixed % 3 else "false",
            "country": f'"{COUNTRIES[mixed % 8]}"', "device": f'"{mixed * SCATTER % 2**64:016x}"'}


def event(identity, user, at, values):
    mapped = ",".join(f'"{name}":{value}' for name, value in values.items() if name != "last_seen")
    return f'{{"key":"{user_id(user)}","value":{{"id":"{identity}","at":"{at}","user":"{user_id(user)}",{mapped}}}}}\n'


def bulk(text):
    return f"${len(text)}\r\n{text}\r\n"


def write_fill(users, directory):
    head = f"*{2 + 2 * len(FEATURES)}\r\n$4\r\nHSET\r\n"
    names = {name: bulk(name) for name in FEATURES}
    with open(directory / "fill.ndjson", "w") as ndjson, open(directory / "fill.resp", "w", newline="") as resp:
        for user in range(users):
            at = timestamp(BASE_TIME + datetime.timedelta(milliseconds=user))
            values = features(user, at)
            ndjson.write(event(f"f{user}", user, at, values))
            resp.write(head + bulk(f"user_stats:{user_id(user)}") +
                       "".join(names[name] + bulk(value.strip('"')) for name, value in values.items()))


def write_stream(users, events, directory):
    chance = random.Random(1)
    start = BASE_TIME + datetime.timedelta(days=1)
    with open(directory / "stream.ndjson", "w") as out:
        for number in range(events):
            user = chance.randrange(users)
            at = timestamp(start + datetime.timedelta(milliseconds=number))
            values = features(user, at) | {"txns": "1", "spend": "0.25", "visits": str(number), "last_amount": "12.5"}
            out.write(event(f"s{number}", user, at, values))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    users, events, directory = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
    write_fill(users, directory)
    write_stream(users, events, directory)
    with open(directory / "users.txt", "w") as out:
        for rank in range(users):
            out.write(user_id(rank * SCATTER % users) + "\n")


if __name__ == "__main__":
    main()
