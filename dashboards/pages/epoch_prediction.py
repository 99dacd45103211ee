"""The part of the overview that shows the prediction of the epoch: confusion matrix, classes, calibration."""

from typing import Any

import dash_mantine_components as dmc
import numpy as np
import plotly.graph_objects as go
import xarray as xr
from dash import Dash, Input, Output, dcc, html, no_update

from repviz.dashboards import ids
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog, NotThereError
from repviz.dashboards.manifest import UNREADABLE
from repviz.figures.prediction import MOST_CLASSES, calibration, confusion, per_class
from repviz.figures.shown import class_names
from repviz.figures.view import View
from repviz.store.hdf5 import read_dataset
from repviz.theme import LOOKS

KIND = "prediction"
_VARIABLES = (
    *("confusion", "class_name", "accuracy", "calibration_error"),
    *("bin_edge", "bin_count", "bin_confidence", "bin_accuracy"),
)
_BINS = ("bin_count", "bin_confidence", "bin_accuracy")
_BYTES = 32_000_000
_OUTPUTS = (
    (ids.CONFUSION, "figure"),
    (ids.CALIBRATION, "figure"),
    (ids.PER_CLASS, "children"),
    (ids.PREDICTION_TITLE, "children"),
    (ids.CALIBRATION_TITLE, "children"),
)
_GRAPH = {"displaylogo": False, "displayModeBar": False, "responsive": True}
_NUMBERS = ("precision", "recall", "f1")


def layout() -> html.Div:
    """Matrix, table and diagram side by side; a line instead of them where there is nothing to show."""
    return html.Div(
        [
            html.Div(id=ids.PREDICTION_EMPTY, className="empty line", hidden=True),
            html.Div(
                [
                    _card(
                        ids.CONFUSION,
                        ids.PREDICTION_TITLE,
                        "Confusion matrix; a click on a cell selects its samples",
                        ("confusion",),
                    ),
                    html.Section(
                        [
                            html.Header(html.H3("Classes")),
                            dmc.ScrollArea(html.Div(id=ids.PER_CLASS, className="per-class"), type="auto"),
                        ],
                        className="card",
                    ),
                    _card(ids.CALIBRATION, ids.CALIBRATION_TITLE, "Accuracy by confidence", _BINS),
                ],
                id=ids.PREDICTION,
                className="prediction-grid",
            ),
        ]
    )


def _card(graph: str, title: str, label: str, variables: tuple[str, ...]) -> html.Section:
    """A graph whose numbers are ``variables``."""
    drawn = dcc.Graph(id=graph, config=_GRAPH, className="curve", responsive=True)
    stage = html.Div(drawn, className="curve-stage", role="img", **{"aria-label": label})
    about = {"data-graph": graph, "data-variables": ",".join(variables)}
    return html.Section([html.Header(html.H3(id=title)), stage], className="card", **about)


def register(app: Dash, catalog: Catalog) -> None:
    """One callback draws all of it; the scripts ask for it when epoch or theme have changed."""
    datasets = FileCache(_BYTES)

    @app.callback(
        [Output(component, prop) for component, prop in _OUTPUTS],
        Input(ids.PREDICTION_REQUEST, "data"),
        prevent_initial_call=True,
    )
    def draw_prediction(asked: Any) -> list[Any]:
        return drawn(asked, catalog, datasets)


def drawn(asked: Any, catalog: Catalog, datasets: FileCache) -> list[Any]:
    """What the browser asked for: ``{"run", "epoch", "theme"}``; nothing new where it does not exist.

    What is wrong with a file is said in the titles, beside figures without content.
    """
    if not isinstance(asked, dict) or type(asked.get("epoch")) is not int:
        return [no_update] * len(_OUTPUTS)
    theme = asked.get("theme") if asked.get("theme") in LOOKS else "light"
    try:
        path = catalog.find(str(asked.get("run"))).artifact(KIND, asked["epoch"])
        dataset = datasets.get(path, lambda p: read_dataset(p, _VARIABLES), lambda d: d.nbytes)
        return _parts(dataset, View(theme=theme), asked)
    except (NotThereError, FileNotFoundError, KeyError, *UNREADABLE) as error:
        empty = go.Figure().update_layout(paper_bgcolor=LOOKS[theme].surface, plot_bgcolor=LOOKS[theme].surface)
        empty.update_xaxes(visible=False).update_yaxes(visible=False)
        return [empty, empty, [], f"Prediction of epoch {asked['epoch']}: {error}", "Calibration"]


def _parts(dataset: xr.Dataset, view: View, asked: dict[str, Any]) -> list[Any]:
    counts = dataset["confusion"].values
    where = dataset.attrs.get("evaluated_on", "val set")
    accuracy, error = float(dataset["accuracy"]), float(dataset["calibration_error"])
    epoch = f"epoch {asked['epoch']}"
    figures = [
        draw(dataset, view).update_layout(uirevision=asked["run"], autosize=True) for draw in (confusion, calibration)
    ]
    return [
        *figures,
        table(class_names(dataset), per_class(counts)),
        f"Confusion · {epoch} · accuracy {accuracy:.1%} of {counts.sum():,} rows ({where})",
        f"Calibration · {epoch} · expected error {error:.3f}",
    ]


def table(names: list[str], numbers: dict[str, np.ndarray]) -> html.Table:
    """One line per class, each with a button that the scripts know by its class number; of many, those done worst."""
    f1 = np.nan_to_num(numbers["f1"], nan=np.inf)
    listed = range(len(names)) if len(names) <= MOST_CLASSES else np.argsort(f1, kind="stable")[:MOST_CLASSES]
    head = html.Tr([html.Th(title, scope="col") for title in ("class", "precision", "recall", "F1", "rows")])
    lines = [
        html.Tr(
            [
                html.Th(html.Button(name, type="button", title=name, **{"data-class": str(k)}), scope="row"),
                *(html.Td(_share(numbers[column][k])) for column in _NUMBERS),
                html.Td(f"{int(numbers['support'][k]):,}"),
            ]
        )
        for k, name in ((int(k), names[k]) for k in listed)
    ]
    parts = [html.Thead(head), html.Tbody(lines)]
    if len(lines) < len(names):
        text = f"The {len(lines)} of {len(names):,} classes with the lowest F1; the matrix as CSV has all."
        parts.insert(0, html.Caption(text))
    return html.Table(parts)


def _share(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
