"""A surface in a box with axes, drawn from the back to the front, with lines and points that it can hide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cairo
import numpy as np
from manim import config
from matplotlib.ticker import MaxNLocator

from repviz.scenes.lettering import PIXEL, fitted_line, write
from repviz.scenes.painting import Box, ink, marks, polyline, rgb
from repviz.scenes.space import View, corners, heights_at, lighting, resampled, seen
from repviz.theme import Look, Theme, scale_colors

_FACE = 12
"""About how many pixels a face is wide: colours change evenly, and no face is too small to be seen."""
_BEFORE = 0.12
"""How much nearer lines and points count than they are: what lies on the surface is not hidden by it."""
_HALF_HEIGHT = 0.52
"""Of the box, in half sides of its floor."""


class Axis(NamedTuple):
    """What stands along an edge of the box.

    Attributes:
        title: what is measured.
        unit: in what, written where there is room.
        label: how a value is written.
        ticks: at which values; when not given, round ones.
    """

    title: str
    unit: str = ""
    label: Callable[[float], str] = "{:.3g}".format
    ticks: Sequence[float] | None = None


class Dots(NamedTuple):
    """Points in the box.

    Attributes:
        places: ``(n, 3)`` in the units of the axes.
        colors: ``(n, 3)`` red, green and blue, 0 to 1.
        radius: in pixels of a picture that is 720 high.
        opacity: 0 to 1.
    """

    places: np.ndarray
    colors: np.ndarray
    radius: float
    opacity: float = 1.0


class Path(NamedTuple):
    """A line in the box: ``(n, 3)`` places in the units of the axes, colour, and width in pixels."""

    places: np.ndarray
    color: str
    width: float


@dataclass
class Relief:
    """A box for surfaces ``(n_x, n_y)`` over one grid.

    Attributes:
        x, y: evenly spaced coordinates of the grid, of one unit: they keep one scale.
        low, high: heights of floor and ceiling.
        axes: of x, y and height.
        box: where on the picture.
        theme: for colours from low to high.
        look: the theme's colours.
    """

    x: np.ndarray
    y: np.ndarray
    low: float
    high: float
    axes: tuple[Axis, Axis, Axis]
    box: Box
    theme: Theme
    look: Look
    _table: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._table = np.array([rgb(color) for color in scale_colors(self.theme, 256)])
        extents = np.array([np.ptp(self.x), np.ptp(self.y)])
        self._middle = np.array([self.x.mean(), self.y.mean()])
        self._scale = 2 / extents.max()
        self._half = extents * self._scale / 2
        room = [*self._half, 0.8]
        self._ticks = [
            np.array(axis.ticks)
            if axis.ticks is not None
            else MaxNLocator(nbins=max(1, round(5 * half)), steps=[1, 2, 5, 10]).tick_values(*ends)
            for axis, half, ends in zip(self.axes, room, self._ends(), strict=True)
        ]

    def paint(
        self,
        context: cairo.Context,
        heights: np.ndarray,
        view: View,
        paths: Sequence[Path] = (),
        dots: Sequence[Dots] = (),
        opacity: float = 1.0,
    ) -> None:
        """Draw box, surface ``(n_x, n_y)``, lines and points; where a height is not finite, the surface has a hole."""
        if opacity <= 0:
            return
        with_layer = opacity < 1
        if with_layer:
            context.push_group()
        self._paint_box(context, view)
        self._paint_inside(context, heights, view, paths, dots)
        if with_layer:
            context.pop_group_to_source()
            context.paint_with_alpha(opacity)

    def colored(self, values: np.ndarray) -> np.ndarray:
        """Colours ``(..., 3)`` of heights."""
        share = (np.nan_to_num(values, nan=self.low) - self.low) / (self.high - self.low)
        return self._table[np.clip(np.rint(share * 255), 0, 255).astype(int)]

    def on_surface(self, heights: np.ndarray, places: np.ndarray) -> np.ndarray:
        """``(n, 3)``: the places ``(n, 2)`` and the height of the surface there."""
        return np.column_stack([places, heights_at(heights, places, (self.x, self.y))])

    def _ends(self) -> list[tuple[float, float]]:
        return [(self.x[0], self.x[-1]), (self.y[0], self.y[-1]), (self.low, self.high)]

    def _in_box(self, places: np.ndarray) -> np.ndarray:
        flat = (places[..., :2] - self._middle) * self._scale
        up = ((places[..., 2] - self.low) / (self.high - self.low) * 2 - 1) * _HALF_HEIGHT
        return np.concatenate([flat, up[..., None]], axis=-1)

    def _on_picture(self, points: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Places on the picture and nearness of points of the box."""
        where, nearness = seen(points, view)
        left, low, width, height = self.box
        # as it is seen from 35 degrees above, one corner in front
        upward = 0.82 * _HALF_HEIGHT + 0.57 * float(self._half.sum()) * np.sqrt(0.5)
        scale = min(width / (2.3 * float(np.linalg.norm(self._half))), height / (2 * upward + 0.35))
        return where * scale + [left + width / 2, low + height / 2], nearness

    def _paint_box(self, context: cairo.Context, view: View) -> None:
        """The floor with a grid, the edge of the heights, ticks and titles; turned by 0 to 90 degrees."""
        half_x, half_y = self._half
        for k, across in enumerate((half_y, half_x)):
            ends, ticks = self._ends()[k], self._ticks[k]
            for tick in ticks[(ticks >= ends[0]) & (ticks <= ends[1])]:
                at = (tick - self._middle[k]) * self._scale
                line = [[at, -across], [at, across]] if k == 0 else [[-across, at], [across, at]]
                there, _ = self._on_picture(np.column_stack([line, [-_HALF_HEIGHT] * 2]), view)
                ink(context, self.look.grid)
                polyline(context, there, 1.2 * PIXEL)
                self._paint_tick(context, self.axes[k].label(tick), *there)
            edge = [[-half_x, -half_y], [half_x, -half_y]] if k == 0 else [[-half_x, half_y], [-half_x, -half_y]]
            self._paint_title(context, self.axes[k], np.array(edge), view)
        self._paint_heights(context, view)

    def _paint_tick(self, context: cairo.Context, text: str, near: np.ndarray, far: np.ndarray) -> None:
        """A value at the near end of its line."""
        outward = (near - far) / max(float(np.linalg.norm(near - far)), 1e-9)
        at = near + outward * 12 * PIXEL
        anchor = "center" if abs(outward[0]) < 0.35 else "left" if outward[0] > 0 else "right"
        write(context, fitted_line(text, 15), self.look.muted, (at[0], at[1] - 5 * PIXEL), anchor)

    def _paint_title(self, context: cairo.Context, axis: Axis, edge: np.ndarray, view: View) -> None:
        """What an edge measures, along it on its outer side."""
        ends, _ = self._on_picture(np.column_stack([edge, [-_HALF_HEIGHT] * 2]), view)
        along = ends[1] - ends[0]
        length = float(np.linalg.norm(along))
        at = ends.mean(axis=0) + np.array([along[1], -along[0]]) / max(length, 1e-9) * 60 * PIXEL
        line = fitted_line(f"{axis.title}, {axis.unit}" if axis.unit else axis.title, 17)
        line = line if line.width < 1.1 * length else fitted_line(axis.title, 17)
        write(context, line, self.look.muted, tuple(at), "center", float(np.arctan2(*along[::-1])))

    def _paint_heights(self, context: cairo.Context, view: View) -> None:
        """The upright edge at the left, with ticks; from above it is not seen."""
        if view.elevation > 70:
            return
        corner = np.array([-self._half[0], self._half[1]])
        edge, _ = self._on_picture(np.array([[*corner, -_HALF_HEIGHT], [*corner, _HALF_HEIGHT]]), view)
        ink(context, self.look.muted, 0.6)
        polyline(context, edge, 1.2 * PIXEL)
        ticks = self._ticks[2]
        for tick in ticks[(ticks >= self.low) & (ticks <= self.high)]:
            share = (tick - self.low) / (self.high - self.low)
            at = edge[0] + (edge[1] - edge[0]) * share
            line = fitted_line(self.axes[2].label(tick), 15)
            write(context, line, self.look.muted, (at[0] - 10 * PIXEL, at[1] - 5 * PIXEL), "right")
            polyline(context, np.array([at, at - [6 * PIXEL, 0]]), 1.2 * PIXEL)
        title = fitted_line(self.axes[2].title, 17)
        write(context, title, self.look.muted, (edge[1][0], edge[1][1] + 16 * PIXEL), "center")

    def _paint_inside(
        self,
        context: cairo.Context,
        heights: np.ndarray,
        view: View,
        paths: Sequence[Path],
        dots: Sequence[Dots],
    ) -> None:
        """Everything in the box, what is far first."""
        fine = resampled(heights, config.pixel_height // _FACE)
        x, y = (np.linspace(axis[0], axis[-1], n) for axis, n in zip((self.x, self.y), fine.shape, strict=True))
        grid = np.stack([*np.meshgrid(x, y, indexing="ij"), fine], axis=-1)
        points = self._in_box(grid)
        around = corners(fine.shape)
        places, nearness = self._on_picture(points.reshape(-1, 3), view)
        faces = places[around].reshape(-1, 8)
        solid = np.isfinite(faces).all(axis=1)
        colors = self.colored(fine.ravel()[around].mean(axis=1)) * (0.62 + 0.38 * lighting(points).reshape(-1, 1))
        near = [nearness[around].mean(axis=1)]
        # a rim of the background's colour behind each line tells it from the surface
        rims = [path._replace(color=self.look.surface, width=path.width + 3) for path in paths]
        paths = [part for both in zip(rims, paths, strict=True) for part in both]
        segments = [self._segments(path, view) for path in paths]
        near += [where[1] + _BEFORE * (0.6 if k % 2 == 0 else 1) for k, where in enumerate(segments)]
        spots = [self._on_picture(self._in_box(part.places), view) for part in dots]
        near += [where[1] + _BEFORE for where in spots]
        order = np.argsort(np.concatenate(near), kind="stable")
        owner = np.repeat(np.arange(len(near)), [len(part) for part in near])
        starts = np.cumsum([0, *(len(part) for part in near)])
        faces_list, colors_list = faces.tolist(), np.clip(colors, 0, 1).tolist()
        context.set_line_join(cairo.LINE_JOIN_ROUND)
        for number in order.tolist():
            which = int(owner[number])
            k = number - int(starts[which])
            if which == 0:
                if solid[k]:
                    _paint_face(context, faces_list[k], colors_list[k])
            elif which <= len(paths):
                ink(context, paths[which - 1].color)
                polyline(context, segments[which - 1][0][k], paths[which - 1].width * PIXEL)
            else:
                part = dots[which - 1 - len(paths)]
                place = spots[which - 1 - len(paths)][0][k : k + 1]
                ink(context, self.look.surface, part.opacity)
                marks(context, "circle", place, (part.radius + 1) * PIXEL)
                ink(context, part.colors[k], part.opacity)
                marks(context, "circle", place, part.radius * PIXEL)

    def _segments(self, path: Path, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Short pieces ``(n, 2, 2)`` of a path on the picture, and their nearness."""
        where, nearness = self._on_picture(self._in_box(path.places), view)
        return np.stack([where[:-1], where[1:]], axis=1), (nearness[:-1] + nearness[1:]) / 2


def _paint_face(context: cairo.Context, face: list[float], color: list[float]) -> None:
    """A filled face, its rim in its own colour: else what is behind shines through between two faces."""
    context.move_to(face[0], face[1])
    context.line_to(face[2], face[3])
    context.line_to(face[4], face[5])
    context.line_to(face[6], face[7])
    context.close_path()
    context.set_source_rgb(color[2], color[1], color[0])
    context.fill_preserve()
    context.set_line_width(0.7 * PIXEL)
    context.stroke()
