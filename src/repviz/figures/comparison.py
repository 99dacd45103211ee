"""Several runs: their learning curves over each other, and how alike their layers are."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.metrics import Metrics, best_epoch, measured
from repviz.figures.shown import shown
from repviz.figures.similarity import cka_heatmap
from repviz.figures.view import View
from repviz.theme import class_colors, template

COLUMNS = {
    "val_loss": "Validation loss",
    "val_accuracy": "Validation accuracy",
    "val_f1_macro": "Macro F1",
    "train_loss": "Training loss",
    "train_accuracy": "Training accuracy",
    "lr": "Learning rate",
}
_MOST_BESIDE = 3
"""Matrices of CKA in a row."""
_CELLS = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def figure(runs: Mapping[str, Metrics], view: View) -> go.Figure:
    """A panel per metric, a line per run, a ring at its best epoch by validation accuracy.

    ``view.options``: ``log`` draws the losses on a logarithmic axis.
    """
    target = make_subplots(2, 3, subplot_titles=list(COLUMNS.values()), horizontal_spacing=0.06, vertical_spacing=0.17)
    for (name, metrics), color in zip(runs.items(), class_colors(len(runs)), strict=True):
        table = measured(metrics)
        best = best_epoch(table.reset_index()) if len(table) else None
        for number, (column, (row, col)) in enumerate(zip(COLUMNS, _CELLS, strict=True)):
            values = table[column].to_numpy(np.float64) if column in table else np.full(len(table), np.nan)
            epochs = table.index.to_numpy(np.int32)
            target.add_trace(
                go.Scatter(
                    x=epochs,
                    y=values,
                    name=shown(name),
                    legendgroup=name,
                    showlegend=number == 0,
                    mode="lines+markers",
                    connectgaps=False,
                    line={"color": color, "width": 2},
                    marker={
                        "size": np.where(epochs == best, 9, 4) if best is not None else 4,
                        "symbol": np.where(epochs == best, "circle-open", "circle") if best is not None else "circle",
                    },
                    hovertemplate=f"{shown(name)}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
                ),
                row=row,
                col=col,
            )
            if column.endswith("loss") and view.options.get("log"):
                target.update_yaxes(type="log", row=row, col=col)
    target.update_xaxes(title_text="epoch", row=2)
    target.update_layout(
        template=template(view.theme),
        title_text=f"Learning curves of {len(runs)} runs",
        legend={"orientation": "h", "y": -0.14},
        height=620,
        margin={"l": 56, "r": 16, "t": 84, "b": 48},
    )
    return target


def between_figure(one: str, others: Mapping[str, xr.Dataset], view: View) -> go.Figure:
    """Layers of the run ``one`` with those of each other run: a matrix per run.

    Args:
        one: name of the run whose layers go down.
        others: by name of the run, ``cka`` (layer, layer_other) with how many ``points`` were compared, and ``epoch``
            of either run in the attributes.
        view: its theme counts.
    """
    columns = min(_MOST_BESIDE, len(others))
    rows = -(-len(others) // columns)
    titles = [f"{shown(name)} · epoch {dataset.attrs['epoch_other']}" for name, dataset in others.items()]
    target = make_subplots(
        rows,
        columns,
        subplot_titles=titles,
        horizontal_spacing=0.36 / (columns + 1),
        vertical_spacing=0.3 / rows,
    )
    for number, dataset in enumerate(others.values()):
        across, down = ([str(name) for name in dataset[axis].values] for axis in ("layer_other", "layer"))
        trace = cka_heatmap(dataset["cka"].values, across, down, view)
        trace.update(showscale=number == 0, colorbar={"title": {"text": "CKA"}, "thickness": 12})
        row, col = number // columns + 1, number % columns + 1
        target.add_trace(trace, row=row, col=col)
        target.update_yaxes(title_text=f"layer of {shown(one)}" if col == 1 else None, row=row, col=col)
    target.update_xaxes(type="category", title_text="its layer", title_standoff=6)
    target.update_yaxes(type="category", autorange="reversed")
    first = next(iter(others.values()))
    points = sorted({int(dataset.attrs["points"]) for dataset in others.values()})
    counted = f"{points[0]}" if len(points) == 1 else f"{points[0]} to {points[-1]}"
    return target.update_layout(
        template=template(view.theme),
        title_text=f"Layers of {shown(one)} at epoch {first.attrs['epoch']} with those of the other runs"
        f"<br>debiased linear CKA of {counted} points that both have",
        height=120 + 300 * rows,
        margin={"l": 110, "r": 16, "t": 84, "b": 52},
    )
