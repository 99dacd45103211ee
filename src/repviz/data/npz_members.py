"""The members of an .npz file from a stranger.

Of two members of one name ``numpy.load`` takes one, and compressed a few megabytes can hold terabytes. Here every
claim of the zip's directory is held against the size of the file before a byte is allocated.
"""

import zipfile
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from repviz.data.messages import data_error, listed, quoted, sized
from repviz.data.npy_reader import Content, NpyReader

_DEFLATE_RATIO = 1040
"""Deflate cannot expand a byte to more than this (zlib's own figure is 1032)."""
BOMB_SIZE, _BOMB_RATIO = 1 << 28, 200
"""An array that is both larger (bytes) and better compressed than this is taken for a zip bomb."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FOREIGN = {
    b"\x93NUMPY": "a single NumPy array (.npy)",
    b"\x89HDF": "an HDF5 file",
    b"\x80": "a pickle",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"ARROW1": "an Arrow file",
}


class NpzReader(NpyReader):
    """An open .npz file."""

    whole = "the whole file, as numpy.savez or numpy.savez_compressed wrote it"

    def __init__(self, path: Path) -> None:
        """Open ``path`` and check the zip's directory.

        Raises:
            DataError: it is no .npz file, is cut off, or holds a name twice.
        """
        super().__init__()
        self.path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise data_error(path, "", f"cannot be opened ({error.strerror})", "a readable .npz file") from error
        try:
            self._members = self._directory()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(self._members)

    def open(self, key: str) -> BinaryIO:
        """The bytes of one member; their checksum is compared when the last one is read.

        Raises:
            DataError: the zip's directory says of it what cannot be.
        """
        info = self._members[key]
        self._check_sizes(key, info)
        return self._zip.open(info)

    def n_bytes(self, key: str) -> int:
        """Size of a member, uncompressed."""
        return self._members[key].file_size

    def content(self, key: str) -> Content:
        """Size and checksum as the zip's directory has them."""
        return Content(self._members[key].file_size, self._members[key].CRC)

    def _directory(self) -> dict[str, zipfile.ZipInfo]:
        start = self._file.read(8)
        if not start.startswith(b"PK"):
            kind = next((name for magic, name in _FOREIGN.items() if start.startswith(magic)), None)
            found = "is empty" if not start else f"is {kind}" if kind else "is not an .npz file"
            raise data_error(self.path, "", found, self.whole)
        with self.damage(""):
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
            raise data_error(self.path, "", found, self.whole)
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
            raise data_error(self.path, key, found, self.whole)
        if info.file_size > max(BOMB_SIZE, _BOMB_RATIO * info.compress_size):
            found = f"expands from {sized(info.compress_size)} to {sized(info.file_size)}, like a zip bomb"
            raise data_error(self.path, key, found, "uncompressed (numpy.savez) where data is this uniform")
