"""Sets of rows as the page writes them, short: as runs or as bits; see ``assets/25_rows.js``."""

import base64
import binascii
import re

import numpy as np

from repviz.dashboards.catalog import NotThereError

MOST_ROWS = 4_000_000
"""Rows of a sample that can be spoken of."""
_RUNS = re.compile(r"r[0-9a-z]{1,9}(-[0-9a-z]{1,9})?(\.[0-9a-z]{1,9}(-[0-9a-z]{1,9})?)*", re.ASCII)
_BITS = re.compile(r"b[\w-]+", re.ASCII)


def rows_of(text: str) -> tuple[int, ...]:
    """Ascending rows from ``r3-4.c`` (in base 36: skip 3, take 4 and one more; skip 12, take one) or ``b`` and bits.

    Raises:
        NotThereError: it is neither, or speaks of a row beyond ``MOST_ROWS``.
    """
    if _RUNS.fullmatch(text):
        return _from_runs(text[1:])
    if _BITS.fullmatch(text):
        return _from_bits(text[1:])
    raise NotThereError(f"selection={text[:80]!r} is no set of rows as the page writes it")


def _from_runs(text: str) -> tuple[int, ...]:
    found: list[int] = []
    after = 0
    for run in text.split("."):
        skip, _, more = run.partition("-")
        first = after + int(skip, 36)
        after = first + int(more or "0", 36) + 1
        _check(after)
        found.extend(range(first, after))
    return tuple(found)


def _from_bits(text: str) -> tuple[int, ...]:
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise NotThereError(f"selection=b{text[:80]!r} is not base64") from None
    _check(8 * len(packed) - 7)
    return tuple(np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")).tolist())


def _check(count: int) -> None:
    if count > MOST_ROWS:
        raise NotThereError(f"the selection speaks of row {count - 1:,}; a page can speak of the first {MOST_ROWS:,}")
