#!/usr/bin/env python3
"""kills.py PROGRAM CONFIG RECORDS KILLS BATCH [--failpoints]: SIGKILL the service KILLS times on its way through a log.

PROGRAM is holdfast-failpoints, CONFIG its configuration, with batches of BATCH records; RECORDS are in the topic in all. A kill
counts only if the sum of next_offset rose since this start and is still below the log's end, else it is repeated. The stages
go round: at any moment, in the transaction, behind it; with --failpoints not `at any moment`, which wants a larger log.
A line a kill says where it fell, a last one how many fell where.
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import time

ANYTIME = "at any moment"
STAGES = {  # failpoint: where that is
    "store_begun": "between BEGIN and COMMIT's return: nothing written yet",
    "store_before_commit": "between BEGIN and COMMIT's return: all is written",
    "store_committed": "between COMMIT and the Kafka commit",
}
ROUND = [ANYTIME, "store_begun", "store_committed", ANYTIME, "store_before_commit", "store_committed"]
EXTRA_PASSES = 6  # a start has transactions of its own
PATIENCE_S = 120  # for a life; a few seconds are usual
POLL_S = 0.02
MISSES_MAX = 10
SEED = 20


class Service:
    """What is killed: one life at a time, and what the store says between them."""

    def __init__(self, given):
        self.given = given

    def offsets(self):
        """next_offset by partition; nothing while there is no store."""
        done = subprocess.run([self.given.program, "status", "--json", "-c", self.given.config], capture_output=True, text=True)
        if done.returncode != 0:
            return {}
        return {one["partition"]: one["next_offset"] for one in json.loads(done.stdout)["partitions"]}

    def taken(self):
        return sum(self.offsets().values())

    def start(self, failpoint):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        environment["HOLDFAST_SERVE_PORT"] = "0"
        if failpoint is not None:
            environment["HOLDFAST_FAILPOINT"] = failpoint
        return subprocess.Popen([self.given.program, "run", "-c", self.given.config], env=environment)

    def kill_at(self, target):
        process = self.start(None)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while self.taken() < target and process.poll() is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
            time.sleep(random.uniform(0, 2 * POLL_S))  # not right behind a batch
        finally:
            process.kill()
        return process.wait()

    def kill_within(self, failpoint, records):
        process = self.start(f"{failpoint}:{EXTRA_PASSES + max(1, records // self.given.batch)}")
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            sys.exit(f"kills.py: the service did not come to {failpoint} within {PATIENCE_S} s")
        finally:
            process.kill()


def life(service, stage, kills_left):
    """One start and its kill. Returns where it fell, or None where it does not count."""
    before = service.taken()
    aim = int((service.given.records - before) / (kills_left + 1) * random.uniform(0.4, 1))
    status = service.kill_at(before + max(1, aim)) if stage == ANYTIME else service.kill_within(stage, aim)
    if status != -signal.SIGKILL:
        sys.exit(f"kills.py: the service ended by itself, with {status}, instead of being killed: {stage}")
    offsets = service.offsets()
    after = sum(offsets.values())
    if before < after < service.given.records:
        return f"offset {after} of {service.given.records} ({', '.join(f'{p}:{offsets[p]}' for p in sorted(offsets))})"
    print(f"not counted: a kill at offset {after}, begun at {before}; the log's end is {service.given.records}")
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("config")
    for name in ("records", "kills", "batch"):
        arguments.add_argument(name, type=int)
    arguments.add_argument("--failpoints", action="store_true")
    service = Service(arguments.parse_args())
    random.seed(SEED)

    stages = [stage for stage in ROUND if stage != ANYTIME or not service.given.failpoints]
    done, misses, tally = 0, 0, collections.Counter()
    while done < service.given.kills:
        stage = stages[done % len(stages)]
        where = life(service, stage, service.given.kills - done)
        if where is None:
            misses += 1
            if misses > MISSES_MAX:
                sys.exit(f"kills.py: {misses} kills did not count: take a larger log, or smaller batches")
            continue
        done += 1
        tally[STAGES.get(stage, stage).partition(":")[0]] += 1
        print(f"kill {done}: {where}, {STAGES.get(stage, stage)}", flush=True)
    print(f"{done} kills:", ", ".join(f"{count} {stage}" for stage, count in tally.items()))


if __name__ == "__main__":
    main()
