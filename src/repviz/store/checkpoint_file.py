"""Whether a checkpoint is the one that was written: its archive has a checksum of each member, which torch passes over.

torch is built to read archives without comparing them (``MINIZ_DISABLE_ZIP_READER_CRC32_CHECKS``), so that a flipped
bit would be a weight of another value.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repviz.errors import UserError
from repviz.store.errors import DamagedFileError

_PIECE = 2**20
_VALUES = "data.pkl"
"""The member that holds everything but the tensors' numbers."""


@contextmanager
def reading_checkpoint(path: Path, *, tensors: bool = True) -> Iterator[None]:
    """Compare a checkpoint's checksums, then say in one line what becomes of reading it in the block.

    Args:
        path: of the checkpoint.
        tensors: whether they are needed; else the checksum of the values alone is compared.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: a checksum is another.
        UserError: it is no checkpoint at all, or something else goes wrong in the block.
    """
    try:
        _compare(path, tensors=tensors)
        yield
    except (FileNotFoundError, MemoryError, UserError):
        raise
    except Exception as error:  # torch and its unpickler have many ways to say it, some of them pages long
        why = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(
            f"{path} is not a checkpoint of a run: it is damaged, or holds more than tensors and plain values "
            f"({type(error).__name__}: {why})"
        ) from error


def _compare(path: Path, *, tensors: bool) -> None:
    """Compare each member with its CRC-32 (ISO 3309)."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if tensors or member.filename.endswith(f"/{_VALUES}"):
                _compare_member(archive, member, path)


def _compare_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    try:
        with archive.open(member) as content:
            while content.read(_PIECE):  # compared at its end
                pass
    except Exception as error:  # a bit of a header may be anything: a size, an encryption, a method unheard of
        raise DamagedFileError(f"{path} is damaged: {error}. Take the checkpoint of another epoch") from error
