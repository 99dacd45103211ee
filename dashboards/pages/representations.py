"""What does each layer know? The maps of all layers side by side."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, html

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.figures.projection import METHOD_NAMES

NAME = "representations"
TITLE = "Representations"
ICON = "maps"


def layout() -> html.Div:
    """Controls above, maps left, classes right; the scripts draw the maps."""
    return html.Div(
        [
            html.Div(
                [
                    _choice(ids.METHOD, "Projection", [("umap", METHOD_NAMES["umap"]), ("pca", METHOD_NAMES["pca"])]),
                    _choice(ids.AXES, "Axes", [("locked", "locked"), ("free", "free")]),
                    _choice(ids.TOOL, "Mouse", [("move", "move"), ("lasso", "lasso"), ("box", "box")]),
                    _select(ids.COLOR, "Colour", 158, value="class", data=[{"value": "class", "label": "class"}]),
                    _select(ids.GHOST, "Ghost", 104, data=[], placeholder="none", clearable=True),
                    dmc.Switch(id=ids.TRAILS, label="trails", size="sm", checked=False),
                    dmc.Switch(id=ids.LABELS, label="names", size="sm", checked=True),
                ],
                className="toolbar",
            ),
            html.Div(id=ids.MAPS_EMPTY, className="empty", hidden=True),
            html.Div(
                [
                    html.Div(id=ids.MAPS, className="maps"),
                    html.Div(
                        [
                            html.Aside(id=ids.POINT, className="near", hidden=True, **_named("Chosen point")),
                            html.Aside(id=ids.LEGEND, className="legend", **_named("Colours, classes and splits")),
                        ],
                        className="side",
                    ),
                ],
                className="maps-and-legend",
            ),
        ]
    )


def register(app: Dash, catalog: Catalog, manifests: Manifests) -> None:
    """Nothing is drawn on the server: frames come from ``routes`` and the scripts show them."""


def _named(name: str) -> dict[str, str]:
    return {"aria-label": name}


def _select(component: str, label: str, width: int, **settings: Any) -> html.Div:
    select = dmc.Select(
        id=component,
        size="xs",
        w=width,
        allowDeselect=settings.get("clearable", False),
        withCheckIcon=False,
        maxDropdownHeight=420,
        **settings,
        **_named(label.lower()),
    )
    return html.Div([html.Span(label, className="control-label"), select], className="control")


def _choice(component: str, label: str, options: list[tuple[str, str]]) -> html.Div:
    return html.Div(
        [
            html.Span(label, className="control-label", id=f"{component}-label"),
            dmc.SegmentedControl(
                id=component,
                data=[{"value": value, "label": text} for value, text in options],
                value=options[0][0],
                size="xs",
                **{"aria-labelledby": f"{component}-label"},
            ),
        ],
        className="control",
    )
