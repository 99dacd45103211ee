"""How well a linear probe reads each layer: steps from the input up to the logits, rising as the network learns."""

import cairo
import numpy as np
import xarray as xr
from manim import Mobject
from matplotlib.ticker import MaxNLocator

from repviz.run import Run
from repviz.scenes.curve import chart
from repviz.scenes.lettering import PIXEL, changing, fitted_line, words, write
from repviz.scenes.painting import Painting, ink, marks, polyline, rectangle
from repviz.scenes.stage import MAIN, PAD, SIDE, RunScene, needed
from repviz.scenes.travel import Travel, thinned
from repviz.theme import scale_colors

_ROOM = (MAIN[0] + 0.85, MAIN[1] + 0.85, MAIN[2] - 1.15, MAIN[3] - 1.3)
_MEASURES = ("accuracy", "chance", "control_accuracy")


class ProbeStaircase(RunScene):
    """A step for each layer, as high as its probe's accuracy on val points, through the epochs."""

    def show(self, run: Run) -> None:
        """Play it.

        Raises:
            UserError: the run has no probe.
        """
        epochs = thinned(needed(run, type(self).__name__, "probe"))
        found = [run.read("probe", epoch) for epoch in epochs]
        layers = [str(layer) for layer in found[0]["layer"].values]
        accuracy, chance, control = (np.stack([_of(one, name, layers) for one in found]) for name in _MEASURES)
        travel = Travel(len(epochs))
        top = min(1.0, np.nanmax([np.nanmax(accuracy), np.nanmax(control), np.nanmax(chance), 0.1]) * 1.12)
        ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(0, top)
        left, low, width, height = _ROOM
        step = width / len(layers)
        colors = scale_colors(self.theme, max(len(layers), 2))

        def up(value: np.ndarray | float) -> np.ndarray | float:
            return low + np.asarray(value) / ticks[-1] * height

        def stairs(values: np.ndarray) -> np.ndarray:
            at = left + step * np.repeat(np.arange(len(layers) + 1), 2)[1:-1]
            return np.column_stack([at, np.repeat(up(values), 2)])

        def paint(context: cairo.Context) -> None:
            moment = travel.moment
            now = moment.of(accuracy)
            for k, value in enumerate(now):
                if not np.isfinite(value):
                    continue
                rectangle(context, (left + k * step, low, step, float(up(value)) - low))
                ink(context, colors[k], 0.5)
                context.fill()
            ink(context, self.look.muted)
            polyline(context, stairs(accuracy[0]), 1.5 * PIXEL, (0.07, 0.07))
            ink(context, self.look.text)
            polyline(context, stairs(now), 3.5 * PIXEL)
            for k in range(len(layers)):
                middle = left + (k + 0.5) * step
                reach = np.array([-0.5, 0.5]) * step
                ink(context, self.look.text, 0.8)
                polyline(context, np.column_stack([middle + reach, [up(moment.of(chance)[k])] * 2]), 2 * PIXEL)
                ink(context, self.look.splits[1])
                marks(context, "x", np.array([[middle, up(moment.of(control)[k])]]), 7 * PIXEL)
                if np.isfinite(now[k]):
                    line = fitted_line(f"{accuracy[moment.nearest, k]:.2f}", 20, True)
                    write(context, line, self.look.text, (middle, float(up(now[k])) + 0.1), "center")

        text = f"{run.name} · accuracy of a linear classifier on each layer's activations, val points"
        self.add(self.card(MAIN), self.card(SIDE), *self.head("Probe staircase", text))
        self.add(self.note(_trust(found[-1])), *self._axes(layers, ticks, step, up))
        self._side(layers, accuracy, epochs, travel, colors)
        self.add(Painting(paint), self.epoch(epochs, travel))
        self.hold(0.8)
        self.play(travel.go(max(5.0, travel.seconds) if len(epochs) > 1 else None))
        self.hold(1.4)

    def _axes(self, layers: list[str], ticks: np.ndarray, step: float, up: object) -> list[Mobject]:
        left, low, width, height = _ROOM
        muted = self.look.muted
        found: list[Mobject] = [
            words(layer, 18, self.look.text, (left + (k + 0.5) * step, low - 0.28), anchor="center", room=0.95 * step)
            for k, layer in enumerate(layers)
        ]
        found += [words(f"{t:.2g}", 16, muted, (left - 0.12, float(up(t)) - 0.05), anchor="right") for t in ticks]
        found.append(words("layer", 17, muted, (left + width / 2, low - 0.62), anchor="center"))
        at = (left - 0.62, low + height / 2)
        found.append(words("accuracy of the probe", 17, muted, at, anchor="center", angle=np.pi / 2))

        def paint(context: cairo.Context) -> None:
            ink(context, self.look.grid)
            for tick in ticks:
                polyline(context, np.array([[left, up(tick)], [left + width, up(tick)]]), 1.2 * PIXEL)

        lines = Painting(paint)
        lines.clear_updaters()
        return [lines, *found]

    def _side(
        self, layers: list[str], accuracy: np.ndarray, epochs: list[int], travel: Travel, colors: list[str]
    ) -> None:
        """What the lines are, and the way of the best layer."""
        x, top = SIDE[0] + PAD, SIDE[1] + SIDE[3]
        best = [layers[int(np.nanargmax(row))] if np.isfinite(row).any() else "–" for row in accuracy]
        above = (x, top - 2.65, SIDE[2] - 2 * PAD, 2.45)
        series = [
            ("", color, np.array(epochs, float), of_layer) for color, of_layer in zip(colors, accuracy.T, strict=False)
        ]
        now = lambda: float(travel.moment.of(np.array(epochs, float)))  # noqa: E731
        self.add(*chart("Each layer over the epochs", series, now, self.look, above))
        key = [
            ("the probe now", lambda c, y: _stroke(c, x, y, self.look.text, 3.5)),
            (f"at epoch {epochs[0]}", lambda c, y: _stroke(c, x, y, self.look.muted, 1.5, (0.07, 0.07))),
            ("chance: the largest class", lambda c, y: _stroke(c, x, y, self.look.text, 2.0)),
            ("control: shuffled labels", lambda c, y: _cross(c, x, y, self.look.splits[1])),
        ]
        heights = [top - 3.2 - 0.36 * k for k in range(len(key))]
        self.add(*(words(name, 17, self.look.text, (x + 0.6, y)) for (name, _), y in zip(key, heights, strict=True)))

        def paint(context: cairo.Context) -> None:
            for (_, draw), y in zip(key, heights, strict=True):
                draw(context, y + 0.06)

        still = Painting(paint)
        still.clear_updaters()
        self.add(still, words("read best", 17, self.look.muted, (x, SIDE[1] + 0.3)))
        at = (SIDE[0] + SIDE[2] - PAD, SIDE[1] + 0.3)
        self.add(changing(best, 20, self.look.text, at, travel.nearest, bold=True, anchor="right", room=2.4))


def _of(dataset: xr.Dataset, name: str, layers: list[str]) -> np.ndarray:
    """A measure of the layers; NaN where it was not taken."""
    if name not in dataset:
        return np.full(len(layers), np.nan)
    return dataset[name].reindex(layer=layers).values.astype(float)


def _trust(dataset: xr.Dataset) -> str:
    points = f"{dataset.attrs.get('train_points', '?')} train and {dataset.attrs.get('val_points', '?')} val points"
    return f"Linear probes, {points}: a layer that is read well holds the classes; it need not be used by the network."


def _stroke(context: cairo.Context, x: float, y: float, color: str, width: float, dash: tuple[float, ...] = ()) -> None:
    ink(context, color)
    polyline(context, np.array([[x, y], [x + 0.4, y]]), width * PIXEL, dash)


def _cross(context: cairo.Context, x: float, y: float, color: str) -> None:
    ink(context, color)
    marks(context, "x", np.array([[x + 0.2, y]]), 7 * PIXEL)
