"""Which layers are alike, and how far each has moved since the epoch before and since the first."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.shown import shown, shown_layers
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, template

PAST = {"cka_previous": "with one epoch before", "cka_first": "with the first epoch"}
HISTORY = tuple(PAST)
"""Variables that ``over_epochs`` reads."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left every layer with every layer, right each one with its own past."""
    look = LOOKS[view.theme]
    layers = shown_layers(dataset)
    target = make_subplots(
        1,
        2,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.2,
        subplot_titles=["Layer with layer", "Layer with its own past"],
    )
    between = cka_heatmap(dataset["cka"].values, layers, layers, view)
    # Below its panel, as wide as it: beside it there is no room in a narrow window.
    bar = {
        "orientation": "h",
        "x": 0.22,
        "xanchor": "center",
        "y": -0.3,
        "yanchor": "top",
        "len": 0.44,
        "thickness": 10,
    }
    between.update(colorbar=bar | {"title": {"text": "CKA", "side": "top"}})
    target.add_trace(between, row=1, col=1)
    for number, (name, text) in enumerate(PAST.items()):
        target.add_trace(
            go.Bar(
                x=layers,
                y=dataset[name].values,
                name=text,
                marker={"color": look.splits[number]},
                hovertemplate=f"%{{x}} {text}: %{{y:.4f}}<extra></extra>",
            ),
            row=1,
            col=2,
        )
    if not any(np.isfinite(dataset[name].values).any() for name in PAST):
        why = "the first epoch has no past<br>to be compared with"
        middle = {"x": 0.5, "xref": "x2 domain", "y": 0.5, "yref": "y2 domain"}
        target.add_annotation(text=why, showarrow=False, font={"color": look.muted, "size": 13}, **middle)
    target.update_xaxes(type="category")
    target.update_yaxes(type="category", autorange="reversed", row=1, col=1)
    target.update_yaxes(title_text="CKA", range=[min(0.0, _least(dataset)), 1.02], row=1, col=2)
    return _styled(target, view, f"Similarity · epoch {dataset.attrs.get('epoch', '?')}", points=dataset)


def cka_heatmap(values: np.ndarray, across: list[str], down: list[str], view: View) -> go.Heatmap:
    """CKA ``(down, across)`` of layers with layers as a trace, with the values written in it where there is room."""
    look = LOOKS[view.theme]
    return go.Heatmap(
        z=values.astype(np.float32),
        x=across,
        y=down,
        zmin=0,
        zmax=1,
        colorscale=[[0, look.surface], [1, look.accent]],
        texttemplate="%{z:.2f}" if max(len(across), len(down)) <= 12 else None,
        hovertemplate="%{y} with %{x}: %{z:.4f}<extra></extra>",
    )


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """CKA of each layer with its own past, over epochs.

    Raises:
        UserError: ``view.layer`` is not in the dataset.
    """
    layers = [str(layer) for layer in history["layer"].values]
    if view.layer is not None and view.layer not in layers:
        raise UserError(f"layer={view.layer!r} is not in this similarity; it has {', '.join(layers)}")
    colors = dict(zip(layers, class_colors(len(layers)), strict=True))
    titles = [f"Each layer {text}" for text in PAST.values()]
    target = make_subplots(1, 2, horizontal_spacing=0.08, subplot_titles=titles)
    for col, name in enumerate(PAST, start=1):
        for layer in layers if view.layer is None else [view.layer]:
            target.add_trace(
                go.Scatter(
                    x=history["epoch"].values,
                    y=history[name].sel(layer=layer).values,
                    name=shown(layer),
                    legendgroup=layer,
                    showlegend=col == 1,
                    mode="lines+markers",
                    line={"color": colors[layer], "width": 2},
                    marker={"size": 4},
                    hovertemplate=f"{shown(layer)}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
                ),
                row=1,
                col=col,
            )
    target.update_yaxes(title_text="CKA", col=1)
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(range=[min(0.0, _least(history)), 1.02])
    return _styled(target, view, "Similarity over epochs", points=history)


def _least(dataset: xr.Dataset) -> float:
    """The smallest of what is drawn beside the matrix: the debiased CKA of unrelated points can be below 0."""
    values = np.concatenate([dataset[name].values.ravel() for name in PAST])
    return float(np.nanmin(values, initial=0.0)) if np.isfinite(values).any() else 0.0


def _styled(target: go.Figure, view: View, title: str, *, points: xr.Dataset) -> go.Figure:
    count = points.attrs.get("points")
    return target.update_layout(
        template=template(view.theme),
        title_text=title if count is None else f"{title} · debiased linear CKA of {count} points",
        height=480,
        barmode="group",
        margin={"l": 72, "r": 16, "t": 84, "b": 64},
    )
