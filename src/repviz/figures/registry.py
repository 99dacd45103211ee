"""Finding the figure of a kind: the modules of this package, and what installed packages offer.

A kind is looked up in a list of what exists, never imported by a name that came from a file or a browser.
"""

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points

import plotly.graph_objects as go
import xarray as xr

import repviz.figures
from repviz.errors import UserError
from repviz.figures.view import View

ENTRY_POINTS = "repviz.figures"
_NOT_A_KIND = {"registry", "view", "metrics", "lines"}

Figure = Callable[[xr.Dataset, View], go.Figure]


def figure_kinds() -> list[str]:
    """Kinds that have a figure, sorted."""
    return sorted(_built_in() | {point.name for point in entry_points(group=ENTRY_POINTS)})


def figure_of(kind: str) -> Figure:
    """The function that draws a dataset of ``kind``.

    Built-in kinds come first: an installed package cannot replace one unnoticed.

    Raises:
        UserError: nobody draws that kind.
    """
    if kind in _built_in():
        return importlib.import_module(f"repviz.figures.{kind}").figure
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == kind:
            return point.load()
    raise UserError(
        f"no figure is known for the kind {kind!r}; there is one for {', '.join(figure_kinds())}. "
        f"A package adds one by an entry point of the group {ENTRY_POINTS!r}."
    )


def _built_in() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(repviz.figures.__path__)} - _NOT_A_KIND
