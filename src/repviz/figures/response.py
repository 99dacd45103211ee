"""Single units against the first principal component of the input, or against the classes: points, mean and band."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.shown import shown as shown_name
from repviz.figures.shown import shown_classes, shown_layers
from repviz.figures.view import View
from repviz.theme import LOOKS, NO_COLOR, class_colors, template

OPTIONS = {
    "shows": ("along PC1", "per class"),
    "sort": ("layer", "selectivity", "variance"),
    "sorted_at": (),
    "points": ("shown", "hidden"),
}
"""Choices of ``view.options``, the default first; none: see ``choices``."""
BESIDE = ("selectivity", "activation", "dead")
"""Variables that ``figure`` reads of the epoch that it is sorted by."""
_COLUMNS = 6
_BAND = (0.1, 0.9)
"""Quantiles over the points of a class between which its band lies."""
_NAMED = 30
"""Classes up to which a legend names them."""
_MANY = 60
"""Classes beyond which their bands would hide the bars."""
_MOST = 36
"""Panels; more units would be too small to see."""
_MEASURES = {"dead_share": "Dead units", "selectivity_mean": "Mean class selectivity"}
HISTORY = tuple(_MEASURES)
"""Variables that ``over_epochs`` reads."""


def choices(dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> dict[str, list[tuple[str, str]]]:
    """The epochs that units may be sorted by, the last one first; points lie along the component only."""
    offered = {} if view.option("shows", OPTIONS["shows"]) == "along PC1" else {"points": []}
    sorts = view.option("sort", OPTIONS["sort"]) != "layer" and len(epochs) > 1
    return offered | {"sorted_at": [(str(at), f"epoch {at}") for at in reversed(epochs)] if sorts else []}


def sorting_epoch(view: View, epochs: Sequence[int]) -> int | None:
    """The epoch whose order the panels have at every epoch, so that they stay where they are; None = by layer."""
    if view.option("sort", OPTIONS["sort"]) == "layer" or not epochs:
        return None
    asked = str(view.options.get("sorted_at", epochs[-1]))
    return int(asked) if asked in map(str, epochs) else epochs[-1]


def beside(view: View, epoch: int, epochs: Sequence[int]) -> list[int]:
    """The epoch whose order the panels have, where it is another."""
    at = sorting_epoch(view, epochs)
    return [] if at in (None, epoch) else [at]


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """A panel per unit of every layer, or of ``view.layer``; at most 36, the title says of how many.

    ``view.options``: ``shows`` the activation along PC1 of the input, or its mean and band per class; ``sort`` by
    layer, or the most selective or most varying first, dead units last, as they were at the epoch in ``view.beside``
    (else at this one); ``points`` shown or hidden. ``view.classes``: of these classes only; the curves are of all.

    Raises:
        UserError: no unit of ``view.layer`` is in the dataset.
    """
    names = [str(unit) for unit in dataset["unit"].values]
    chosen = [i for i in unit_order(dataset, view) if view.layer in (None, names[i].rpartition(":")[0])]
    if not chosen:
        layers = ", ".join(dict.fromkeys(name.rpartition(":")[0] for name in names))
        raise UserError(f"layer={view.layer!r} has no unit in this response; there are units of {layers}")
    shown = chosen[:_MOST]
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    per_class = view.option("shows", OPTIONS["shows"]) == "per class"
    target = make_subplots(
        rows,
        columns,
        subplot_titles=[_panel_title(dataset, i, names[i]) for i in shown],
        horizontal_spacing=0.035,
        vertical_spacing=min(0.12, 0.5 / rows),
    )
    classes = _class_answers(dataset, view) if per_class else None
    for number, i in enumerate(shown):
        cell = {"row": number // columns + 1, "col": number % columns + 1}
        if classes is None:
            _draw_unit(target, dataset, i, view, cell)
        else:
            _draw_classes(target, classes, i, view, cell)
        if _is_dead(dataset, i):
            target.layout.annotations[number].font.color = NO_COLOR
    of = f"{len(shown)} of {len(chosen)} units" if len(shown) < len(chosen) else f"{len(shown)} units"
    sort = view.option("sort", OPTIONS["sort"])
    if sort != "layer":
        of += f", sorted by {sort} of epoch {_sorting(dataset, view).attrs.get('epoch', '?')}"
    target.update_layout(
        template=template(view.theme),
        title_text=f"Neuron response · epoch {dataset.attrs.get('epoch', '?')} · {of} · dead: {_dead(dataset)}",
        showlegend=False,
        height=190 * rows + 130,
        margin={"l": 48, "r": 16, "t": 84, "b": 48},
    )
    if classes is not None and len(classes["number"]) <= _NAMED:
        _add_legend(target, classes)
    target.update_xaxes(title_text="class" if per_class else "PC1 of the input", row=rows)
    target.update_annotations(font_size=11)
    return target


def unit_order(dataset: xr.Dataset, view: View) -> list[int]:
    """Units as ``sort`` of ``view.options`` wants them: those without a number after the others, dead ones last.

    What decides is the dataset in ``view.beside`` where it has the same units, else the one that is drawn.
    """
    sort = view.option("sort", OPTIONS["sort"])
    units = range(dataset.sizes["unit"])
    if sort == "layer":
        return list(units)
    by = _sorting(dataset, view)
    of_units = by["selectivity"] if sort == "selectivity" else by["activation"].var("sample")
    keys = of_units.values.astype(float)
    return sorted(units, key=lambda i: (_is_dead(by, i), math.isnan(keys[i]), -keys[i], i))


def _sorting(dataset: xr.Dataset, view: View) -> xr.Dataset:
    same = (other for other in view.beside.values() if np.array_equal(other["unit"].values, dataset["unit"].values))
    return next(same, dataset)


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Share of dead units and mean class selectivity of each layer over epochs."""
    layers = [str(layer) for layer in history["layer"].values]
    target = make_subplots(1, 2, subplot_titles=list(_MEASURES.values()), horizontal_spacing=0.08)
    for col, variable in enumerate(_MEASURES, start=1):
        for layer, color in zip(layers, class_colors(len(layers)), strict=True):
            target.add_trace(
                go.Scatter(
                    x=history["epoch"].values,
                    y=history[variable].sel(layer=layer).values,
                    name=shown_name(layer),
                    legendgroup=layer,
                    showlegend=col == 1,
                    mode="lines+markers",
                    line={"color": color, "width": 2},
                    marker={"size": 4},
                    hovertemplate=f"{shown_name(layer)}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
                ),
                row=1,
                col=col,
            )
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(range=[-0.02, 1.02])
    for col, title in enumerate(("share of units", "selectivity"), start=1):
        target.update_yaxes(title_text=title, col=col)
    target.update_layout(template=template(view.theme), title_text="Units over epochs", height=440)
    return target


