"""Which colour is which class, which shape which split."""

from collections.abc import Sequence

import cairo
import numpy as np
from manim import Mobject

from repviz.scenes.lettering import PIXEL, words
from repviz.scenes.painting import Box, Painting, ink, marks
from repviz.theme import SPLIT_NAMES, SPLIT_SYMBOLS, Look, class_colors

NO_CLASS = -1
MOST_CLASSES = 20
"""Beyond some twenty classes colours cannot be told apart; the most frequent ones are named."""
_LINE = 0.25
_SIZE = 16


def named_classes(labels: np.ndarray, n_classes: int) -> list[int]:
    """The classes that are named: those there are, the most frequent if they are too many, in their order."""
    counts = np.bincount(labels[labels >= 0], minlength=n_classes)
    frequent = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    return sorted(int(k) for k in frequent if counts[k])


def legend(
    labels: np.ndarray, splits: np.ndarray | None, classes: Sequence[str], look: Look, box: Box
) -> list[Mobject]:
    """Two columns of classes, and a line of the splits there are, from the upper left corner of the box down."""
    chosen = named_classes(labels, len(classes))
    rest = len(set(labels[labels >= 0].tolist())) - len(chosen)
    colors = class_colors(len(classes))
    entries = [(classes[k], "circle", colors[k]) for k in chosen]
    if (labels == NO_CLASS).any():
        entries.append(("no class", "circle", look.no_class))
    rows = -(-len(entries) // 2)
    left, low, width, height = box
    top = low + height
    places = [(left + (k // rows) * width / 2, top - (k % rows + 0.7) * _LINE, width / 2) for k in range(len(entries))]
    if splits is not None:
        there = [k for k in range(len(SPLIT_NAMES)) if (splits == k).any()]
        entries += [(SPLIT_NAMES[k], SPLIT_SYMBOLS[k], look.muted) for k in there]
        places += [(left + i * width / 3, top - (rows + 1.1) * _LINE, width / 3) for i in range(len(there))]
    found: list[Mobject] = [
        words(name, _SIZE, look.text, (x + 0.2, y), room=room - 0.3)
        for (name, _, _), (x, y, room) in zip(entries, places, strict=True)
    ]
    if rest > 0:
        at = (left, top - (rows + (2.3 if splits is not None else 1.1)) * _LINE)
        found.append(words(f"and {rest} rarer classes", _SIZE, look.muted, at))

    def paint(context: cairo.Context) -> None:
        for (_, shape, color), (x, y, _) in zip(entries, places, strict=True):
            ink(context, color)
            marks(context, shape, np.array([[x + 0.07, y + 5.5 * PIXEL]]), 5 * PIXEL)

    still = Painting(paint)
    still.clear_updaters()
    return [still, *found]
