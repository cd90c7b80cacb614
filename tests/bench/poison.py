#!/usr/bin/env python3
"""poison.py FILE LETTERS [PARKED EXPECTED]: are the letters those of the poison, each for its reason?

FILE is the log, LETTERS and PARKED what `holdfast dead list --json` says. What is expected stands in EXPECTED (poison_events.py);
without, each poison record of FILE names its reason in the member `poison`, which no schema maps. All of a poison record's updates
are letters: one where the record can't be read, else one an update.
"""

import collections
import json
import re
import sys

NAMED = re.compile(rb'"poison":\s*"(\w+)"')


def named(path):
    expected, offset = {}, 0
    with open(path, "rb") as file:
        for line in file:
            if found := NAMED.search(line):
                expected[offset] = ("dead", found[1].decode())
            offset += len(line)
    return expected


def listed(path):
    with open(path) as file:
        return json.load(file)


def main():
    log, *lists = sys.argv[1:]
    letters = [("dead", letter) for letter in listed(lists[0])["letters"]]
    if len(lists) > 1:
        letters += [("parked", letter) for letter in listed(lists[1])["letters"]]
        expected = {int(offset): tuple(fate) for offset, fate in listed(lists[2]).items()}
    else:
        expected = named(log)
    found = collections.defaultdict(set)
    for fate, letter in letters:
        found[letter["offset"]].add((fate, letter["reason"]))
    wrong = {at: (expected.get(at), found.get(at)) for at in expected.keys() | found.keys() if found.get(at) != {expected.get(at)}}
    for (fate, reason), count in sorted(collections.Counter(expected.values()).items()):
        has = sum((kind, letter["reason"]) == (fate, reason) for kind, letter in letters)
        print(f"{fate:6} {reason:25} {count:7} records, {has:7} letters")
    with open(log, "rb") as file:
        for at in sorted(wrong)[:10]:
            file.seek(at)
            print(f"record @{at}: expected {wrong[at][0]}, found {wrong[at][1]}: {file.readline()[:300]}")
    print(f"{len(expected)} poison records, {len(letters)} letters, {len(wrong)} records wrong")
    sys.exit(len(wrong) > 0)


if __name__ == "__main__":
    main()
