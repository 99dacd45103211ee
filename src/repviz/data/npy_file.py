"""A single ``.npy`` file, read as carefully as one of many."""

from pathlib import Path
from typing import BinaryIO

from repviz.data.messages import data_error
from repviz.data.npy_reader import NpyReader


class NpyFile(NpyReader):
    """An array in a file of its own."""

    whole = "the whole file, as numpy.save wrote it"

    def __init__(self, path: Path, key: str) -> None:
        """Look at the file's size.

        Args:
            path: the file.
            key: what its array is called.

        Raises:
            DataError: there is no such file, or it cannot be read.
        """
        super().__init__()
        self.path = path
        self._key = key
        try:
            with path.open("rb") as file:
                self._size = file.seek(0, 2)
        except OSError as error:
            raise data_error(path, "", f"cannot be opened ({error.strerror})", "a readable .npy file") from error

    def close(self) -> None:
        """Nothing stays open."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The one name."""
        return (self._key,)

    def open(self, key: str) -> BinaryIO:
        """The file's bytes."""
        return self.path.open("rb")

    def n_bytes(self, key: str) -> int:
        """The file's size."""
        return self._size
