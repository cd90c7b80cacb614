"""run.py BUILD_DIRECTORY [NUMBER…]: each scenario in a process, a directory and a process group of its own, two at a time."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import rig
import absent  # noqa: F401  a module registers its scenarios
import backups  # noqa: F401
import crashes  # noqa: F401
import damage  # noqa: F401
import disk  # noqa: F401
import events  # noqa: F401
import kills  # noqa: F401
import memory  # noqa: F401
import network  # noqa: F401
import processes  # noqa: F401
import readers  # noqa: F401
import rebuilds  # noqa: F401
import rivals  # noqa: F401
import topics  # noqa: F401
import transactions  # noqa: F401

AT_ONCE = 2
DEADLINE_S = 100
TEXT_COLUMNS = 118


def order(number):
    return int(re.match(r"\d+", number).group()), number


def chosen(names):
    known = sorted(rig.SCENARIOS, key=order)
    wanted = [number for number in known
              if not names or any(name == number or name == str(order(number)[0]) for name in names)]
    unknown = [name for name in names if name not in known and name not in {str(order(number)[0]) for number in known}]
    if unknown:
        sys.exit(f"run.sh: no scenario {', '.join(unknown)}")
    return wanted


def ends(process):
    """What is left of the group ends with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def alone(build, number):
    """(verdict, why, seconds) of one scenario."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, build, "--alone", number], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        said = process.communicate(timeout=DEADLINE_S)[0]
    except subprocess.TimeoutExpired:
        ends(process)
        said = process.communicate()[0] + f"\nnot over within {DEADLINE_S} s"
    ends(process)
    verdict = {0: "held", rig.NOT_RUN: "not run"}.get(process.returncode, "broken")
    return verdict, said.strip(), time.monotonic() - began


def told(number, verdict, why, seconds):
    scenario = rig.SCENARIOS[number]
    print(f"{number:>4}  {verdict:<7} {seconds:5.1f} s  {scenario.sentence}", flush=True)
    rows = [("injected", scenario.injection), ("holds", scenario.invariant)] if verdict != "not run" else []
    if verdict != "held":
        rows.append(("why", why))
    if verdict == "broken" and scenario.fault is not None:
        rows.append(("known", scenario.fault))
    for name, text in rows:
        lines = [line for part in text.splitlines() for line in textwrap.wrap(part, TEXT_COLUMNS - 34)] or [""]
        print("\n".join(f"{name if i == 0 else '':>30}  {line}" for i, line in enumerate(lines)), flush=True)


def table(verdicts):
    print(f"\n{'no.':>4}  {'':7} {'time':>7}  scenario")
    for number in sorted(verdicts, key=order):
        told(number, *verdicts[number])


def all_of(build, numbers):
    verdicts = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {}
        for number in numbers:
            if rig.SCENARIOS[number].run is None:
                verdicts[number] = ("not run", rig.SCENARIOS[number].injection, 0.0)
            else:
                jobs[pool.submit(alone, build, number)] = number
        for job in concurrent.futures.as_completed(jobs):
            number = jobs[job]
            verdicts[number] = job.result()
            print(f"{number:>4}  {verdicts[number][0]:<7} {verdicts[number][2]:5.1f} s", flush=True)
    table(verdicts)
    count = {name: sum(verdict[0] == name for verdict in verdicts.values()) for name in ("held", "broken", "not run")}
    print(f"\nscenarios: {count['held']} held, {count['broken']} broken, {count['not run']} not run")
    return any(verdict[0] == "broken" and rig.SCENARIOS[number].fault is None for number, verdict in verdicts.items())


def one(build, number):
    try:
        with rig.Rig(build) as service:
            rig.SCENARIOS[number].run(service)
    except rig.CannotRun as why:
        print(why)
        return rig.NOT_RUN
    except Exception as broken:  # what can't be checked did not hold
        print(broken if isinstance(broken, AssertionError) else repr(broken))
        print(rig.where(broken))
        return 1
    return 0


def main():
    build, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if names[:1] == ["--alone"]:
        sys.exit(one(build, names[1]))
    sys.exit(all_of(build, chosen(names)))


if __name__ == "__main__":
    main()
