"""The cache beside the pickled tables: an .npz of the finished arrays, used only for the very inputs it was made of."""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from repviz.data.arrays import Arrays
from repviz.data.messages import data_error
from repviz.data.npz import read_notes, read_npz, write_npz
from repviz.errors import DataError

log = logging.getLogger("repviz.data")

CACHE_NAME = "cached_dataset.npz"
_KEY_NOTE = "cache_key"
_SOURCE_NOTE = "made_from"


def file_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Give the SHA-256 of each file, hex, by its name.

    Raises:
        DataError: a file cannot be read.
    """
    digests = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise data_error(path, "", f"cannot be read ({error.strerror})", "a readable file") from error
    return digests


def digest_of(parts: Mapping[str, Any]) -> str:
    """Give the SHA-256, hex, of plain JSON values, whatever the order of keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def cached(path: Path, key: str, made_from: Sequence[str], build: Callable[[], Arrays]) -> Arrays:
    """Give what ``build`` gives, from the file ``path`` if that was made for the same ``key``, else make it.

    Of several processes that start together one builds while the others wait for its file. A file for another key or
    a damaged one is replaced; where none can be written, a log line says so.

    Args:
        path: the cache file.
        key: changes with everything that the result depends on.
        made_from: names of the input files, noted in the cache file for people.
        build: makes the arrays.
    """
    with _locked(path.parent):
        found = _read(path, key)
        if found is not None:
            log.info("read from %s: its inputs and settings are unchanged", path)
            return found
        arrays = build()
        try:
            write_npz(arrays, path, notes={_KEY_NOTE: key, _SOURCE_NOTE: ", ".join(made_from)})
        except OSError as error:
            log.warning("%s cannot be written (%s); the tables will be read anew each time", path, error)
        return arrays


def _read(path: Path, key: str) -> Arrays | None:
    """What the cache holds, None if it is not there, for another key, or damaged."""
    if not path.is_file():
        return None
    try:
        if read_notes(path).get(_KEY_NOTE) != key:
            log.info("%s is rebuilt: it was made from other inputs or settings", path)
            return None
        return read_npz(path)
    except (DataError, OSError) as error:
        log.warning("%s is rebuilt: it is damaged (%s)", path, str(error).splitlines()[0])
        return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: it needs no lock file, and goes with the process that held it."""
    with ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems have no locks; then two processes may both build the same file.
            log.info("%s cannot be locked (%s)", folder, error)
        yield