def _draw_unit(target: go.Figure, dataset: xr.Dataset, i: int, view: View, cell: dict[str, int]) -> None:
    look = LOOKS[view.theme]
    if view.option("points", OPTIONS["points"]) == "shown":
        labels = dataset["label"].values
        rows = np.arange(len(labels)) if view.classes is None else np.flatnonzero(np.isin(labels, view.classes))
        target.add_trace(
            go.Scattergl(
                x=dataset["pc1"].values[rows].astype(np.float32),
                y=dataset["activation"].values[rows, i].astype(np.float32),
                customdata=rows.astype(np.int32),
                mode="markers",
                selectedpoints=view.selected(rows),
                marker={"color": look.muted, "size": 3, "opacity": 0.35},
                hovertemplate="sample %{customdata}: %{y:.3g}<extra></extra>",
            ),
            **cell,
        )
    x = dataset["bin_pc1"].values
    there = np.isfinite(x)
    low, high = dataset["low"].values[i, there], dataset["high"].values[i, there]
    target.add_trace(
        go.Scatter(
            x=np.concatenate([x[there], x[there][::-1]]),
            y=np.concatenate([low, high[::-1]]),
            fill="toself",
            fillcolor=look.accent,
            opacity=0.2,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        ),
        **cell,
    )
    target.add_trace(
        go.Scatter(
            x=x[there],
            y=dataset["mean"].values[i, there],
            mode="lines",
            line={"color": look.accent, "width": 2.5},
            hovertemplate="mean %{y:.3g}<extra></extra>",
        ),
        **cell,
    )


