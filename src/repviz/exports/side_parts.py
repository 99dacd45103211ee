"""What stands beside the maps in a video: the epoch, the curves, the way through the layers, the legend."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from repviz.exports.footage import Footage
from repviz.exports.map_part import MARK_SCALES, MARKS, Box, color_of, present
from repviz.exports.motion import Moment
from repviz.exports.paper import Paper
from repviz.store.metrics_table import Row
from repviz.theme import SPLIT_NAMES

PAD = 18
"""Units between a card's edge and what is in it."""
_SHORT_NAMES = ("train", "val", "excl.")
_WIDEST = "00.00"
_LINE_HEIGHT = 17.0


class EpochPart:
    """The epoch as a number and as a bar that fills; the run's name under it."""

    def __init__(self, paper: Paper, footage: Footage, run_name: str, at: Box) -> None:
        """Args: where it is drawn, what of, the name to show, its box."""
        self._epochs = np.array(footage.epochs, float)
        unit, look = paper.unit, paper.look
        x, y, width, height = at
        paper.card(*at)
        left, base = x + PAD * unit, y + 46 * unit
        paper.text(left, base, "epoch", 14, look.muted)
        self._number = paper.words(left + 52 * unit, base, 34, look.text, 600)
        self._length = width - 2 * PAD * unit
        name = paper.fitted(run_name, 11, self._length)
        paper.text(left, y + height - 18 * unit, name, 11, look.muted)
        self._moves = self._epochs[-1] > self._epochs[0]
        if self._moves:
            paper.bar(left, base + 14 * unit, self._length, 4 * unit, look.grid)
            self._bar = paper.bar(left, base + 14 * unit, 0, 4 * unit, look.accent, moving=True)

    def show(self, moment: Moment) -> None:
        """Write the nearest epoch."""
        self._number.words = f"{self._epochs[moment.nearest]:.0f}"
        if self._moves:
            share = (moment.of(self._epochs) - self._epochs[0]) / (self._epochs[-1] - self._epochs[0])
            self._bar.set_width(self._length * float(share))


class CurvePart:
    """One measure of train, val and excluded over all epochs, bright up to now, with a mark and the value at it."""

    def __init__(
        self, paper: Paper, footage: Footage, rows: Sequence[Row], measure: str, at: Box, *, share: bool
    ) -> None:
        """Args: where it is drawn, what of, the metrics, ``loss`` or ``accuracy``, its box, and whether 0 to 1."""
        self._epochs = np.array(footage.epochs, float)
        unit, look = paper.unit, paper.look
        x, y, width, height = at
        paper.card(*at)
        paper.text(x + PAD * unit, y + 26 * unit, measure.capitalize(), 14, look.text, 600)
        curves = _curves(rows, measure)
        self._inner = (x + 52 * unit, y + 40 * unit, width - 70 * unit, height - 70 * unit)
        if not curves:
            left, top, wide, high = self._inner
            paper.text(left + wide / 2, top + high / 2, "not measured", 12, look.muted, ha="center")
        self._x, self._y = _scales(paper, self._inner, curves, self._epochs, share=share)
        self._moving = []
        named = _named(paper, curves, width - (2 * PAD + 12) * unit - paper.width_of(measure.capitalize(), 14, 600))
        right = x + width - PAD * unit
        for split in sorted(curves, reverse=True):
            epochs, values = curves[split]
            color = look.splits[split]
            paper.line(self._x(epochs), self._y(values), color, 2, alpha=0.3)
            bright = paper.line([], [], color, 2.2, moving=True)
            mark = paper.marks("o", color, 9, look.surface, 1.5)
            value = paper.words(right, y + 26 * unit, 12, look.text, ha="right") if split in named else None
            if value:
                end = right - paper.width_of(_WIDEST, 12) - 5 * unit
                paper.text(end, y + 26 * unit, _SHORT_NAMES[split], 12, color, 600, ha="right")
                right -= _name_width(paper, split)
            self._moving.append((epochs, values, bright, mark, value))

    def show(self, moment: Moment) -> None:
        """Go as far as the epoch of ``moment``."""
        now = float(moment.of(self._epochs))
        for epochs, values, bright, mark, value in self._moving:
            if not epochs[0] <= now:
                bright.set_data([], [])
                mark.place([], [])
                if value:
                    value.words = "–"
                continue
            here, height = min(now, epochs[-1]), float(np.interp(now, epochs, values))
            past = epochs < here
            bright.set_data(self._x(np.append(epochs[past], here)), self._y(np.append(values[past], height)))
            mark.place([self._x(here)], [self._y(height)])
            if value:
                value.words = f"{height:.2f}"


