"""The cells of one column of a table as plain values, and as plain arrays to send between processes.

A cell is None (missing), a bool, an int, a float (never NaN), a str, a vector (one-dimensional float64 array), or
``Foreign``: something that is none of these.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Foreign:
    """A cell that is neither missing, a number, a text nor a vector of numbers; the description says what it is."""

    description: str


Cell = None | bool | int | float | str | np.ndarray | Foreign

_MISSING, _BOOL, _INT, _FLOAT, _TEXT, _VECTOR, _FOREIGN = range(7)
_AS_TEXT = (_INT, _TEXT, _FOREIGN)
"""Whole numbers travel as decimal text: ids may need more than 64 bits."""


def plain_cell(value: Any) -> Cell:
    """Turn a Python or NumPy value into a cell; missing are None and NaN."""
    if isinstance(value, str):
        return value[:] if value.isascii() else _checked(value)
    if value is None or isinstance(value, bool | Foreign):
        return value
    if isinstance(value, float):
        return None if value != value else float(value)
    if isinstance(value, int):
        # Python refuses to print, and float to take, numbers much longer than this.
        return int(value) if value.bit_length() <= 256 else Foreign(f"a whole number of {value.bit_length()} bits")
    if isinstance(value, np.generic):
        # A duration's or a date's .item() may be a bare int, which would pass for a number.
        return plain_cell(value.item()) if value.dtype.kind in "biufU" else Foreign(f"a {value.dtype} value")
    if isinstance(value, list | tuple):
        return _vector_of(value)
    if isinstance(value, np.ndarray):
        return _vector(value)
    return Foreign(f"a value of type {type(value).__name__}")


def plain_cells(array: np.ndarray) -> list[Cell]:
    """Turn a one-dimensional array into cells: NaN and NaT are missing, dates become ISO 8601 texts."""
    kind = array.dtype.kind
    if kind == "f":
        return [None if x != x else x for x in array.astype(np.float64).tolist()]
    if kind in "biu":
        return array.tolist()
    if kind == "M":
        texts = np.datetime_as_string(array).tolist()
        return [None if missing else text for text, missing in zip(texts, np.isnat(array).tolist(), strict=True)]
    if kind in "OU":
        return [plain_cell(value) for value in array.tolist()]
    return [Foreign(f"a {array.dtype} value")] * len(array)


def to_arrays(cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """Give arrays without Python objects that ``from_arrays`` turns back into ``cells``."""
    kinds = [_kind(cell) for cell in cells]
    numbers = [cell for cell, kind in zip(cells, kinds, strict=True) if kind in (_BOOL, _FLOAT)]
    texts = [_text(cell).encode() for cell, kind in zip(cells, kinds, strict=True) if kind in _AS_TEXT]
    vectors = [cell for cell, kind in zip(cells, kinds, strict=True) if kind == _VECTOR]
    return {
        "kinds": np.array(kinds, dtype=np.uint8),
        "numbers": np.array(numbers, dtype=np.float64),
        "text_lengths": np.array([len(text) for text in texts], dtype=np.int64),
        "texts": np.frombuffer(b"".join(texts), dtype=np.uint8),
        "vector_lengths": np.array([len(vector) for vector in vectors], dtype=np.int64),
        "vectors": np.concatenate([*vectors, np.empty(0)]),
    }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> list[Cell]:
    """Give the cells that ``to_arrays`` turned into arrays."""
    numbers = iter(arrays["numbers"].tolist())
    encoded = arrays["texts"].tobytes()
    texts = (encoded[start:end].decode() for start, end in _spans(arrays["text_lengths"]))
    flat = arrays["vectors"]
    vectors = (flat[start:end] for start, end in _spans(arrays["vector_lengths"]))
    make = {
        _MISSING: lambda: None,
        _BOOL: lambda: bool(next(numbers)),
        _INT: lambda: int(next(texts)),
        _FLOAT: lambda: next(numbers),
        _TEXT: lambda: next(texts),
        _VECTOR: lambda: next(vectors),
        _FOREIGN: lambda: Foreign(next(texts)),
    }
    return [make[kind]() for kind in arrays["kinds"].tolist()]


def describe(cell: Cell) -> str:
    """Say in a few words what a cell is, for a message."""
    if cell is None:
        return "missing"
    if isinstance(cell, Foreign):
        return cell.description
    if isinstance(cell, np.ndarray):
        return f"a vector of {len(cell)} numbers"
    return f"{cell!r}" if len(repr(cell)) <= 60 else f"{repr(cell)[:57]}..."


def _kind(cell: Cell) -> int:
    if cell is None:
        return _MISSING
    for kind, types in ((_BOOL, bool), (_INT, int), (_FLOAT, float), (_TEXT, str), (_VECTOR, np.ndarray)):
        if isinstance(cell, types):
            return kind
    return _FOREIGN


def _text(cell: Cell) -> str:
    return cell.description if isinstance(cell, Foreign) else str(cell)


def _checked(text: str) -> Cell:
    try:
        text.encode()
    except UnicodeEncodeError:
        return Foreign("a text that is not valid Unicode")
    return text[:]


def _vector_of(values: list[Any] | tuple[Any, ...]) -> Cell:
    types = set(map(type, values))
    if not types <= {float, int}:
        # NumPy would also take texts and booleans for numbers here; only real numbers are.
        odd = [t for t in types if not issubclass(t, float | int | np.floating | np.integer) or issubclass(t, bool)]
        if odd:
            return Foreign(f"a {type(values).__name__} that holds {odd[0].__name__}")
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return Foreign(f"a {type(values).__name__} with a number beyond the range of float64")


def _vector(array: np.ndarray) -> Cell:
    if array.ndim == 1 and array.dtype.kind in "iuf":
        return array.astype(np.float64)
    if array.ndim == 1 and array.dtype.kind == "O":
        return _vector_of(array.tolist())
    return Foreign(f"an array of shape {array.shape} and dtype {array.dtype}")


def _spans(lengths: np.ndarray) -> Iterable[tuple[int, int]]:
    ends = np.cumsum(lengths).tolist()
    return zip([0, *ends[:-1]], ends, strict=True) if ends else ()
