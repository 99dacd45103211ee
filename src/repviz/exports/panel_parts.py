"""A diagnostic beside the map of a video: probe bars, the decision surface or the loss landscape."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from repviz.errors import UserError
from repviz.exports.footage import Footage
from repviz.exports.map_part import Box
from repviz.exports.motion import Moment
from repviz.exports.paper import Paper
from repviz.exports.side_parts import PAD
from repviz.run import Run
from repviz.theme import class_colors

TITLES = {"probe": "Linear probes", "surface": "Decision surface", "landscape": "Loss landscape"}
_TINT = 0.6
"""How much of a class's colour its region of the decision surface has."""
_SPREAD = 0.98
"""Share of the landscape's losses that the colours distinguish; the steepest rims would take all of them."""


def panel_part(paper: Paper, footage: Footage, run: Run, kind: str, at: Box) -> "ProbePart | PicturePart":
    """The panel of ``kind``: at each stop what was measured last until then.

    Raises:
        UserError: the run has none of that kind.
    """
    epochs = run.epochs(kind)
    if not epochs:
        raise UserError(f"run {run.name} has no {kind!r} to show beside the map; there is {', '.join(run.kinds())}")
    found = {epoch: run.read(kind, epoch) for epoch in epochs if epoch <= footage.epochs[-1]} or {
        epochs[0]: run.read(kind, epochs[0])
    }
    latest = [max((e for e in found if e <= epoch), default=min(found)) for epoch in footage.epochs]
    if kind == "probe":
        return ProbePart(paper, latest, found, at)
    picture = surface_picture if kind == "surface" else landscape_picture
    return PicturePart(paper, latest, picture(found, paper.look.surface), TITLES[kind], at, smooth=kind == "landscape")


class ProbePart:
    """How well a linear classifier reads each layer: one bar per layer."""

    def __init__(self, paper: Paper, latest: list[int], found: dict[int, xr.Dataset], at: Box) -> None:
        """Args: where it is drawn, the epoch shown at each stop, probes by epoch, its box."""
        unit, look = paper.unit, paper.look
        self._latest, self._caption = latest, _frame(paper, TITLES["probe"], at)
        x, y, width, height = at
        layers = [str(layer) for layer in found[latest[-1]]["layer"].values]
        self._values = np.nan_to_num(
            np.array([found[epoch]["accuracy"].reindex(layer=layers).values for epoch in latest], float)
        )
        gap = (height - 52 * unit) / len(layers)
        start, self._length = x + 0.36 * width, 0.64 * width - (PAD + 40) * unit
        self._rows = []
        for i, layer in enumerate(layers):
            line = y + 40 * unit + gap * (i + 0.5)
            name = paper.fitted(layer, 12, start - x - (PAD + 8) * unit)
            paper.text(x + PAD * unit, line, name, 12, look.text, va="middle")
            thick = min(12 * unit, gap * 0.6)
            paper.bar(start, line - thick / 2, self._length, thick, look.grid)
            bar = paper.bar(start, line - thick / 2, 0, thick, look.splits[1], moving=True)
            value = paper.words(x + width - PAD * unit, line, 12, look.text, ha="right", va="middle")
            self._rows.append((bar, value))

    def show(self, moment: Moment) -> None:
        """Set the bars."""
        self._caption.words = f"epoch {self._latest[moment.nearest]}"
        for (bar, value), accuracy in zip(self._rows, moment.of(self._values), strict=True):
            bar.set_width(self._length * float(accuracy))
            value.words = f"{accuracy:.2f}"


class PicturePart:
    """A picture per epoch that passes into the next."""

    def __init__(
        self, paper: Paper, latest: list[int], pictures: dict[int, np.ndarray], title: str, at: Box, *, smooth: bool
    ) -> None:
        """Args: where it is drawn, the epoch shown at each stop, RGB 0 to 1 by epoch, a title, its box, blurred."""
        self._latest, self._caption = latest, _frame(paper, title, at)
        self._pictures = np.stack([pictures[epoch] for epoch in latest])
        unit = paper.unit
        x, y, width, height = at
        side = min(width - 2 * PAD * unit, height - 56 * unit)
        place = (x + (width - side) / 2, y + 40 * unit, side, side)
        self._image = paper.image(self._pictures[0], *place, interpolation="bicubic" if smooth else "nearest")

    def show(self, moment: Moment) -> None:
        """Show the epochs' pictures, one through the other while on the way."""
        self._caption.words = f"epoch {self._latest[moment.nearest]}"
        self._image.set_data(np.clip(moment.of(self._pictures), 0, 1))


def surface_picture(found: dict[int, xr.Dataset], background: str) -> dict[int, np.ndarray]:
    """``(y, x, 3)`` by epoch: the class that the network predicts at each place, its first row on top."""
    pictures = {}
    for epoch, dataset in found.items():
        n = dataset.sizes.get("class", int(dataset["prediction"].max()) + 1)
        colors = np.array([to_rgb(color) for color in class_colors(n)])
        tinted = _TINT * colors + (1 - _TINT) * np.array(to_rgb(background))
        pictures[epoch] = tinted[dataset["prediction"].transpose("y", "x").values[::-1].astype(int)]
    return pictures


def landscape_picture(found: dict[int, xr.Dataset], background: str) -> dict[int, np.ndarray]:
    """``(beta, alpha, 3)`` by epoch: the logarithm of the val loss, in one colour scale for all epochs."""
    planes = {epoch: _val_loss(dataset) for epoch, dataset in found.items()}
    finite = np.concatenate([plane[np.isfinite(plane)] for plane in planes.values()] or [np.zeros(1)])
    low, high = np.quantile(finite, (0.0, _SPREAD)) if len(finite) else (0.0, 1.0)
    pictures = {}
    for epoch, plane in planes.items():
        shares = np.clip((plane - low) / max(high - low, 1e-9), 0, 1)
        pictures[epoch] = colormaps["viridis"](np.nan_to_num(shares))[:, :, :3]
        pictures[epoch][~np.isfinite(plane)] = to_rgb(background)
    return pictures


def _val_loss(dataset: xr.Dataset) -> np.ndarray:
    """Log loss ``(beta, alpha)`` of val, or of the only split there is, its first row on top."""
    splits = [str(name) for name in dataset["split"].values]
    plane = dataset["loss"].isel(split=splits.index("val") if "val" in splits else 0)
    values = plane.transpose("beta", "alpha").values[::-1].astype(float)
    return np.log10(np.where(values > 0, values, np.nan))


def _frame(paper: Paper, title: str, at: Box):
    """Card and title; gives the words that say the epoch."""
    unit, look = paper.unit, paper.look
    x, y, width, _ = at
    paper.card(*at)
    paper.text(x + PAD * unit, y + 26 * unit, title, 14, look.text, 600)
    return paper.words(x + width - PAD * unit, y + 26 * unit, 12, look.muted, ha="right")
