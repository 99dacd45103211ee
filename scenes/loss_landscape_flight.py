"""A flight over the loss: the optimiser's path on its own plane, then what surrounds the weights at each epoch."""

from collections.abc import Sequence

import cairo
import numpy as np
import xarray as xr
from manim import Mobject, ValueTracker, linear, smooth
from matplotlib.ticker import MaxNLocator

from repviz.errors import UserError
from repviz.run import Run
from repviz.scenes.curve import chart
from repviz.scenes.lettering import changing, words
from repviz.scenes.painting import Painting, rgb
from repviz.scenes.relief import Axis, Dots, Path, Relief
from repviz.scenes.space import View
from repviz.scenes.stage import MAIN, PAD, SIDE, RunScene, needed
from repviz.scenes.travel import Travel, thinned

_ROOM = (MAIN[0] + 0.2, MAIN[1] + 0.5, MAIN[2] - 0.4, MAIN[3] - 0.7)
_COLUMN = (SIDE[0] + PAD, SIDE[2] - 2 * PAD)
_STEPS_PER_EPOCH = 12
"""Pieces of the path between two checkpoints, which ride on the surface."""


class LossLandscapeFlight(RunScene):
    """The loss as a land, the optimiser's way down through it, and the valley that it ends in."""

    def show(self, run: Run) -> None:
        """Play it.

        Raises:
            UserError: the run lacks trajectory or landscape, or its path has no plane.
        """
        name = type(self).__name__
        needed(run, name, "trajectory", whole_run=True)
        around = thinned(needed(run, name, "landscape"))
        path = run.read("trajectory")
        if min(path.sizes["alpha"], path.sizes["beta"]) < 2:
            raise UserError(
                f"{name} needs a plane, and the trajectory of run {run.name} lies on a line: it has "
                f"{path.sizes['epoch']} checkpoints; train at least two epochs with --checkpoint-every-n-epochs=1"
            )
        self._card = self.card(MAIN)
        self.add(self._card, self.card(SIDE))
        self._descend(run, path)
        self._look_around(run, [run.read("landscape", epoch) for epoch in around], around)

    def _descend(self, run: Run, path: xr.Dataset) -> None:
        kept = thinned(range(path.sizes["epoch"]))
        epochs = [int(path["epoch"].values[k]) for k in kept]
        split = "train" if np.isfinite(path["loss"]).any() else "val"
        prefix = "" if split == "train" else "val_"
        travel, flight = Travel(len(kept)), ValueTracker(0)
        land = _Land([path[f"{prefix}loss"].values], path, self, "L2 norm of weights")
        fine = _along(path["path"].values[kept])
        true = path[f"true_{prefix}loss"].values[kept]
        true = np.where(np.isfinite(true), true, np.nan)  # what is not finite is drawn nowhere

        def paint(context: cairo.Context) -> None:
            moment = travel.moment
            at = moment.before + moment.share
            gone = fine[: int(at * _STEPS_PER_EPOCH) + 1]
            ball = moment.of(path["path"].values[kept])
            heights = land.heights[0]
            trail = land.relief.on_surface(heights, np.vstack([gone, ball]))
            own = np.array([[*ball, land.drawn(moment.of(true))]])
            text = np.array([rgb(self.look.text)])
            stops = land.relief.on_surface(heights, path["path"].values[kept][: moment.before + 1])
            land.relief.paint(
                context,
                heights,
                View(14 + 28 * flight.get_value(), 66 - 34 * flight.get_value()),
                [Path(trail, self.look.text, 3.0), Path(np.vstack([trail[-1:], own]), self.look.accent, 1.5)],
                [
                    Dots(stops, np.repeat(text, len(stops), 0), 3.5),
                    Dots(trail[-1:], text, 7.0),
                    Dots(own, np.array([rgb(self.look.accent)]), 5.0),
                ],
            )

        share = path["explained_variance_ratio"].values
        heading = self.head("Loss landscape flight", f"{run.name} · {split} loss on the plane of the optimiser's path")
        note = self.note("The path is true at a checkpoint as far as the two losses agree and it is not off the plane.")
        now = lambda: float(travel.moment.of(np.array(epochs, float)))  # noqa: E731
        lines = [
            ("plane", self.look.text, np.array(epochs, float), path[f"plane_{prefix}loss"].values[kept]),
            ("checkpoint", self.look.accent, np.array(epochs, float), true),
        ]
        room = (_COLUMN[0], SIDE[1] + 2.9, _COLUMN[1], SIDE[3] - 3.1)
        off, far = path["off_plane_distance"].values[kept], path["distance"].values[kept]
        facts = {
            "loss of the checkpoint": [f"{value:.3f}" for value in true],
            "loss of the plane there": [f"{value:.3f}" for value in path[f"plane_{prefix}loss"].values[kept]],
            "off the plane": [f"{value:.2f}" for value in off],
            "from the last weights": [f"{value:.2f}" for value in far],
            "variance on the axes": [f"{share[0]:.0%} + {share[1]:.0%}"] * len(kept),
        }
        parts = [*heading, note, *chart("Loss", lines, now, self.look, room), *self._facts(facts, travel)]
        painting = Painting(paint)
        self.add(*parts, painting, self.epoch(epochs, travel))
        epoch = self.mobjects[-1]
        self.hold(0.5)
        self.play(travel.go(), flight.animate(run_time=travel.seconds, rate_func=linear).set_value(0.75))
        self.play(flight.animate(run_time=1.5, rate_func=smooth).set_value(1.0))
        self.hold(0.5)
        self.remove(*parts, painting, epoch)

    def _look_around(self, run: Run, found: list[xr.Dataset], epochs: list[int]) -> None:
        split = "val" if all(np.isfinite(one["loss"].sel(split="val")).any() for one in found) else "train"
        found = [one.sel(split=split) for one in found]
        land = _Land([one["loss"].values for one in found], found[0], self, "norms of each filter")
        center = np.array([float(one["center_loss"]) for one in found])
        travel, flight = Travel(len(epochs)), ValueTracker(0)

        def paint(context: cairo.Context) -> None:
            heights = travel.moment.of(land.heights)
            here = land.relief.on_surface(heights, np.zeros((1, 2)))
            dot = Dots(here, np.array([rgb(self.look.text)]), 7.0)
            land.relief.paint(context, heights, View(28 + 36 * flight.get_value(), 34), dots=[dot])

        text = f"{run.name} · {split} loss around the weights of the epoch, along two random directions"
        now = lambda: float(travel.moment.of(np.array(epochs, float)))  # noqa: E731
        room = (_COLUMN[0], SIDE[1] + 2.9, _COLUMN[1], SIDE[3] - 3.1)
        lines = [("at the weights", self.look.text, np.array(epochs, float), center)]
        facts = {
            "loss at the weights": [f"{value:.3f}" for value in center],
            "least on the plane": [f"{np.nanmin(one['loss'].values):.3f}" for one in found],
            "greatest on the plane": [f"{np.nanmax(one['loss'].values):.3g}" for one in found],
            "points": [str(int(one["n_rows"])) for one in found],
        }
        self.add(*self.head("Loss landscape flight", text))
        self.add(self.note("Two directions of many: another pair of them shows another land. The dot is the network."))
        self.add(*chart("Loss", lines, now, self.look, room), *self._facts(facts, travel))
        self.add(Painting(paint), self.epoch(epochs, travel))
        seconds = max(3.0, travel.seconds)
        self.play(travel.go(seconds), flight.animate(run_time=seconds, rate_func=linear).set_value(0.8))
        self.play(flight.animate(run_time=1.0, rate_func=smooth).set_value(1.0))
        self.hold(0.6)

    def _facts(self, facts: dict[str, list[str]], travel: Travel) -> list[Mobject]:
        """A line for each: its name, and its value at the nearest stop."""
        found: list[Mobject] = []
        for k, (name, values) in enumerate(facts.items()):
            y = SIDE[1] + 2.35 - 0.42 * k
            found.append(words(name, 17, self.look.muted, (_COLUMN[0], y)))
            at = (_COLUMN[0] + _COLUMN[1], y)
            found.append(changing(values, 18, self.look.text, at, travel.nearest, bold=True, anchor="right"))
        return found


