"""What does each layer know? The maps of all layers side by side."""

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
                    _choice(ids.AXES, "Axes", [("locked", "same for all epochs"), ("free", "fit each epoch")]),
                    dmc.Switch(id=ids.LABELS, label="class names on the maps", size="sm", checked=True),
                ],
                className="toolbar",
            ),
            html.Div(id=ids.MAPS_EMPTY, className="empty", hidden=True),
            html.Div(
                [
                    html.Div(id=ids.MAPS, className="maps"),
                    html.Aside(id=ids.LEGEND, className="legend", **{"aria-label": "Classes and splits"}),
                ],
                className="maps-and-legend",
            ),
        ]
    )


def register(app: Dash, catalog: Catalog, manifests: Manifests) -> None:
    """Nothing is drawn on the server: frames come from ``routes`` and the scripts show them."""


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
