"""LightningCLI's argument parser with short errors: one reason, the nearest right name, exit code 2."""

import argparse
import difflib
import re
import sys
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

_UNKNOWN = re.compile(r"(?:does not accept option|nrecognized arguments:) *['\"]?(?:--)?([\w.\-]+)")

_OPTION = re.compile(r"(?<![\w-])--\w[\w.]*")


class Parser(LightningArgumentParser):
    """Says what is wrong in at most a few lines instead of the whole usage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """No abbreviations: a mistyped name that happens to be the beginning of one is a mistyped name."""
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the reason and leave with exit code 2."""
        lines = [line.strip() for line in str(message).strip().splitlines() if line.strip()]
        shown = " ".join(lines[:3])
        sys.stderr.write(f"error: {shown}{self._suggestion(shown)}\n")
        sys.exit(2)

    def format_help(self) -> str:
        """Option names are shown with dashes; underscores are accepted as well."""
        return _OPTION.sub(lambda option: option[0].replace("_", "-"), super().format_help())

    def _suggestion(self, message: str) -> str:
        match = _UNKNOWN.search(message)
        if match is None:
            return ""
        wrong = match[1]
        known = self._known_names()
        near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
        return f". Did you mean {near[0]!r}?" if near and near[0] != wrong else ""

    def blocks(self) -> set[str]:
        """Names before the dot of all settings that have one."""
        dests = (action.dest for action in self._actions if isinstance(action.dest, str))
        return {dest.partition(".")[0] for dest in dests if "." in dest}

    def _known_names(self) -> list[str]:
        """Every setting of this command, or of all commands, with its block and without."""
        parsers = [self]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
        dests = {action.dest for parser in parsers for action in parser._actions if isinstance(action.dest, str)}
        return sorted(dests | {dest.rpartition(".")[2] for dest in dests})
