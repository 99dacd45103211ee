"""What a unit answers over the plane of the inputs: a surface that grows as the network learns."""

from collections.abc import Sequence

import cairo
import numpy as np
import xarray as xr
from manim import Mobject, ValueTracker, linear, smooth

from repviz.errors import UserError
from repviz.run import Run
from repviz.scenes.legend import NO_CLASS, legend
from repviz.scenes.lettering import changing, words
from repviz.scenes.painting import Painting, rgb
from repviz.scenes.relief import Axis, Dots, Relief
from repviz.scenes.space import View
from repviz.scenes.stage import MAIN, PAD, SIDE, RunScene, needed
from repviz.scenes.travel import Travel, thinned
from repviz.theme import class_colors

_ROOM = (MAIN[0] + 0.2, MAIN[1] + 0.5, MAIN[2] - 0.4, MAIN[3] - 0.7)
_MOST_DOTS = 400
"""Points of the sample that are drawn: more would hide the surface."""


class NeuronSurface(RunScene):
    """The answer of one unit after another: the first through the epochs, the others at the last of them."""

    def show(self, run: Run) -> None:
        """Play it.

        Raises:
            UserError: the run has no surface, or one without units.
        """
        name = type(self).__name__
        epochs = thinned(needed(run, name, "surface"))
        found = [run.read("surface", epoch) for epoch in epochs]
        units = _common_units(found)
        if not units:
            raise UserError(
                f"{name} needs units, and the 'surface' of run {run.name} holds none: train with --surface.n-units=4, "
                f"or 'repviz diagnose --run-dir {run.path} --only surface --set surface.n-units=4 --overwrite'"
            )
        rows = _shown_rows(found[0])
        answers = [_Answer(self, found, unit, rows) for unit in units]
        self.add(self.card(MAIN), self.card(SIDE))
        self._legend(found[0])
        turn = ValueTracker(0)
        parts: list[Mobject] = []
        for number, answer in enumerate(answers):
            self.remove(*parts)
            parts = self._play(run, answer, epochs if number == 0 else epochs[-1:], turn)
        self.hold(0.6)

    def _play(self, run: Run, answer: "_Answer", epochs: list[int], turn: ValueTracker) -> list[Mobject]:
        """One unit, through the epochs, or turning at the last one; gives what is to go before the next."""
        travel, rise = Travel(len(epochs)), ValueTracker(0)
        first = len(answer.surfaces) - len(epochs)

        def paint(context: cairo.Context) -> None:
            moment = travel.moment
            height = rise.get_value()
            heights = answer.flat + (moment.of(answer.surfaces[first:]) - answer.flat) * height
            dots = answer.dots(moment.of(answer.points[first:]), height)
            view = View(25 + 40 * turn.get_value(), 34)
            answer.relief.paint(context, heights, view, dots=[dots])

        layer, _, number = answer.unit.rpartition(":")
        what = f"{run.name} · unit {number} of {layer} on the plane of the inputs' first two principal components"
        parts: list[Mobject] = [
            *self.head("Neuron surface", what),
            self.note(
                "Surface: inputs on the plane. Dots: points of the sample, which lie off it, with their own activation."
            ),
        ]
        low = SIDE[1] + SIDE[3]
        shares = {
            "least on the plane": [f"{s.min():.3g}" for s in answer.surfaces[first:]],
            "greatest on the plane": [f"{s.max():.3g}" for s in answer.surfaces[first:]],
            "correlation with the points": [answer.agreement(first + k) for k in range(len(epochs))],
        }
        for k, (name, values) in enumerate(shares.items()):
            y = low - 0.5 - 0.42 * k
            parts.append(words(name, 17, self.look.muted, (SIDE[0] + PAD, y)))
            at = (SIDE[0] + SIDE[2] - PAD, y)
            parts.append(changing(values, 18, self.look.text, at, travel.nearest, bold=True, anchor="right"))
        parts += [Painting(paint), self.epoch(epochs, travel)]
        self.add(*parts)
        self.play(rise.animate(run_time=0.8, rate_func=smooth).set_value(1))
        seconds = travel.seconds if len(epochs) > 1 else 1.4
        until = turn.get_value() + (0.45 if len(epochs) > 1 else 0.18)
        self.play(travel.go(seconds), turn.animate(run_time=seconds, rate_func=linear).set_value(min(1.0, until)))
        self.hold(0.3)
        return parts

    def _legend(self, dataset: xr.Dataset) -> None:
        box = (SIDE[0] + PAD, SIDE[1] + PAD, SIDE[2] - 2 * PAD, 3.4)
        labels = dataset["label"].values.astype(int)
        self.add(*legend(labels, None, [str(k) for k in dataset["class_name"].values], self.look, box))


class _Answer:
    """A unit's activations: ``surfaces (epoch, n_x, n_y)`` on the plane, ``points (epoch, n)`` of chosen points."""

    def __init__(self, scene: RunScene, found: Sequence[xr.Dataset], unit: str, rows: np.ndarray) -> None:
        self.unit = unit
        chosen = [dataset.sel(unit=unit) for dataset in found]
        self.surfaces = np.stack([one["unit_activation"].transpose("x", "y").values for one in chosen])
        self.points = np.stack([one["unit_sample_activation"].values[rows] for one in chosen])
        first = chosen[0]
        self._xy = first["sample_xy"].values
        self._rows = rows
        self._whole = [one["unit_sample_activation"].values for one in chosen]
        both = np.concatenate([self.surfaces.ravel(), self.points.ravel()])
        low, high = float(both.min()), float(both.max())
        high = high if high > low else low + 1.0
        self.flat = min(max(low, 0.0), high)
        labels = first["label"].values.astype(int)[rows]
        colors = [rgb(color) for color in class_colors(int(first.sizes["class"]))]
        none = rgb(scene.look.no_class)
        self._colors = np.array([none if label == NO_CLASS else colors[label] for label in labels])
        share = first["explained_variance_ratio"].values
        axes = [Axis(f"PC{k + 1} of the inputs ({share[k]:.1%})") for k in range(2)]
        layer, _, number = unit.rpartition(":")
        upright = Axis(f"activation of {layer} {number}")
        x, y = first["x"].values, first["y"].values
        self.relief = Relief(x, y, low, high, (*axes, upright), _ROOM, scene.theme, scene.look)

    def dots(self, values: np.ndarray, height: float) -> Dots:
        """The points at their place on the plane, as high as what the unit answers to them."""
        up = self.flat + (values - self.flat) * height
        return Dots(np.column_stack([self._xy[self._rows], up]), self._colors, 2.6, 0.9)

    def agreement(self, number: int) -> str:
        """Correlation, over the sample, of the surface below each point with what the unit answers to the point."""
        below = self.relief.on_surface(self.surfaces[number], self._xy)[:, 2]
        really = self._whole[number]
        if min(np.ptp(below), np.ptp(really)) == 0:
            return "–"
        return f"{np.corrcoef(below, really)[0, 1]:.2f}"


def _common_units(found: Sequence[xr.Dataset]) -> list[str]:
    """Units that every epoch has, in their order."""
    named = [[str(unit) for unit in one["unit"].values] if "unit" in one.variables else [] for one in found]
    return [unit for unit in named[0] if all(unit in other for other in named)]


def _shown_rows(dataset: xr.Dataset) -> np.ndarray:
    """Val points, evenly thinned; points of all splits where there are none."""
    rows = np.flatnonzero(dataset["split"].values == 1)
    rows = rows if len(rows) else np.arange(dataset.sizes["sample"])
    return np.array(thinned(rows.tolist(), _MOST_DOTS))
