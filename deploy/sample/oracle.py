#!/usr/bin/env python3
"""oracle.py SENT.ndjson FEATURES.db|http://HOST:PORT [--rough]: does the store hold what the log of the sample says it must?

SENT.ndjson is what `holdfast produce --generate … --tee` sent, FEATURES.db the store's. The log is folded here by rules of
its own, in plain Python, and compared with every stored row, both ways. The last line is `checked N entities: W wrong`.
With a URL in its stead, a running holdfast is asked for some hundred entities, and for some that never were.
--rough: the log must also be as rough as deploy/run.sh --check promises. Exit status: 0 the same, 1 not, 2 can't tell.
"""

import argparse
import http.client
import json
import pathlib
import random
import sqlite3
import struct
import sys
import urllib.parse
from datetime import datetime, timedelta, timezone
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FAR = 20_000  # records between an event and its copy
SHOWN_MAX = 10
ASKED_TOGETHER = 200  # of a view, in one request
ASKED_ALONE = 20
STRANGERS = ["nobody", "no/body?", "nobödy, \"nowhere\" %2F"]
PATIENCE_S = 30

VIEWS = {
    "card": ("card_id", ["txns", "spend", "largest", "smallest", "country", "last_merchant", "last_seen"]),
    "merchant": ("merchant_id", ["payments", "revenue", "last_card"]),
    "card_profile": ("card_id", ["tier", "credit_limit", "contactless", "segment", "taste"]),
}

DEFAULTS = {  # what a lookup answers for a value that is not there; null where there is no default
    "card": {"txns": 0, "spend": 0, "country": "??"},
    "merchant": {"payments": 0, "revenue": 0},
    "card_profile": {"tier": "basic"},
}


def events(path):
    """(number of the line, value) of each line that is an event; poison is none."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines):
            try:
                value = json.loads(line, parse_float=Decimal)
            except (ValueError, RecursionError):
                continue
            value = value.get("value", value)
            if "poison" not in value:
                yield number, value


def microseconds(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def euro(cents):
    return cents / 100  # the nearest double: Python divides integers exactly


class Newest:
    """The value with the newest event time."""

    def __init__(self):
        self.at, self.value = None, None

    def see(self, at, value):
        if self.at is None or at > self.at:
            self.at, self.value = at, value


class Money:
    """A card or a merchant: what is counted, and what the newest payment said."""

    def __init__(self):
        self.count, self.cents, self.amounts, self.newest = 0, 0, [], Newest()

    def see(self, at, amount, value):
        cents = int(amount * 100)
        self.count += 1
        self.cents += cents
        self.amounts.append(cents)
        self.newest.see(at, value)


class Profile:
    """What is newer than the newest delete stands, each feature by itself."""

    def __init__(self):
        self.closed, self.seen = 0, []

    def row(self):
        newest = {name: Newest() for name in VIEWS["card_profile"][1]}
        for at, value in self.seen:
            for name, feature in newest.items():
                if at > self.closed and name in value:
                    feature.see(at, value[name])
        if all(feature.at is None for feature in newest.values()):
            return None
        tier, limit, contactless, segment, taste = (feature.value for feature in newest.values())
        return (tier, limit, None if contactless is None else int(contactless), segment,
                None if taste is None else struct.pack("<4f", *map(float, taste)))


class Census:
    """How rough the log is."""

    def __init__(self):
        self.lines = self.copies = self.far = self.events = self.late = self.deletes = self.doubles = 0
        self.first, self.newest = {}, {}

    def copy(self, number, value):
        first = self.first.setdefault(value["id"], number)
        if first == number:
            return False
        self.copies += 1
        self.far += number - first > FAR
        return True

    def event(self, at, value):
        payment = value["type"] == "payment"
        entity = value["card"], payment
        self.events += 1
        self.late += at < self.newest.get(entity, 0)
        self.newest[entity] = max(at, self.newest.get(entity, 0))
        self.deletes += value["type"] == "card_closed"
        self.doubles += payment

    def tell(self):
        print(f"{self.events} events and {self.copies} copies ({self.copies / (self.copies + self.events):.1%}), "
              f"{self.far} of them more than {FAR} records later; {self.late} events ({self.late / self.events:.1%}) behind "
              f"a newer one of their entity; {self.doubles} with two updates, {self.deletes} deletes")

    def rough(self):
        return (self.copies + self.events >= 195_000 and self.copies >= 0.1 * (self.copies + self.events)
                and self.far >= 0.5 * self.copies and self.late >= 0.2 * self.events and self.doubles > 0 and self.deletes > 0)


def fold(path):
    cards, merchants, profiles, census = {}, {}, {}, Census()
    for number, value in events(path):
        if census.copy(number, value):
            continue
        at, card = microseconds(value["at"]), value["card"]
        census.event(at, value)
        if value["type"] == "payment":
            merchant = value["merchant"]
            cards.setdefault(card, Money()).see(at, value["amount"], (value["country"], merchant, at))
            merchants.setdefault(merchant, Money()).see(at, value["amount"], (card,))
        elif value["type"] == "profile_changed":
            profiles.setdefault(card, Profile()).seen.append((at, value))
        else:
            profile = profiles.setdefault(card, Profile())
            profile.closed = max(profile.closed, at)
    rows = {card: profile.row() for card, profile in profiles.items()}
    return census, {
        "card": {card: (money.count, euro(money.cents), euro(max(money.amounts)), euro(min(money.amounts)), *money.newest.value)
                 for card, money in cards.items()},
        "merchant": {merchant: (money.count, euro(money.cents), *money.newest.value) for merchant, money in merchants.items()},
        "card_profile": {card: row for card, row in rows.items() if row is not None},
    }


def stored(db, view):
    key, features = VIEWS[view]
    return {row[0]: row[1:] for row in db.execute(f"SELECT {', '.join([key, *features])} FROM {view}")}


def compare(view, must, has):
    wrong = [entity for entity in must.keys() | has.keys() if must.get(entity) != has.get(entity)]
    for entity in sorted(wrong)[:SHOWN_MAX]:
        print(f"{view} {entity} ({', '.join(VIEWS[view][1])}):\n"
              f"  must be {must.get(entity, 'absent')}\n  is      {has.get(entity, 'absent')}")
    return len(wrong)


class Asked:
    """A running holdfast, over HTTP."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=PATIENCE_S)

    def answer(self, method, target, body=None):
        self.connection.request(method, target, body)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            print(f"oracle.py: {method} {target} is answered {reply.status}: {text.decode()}", file=sys.stderr)
            sys.exit(2)
        return json.loads(text)["views"]

    def together(self, view, entities):
        key, features = VIEWS[view]
        body = {"features": [f"{view}:{name}" for name in features], "entities": {key: entities}}
        return self.answer("POST", "/v1/lookup", json.dumps(body))[view]["values"]

    def alone(self, view, entity):
        return self.answer("GET", f"/v1/views/{view}/{urllib.parse.quote(entity, safe='')}")[view]["values"][0]


