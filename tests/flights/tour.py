#!/usr/bin/env python3
"""The README's tour, run: every `$ command` of its ```console tour blocks must print the lines that stand below it.

    tour.py README PROGRAM_DIRECTORY

In the expected lines `…` stands for anything. Commands run in one shell, from the project's root, with PROGRAM_DIRECTORY first
on the PATH.
"""
import os
import re
import shutil
import subprocess
import sys

MARK = "=== end of command ==="


def blocks(text):
    return re.findall(r"^```console tour\n(.*?)^```$", text, re.M | re.S)


def steps(text):
    """(command, expected lines) in order."""
    found = []
    for line in "".join(blocks(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line.rstrip())
    return found


def matches(expected, printed):
    if len(expected) != len(printed):
        return False
    for want, got in zip(expected, printed):
        pattern = ".*".join(re.escape(part) for part in want.split("…"))
        if not re.fullmatch(pattern, got):
            return False
    return True


def main():
    readme, programs = sys.argv[1:]
    root = os.path.dirname(os.path.abspath(readme))
    with open(readme, encoding="utf-8") as file:
        tour = steps(file.read())
    assert len(tour) >= 10, "the README has lost its tour"
    shutil.rmtree(os.path.join(root, "build/flights/store"), ignore_errors=True)
    script = "".join(f"{command}\necho; echo '{MARK}'\n" for command, _ in tour)
    path = os.path.abspath(programs) + os.pathsep + os.environ["PATH"]
    run = subprocess.run(["bash"], input=script, cwd=root, env={**os.environ, "PATH": path}, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    outputs = run.stdout.split(MARK + "\n")
    wrong = 0
    for (command, expected), output in zip(tour, outputs + [""] * len(tour)):
        printed = [line.rstrip() for line in output.splitlines()]
        while printed and not printed[-1]:
            printed.pop()
        while expected and not expected[-1]:
            expected.pop()
        if not matches(expected, printed):
            wrong += 1
            print(f"$ {command}\nthe README says:", *expected, "it prints:", *printed, "", sep="\n")
    print(f"{len(tour)} commands of the README's tour: {wrong} print something else")
    return 1 if wrong else 0


sys.exit(main())
