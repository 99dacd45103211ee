"""Figures for the page: drawn on the server from a run's artifacts, kept as JSON as long as the files are the same."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.io.json import to_json_plotly

from repviz.dashboards.asked_view import choices_of, guarded, known, layers_of
from repviz.dashboards.cache import BoundedCache, stamp_of, stamp_or_none
from repviz.dashboards.catalog import NotThereError, RunFiles
from repviz.figures.registry import Figure, Picture, figure_kinds, picture_of
from repviz.figures.view import View
from repviz.store.hdf5 import DamagedFileError, NewerFormatError, read_dataset

log = logging.getLogger("repviz")

_TITLE_PIXELS = 44
"""Room above a figure for the title that a card has in its own heading."""
_LEAST_TOP = 16
_PANEL_TITLE = 16
"""Font size of the titles that plotly gives to panels."""
_PANEL_TITLE_PIXELS = 34
_MARKUP = re.compile(r"</?(?:sup|sub|b|i|span)\b[^>]*>")
"""What plotly takes for type in a title; a card shows text as text."""
_FEW = 12
"""Epochs, up to which each gets a tick."""


class Pictures:
    """The pictures that are installed, and why some cannot be loaded."""

    def __init__(self) -> None:
        """Look them up once: an app shows those that were there when it was made."""
        self.known: dict[str, Picture] = {}
        self.broken: dict[str, str] = {}
        for name in figure_kinds():
            try:
                self.known[name] = picture_of(name)
            except Exception as error:  # someone else's package must not keep the others from being seen
                log.warning("the figure %r cannot be loaded: %s: %s", name, type(error).__name__, error)
                self.broken[name] = f"{type(error).__name__}: {error}"

    def find(self, name: str) -> Picture:
        """The picture called ``name``.

        Raises:
            NotThereError: there is none.
        """
        if name not in self.known:
            raise NotThereError(f"there is no figure {name!r}; there are {', '.join(self.known)}")
        return self.known[name]


class Drawer:
    """Draws pictures of runs; both the JSON and what histories read are kept, each up to a limit."""

    def __init__(self, figure_bytes: int, history_bytes: int) -> None:
        """Args: how much the JSON of figures, and the variables that histories read, may take."""
        self._drawn = BoundedCache(figure_bytes)
        self._read = BoundedCache(history_bytes)

    def at_epoch(self, run: RunFiles, picture: Picture, epoch: int, view: View) -> bytes:
        """The figure of one epoch as JSON; see ``_drawn_by`` for its shape.

        Raises:
            NotThereError: no artifact at that epoch; ``UNREADABLE`` of ``manifest``: its file is damaged or too new;
            DrawingError: the figure cannot be drawn from it.
        """
        path = run.artifact(picture.kind, epoch)
        files = run.files(picture.kind)

        def beside(epoch: int, names: tuple[str, ...] | None) -> xr.Dataset | None:
            try:
                return self._part(files[epoch], names)
            except (DamagedFileError, NewerFormatError, FileNotFoundError):
                return None  # the figure of that epoch says what is wrong

        def make() -> bytes:
            dataset = read_dataset(path)
            asked = known(picture, dataset, view, list(files))
            whole = picture.with_beside(asked, epoch, list(files), beside)
            return _drawn_by(picture.figure, picture, dataset, whole, run.name, epochs=list(files))

        stamps = [
            stamp_of(path),
            *(stamp_or_none(files[other]) for other in picture.wanted_beside(view, epoch, list(files))),
        ]
        return self._drawn.get((path, picture.name, _key_of(view)), tuple(stamps), make, len)

    def over_epochs(self, run: RunFiles, picture: Picture, view: View) -> bytes:
        """The figure over all readable epochs as JSON, errors as for ``at_epoch``; damaged epochs are named in it."""
        draw = picture.over_epochs
        if draw is None:
            raise NotThereError(f"{picture.name} has no figure over epochs")
        files = run.files(picture.kind)
        stamps = tuple((epoch, stamp_of(path)) for epoch, path in files.items())

        def make() -> bytes:
            history, damaged = self._history(run, picture, files)
            asked = known(picture, history, view, list(files))
            return _drawn_by(draw, picture, history, asked, run.name, epochs=list(files), damaged=damaged)

        return self._drawn.get((run.path, picture.name, _key_of(view)), stamps, make, len)

    def _history(self, run: RunFiles, picture: Picture, files: Mapping[int, Path]) -> tuple[xr.Dataset, list[str]]:
        return history(run, picture.kind, files, lambda path: self._part(path, picture.history))

    def _part(self, path: Path, names: tuple[str, ...] | None) -> xr.Dataset:
        key, stamp = (path, names), stamp_of(path)
        return self._read.get(key, stamp, lambda: read_dataset(path, names), lambda part: part.nbytes)


def _key_of(view: View) -> str:
    """Equal for equal views; of a selection, which can be long, its digest."""
    rows = np.asarray(view.selection, np.int64).tobytes()
    digest = hashlib.sha256(rows).hexdigest() if view.selection else ""
    return f"{replace(view, selection=())!r} {digest}"


def history(
    run: RunFiles, kind: str, files: Mapping[int, Path], read: Callable[[Path], xr.Dataset]
) -> tuple[xr.Dataset, list[str]]:
    """All readable epochs as one dataset with an ``epoch`` dimension, and what was said of the others.

    Raises:
        NotThereError: there is no epoch; DamagedFileError: none can be read.
    """
    parts, damaged = {}, []
    for epoch, path in files.items():
        try:
            parts[epoch] = read(path)
        except FileNotFoundError:  # gone since it was listed
            continue
        except (DamagedFileError, NewerFormatError) as error:
            damaged.append(f"epoch {epoch}: {error}")
    if not parts:
        if damaged:
            raise DamagedFileError(f"no epoch of {kind} can be read. {damaged[0]}")
        raise NotThereError(f"run {run.name} has no {kind!r}")
    joined = xr.concat(
        list(parts.values()),
        xr.Variable("epoch", list(parts)),
        data_vars="all",
        coords="minimal",
        compat="override",
        combine_attrs="drop_conflicts",
        join="outer",
    )
    return joined, damaged


def _drawn_by(
    draw: Figure,
    picture: Picture,
    dataset: xr.Dataset,
    view: View,
    run: str,
    *,
    epochs: Sequence[int],
    damaged: Iterable[str] = (),
) -> bytes:
    """The figure as JSON, with the layers and choices there are and the layer that is drawn (null = all)."""
    with guarded(picture):
        figure = draw(dataset, view)
    along = dataset["epoch"].values if "epoch" in dataset.dims else []
    if len(along) and along[-1] - along[0] <= _FEW:
        figure.update_xaxes(dtick=1)  # epochs are whole numbers, however few there are
    revision = f"{run}/{picture.name}/{view.layer}/{sorted(view.options.items())}"
    content = on_page(figure, revision) | {
        "epoch": dataset.attrs.get("epoch"),
        "layers": layers_of(dataset),
        "layer": view.layer,
        "choices": {name: list(pairs) for name, pairs in choices_of(picture, dataset, view, epochs).items()},
        "damaged": list(damaged),
    }
    return to_json_plotly(content, engine="orjson").encode()


def on_page(figure: go.Figure, revision: str) -> dict[str, Any]:
    """A figure without the title and size that it has on its own: those of the card count; both are told beside it.

    Args:
        figure: is changed.
        revision: plotly keeps zoom and camera as long as it is the same.
    """
    title, _, subtitle = (_MARKUP.sub("", part) for part in (figure.layout.title.text or "").partition("<br>"))
    width, height, top = figure.layout.width, figure.layout.height, figure.layout.margin.t
    usual = figure.layout.template.layout.margin.t or 0
    top = usual if top is None else top
    panels = [note for note in figure.layout.annotations if note.yref == "paper" and note.font.size == _PANEL_TITLE]
    for note in panels:
        note.font.size = 13  # less than the heading of the card
    figure.update_layout(
        title=None,
        title_text=None,
        width=None,
        height=None,
        autosize=True,
        margin_t=max(_PANEL_TITLE_PIXELS if panels else _LEAST_TOP, top - _TITLE_PIXELS),
        uirevision=revision,
    )
    return {
        "title": title,
        "subtitle": subtitle,
        "alone": {"width": width or 1000, "height": height or 560, "top": top + (18 if subtitle else 0)},
        "height": height,
        "figure": figure.to_dict(),
    }
