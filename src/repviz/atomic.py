"""Writing a file so that a reader sees the old one, the new one or none, whatever is killed when.

The new content is written beside its target, flushed to the disk (``fsync``), renamed over the target, and the
folder is flushed too: without the flushes a power cut leaves an empty file under the final name.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_SUFFIX = ".partial"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; when the block ends well, it durably becomes ``target``.

    When the block raises, the temporary file is removed and ``target`` stays as it was.
    The temporary name ends in ``-<host>-<pid>.partial``, so that files of dead processes can be told from live ones.
    """
    target = Path(target)
    temporary = _temporary(target)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(target.parent)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside ``target``; when the block ends well, it durably becomes ``target``.

    When the block raises, the temporary folder is removed and ``target`` stays as it was. A folder that is there is
    moved aside, and removed once the new one has its name: in between there is none for a moment.
    """
    target = Path(target)
    for left in target.parent.glob(f".{target.name}.*{TEMPORARY_SUFFIX}"):
        if _is_left_over(left):  # whole copies, which no one else would remove
            shutil.rmtree(left, ignore_errors=True)
    temporary, aside = _temporary(target), _temporary(target)
    try:
        temporary.mkdir()
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            flush(path)
        if target.exists():
            os.rename(target, aside)
        os.rename(temporary, target)
    except BaseException:
        if aside.exists() and not target.exists():
            os.rename(aside, target)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        flush(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_bytes(target: Path, content: bytes | memoryview) -> None:
    """Durably replace ``target`` by ``content``."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Durably replace ``target`` by ``content``, as UTF-8."""
    write_bytes(target, content.encode("utf-8"))


def make_folder(path: Path) -> None:
    """Durably make a folder, and those above it that are not there; it may be there already."""
    path = Path(path)
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    flush(path.parent)


def flush(path: Path) -> None:
    """Have the disk keep what was written to a file, or which files a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` hold what ``source`` holds: a hard link where the file system has them, else a copy."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files that processes of this machine left when they were killed; gives those that went.

    A file of a process that lives, or of another machine, stays.
    """
    found = []
    for path in Path(folder).rglob(f".*{TEMPORARY_SUFFIX}"):
        if _is_left_over(path):
            path.unlink(missing_ok=True)
            found.append(path)
    return found


def private_folder(purpose: str) -> Path:
    """Make an empty folder among the system's temporary ones, which only this user may enter.

    Those that processes of this user and machine left there for the same purpose when they were killed go.
    """
    start = f"repviz-{purpose}-{_host()}-"
    for left in Path(tempfile.gettempdir()).glob(f"{start}*"):
        pid = left.name.removeprefix(start).partition("-")[0]
        with contextlib.suppress(OSError):  # it has gone, or is another's
            if pid.isdigit() and not _lives(int(pid)) and left.lstat().st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{start}{os.getpid()}-"))


def _is_left_over(path: Path) -> bool:
    """Whether a process of this machine that is no more has left it."""
    host, _, pid = path.name.removesuffix(TEMPORARY_SUFFIX).rpartition("-")
    return host.endswith(f"-{_host()}") and pid.isdigit() and not _lives(int(pid))


def _temporary(target: Path) -> Path:
    mark = f"{secrets.token_hex(4)}-{_host()}-{os.getpid()}"
    return target.parent / f".{target.name}.{mark}{TEMPORARY_SUFFIX}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:64]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # someone else's
        return True
    return True