class LadderPart:
    """The layers from top to bottom; a mark goes from one to the next, with what a linear probe reads in each."""

    def __init__(self, paper: Paper, footage: Footage, accuracy: Mapping[str, float], at: Box) -> None:
        """Args: where it is drawn, what of, probe accuracy per layer where it was measured, its box."""
        unit, look = paper.unit, paper.look
        x, y, width, height = at
        paper.card(*at)
        paper.text(x + PAD * unit, y + 26 * unit, "Layers", 14, look.text, 600)
        if accuracy:
            paper.text(x + width - PAD * unit, y + 26 * unit, "accuracy of a linear probe", 12, look.muted, ha="right")
        n = len(footage.stops)
        gap = (height - 62 * unit) / max(n, 1)
        self._y = y + 56 * unit + gap * (np.arange(n) + 0.2)
        rail = x + (PAD + 5) * unit
        paper.line([rail, rail], self._y[[0, -1]], look.grid, 3)
        start, length = x + 0.48 * width, 0.52 * width - (PAD + 44) * unit
        for layer, line in zip(footage.stops, self._y, strict=True):
            paper.dot(rail, line, "o", look.muted, 7)
            name = paper.fitted(layer, 13, start - x - (PAD + 28) * unit)
            paper.text(x + (PAD + 20) * unit, line, name, 13, look.text, va="middle")
            if layer in accuracy:
                paper.bar(start, line - 4 * unit, length, 8 * unit, look.grid)
                paper.bar(start, line - 4 * unit, length * accuracy[layer], 8 * unit, look.splits[1])
                value = f"{accuracy[layer]:.2f}"
                paper.text(x + width - PAD * unit, line, value, 12, look.text, ha="right", va="middle")
        self._rail = rail
        self._mark = paper.marks("o", look.accent, 15, look.surface, 2)

    def show(self, moment: Moment) -> None:
        """Move the mark."""
        self._mark.place([self._rail], [moment.of(self._y)])


def draw_legend(paper: Paper, footage: Footage, at: Box, *, classes: bool = True) -> None:
    """Colours of the classes and shapes of the splits, in as many columns as their number asks for."""
    unit, look = paper.unit, paper.look
    x, y, width, height = at
    paper.card(*at)
    shown = present(footage) if classes else []
    room = height - (2 * PAD + 26) * unit
    per_column = max(1, int(room / (_LINE_HEIGHT * unit)))
    columns = max(1, -(-len(shown) // per_column))
    per_column = -(-len(shown) // columns)
    step = min(24 * unit, room / max(per_column, 1))
    column = (width - 2 * PAD * unit) / columns
    for i, k in enumerate(shown):
        u, v = x + PAD * unit + i // per_column * column, y + PAD * unit + (i % per_column + 0.5) * step
        paper.dot(u + 4 * unit, v, "o", color_of(paper, footage, k), 9)
        name = "no class" if k == -1 else footage.classes[k]
        paper.text(u + 15 * unit, v, paper.fitted(name, 12, column - 22 * unit), 12, look.text, va="middle")
    u, v = x + PAD * unit, y + height - 17 * unit
    for split, name in enumerate(SPLIT_NAMES):
        if (footage.splits == split).any():
            paper.dot(u + 4 * unit, v, MARKS[split], look.muted, 9 * MARK_SCALES[split])
            paper.text(u + 14 * unit, v, name, 12, look.muted, va="middle")
            u += paper.width_of(name, 12) + 36 * unit


def _curves(rows: Sequence[Row], measure: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Epochs and values of each split's column that was measured."""
    found = {}
    for split, prefix in enumerate(("train", "val", "excl")):
        pairs = [(row["epoch"], row[f"{prefix}_{measure}"]) for row in rows if f"{prefix}_{measure}" in row]
        if finite := [pair for pair in pairs if np.isfinite(pair[1])]:
            epochs, values = np.array(finite, float).T
            found[split] = (epochs, values)
    return found


def _name_width(paper: Paper, split: int) -> float:
    return paper.width_of(_WIDEST, 12) + paper.width_of(_SHORT_NAMES[split], 12, 600) + 19 * paper.unit


def _named(paper: Paper, splits: Iterable[int], room: float) -> list[int]:
    """Splits for whose name and value there is room, the most important first."""
    named = []
    for split in (1, 0, 2):
        if split in splits and _name_width(paper, split) <= room:
            named.append(split)
            room -= _name_width(paper, split)
    return named


def _scales(paper: Paper, inner: Box, curves: Mapping, epochs: np.ndarray, *, share: bool) -> tuple:
    """Draws grid and ticks; gives the functions from epochs and values to pixels."""
    unit, look = paper.unit, paper.look
    left, top, width, height = inner
    last = max([epochs[-1], *(found[0][-1] for found in curves.values())])
    first = min([epochs[0], *(found[0][0] for found in curves.values())])
    values = np.concatenate([found[1] for found in curves.values()]) if curves else np.array([0.0, 1.0])
    low, high = (0.0, 1.0) if share else (min(0.0, float(values.min())), float(values.max()))
    ticks = MaxNLocator(nbins=2 if height < 90 * unit else 4, steps=[1, 2, 5, 10]).tick_values(low, high)
    low, high = min(low, ticks[0]), ticks[-1]
    y_of = lambda v: top + height * (1 - (np.asarray(v) - low) / (high - low))  # noqa: E731
    x_of = lambda e: left + width * (np.asarray(e) - first) / max(last - first, 1)  # noqa: E731
    for tick in ticks:
        paper.line([left, left + width], [y_of(tick)] * 2, look.grid, 1)
        paper.text(left - 8 * unit, y_of(tick), f"{tick:g}", 11, look.muted, ha="right", va="middle")
    for tick in MaxNLocator(nbins=5, integer=True).tick_values(first, max(last, first + 1)):
        if first <= tick <= max(last, first + 1):
            paper.text(x_of(tick), top + height + 17 * unit, f"{tick:.0f}", 11, look.muted, ha="center")
    return x_of, y_of
