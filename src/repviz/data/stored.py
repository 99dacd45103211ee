"""Arrays that stay on the disk: rows are read when they are asked for, and no others.

Reads go through ``pread``, not through a memory map: what is read counts as this process's memory for as long as it is
used, and the system's cache of the file is left to the system.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from repviz.data.messages import data_error

Rows = slice | np.ndarray
"""Which rows: a slice of step 1, or integers, 0 or more, in any order."""

READ_BYTES = 1 << 24
"""Bytes that are read at a time where a whole array is gone through."""
_NEAR = 1 << 13
"""Bytes between two wanted rows that are rather read than jumped over."""


@dataclass(frozen=True)
class Place:
    """Where the bytes of an array lie.

    Attributes:
        path: the file.
        offset: bytes before the first row.
        identity: device, inode, size and time of change, as they were when the header was read.
        source: the file or folder as the user knows it, for messages.
        key: the user's name for the array.
    """

    path: Path
    offset: int
    identity: tuple[int, ...]
    source: Path
    key: str


def identity_of(stat: os.stat_result) -> tuple[int, ...]:
    """What tells that a file is still the one that it was."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


@dataclass(frozen=True, eq=False)
class StoredArray:
    """Rows of a file as if they were an array in memory: ``stored[rows]``, ``len``, ``shape``, ``dtype``.

    Attributes:
        place: where the bytes lie.
        stored_shape: ``(n,)`` or ``(n, n_columns)``, in C order.
        stored_dtype: what the file holds.
        dtype: what is given.
        columns: which columns are given, in that order; None for all of them.
    """

    place: Place
    stored_shape: tuple[int, ...]
    stored_dtype: np.dtype
    dtype: np.dtype
    columns: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and columns where there are such."""
        return self.stored_shape if self.columns is None else (len(self), len(self.columns))

    @property
    def ndim(self) -> int:
        """1 or 2."""
        return len(self.stored_shape)

    @property
    def size(self) -> int:
        """Numbers in all."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that it would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.stored_shape[0]

    def __getitem__(self, rows: Rows) -> np.ndarray:
        """The rows, converted to ``dtype``.

        Raises:
            DataError: the file has changed since its header was read, or cannot be read.
            IndexError: there is no such row.
        """
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise IndexError("rows of a stored array come in steps of 1")
            with self._opened() as file:
                return self._converted(self._read(file, start, max(start, stop)))
        rows = np.asarray(rows)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        wanted, where = np.unique(rows, return_inverse=True)
        found = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        with self._opened() as file:
            for run in _runs(wanted, self._row_bytes):
                first = int(wanted[run.start])
                read = self._read(file, first, int(wanted[run.stop - 1]) + 1)
                found[run] = self._converted(read[wanted[run] - first])
        return found[where]

    def with_columns(self, columns: Sequence[int]) -> "StoredArray":
        """The same rows with some of these columns, in that order."""
        there = range(self.shape[1]) if self.columns is None else self.columns
        return replace(self, columns=tuple(there[number] for number in columns))

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.stored_shape[1:]) * self.stored_dtype.itemsize

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file's descriptor, if it is still the file whose header was read."""
        place = self.place
        try:
            descriptor = os.open(place.path, os.O_RDONLY)
            try:
                if identity_of(os.fstat(descriptor)) != place.identity:
                    found = "has changed since its header was read"
                    raise data_error(place.source, place.key, found, "data that stays as it is while it is in use")
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            reason = error.strerror or str(error)
            raise data_error(place.source, place.key, f"cannot be read ({reason})", "a readable file") from error

    def _read(self, file: int, start: int, stop: int) -> np.ndarray:
        """Consecutive rows as the file has them."""
        rows = np.empty((stop - start, *self.stored_shape[1:]), self.stored_dtype)
        into, offset = memoryview(rows.reshape(-1).view(np.uint8)), self.place.offset + start * self._row_bytes
        while into:
            n_bytes = os.preadv(file, [into], offset)
            if not n_bytes:
                raise OSError("it ends early")
            into, offset = into[n_bytes:], offset + n_bytes
        return rows

    def _converted(self, rows: np.ndarray) -> np.ndarray:
        if self.columns is not None:
            rows = rows[:, list(self.columns)]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.ascontiguousarray(rows.astype(self.dtype, copy=False))


@dataclass(frozen=True, eq=False)
class StoredTexts:
    """Texts that stay on the disk, decoded and checked as they are read: ``texts[rows]``, ``len``.

    Attributes:
        array: the bytes, characters or integers.
        decode: what makes ``(n,)`` unicode of rows of it, given their numbers too; raises ``DataError``.
    """

    array: StoredArray
    decode: Callable[[np.ndarray, Sequence[int] | np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: Rows) -> np.ndarray:
        return self.decode(self.array[rows], range(len(self))[rows] if isinstance(rows, slice) else rows)


@dataclass(frozen=True)
class NumberedIds:
    """The ids of rows that have none, made when they are asked for: ``train:0`` and so on."""

    split: str
    n_rows: int

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows: Rows) -> np.ndarray:
        numbers = np.arange(self.n_rows)[rows] if isinstance(rows, slice) else np.asarray(rows)
        return np.char.add(f"{self.split}:", numbers.astype(f"U{len(str(self.n_rows))}"))


Matrix = np.ndarray | StoredArray
"""``(n, n_columns)``, in memory or on the disk."""
Texts = np.ndarray | StoredTexts | NumberedIds
"""``(n,)`` unicode, in memory, on the disk, or made when asked for."""


def spans(array: Matrix | Texts, n_bytes: int = READ_BYTES) -> Iterator[slice]:
    """Slices that go through the rows of an array in parts of about ``n_bytes`` in memory."""
    held = array.array if isinstance(array, StoredTexts) else array
    width = 64 if isinstance(held, NumberedIds) else held.nbytes // max(1, len(held))
    step = max(1, n_bytes // max(1, width))
    for start in range(0, len(array), step):
        yield slice(start, min(start + step, len(array)))


def with_columns(array: Matrix, columns: Sequence[int]) -> Matrix:
    """Some columns, in that order, wherever the array lies."""
    if isinstance(array, StoredArray):
        return array.with_columns(columns)
    return np.ascontiguousarray(array[:, list(columns)])


def _runs(wanted: np.ndarray, row_bytes: int) -> Iterator[slice]:
    """Parts of ascending rows, each read at once: what lies near each other, as far as it is not too much."""
    if not len(wanted):
        return
    far = np.diff(wanted) * row_bytes > _NEAR
    breaks = np.flatnonzero(far | (np.diff(wanted * row_bytes // READ_BYTES) > 0)) + 1
    for start, stop in zip([0, *breaks], [*breaks, len(wanted)], strict=True):
        yield slice(int(start), int(stop))
