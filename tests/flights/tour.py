#!/usr/bin/env python3
"""The README's tour, run: every `$ command` of its ```console tour blocks must print the lines that stand below it.

    tour.py README PROGRAM_DIRECTORY

In the expected lines `…` stands for anything. Commands run in one shell, from the project's root, with PROGRAM_DIRECTORY first
on the PATH. One that ends with `&` is awaited until it said something, and ended with the tour; port 6566 is any free one here.
"""
import os
import re
import shutil
import socket
import subprocess
import sys

PORT = "6566"
LOG = "build/flights/background.log"
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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def runnable(command):
    if not command.endswith(" &"):
        return command
    return f"rm -f {LOG}; {command[:-2]} >{LOG} 2>&1 & until [ -s {LOG} ] || ! kill -0 $!; do sleep 0.05; done; cat {LOG}"


def main():
    readme, programs = sys.argv[1:]
    root = os.path.dirname(os.path.abspath(readme))
    with open(readme, encoding="utf-8") as file:
        port = free_port()
        tour = steps(file.read().replace(f":{PORT}", f":{port}"))
    assert len(tour) >= 10, "the README has lost its tour"
    shutil.rmtree(os.path.join(root, "build/flights/store"), ignore_errors=True)
    script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n"
    script += "".join(f"{runnable(command)}\necho; echo '{MARK}'\n" for command, _ in tour)
    path = os.path.abspath(programs) + os.pathsep + os.environ["PATH"]
    run = subprocess.run(["bash"], input=script, cwd=root, text=True,
                         env={**os.environ, "PATH": path, "HOLDFAST_SERVE_PORT": port},
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
