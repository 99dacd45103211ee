"""What a page polls: the state of a run, its epochs, and the box that each map is drawn in. Small and cheap."""

import hashlib
import math
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import BoundedCache, FileCache, Stamp, stamp_of, stamp_or_none
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.extents import Boxes, Extents
from repviz.dashboards.frames import KIND, header_of, n_bytes, read_frames
from repviz.dashboards.listed import version_of
from repviz.dashboards.looking_on import LookingOn
from repviz.dashboards.news import since
from repviz.dashboards.shared import Shared
from repviz.dashboards.values import values_of
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.listing import best_row
from repviz.store.metrics_table import METRICS_FILE, Lines, Row, read_lines
from repviz.store.run_folder import RUN_FILE
from repviz.theme import class_colors

UNREADABLE = (DamagedFileError, NewerFormatError, ValueError)
"""What reading an artifact may raise about its content."""

_RUN_FACTS = ("progress", "max_epochs", "classes", "kinds", "data", "started", "ended", "error")
BASELINE = "logistic_regression"
"""The row of ``results.csv`` that curves are compared with."""
_SHOWN_ERRORS = 20
_LOOK_SECONDS, _LOOK_ON_SECONDS = 0.2, 0.02
"""How long the first poll may look into maps that are not known yet, and each later one into newer ones."""


