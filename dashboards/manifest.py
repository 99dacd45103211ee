"""What a page polls: the state of a run, its epochs, and the box that each map is drawn in. Small and cheap."""

import contextlib
import hashlib
import math
import threading
import time
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import FileCache, Stamp, stamp_of
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.frames import KIND, header_of, n_bytes, read_frames
from repviz.dashboards.values import values_of
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.listing import best_row
from repviz.store.metrics_table import Row, read_metrics
from repviz.theme import class_colors

UNREADABLE = (DamagedFileError, NewerFormatError, ValueError)
"""What reading an artifact may raise about its content."""

Stamps = dict[int, tuple[Path, Stamp]]
"""Files by epoch, with what tells one version of a file from the next."""

_RUN_FACTS = ("progress", "max_epochs", "classes", "kinds", "data", "started", "ended", "error")
BASELINE = "logistic_regression"
"""The row of ``results.csv`` that curves are compared with."""
_SHOWN_ERRORS = 20
_LOOK_SECONDS = 0.2
"""How long one poll may go on looking into artifacts that it does not know yet."""


class Manifests:
    """Makes manifests; remembers the extents of maps, which would otherwise mean reading every artifact again."""

    def __init__(self, catalog: Catalog, frames: FileCache) -> None:
        """Args: where the runs are, and the cache that frames are read through."""
        self._catalog = catalog
        self._frames = frames
        self._extents: dict[Path, tuple[Stamp, dict[str, dict[str, list[float]]]]] = {}
        self._listed: dict[Path, tuple[Stamp, list[dict[str, str]]]] = {}
        self._tables = FileCache(16_000_000)
        self._lock = threading.Lock()

    def of_runs(self) -> list[dict[str, Any]]:
        """One short entry per run, newest first."""
        return [self._entry(name) for name in self._catalog.names()]

    def of_run(self, run: RunFiles) -> dict[str, Any]:
        """What a page has to know of ``run``; equal content has an equal ``signature``."""
        content: dict[str, Any] = {"run": run.name, "problems": []}
        info = self._info(run, content)
        content |= {key: info.get(key) for key in _RUN_FACTS if key in info}
        content["colors"] = class_colors(len(info.get("classes") or []))
        content["metrics"] = self._metrics(run, content)
        stamps = {kind: _stamps(run.files(kind)) for kind in run.kinds()}
        content["artifacts"] = {
            kind: {"epochs": list(known), "versions": [_version(stamp) for _, stamp in known.values()]}
            for kind, known in stamps.items()
        }
        content["values"] = {
            kind: found
            for kind, known in stamps.items()
            if known and (found := self._values(*list(known.values())[-1]))
        }
        content["baseline"] = self._baseline(run, content)
        content["errors"] = _errors(run)
        content["sample"] = self._sample_version(run)
        content["extents"] = self._all_extents(stamps.get(KIND, {}))
        content["signature"] = hashlib.sha1(repr(content).encode(), usedforsecurity=False).hexdigest()
        return content

    def rows(self, run: RunFiles) -> list[Row]:
        """Rows of the metrics table, read again only when the file has changed."""
        path = run.metrics_file()
        if path is None:
            return []
        return self._tables.get(path, lambda p: read_metrics(p.parent), lambda rows: 400 * len(rows))

    def frame(self, run: RunFiles, method: str, epoch: int) -> bytes:
        """The frame of one method at ``epoch``.

        Raises:
            NotThereError: no such map at that epoch; ``UNREADABLE``: its file is damaged or too new.
        """
        there = self._read(run.artifact(KIND, epoch))
        if method not in there:
            raise NotThereError(f"run {run.name} has no {method!r} at epoch {epoch}; there is {', '.join(there)}")
        return there[method]

    def _read(self, path: Path) -> dict[str, bytes]:
        return self._frames.get(path, read_frames, n_bytes)

    def _entry(self, name: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": name, "state": "damaged", "epoch": None, "max_epochs": None, "best": None}
        try:
            run = self._catalog.find(name)
            info, rows = run.info(), self.rows(run)
        except (NotThereError, OSError, ValueError, KeyError):
            return entry
        entry |= {"state": info["state"], "max_epochs": info.get("max_epochs")}
        entry["epoch"] = rows[-1]["epoch"] if rows else 0
        entry["best"] = best_row(rows, "val_accuracy").get("val_accuracy")
        return entry

    def _info(self, run: RunFiles, content: dict[str, Any]) -> dict[str, Any]:
        try:
            info = run.info()
        except (OSError, ValueError, KeyError) as error:
            content["state"] = "damaged"
            content["problems"].append(f"run.json cannot be read: {error}")
            return {}
        content["state"] = info["state"]
        return info

    def _metrics(self, run: RunFiles, content: dict[str, Any]) -> dict[str, Any]:
        try:
            rows, path = self.rows(run), run.metrics_file()
        except (OSError, ValueError, KeyError) as error:
            content["problems"].append(f"metrics.csv cannot be read: {error}")
            rows, path = [], None
        return {
            "epochs": [row["epoch"] for row in rows],
            "version": _version(stamp_of(path)) if path is not None else "",
        }

    def _values(self, path: Path, stamp: Stamp) -> list[dict[str, str]]:
        """What the newest artifact of a kind knows of every point of the sample."""
        with self._lock:
            known = self._listed.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = values_of(path)
        except (*UNREADABLE, FileNotFoundError):
            found = []  # whoever asks for the values is told why
        with self._lock:
            self._listed[path] = (stamp, found)
        return found

    def _baseline(self, run: RunFiles, content: dict[str, Any]) -> dict[str, float] | None:
        try:
            return run.results().get(BASELINE)
        except (NotThereError, OSError, ValueError, KeyError, TypeError) as error:
            content["problems"].append(f"results.csv cannot be read: {error}")
            return None

    def _sample_version(self, run: RunFiles) -> str | None:
        try:
            return _version(stamp_of(run.sample()))
        except (NotThereError, FileNotFoundError):
            return None

    def _all_extents(self, known: Stamps) -> dict[str, dict[str, list[float]]]:
        """Per method and layer the box that holds the map of every epoch known so far, newest looked at first."""
        over = time.monotonic() + _LOOK_SECONDS
        boxes: dict[str, dict[str, list[float]]] = {}
        for path, stamp in reversed(known.values()):
            for method, layers in self._extents_of(path, stamp, look=time.monotonic() < over).items():
                for layer, limits in layers.items():
                    box = boxes.setdefault(method, {}).setdefault(layer, list(limits))
                    box[0::2] = map(min, box[0::2], limits[0::2])
                    box[1::2] = map(max, box[1::2], limits[1::2])
        return boxes

    def _extents_of(self, path: Path, stamp: Stamp, *, look: bool) -> dict[str, dict[str, list[float]]]:
        with self._lock:
            known = self._extents.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        if not look:
            return {}
        try:
            headers = [header_of(frame) for frame in self._read(path).values()]
            found = {h["method"]: dict(zip(h["layers"], h["extents"], strict=True)) for h in headers}
        except (*UNREADABLE, FileNotFoundError):
            found = {}  # whoever asks for the frame is told why
        with self._lock:
            self._extents[path] = (stamp, found)
        return found


def _stamps(files: dict[int, Path]) -> Stamps:
    found = {}
    for epoch, path in files.items():
        with contextlib.suppress(FileNotFoundError):  # gone since it was listed
            found[epoch] = (path, stamp_of(path))
    return found


def _errors(run: RunFiles) -> dict[str, Any]:
    """The last recorded errors, how many there are, and by kind at which epochs and what the last one was.

    The epoch of one that is of the whole run is None; these come last.
    """
    found = [(epoch, kind, error) for kind in run.kinds() for epoch, error in run.errors(kind).items()]
    found.sort(key=lambda entry: (math.inf if entry[0] is None else entry[0], entry[1]))
    texts = ("error", "message", "details")
    last = [
        {"kind": kind, "epoch": epoch, **{name: str(error.get(name, "")) for name in texts}}
        for epoch, kind, error in found[-_SHOWN_ERRORS:]
    ]
    kinds = {
        kind: {"epochs": [e for e, k, _ in found if k == kind and e is not None]}
        for kind in {kind for _, kind, _ in found}
    }
    for epoch, kind, error in found:
        kinds[kind]["last"] = {"epoch": epoch, **{name: str(error.get(name, "")) for name in texts[:2]}}
    return {"count": len(found), "last": last, "kinds": dict(sorted(kinds.items()))}


def _version(stamp: Stamp) -> str:
    modified, size, inode = stamp
    return f"{modified:x}-{size:x}-{inode:x}"
