"""Words in the dashboard's type, set on a baseline."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import cairo
import manimpango
import numpy as np
from manim import Text, tempconfig

from repviz.scenes.painting import Painting, ink

FAMILY = "Inter Repviz"
PIXEL = 8 / 720
"""One pixel of a picture that is 720 high, in units of the scene; sizes are given in such pixels, as for videos."""
_CAPITAL = 0.727
"""Height of Inter's capitals as a share of the size."""
_SET_AT = 96
"""Size at which Pango sets the words: at small ones it rounds the distances between letters."""
_WIDEST = 100_000
"""Pixels after which Pango begins a new line, far beyond what is written."""


class Line(NamedTuple):
    """A line of text as curves.

    Attributes:
        strokes: closed outlines, each ``(n, 4, 2)``: start, two handles and end of cubic curves; baseline at height 0.
        left, right: where it begins and ends.
    """

    strokes: list[np.ndarray]
    left: float
    right: float

    @property
    def width(self) -> float:
        """In units of the scene."""
        return self.right - self.left


class Words(Painting):
    """A line of text that stands still."""

    def __init__(self, line: Line, color: str, at: tuple[float, float], anchor: str, angle: float) -> None:
        """Args: as of ``write``."""
        super().__init__(lambda context: write(context, line, color, at, anchor, angle))
        self.clear_updaters()
        self.line = line


def words(
    text: str,
    size: float,
    color: str,
    at: tuple[float, float],
    *,
    bold: bool = False,
    anchor: str = "left",
    room: float | None = None,
    angle: float = 0.0,
) -> Words:
    """One line of text that stands still, its baseline and its ``left``, ``center`` or ``right`` end at ``at``.

    Args:
        text: never read as markup or mathematics.
        size: in pixels of a picture that is 720 high.
        color: ``#rrggbb``.
        at: in units of the scene.
        bold: in the weight of titles.
        anchor: which end is at ``at``.
        room: width in units of the scene; what is longer is cut with an ellipsis.
        angle: by which it is turned, in radians.
    """
    return Words(fitted_line(text, size, bold, room), color, at, anchor, angle)


def changing(
    texts: Sequence[str],
    size: float,
    color: str,
    at: tuple[float, float],
    chosen: Callable[[], int | None],
    *,
    bold: bool = False,
    anchor: str = "left",
    room: float | None = None,
) -> Painting:
    """Words of which ``chosen`` says which are seen now, None for none; else as ``words``."""
    lines = [fitted_line(text, size, bold, room) for text in texts]

    def paint(context: cairo.Context) -> None:
        number = chosen()
        if number is not None:
            write(context, lines[number], color, at, anchor)

    return Painting(paint)


def write(
    context: cairo.Context, line: Line, color: str, at: tuple[float, float], anchor: str = "left", angle: float = 0.0
) -> None:
    """Draw a line of text, its baseline and its ``anchor`` end at ``at``, turned there by ``angle`` (radians)."""
    end = {"left": line.left, "center": (line.left + line.right) / 2, "right": line.right}[anchor]
    context.save()
    context.translate(*at)
    context.rotate(angle)
    context.translate(-end, 0)
    ink(context, color)
    for stroke in line.strokes:
        context.move_to(*stroke[0, 0])
        for _, one, other, to in stroke.tolist():
            context.curve_to(*one, *other, *to)
        context.close_path()
    context.fill()
    context.restore()


@cache
def fitted_line(text: str, size: float, bold: bool = False, room: float | None = None) -> Line:
    """``text`` as curves, cut with an ellipsis where it is wider than ``room``."""
    text = " ".join(text.split())
    line = _set(text, size, bold)
    if room is not None and line.width > room:
        kept = max(1, int(len(text) * room / line.width) - 1)
        line = _set(text[:kept].rstrip() + "…", size, bold)
    return line


def _set(text: str, size: float, bold: bool) -> Line:
    """An H before the words, taken away again, says where the baseline is."""
    _register_fonts()
    with tempconfig({"pixel_width": _WIDEST}):
        ruled = Text(f"H{text}", font=FAMILY, font_size=_SET_AT, weight="SEMIBOLD" if bold else "NORMAL")
    ruler, *letters = ruled.submobjects
    scale, base = _CAPITAL * size * PIXEL / ruler.height, ruler.get_bottom()[1]
    outlines = [path for letter in letters for path in letter.get_subpaths()]
    strokes = [scale * (np.reshape(path[:, :2], (-1, 4, 2)) - [0.0, base]) for path in outlines if len(path)]
    if not strokes:
        return Line([], 0.0, 0.0)
    across = np.concatenate([stroke[..., 0].ravel() for stroke in strokes])
    return Line(strokes, float(across.min()), float(across.max()))


@cache
def _register_fonts() -> None:
    for file in sorted(resources.files("repviz.exports").joinpath("fonts").iterdir(), key=str):
        if file.name.endswith(".ttf"):
            with resources.as_file(file) as path:
                manimpango.register_font(str(path))
