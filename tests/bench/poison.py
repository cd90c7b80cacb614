#!/usr/bin/env python3
"""poison.py FILE LETTERS: are the dead letters those of the records that say they are poison, for the reason they say?

A poison record names its reason in the member `poison`, which no schema maps. All of its updates are dead: one letter where the
record can't be read, else one an update.
"""

import collections
import json
import re
import sys

NAMED = re.compile(rb'"poison":\s*"(\w+)"')

expected = {}
offset = 0
with open(sys.argv[1], "rb") as file:
    for line in file:
        if found := NAMED.search(line):
            expected[offset] = found[1].decode()
        offset += len(line)
letters = json.load(open(sys.argv[2]))["letters"]
dead = {}
for letter in letters:
    dead.setdefault(letter["offset"], set()).add(letter["reason"])
wrong = {at: (expected.get(at), dead.get(at)) for at in expected.keys() | dead.keys() if dead.get(at) != {expected.get(at)}}
for reason, count in sorted(collections.Counter(expected.values()).items()):
    print(f"{reason:25} {count:7} records, {sum(letter['reason'] == reason for letter in letters):7} letters")
for at in sorted(wrong)[:10]:
    print(f"record @{at}: expected {wrong[at][0]}, dead for {wrong[at][1]}")
print(f"{len(expected)} poison records, {len(letters)} letters, {len(wrong)} records wrong")
sys.exit(len(wrong) > 0)
