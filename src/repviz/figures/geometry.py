"""Effective rank, intrinsic dimension and neural collapse: by layer at one epoch, and over epochs."""

import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.shown import shown, shown_layers
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, template

PANELS = {
    "effective_rank": "Effective rank",
    "intrinsic_dimension": "Intrinsic dimension",
    "nc1": "NC1: spread within classes",
    "nc2": "NC2: means off a simplex",
    "nc3": "NC3: means off the weights",
    "nc4": "NC4: nearest mean disagrees",
}
HISTORY = tuple(PANELS)
"""Variables that ``over_epochs`` reads."""
_CELLS = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
_LOG = {"nc1"}
"""Falls over orders of magnitude."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Every measure from layer to layer."""
    look = LOOKS[view.theme]
    layers = shown_layers(dataset)
    target = _panels()
    for (name, title), (row, col) in zip(PANELS.items(), _CELLS, strict=True):
        target.add_trace(
            go.Scatter(
                x=layers,
                y=dataset[name].values,
                name=title,
                mode="lines+markers",
                line={"color": look.splits[0], "width": 2},
                showlegend=False,
                hovertemplate="%{x}: %{y:.4g}<extra></extra>",
            ),
            row=row,
            col=col,
        )
    target.update_xaxes(type="category")
    points = dataset.attrs.get("train_points", "?")
    title = f"Geometry · epoch {dataset.attrs.get('epoch', '?')} · {points} train points"
    return _styled(target, view, title)


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Every measure over epochs, a line per layer.

    Raises:
        UserError: ``view.layer`` is not in the dataset.
    """
    layers = [str(layer) for layer in history["layer"].values]
    if view.layer is not None and view.layer not in layers:
        raise UserError(f"layer={view.layer!r} is not in this geometry; it has {', '.join(layers)}")
    colors = dict(zip(layers, class_colors(len(layers)), strict=True))
    target = _panels()
    for number, (name, (row, col)) in enumerate(zip(PANELS, _CELLS, strict=True)):
        for layer in layers if view.layer is None else [view.layer]:
            target.add_trace(
                go.Scatter(
                    x=history["epoch"].values,
                    y=history[name].sel(layer=layer).values,
                    name=shown(layer),
                    legendgroup=layer,
                    showlegend=number == 0,
                    mode="lines+markers",
                    line={"color": colors[layer], "width": 2},
                    marker={"size": 4},
                    hovertemplate=f"{shown(layer)}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
                ),
                row=row,
                col=col,
            )
    target.update_xaxes(title_text="epoch", row=2)
    return _styled(target, view, "Geometry over epochs")


def _panels() -> go.Figure:
    target = make_subplots(2, 3, subplot_titles=list(PANELS.values()), horizontal_spacing=0.07, vertical_spacing=0.18)
    for name, (row, col) in zip(PANELS, _CELLS, strict=True):
        target.update_yaxes(row=row, col=col, **({"type": "log"} if name in _LOG else {"rangemode": "tozero"}))
    return target


def _styled(target: go.Figure, view: View, title: str) -> go.Figure:
    margin = {"l": 56, "r": 16, "t": 84, "b": 48}
    return target.update_layout(template=template(view.theme), title_text=title, height=620, margin=margin)
