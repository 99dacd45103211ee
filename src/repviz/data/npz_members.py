"""Reading the arrays of an .npz file from a stranger: headers first, and nothing allocated on their word alone.

``numpy.load`` believes what it reads: a few megabytes can claim terabytes, of two members of one name it takes one,
and arrays of Python objects are pickles. Here every claim is held against the size of the file and the memory of the
machine before a byte is allocated, and objects are left to ``repviz.data.object_arrays``.
"""

import ast
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import error as StructError
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from repviz.data.messages import data_error, listed, quoted, sized
from repviz.errors import DataError

_CHUNK = 1 << 22
"""Bytes read at a time, so that a conversion needs little more memory than its result."""
_DEFLATE_RATIO = 1040
"""Deflate cannot expand a byte to more than this (zlib's own figure is 1032)."""
BOMB_SIZE, _BOMB_RATIO = 1 << 28, 200
"""An array that is both larger (bytes) and better compressed than this is taken for a zip bomb."""
_MAX_HEADER = 1000
"""Characters of an array's header; a plain array of two dimensions needs about 70."""
_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(r"[<>|=]?(?:O|[biufSU][1-9][0-9]{0,8})")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FOREIGN = {
    b"\x93NUMPY": "a single NumPy array (.npy)",
    b"\x89HDF": "an HDF5 file",
    b"\x80": "a pickle",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"ARROW1": "an Arrow file",
}
_WHOLE = "the whole file, as numpy.savez or numpy.savez_compressed wrote it"
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


class NpzReader:
    """An open .npz file whose arrays are read one by one, each after its header; use it in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` and check the zip's directory.

        Raises:
            DataError: it is no .npz file, is cut off, or holds a name twice.
        """
        self.path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise data_error(path, "", f"cannot be opened ({error.strerror})", "a readable .npz file") from error
        try:
            self._members = self._directory()
        except BaseException:
            self._file.close()
            raise
        self._headers: dict[str, Member] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(self._members)

    def fingerprint(self, ignored_prefix: str) -> str:
        """SHA-256 of every array's name, size and checksum, without the arrays whose name starts with the prefix.

        It is known before any data is read, the same whatever is read later, and indifferent to compression.
        """
        digest = sha256()
        for key, info in sorted(self._members.items()):
            if not key.startswith(ignored_prefix):
                digest.update(f"{key}\0{info.file_size}\0{info.CRC}\0".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def header(self, key: str) -> Member:
        """What the array ``key`` says of itself, checked.

        Raises:
            DataError: not a plain array, or its claim does not fit the file.
        """
        if key not in self._headers:
            info = self._members[key]
            self._check_sizes(key, info)
            with self._damage(key), self._zip.open(info) as stream:
                shape, dtype, fortran_order, offset = self._parse_header(key, stream)
            n_bytes = info.file_size - offset
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
        with self._damage(key):
            flat = np.empty(math.prod(member.shape), target)
            step = max(1, _CHUNK // member.dtype.itemsize)
            with self._zip.open(self._members[key]) as stream, np.errstate(over="ignore", invalid="ignore"):
                _read_exactly(stream, member.offset)
                for start in range(0, len(flat), step):
                    part = flat[start : start + step]
                    part[...] = np.frombuffer(_read_exactly(stream, len(part) * member.dtype.itemsize), member.dtype)
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
        with self._damage(key), self._zip.open(self._members[key]) as stream:
            _read_exactly(stream, member.offset)
            payload = _read_exactly(stream, member.n_bytes)
        return payload

    def _directory(self) -> dict[str, zipfile.ZipInfo]:
        start = self._file.read(8)
        if not start.startswith(b"PK"):
            kind = next((name for magic, name in _FOREIGN.items() if start.startswith(magic)), None)
            found = "is empty" if not start else f"is {kind}" if kind else "is not an .npz file"
            raise data_error(self.path, "", found, _WHOLE)
        with self._damage(""):
            self._zip = zipfile.ZipFile(self._file)
        infos = self._zip.infolist()
        names = [info.filename.removesuffix(".npy") for info in infos]
        twice = [quoted(name) for name, count in Counter(names).items() if count > 1]
        if twice:
            raise data_error(self.path, listed(twice), "is there more than once", "every key once")
        size = self._file.seek(0, 2)
        packed = sum(info.compress_size for info in infos)
        if packed > size:
            found = f"claims {sized(packed)} of compressed data in {sized(size)}: damaged, or a zip bomb"
            raise data_error(self.path, "", found, _WHOLE)
        return {n: info for n, info in zip(names, infos, strict=True) if info.filename.endswith(".npy")}

    def _check_sizes(self, key: str, info: zipfile.ZipInfo) -> None:
        """Hold what the zip's directory says of a member against what compression can do."""
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            found = "is encrypted" if info.flag_bits & 1 else f"has compression method {info.compress_type}"
            raise data_error(self.path, key, found, "stored or deflated, as numpy.savez_compressed writes it")
        stored = info.compress_type == zipfile.ZIP_STORED
        most = info.compress_size if stored else info.compress_size * _DEFLATE_RATIO
        if info.file_size > most:
            found = f"claims {sized(info.file_size)} in {sized(info.compress_size)}: damaged, or a zip bomb"
            raise data_error(self.path, key, found, _WHOLE)
        if info.file_size > max(BOMB_SIZE, _BOMB_RATIO * info.compress_size):
            found = f"expands from {sized(info.compress_size)} to {sized(info.file_size)}, like a zip bomb"
            raise data_error(self.path, key, found, "uncompressed (numpy.savez) where data is this uniform")

    def _parse_header(self, key: str, stream: BinaryIO) -> tuple[tuple[int, ...], np.dtype, bool, int]:
        start = stream.read(8)
        if len(start) < 8 or not start.startswith(_MAGIC):
            raise data_error(self.path, key, "is not a NumPy array", _WHOLE)
        width = 2 if start[6] == 1 else 4
        length = int.from_bytes(_read_exactly(stream, width), "little")
        text = _read_exactly(stream, min(length, _MAX_HEADER + 1)).decode("latin-1")
        if length > _MAX_HEADER:
            raise data_error(self.path, key, "has a header too long for a plain array", "numbers or texts")
        try:
            header = ast.literal_eval(text.strip())
            descr, fortran_order, shape = (header[k] for k in ("descr", "fortran_order", "shape"))
        except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
            found = f"has the damaged header {quoted(text.strip(), 80)}"
            raise data_error(self.path, key, found, _WHOLE) from error
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
            raise data_error(self.path, key, found, _WHOLE)

    @contextmanager
    def _damage(self, key: str) -> Iterator[None]:
        """Whatever zipfile, zlib or NumPy stumble over becomes one error that names file and key."""
        try:
            yield
        except DataError:
            raise
        except MemoryError as error:
            raise data_error(self.path, key, "does not fit into memory", "less data, or more memory") from error
        except _DAMAGE as error:
            found = f"is damaged or cut off ({quoted(str(error) or type(error).__name__, 80)})"
            raise data_error(self.path, key, found, _WHOLE) from error


def _plain_dtype(descr: object) -> np.dtype | None:
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        return None
    try:
        return np.dtype(descr)
    except (TypeError, ValueError):  # a width that NumPy does not have, such as f3
        return None


def _read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError("the data ends early")
    return data
