#!/usr/bin/env python3
"""What the README shows of Python, pandas and libholdfast, run: it must print what stands there.

    readme.py README BUILD_DIRECTORY

A ```python tour block prints the ```text block behind it; all of them are one session. A ```c NAME block is the file NAME; the
commands of a ```console library block print the lines below them, with libholdfast installed from BUILD_DIRECTORY. In expected
lines `…` stands for anything. Paths are the project's; the store is that of the README's tour. To be run by a Python with pandas.
"""
import os
import re
import subprocess
import sys
import tempfile

MARK = "=== end of block ==="


def blocks(text):
    """(what stands behind the opening fence, content) in order."""
    return re.findall(r"^```([^\n]+)\n(.*?)^```$", text, re.M | re.S)


def lines(text):
    return [line.rstrip() for line in text.rstrip().splitlines()]


def matches(expected, printed):
    return len(expected) == len(printed) and all(
        re.fullmatch(".*".join(map(re.escape, want.split("…"))), got) for want, got in zip(expected, printed))


def compare(what, expected, printed):
    """1 where they differ."""
    if matches(lines(expected), lines(printed)):
        return 0
    print(f"{what}\nthe README says:", expected, "it prints:", printed, sep="\n")
    return 1


def shell_steps(text):
    """(command, expected) of a console block."""
    return [part.partition("\n")[::2] for part in re.split(r"^\$ ", text, flags=re.M)[1:]]


def check_python(found, root):
    tour = [(content, found[at + 1]) for at, (info, content) in enumerate(found) if info == "python tour"]
    assert len(tour) >= 3 and all(info == "text" for _, (info, _) in tour), "the README has lost its Python"
    session = "".join(f"{content}\nprint({MARK!r}, flush=True)\n" for content, _ in tour)
    run = subprocess.run([sys.executable, "-c", session], cwd=root, text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = run.stdout.split(MARK + "\n")
    return sum(compare(content, expected, output)
               for (content, (_, expected)), output in zip(tour, printed + [""] * len(tour)))


def check_library(found, root, build):
    steps = [step for info, content in found if info == "console library" for step in shell_steps(content)]
    files = [(info[2:], content) for info, content in found if re.fullmatch(r"c \w+\.c", info)]
    assert len(steps) >= 2 and files, "the README has lost its libholdfast"
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["cmake", "--install", build, "--prefix", f"{work}/prefix"], check=True, stdout=subprocess.DEVNULL)
        for name, content in files:
            with open(f"{work}/{name}", "w", encoding="utf-8") as file:
                file.write(content)
        os.symlink(f"{root}/build", f"{work}/build")
        libraries = next(path for path, _, names in os.walk(f"{work}/prefix") if "libholdfast.so" in names)
        environment = {**os.environ, "PKG_CONFIG_PATH": f"{libraries}/pkgconfig", "LD_LIBRARY_PATH": libraries}
        wrong = 0
        for command, expected in steps:
            run = subprocess.run(["bash", "-c", command], cwd=work, env=environment, text=True, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            wrong += compare("$ " + command, expected, run.stdout)
        return wrong


def main():
    readme, build = (os.path.abspath(word) for word in sys.argv[1:])
    root = os.path.dirname(readme)
    with open(readme, encoding="utf-8") as file:
        found = blocks(file.read())
    wrong = check_python(found, root) + check_library(found, root, build)
    print(f"Python, pandas and libholdfast in the README: {wrong} blocks print something else")
    return 1 if wrong else 0


sys.exit(main())
