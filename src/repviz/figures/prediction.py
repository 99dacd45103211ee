"""Confusion matrix and reliability diagram of one epoch; accuracy and calibration error over epochs."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.projection import class_names
from repviz.figures.view import View
from repviz.theme import LOOKS, template

HISTORY = ("accuracy", "calibration_error")
"""Variables that ``over_epochs`` reads."""
_MANY = 30
"""Classes beyond which not every name has a tick: plotly chooses some."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left the confusion matrix (share of each class's rows), right accuracy by confidence; both over the val set.

    ``view.classes``: rows and columns of the confusion matrix.
    """
    look = LOOKS[view.theme]
    on = dataset.attrs.get("evaluated_on", "val set")
    rows = int(dataset["bin_count"].sum())
    error = float(dataset["calibration_error"])
    target = make_subplots(
        1,
        2,
        column_widths=[0.6, 0.4],
        horizontal_spacing=0.12,
        subplot_titles=[f"Confusion, {rows} rows: {on}", f"Calibration, expected error {error:.3f}"],
    )
    _draw_confusion(target, dataset, view)
    _draw_reliability(target, dataset, view)
    target.update_layout(
        template=template(view.theme),
        title_text=f"Prediction · epoch {dataset.attrs.get('epoch', '?')} · accuracy {float(dataset['accuracy']):.1%}",
        showlegend=False,
        width=1100,
        height=560,
        margin={"l": 60, "r": 24, "t": 84, "b": 48},
        paper_bgcolor=look.surface,
    )
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Accuracy and expected calibration error on the val set over epochs."""
    look = LOOKS[view.theme]
    target = go.Figure()
    lines = (("accuracy", "accuracy", 1), ("calibration_error", "expected calibration error", 2))
    for variable, name, color in lines:
        target.add_trace(
            go.Scatter(
                x=history["epoch"].values,
                y=history[variable].values,
                name=name,
                mode="lines+markers",
                line={"color": look.splits[color], "width": 2},
                hovertemplate="%{y:.4f}",
            )
        )
    target.update_layout(template=template(view.theme), title_text="Prediction over epochs", hovermode="x unified")
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="share", range=[0, 1])
    return target


def _draw_confusion(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    names = class_names(dataset)
    shown = [k for k in range(len(names)) if view.classes is None or k in view.classes]
    counts = dataset["confusion"].values
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    target.add_trace(
        go.Heatmap(
            z=share[np.ix_(shown, shown)].astype(np.float32),
            x=[names[k] for k in shown],
            y=[names[k] for k in shown],
            customdata=counts[np.ix_(shown, shown)],
            zmin=0,
            zmax=1,
            colorscale=[[0, look.surface], [1, look.accent]],
            colorbar={"title": {"text": "share of<br>the class"}, "x": 0.53, "thickness": 12, "tickformat": ".0%"},
            hovertemplate="class %{y}<br>predicted %{x}<br>%{customdata} rows, %{z:.1%}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    every = {"dtick": 1} if len(shown) <= _MANY else {}
    target.update_xaxes(title_text="predicted class", type="category", showgrid=False, tickangle=-60, **every, col=1)
    target.update_yaxes(
        title_text="class", type="category", showgrid=False, autorange="reversed", **every, row=1, col=1
    )


def _draw_reliability(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    edges, count = dataset["bin_edge"].values, dataset["bin_count"].values
    target.add_trace(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": look.muted, "dash": "dot"}, hoverinfo="skip"),
        row=1,
        col=2,
    )
    target.add_trace(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=dataset["bin_accuracy"].values,
            width=np.diff(edges),
            # a bin of few rows says little: the fewer, the paler
            marker={
                "color": look.splits[1],
                "opacity": 0.15 + 0.7 * np.sqrt(count / max(count.max(initial=0), 1)),
                "line": {"color": look.outline, "width": 0.5},
            },
            customdata=count,
            hovertemplate="confidence about %{x:.2f}<br>accuracy %{y:.3f}<br>%{customdata} rows<extra></extra>",
        ),
        row=1,
        col=2,
    )
    target.add_trace(
        go.Scatter(
            x=dataset["bin_confidence"].values,
            y=dataset["bin_accuracy"].values,
            mode="markers",
            marker={"color": look.text, "size": 5},
            hovertemplate="mean confidence %{x:.3f}<br>accuracy %{y:.3f}<extra></extra>",
        ),
        row=1,
        col=2,
    )
    target.update_xaxes(title_text="confidence of the predicted class", range=[0, 1], row=1, col=2)
    target.update_yaxes(title_text="accuracy", range=[0, 1], row=1, col=2)
