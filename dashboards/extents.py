"""The box that each map is drawn in: it holds the map of every epoch, so that the layout stays put over time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import Stamp
from repviz.dashboards.catalog import RunFiles

Boxes = dict[str, dict[str, list[float]]]
"""By method and layer: x from, x to, y from, y to."""
_AT_ONCE = 50
"""Epochs after which others see what was found."""


@dataclass(frozen=True)
class _Known:
    """What was seen of one run: which version of each epoch, its boxes, and what holds them all.

    Attributes:
        there: the listing that it was last compared with.
    """

    stamps: dict[int, Stamp] = field(default_factory=dict)
    of_epoch: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    together: Boxes = field(default_factory=dict)
    there: Mapping[int | None, Stamp] | None = None


class Extents:
    """Boxes of the maps of runs. An epoch is looked into once; one more costs what is in it, not what there is."""

    def __init__(self, kind: str, boxes_in: Callable[[Path], Mapping[str, Mapping[str, list[float]]]]) -> None:
        """Args: the kind of artifact; what reads one artifact's boxes, which raises nothing about its content."""
        self._kind = kind
        self._boxes_in = boxes_in
        self._known: dict[Path, _Known] = {}
        self._lock = threading.Lock()

    def of_run(self, run: RunFiles) -> Boxes:
        """The boxes of every epoch known so far; the result is not to be written to."""
        return self._kept(run.path, run.listing(self._kind).artifacts).together

    def look(self, run: RunFiles, seconds: float, at_first: float = 0.0, *, only_newer: bool = False) -> bool:
        """Look into epochs that are not known yet, newest first; whether some are left.

        Args:
            run: whose maps.
            seconds: how long to go on; at 0 nothing is looked into.
            at_first: the same where none is known yet; the longer of the two counts.
            only_newer: leave those before the newest one that is known already.
        """
        began = time.monotonic()
        there = run.listing(self._kind).artifacts
        known = self._kept(run.path, there).stamps
        over = began + (seconds if known else max(seconds, at_first))
        newest = max(known, default=-1)
        found: dict[int, tuple[Stamp, Mapping[str, Any]]] = {}
        left = False
        for epoch, path, stamp in run.stamped(self._kind, known):
            if (only_newer and epoch < newest) or time.monotonic() >= over:
                left = True
                break
            found[epoch] = (stamp, self._boxes_in(path))
            if len(found) == _AT_ONCE:
                self._kept(run.path, there, found)
                found = {}
        self._kept(run.path, there, found)
        return left

    def _kept(
        self,
        path: Path,
        there: Mapping[int | None, Stamp],
        found: Mapping[int, tuple[Stamp, Mapping[str, Any]]] | None = None,
    ) -> _Known:
        """What is known of the run at ``path`` with what was ``found``: others may have found more meanwhile."""
        with self._lock:
            known = _still_there(self._known.get(path, _Known()), there)
            if found:
                of_epoch = {epoch: boxes for epoch, (_, boxes) in found.items()}
                known = _Known(
                    known.stamps | {epoch: stamp for epoch, (stamp, _) in found.items()},
                    {**known.of_epoch, **of_epoch},
                    _joined(known.together, of_epoch),
                    known.there,
                )
            self._known[path] = known
        return known


def _still_there(known: _Known, there: Mapping[int | None, Stamp]) -> _Known:
    """``known`` without what is gone or replaced: the box may then be smaller."""
    if there is known.there:
        return known
    stamps = {epoch: stamp for epoch, stamp in known.stamps.items() if there.get(epoch) == stamp}
    if len(stamps) == len(known.stamps):
        return replace(known, there=there)
    of_epoch = {epoch: known.of_epoch[epoch] for epoch in stamps}
    return _Known(stamps, of_epoch, _joined({}, of_epoch), there)


def _joined(boxes: Boxes, more: Mapping[int, Mapping[str, Any]]) -> Boxes:
    """Boxes that hold ``boxes`` and those of every epoch in ``more``."""
    joined = {method: {layer: list(box) for layer, box in layers.items()} for method, layers in boxes.items()}
    for of_epoch in more.values():
        for method, layers in of_epoch.items():
            for layer, limits in layers.items():
                box = joined.setdefault(method, {}).setdefault(layer, list(limits))
                box[0::2] = map(min, box[0::2], limits[0::2])
                box[1::2] = map(max, box[1::2], limits[1::2])
    return joined
