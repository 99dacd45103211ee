"""Reading ``.npy`` arrays from a stranger: headers first, and nothing allocated on their word alone.

``numpy.load`` believes what it reads: a few megabytes can claim terabytes, and arrays of Python objects are pickles.
Here every claim is held against the bytes that are there before any memory is allocated, and objects are left to
``repviz.data.object_arrays``.
"""

import ast
import math
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import error as StructError
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np

from repviz.data.messages import data_error, quoted, sized
from repviz.errors import DataError

CHUNK = 1 << 22
"""Bytes read at a time, so that a conversion needs little more memory than its result."""
_MAX_HEADER = 1000
"""Characters of an array's header; a plain array of two dimensions needs about 70."""
_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(r"[<>|=]?(?:O|[biufSU][1-9][0-9]{0,8})")
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    StructError,
    ValueError,
)


@dataclass(frozen=True)
class Member:
    """What the header of one array says, checked against the size of the file.

    Attributes:
        key: name of the array.
        shape: its shape.
        dtype: its dtype: boolean, integer, floating, text, bytes or object.
        fortran_order: whether the first index runs fastest.
        offset: bytes before the data.
        n_bytes: bytes of the data.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    offset: int
    n_bytes: int


class Content(NamedTuple):
    """Size in bytes and CRC-32 of one array as a ``.npy`` file, header included."""

    n_bytes: int
    crc: int


def fingerprint_of(contents: Iterable[tuple[str, Content]]) -> str:
    """SHA-256, hex, of every array's name, size and checksum, whatever their order."""
    digest = sha256()
    for key, (n_bytes, crc) in sorted(contents):
        digest.update(f"{key}\0{n_bytes}\0{crc}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class NpyReader(ABC):
    """Arrays by key, read one by one, each after its header; used in a ``with`` block.

    Attributes:
        path: the file or folder, for messages.
        whole: what is expected in place of something damaged, for messages.
    """

    path: Path
    whole: str

    def __init__(self) -> None:
        self._headers: dict[str, Member] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""

    @property
    @abstractmethod
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays."""

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """The bytes of the array ``key``, header included; what claims an impossible size is a ``DataError``."""

    @abstractmethod
    def n_bytes(self, key: str) -> int:
        """Size of the array ``key``, header included."""

    def content(self, key: str) -> Content:
        """Size and checksum of the array ``key``: computed from its bytes, where nothing else knows them.

        Raises:
            DataError: they cannot be read.
        """
        crc = 0
        with self.damage(key), self.open(key) as stream:
            while part := stream.read(CHUNK):
                crc = zlib.crc32(part, crc)
        return Content(self.n_bytes(key), crc)

    def fingerprint(self, ignored_prefix: str) -> str:
        """``fingerprint_of`` all arrays whose name does not start with the prefix.

        It is known before any data is read, the same whatever is read later, and indifferent to compression.
        """
        return fingerprint_of((key, self.content(key)) for key in self.keys if not key.startswith(ignored_prefix))

    def header(self, key: str) -> Member:
        """What the array ``key`` says of itself, checked.

        Raises:
            DataError: not a plain array, or its claim does not fit the file.
        """
        if key not in self._headers:
            with self.damage(key), self.open(key) as stream:
                shape, dtype, fortran_order, offset = self._parse_header(key, stream)
            n_bytes = self.n_bytes(key) - offset
            self._check_claim(key, shape, dtype, n_bytes)
            self._headers[key] = Member(key, shape, dtype, fortran_order, offset, n_bytes)
        return self._headers[key]

    def read(self, key: str, dtype: np.dtype | type | None = None) -> np.ndarray:
        """The array ``key`` in C order and native byte order, converted to ``dtype`` while it is read.

        Raises:
            DataError: an array of objects, or the data is damaged.
        """
        member = self.header(key)
        if member.dtype.hasobject:
            raise data_error(self.path, key, "Python objects", "plain numbers or texts")
        target = member.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
        with self.damage(key):
            flat = np.empty(math.prod(member.shape), target)
            step = max(1, CHUNK // member.dtype.itemsize)
            with self.open(key) as stream, np.errstate(over="ignore", invalid="ignore"):
                read_exactly(stream, member.offset)
                for start in range(0, len(flat), step):
                    part = flat[start : start + step]
                    part[...] = np.frombuffer(read_exactly(stream, len(part) * member.dtype.itemsize), member.dtype)
            return np.ascontiguousarray(flat.reshape(member.shape, order="F" if member.fortran_order else "C"))

    def read_payload(self, key: str, limit: int) -> bytes:
        """The undecoded bytes of an array of objects.

        Raises:
            DataError: more than ``limit`` bytes, or the data is damaged.
        """
        member = self.header(key)
        if member.n_bytes > limit:
            raise data_error(
                self.path, key, f"{sized(member.n_bytes)} of Python objects", f"at most {sized(limit)} of them"
            )
        with self.damage(key), self.open(key) as stream:
            read_exactly(stream, member.offset)
            payload = read_exactly(stream, member.n_bytes)
        return payload

    def _parse_header(self, key: str, stream: BinaryIO) -> tuple[tuple[int, ...], np.dtype, bool, int]:
        start = stream.read(8)
        if len(start) < 8 or not start.startswith(_MAGIC):
            raise data_error(self.path, key, "is not a NumPy array", self.whole)
        width = 2 if start[6] == 1 else 4
        length = int.from_bytes(read_exactly(stream, width), "little")
        text = read_exactly(stream, min(length, _MAX_HEADER + 1)).decode("latin-1")
        if length > _MAX_HEADER:
            raise data_error(self.path, key, "has a header too long for a plain array", "numbers or texts")
        try:
            header = ast.literal_eval(text.strip())
            descr, fortran_order, shape = (header[k] for k in ("descr", "fortran_order", "shape"))
        except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
            found = f"has the damaged header {quoted(text.strip(), 80)}"
            raise data_error(self.path, key, found, self.whole) from error
        dtype = _plain_dtype(descr)
        if dtype is None:
            found = f"has the dtype {quoted(descr)}"
            raise data_error(self.path, key, found, "booleans, integers, floating point numbers or texts")
        if not isinstance(shape, tuple) or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
            raise data_error(self.path, key, f"has the shape {quoted(shape)}", "a tuple of sizes")
        if type(fortran_order) is not bool:
            raise data_error(self.path, key, f"has fortran_order {quoted(fortran_order)}", "True or False")
        return shape, dtype, fortran_order, 8 + width + length

    def _check_claim(self, key: str, shape: tuple[int, ...], dtype: np.dtype, n_bytes: int) -> None:
        """The header's claim must be what the member holds, to the byte; of objects it cannot be told yet."""
        claimed = math.prod(shape) * dtype.itemsize
        if claimed != n_bytes and not dtype.hasobject:
            found = f"claims shape {shape} of {dtype}, {sized(claimed)}, but holds {sized(n_bytes)}"
            raise data_error(self.path, key, found, self.whole)

    @contextmanager
    def damage(self, key: str) -> Iterator[None]:
        """Whatever zipfile, zlib or NumPy stumble over becomes one error that names file and key."""
        try:
            yield
        except DataError:
            raise
        except MemoryError as error:
            raise data_error(self.path, key, "does not fit into memory", "less data, or more memory") from error
        except _DAMAGE as error:
            found = f"is damaged or cut off ({quoted(str(error) or type(error).__name__, 80)})"
            raise data_error(self.path, key, found, self.whole) from error


def _plain_dtype(descr: object) -> np.dtype | None:
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        return None
    try:
        return np.dtype(descr)
    except (TypeError, ValueError):  # a width that NumPy does not have, such as f3
        return None


def read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    """So many bytes of ``stream``, or ``EOFError``."""
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError("the data ends early")
    return data
