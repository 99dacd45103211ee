"""Confusion matrix and reliability diagram of one epoch; accuracy and calibration error over epochs."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.shown import shown_classes
from repviz.figures.view import View
from repviz.theme import LOOKS, template

HISTORY = ("accuracy", "calibration_error")
"""Variables that ``over_epochs`` reads."""
_MANY = 30
"""Classes beyond which not every name has a tick: plotly chooses some."""
MOST_CLASSES = 100
"""Classes of a confusion matrix: of more, whose cells would be smaller than a pixel, those with the most errors."""


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
    _draw_confusion(target, dataset, view, row=1, col=1)
    target.update_traces(selector={"type": "heatmap"}, colorbar_x=0.53)
    _draw_reliability(target, dataset, view, row=1, col=2)
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


def confusion(dataset: xr.Dataset, view: View) -> go.Figure:
    """The confusion matrix alone, for a page that says the rest itself; ``view.classes`` as for ``figure``."""
    target = go.Figure()
    _draw_confusion(target, dataset, view)
    return _bare(target, view)


def calibration(dataset: xr.Dataset, view: View) -> go.Figure:
    """The reliability diagram alone, for a page that says the rest itself."""
    target = go.Figure()
    _draw_reliability(target, dataset, view)
    return _bare(target, view)


def per_class(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 (0 to 1, NaN where undefined) and support (rows) of each class.

    Precision is not defined for a class that was never predicted, recall not for one without rows; F1, from counts,
    only where neither occurs.

    Args:
        counts: ``(n_classes, n_classes)``, rows by class and predicted class.
    """
    hits, support, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

    f1 = share(2 * hits, support + predicted)
    return {"precision": share(hits, predicted), "recall": share(hits, support), "f1": f1, "support": support}


def most_confused(counts: np.ndarray, classes: Sequence[int], most: int = MOST_CLASSES) -> list[int]:
    """Those of ``classes`` with the most errors, ascending: rows of the class or predicted as it, but not both.

    Args:
        counts: ``(n_classes, n_classes)``, rows by class and predicted class.
        classes: among which is chosen; all of them where they are no more than ``most``.
        most: how many.
    """
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return sorted(sorted(classes, key=lambda k: -errors[k])[:most])


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


def _bare(target: go.Figure, view: View) -> go.Figure:
    look = LOOKS[view.theme]
    return target.update_layout(
        template=template(view.theme),
        showlegend=False,
        margin={"l": 48, "r": 12, "t": 12, "b": 40},
        paper_bgcolor=look.surface,
        plot_bgcolor=look.surface,
    )


def _draw_confusion(target: go.Figure, dataset: xr.Dataset, view: View, **cell: int) -> None:
    look = LOOKS[view.theme]
    names = shown_classes(dataset)
    counts = dataset["confusion"].values
    asked = [k for k in range(len(names)) if view.classes is None or k in view.classes]
    shown = most_confused(counts, asked)
    part = f" (the {len(shown)} of {len(asked):,} with the most errors)" if len(shown) < len(asked) else ""
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
            colorbar={"title": {"text": "share of<br>the class"}, "thickness": 12, "tickformat": ".0%"},
            hovertemplate="class %{y}<br>predicted %{x}<br>%{customdata} rows, %{z:.1%}<extra></extra>",
        ),
        **cell,
    )
    target.update_layout(meta={"classes": shown})  # which class a row or column is
    every = {"dtick": 1} if len(shown) <= _MANY else {}
    target.update_xaxes(
        title_text=f"predicted class{part}", type="category", showgrid=False, tickangle=-60, **every, **cell
    )
    target.update_yaxes(title_text="class", type="category", showgrid=False, autorange="reversed", **every, **cell)


def _draw_reliability(target: go.Figure, dataset: xr.Dataset, view: View, **cell: int) -> None:
    look = LOOKS[view.theme]
    edges, count = dataset["bin_edge"].values, dataset["bin_count"].values
    target.add_trace(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": look.muted, "dash": "dot"}, hoverinfo="skip"),
        **cell,
    )
    target.add_trace(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=dataset["bin_accuracy"].values,
            width=np.nan_to_num(np.diff(edges)),  # Plotly raises where a width is no number
            # a bin of few rows says little: the fewer, the paler
            marker={
                "color": look.splits[1],
                "opacity": 0.15 + 0.7 * np.sqrt(count / max(count.max(initial=0), 1)),
                "line": {"color": look.outline, "width": 0.5},
            },
            customdata=count,
            hovertemplate="confidence about %{x:.2f}<br>accuracy %{y:.3f}<br>%{customdata} rows<extra></extra>",
        ),
        **cell,
    )
    target.add_trace(
        go.Scatter(
            x=dataset["bin_confidence"].values,
            y=dataset["bin_accuracy"].values,
            mode="markers",
            marker={"color": look.text, "size": 5},
            hovertemplate="mean confidence %{x:.3f}<br>accuracy %{y:.3f}<extra></extra>",
        ),
        **cell,
    )
    target.update_xaxes(title_text="confidence of the predicted class", range=[0, 1], **cell)
    target.update_yaxes(title_text="accuracy", range=[0, 1.02], **cell)
