"""Reading a file without a checksum of its whole: in a child process with limits on time and memory.

Some damaged files make the HDF5 library hang or crash, under a lock that stops every other file of the process. What
the child could read it writes anew, sealed. ``python -m repviz.store.unsealed FILE COPY`` is that child.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repviz.confined import confine, run_confined
from repviz.store.errors import DamagedFileError, NewerFormatError

_SECONDS = 20
_MEMORY = (1536 << 20, 8)
"""Bytes that the child may take: a base, and as many for each byte of the file."""
_DAMAGED, _NEWER = 3, 4


@contextmanager
def sealed_copy(path: Path) -> Iterator[Path]:
    """A copy of the dataset in ``path`` that has a seal, while the block lasts.

    Raises:
        DamagedFileError: it cannot be read, or not within the limits.
        NewerFormatError: it was written in a later format.
    """
    with tempfile.TemporaryDirectory(prefix="repviz-") as folder:
        copy = Path(folder) / path.name
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            arguments = [os.path.abspath(path), str(copy)]
            status = run_confined(
                "repviz.store.unsealed", arguments, seconds=2 * _SECONDS, output=output, errors=errors
            )
            if status != 0:
                output.seek(0)
                errors.seek(0)
                raise _failure(path, status, output.read(), errors.read())
        yield copy


def _failure(path: Path, status: int | None, said: bytes, errors: bytes) -> Exception:
    if status in (_DAMAGED, _NEWER):
        message = said.decode("utf-8", "replace")
        return NewerFormatError(message) if status == _NEWER else DamagedFileError(message)
    if status is None:
        return DamagedFileError(f"{path} cannot be read: it takes too long")
    if status < 0:
        return DamagedFileError(f"{path} cannot be read: it ended its reader ({signal.Signals(-status).name})")
    last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
    return DamagedFileError(f"{path} cannot be read: {''.join(last)[:300]}")


def _child(path: Path, copy: Path) -> int:
    from repviz.store.hdf5 import read_with_the_library, write_dataset  # which reads through this module

    confine(memory=_MEMORY[0] + _MEMORY[1] * path.stat().st_size, seconds=_SECONDS)
    try:
        dataset = read_with_the_library(path)
    except (DamagedFileError, NewerFormatError, MemoryError) as error:
        said = str(error) or f"{path} cannot be read: it takes more memory than a file of its size"
        sys.stdout.buffer.write(said.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        return _NEWER if isinstance(error, NewerFormatError) else _DAMAGED
    write_dataset(copy, dataset, {})
    return 0


if __name__ == "__main__":
    os._exit(_child(Path(sys.argv[1]), Path(sys.argv[2])))
