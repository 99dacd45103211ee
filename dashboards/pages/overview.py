"""Is it learning? Learning curves, the numbers of the epoch, and one map that moves along."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, html

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.pages import epoch_prediction
from repviz.figures.metrics import PANELS

NAME = "overview"
TITLE = "Overview"
ICON = "curves"


def layout() -> html.Div:
    """Tiles above, curves left, the map right; the scripts fill all of them."""
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
    """Nothing to register: curves and prediction come from ``overview_routes``."""


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
                html.Div(id=ids.curve(name), className="curve", **{"data-label": f"{title} over epochs"}),
                className="curve-stage",
            ),
        ],
        className="card small" if small else "card",
        **{"data-graph": name},
    )
