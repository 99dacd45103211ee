"""What lies in the folders of a run's artifacts, listed again only where a folder has changed."""

import hashlib
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import BoundedCache, Stamp
from repviz.store import artifacts

_COARSE_S = 2.0
_FINE_S = 0.1
"""A folder may change again within the same tick of its file system's clock, which can be that long.

The first is for file systems that know whole seconds only (FAT: every second one), the second for all others.
"""
_ENTRY_BYTES = 400


@dataclass(frozen=True)
class Listing:
    """The files of one kind: artifacts and errors by epoch (None = of the whole run), ascending, None last."""

    artifacts: dict[int | None, Stamp]
    errors: dict[int | None, Stamp]
    links: frozenset[str]

    @cached_property
    def digest(self) -> str:
        """Equal for equal listings."""
        return hashlib.sha1(repr((self.told, self.errors)).encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def told(self) -> dict[str, list[Any]]:
        """Epochs that have an artifact, and what tells one version of each from the next."""
        return {"epochs": list(self.artifacts), "versions": [version_of(stamp) for stamp in self.artifacts.values()]}

    @property
    def n_files(self) -> int:
        """Artifacts and errors together."""
        return len(self.artifacts) + len(self.errors)


class Listed:
    """Listings of folders and what small files say, kept up to a limit as long as they are the same."""

    def __init__(self, max_bytes: int = 128_000_000) -> None:
        """Args: how much the listings, and how much the small files, may take."""
        self._listings = BoundedCache(max_bytes)
        self._contents = BoundedCache(max_bytes // 8)
        self._unsettled = itertools.count()
        self._first_seen: dict[Path, tuple[int, float]] = {}

    def folder(self, path: Path) -> Listing:
        """What is in the folder at ``path``; nothing where there is none.

        Files of a run come by being renamed into their folder, which changes its time.
        """
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return Listing({}, {}, frozenset())
        settled = self._is_settled(path, status.st_mtime_ns)
        stamp = (status.st_mtime_ns, status.st_ino, None if settled else next(self._unsettled))
        return self._listings.get(
            path, stamp, lambda: self._list(path, settled), lambda found: _ENTRY_BYTES * (1 + found.n_files)
        )

    def _list(self, path: Path, settled: bool) -> Listing:
        """While it may change at any moment each poll lists it anew, and goes by names and numbers alone."""
        before = self._listings.peek(path)
        found = _listing(path, None if settled else before)
        return before if found == before else found  # which has its digest already

    def _is_settled(self, path: Path, modified_ns: int) -> bool:
        """Whether every later change of the folder will show in its time.

        So it is some time after that time was first seen, by this process's own clock: a file server's may differ.
        """
        now = time.monotonic()
        seen = self._first_seen.get(path)
        if seen is None or seen[0] != modified_ns:
            self._first_seen[path] = seen = (modified_ns, now)
        return now - seen[1] > (_FINE_S if modified_ns % 1_000_000_000 else _COARSE_S)

    def content(self, path: Path, stamp: Stamp, read: Callable[[], Any]) -> Any:
        """What ``read()`` makes of a file that ``folder`` has listed with ``stamp``: read once, and small."""
        return self._contents.get(path, stamp, read, lambda found: len(str(found)))


@lru_cache(maxsize=50_000)
def version_of(stamp: Stamp) -> str:
    """A stamp as a short text."""
    modified, size, inode = stamp
    return f"{modified:x}-{size:x}-{inode:x}"


def _listing(path: Path, before: Listing | None = None) -> Listing:
    """The folder's files; those of ``before`` that have the same name and inode are taken to be the same.

    An inode's number may have been another file's in between: until the folder is listed again without ``before``.
    """
    known = {False: before.artifacts, True: before.errors} if before is not None else {False: {}, True: {}}
    found: dict[bool, dict[int | None, Stamp]] = {False: {}, True: {}}
    links = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                place = artifacts.place_of(entry.name)
                if place is None:
                    continue
                epoch, is_error = place
                stamp = known[is_error].get(epoch)
                if stamp is not None and stamp[2] == entry.inode() and not entry.is_symlink():
                    found[is_error][epoch] = stamp
                    continue
                try:
                    status = entry.stat()
                except OSError:  # gone since it was listed, or a link that leads nowhere
                    continue
                if entry.is_symlink():
                    links.add(entry.name)
                found[is_error][epoch] = (status.st_mtime_ns, status.st_size, status.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        pass
    by_epoch = ({e: files[e] for e in sorted(files, key=_none_last)} for files in found.values())
    return Listing(*by_epoch, frozenset(links))


def _none_last(epoch: int | None) -> tuple[bool, int]:
    return epoch is None, epoch or 0
