"""Which ``repviz diagnose`` computes which kinds of a run: two at once would write the same artifacts."""

import fcntl
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from repviz.errors import UserError

log = logging.getLogger("repviz")

LOCK_FILE = ".diagnosing"
"""In the run folder; empty. A byte of it is locked for each kind, and let go when the process ends, however it does."""


@contextmanager
def claimed(run_dir: Path, kinds: Iterable[str]) -> Iterator[None]:
    """Hold these kinds of a run in the block.

    Raises:
        UserError: another process holds one of them, or nothing can be written there.
    """
    try:
        file = os.open(run_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise UserError(f"nothing can be written in {run_dir}, and artifacts would be: {error.strerror}") from error
    try:
        for kind in kinds:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(kind.encode()))
            except (BlockingIOError, PermissionError):  # POSIX lets a system say either
                raise UserError(
                    f"another repviz diagnose computes {kind} of {run_dir}; wait for it, or name others with --only"
                ) from None
            except OSError as error:
                log.warning("%s cannot be locked (%s): start no other diagnose on this run", run_dir, error.strerror)
                break
        yield
    finally:
        os.close(file)
