"""What was made from files, kept in memory up to a limit and only as long as the files are the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from repviz.dashboards.shared import Shared

Stamp = tuple[int, int, int]


class BoundedCache:
    """Values by key, each as long as its stamp is the same; least recently used ones go first; safe in threads."""

    def __init__(self, max_bytes: int) -> None:
        """Args: how much the values may take together."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._shared = Shared()
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Hashable, int, Any]] = OrderedDict()

    def get(self, key: Hashable, stamp: Hashable, make: Callable[[], Any], n_bytes: Callable[[Any], int]) -> Any:
        """``make()``, or what it gave before for ``key`` and the same ``stamp``; errors are not remembered.

        Threads that ask for the same at the same time get what one of them makes.
        """
        entry = self._kept(key, stamp)
        if entry is None:
            entry = self._shared.get((key, stamp), lambda: self._entry(key, stamp, make, n_bytes))
        return entry[2]

    def _entry(
        self, key: Hashable, stamp: Hashable, make: Callable[[], Any], n_bytes: Callable[[Any], int]
    ) -> tuple[Hashable, int, Any]:
        kept = self._kept(key, stamp)  # another thread may have made it meanwhile
        if kept is not None:
            return kept
        value = make()
        size = n_bytes(value)
        with self._lock:
            self._drop(key)
            if size <= self._max_bytes:
                self._entries[key] = (stamp, size, value)
                self._bytes += size
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))
        return stamp, size, value

    def _kept(self, key: Hashable, stamp: Hashable) -> tuple[Hashable, int, Any] | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[0] != stamp:
                return None
            self._entries.move_to_end(key)
            return entry

    def peek(self, key: Hashable) -> Any:
        """The value kept for ``key``, whatever its stamp; None where there is none."""
        with self._lock:
            entry = self._entries.get(key)
        return None if entry is None else entry[2]

    @property
    def n_bytes(self) -> int:
        """What the kept values take."""
        return self._bytes

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]


class FileCache:
    """Values made from one file each."""

    def __init__(self, max_bytes: int) -> None:
        """Args: how much the values may take together."""
        self._values = BoundedCache(max_bytes)

    def get(self, path: Path, load: Callable[[Path], Any], n_bytes: Callable[[Any], int]) -> Any:
        """``load(path)``, or what it gave before if the file has not been replaced since.

        Raises:
            FileNotFoundError: there is no such file; and whatever ``load`` raises, which is not remembered.
        """
        return self._values.get(path, stamp_of(path), lambda: load(path), n_bytes)

    def peek(self, path: Path) -> Any:
        """The value kept for ``path``, whether or not the file is the same; None where there is none."""
        return self._values.peek(path)

    @property
    def n_bytes(self) -> int:
        """What the kept values take."""
        return self._values.n_bytes


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a file is replaced or written to: modification time, size and inode."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def stamp_or_none(path: Path) -> Stamp | None:
    """``stamp_of``; None where there is no such file."""
    try:
        return stamp_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
