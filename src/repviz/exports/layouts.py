"""How a video's picture is laid out: maps on the left, a column of cards on the right."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from repviz.exports.footage import Footage, chosen_layer, over_epochs, through_layers
from repviz.exports.map_part import Box, MapPart
from repviz.exports.motion import Moment
from repviz.exports.panel_parts import panel_part
from repviz.exports.paper import Paper
from repviz.exports.side_parts import CurvePart, EpochPart, LadderPart, draw_legend
from repviz.exports.video import VideoSettings
from repviz.run import Run
from repviz.store.metrics_table import read_metrics

MOST_IN_LEGEND = 21
"""Twenty classes and the points that have none; more are named on the map."""
_TOLD_BY_COLOR = 10
"""More classes than colour alone can tell apart: their names stand on the map as well."""
_MARGIN, _GAP = 24, 16


class Part(Protocol):
    """Something that changes from frame to frame."""

    def show(self, moment: Moment) -> None:
        """Be as at ``moment``."""


@dataclass(frozen=True)
class Scene:
    """A composed picture.

    Attributes:
        footage: what it shows.
        paper: what it is drawn on.
        parts: what changes.
    """

    footage: Footage
    paper: Paper
    parts: list[Part]

    def picture(self, moment: Moment) -> np.ndarray:
        """The frame of a moment, ``(height, width, 3)`` uint8."""
        for part in self.parts:
            part.show(moment)
        return self.paper.picture()


def compose(run: Run, settings: VideoSettings) -> Scene:
    """Lay the picture out; see ``frames`` for errors."""
    if settings.layout == "film":
        footage = through_layers(run, settings.method)
    else:
        layers = None if settings.layout == "grid" else [chosen_layer(run, settings.layer)]
        footage = over_epochs(run, layers, settings.method)
    paper = Paper(settings.size, settings.theme)
    left, right = _halves(paper, wide=settings.layout in ("curves", "film"))
    legend = len(footage.classes) < MOST_IN_LEGEND
    if settings.panel != "none":
        legend = False  # the panel has its place: the map names its classes
    names = len(footage.classes) > _TOLD_BY_COLOR and settings.layout != "grid"
    cells = _cells(left, footage.places.shape[1], _GAP * paper.unit)
    small = len(cells) > 1
    parts: list[Part] = [
        MapPart(paper, footage, number, cell, small=small, names=names or not legend)
        for number, cell in enumerate(cells)
    ]
    parts += _side(paper, footage, run, settings, right, legend=legend)
    return Scene(footage, paper, parts)


def _side(
    paper: Paper, footage: Footage, run: Run, settings: VideoSettings, column: Box, *, legend: bool
) -> list[Part]:
    """The cards of the right column; the last one takes the room that is left."""
    fixed = {"curves": [104, 152, 152], "film": [104, 290]}.get(settings.layout, [104])
    boxes = _stacked(column, [height * paper.unit for height in fixed], _GAP * paper.unit)
    parts: list[Part] = [EpochPart(paper, footage, run.name, boxes[0])]
    if settings.layout == "curves":
        rows = read_metrics(run.path)
        parts.append(CurvePart(paper, footage, rows, "loss", boxes[1], share=False))
        parts.append(CurvePart(paper, footage, rows, "accuracy", boxes[2], share=True))
    if settings.layout == "film":
        parts.append(LadderPart(paper, footage, _probe_accuracy(run, footage.epochs[0]), boxes[1]))
    if settings.panel == "none":
        draw_legend(paper, footage, boxes[-1], classes=legend)
    else:
        parts.append(panel_part(paper, footage, run, settings.panel, boxes[-1]))
    return parts


def _halves(paper: Paper, *, wide: bool) -> tuple[Box, Box]:
    """The room of the maps, and the column beside it."""
    margin, gap = _MARGIN * paper.unit, _GAP * paper.unit
    column = min((360 if wide else 250) * paper.unit, 0.42 * paper.width)
    height = paper.height - 2 * margin
    room = paper.width - 2 * margin - gap - column
    return (margin, margin, room, height), (margin + room + gap, margin, column, height)


def _stacked(column: Box, fixed: list[float], gap: float) -> list[Box]:
    x, y, width, height = column
    boxes = []
    for part in fixed:
        boxes.append((x, y, width, part))
        y, height = y + part + gap, height - part - gap
    return [*boxes, (x, y, width, height)]


def _cells(room: Box, n: int, gap: float) -> list[Box]:
    """``n`` cells in the grid that gives them the largest smaller side."""
    x, y, width, height = room

    def cell(columns: int) -> tuple[float, float]:
        rows = -(-n // columns)
        return (width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows

    columns = max(range(1, n + 1), key=lambda c: (min(cell(c)), -c))
    wide, high = cell(columns)
    return [(x + i % columns * (wide + gap), y + i // columns * (high + gap), wide, high) for i in range(n)]


def _probe_accuracy(run: Run, epoch: int) -> dict[str, float]:
    """Accuracy of each layer's linear probe at ``epoch``, where it was measured."""
    if epoch not in run.epochs("probe"):
        return {}
    probe = run.read("probe", epoch)
    pairs = zip(probe["layer"].values, probe["accuracy"].values, strict=True)
    return {str(layer): float(value) for layer, value in pairs if np.isfinite(value)}
