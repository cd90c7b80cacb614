"""coverage.py BUILD UNCOVERED: what gcov counted in BUILD, a line a room; what never ran goes into the file UNCOVERED.

Uses gcov's JSON, so that it needs nothing but gcc and Python. Files built into several programs count once, with all that ran.
"""
import collections
import json
import os
import re
import subprocess
import sys

ROOMS = ["schema", "store", "store/serve", "ingest", "ingest/kafka", "ingest/command"]
GCOV_FILES = 50  # a call: more would only make the answer longer
ASSERT = re.compile(r"(?<![\w])assert\(")


def notes(build):
    """gcov's counters, and the notes of what was built but never ran."""
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcno"):
                path = os.path.join(folder, name)
                data = path[: -len("gcno")] + "gcda"
                yield data if os.path.exists(data) else path


def reports(build):
    files = sorted(os.path.abspath(path) for path in notes(build))
    for start in range(0, len(files), GCOV_FILES):
        command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", *files[start : start + GCOV_FILES]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def in_asserts(path):
    """The lines that assert(…) spans."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = set()
    for match in ASSERT.finditer(text):
        depth, at = 1, match.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + text.count("\n", match.start(), at) + 1))
    return lines


class Line:
    def __init__(self):
        self.count = 0
        self.branches = []
        self.function = ""

    def add(self, line):
        self.count += line["count"]
        self.function = line.get("function_name", self.function)
        counts = [branch["count"] for branch in line["branches"]]
        if len(counts) == len(self.branches):
            self.branches = [a + b for a, b in zip(self.branches, counts)]
        elif len(counts) > len(self.branches):
            self.branches = counts


def gather(build):
    files = collections.defaultdict(lambda: collections.defaultdict(Line))
    for report in reports(build):
        for file in report["files"]:
            path = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]))
            if os.path.dirname(path) not in ROOMS:
                continue
            for line in file["lines"]:
                files[path][line["line_number"]].add(line)
    for path, lines in files.items():
        for number in in_asserts(path):
            if number in lines:
                lines[number].branches = []
    return files


def total(lines):
    ran = sum(line.count > 0 for line in lines)
    taken = sum(count > 0 for line in lines for count in line.branches)
    return ran, len(lines), taken, sum(len(line.branches) for line in lines)


def share(part, whole):
    return "%6d of %6d %5.1f %%" % (part, whole, 100 * part / whole if whole else 100)


def show(name, lines):
    ran, all_lines, taken, branches = total(lines)
    print("%-16s %s   %s" % (name, share(ran, all_lines), share(taken, branches)))


def never(files):
    """Functions with lines or branches that never ran, the least covered files first."""

    def missing(path):
        _, _, taken, branches = total(files[path].values())
        return branches - taken

    for path in sorted(files, key=lambda path: (-missing(path), path)):
        functions = collections.defaultdict(list)
        ran = {line.function for line in files[path].values() if line.count > 0}
        for number, line in sorted(files[path].items()):
            if line.count == 0:
                functions[line.function].append("%d" % number)
            elif 0 in line.branches:
                functions[line.function].append("%d (%d/%d)" % (
                    number, sum(count > 0 for count in line.branches), len(line.branches)))
        if functions:
            yield "%s: %d branches" % (path, missing(path))
            for function, places in functions.items():
                yield "\t%s: %s" % (function, ", ".join(places) if function in ran else "never called")


def main(build, uncovered):
    files = gather(build)
    print("%-16s %-23s   %s" % ("room", "lines that ran", "branches taken"))
    for room in ROOMS:
        show(room, [line for path in files if os.path.dirname(path) == room for line in files[path].values()])
    show("all", [line for lines in files.values() for line in lines.values()])
    with open(uncovered, "w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in never(files))
    print("what never ran: %s (a line's number, or its branches taken)" % uncovered)


if __name__ == "__main__":
    main(*sys.argv[1:])
