"""The points of the sample moving: first one layer through the epochs, then the last epoch through the layers."""

import cairo
import numpy as np
from manim import ValueTracker

from repviz.exports.footage import Footage, chosen_layer, over_epochs, through_layers
from repviz.run import Run
from repviz.scenes.cloud import Cloud, fitted
from repviz.scenes.curve import chart, metric_lines
from repviz.scenes.legend import legend
from repviz.scenes.lettering import PIXEL, changing
from repviz.scenes.painting import Painting
from repviz.scenes.stage import MAIN, PAD, SIDE, RunScene, needed
from repviz.scenes.travel import Travel, thinned

_MAP = (MAIN[0] + 0.3, MAIN[1] + 0.65, MAIN[2] - 0.6, MAIN[3] - 1.0)
_BELOW = MAIN[1] + 0.25


class RepresentationMorph(RunScene):
    """How a layer takes the classes apart over training, and how the trained network does, layer by layer."""

    def show(self, run: Run) -> None:
        """Play it.

        Raises:
            UserError: the run has no projection.
        """
        needed(run, type(self).__name__, "projection")
        layer = chosen_layer(run, None)
        epochs = over_epochs(run, [layer], None)
        kept = thinned(range(len(epochs.stops)))
        layers = through_layers(run, None)
        learning, passing = Travel(len(kept)), Travel(len(layers.stops))
        shown, fade = ValueTracker(0), ValueTracker(1)

        numbers = [epochs.epochs[k] for k in kept]
        titles = [f"{layer} through training", f"epoch {numbers[-1]} through the layers"]
        heads = [self.head("Representation morph", f"{run.name} · {epochs.method} · {text}") for text in titles]
        self.add(self.card(MAIN), self.card(SIDE), *heads[0])
        self.add(self.note("Between two stops nothing was measured: points glide so that the eye can follow them."))
        room = (SIDE[0] + PAD, SIDE[1] + PAD, SIDE[2] - 2 * PAD, SIDE[3] - 2 * PAD)
        key = (room[0], room[1], room[2], 3.3)
        self.add(*legend(epochs.labels, epochs.splits, epochs.classes, self.look, key))
        curve = (room[0], room[1] + 3.45, room[2], room[3] - 3.4)
        now = lambda: float(learning.moment.of(np.array(numbers, float)))  # noqa: E731
        self.add(*chart("Accuracy", metric_lines(run, "accuracy", self.look), now, self.look, curve))
        self.add(self._cloud(epochs, layers, kept, (learning, passing), shown, fade))
        self.add(self.epoch(numbers, learning))
        notes = [f"{layer} · {epochs.notes[k][0]}".strip(" ·") for k in kept]
        below = {"at": (MAIN[0] + MAIN[2] / 2, _BELOW), "anchor": "center"}
        first = changing(notes, 19, self.look.text, chosen=learning.nearest, **below)
        self.add(first)

        self.hold(0.6)
        self.play(learning.go())
        self.hold(0.8)
        self.play(fade.animate(run_time=0.4).set_value(0))
        self.remove(first, *heads[0])
        shown.set_value(1)
        notes = [" · ".join(p for p in (stop, n[0]) if p) for stop, n in zip(layers.stops, layers.notes, strict=True)]
        self.add(*heads[1], changing(notes, 19, self.look.text, chosen=passing.nearest, **below))
        self.play(fade.animate(run_time=0.4).set_value(1))
        self.play(passing.go(1.2 * (len(layers.stops) - 1) or 1.0))
        self.hold(1.0)

    def _cloud(
        self, epochs: Footage, layers: Footage, kept: list[int], travels: tuple[Travel, Travel], shown: ValueTracker,
        fade: ValueTracker,
    ) -> Painting:  # fmt: skip
        cloud = Cloud(epochs.labels, epochs.splits, len(epochs.classes), self.look)
        places = (
            fitted(epochs.places[kept, 0], _MAP, epochs.box(0)),
            fitted(layers.places[:, 0], _MAP, layers.box(0)),
        )

        def paint(context: cairo.Context) -> None:
            k = round(shown.get_value())
            context.set_line_width(PIXEL)
            cloud.paint(context, travels[k].moment.of(places[k]), fade.get_value())

        return Painting(paint)
