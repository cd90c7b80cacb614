#!/usr/bin/env python3
"""deploy.py HOLDFAST [unittest options]: deploy/run.sh as somebody meets it who tries holdfast for the first time.

Needs curl: the line that run.sh prints is run as it stands.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "deploy/run.sh"
PATIENCE_S = 60
PROGRAM = None


class FirstLook(unittest.TestCase):
    def started(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        run = subprocess.Popen([RUN], env=environment | {"HOLDFAST_PROGRAM": PROGRAM}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, run)
        return run

    def end(self, run):
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
        run.stdout.close()
        return run.wait(PATIENCE_S)

    def told(self, run):
        """What it says until nothing more comes but the end, by first word behind `run.sh:`."""
        told = []
        for line in run.stdout:
            told.append(line)
            if "Ctrl-C ends it all" in line:
                return "".join(told)
        raise AssertionError("".join(told))

    def command(self, told, name):
        return re.search(rf"(?m)^run.sh: (?:try|and): ((?:\S*/)?{name} .*)$", told).group(1)

    def shell(self, command):
        return subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout

    def test_the_lines_it_prints_answer(self):
        runs = [self.started() for _ in range(2)]  # two at once don't meet
        told = [self.told(run) for run in runs]
        lines = [self.command(one, "curl") for one in told]
        self.assertNotEqual(*lines)
        for one, line in zip(told, lines):
            answer = json.loads(self.shell(line))
            self.assertEqual(answer["generation"], "g1")
            part = answer["views"]["card"]
            values = dict(zip(part["features"], part["values"][0]))
            self.assertGreater(values["txns"], 0)
            self.assertIsNotNone(part["event_time"][0])
            got = self.shell(self.command(one, pathlib.Path(PROGRAM).name + " get"))
            self.assertIn("txns", got)
        for run in runs:
            self.assertEqual(self.end(run), 130)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
