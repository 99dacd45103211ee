"""What a page, a notebook or a report asks of a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr

from repviz.errors import UserError
from repviz.theme import LOOKS

_NAMED = 12
"""Choices that an error names; of more it says how many there are."""


def usual_layer(layers: Sequence[str]) -> str:
    """The layer that is drawn where a figure shows one and none is chosen: the penultimate one, else the last."""
    return "penultimate" if "penultimate" in layers else layers[-1]


def usual_method(methods: Sequence[str]) -> str:
    """The projection's method that is drawn where none is chosen: UMAP where there is one, else the first."""
    return "umap" if "umap" in methods else methods[0]


@dataclass(frozen=True)
class View:
    """How a dataset is to be drawn.

    Attributes:
        layer: one layer; None = all of them.
        method: which projection, ``umap`` or ``pca``; None = the usual one.
        theme: ``light`` or ``dark``.
        selection: sample indices to stress; empty = none.
        classes: class indices to draw (-1 = points without a class); None = all.
        options: what one kind of figure understands besides.
        beside: datasets of the same kind by epoch, for a figure that sets its own against others (see ``Picture``).

    Raises:
        UserError: the theme is not known.
    """

    layer: str | None = None
    method: str | None = None
    theme: Literal["light", "dark"] = "light"
    selection: tuple[int, ...] = ()
    classes: tuple[int, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[int, xr.Dataset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.theme not in LOOKS:
            raise UserError(f"theme={self.theme!r} is not known; choose {' or '.join(LOOKS)}")

    def selected(self, rows: np.ndarray) -> np.ndarray | None:
        """Places of the selected ones in ``rows``, sample indices; None where nothing is selected at all."""
        return np.flatnonzero(np.isin(rows, self._selection)) if self.selection else None

    @cached_property
    def _selection(self) -> np.ndarray:
        return np.asarray(self.selection, np.int64)

    def option(self, name: str, choices: Sequence[str]) -> str:
        """The option ``name``, the first of its choices where it is not given.

        Raises:
            UserError: it is none of the choices.
        """
        value = str(self.options.get(name, choices[0]))
        if value not in choices:
            more = f" … ({len(choices)} in all)" if len(choices) > _NAMED else ""
            raise UserError(f"{name}={value!r} is not known; choose one of {', '.join(choices[:_NAMED])}{more}")
        return value