def _class_answers(dataset: xr.Dataset, view: View) -> dict[str, np.ndarray]:
    """Classes that are drawn and have points: number, name, colour; mean, low and high of each unit, ``(k, unit)``."""
    labels, activation = dataset["label"].values, dataset["activation"].values
    names = shown_classes(dataset)
    shown = [k for k in range(len(names)) if view.classes is None or k in view.classes]
    there = [k for k in shown if (labels == k).any()]
    colors = class_colors(len(names))
    members = [activation[labels == k] for k in there]
    empty = np.empty((0, activation.shape[1]))
    return {
        "number": np.array(there, dtype=int),
        "name": np.array([names[k] for k in there], dtype=object),
        "color": np.array([colors[k] for k in there], dtype=object),
        "mean": np.array([rows.mean(axis=0) for rows in members]) if members else empty,
        "low": np.array([np.quantile(rows, _BAND[0], axis=0) for rows in members]) if members else empty,
        "high": np.array([np.quantile(rows, _BAND[1], axis=0) for rows in members]) if members else empty,
    }


def _draw_classes(target: go.Figure, classes: dict[str, np.ndarray], i: int, view: View, cell: dict[str, int]) -> None:
    """A bar up to the mean of each class, and the band of its points as a line."""
    mean, low, high = (classes[name][:, i] for name in ("mean", "low", "high"))
    target.add_trace(
        go.Bar(
            x=classes["number"],
            y=mean,
            customdata=np.stack([classes["name"], low, high], axis=1),
            marker={"color": list(classes["color"]), "line": {"width": 0}},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - mean,
                "arrayminus": mean - low,
                "color": LOOKS[view.theme].muted,
                "thickness": 1,
                "width": 0,
                "visible": len(mean) <= _MANY,
            },
            hovertemplate="%{customdata[0]}: mean %{y:.3g}<br>10 % to 90 % of its points: "
            "%{customdata[1]:.3g} to %{customdata[2]:.3g}<extra></extra>",
        ),
        **cell,
    )
    target.update_xaxes(showticklabels=False, showgrid=False, **cell)


def _add_legend(target: go.Figure, classes: dict[str, np.ndarray]) -> None:
    for name, color in zip(classes["name"], classes["color"], strict=True):
        target.add_trace(go.Bar(x=[None], y=[None], name=name, marker={"color": color}, showlegend=True))
    target.update_traces(showlegend=False, selector=lambda trace: trace.name is None)
    target.update_layout(showlegend=True, legend={"tracegroupgap": 0}, barmode="overlay")


def _is_dead(dataset: xr.Dataset, i: int) -> bool:
    """Whether the unit is known never to change."""
    return "dead" in dataset and bool(dataset["dead"].values[i])


def _panel_title(dataset: xr.Dataset, i: int, name: str) -> str:
    if _is_dead(dataset, i):
        return f"{name} · dead"
    selectivity = float(dataset["selectivity"].values[i])
    return name if not math.isfinite(selectivity) else f"{name} · sel. {selectivity:.2f}"


def _dead(dataset: xr.Dataset) -> str:
    shares = zip(shown_layers(dataset), dataset["dead_share"].values, strict=True)
    return ", ".join(f"{layer} {share:.0%}" if math.isfinite(share) else f"{layer} ?" for layer, share in shares)
