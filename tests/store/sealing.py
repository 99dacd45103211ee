"""Sealing files that a test has changed, as someone would who means harm."""

from pathlib import Path

from repviz.store.seal import seal


def seal_anew(path: Path) -> None:
    """Give the file the checksum that fits what it holds now."""
    with path.open("r+b") as file:
        seal(file)
