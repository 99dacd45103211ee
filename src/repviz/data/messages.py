"""How an error about data is worded: which file, which key, what was found, what is expected."""

from collections.abc import Iterable
from pathlib import Path

from repviz.errors import DataError


def data_error(source: Path | str, key: str, found: str, expected: str) -> DataError:
    """Two lines: file, key and what was found there; then what is expected or what to do.

    Args:
        source: the file or folder.
        key: the user's name for the array; empty where the whole file is meant.
        found: what is there.
        expected: what should be there.
    """
    where = f"{source}: {key}" if key else f"{source}"
    return DataError(f"{where}: {found}\n  expected: {expected}")


def quoted(value: object, limit: int = 40) -> str:
    """A text from a foreign file, on one line, with control characters escaped and cut at ``limit`` characters."""
    text = str(value)
    return repr(text) if len(text) <= limit else repr(text[:limit])[:-1] + "…'"


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first ``limit`` items, and how many more there are."""
    texts = [str(item) for item in items]
    more = len(texts) - limit
    return ", ".join(texts[:limit]) + (f" and {more} more" if more > 0 else "")


def sized(n_bytes: float) -> str:
    """A size in bytes for people: ``sized(3287124) == '3.1 MiB'``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1024 or unit == "TiB":
            break
        n_bytes /= 1024
    return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
