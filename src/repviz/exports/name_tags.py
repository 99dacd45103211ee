"""Names of classes over a map that moves: at the median of their points, where no larger class has taken the place."""

from typing import TYPE_CHECKING

import numpy as np

from repviz.exports.footage import Footage
from repviz.exports.motion import Moment
from repviz.exports.paper import Paper
from repviz.figures.projection import label_positions

if TYPE_CHECKING:
    from repviz.exports.map_part import Box, Screen

_LONGEST = 150
"""Units that a name may be wide."""
_HEIGHT = 16


class NameTags:
    """Decided at the stops, so that a name fades in and out between two of them and never flickers."""

    def __init__(
        self, paper: Paper, footage: Footage, number: int, screen: "Screen", at: "Box", *, small: bool
    ) -> None:
        """Args: as of the map that the names are written on."""
        size = 10 if small else 12.5
        classes = [k for k in range(len(footage.classes)) if (footage.labels == k).any()]
        names = [paper.fitted(footage.classes[k], size, _LONGEST * paper.unit, 600) for k in classes]
        widths = np.array([paper.width_of(name, size, 600) for name in names])
        room = ((float(widths.sum()) / max(len(widths), 1) + 8 * paper.unit) / at[2], _HEIGHT * paper.unit / at[3])
        self._screen = screen
        self._places, self._seen = _tags(footage, number, classes, room)
        look = paper.look
        self._words = [paper.words(0, 0, size, look.text, 600, look.surface, ha="center") for _ in names]
        for words, name in zip(self._words, names, strict=True):
            words.words = name
        self._halves = widths / 2
        self._at, self._height, self._fall = at, _HEIGHT * paper.unit, 0.36 * size * paper.unit

    def show(self, moment: Moment) -> None:
        """Put the names where their classes are."""
        x, y = self._screen.pixels(moment.of(self._places))
        seen = moment.of(self._seen)
        left, top, width, height = self._at
        x = np.clip(x, left + self._halves, np.maximum(left + width - self._halves, left + self._halves))
        y = np.clip(y + self._fall, top + self._height, top + height)
        for words, u, v, opacity in zip(self._words, x, y, seen, strict=True):
            words.move(float(u), float(v))
            words.opacity = float(opacity)


def _tags(
    footage: Footage, number: int, classes: list[int], room: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Median place ``(stop, class, 2)`` and visibility ``(stop, class)`` of every name."""
    places = np.zeros((len(footage.stops), len(classes), 2))
    seen = np.zeros((len(footage.stops), len(classes)))
    for stop, points in enumerate(footage.places[:, number]):
        free = label_positions(points, footage.labels, classes, room)
        for i, k in enumerate(classes):
            places[stop, i] = np.median(points[footage.labels == k], axis=0)
            seen[stop, i] = k in free
    return places, seen
