"""A checksum of a whole HDF5 file, in the 512 bytes that HDF5 leaves to its writer at the start (the *user block*).

A flipped bit anywhere, also in the library's own structures, is noticed before the library opens the file: some
damaged files make it hang. Whoever does not know of the seal reads the file as any other.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

USER_BLOCK = 512
_MAGIC = b"repviz sha256 "
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PIECE = 1 << 20


class BrokenSealError(Exception):
    """The file is not what was sealed."""


def seal(file: BinaryIO) -> None:
    """Write the checksum of what follows the user block into it.

    Raises:
        ValueError: the file was made without a user block.
    """
    file.seek(USER_BLOCK)
    if file.read(len(_HDF5)) != _HDF5:
        raise ValueError(f"there is no user block of {USER_BLOCK} bytes before the HDF5 signature")
    block = _block(file)
    file.seek(0)
    file.write(block)


def is_sealed(path: Path) -> bool:
    """Whether the file has a seal, which then fits; without one, nothing is known of it.

    Raises:
        BrokenSealError: it does not fit.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        found = file.read(USER_BLOCK)
        if found.startswith(_HDF5) or not found.startswith(_MAGIC):
            return False
        if found != _block(file):
            raise BrokenSealError(f"the checksum does not fit its {os.fstat(file.fileno()).st_size:,} bytes")
        return True


def _block(file: BinaryIO) -> bytes:
    """The user block that fits what follows it."""
    digest = hashlib.sha256()
    file.seek(USER_BLOCK)
    while piece := file.read(_PIECE):
        digest.update(piece)
    return (_MAGIC + digest.hexdigest().encode() + b"\n").ljust(USER_BLOCK, b"\0")
