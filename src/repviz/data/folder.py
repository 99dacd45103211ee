"""The folder form of the data: the arrays of the .npz form, each a ``.npy`` file, so that rows can be read by number.

``dataset.json`` beside them records shape, dtype, size and CRC-32 of each array as it was written. It may be missing:
then checksums are computed when the data is read.
"""

import json
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from repviz.data.messages import data_error, quoted, sized
from repviz.data.npy_reader import Content, Member, NpyReader
from repviz.data.npz_members import NpzReader
from repviz.data.stored import Place, StoredArray, identity_of

RECORD = "dataset.json"
SUFFIX = ".npy"
FORMAT = 1
"""Version of the record."""
_MAX_FILES = 10_000
_MAX_RECORD = 1 << 20
"""Bytes of a record that are read at all."""
_AS_WRITTEN = f"the folder as it was written (without {RECORD}, files are taken as they are)"
_RECORDED = {"shape": list, "dtype": str, "bytes": int, "crc32": int}

Writer = Callable[[BinaryIO], None]
"""Writes one ``.npy`` file to a stream."""


class FolderReader(NpyReader):
    """The ``.npy`` files of a folder."""

    whole = "the whole file, as numpy.save wrote it"

    def __init__(self, path: Path) -> None:
        """Look at the folder's files, and compare them with the record, if there is one.

        Raises:
            DataError: the folder cannot be listed, the record is damaged, or a file is not the one that it names.
        """
        super().__init__()
        self.path = path
        try:
            with os.scandir(path) as entries:
                names = [entry.name for entry in islice(entries, _MAX_FILES + 1)]
        except OSError as error:
            raise data_error(path, "", f"cannot be opened ({error.strerror})", "a readable folder") from error
        if len(names) > _MAX_FILES:
            raise data_error(path, "", f"holds more than {_MAX_FILES:,} files", "a folder of arrays and nothing else")
        self._stats = {name.removesuffix(SUFFIX): self._stat(name) for name in sorted(names) if name.endswith(SUFFIX)}
        self._recorded = _arrays(self.path, read_record(path)) if RECORD in names else {}
        for key, recorded in self._recorded.items():
            if key not in self._stats:
                raise data_error(path, _named(key), f"missing; {RECORD} names it", _AS_WRITTEN)
            if self.n_bytes(key) != recorded["bytes"]:
                found = f"holds {sized(self.n_bytes(key))} ({self.n_bytes(key)} bytes)"
                raise data_error(
                    path, _named(key), found, f"{recorded['bytes']} bytes, as {RECORD} has it: {_AS_WRITTEN}"
                )

    def close(self) -> None:
        """Nothing stays open."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays, sorted."""
        return tuple(self._stats)

    def open(self, key: str) -> BinaryIO:
        """The bytes of one file; a recorded checksum is compared when the last one is read."""
        file = self._file(key).open("rb")
        return _Checking(file, self, key, self._recorded[key]) if key in self._recorded else file

    def n_bytes(self, key: str) -> int:
        """Size of a file."""
        return self._stats[key].st_size

    def content(self, key: str) -> Content:
        """Size and checksum: as the record has them, else computed from the bytes.

        Raises:
            DataError: a file cannot be read.
        """
        if key in self._recorded:
            return Content(self.n_bytes(key), self._recorded[key]["crc32"])
        return super().content(key)

    def header(self, key: str) -> Member:
        """What the array ``key`` says of itself, checked.

        Raises:
            DataError: not a plain array, its claim does not fit the file, or it is not the recorded one.
        """
        member, recorded = super().header(key), self._recorded.get(key)
        if recorded and (list(member.shape), member.dtype.str) != (recorded["shape"], recorded["dtype"]):
            found = f"shape {member.shape}, dtype {member.dtype.str}"
            expected = (
                f"shape {quoted(tuple(recorded['shape']))}, dtype {quoted(recorded['dtype'])}, as {RECORD} has it"
            )
            raise data_error(self.path, key, found, f"{expected}: {_AS_WRITTEN}")
        return member

    def stored(self, key: str, dtype: np.dtype | type | None = None) -> StoredArray:
        """The array ``key``, of which rows are read when they are asked for, and given as ``dtype``.

        Raises:
            DataError: its header is damaged, it holds objects, or columns come one by one.
        """
        member = self.header(key)
        if member.dtype.hasobject:
            raise data_error(self.path, key, "Python objects", "plain numbers or texts")
        if member.fortran_order and sum(n > 1 for n in member.shape) > 1:
            expected = "one after the other (C order): numpy.save(file, numpy.ascontiguousarray(array))"
            raise data_error(self.path, key, "its rows are scattered (Fortran order)", expected)
        place = Place(self._file(key), member.offset, identity_of(self._stats[key]), self.path, key)
        given = member.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
        return StoredArray(place, member.shape, member.dtype, given)

    def _file(self, key: str) -> Path:
        return self.path / f"{key}{SUFFIX}"

    def _stat(self, name: str) -> os.stat_result:
        key = _named(name.removesuffix(SUFFIX))
        try:
            found = os.stat(self.path / name)
        except OSError as error:
            raise data_error(self.path, key, f"cannot be opened ({error.strerror})", "a readable file") from error
        if not stat.S_ISREG(found.st_mode):
            raise data_error(self.path, key, f"{quoted(name)} is not a file", self.whole)
        return found


