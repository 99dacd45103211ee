"""Is it learning? Learning curves, the numbers of the epoch, and one map that moves along."""

from typing import Any

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html, no_update

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.manifest import BASELINE, Manifests
from repviz.dashboards.pages import epoch_prediction
from repviz.figures.metrics import PANELS, panel
from repviz.figures.view import View
from repviz.theme import LOOKS

NAME = "overview"
TITLE = "Overview"
ICON = "curves"

_GRAPH = {
    "displaylogo": False,
    "displayModeBar": False,
    "doubleClick": "reset",
    "scrollZoom": False,
    "responsive": True,
}


def layout() -> html.Div:
    """Tiles above, curves left, the map right; the scripts fill tiles and map."""
    log = dmc.Switch(id=ids.LOG, label="log", size="xs", checked=False, className="card-switch")
    return html.Div(
        [
            html.Div(id=ids.TILES, className="tiles", role="group", **{"aria-label": "Numbers of the epoch"}),
            html.Div(id=ids.CURVES_EMPTY, className="empty", hidden=True),
            html.Div(
                [
                    _card("loss", extra=log),
                    _card("accuracy"),
                    html.Div(id=ids.OVERVIEW_MAP, className="overview-map"),
                    _card("f1"),
                    html.Div([_card("lr", small=True), _card("grad_norm", small=True)], className="stack"),
                ],
                className="overview-grid",
            ),
            epoch_prediction.layout(),
        ]
    )


def register(app: Dash, catalog: Catalog, manifests: Manifests) -> None:
    """One callback draws all panels; the scripts ask for it when metrics, theme or scale have changed."""
    epoch_prediction.register(app, catalog)

    @app.callback(
        [Output(ids.curve(name), "figure") for name in PANELS],
        Input(ids.CURVES_REQUEST, "data"),
        prevent_initial_call=True,
    )
    def draw_curves(asked: Any) -> list[Any]:
        return curves(asked, catalog, manifests)


def curves(asked: Any, catalog: Catalog, manifests: Manifests) -> list[Any]:
    """Figures of all panels for what the browser asked: ``{"run", "theme", "log"}``."""
    if not isinstance(asked, dict):
        return [no_update] * len(PANELS)
    try:
        run = catalog.find(str(asked.get("run")))
        rows = manifests.rows(run)
        monitor = run.info().get("monitor") or "val_accuracy"
    except (NotThereError, OSError, ValueError, KeyError):  # the manifest says what is wrong
        return [_bare(go.Figure(), run="", theme="light") for _ in PANELS]
    theme = asked.get("theme") if asked.get("theme") in LOOKS else "light"
    options = {"bare": True, "log": asked.get("log") is True, "monitor": monitor, "baseline": baseline(run)}
    view = View(theme=theme, options=options)
    return [_bare(panel(rows, name, view), run.name, theme) for name in PANELS]


def baseline(run: RunFiles) -> dict[str, float]:
    """Numbers of the baseline by column; none where there are none or the manifest calls them damaged."""
    try:
        return run.results().get(BASELINE, {})
    except (NotThereError, OSError, ValueError, KeyError, TypeError):
        return {}


def _bare(figure: go.Figure, run: str, theme: str) -> go.Figure:
    """Room is the page's matter; zoom stays while it is the same run."""
    look = LOOKS[theme]
    return figure.update_layout(
        uirevision=run, autosize=True, paper_bgcolor=look.surface, plot_bgcolor=look.surface, modebar_remove=["lasso"]
    )


def _card(name: str, *, small: bool = False, extra: Any = None) -> html.Section:
    title = PANELS[name].title
    return html.Section(
        [
            html.Header(
                [
                    html.H3(title),
                    html.Div(className="readout", **{"data-panel": name}),
                    *([extra] if extra is not None else []),
                ]
            ),
            html.Div(
                dcc.Graph(
                    id=ids.curve(name),
                    config=_GRAPH,
                    className="curve",
                    responsive=True,
                ),
                className="curve-stage",
                role="img",
                **{"aria-label": f"{title} over epochs"},
            ),
        ],
        className="card small" if small else "card",
        **{"data-graph": name},
    )
