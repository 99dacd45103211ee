"""Which samples go wrong? A table of the selected points or of all, and one map on which the chosen one has a ring."""

import dash_mantine_components as dmc
from dash import Dash, html

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests

NAME = "samples"
TITLE = "Samples"
ICON = "table"


def layout() -> html.Div:
    """Filters above, the table left, map and the whole text right; the scripts fill all of it."""
    return html.Div(
        [
            html.Div(
                [
                    _choice(ids.SHOWN, "Show", [("all", "all"), ("selected", "selected")]),
                    _choice(ids.VERDICT, "Prediction", [("any", "any"), ("wrong", "wrong"), ("right", "right")]),
                    dmc.TextInput(
                        id=ids.FIND,
                        placeholder="find in id and text",
                        value="",
                        debounce=300,
                        size="xs",
                        w=190,
                        **{"aria-label": "find in id and text"},
                    ),
                    html.Div(id=ids.TABLE_STATE, className="table-state", role="status"),
                    _button(ids.SELECT_SHOWN, "select these"),
                    _button(ids.EXPORT, "CSV"),
                ],
                className="toolbar",
            ),
            html.Div(id=ids.TABLE_EMPTY, className="empty line", hidden=True),
            html.Div(
                [
                    html.Div(id=ids.TABLE, className="table card"),
                    html.Div(
                        [
                            html.Div(html.Div(id=ids.SAMPLES_MAP, className="one-map"), className="one-map-frame"),
                            html.Section(id=ids.SAMPLE, className="card sample-detail", **{"aria-live": "polite"}),
                        ],
                        className="table-side",
                    ),
                ],
                className="table-and-map",
            ),
        ]
    )


def register(app: Dash, catalog: Catalog, manifests: Manifests) -> None:
    """Nothing is made on the server: numbers and texts come from ``value_routes``."""


def _choice(component: str, label: str, options: list[tuple[str, str]]) -> html.Div:
    control = dmc.SegmentedControl(
        id=component,
        data=[{"value": value, "label": text} for value, text in options],
        value=options[0][0],
        size="xs",
        **{"aria-labelledby": f"{component}-label"},
    )
    return html.Div(
        [html.Span(label, className="control-label", id=f"{component}-label"), control], className="control"
    )


def _button(component: str, text: str) -> dmc.Button:
    return dmc.Button(text, id=component, size="compact-sm", variant="light", n_clicks=0)
