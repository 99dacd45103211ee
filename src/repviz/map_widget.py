"""A layer's map in a notebook, drawn by jupyter-scatter: it follows a slider of epochs, and points can be selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from repviz.errors import UserError
from repviz.exports.footage import chosen_layer, over_epochs
from repviz.exports.points import NO_CLASS, point_columns
from repviz.extras import install_command
from repviz.run import Run
from repviz.theme import LOOKS, SPLIT_NAMES, SPLIT_SIZES, Theme, class_colors

try:
    import ipywidgets
    import jscatter
except ImportError as error:
    raise UserError(f"a map in a notebook needs the package jupyter-scatter: {install_command('notebook')}") from error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MS_PER_EPOCH = 700
_GLIDE_MS = 450
_MARGIN = 1.06
_OPACITY, _UNSELECTED = 0.85, 0.12
_ROOM_AT_SCALE_1 = 30
"""Square pixels per point, as on the dashboard: the fewer points on the larger map, the larger they are."""
_LONGEST_LEGEND = 24
"""Classes; with more the legend would be longer than the map is high."""


class MapWidget(ipywidgets.VBox):
    """One map with everything around it. ``scatter`` is the ``jscatter.Scatter``, for what else can be set there."""

    def __init__(
        self,
        run: Run,
        layer: str | None = None,
        epoch: int | None = None,
        method: str | None = None,
        theme: Theme = "light",
        height: int = 480,
    ) -> None:
        """Read the maps of all epochs.

        Args:
            run: whose.
            layer: default: the penultimate one.
            epoch: what is shown first; default: the last.
            method: ``umap`` or ``pca``; default: UMAP where there is one.
            theme: ``light`` or ``dark``.
            height: of the map in pixels.

        Raises:
            UserError: there is no such map, epoch or theme.
        """
        if theme not in LOOKS:
            raise UserError(f"theme={theme!r} is not known; choose {' or '.join(LOOKS)}")
        layer = chosen_layer(run, layer)
        self._footage = over_epochs(run, [layer], method)
        if self._footage.blank[0]:
            raise UserError(f"the layer {layer!r} of run {run.name} has no {self._footage.method} map")
        epochs = self._footage.epochs
        if epoch is not None and epoch not in epochs:
            raise UserError(f"run {run.name} has no map at epoch {epoch}; there is {', '.join(map(str, epochs))}")
        epoch = epochs[-1] if epoch is None else epoch
        self.points = _points(run, epochs[-1], self._footage.classes, self._footage.labels)
        self.scatter = self._scatter(epoch, theme, height)
        self.slider = ipywidgets.SelectionSlider(options=epochs, value=epoch, description="epoch")
        play = ipywidgets.Play(max=len(epochs) - 1, value=epochs.index(epoch), interval=MS_PER_EPOCH)
        ipywidgets.jslink((play, "value"), (self.slider, "index"))
        self._title = ipywidgets.Label()
        self._describe(epoch)
        self.slider.observe(lambda change: self._show(change["new"]), names="value")
        below = [ipywidgets.HBox([play, self.slider]) if len(epochs) > 1 else self.slider]
        super().__init__([self._title, self.scatter.show(), *below])

    @property
    def epoch(self) -> int:
        """The epoch that is shown; setting it moves the slider and the points."""
        return self.slider.value

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.slider.value = epoch

    @property
    def selected(self) -> np.ndarray:
        """Rows of the sample that are selected, ascending; the lasso button lets the mouse select."""
        found = self.scatter.selection()
        return np.sort(np.asarray([] if found is None else found, dtype=np.int64))

    def select(self, rows: ArrayLike) -> None:
        """Select these rows of the sample; none of them ends the selection."""
        self.scatter.selection(np.asarray(rows, dtype=np.int64))

    def selected_points(self) -> pd.DataFrame:
        """The rows of ``points`` that are selected."""
        return self.points.iloc[self.selected]

    def __repr__(self) -> str:
        return f"MapWidget({self._title.value!r})"

    def _scatter(self, epoch: int, theme: Theme, height: int) -> jscatter.Scatter:
        x_min, x_max, y_min, y_max = self._footage.box(0)
        half = _MARGIN * max(x_max - x_min, y_max - y_min, 1e-9) / 2  # one scale for both axes, through all epochs
        middle = (x_min + x_max) / 2, (y_min + y_max) / 2
        self._ranges = dict(zip(("x_scale", "y_scale"), [(at - half, at + half) for at in middle], strict=True))
        look, names = LOOKS[theme], list(self.points["class"].cat.categories)
        colors = dict(zip(names, [*class_colors(len(names) - 1), look.no_class], strict=True))
        x, y = self._places(epoch)
        scatter = jscatter.Scatter(x, y, data=self.points, height=height, **self._ranges)
        scatter.background(look.surface)
        scatter.axes(False)
        scatter.color(by="class", map=colors)
        scale = min(1.2, max(0.55, (height**2 / len(self.points) / _ROOM_AT_SCALE_1) ** 0.3))
        scatter.size(by="split", map=dict(zip(SPLIT_NAMES, (size * scale for size in SPLIT_SIZES), strict=True)))
        shown = [name for name in ("id", "class", "split", "predicted", "confidence") if name in self.points]
        preview = {"preview": "text", "preview_text_lines": 4} if "text" in self.points else {}
        scatter.tooltip(True, properties=shown, histograms=False, **preview)
        scatter.legend(len(names) <= _LONGEST_LEGEND)
        scatter.options(transition_points_duration=_GLIDE_MS)
        scatter.show()  # a widget that is made after the next line would have the library's own opacities all the same
        scatter.opacity(default=_OPACITY, unselected=_UNSELECTED, by=None)
        return scatter

    def _places(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of all points at an epoch, each ``(n,)``."""
        return tuple(self._footage.places[self._footage.epochs.index(epoch), 0].T)

    def _show(self, epoch: int) -> None:
        x, y = self._places(epoch)
        self.scatter.xy(x, y, animate=True, **self._ranges)
        self._describe(epoch)

    def _describe(self, epoch: int) -> None:
        footage = self._footage
        stop = footage.epochs.index(epoch)
        parts = [footage.titles[stop][0], footage.method, f"epoch {epoch}", footage.notes[stop][0]]
        self._title.value = " · ".join(part for part in parts if part)


def _points(run: Run, epoch: int, classes: Sequence[str], labels: np.ndarray) -> pd.DataFrame:
    """What is known of every point, predictions as of ``epoch``; classes and splits are categories in their order."""
    columns, _ = point_columns(run, epoch)
    names = [*_unique(classes), NO_CLASS]
    columns["class"] = pd.Categorical.from_codes(np.where(labels < 0, len(names) - 1, labels), names)
    if "confidence" in columns:
        columns["confidence"] = columns["confidence"].astype(np.float64).round(3)
    columns["split"] = pd.Categorical(columns["split"], SPLIT_NAMES)
    return pd.DataFrame({name: values for name, values in columns.items() if name != "label"})


def _unique(names: Sequence[str]) -> list[str]:
    """The names, numbered where another is the same: categories must differ."""
    taken = [NO_CLASS, *names]
    return [name if taken.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names)]