def open_arrays(path: Path) -> NpyReader:
    """A reader of the .npz file or of the folder at ``path``.

    Raises:
        DataError: it is neither, or damaged.
    """
    return FolderReader(path) if path.is_dir() else NpzReader(path)


def is_dataset(names: Iterable[str], keys: Iterable[str]) -> bool:
    """Whether a folder with these files is one of arrays: it has the record, or an array of a known name."""
    there = set(names)
    return RECORD in there or not there.isdisjoint(f"{key}{SUFFIX}" for key in keys)


def may_be_replaced(path: Path) -> bool:
    """Whether all that a folder holds is what ``write_arrays`` writes, or nothing."""
    names = [entry.name for entry in path.iterdir()]
    return not names or (RECORD in names and all(name == RECORD or name.endswith(SUFFIX) for name in names))


def write_arrays(folder: Path, contents: Iterable[tuple[str, Writer]], notes: Mapping[str, str]) -> None:
    """Write every array and the record into ``folder``, which exists and is empty.

    Args:
        folder: where.
        contents: keys, and what writes each array.
        notes: texts for people, kept in the record.

    Raises:
        OSError: something cannot be written.
    """
    arrays = {}
    for key, write in contents:
        path = folder / f"{key}{SUFFIX}"
        with path.open("wb") as file:
            summing = _Summing(file)
            write(summing)
        with FolderReader(folder) as reader:
            member = reader.header(key)
        arrays[key] = {
            "shape": list(member.shape),
            "dtype": member.dtype.str,
            "bytes": summing.n_bytes,
            "crc32": summing.crc,
        }
    record = {"format": FORMAT, "arrays": arrays, "notes": dict(notes)}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """What ``dataset.json`` says.

    Raises:
        DataError: it cannot be read, is damaged, or of a later format.
    """
    expected = f"as repviz data convert wrote it, or no {RECORD} at all"
    try:
        with (folder / RECORD).open("rb") as file:
            text = file.read(_MAX_RECORD + 1)
        record = json.loads(text) if len(text) <= _MAX_RECORD else None
    except OSError as error:
        raise data_error(folder, RECORD, f"cannot be read ({error.strerror})", expected) from error
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("arrays"), dict):
        raise data_error(folder, RECORD, "is not a record of arrays", expected)
    if record.get("format") != FORMAT:
        found = f"has the format {quoted(record.get('format'))}"
        raise data_error(folder, RECORD, found, f"format {FORMAT}; a later repviz reads later ones")
    return record


def _arrays(folder: Path, record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    for key, said in record["arrays"].items():
        if not isinstance(said, dict) or any(type(said.get(name)) is not kind for name, kind in _RECORDED.items()):
            wanted = f"{', '.join(_RECORDED)}, as repviz data convert wrote them, or no {RECORD} at all"
            raise data_error(folder, f"{RECORD}: {quoted(key)}", quoted(said), wanted)
    return record["arrays"]


def _named(key: str) -> str:
    """A key as messages have it: any file name can be one."""
    return key if key.isidentifier() else quoted(key)


class _Checking:
    """A file that is read from its start, whose bytes are summed and must add up to the recorded checksum."""

    def __init__(self, file: BinaryIO, reader: FolderReader, key: str, recorded: Mapping[str, Any]) -> None:
        self._file = file
        self._reader = reader
        self._key = key
        self._left = recorded["bytes"]
        self._expected = recorded["crc32"]
        self._crc = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, n_bytes: int = -1) -> bytes:
        """The next bytes.

        Raises:
            DataError: they are the last ones, and the file is not as it was recorded.
        """
        data = self._file.read(n_bytes)
        self._left -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._left <= 0 and self._crc != self._expected:
            found = f"is damaged: its CRC-32 is {self._crc:08x}"
            expected = f"{self._expected:08x}, as {RECORD} has it: {_AS_WRITTEN}"
            raise data_error(self._reader.path, _named(self._key), found, expected)
        return data


class _Summing:
    """A stream that counts and sums what goes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.n_bytes = 0
        self.crc = 0

    def write(self, data: bytes) -> int:
        self.n_bytes += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)
