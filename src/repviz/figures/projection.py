"""Every layer's map, side by side: what each layer makes of the same points.

PCA keeps directions and distances as far as two dimensions can; UMAP keeps neighbours and little else. The printed
trustworthiness (Venna & Kaski, 2001) says how far a map's neighbours are neighbours in the layer, beside what a map
of shuffled points gets by chance.
"""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.shown import outputs, shown, shown_classes
from repviz.figures.view import View, usual_method
from repviz.theme import LOOKS, SPLIT_NAMES, SPLIT_SIZES, SPLIT_SYMBOLS, class_colors, template

METHOD_NAMES = {"pca": "PCA", "umap": "UMAP"}
_COLUMNS = 3
_ROW_PIXELS, _TOP_PIXELS, _GAP_PIXELS = 360, 100, 84
_SYMBOL_CODES = {"circle": 0, "diamond": 2, "x": 4}
"""plotly's numbers of the shapes: a byte per point instead of a word."""
NO_CLASS = -1


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Maps of all layers, each output once, or of ``view.layer``; one constant-colour trace per class and map.

    Raises:
        UserError: the layer or the method is not in the dataset.
    """
    layers = outputs([dataset]) if view.layer is None else _chosen(dataset, "layer", view.layer)
    method = usual_method(_chosen(dataset, "method", view.method))
    columns = min(_COLUMNS, len(layers))
    rows = math.ceil(len(layers) / columns)
    titles = [_title(dataset, layer, method) for layer in layers]
    height = _ROW_PIXELS * rows + _TOP_PIXELS
    target = make_subplots(
        rows, columns, subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=_GAP_PIXELS / height
    )
    names = shown_classes(dataset)
    for number, layer in enumerate(layers):
        cell = {"row": number // columns + 1, "col": number % columns + 1}
        points = dataset["coordinates"].sel({"layer": layer, "method": method}).values.astype(np.float32)
        _draw_map(target, points, dataset, names, view, cell, legend=number == 0)
        _draw_labels(target, points, dataset["label"].values, names, view, cell)
        _draw_axes(target, dataset, layer, method, number, cell)
    _add_split_legend(target, dataset, view)
    target.update_layout(
        template=template(view.theme),
        title={
            "text": f"{METHOD_NAMES.get(method, method)} of {_what(layers)} · epoch {dataset.attrs.get('epoch', '?')}",
            "y": 1 - 16 / height,
            "yref": "container",
            "yanchor": "top",
        },
        legend={"itemsizing": "constant", "tracegroupgap": 0},
        margin={"l": 40, "r": 16, "t": _TOP_PIXELS, "b": 36},
        width=340 * columns + 260,
        height=height,
        uirevision="projection",
    )
    return target


def label_positions(
    points: np.ndarray, labels: np.ndarray, classes: Sequence[int], room: tuple[float, float] = (0.2, 0.07)
) -> dict[int, tuple[float, float]]:
    """Where a map says the name of a class: its median point, unless a larger class has taken the place.

    Args:
        points: ``(n, 2)``.
        labels: ``(n,)``.
        classes: those that want a label.
        room: width and height that a label needs, as a share of the map's extent.
    """
    finite = np.isfinite(points).all(axis=1)
    if not finite.any():
        return {}
    extent = np.ptp(points[finite], axis=0)
    extent[extent == 0] = 1
    placed: dict[int, tuple[float, float]] = {}
    for k in sorted(classes, key=lambda k: -np.count_nonzero(labels == k)):
        members = points[finite & (labels == k)]
        if not len(members):
            continue
        x, y = np.median(members, axis=0)
        free = all(abs(x - u) > room[0] * extent[0] or abs(y - v) > room[1] * extent[1] for u, v in placed.values())
        if free:
            placed[k] = (float(x), float(y))
    return placed


def _chosen(dataset: xr.Dataset, dimension: str, wanted: str | None) -> list[str]:
    there = [str(name) for name in dataset[dimension].values]
    if wanted is None:
        return there
    if wanted not in there:
        raise UserError(f"{dimension}={wanted!r} is not in this projection; it has {', '.join(there)}")
    return [wanted]


def _what(layers: list[str]) -> str:
    return layers[0] if len(layers) == 1 else "every layer"


def _title(dataset: xr.Dataset, layer: str, method: str) -> str:
    parts = []
    for variable, word in (("trustworthiness", "trust"), ("trustworthiness_chance", "chance")):
        if variable in dataset:
            value = float(dataset[variable].sel({"layer": layer, "method": method}))
            if math.isfinite(value):
                parts.append(f"{word} {value:.2f}")
    return f"<b>{shown(layer)}</b>" + (f"<br><span style='font-size:11px'>{', '.join(parts)}</span>" if parts else "")


def _shown_classes(labels: np.ndarray, names: list[str], view: View) -> list[int]:
    present = [k for k in [*range(len(names)), NO_CLASS] if (labels == k).any()]
    return present if view.classes is None else [k for k in present if k in view.classes]


def _draw_map(
    target: go.Figure,
    points: np.ndarray,
    dataset: xr.Dataset,
    names: list[str],
    view: View,
    cell: dict[str, int],
    *,
    legend: bool,
) -> None:
    labels, split = dataset["label"].values, dataset["split"].values
    colors = class_colors(len(names))
    symbols = np.array([_SYMBOL_CODES[s] for s in SPLIT_SYMBOLS], np.uint8)
    sizes = np.array(SPLIT_SIZES, np.float32)
    for k in _shown_classes(labels, names, view):
        rows = np.flatnonzero((labels == k) & np.isfinite(points).all(axis=1)).astype(np.int32)
        name = "no class" if k == NO_CLASS else names[k]
        chosen = view.selected(rows)
        target.add_trace(
            go.Scattergl(
                x=points[rows, 0],
                y=points[rows, 1],
                customdata=rows,
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=legend,
                selectedpoints=chosen,
                marker={
                    "color": LOOKS[view.theme].no_class if k == NO_CLASS else colors[k],
                    "symbol": symbols[split[rows]],
                    "size": sizes[split[rows]],
                    "opacity": 0.85,
                    "line": {"width": 0.5, "color": LOOKS[view.theme].outline},
                },
                hovertemplate=f"{name}<br>sample %{{customdata}}<extra></extra>",
            ),
            **cell,
        )


def _draw_labels(
    target: go.Figure, points: np.ndarray, labels: np.ndarray, names: list[str], view: View, cell: dict[str, int]
) -> None:
    look = LOOKS[view.theme]
    classes = [k for k in _shown_classes(labels, names, view) if k != NO_CLASS]
    for k, (x, y) in label_positions(points, labels, classes).items():
        target.add_annotation(
            x=x,
            y=y,
            text=names[k],
            showarrow=False,
            yshift=9,  # a little above the middle: a small cluster stays in sight
            font={"size": 10, "color": look.text},
            bgcolor=look.surface,
            opacity=0.8,
            borderpad=1,
            **cell,
        )
    if not np.isfinite(points).all(axis=1).any():
        target.add_annotation(x=0, y=0, text="no such map of this layer", showarrow=False, **cell)


def _draw_axes(
    target: go.Figure, dataset: xr.Dataset, layer: str, method: str, number: int, cell: dict[str, int]
) -> None:
    axis = "" if number == 0 else str(number + 1)
    titles = [f"{METHOD_NAMES.get(method, method)} {i}" for i in (1, 2)]
    if method == "pca" and "explained_variance_ratio" in dataset:
        share = dataset["explained_variance_ratio"].sel(layer=layer).values[:2]
        titles = [f"PC{i} ({s:.0%})" if np.isfinite(s) else f"PC{i}" for i, s in enumerate(share, start=1)]
    plain = {"showticklabels": False, "showgrid": False, "title_standoff": 2, "title_font_size": 10}
    target.update_xaxes(title_text=titles[0], **plain, **cell)
    target.update_yaxes(title_text=titles[-1], scaleanchor=f"x{axis}", **plain, **cell)


def _add_split_legend(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    """Three empty traces that say what the shapes mean."""
    for code, (name, symbol, size) in enumerate(zip(SPLIT_NAMES, SPLIT_SYMBOLS, SPLIT_SIZES, strict=True)):
        if (dataset["split"].values == code).any():
            target.add_trace(
                go.Scattergl(
                    x=[None],
                    y=[None],
                    mode="markers",
                    name=name,
                    legendgroup="splits",
                    marker={"color": LOOKS[view.theme].muted, "symbol": symbol, "size": size + 2},
                ),
                row=1,
                col=1,
            )
