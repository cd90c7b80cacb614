#!/usr/bin/env python3
"""beside_http.py ADDRESS:PORT SECONDS [--two-snapshots]: what beside_reader.c does, over HTTP.

Several connections take turns, so that every thread of the server answers: what one of them has seen, none may take back. One
line of JSON tells what was seen.
"""
import http.client
import itertools
import json
import random
import sys
import time

ACCOUNTS = 1000
CONNECTIONS = 6  # more than the server has threads
FEW = 20
TOLD = 5
FEATURES = ["progress:seq", "progress:count", "account:seq", "account:count", "mirror:seq", "mirror:count"]


def stream_seq(newest, account):
    return None if newest < account else newest - (newest - account) % ACCOUNTS


def stream_count(newest, account):
    return 0 if newest < account else (newest - account) // ACCOUNTS + 1


class Witness:
    def __init__(self, address):
        self.turns = itertools.cycle([http.client.HTTPConnection(address) for _ in range(CONNECTIONS)])
        self.newest = -1
        self.seen = {"reads": 0, "snapshots": 0, "commits": 0, "violations": 0}

    def violation(self, text):
        self.seen["violations"] += 1
        if self.seen["violations"] <= TOLD:
            print("HTTP:", text, file=sys.stderr)

    def ask(self, accounts):
        body = json.dumps({"features": FEATURES, "entities": {"only": 0, "account": accounts}})
        connection = next(self.turns)
        connection.request("POST", "/v1/lookup", body)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            sys.exit(f"beside_http.py: {reply.status}: {text.decode()}")
        views = json.loads(text)["views"]
        assert all(views[view]["features"] == ["seq", "count"] for view in ("progress", "account", "mirror"))
        return [views[view]["values"] for view in ("progress", "account", "mirror")]

    def check(self, two_snapshots):
        accounts = random.choices(range(ACCOUNTS), k=random.randint(1, FEW))
        progress, account, mirror = self.ask(accounts)
        if two_snapshots:
            _, account, mirror = self.ask(accounts)
        seq, count = progress[0]
        newest = -1 if seq is None else seq
        if (count or 0) != newest + 1:
            self.violation(f"progress: {count} records, the newest is {newest}")
        if newest < self.newest:
            self.violation(f"record {self.newest} was the newest, now it is {newest}")
        self.seen["commits"] += newest > self.newest
        self.newest = newest
        for row, number in enumerate(accounts):
            wanted = [stream_seq(newest, number), stream_count(newest, number)]
            for values in (account[row], mirror[row]):
                if [values[0], values[1] or 0] != wanted:
                    self.violation(f"account {number} after record {newest}: {values}, must be {wanted}")
        self.seen["snapshots"] += 1
        self.seen["reads"] += len(FEATURES) * len(accounts)


def main():
    address, seconds = sys.argv[1], float(sys.argv[2])
    witness = Witness(address)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        witness.check("--two-snapshots" in sys.argv)
    print(json.dumps(witness.seen))


main()
