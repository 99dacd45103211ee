"""Break the lines that carry most, one at a time, in a copy of the tree, and see tests go red.

    python -m tests.mutations [NAMES ...] [--at-once N]

Without names, all of them. The exit code is 1 where tests stay green although a line is broken, do anything else than
fail, or fail although no line is, and where a line of the list is not in the sources.
"""

import argparse
import queue
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.mutations.lines import MUTATIONS
from tests.mutations.mutation import Mutation, misfits
from tests.mutations.tree import Copy

_PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
_SECONDS = 600
"""After which the tests of one mutation are ended."""
_RED = 1
"""Exit code of pytest where a test has failed; others say that none was run, say."""


class Outcome(NamedTuple):
    """What tests said: red, GREEN, or what else became of them; the first that failed; how long that took."""

    color: str
    first: str
    seconds: float
    output: str


def outcome_of(copy: Copy, arguments: Sequence[str], seconds: float) -> Outcome:
    """Run tests in the copy as it is."""
    began = time.monotonic()
    code, output = copy.run(*_PYTEST, *arguments, seconds=seconds)
    color = {0: "GREEN", _RED: "red", None: "HANGS"}.get(code, f"CODE {code}")
    lines = [line.partition(" ")[2] for line in output.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
    first = lines[0].partition(" - ")[0] if lines else ""
    return Outcome(color, first, time.monotonic() - began, output)


def outcome_with(mutation: Mutation, copy: Copy) -> Outcome:
    """Run the tests of a mutation while its line is broken."""
    before = (copy.root / mutation.file).read_text("utf-8")
    copy.write(mutation.file, mutation.broken(copy.root))
    try:
        return outcome_of(copy, mutation.tests.split(), _SECONDS)
    finally:
        copy.write(mutation.file, before)


def say(line: str) -> None:
    """A line of the table, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(name: str, outcome: Outcome) -> str:
    """A line of the table."""
    return f"{name:<30}{outcome.color:<8}{outcome.seconds:6.1f} s  {outcome.first}".rstrip()


def run(mutations: Sequence[Mutation], copies: Sequence[Copy]) -> int:
    """Print the table, with as many tests at once as there are copies; 0 when all are red."""
    tests = list(dict.fromkeys(test for mutation in mutations for test in mutation.tests.split()))
    together = ("-n", str(len(copies)), "--dist", "loadfile", *tests)
    unbroken = outcome_of(copies[0], together, _SECONDS + 60 * len(tests))
    say(row("(none)", unbroken))
    if unbroken.color != "GREEN":
        say(f"{unbroken.output[-4000:]}\nthe tests are not green although no line is broken")
        return 1
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run_one(mutation: Mutation) -> Outcome:
        copy = free.get()
        try:
            return outcome_with(mutation, copy)
        finally:
            free.put(copy)

    unnoticed = []
    with ThreadPoolExecutor(len(copies)) as pool:
        for mutation, outcome in zip(mutations, pool.map(run_one, mutations), strict=True):
            say(row(mutation.name, outcome))
            if outcome.color != "red":
                unnoticed.append(mutation.name)
    noticed = f"{len(mutations) - len(unnoticed)} of {len(mutations)} broken lines made a test fail"
    say(noticed + (f"; not so {', '.join(unnoticed)}" if unnoticed else ""))
    return 1 if unnoticed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 when every broken line is noticed."""
    there = {mutation.name: mutation for mutation in MUTATIONS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(there)}")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="how many are tried at a time (2)")
    options = parser.parse_args(argv)
    names = options.names or list(there)
    if unknown := [name for name in names if name not in there]:
        parser.error(f"no mutation is called {', '.join(unknown)}; there are {', '.join(there)}")
    if wrong := misfits(MUTATIONS, ROOT):
        say("\n".join(wrong))
        return 1
    with tempfile.TemporaryDirectory(prefix="repviz-mutations-") as folder:
        copies = [Copy(ROOT, Path(folder).resolve() / str(number)) for number in range(max(1, options.at_once))]
        return run([there[name] for name in names], copies)


if __name__ == "__main__":
    sys.exit(main())
