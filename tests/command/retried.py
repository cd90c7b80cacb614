#!/usr/bin/env python3
"""retried.py HOLDFAST [unittest options]: `dead retry` of what newer events have overtaken leaves what all in time would have left.

The sample's events, as rough as they are generated (copies, disorder, deletes), some of which die under tight limits: too far in the
future for max_skew, too long, too deep. They are taken part by part; between the parts, letters picked by chance are retried
under wide limits, in any order. A second store takes the same file under wide limits from the start. Digests must be equal.
"""

import json
import os
import pathlib
import random
import sys
import unittest
from datetime import datetime, timedelta, timezone

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import command  # noqa: E402
from command import TOPIC  # noqa: E402

SEEDS = 12
RECORDS = 600
PARTS = 5
DYING = 0.15
TIGHT = ("--set", "ingest.max_skew=10m", "--set", "ingest.value_bytes_max=1KiB", "--set", "ingest.depth_max=8")
WIDE = ("--set", "ingest.max_skew=48h")
KEY_WINDOW = "72h"  # copies come within it, also where a record's timestamp is a day before its event
REASONS = {"event_time_in_future", "too_long", "too_deep"}


def moment(text):
    return datetime.fromisoformat(text)


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def spoil(record, chance):
    """What nobody maps is added, or the record's timestamp is long before its event."""
    way = chance.randrange(3)
    if way == 0:
        record["timestamp"] = (moment(record["value"]["at"]) - timedelta(hours=chance.randint(1, 24))).isoformat()
    elif way == 1:
        record["value"]["pad"] = "x" * 2000
    else:
        record["value"]["more"] = deep(30)


class Retried(command.Case):
    def setUp(self):
        super().setUp()
        self.configure(store={"path": str(self.store), "key_window": KEY_WINDOW, "ballast_bytes": "0B"})

    def lines(self, seed):
        chance = random.Random(seed)
        base = datetime.now(timezone.utc) - timedelta(days=2)
        self.generate(RECORDS, "--seed", seed, "--entities", 20, "--duplicates", 0.1, "--duplicate-distance", 100, "--disorder", 0.4,
                      "--deletes", 0.05, "--base-time", base.strftime("%Y-%m-%dT%H:%M:%SZ"))
        lines = []
        for line in self.sent.read_text().splitlines():
            record = json.loads(line)
            record["timestamp"] = record["value"]["at"]
            if chance.random() < DYING:
                spoil(record, chance)
            lines.append(json.dumps(record) + "\n")
        return lines

    def letters(self):
        return json.loads(self.holdfast("dead", "list", "--json", "--limit", RECORDS * 2).stdout)["letters"]

    def retry(self, *which):
        told = json.loads(self.holdfast("dead", "retry", "--json", *which, *WIDE).stdout)
        for one in told["letters"]:
            self.assertIn(one["fate"], ("applied", "superseded", "duplicate"))
        return [one["fate"] for one in told["letters"]]

    def in_time(self):
        other = ("--set", f"store.path={self.directory}/other")
        self.take(*WIDE, *other)
        found = json.loads(self.holdfast("verify", "--json", *other).stdout)
        self.assertEqual(json.loads(self.holdfast("dead", "list", "--json", *other).stdout)["letters"], [])
        return found["digest"]

    def rough(self, seed):
        """(digest in time, digest by retries, fates of the retries)"""
        lines, chance, fates, reasons = self.lines(seed), random.Random(seed), [], set()
        digest = None
        for part in range(1, PARTS + 1):
            self.sent.write_text("".join(lines[:len(lines) * part // PARTS]))
            self.take(*TIGHT, "--set", f"ingest.batch_records={chance.choice((1, 20, 1000))}")
            letters = self.letters()
            reasons |= {one["reason"] for one in letters}
            picked = [one["id"] for one in letters if chance.random() < 0.4]
            chance.shuffle(picked)
            if picked and part < PARTS:
                fates += self.retry(*[word for id in picked for word in ("--id", id)])
        self.assertEqual(reasons, REASONS)
        digest = json.loads(self.holdfast("verify", "--json").stdout)["digest"]
        fates += self.retry("--all")
        self.assertEqual(self.letters(), [])
        self.holdfast("verify")
        now = self.status()["digest"]
        self.assertNotEqual(now, digest)
        return self.in_time(), now, fates

    def test_the_digest_is_that_of_all_in_time(self):
        fates = []
        for seed in range(1, SEEDS + 1):
            with self.subTest(seed=seed):
                self.doCleanups()
                self.setUp()
                in_time, retried, had = self.rough(seed)
                fates += had
                self.assertEqual(retried, in_time)
        for fate in ("applied", "superseded", "duplicate"):  # else nothing was shown
            self.assertGreater(fates.count(fate), 3, fate)


if __name__ == "__main__":
    command.PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