class Manifests:
    """Makes manifests; remembers the extents of maps, which would otherwise mean reading every artifact again."""

    def __init__(self, catalog: Catalog, frames: FileCache, look_seconds: float = _LOOK_SECONDS) -> None:
        """Args: where the runs are, the cache that frames are read through, and ``_LOOK_SECONDS``."""
        self._look_seconds = look_seconds
        self._catalog = catalog
        self._frames = frames
        self._extents = Extents(KIND, self._boxes_in)
        self._looking_on = LookingOn()
        self._shared = Shared()
        self._listed: dict[tuple[Path, str], tuple[tuple[Path, Stamp], list[dict[str, str]]]] = {}
        self._tables = FileCache(64_000_000)
        self._ended = BoundedCache(32_000_000)
        self._told = BoundedCache(64_000_000)
        self._news = BoundedCache(8_000_000)
        self._lock = threading.Lock()

    def of_runs(self) -> list[dict[str, Any]]:
        """One short entry per run, newest first."""
        return self._shared.get("runs", self._of_runs)

    def _of_runs(self) -> list[dict[str, Any]]:
        return [self.kept_of_ended(run, "list", partial(self._entry, run)) for run in self._catalog.runs()]

    def kept_of_ended(self, run: RunFiles, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """``make()``, whose ``state`` is that of the run: made once for a run that has ended and is not touched again.

        That one is running is asked anew, for its process may have gone without a word; so is one that cannot be
        read, for the reason may pass.
        """
        stamps = tuple(stamp_or_none(run.path / name) for name in (RUN_FILE, METRICS_FILE))
        entry = self._ended.get((run.path, what), stamps, make, lambda found: len(str(found)))
        return make() if entry.get("state") in ("running", "damaged") else entry

    def of_run(self, run: RunFiles) -> dict[str, Any]:
        """What a page has to know of ``run``; equal content has an equal ``signature``. It is not to be written to."""
        return self._shared.get(run.path, lambda: self._of_run(run.at_one_moment()))

    def _of_run(self, run: RunFiles) -> dict[str, Any]:
        content: dict[str, Any] = {"run": run.name, "problems": []}
        info = self._info(run, content)
        content |= {key: info.get(key) for key in _RUN_FACTS if key in info}
        content["colors"] = class_colors(len(info.get("classes") or []))
        content["metrics"], rows = self._metrics(run, content)
        content["artifacts"] = {kind: run.told(kind) for kind in run.kinds()}
        content["values"] = {
            kind: found
            for kind, told in content["artifacts"].items()
            if told["epochs"] and (found := self._values(run, kind, told["epochs"][-1]))
        }
        content["baseline"] = self._baseline(run, content)
        content["errors"] = _errors(run)
        content["sample"] = self._sample_version(run)
        content["extents"] = self._extents_of(run)
        content["signature"] = self._signature(run, content)
        self._told.get(content["signature"], None, lambda: (content, rows), _content_bytes)
        return content

    def _signature(self, run: RunFiles, content: dict[str, Any]) -> str:
        """Of thousands of epochs only the digest of their listing is looked at."""
        listings = {kind: run.listing(kind).digest for kind in content["artifacts"]}
        text = repr({**content, "artifacts": listings, "metrics": content["metrics"]["version"]})
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def since(self, signature: str, content: dict[str, Any]) -> dict[str, Any]:
        """What of ``content`` a page lacks that knows the manifest called ``signature``; see ``news.since``.

        All of it where that one is no longer remembered.
        """

        def news() -> dict[str, Any]:
            before, after = (self._told.peek(name) for name in (signature, content["signature"]))
            return content if before is None or after is None else since(*before, *after)

        # Pages that poll once a second know the same and lack the same.
        return self._news.get((signature, content["signature"]), None, news, lambda found: len(repr(found)))

    def rows(self, run: RunFiles) -> list[Row]:
        """Rows of the metrics table, read again only when the file has changed."""
        path = run.metrics_file()
        if path is None:
            return []
        # Rows that are as they were stay the same objects, which all that was told of the run share.
        return self._tables.get(path, lambda _: read_lines(path.parent, self._tables.peek(path)), _table_bytes)[1]

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

    def _entry(self, run: RunFiles) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": run.name, "state": "damaged", "epoch": None, "max_epochs": None, "best": None}
        try:
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

    def _metrics(self, run: RunFiles, content: dict[str, Any]) -> tuple[dict[str, Any], list[Row]]:
        """What is said of the table, and its rows.

        The version is of before the rows are read: of a table that is replaced meanwhile it is too old, and the next
        poll brings the rows again; a version of rows that were not read would keep them from the page.
        """
        try:
            path = run.metrics_file()
            version = version_of(stamp_of(path)) if path is not None else ""
            rows = self.rows(run)
        except (OSError, ValueError, KeyError) as error:
            content["problems"].append(f"metrics.csv cannot be read: {error}")
            version, rows = "", []
        return {"epochs": [row["epoch"] for row in rows], "version": version}, rows

    def _values(self, run: RunFiles, kind: str, newest: int) -> list[dict[str, str]]:
        """What the newest artifact of a kind knows of every point of the sample.

        As of the artifact before it, until the next poll: from epoch to epoch it hardly ever changes, and every epoch
        would be waited for.
        """
        try:
            path = run.artifact(kind, newest)
            version = path, stamp_of(path)
        except (NotThereError, FileNotFoundError):  # gone since it was listed
            return []
        with self._lock:
            known = self._listed.get((run.path, kind))

        def list_them() -> bool:
            try:
                found = values_of(path)
            except (*UNREADABLE, FileNotFoundError):
                found = []  # whoever asks for the values is told why
            with self._lock:
                self._listed[run.path, kind] = (version, found)
            return False

        if known is None:
            list_them()
        elif known[0] != version:
            self._looking_on.go_on((run.path, kind), list_them)
        with self._lock:
            return self._listed[run.path, kind][1]

    def _baseline(self, run: RunFiles, content: dict[str, Any]) -> dict[str, float] | None:
        try:
            return run.results().get(BASELINE)
        except (NotThereError, OSError, ValueError, KeyError, TypeError) as error:
            content["problems"].append(f"results.csv cannot be read: {error}")
            return None

    def _sample_version(self, run: RunFiles) -> str | None:
        try:
            return version_of(stamp_of(run.sample()))
        except (NotThereError, FileNotFoundError):
            return None

    def _extents_of(self, run: RunFiles) -> Boxes:
        """Boxes of the maps that are known; of those that are not, only what is new is waited for."""
        if self._extents.look(run, _LOOK_ON_SECONDS, at_first=self._look_seconds, only_newer=True):
            self._looking_on.go_on(run.path, lambda: self._extents.look(run.at_one_moment(), _LOOK_ON_SECONDS))
        return self._extents.of_run(run)

    def _boxes_in(self, path: Path) -> dict[str, dict[str, list[float]]]:
        try:
            headers = [header_of(frame) for frame in self._read(path).values()]
            return {h["method"]: dict(zip(h["layers"], h["extents"], strict=True)) for h in headers}
        except (*UNREADABLE, FileNotFoundError):
            return {}  # whoever asks for the frame is told why


def _table_bytes(table: Lines) -> int:
    return sum(400 + len(line) for line in table[0])


def _content_bytes(told: tuple[dict[str, Any], list[Row]]) -> int:
    content, rows = told  # the rows themselves are shared with the cache of tables
    return 2000 + 8 * len(rows) + 150 * sum(len(kind["epochs"]) for kind in content["artifacts"].values())


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
