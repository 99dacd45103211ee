"""A picture drawn in pixels with Matplotlib's Agg: what stands still is drawn once, what moves on top of a copy of it.

Drawing a whole Matplotlib figure per frame is several times slower. ``pyplot`` is not used: it keeps figures alive and
looks for a window system.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import resources

import numpy as np
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text

from repviz.exports.moving import Lettering, Marks, Style, Words, rgba
from repviz.theme import LOOKS, Theme

DPI = 100
POINTS_PER_PIXEL = 72 / DPI
_OTHER_SCRIPTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
)
"""Fonts for what neither Inter nor DejaVu Sans has, used where the machine has them."""

_MIDDLE = 0.36
"""Height of the middle of small letters over the baseline, as a share of the size."""

Color = str | tuple[float, float, float, float]


class Paper:
    """Pixels from the upper left corner; ``unit`` is one pixel of a picture that is 720 high."""

    def __init__(self, size: tuple[int, int], theme: Theme) -> None:
        """Args: width and height in pixels, and the theme."""
        self.width, self.height = size
        self.unit = min(self.height / 720, self.width / 720)
        self.look = LOOKS[theme]
        figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI, facecolor=self.look.page)
        self._canvas = FigureCanvasAgg(figure)
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        self._moving: list[Artist] = []
        self._still = None
        self._fonts = families()
        self._lettering = Lettering(DPI)
        self._widths: dict[tuple[str, float, int], float] = {}

    def card(self, x: float, y: float, width: float, height: float) -> None:
        """A rounded surface, as the dashboard's."""
        shape = FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={10 * self.unit}",
            facecolor=self.look.surface,
            edgecolor=self.look.grid,
            linewidth=self.unit * POINTS_PER_PIXEL,
        )
        self._axes.add_patch(shape)

    def bar(self, x: float, y: float, width: float, height: float, color: Color, *, moving: bool = False) -> Rectangle:
        """A filled rectangle."""
        shape = Rectangle((x, y), width, height, facecolor=color, linewidth=0)
        self._axes.add_patch(shape)
        return self._keep(shape, moving)

    def line(
        self, x: np.ndarray, y: np.ndarray, color: Color, width: float, *, moving: bool = False, **style: object
    ) -> Line2D:
        """A line ``width`` units wide."""
        style = {"solid_joinstyle": "round", "solid_capstyle": "round"} | style
        drawn = Line2D(x, y, color=color, linewidth=width * self.unit * POINTS_PER_PIXEL, **style)
        self._axes.add_line(drawn)
        return self._keep(drawn, moving)

    def marks(self, shape: str, color: str, size: float, edge: str, edge_width: float, opacity: float = 1.0) -> Marks:
        """Marks that move, ``size`` units across with a rim of ``edge_width`` units; ``place`` says where."""
        face, rim = rgba(color, opacity), rgba(edge, opacity)
        drawn = Marks(shape, size * self.unit, face, rim, edge_width * self.unit, self.height)
        return self._keep(drawn, True)

    def dot(self, x: float, y: float, shape: str, color: str, size: float) -> None:
        """One mark that stands still."""
        size *= self.unit * POINTS_PER_PIXEL
        self._axes.add_line(Line2D([x], [y], linestyle="", marker=shape, markersize=size, color=color, mew=0))

    def text(self, x: float, y: float, text: str, size: float, color: str, weight: int = 400, **place: str) -> None:
        """A line of text ``size`` units high that stands still; never read as mathematics.

        ``place``: ``ha`` left, center or right; ``va`` baseline or middle.
        """
        self._axes.text(
            x,
            self._baseline(y, size, place),
            text,
            fontsize=size * self.unit * POINTS_PER_PIXEL,
            fontweight=weight,
            fontfamily=self._fonts,
            color=color,
            ha=place.get("ha", "left"),
            va="baseline",
            parse_math=False,
        )

    def words(
        self, x: float, y: float, size: float, color: str, weight: int = 400, halo: str | None = None, **place: str
    ) -> Words:
        """A line of text that moves or changes; ``place`` as for ``text``."""
        rim = 2.4 * self.unit if halo else 0.0
        style = Style(self._fonts, size * self.unit * POINTS_PER_PIXEL, weight, color, halo, rim)
        origin = (x, self._baseline(y, size, place))
        return self._keep(Words(self._lettering, style, *origin, place.get("ha", "left"), self.height), True)

    def image(
        self, pixels: np.ndarray, x: float, y: float, width: float, height: float, interpolation: str
    ) -> AxesImage:
        """An RGB image that changes, its first row on top."""
        extent = (x, x + width, y + height, y)
        drawn = self._axes.imshow(pixels, extent=extent, interpolation=interpolation, aspect="auto")
        self._axes.set_xlim(0, self.width)  # imshow takes the limits for its own
        self._axes.set_ylim(self.height, 0)
        return self._keep(drawn, True)

    def width_of(self, text: str, size: float, weight: int = 400) -> float:
        """Pixels that a text is wide."""
        if (text, size, weight) in self._widths:
            return self._widths[text, size, weight]
        probe = Text(0, 0, text, fontfamily=self._fonts, fontweight=weight, parse_math=False)
        probe.set_fontsize(size * self.unit * POINTS_PER_PIXEL)
        probe.set_figure(self._canvas.figure)
        with _quiet_about_glyphs():
            width = probe.get_window_extent(self._canvas.get_renderer()).width
        return self._widths.setdefault((text, size, weight), width)

    def fitted(self, text: str, size: float, room: float, weight: int = 400) -> str:
        """``text``, cut with an ellipsis where it is wider than ``room`` pixels."""
        text = " ".join(text.split())
        if self.width_of(text, size, weight) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.width_of(text[:middle].rstrip() + "…", size, weight) <= room
            low, high = (middle, high) if fits else (low, middle - 1)
        return text[:low].rstrip() + "…"

    def picture(self) -> np.ndarray:
        """``(height, width, 3)`` uint8: what stands still, and what moves where it is now."""
        with _quiet_about_glyphs():
            if self._still is None:
                self._canvas.draw()
                self._still = self._canvas.copy_from_bbox(self._canvas.figure.bbox)
            self._canvas.restore_region(self._still)
            renderer = self._canvas.get_renderer()
            for artist in self._moving:
                artist.draw(renderer)
        return np.asarray(self._canvas.buffer_rgba())[:, :, :3].copy()

    def _baseline(self, y: float, size: float, place: dict[str, str]) -> float:
        return y + _MIDDLE * size * self.unit if place.get("va") == "middle" else y

    def _keep(self, artist: Artist, moving: bool) -> Artist:
        if moving:
            artist.set_animated(True)
            self._moving.append(artist)
        return artist


@cache
def families() -> tuple[str, ...]:
    """Inter, then what has the characters that Inter lacks."""
    for file in sorted(resources.files("repviz.exports").joinpath("fonts").iterdir(), key=str):
        if file.name.endswith(".ttf"):
            with resources.as_file(file) as path:
                font_manager.fontManager.addfont(path)
    known = set(font_manager.fontManager.get_font_names())
    return ("Inter Repviz", "DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in known))


@contextlib.contextmanager
def _quiet_about_glyphs() -> Iterator[None]:
    """A character that no font has is drawn as a box; a warning at every frame would tell nobody more."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            yield
    finally:
        log.setLevel(before)
