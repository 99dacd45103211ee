"""How well each layer can be read by a linear classifier, at one epoch and over epochs."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from repviz.errors import UserError
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, template

HISTORY = ("accuracy", "chance")
"""Variables that ``over_epochs`` reads."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Val accuracy and macro F1 per layer, beside chance and the control on shuffled labels."""
    look = LOOKS[view.theme]
    layers = [str(layer) for layer in dataset["layer"].values]
    target = go.Figure()
    bars = (("accuracy", "accuracy", look.splits[1]), ("f1_macro", "macro F1", look.splits[0]))
    for variable, name, color in bars:
        values = dataset[variable].values
        target.add_trace(
            go.Bar(
                x=layers,
                y=values,
                name=name,
                marker={"color": color},
                text=[f"{v:.2f}" if np.isfinite(v) else "" for v in values],
                textposition="outside",
                hovertemplate=f"{name} %{{y:.4f}}<extra>%{{x}}</extra>",
            )
        )
    marks = (("control_accuracy", "control: shuffled labels", "x"), ("chance", "chance: largest class", "line-ew-open"))
    for variable, name, symbol in marks:
        target.add_trace(
            go.Scatter(
                x=layers,
                y=dataset[variable].values,
                name=name,
                mode="markers",
                marker={"color": look.text, "symbol": symbol, "size": 10 if symbol == "x" else 36},
                hovertemplate=f"{name} %{{y:.4f}}<extra>%{{x}}</extra>",
            )
        )
    points = f"{dataset.attrs.get('train_points', '?')} train and {dataset.attrs.get('val_points', '?')} val points"
    target.update_layout(
        template=template(view.theme),
        title_text=f"Linear probes · epoch {dataset.attrs.get('epoch', '?')} · {points}",
        barmode="group",
        legend={"orientation": "h", "y": -0.16},
    )
    target.update_xaxes(title_text="layer", type="category")
    target.update_yaxes(title_text="on val points", range=[0, 1.05])
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Val accuracy of every layer's probe over epochs, with chance.

    Raises:
        UserError: ``view.layer`` is not in the dataset.
    """
    look = LOOKS[view.theme]
    layers = [str(layer) for layer in history["layer"].values]
    if view.layer is not None and view.layer not in layers:
        raise UserError(f"layer={view.layer!r} has no probe; there are {', '.join(layers)}")
    target = go.Figure()
    for number, layer in enumerate(layers):
        if view.layer in (None, layer):
            target.add_trace(
                go.Scatter(
                    x=history["epoch"].values,
                    y=history["accuracy"].sel(layer=layer).values,
                    name=layer,
                    mode="lines+markers",
                    line={"color": class_colors(len(layers))[number], "width": 2},
                    hovertemplate="%{y:.4f}",
                )
            )
    target.add_trace(
        go.Scatter(
            x=history["epoch"].values,
            y=history["chance"].isel(layer=0).values,
            name="chance",
            mode="lines",
            line={"color": look.muted, "dash": "dot"},
            hovertemplate="%{y:.4f}",
        )
    )
    target.update_layout(
        template=template(view.theme),
        title_text="Accuracy of linear probes over epochs",
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.16},
    )
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="accuracy on val points", range=[0, 1])
    return target