def as_served(view, row):
    """A folded row, or None for one that is not there, as a lookup answers it."""
    served = []
    for name, value in zip(VIEWS[view][1], row or [None] * len(VIEWS[view][1])):
        if value is None:
            value = DEFAULTS[view].get(name)
        elif name == "last_seen":
            value = (EPOCH + timedelta(microseconds=value)).isoformat()
        elif name == "contactless":
            value = bool(value)
        elif name == "taste":
            value = list(struct.unpack("<4f", value))
        served.append(value)
    return served


def same(name, must, has):
    if name == "last_seen" and must is not None and has is not None:
        return microseconds(must) == microseconds(has)
    return must == has and isinstance(must, bool) == isinstance(has, bool)


def ask(url, folded):
    """(entities asked for, how many were answered wrong)"""
    asked, checked, wrong = Asked(url), 0, 0
    for view, rows in folded.items():
        entities = random.sample(sorted(rows), min(ASKED_TOGETHER, len(rows))) + STRANGERS
        answers = list(zip(entities, asked.together(view, entities)))
        answers += [(entity, asked.alone(view, entity)) for entity in entities[-ASKED_ALONE:]]
        for entity, has in answers:
            must = as_served(view, rows.get(entity))
            checked += 1
            if len(must) != len(has) or not all(map(same, VIEWS[view][1], must, has)):
                wrong += 1
                print(f"{view} {entity} over HTTP:\n  must be {must}\n  is      {has}")
    return checked, wrong


def compare_file(path, folded):
    """(entities of either side, how many differ)"""
    checked = wrong = 0
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    with db:
        db.execute("BEGIN")  # one snapshot for all views
        for view, rows in folded.items():
            has = stored(db, view)
            checked += len(rows.keys() | has.keys())
            wrong += compare(view, rows, has)
    return checked, wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("sent", type=pathlib.Path)
    arguments.add_argument("store", metavar="FEATURES.db|URL")
    arguments.add_argument("--rough", action="store_true")
    given = arguments.parse_args()
    over_http = given.store.startswith("http://")
    for path in [given.sent] + ([] if over_http else [pathlib.Path(given.store)]):
        if not path.is_file():
            print(f"oracle.py: {path} is no file", file=sys.stderr)
            sys.exit(2)

    census, must = fold(given.sent)
    census.tell()
    if given.rough and not census.rough():
        print("oracle.py: the log is tamer than promised", file=sys.stderr)
        sys.exit(2)
    checked, wrong = ask(given.store, must) if over_http else compare_file(pathlib.Path(given.store), must)
    print(f"{'asked for' if over_http else 'checked'} {checked} entities: {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
