"""Writing a file so that a reader sees the old one, the new one or none, whatever is killed when.

The new content is written beside its target, flushed to the disk (``fsync``), renamed over the target, and the
folder is flushed too: without the flushes a power cut leaves an empty file under the final name.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_SUFFIX = ".partial"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; when the block ends well, it durably becomes ``target``.

    When the block raises, the temporary file is removed and ``target`` stays as it was.
    The temporary name ends in ``-<pid>.partial``, so that files of dead processes can be told from live ones.
    """
    target = Path(target)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}-{os.getpid()}{TEMPORARY_SUFFIX}"
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(target.parent)


def write_bytes(target: Path, content: bytes) -> None:
    """Durably replace ``target`` by ``content``."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Durably replace ``target`` by ``content``, as UTF-8."""
    write_bytes(target, content.encode("utf-8"))


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` hold what ``source`` holds: a hard link where the file system has them, else a copy."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
