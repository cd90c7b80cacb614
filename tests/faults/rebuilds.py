"""A generation is built and takes the live one's place, and somebody dies on the way."""

import os
import pathlib
import signal

from rig import TOPIC, await_true, check, equal, scenario

RECORDS = 4000
BUILDER_STEPS = ["rebuild_begun:1", "store_begun:3", "store_before_commit:3", "store_committed:2", "rebuild_near:1",
                 "rebuild_stands:1", "rebuild_there:1", "carry_rows:1", "carry_letters:1", "rebuild_carried:1",
                 "rebuild_complete:1", "rebuild_closed:1", "rebuild_switched:1"]
OWNER_STEPS = ["switch_ready:1", "switch_sealed:1", "switch_linked:1"]


def live(rig):
    return pathlib.Path(os.readlink(rig.store / "features.db")).stem


def rebuild(rig, **how):
    return rig.run("rebuild", "--set", f"file.path={rig.sent}", "--set", f"file.topic={TOPIC}", **how)


def owner(rig, **how):
    process = rig.start("ingest", "--file", rig.sent, "--topic", TOPIC, **how)
    rig.await_taken(RECORDS, process)
    await_true("the owner listens", lambda: (rig.store / "control.sock").exists())
    return process


@scenario("53a", "a rebuild is killed at each of its steps", f"SIGKILL of the builder at {len(BUILDER_STEPS)} failpoints, beside a running ingest",
          "old or new generation, never a mix (I7); ingest lives; the next rebuild comes to its end")
def builder(rig):
    rig.generate(RECORDS)
    running = owner(rig)
    for step in BUILDER_STEPS:
        before, digest = live(rig), rig.status()["digest"]
        done = rebuild(rig, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": step})
        equal(done.returncode, -signal.SIGKILL, f"exit status at {step} ({done.stderr[-300:]})")
        equal(live(rig) != before, step == "rebuild_switched:1", f"the live generation at {step} is a new one")
        equal(rig.status()["digest"], digest, f"digest at {step}")
        done = rebuild(rig)
        equal(done.returncode, 0, f"the next rebuild behind {step} ({done.stderr[-300:]})")
        equal(rig.status()["digest"], digest, f"digest behind {step}")
    check(running.runs(), running.said())
    equal(running.end(signal.SIGTERM), 0, "exit status of ingest")
    rig.whole()


@scenario("53b", "the owner is killed at each step of the switch", f"SIGKILL of ingest at {len(OWNER_STEPS)} failpoints while a rebuild asks it to turn",
          "old or new generation, never a mix (I7); the next start goes on with it")
def switching(rig):
    rig.generate(RECORDS)
    rig.take()
    for step in OWNER_STEPS:
        before = live(rig)
        running = owner(rig, program=rig.failpoints, environment={"HOLDFAST_FAILPOINT": step})
        rebuild(rig)
        equal(running.wait(), -signal.SIGKILL, f"exit status of the owner at {step}")
        running = owner(rig)
        equal(live(rig) != before, step != "switch_ready:1", f"the live generation behind {step} is a new one")
        equal(running.end(signal.SIGTERM), 0, "exit status of ingest")
    rig.whole()
