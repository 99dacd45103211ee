"""Drawing straight onto the canvas of Manim's camera: a cloud, a raster or a mesh is one mobject.

Manim keeps a Bézier path for every shape; of some thousand points, or of the faces of a surface, it draws a frame in
half a second. The same shapes given to Cairo at once take a tenth of that, at any size of the picture.
"""

from collections.abc import Callable
from functools import cache

import cairo
import numpy as np
from manim import Camera, ManimColor, Mobject

Paint = Callable[[cairo.Context], None]
Box = tuple[float, float, float, float]
"""Left, bottom, width and height, in units of the scene: the picture is eight high."""


class Painting(Mobject):
    """A mobject that is drawn anew at every frame, by a function of Cairo's context in units of the scene."""

    def __init__(self, paint: Paint) -> None:
        super().__init__()
        self.points = np.zeros((1, 3))  # the camera passes over what has no point
        self.paint = paint
        self.add_updater(_as_it_is)  # what has an updater counts as moving


class PaintingCamera(Camera):
    """Manim's camera, that also draws ``Painting``."""

    def type_or_raise(self, mobject: Mobject) -> type[Mobject]:
        """The class by which the mobject is drawn."""
        known = super().type_or_raise(mobject)
        if not isinstance(mobject, Painting):
            return known
        self.display_funcs[Painting] = self._display_paintings
        return Painting

    def _display_paintings(self, paintings: list[Painting], pixels: np.ndarray) -> None:
        context = self.get_cairo_context(pixels)
        for painting in paintings:
            context.save()
            painting.paint(context)
            context.restore()


def ink(context: cairo.Context, color: str | np.ndarray, opacity: float = 1.0) -> None:
    """Draw with ``color`` from now on: ``#rrggbb``, or red, green and blue from 0 to 1."""
    red, green, blue = rgb(color) if isinstance(color, str) else color
    context.set_source_rgba(blue, green, red, opacity)  # Manim's pixels are RGBA, Cairo takes them for BGRA


@cache
def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 1, of ``#rrggbb``."""
    return tuple(ManimColor(color).to_rgb().tolist())


def marks(context: cairo.Context, shape: str, places: np.ndarray, radius: float) -> None:
    """Draw a ``circle``, ``diamond`` or ``x`` at each of the ``(n, 2)`` places that is finite."""
    for x, y in places[np.isfinite(places).all(axis=1)].tolist():
        if shape == "circle":
            context.arc(x, y, radius, 0, 2 * np.pi)
            context.fill()
        elif shape == "diamond":
            context.move_to(x - radius, y)
            for corner in ((x, y + radius), (x + radius, y), (x, y - radius)):
                context.line_to(*corner)
            context.close_path()
            context.fill()
        else:
            context.set_line_width(0.5 * radius)
            for slope in (1, -1):
                context.move_to(x - 0.8 * radius, y - 0.8 * slope * radius)
                context.line_to(x + 0.8 * radius, y + 0.8 * slope * radius)
            context.stroke()


def polyline(context: cairo.Context, points: np.ndarray, width: float, dash: tuple[float, ...] = ()) -> None:
    """Draw a line through ``(n, 2)`` points, with round ends; gaps where one is not finite."""
    context.set_line_width(width)
    context.set_line_cap(cairo.LINE_CAP_ROUND)
    context.set_line_join(cairo.LINE_JOIN_ROUND)
    context.set_dash(dash)
    pen_is_down = False
    for x, y in points.tolist():
        if not np.isfinite(x + y):
            pen_is_down = False
        elif pen_is_down:
            context.line_to(x, y)
        else:
            context.move_to(x, y)
            pen_is_down = True
    context.stroke()
    context.set_dash(())


def rectangle(context: cairo.Context, box: Box, radius: float = 0.0) -> None:
    """Add a rectangle, with round corners where ``radius`` is above 0, to the path."""
    left, low, width, height = box
    radius = min(radius, width / 2, height / 2)
    if radius <= 0:
        context.rectangle(*box)
        return
    context.new_sub_path()
    corners = ((left + width, low), (left + width, low + height), (left, low + height), (left, low))
    inward = ((-1, 1), (-1, -1), (1, -1), (1, 1))
    for k, ((x, y), (dx, dy)) in enumerate(zip(corners, inward, strict=True)):
        context.arc(x + dx * radius, y + dy * radius, radius, (k - 1) * np.pi / 2, k * np.pi / 2)
    context.close_path()


def raster(context: cairo.Context, pixels: np.ndarray, box: Box) -> None:
    """Draw ``(height, width, 3)`` uint8 pixels over the box, the first row at its bottom."""
    height, width = pixels.shape[:2]
    opaque = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    surface = cairo.ImageSurface.create_for_data(np.ascontiguousarray(opaque), cairo.FORMAT_ARGB32, width, height)
    pattern = cairo.SurfacePattern(surface)
    pattern.set_extend(cairo.EXTEND_PAD)  # without it the rim fades into what is behind
    pattern.set_matrix(cairo.Matrix(width / box[2], 0, 0, height / box[3], *_origin(box, width, height)))
    context.set_source(pattern)
    context.rectangle(*box)
    context.fill()


def _origin(box: Box, width: int, height: int) -> tuple[float, float]:
    return -box[0] * width / box[2], -box[1] * height / box[3]


def _as_it_is(mobject: Mobject) -> None:
    """What it shows follows from elsewhere."""
