"""What each column of the pickled tables must hold, and the arrays it becomes; errors name file, column and rows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repviz.data.cells import Cell, describe
from repviz.data.messages import data_error, listed, quoted

EMBEDDING = "business_description_embedding"
INDUSTRY = "industry"
ID = "id"


def ids_of(cells: Sequence[Cell], path: Path) -> list[str]:
    """Give the ids as texts, whole numbers in decimal.

    Raises:
        DataError: an id is missing, is not a text or a whole number, or comes twice.
    """
    if not cells:
        raise data_error(path, ID, "no rows", "at least one row")
    ids = [_name(cell) for cell in cells]
    bad = [row for row, name in enumerate(ids) if name is None]
    if bad:
        examples = listed((f"{describe(cells[row])} (row {row})" for row in bad), 3)
        expected = "a text or a whole number in every row (rows counted from 0)"
        raise data_error(path, ID, f"{len(bad)} of {len(cells)} are not ids: {examples}", expected)
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        found = f"{len(twice)} ids come more than once: {listed(map(quoted, twice))}"
        raise data_error(path, ID, found, "every id once; drop or merge the duplicates")
    return ids


def industries_of(cells: Sequence[Cell], ids: Sequence[str], path: Path) -> list[str | None]:
    """Give the names of the classes, None where there is none; blank texts are none.

    Raises:
        DataError: an entry is not a name.
    """
    return _names(cells, ids, path, INDUSTRY)


def countries_of(cells: Sequence[Cell], ids: Sequence[str], path: Path, column: str) -> list[str | None]:
    """Give the country codes, None where there is none.

    Raises:
        DataError: an entry is not a code.
    """
    return _names(cells, ids, path, column)


def numbers_of(cells: Sequence[Cell], ids: Sequence[str], path: Path, column: str) -> np.ndarray:
    """Give ``(n,)`` float64, NaN where missing; infinite numbers stay.

    Raises:
        DataError: an entry is not a number.
    """
    bad = [row for row, cell in enumerate(cells) if not (cell is None or _is_number(cell))]
    if bad:
        found = f"{len(bad)} of {len(cells)} entries are not numbers: {_examples(bad, cells, ids)}"
        raise data_error(path, column, found, "numbers (pandas.to_numeric makes them of texts)")
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def embeddings_of(cells: Sequence[Cell], ids: Sequence[str], path: Path) -> np.ndarray:
    """Give ``(n, n_features)`` float32 of lists, arrays or texts such as ``[0.1, 0.2]`` or ``[0.1 0.2]``.

    Raises:
        DataError: an entry is missing or not such a vector, the vectors differ in length, or one is not finite.
    """
    vectors = [_parsed(cell) if isinstance(cell, str) else cell for cell in cells]
    bad = [row for row, vector in enumerate(vectors) if not isinstance(vector, np.ndarray)]
    if bad:
        found = f"{len(bad)} of {len(cells)} are not vectors of numbers: {_examples(bad, cells, ids)}"
        expected = "a list, an array, or a text such as '[0.1, 0.2]' in every row"
        if any(isinstance(cells[row], str) and "..." in cells[row] for row in bad):
            expected += "; NumPy shortens what it prints ('...'): save embedding.tolist() instead"
        raise data_error(path, EMBEDDING, found, expected)
    _check_lengths([len(vector) for vector in vectors], ids, path)
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and reported as such
        matrix = np.stack(vectors).astype(np.float32)
    _check_finite(matrix, ids, path)
    return matrix


def _parsed(text: str) -> np.ndarray | None:
    """The vector that a text spells out, None if it does not."""
    inner = text.strip()
    if (inner[:1], inner[-1:]) in (("[", "]"), ("(", ")")):
        inner = inner[1:-1].strip()
    parts = inner.rstrip(",").split(",") if "," in inner else inner.split()
    if "_" in inner:  # float("1_0") is 10
        return None
    try:
        return np.array(list(map(float, parts)), dtype=np.float64)
    except ValueError:
        return None


def _check_lengths(lengths: Sequence[int], ids: Sequence[str], path: Path) -> None:
    counts = Counter(lengths).most_common()
    if len(counts) > 1:
        others = [f"{quoted(name)} ({n})" for name, n in zip(ids, lengths, strict=True) if n != counts[0][0]]
        found = f"vectors of {len(counts)} lengths: {listed(f'{n} in {count} rows' for n, count in counts)}"
        raise data_error(path, EMBEDDING, f"{found}; ids {listed(others)}", "one length in all rows")
    if counts[0][0] == 0:
        raise data_error(path, EMBEDDING, "vectors without numbers", "vectors of one length above 0")


def _check_finite(matrix: np.ndarray, ids: Sequence[str], path: Path) -> None:
    finite = np.isfinite(matrix)
    if finite.all():
        return
    n_nan = int(np.isnan(matrix).sum())
    n_infinite = int((~finite).sum()) - n_nan
    rows = np.flatnonzero(~finite.all(axis=1)).tolist()
    found = f"{n_nan} NaN and {n_infinite} infinite numbers in {len(rows)} of {len(matrix)} rows"
    named = listed(quoted(ids[row]) for row in rows)
    raise data_error(path, EMBEDDING, f"{found}: ids {named}", "numbers that are finite as float32")


def _names(cells: Sequence[Cell], ids: Sequence[str], path: Path, column: str) -> list[str | None]:
    names = [None if cell is None else _name(cell) for cell in cells]
    bad = [row for row, cell in enumerate(cells) if cell is not None and names[row] is None]
    if bad:
        found = f"{len(bad)} of {len(cells)} entries are not names: {_examples(bad, cells, ids)}"
        raise data_error(path, column, found, "a text or a whole number, or nothing where it is unknown")
    return [name.strip() or None if name is not None else None for name in names]


def _name(cell: Cell) -> str | None:
    """A text, or a whole number (also one that pandas made a float beside missing values) in decimal."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else None


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _examples(rows: Sequence[int], cells: Sequence[Cell], ids: Sequence[str]) -> str:
    return listed((f"{describe(cells[row])} (id {quoted(ids[row])})" for row in rows), 3)
