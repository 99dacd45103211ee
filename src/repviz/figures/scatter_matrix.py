"""Every pair of a layer's first principal components, or of its chosen neurons, as one matrix of scatter plots."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from repviz.errors import UserError
from repviz.figures.projection import NO_CLASS
from repviz.figures.shown import shown, shown_classes
from repviz.figures.view import View, usual_layer
from repviz.theme import LOOKS, SPLIT_NAMES, SPLIT_SIZES, SPLIT_SYMBOLS, class_colors, template

KIND = "projection"
ONE_LAYER = True
OPTIONS = {"axes": ("PCs", "neurons"), "count": ("4", "3", "5", "6")}
"""Choices of ``view.options``, the default first."""
_SYMBOL_CODES = np.array([0, 2, 4], np.uint8)
"""plotly's numbers of circle, diamond and x: train, val and excluded."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """The lower half of the matrix, a trace per class, of ``view.layer`` (default: the penultimate one, else the last).

    ``view.options``: ``axes`` PCs or neurons; ``count`` of them, where the layer has as many.

    Raises:
        UserError: ``view.layer`` is not in the dataset.
    """
    layers = [str(name) for name in dataset["layer"].values]
    layer = view.layer or usual_layer(layers)
    if layer not in layers:
        raise UserError(f"layer={layer!r} is not in this projection; it has {', '.join(layers)}")
    neurons = view.option("axes", OPTIONS["axes"]) == "neurons"
    values, names = _columns(dataset.sel(layer=layer), int(view.option("count", OPTIONS["count"])), neurons=neurons)
    target = go.Figure()
    _draw_points(target, dataset, values, names, view)
    what = f"{len(names)} neurons" if neurons else f"the first {len(names)} PCs"
    target.update_layout(
        template=template(view.theme),
        title_text=f"Scatter matrix of {what} of {shown(layer)} · epoch {dataset.attrs.get('epoch', '?')}",
        legend={"itemsizing": "constant", "tracegroupgap": 0},
        width=1000,
        height=780,
    )
    return target


def _columns(of_layer: xr.Dataset, count: int, *, neurons: bool) -> tuple[np.ndarray, list[str]]:
    """The ``(sample, column)`` values that are drawn, and names of the columns; what a layer lacks is left out."""
    values = of_layer["neuron" if neurons else "scores"].values.astype(np.float32)
    there = np.flatnonzero(np.isfinite(values).any(axis=0))[:count]
    if neurons:
        return values[:, there], [f"neuron {int(unit)}" for unit in of_layer["unit_index"].values[there]]
    share = of_layer["explained_variance_ratio"].values
    return values[:, there], [f"PC{k + 1} ({share[k]:.0%})" for k in there]


def _draw_points(target: go.Figure, dataset: xr.Dataset, values: np.ndarray, axes: list[str], view: View) -> None:
    look, names = LOOKS[view.theme], shown_classes(dataset)
    labels, split = dataset["label"].values, dataset["split"].values
    colors, sizes = class_colors(len(names)), np.array(SPLIT_SIZES, np.float32)
    for k in [*range(len(names)), NO_CLASS]:
        rows = np.flatnonzero(labels == k).astype(np.int32)
        if not len(rows) or (view.classes is not None and k not in view.classes):
            continue
        name = "no class" if k == NO_CLASS else names[k]
        color = look.no_class if k == NO_CLASS else colors[k]
        _add_legend(target, name, {"color": color, "size": 8}, axes)
        target.add_trace(
            go.Splom(
                dimensions=[{"label": axis, "values": values[rows, i]} for i, axis in enumerate(axes)],
                customdata=rows,
                name=name,
                legendgroup=name,
                showlegend=False,
                showupperhalf=False,
                diagonal={"visible": False},
                selectedpoints=view.selected(rows),
                marker={
                    "color": color,
                    "symbol": _SYMBOL_CODES[split[rows]],
                    "size": sizes[split[rows]],
                    "opacity": 0.8,
                    "line": {"width": 0.4, "color": look.outline},
                },
                hovertemplate=f"{name}<br>sample %{{customdata}}<extra></extra>",
            )
        )
    for code, (name, symbol, size) in enumerate(zip(SPLIT_NAMES, SPLIT_SYMBOLS, SPLIT_SIZES, strict=True)):
        if (split == code).any():
            _add_legend(target, name, {"color": look.muted, "symbol": symbol, "size": size + 2}, axes)


def _add_legend(target: go.Figure, name: str, marker: dict[str, object], axes: list[str]) -> None:
    """An empty trace for the legend: a class would be shown by the shape of its first point."""
    # on the axes of a cell that is drawn: the one of the diagonal would bring axes of its own
    place = {"xaxis": "x", "yaxis": "y2" if len(axes) > 1 else "y"}
    target.add_trace(
        go.Scatter(x=[None], y=[None], mode="markers", name=name, legendgroup=name, marker=marker, **place)
    )
