"""The network's decisions on the principal plane of its inputs, or on a layer's map by a surrogate classifier."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from repviz.figures.projection import NO_CLASS
from repviz.figures.shown import class_names, shown_classes
from repviz.figures.surface_shades import (
    EARLIER,
    NOTHING,
    SHADES,
    add_contours,
    add_difference,
    add_shade,
    asked_shade,
    changed_classes,
    in_time,
    reference_epoch,
    reference_surface,
    set_against,
)
from repviz.figures.view import View
from repviz.theme import LOOKS, SPLIT_SIZES, class_colors, template

OPTIONS = {"map": ("plane", "surrogate"), "shade": SHADES, "class": (), "against": (), "contours": ("hidden", "shown")}
"""Choices of ``view.options``, the default first; none: see ``choices``."""
BESIDE = ("probability", "prediction")
"""Variables that ``figure`` reads of another epoch."""
HISTORY = ("agreement", "surrogate_agreement")
"""Variables that ``over_epochs`` reads."""
_SYMBOLS = np.array([0, 2, 4], np.uint8)
"""plotly's numbers of circle, diamond and x: train, val and excluded."""
_PALEST = 0.3


def choices(dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> dict[str, list[tuple[str, str]]]:
    """The class whose probability is drawn, where one is, and the epochs that a surface may be set against."""
    if view.option("map", OPTIONS["map"]) == "surrogate":
        return {"shade": [], "contours": []}
    offered = {}
    if view.option("shade", SHADES) == "probability" and "class_name" in dataset:
        offered["class"] = [(str(k), name) for k, name in enumerate(class_names(dataset))]
    if len(epochs) > 1:
        offered["against"] = [
            *((NOTHING, NOTHING), *((word, f"the {word} epoch") for word in EARLIER)),
            *((str(epoch), f"epoch {epoch}") for epoch in epochs),
        ]
    return offered


def beside(view: View, epoch: int, epochs: Sequence[int]) -> list[int]:
    """The epoch that this one is set against."""
    if view.option("map", OPTIONS["map"]) == "surrogate":
        return []
    other = reference_epoch(view, epoch, epochs)
    return [] if other is None else [other]


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Regions with the sample on them; points far from the plane are pale, and the title says how many agree.

    ``view.options``: ``map`` the plane through the inputs, or the surrogate (classes only); ``shade`` by class,
    confidence, entropy, margin, or the probability of one ``class`` (its number); ``against`` another epoch, so that
    what is drawn is later minus earlier (of classes: where the prediction became another one); ``contours`` of the
    shade, on classes of the confidence. ``view.classes`` and ``view.selection`` are about the points.

    Raises:
        UserError: an option is not known, the class is not there, or the other epoch has another grid.
    """
    plane = view.option("map", OPTIONS["map"]) == "plane"
    names = shown_classes(dataset)
    target = go.Figure()
    if plane:
        title = _draw_plane(target, dataset, names, view)
    else:
        _draw_regions(target, *(dataset[f"surrogate_{name}"].values for name in ("x", "y", "prediction")), names)
        title = _title(dataset, plane=False)
    _draw_points(target, dataset, names, view, plane=plane)
    axes = _axis_titles(dataset, plane=plane)
    target.update_layout(
        template=template(view.theme),
        title_text=title,
        legend={"itemsizing": "constant", "tracegroupgap": 0},
        width=920,
        height=720,
        margin={"t": 76},
        uirevision="surface",
    )
    target.update_xaxes(title_text=axes[0], showgrid=False)
    target.update_yaxes(title_text=axes[1], showgrid=False)
    return target


def _draw_plane(target: go.Figure, dataset: xr.Dataset, names: list[str], view: View) -> str:
    """What lies under the points, and the title that says what it is."""
    shade, reference = asked_shade(view, names), reference_surface(dataset, view)
    if reference is None:
        values = shade.of(dataset)
        if shade.name == "class":
            _draw_regions(target, *(dataset[name].values for name in ("x", "y", "prediction")), names)
        else:
            add_shade(target, dataset, values, shade, view)
        lacks = set_against(view) != NOTHING
        title = _title(dataset, plane=True) + (" · no other epoch to set it against" if lacks else "")
    else:
        later, earlier, which = in_time(dataset, *reference)
        values = shade.of(later) - shade.of(earlier)
        classes = changed_classes(later["prediction"].values, earlier["prediction"].values)
        if shade.name == "class":
            _draw_regions(target, dataset["x"].values, dataset["y"].values, classes, names)
        else:
            add_difference(target, dataset, values, shade.text, view)
        share = np.isfinite(classes).mean()
        title = _title(dataset, plane=True, what=f"{which} · ") + f" · {share:.0%} of the plane changed class"
    if view.option("contours", OPTIONS["contours"]) == "shown":
        add_contours(target, dataset, values, view, signed=reference is not None)
        title += " · lines: confidence" + (" change" if reference else "") if shade.name == "class" else ""
    return title


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """How far plane and surrogate speak for the network, over epochs."""
    look = LOOKS[view.theme]
    target = go.Figure()
    lines = (("agreement", "plane, all points", 0), ("surrogate_agreement", "surrogate, val points", 1))
    for variable, name, color in lines:
        target.add_trace(
            go.Scatter(
                x=history["epoch"].values,
                y=history[variable].values,
                name=name,
                mode="lines+markers",
                line={"color": look.splits[color], "width": 2},
                hovertemplate=f"{name}, epoch %{{x}}: %{{y:.1%}}<extra></extra>",
            )
        )
    target.update_layout(template=template(view.theme), title_text="Agreement with the network over epochs")
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="share of points", range=[0, 1.02])
    return target


def fading(distance: np.ndarray) -> np.ndarray:
    """Opacity by distance from the plane: 1 on it, least at the farthest point."""
    farthest = distance.max(initial=0.0)
    return 1 - (1 - _PALEST) * distance / farthest if farthest > 0 else np.ones_like(distance)


def _draw_regions(target: go.Figure, x: np.ndarray, y: np.ndarray, classes: np.ndarray, names: list[str]) -> None:
    """Classes in their colours; cells that are NaN stay empty."""
    there = np.isfinite(classes)
    n = len(names)
    steps = [edge for k, color in enumerate(class_colors(n)) for edge in ((k / n, color), ((k + 1) / n, color))]
    target.add_trace(
        go.Heatmap(
            x=x,
            y=y,
            z=classes.astype(np.int16 if there.all() else np.float32),
            zmin=-0.5,
            zmax=n - 0.5,
            colorscale=steps,
            showscale=False,
            opacity=0.4,
            text=np.array([*names, ""], dtype=object)[np.where(there, classes, n).astype(int)],
            hoverongaps=False,
            hovertemplate="%{text}<extra></extra>",
        )
    )


def _draw_points(target: go.Figure, dataset: xr.Dataset, names: list[str], view: View, *, plane: bool) -> None:
    look = LOOKS[view.theme]
    points = dataset["sample_xy" if plane else "surrogate_xy"].values.astype(np.float32)
    labels, split = dataset["label"].values, dataset["split"].values
    distance = dataset["off_plane_distance"].values
    opacity = fading(distance).astype(np.float32) if plane else np.full(len(points), 0.85, np.float32)
    colors = class_colors(len(names))
    for k in [*range(len(names)), NO_CLASS]:
        rows = np.flatnonzero(labels == k).astype(np.int32)
        if not len(rows) or (view.classes is not None and k not in view.classes):
            continue
        name = "no class" if k == NO_CLASS else names[k]
        color = look.no_class if k == NO_CLASS else colors[k]
        _add_legend(target, name, color)
        target.add_trace(
            go.Scattergl(
                x=points[rows, 0],
                y=points[rows, 1],
                customdata=np.stack([rows, distance[rows]], axis=1).astype(np.float32),
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=False,
                selectedpoints=view.selected(rows),
                marker={
                    "color": color,
                    "symbol": _SYMBOLS[split[rows]],
                    "size": np.array(SPLIT_SIZES, np.float32)[split[rows]] + 1,
                    "opacity": opacity[rows],
                    "line": {"width": 0.5, "color": look.outline},
                },
                hovertemplate=f"{name}<br>sample %{{customdata[0]:.0f}}"
                + ("<br>%{customdata[1]:.3g} off the plane" if plane else "")
                + "<extra></extra>",
            )
        )


def _add_legend(target: go.Figure, name: str, color: str) -> None:
    """An empty trace for the legend, which would else show a class's first point, pale where far from the plane."""
    marker = {"color": color, "size": 8}
    target.add_trace(go.Scattergl(x=[None], y=[None], mode="markers", name=name, legendgroup=name, marker=marker))


def _title(dataset: xr.Dataset, *, plane: bool, what: str = "") -> str:
    epoch = dataset.attrs.get("epoch", "?")
    if plane:
        agreement = f"{float(dataset['agreement']):.0%} of the points are predicted here as they really are"
        return f"Decision surface on the inputs' PCA plane · epoch {epoch}<br>{what}{agreement}"
    value = float(dataset["surrogate_agreement"])
    agreement = f"agrees with the network on {value:.0%} of the val points" if np.isfinite(value) else "not judged"
    return f"Surrogate on the map of {dataset.attrs.get('layer', 'a layer')} · epoch {epoch}<br>{agreement}"


def _axis_titles(dataset: xr.Dataset, *, plane: bool) -> tuple[str, str]:
    if not plane:
        return "PC1 of the layer", "PC2 of the layer"
    share = dataset["explained_variance_ratio"].values
    return f"PC1 of the inputs ({share[0]:.1%})", f"PC2 ({share[1]:.1%})"