class _Land:
    """Losses as heights: their logarithms where all are above 0, for they spread over decades."""

    def __init__(self, losses: Sequence[np.ndarray], grid: xr.Dataset, scene: RunScene, unit: str) -> None:
        values = np.where(np.isfinite(losses), losses, np.nan)
        if not np.isfinite(values).any():
            raise UserError(f"{type(scene).__name__}: no loss on the plane is finite, so there is no land to fly over")
        self._logarithmic = bool(np.nanmin(values) > 0)
        self.heights = self.drawn(values)
        low, high = float(np.nanmin(self.heights)), float(np.nanmax(self.heights))
        high = high if high > low else low + 1.0
        label = (lambda value: f"{10**value:.3g}") if self._logarithmic else "{:.3g}".format
        ticks = np.log10(_round_losses(10**low, 10**high)) if self._logarithmic else None
        axes = [Axis(f"{name} direction", unit) for name in ("first", "second")]
        upright = Axis("loss, logarithmic" if self._logarithmic else "loss", label=label, ticks=ticks)
        x, y = grid["alpha"].values, grid["beta"].values
        self.relief = Relief(x, y, low, high, (*axes, upright), _ROOM, scene.theme, scene.look)

    def drawn(self, loss: np.ndarray) -> np.ndarray:
        """Height of a loss."""
        return np.log10(loss) if self._logarithmic else np.asarray(loss)


def _round_losses(low: float, high: float) -> np.ndarray:
    """Some round values above 0 between two losses; powers of ten where they spread over more than a decade."""
    if high / low > 30:
        return 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    values = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return values[values > 0]


def _along(path: np.ndarray) -> np.ndarray:
    """``(n, 2)`` places along a path through checkpoints, ``_STEPS_PER_EPOCH`` from one to the next."""
    at = np.arange((len(path) - 1) * _STEPS_PER_EPOCH + 1) / _STEPS_PER_EPOCH
    return np.stack([np.interp(at, np.arange(len(path)), path[:, k]) for k in range(2)], axis=1)
