"""Classes taking their places on the plane of the inputs, as the network learns to decide."""

import cairo
import numpy as np
import xarray as xr
from manim import config

from repviz.figures.surface import fading
from repviz.run import Run
from repviz.scenes.cloud import Cloud, fitted
from repviz.scenes.curve import chart
from repviz.scenes.legend import legend
from repviz.scenes.lettering import changing, words
from repviz.scenes.painting import Painting, raster, rgb
from repviz.scenes.stage import MAIN, PAD, SIDE, RunScene, needed
from repviz.scenes.travel import Travel, thinned
from repviz.theme import class_colors

_ROOM = (MAIN[0] + 0.55, MAIN[1] + 0.6, MAIN[2] - 0.8, MAIN[3] - 0.85)
_PALEST, _STRONGEST = 0.12, 0.75
"""How much of a class's colour is laid on where the network is least sure (all classes alike), and where it is sure."""
_RIM = 0.55
"""How much of the text's colour a boundary between two classes gets."""


class DecisionBoundaryForms(RunScene):
    """Which class the network decides for on the plane, and how surely, through the epochs."""

    def show(self, run: Run) -> None:
        """Play it.

        Raises:
            UserError: the run has no surface.
        """
        epochs = thinned(needed(run, type(self).__name__, "surface"))
        found = [run.read("surface", epoch) for epoch in epochs]
        first, travel = found[0], Travel(len(epochs))
        x, y = first["x"].values, first["y"].values
        extent = (x[0], x[-1], y[0], y[-1])
        corners = fitted(np.array([[x[0], y[0]], [x[-1], y[-1]]]), _ROOM, extent)
        room = (*corners[0], *(corners[1] - corners[0]))
        labels, splits = first["label"].values.astype(int), first["split"].values.astype(int)
        classes = [str(name) for name in first["class_name"].values]
        cloud = Cloud(labels, splits, len(classes), self.look, fading(first["off_plane_distance"].values))
        places = fitted(first["sample_xy"].values, _ROOM, extent)
        probability = np.stack([one["probability"].transpose("class", "y", "x").values for one in found])
        regions = _Regions(len(classes), self.look.surface, self.look.text, room, probability.shape[-2:])

        def paint(context: cairo.Context) -> None:
            raster(context, regions.pixels(travel.moment.of(probability)), room)
            cloud.paint(context, places)

        now = lambda: float(travel.moment.of(np.array(epochs, float)))  # noqa: E731
        agreement = np.array([float(one["agreement"]) for one in found])
        text = f"{run.name} · on the plane of the inputs' first two principal components"
        self.add(self.card(MAIN), self.card(SIDE), *self.head("Decision boundary forms", text))
        self.add(
            self.note(
                "Regions: stronger where the network is surer. Points lie off the plane, the farther the paler, "
                "and may be decided otherwise."
            )
        )
        self._axes(first, room)
        box = (SIDE[0] + PAD, SIDE[1] + PAD, SIDE[2] - 2 * PAD, 3.4)
        self.add(*legend(labels, splits, classes, self.look, box))
        line = ("", self.look.accent, np.array(epochs, float), agreement)
        above = (box[0], box[1] + 3.95, box[2], SIDE[3] - 2 * PAD - 3.95)
        self.add(*chart("Agreement of plane and network", [line], now, self.look, above))
        said = [f"{share:.0%} are predicted here as they really are" for share in agreement]
        self.add(changing(said, 16, self.look.text, (box[0], box[1] + 3.65), travel.nearest, room=box[2]))
        self.add(Painting(paint), self.epoch(epochs, travel))
        self.hold(0.6)
        self.play(travel.go(max(6.0, travel.seconds) if len(epochs) > 1 else None))
        self.hold(1.2)

    def _axes(self, dataset: xr.Dataset, room: tuple[float, float, float, float]) -> None:
        share = dataset["explained_variance_ratio"].values
        left, low, width, height = room
        self.add(
            words(
                f"PC1 of the inputs ({share[0]:.1%} of the variance)",
                17,
                self.look.muted,
                (left + width / 2, low - 0.32),
                anchor="center",
            ),
            words(
                f"PC2 of the inputs ({share[1]:.1%})",
                17,
                self.look.muted,
                (left - 0.18, low + height / 2),
                anchor="center",
                angle=np.pi / 2,
            ),
        )


class _Regions:
    """Probabilities as pixels: the likeliest class's colour, stronger where it is surer, with a rim between two."""

    def __init__(
        self, n_classes: int, background: str, rim: str, room: tuple[float, float, float, float], shape: tuple[int, int]
    ) -> None:
        self._colors = np.array([rgb(color) for color in class_colors(n_classes)], np.float32)
        self._background, self._rim = np.array(rgb(background)), np.array(rgb(rim))
        per_unit = config.pixel_height / config.frame_height
        self._ways = [_between(n, round(length * per_unit)) for n, length in zip(shape, room[:1:-1], strict=True)]

    def pixels(self, probability: np.ndarray) -> np.ndarray:
        """``(height, width, 3)`` uint8 of probabilities ``(class, y, x)``, straight between the points of the grid."""
        fine = self._ways[0] @ probability @ self._ways[1].T
        likeliest = fine.argmax(axis=0)
        chance = 1 / len(fine)
        sure = (fine.max(axis=0) - chance) / max(1 - chance, 1e-9)
        strength = (_PALEST + (_STRONGEST - _PALEST) * sure)[..., None]
        found = self._background * (1 - strength) + self._colors[likeliest] * strength
        edge = np.zeros(likeliest.shape, bool)
        edge[:-1] |= likeliest[:-1] != likeliest[1:]
        edge[:, :-1] |= likeliest[:, :-1] != likeliest[:, 1:]
        found[edge] = found[edge] * (1 - _RIM) + self._rim * _RIM
        return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)


def _between(n: int, n_pixels: int) -> np.ndarray:
    """``(n_pixels, n)`` weights that give each pixel the value between the two points of the grid around it."""
    at = np.linspace(0, n - 1, n_pixels)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n))).astype(np.float32)
