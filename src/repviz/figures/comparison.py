"""Learning curves of several runs over each other."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from repviz.figures.metrics import Metrics, best_epoch, measured
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
                    name=name,
                    legendgroup=name,
                    showlegend=number == 0,
                    mode="lines+markers",
                    connectgaps=False,
                    line={"color": color, "width": 2},
                    marker={
                        "size": np.where(epochs == best, 9, 4) if best is not None else 4,
                        "symbol": np.where(epochs == best, "circle-open", "circle") if best is not None else "circle",
                    },
                    hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
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
