"""What was decoded from files, kept in memory up to a limit and only as long as the file is the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

Stamp = tuple[int, int, int]


class FileCache:
    """Values made from files, least recently used ones dropped first; safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        """Args: how much the values may take together."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Path, tuple[Stamp, int, Any]] = OrderedDict()

    def get(self, path: Path, load: Callable[[Path], Any], n_bytes: Callable[[Any], int]) -> Any:
        """``load(path)``, or what it gave before if the file has not been replaced since.

        Raises:
            FileNotFoundError: there is no such file; and whatever ``load`` raises, which is not remembered.
        """
        stamp = stamp_of(path)
        with self._lock:
            entry = self._entries.get(path)
            if entry is not None and entry[0] == stamp:
                self._entries.move_to_end(path)
                return entry[2]
        value = load(path)
        size = n_bytes(value)
        with self._lock:
            self._drop(path)
            if size <= self._max_bytes:
                self._entries[path] = (stamp, size, value)
                self._bytes += size
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))
        return value

    @property
    def n_bytes(self) -> int:
        """What the kept values take."""
        return self._bytes

    def _drop(self, path: Path) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._bytes -= entry[1]


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a file is replaced or written to: modification time, size and inode."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
