"""Sets of rows from texts; that the page writes what is read here is asked in ``browser/test_selection.py``."""

import base64

import numpy as np
import pytest

from repviz.dashboards.asked_rows import MOST_ROWS, rows_of
from repviz.dashboards.catalog import NotThereError


def as_bits(rows):
    bits = np.zeros(max(rows) + 1, np.uint8)
    bits[rows] = 1
    packed = np.packbits(bits, bitorder="little").tobytes()
    return "b" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


@pytest.mark.parametrize(("text", "rows"), [("r0", [0]), ("r3-4.c", [3, 4, 5, 6, 7, 20]), ("rzz-1", [1295, 1296])])
def test_runs(text, rows):
    assert rows_of(text) == tuple(rows)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1000, 1_000_000])
def test_bits(n):
    rows = np.flatnonzero(np.random.default_rng(n).random(n) < 0.5).tolist() or [n - 1]
    assert rows_of(as_bits(rows)) == tuple(rows)


@pytest.mark.parametrize("text", ["", "3,4", "r", "r-1", "rA", "r1..2", "b", "b===", "b!", "x1", "r0\n", "b\u0660"])
def test_what_the_page_does_not_write_is_refused(text):
    with pytest.raises(NotThereError, match="no set of rows"):
        rows_of(text)


def test_rows_that_no_sample_has_are_refused_before_they_are_made():
    assert len(rows_of("r0-" + np.base_repr(MOST_ROWS - 1, 36).lower())) == MOST_ROWS
    for text in ("rzzzzzzzzz", "r0-zzzzzzzzz", "b" + "A" * (MOST_ROWS // 6 + 8)):
        with pytest.raises(NotThereError, match="can speak of"):
            rows_of(text)
    with pytest.raises(NotThereError, match="not base64"):
        rows_of("bA")
