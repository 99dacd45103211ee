"""The part of the overview that shows the prediction of the epoch: confusion matrix, classes, calibration."""

import dash_mantine_components as dmc
from dash import html

from repviz.dashboards import ids

_BINS = ("bin_count", "bin_confidence", "bin_accuracy")


def layout() -> html.Div:
    """Matrix, table and diagram side by side; a line instead of them where there is nothing to show."""
    return html.Div(
        [
            html.Div(id=ids.PREDICTION_EMPTY, className="empty line", hidden=True),
            html.Div(
                [
                    _card(
                        ids.CONFUSION,
                        ids.CONFUSION_TITLE,
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
    drawn = html.Div(id=graph, className="curve", **{"data-label": label})
    about = {"data-graph": graph, "data-variables": ",".join(variables)}
    return html.Section(
        [html.Header(html.H3(id=title)), html.Div(drawn, className="curve-stage")], className="card", **about
    )
