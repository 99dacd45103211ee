"""What moves on a picture, drawn straight onto Agg's canvas: marks, and words that are rendered once and kept.

Matplotlib's own line and text objects lay themselves out anew at each frame, which takes longer than the drawing.
"""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Affine2D, IdentityTransform


class Marks(Artist):
    """Marks of one shape, size and colour at places that change."""

    def __init__(self, shape: str, size: float, face: tuple, edge: tuple, edge_width: float, height: int) -> None:
        """Args: Matplotlib's name of the shape, pixels across, RGBA of inside and rim, rim's and picture's pixels."""
        super().__init__()
        style = MarkerStyle(shape)
        self._path, self._shape = style.get_path(), style.get_transform() + Affine2D().scale(size)
        self._face, self._edge, self._edge_width = face, edge, edge_width
        self._height = height
        self._places = Path(np.zeros((0, 2)))

    def place(self, x: np.ndarray, y: np.ndarray) -> None:
        """Put the marks at pixels, counted from the upper left corner."""
        self._places = Path(np.column_stack([x, self._height - np.asarray(y)]))

    def draw(self, renderer: RendererBase) -> None:
        """Draw them."""
        context = renderer.new_gc()
        context.set_foreground(self._edge, isRGBA=True)
        context.set_linewidth(self._edge_width)
        renderer.draw_markers(context, self._path, self._shape, self._places, IdentityTransform(), self._face)
        context.restore()


@dataclass(frozen=True)
class Style:
    """How words look.

    Attributes:
        families: fonts, the first that has a character draws it.
        points: size.
        weight: 400 or 600.
        color: of the letters.
        halo: colour of the rim around them, None for none.
        halo_points: width of that rim.
    """

    families: tuple[str, ...]
    points: float
    weight: int
    color: str
    halo: str | None = None
    halo_points: float = 0.0


@dataclass
class Lettering:
    """Words as pictures; each is rendered once.

    Attributes:
        dpi: of the canvas that they are drawn on.
        kept: what was rendered: RGBA pixels, and where their lower left corner is, seen from the text's origin.
    """

    dpi: float
    kept: dict[tuple[str, Style], tuple[np.ndarray, tuple[int, int], float]] = field(default_factory=dict)

    def render(self, text: str, style: Style) -> tuple[np.ndarray, tuple[int, int], float]:
        """Pixels, corner and width of ``text``."""
        key = (text, style)
        if key not in self.kept:
            self.kept[key] = self._render(text, style)
        return self.kept[key]

    def _render(self, text: str, style: Style) -> tuple[np.ndarray, tuple[int, int], float]:
        canvas = FigureCanvasAgg(Figure(figsize=(1, 1), dpi=self.dpi, facecolor="none"))
        words = canvas.figure.text(
            0, 0, text, fontsize=style.points, fontweight=style.weight, fontfamily=style.families, parse_math=False
        )
        words.set_color(style.color)
        room = words.get_window_extent(canvas.get_renderer())
        rim = int(np.ceil(style.halo_points * self.dpi / 72)) + 1
        left, low = int(np.floor(room.x0)) - rim, int(np.floor(room.y0)) - rim
        wide, high = int(np.ceil(room.x1)) + rim - left, int(np.ceil(room.y1)) + rim - low
        canvas.figure.set_size_inches(wide / self.dpi, high / self.dpi)
        words.set_position((-left / wide, -low / high))
        if style.halo:
            words.set_path_effects([withStroke(linewidth=style.halo_points, foreground=style.halo)])
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[::-1].copy(), (left, low), room.width


class Words(Artist):
    """One line of text that moves, changes or fades."""

    def __init__(self, lettering: Lettering, style: Style, x: float, y: float, anchor: str, height: int) -> None:
        """Args: what renders it, its look, its origin, ``left``, ``center`` or ``right``, height of the picture."""
        super().__init__()
        self._lettering, self._style = lettering, style
        self._share = {"left": 0.0, "center": 0.5, "right": 1.0}[anchor]
        self._height = height
        self.words, self.opacity = "", 1.0
        self.move(x, y)

    def move(self, x: float, y: float) -> None:
        """Put the origin, at the height of the baseline, there."""
        self._x, self._y = x, y

    def draw(self, renderer: RendererBase) -> None:
        """Draw it."""
        if not self.words or self.opacity <= 0.01:
            return
        pixels, (left, low), width = self._lettering.render(self.words, self._style)
        x = round(self._x - self._share * width) + left
        y = round(self._height - self._y) + low
        context = renderer.new_gc()
        context.set_alpha(self.opacity)
        renderer.draw_image(context, x, y, pixels)
        context.restore()


def rgba(color: str, opacity: float = 1.0) -> tuple[float, float, float, float]:
    """Red, green, blue and alpha, 0 to 1, of ``#rrggbb`` or ``rgba(r,g,b,a)``."""
    if color.startswith("rgba("):
        red, green, blue, alpha = (float(part) for part in color[5:-1].split(","))
        return (red / 255, green / 255, blue / 255, alpha * opacity)
    return to_rgba(color, opacity)
