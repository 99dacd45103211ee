"""Finding the figure of a kind: the modules of this package, and what installed packages offer.

A kind is looked up in a list of what exists, never imported by a name that came from a file or a browser.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points

import plotly.graph_objects as go
import xarray as xr

import repviz.figures
from repviz.errors import UserError
from repviz.figures.view import View

ENTRY_POINTS = "repviz.figures"
_NOT_A_KIND = {"comparison", "interpolation_pairs", "lines", "metrics", "registry", "shown", "surface_shades", "view"}

Figure = Callable[[xr.Dataset, View], go.Figure]
Choices = Mapping[str, Sequence[tuple[str, str]]]
"""By name of option: pairs of a value and the text that stands for it, the default first."""


@dataclass(frozen=True)
class Picture:
    """One way of drawing a kind: what the module with its ``figure`` declares.

    Attributes:
        name: of the module or the entry point.
        kind: of the artifacts that are drawn: the module's ``KIND``, else ``name``.
        figure: draws one epoch.
        over_epochs: draws a history (a dataset with an ``epoch`` dimension); None where the module has none.
        options: choices by name of option, the default first: the module's ``OPTIONS``. None at all: the choices
            depend on the dataset, and ``choices`` tells them.
        choices: ``choices(dataset, view, epochs)``: those of the options that have none of their own, as far as they
            matter to this view, and none for other options that do not; ``epochs``: at which there is an artifact.
        beside: ``beside(view, epoch, epochs)``: other epochs whose datasets the figure wants in ``view.beside``.
        beside_variables: what it reads of them: the module's ``BESIDE``; None = all.
        one_layer: whether it shows one layer at a time: the module's ``ONE_LAYER``.
        history: variables that ``over_epochs`` reads: the module's ``HISTORY``; None = any.
    """

    name: str
    kind: str
    figure: Figure
    over_epochs: Figure | None = None
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    one_layer: bool = False
    history: tuple[str, ...] | None = None
    choices: Callable[[xr.Dataset, View, Sequence[int]], Choices] | None = None
    beside: Callable[[View, int, Sequence[int]], Sequence[int]] | None = None
    beside_variables: tuple[str, ...] | None = None

    def wanted_beside(self, view: View, epoch: int, epochs: Sequence[int]) -> list[int]:
        """Epochs beside ``epoch`` that the figure wants to see."""
        return [] if self.beside is None else list(self.beside(view, epoch, epochs))

    def with_beside(
        self,
        view: View,
        epoch: int,
        epochs: Sequence[int],
        read: Callable[[int, tuple[str, ...] | None], xr.Dataset | None],
    ) -> View:
        """The view with what the figure wants of other epochs.

        Args:
            view: without it.
            epoch: that is drawn.
            epochs: at which there is an artifact.
            read: gives the named variables (None = all) of an epoch, or None where its file cannot be read.
        """
        found = {other: read(other, self.beside_variables) for other in self.wanted_beside(view, epoch, epochs)}
        there = {other: dataset for other, dataset in found.items() if dataset is not None}
        return replace(view, beside=there) if there else view


def figure_kinds() -> list[str]:
    """Names of all pictures, sorted; most bear the name of the kind that they draw."""
    return sorted(_built_in() | {point.name for point in entry_points(group=ENTRY_POINTS)})


def figure_of(kind: str) -> Figure:
    """The function that draws a dataset of ``kind``; errors as for ``picture_of``."""
    return picture_of(kind).figure


def picture_of(name: str) -> Picture:
    """The picture called ``name``.

    Built-in ones come first: an installed package cannot replace one unnoticed.

    Raises:
        UserError: there is none.
    """
    if name in _built_in():
        module = importlib.import_module(f"repviz.figures.{name}")
        return _declared(name, module.figure, vars(module))
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            figure = point.load()
            module = inspect.getmodule(figure)
            return _declared(name, figure, vars(module) if module is not None else {})
    raise UserError(
        f"no figure is known for the kind {name!r}; there is one for {', '.join(figure_kinds())}. "
        f"A package adds one by an entry point of the group {ENTRY_POINTS!r}."
    )


def _declared(name: str, figure: Figure, module: Mapping[str, object]) -> Picture:
    return Picture(
        name=name,
        kind=module.get("KIND", name),
        figure=figure,
        over_epochs=module.get("over_epochs"),
        options=module.get("OPTIONS", {}),
        one_layer=module.get("ONE_LAYER", False),
        history=module.get("HISTORY"),
        choices=module.get("choices"),
        beside=module.get("beside"),
        beside_variables=module.get("BESIDE"),
    )


def _built_in() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(repviz.figures.__path__)} - _NOT_A_KIND
