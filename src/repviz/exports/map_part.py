"""A map in a video: its card, its points, the names of classes over them, and how far it can be trusted."""

import numpy as np

from repviz.exports.footage import Footage
from repviz.exports.motion import Moment
from repviz.exports.moving import Marks
from repviz.exports.name_tags import NameTags
from repviz.exports.paper import Paper
from repviz.theme import SPLIT_SIZES, class_colors

MARKS = ("o", "D", "X")
"""Matplotlib's names of the shapes of train, val and excluded points: circle, diamond, x."""
MARK_SCALES = (1.0, 0.8, 1.0)
"""A diamond is as wide as it is high: as wide as a circle it would look larger."""
_ROOM_AT_SCALE_1 = 30
_INNER = 18
_OPACITY = 0.88
_RIM = 0.5

Box = tuple[float, float, float, float]
"""x, y, width and height in pixels."""


class MapPart:
    """One map; ``show`` puts its points where they are at a moment."""

    def __init__(self, paper: Paper, footage: Footage, number: int, at: Box, *, small: bool, names: bool) -> None:
        """Args: where it is drawn, map ``number`` of the footage, its box, small type, and names over the points."""
        self._footage, self._number = footage, number
        unit, look = paper.unit, paper.look
        x, y, width, height = at
        paper.card(x, y, width, height)
        size = 15 if small else 22
        pad = (14 if small else 22) * unit
        self._room = width - 2 * pad
        self._paper, self._title_size = paper, size
        baseline = y + pad + 0.75 * size * unit
        self._title = paper.words(x + pad, baseline, size, look.text, 600)
        line = baseline + (18 if small else 25) * unit
        self._note_size = 11.5 if small else 13.5
        self._note = paper.words(x + pad, line, self._note_size, look.muted)
        top = line + 6 * unit
        inner = (x + _INNER * unit, top, width - 2 * _INNER * unit, y + height - _INNER * unit - top)
        self.screen = Screen(footage.box(number), inner)
        if footage.blank[number]:
            middle = (inner[0] + inner[2] / 2, inner[1] + inner[3] / 2)
            paper.text(*middle, "no such map of this layer", 13, look.muted, ha="center", va="middle")
        self._clouds = [] if footage.blank[number] else _clouds(paper, footage, inner)
        tagged = names and not footage.blank[number]
        self.tags = NameTags(paper, footage, number, self.screen, inner, small=small) if tagged else None

    def show(self, moment: Moment) -> None:
        """Move everything to where it is at ``moment``."""
        footage, number = self._footage, self._number
        note = " · ".join(part for part in (footage.method, footage.notes[moment.nearest][number]) if part)
        self._note.words = self._paper.fitted(note, self._note_size, self._room)
        title = footage.titles[moment.nearest][number]
        self._title.words = self._paper.fitted(title, self._title_size, self._room, 600)
        x, y = self.screen.pixels(moment.of(footage.places[:, number]))
        for rows, cloud in self._clouds:
            cloud.place(x[rows], y[rows])
        if self.tags:
            self.tags.show(moment)


class Screen:
    """From a map's coordinates to pixels: the same scale on both axes, the map in the middle."""

    def __init__(self, box: Box, at: Box) -> None:
        """Args: x_min, x_max, y_min, y_max of the map; where it is drawn."""
        x_min, x_max, y_min, y_max = box
        x, y, width, height = at
        wide, high = x_max - x_min, y_max - y_min
        scales = [room / extent for room, extent in ((width, wide), (height, high)) if extent > 0]
        self.scale = min(scales, default=1.0)
        self.middle = (x + width / 2, y + height / 2)
        self.center = ((x_min + x_max) / 2, (y_min + y_max) / 2)

    def pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y in pixels of ``(..., 2)`` coordinates."""
        return (
            self.middle[0] + (points[..., 0] - self.center[0]) * self.scale,
            self.middle[1] - (points[..., 1] - self.center[1]) * self.scale,
        )


def present(footage: Footage) -> list[int]:
    """Classes that have points, -1 (none of the classes) last."""
    return [k for k in [*range(len(footage.classes)), -1] if (footage.labels == k).any()]


def color_of(paper: Paper, footage: Footage, k: int) -> str:
    """Colour of a class."""
    return paper.look.no_class if k == -1 else class_colors(len(footage.classes))[k]


def _clouds(paper: Paper, footage: Footage, inner: Box) -> list[tuple[np.ndarray, Marks]]:
    """One line of marks per class and split: many times faster than one collection with a colour per point.

    Train first and val on top: fewer, and they matter more. The fewer points on the larger card, the larger they are.
    """
    room = inner[2] * inner[3] / paper.unit**2 / len(footage.labels)
    scale = min(1.7, max(0.55, (room / _ROOM_AT_SCALE_1) ** 0.3))
    found = []
    for split in (0, 2, 1):
        for k in reversed(present(footage)):
            rows = np.flatnonzero((footage.labels == k) & (footage.splits == split))
            if len(rows):
                size = SPLIT_SIZES[split] * MARK_SCALES[split] * scale
                color = color_of(paper, footage, k)
                marks = paper.marks(MARKS[split], color, size, paper.look.outline, _RIM, _OPACITY)
                found.append((rows, marks))
    return found
