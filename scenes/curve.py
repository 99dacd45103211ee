"""A small chart of one or two measures over epochs, with a mark at the present one."""

from collections.abc import Callable, Sequence

import cairo
import numpy as np
from manim import Mobject
from matplotlib.ticker import MaxNLocator

from repviz.run import Run
from repviz.scenes.lettering import PIXEL, words
from repviz.scenes.painting import Box, Painting, ink, marks, polyline
from repviz.theme import SPLIT_NAMES, Look

Line = tuple[str, str, np.ndarray, np.ndarray]
"""Name, colour, epochs, values."""


def metric_lines(run: Run, measure: str, look: Look) -> list[Line]:
    """``loss`` or ``accuracy`` of train and val; NaN where it was not measured."""
    table = run.metrics()
    epochs = table["epoch"].to_numpy(float)
    named = zip(SPLIT_NAMES[:2], look.splits[:2], strict=True)
    return [(name, color, epochs, table[f"{name}_{measure}"].to_numpy(float)) for name, color in named]


def chart(title: str, lines: Sequence[Line], now: Callable[[], float], look: Look, box: Box) -> list[Mobject]:
    """Title, axes and lines, pale over all epochs, bright up to ``now``; values that are not finite are left out."""
    finite = [np.isfinite(values) for _, _, _, values in lines]
    lines = [(n, c, x[ok], y[ok]) for (n, c, x, y), ok in zip(lines, finite, strict=True) if ok.any()]
    left, low, width, height = box
    still: list[Mobject] = [words(title, 17, look.text, (left, low + height - 0.2), bold=True)]
    if not lines:
        return [*still, words("not measured", 16, look.muted, (left, low + height - 0.5))]
    inner = (left + 0.5, low + 0.42, width - 0.6, height - 0.85)
    epochs = np.concatenate([line[2] for line in lines])
    values = np.concatenate([line[3] for line in lines])
    ticks = MaxNLocator(nbins=3, steps=[1, 2, 5, 10]).tick_values(values.min(), values.max())
    first, last = epochs.min(), max(epochs.max(), epochs.min() + 1)

    def place(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        across = inner[0] + (x - first) / (last - first) * inner[2]
        return np.stack([across, inner[1] + (y - ticks[0]) / (ticks[-1] - ticks[0]) * inner[3]], axis=-1)

    for tick in ticks:
        y = place(first, tick)[1]
        still.append(words(f"{tick:.3g}", 15, look.muted, (inner[0] - 0.1, y - 0.05), anchor="right"))
    for epoch, anchor in ((first, "left"), (last, "right")):
        at = (place(epoch, ticks[0])[0], inner[1] - 0.25)
        still.append(words(f"{epoch:.0f}", 15, look.muted, at, anchor=anchor))
    still.append(words("epoch", 15, look.muted, (inner[0] + inner[2] / 2, inner[1] - 0.25), anchor="center"))
    right = left + width
    for name, color, _, _ in reversed(lines):
        label = words(name, 16, color, (right, low + height - 0.2), bold=True, anchor="right")
        still.append(label)
        right -= label.line.width + 0.2

    def paint(context: cairo.Context) -> None:
        ink(context, look.grid)
        for tick in ticks:
            polyline(context, place(np.array([first, last]), np.array([tick, tick])), PIXEL)
        here = now()
        for _, color, x, y in lines:
            ink(context, color, 0.3)
            polyline(context, place(x, y), 2 * PIXEL)
            if here < x[0]:
                continue
            past, end = x < here, min(here, x[-1])
            height_now = float(np.interp(end, x, y))
            ink(context, color)
            polyline(context, place(np.append(x[past], end), np.append(y[past], height_now)), 2.4 * PIXEL)
            marks(context, "circle", place(np.array([end]), np.array([height_now])), 4.5 * PIXEL)

    return [*still, Painting(paint)]
