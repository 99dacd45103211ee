"""One line that is broken, and the tests that must notice."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Mutation(NamedTuple):
    """A line of the sources in another wording.

    Attributes:
        name: what it breaks.
        file: of the tree.
        old: the text, which occurs once in the file.
        new: what is put in its place.
        tests: arguments of pytest that are to go red.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str

    def broken(self, root: Path) -> str:
        """The file of the tree in ``root`` with the line broken.

        Raises:
            ValueError: the old text does not occur once in it.
        """
        text = (root / self.file).read_text("utf-8")
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: its text occurs {count} times in {self.file}, not once: {self.old!r}")
        return text.replace(self.old, self.new)


def misfits(mutations: Iterable[Mutation], root: Path) -> list[str]:
    """Why this list is not of the tree in ``root``: a line for each text or test that is not there."""
    mutations = list(mutations)
    names = [mutation.name for mutation in mutations]
    found = [f"two mutations are called {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    for mutation in mutations:
        try:
            if mutation.broken(root) == (root / mutation.file).read_text("utf-8"):
                found.append(f"{mutation.name} changes nothing")
        except (OSError, ValueError) as error:
            found.append(str(error))
        found += [f"{mutation.name}: there is no {test}" for test in _missing(mutation.tests.split(), root)]
    return found


def _missing(tests: Iterable[str], root: Path) -> Iterator[str]:
    """Those of the tests of which the tree has no file, or no function."""
    for test in tests:
        file, _, function = test.partition("::")
        path = root / file
        text = path.read_text("utf-8") if path.is_file() else ""
        if not text or not re.search(
            rf"^def {re.escape(function.partition('[')[0])}\(" if function else "", text, re.M
        ):
            yield test
