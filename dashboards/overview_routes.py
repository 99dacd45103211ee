"""Routes of the overview: the learning curves, and the prediction of an epoch as figures, titles and classes."""

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from flask import Blueprint, Response, request

from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.figure_routes import as_json
from repviz.dashboards.manifest import BASELINE, Manifests
from repviz.figures.metrics import PANELS, panel
from repviz.figures.prediction import MOST_CLASSES, calibration, confusion, per_class
from repviz.figures.shown import class_names
from repviz.figures.view import View
from repviz.store.hdf5 import read_dataset
from repviz.theme import LOOKS, Theme

KIND = "prediction"
_VARIABLES = (
    *("confusion", "class_name", "accuracy", "calibration_error"),
    *("bin_edge", "bin_count", "bin_confidence", "bin_accuracy"),
)
_BYTES = 32_000_000


def add_overview_routes(routes: Blueprint, catalog: Catalog, manifests: Manifests) -> None:
    """``/runs/<run>/curves`` and ``/runs/<run>/prediction/<epoch>``, each in the theme that is asked for."""
    datasets = FileCache(_BYTES)

    @routes.get("/runs/<run>/curves")
    def of_run(run: str) -> Response:
        return as_json(curves(catalog.find(run), manifests, _theme(), log=request.args.get("log") == "1"))

    @routes.get("/runs/<run>/prediction/<int:epoch>")
    def of_epoch(run: str, epoch: int) -> Response:
        path = catalog.find(run).artifact(KIND, epoch)
        dataset = datasets.get(path, read_prediction, lambda d: d.nbytes)
        return as_json(prediction(dataset, run, epoch, _theme()))


def curves(run: RunFiles, manifests: Manifests, theme: Theme, *, log: bool = False) -> dict[str, go.Figure]:
    """The figure of each panel.

    Raises:
        ValueError: the table of metrics cannot be read.
    """
    try:
        rows, monitor = manifests.rows(run), run.info().get("monitor") or "val_accuracy"
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"the curves of run {run.name} cannot be drawn: {error}") from error
    view = View(theme=theme, options={"bare": True, "log": log, "monitor": monitor, "baseline": baseline(run)})
    return {
        name: _on_card(panel(rows, name, view), run.name, theme).update_layout(modebar_remove=["lasso"])
        for name in PANELS
    }


def baseline(run: RunFiles) -> dict[str, float]:
    """Numbers of the baseline by column; none where there are none or the manifest calls them damaged."""
    try:
        return run.results().get(BASELINE, {})
    except (NotThereError, OSError, ValueError, KeyError, TypeError):
        return {}


def read_prediction(path: Path) -> xr.Dataset:
    """What the overview draws of a prediction; see ``read_dataset`` for errors."""
    return read_dataset(path, _VARIABLES)


def prediction(dataset: xr.Dataset, run: str, epoch: int, theme: Theme) -> dict[str, Any]:
    """``confusion`` and ``calibration``, each a figure with its title, and the lines of the table of classes.

    Raises:
        ValueError: the dataset lacks what a prediction has.
    """
    lacking = [name for name in _VARIABLES if name not in dataset.variables]
    if lacking:
        raise ValueError(f"the prediction of epoch {epoch} has no {', '.join(lacking)}")
    counts, names = dataset["confusion"].values, class_names(dataset)
    where = dataset.attrs.get("evaluated_on", "val set")
    accuracy, error = float(dataset["accuracy"]), float(dataset["calibration_error"])
    titles = {
        confusion: f"Confusion · epoch {epoch} · accuracy {accuracy:.1%} of {counts.sum():,} rows ({where})",
        calibration: f"Calibration · epoch {epoch} · expected error {error:.3f}",
    }
    return {
        draw.__name__: {"title": title, "figure": _on_card(draw(dataset, View(theme=theme)), run, theme)}
        for draw, title in titles.items()
    } | {"classes": class_lines(names, per_class(counts)), "n_classes": len(names)}


def class_lines(names: list[str], numbers: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Number, name, precision, recall, F1 (None: not defined) and rows of each class; of many, those done worst."""
    f1 = np.nan_to_num(numbers["f1"], nan=np.inf)
    listed = range(len(names)) if len(names) <= MOST_CLASSES else np.argsort(f1, kind="stable")[:MOST_CLASSES]
    shares = {name: [v if np.isfinite(v) else None for v in numbers[name]] for name in ("precision", "recall", "f1")}
    return [
        {"number": int(k), "name": names[k], "rows": int(numbers["support"][k])}
        | {name: values[k] for name, values in shares.items()}
        for k in listed
    ]


def _on_card(figure: go.Figure, run: str, theme: Theme) -> go.Figure:
    """Room is the page's matter; zoom stays while it is the same run."""
    surface = LOOKS[theme].surface
    return figure.update_layout(uirevision=run, paper_bgcolor=surface, plot_bgcolor=surface)


def _theme() -> Theme:
    return "dark" if request.args.get("theme") == "dark" else "light"
