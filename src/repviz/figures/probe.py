"""How well each layer can be read by a linear classifier, at one epoch and over epochs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.lines import add_band, smoothed
from repviz.figures.shown import shown, shown_layers
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, diverging_colors, scale_colors, template

OPTIONS = {
    "shows": ("curves", "heatmap", "change"),
    "score": ("accuracy", "macro F1"),
    "smoothing": ("0", "0.5", "0.8"),
}
"""Choices of ``view.options``, the default first; they are of ``over_epochs``."""
HISTORY = ("accuracy", "f1_macro", "chance", "control_accuracy")
"""Variables that ``over_epochs`` reads."""
_SCORES = dict(zip(OPTIONS["score"], HISTORY, strict=False))
_TITLES = {
    "curves": "{score} of linear probes over epochs",
    "heatmap": "{score} of linear probes by layer",
    "change": "Change of {lower} since the epoch before",
}
_CONTROL = "control: shuffled labels"
_WRITTEN = 6
"""Epochs up to which the numbers stand in the cells of the heatmap."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Val accuracy and macro F1 per layer, beside chance and the control on shuffled labels."""
    look = LOOKS[view.theme]
    layers = shown_layers(dataset)
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


def choices(dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> dict[str, list[tuple[str, str]]]:
    """Only curves are smoothed."""
    return {} if view.option("shows", OPTIONS["shows"]) == "curves" else {"smoothing": []}


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Accuracy or macro F1 on val points over epochs, with chance and the control on shuffled labels.

    ``view.options``: ``shows`` curves, a heatmap of layer and epoch, or the change against the previous epoch with a
    probe; ``score``; ``smoothing`` of the curves, the weight of ``smoothed``: what was measured stays behind it.

    Raises:
        UserError: ``view.layer`` is not in the dataset.
    """
    layers = [str(layer) for layer in history["layer"].values]
    if view.layer is not None and view.layer not in layers:
        raise UserError(f"layer={view.layer!r} has no probe; there are {', '.join(layers)}")
    shows = view.option("shows", OPTIONS["shows"])
    score = view.option("score", OPTIONS["score"])
    drawn = _curves(history, view, score) if shows == "curves" else _heatmap(history, view, score, shows)
    drawn.update_layout(
        template=template(view.theme),
        title_text=_TITLES[shows].format(score=score[0].upper() + score[1:], lower=score),
        legend={"orientation": "h", "y": -0.16},
    )
    return drawn.update_xaxes(title_text="epoch")


def _drawn_layers(history: xr.Dataset, view: View) -> list[str]:
    return [str(layer) for layer in history["layer"].values if view.layer in (None, str(layer))]


def _curves(history: xr.Dataset, view: View, score: str) -> go.Figure:
    look = LOOKS[view.theme]
    layers = [str(layer) for layer in history["layer"].values]
    colors = dict(zip(layers, class_colors(len(layers)), strict=True))
    weight = float(view.option("smoothing", OPTIONS["smoothing"]))
    target, epochs = make_subplots(), history["epoch"].values
    drawn = _drawn_layers(history, view)
    control = history["control_accuracy"].sel(layer=drawn).transpose("epoch", "layer").values
    add_band(target, 1, epochs, control.min(axis=1), control.max(axis=1), look.muted)
    for layer in drawn:
        values = history[_SCORES[score]].sel(layer=layer).values
        if weight:
            _add_line(
                target, epochs, values, f"{shown(layer)}, measured", {"color": colors[layer], "width": 1}, faint=True
            )
        _add_line(target, epochs, smoothed(values, weight), shown(layer), {"color": colors[layer], "width": 2})
    dashed = {"color": look.muted, "width": 1.5}
    _add_line(target, epochs, control.mean(axis=1), _CONTROL, dashed | {"dash": "dash"}, mode="lines")
    chance = history["chance"].isel(layer=0).values
    _add_line(target, epochs, chance, "chance", dashed | {"dash": "dot"}, mode="lines")
    target.update_yaxes(title_text=f"{score} on val points", range=[0, 1])
    return target.update_layout(hovermode="x unified")


def _add_line(
    target: go.Figure,
    epochs: np.ndarray,
    values: np.ndarray,
    name: str,
    line: dict[str, Any],
    *,
    faint: bool = False,
    mode: str = "lines+markers",
) -> None:
    target.add_trace(
        go.Scatter(
            x=epochs,
            y=values,
            name=name,
            mode=mode,
            line=line,
            marker={"size": 5},
            opacity=0.45 if faint else 1,
            showlegend=not faint,
            hoverinfo="skip" if faint else None,
            hovertemplate=None if faint else "%{y:.4f}",
        )
    )


def _heatmap(history: xr.Dataset, view: View, score: str, shows: str) -> go.Figure:
    """A row per layer, the deepest on top, and below them the control and chance, which are accuracies."""
    layers = _drawn_layers(history, view)
    values = history[_SCORES[score]].sel(layer=layers).transpose("layer", "epoch").values.astype(float)
    control = history["control_accuracy"].sel(layer=layers).mean("layer").values
    chance = history["chance"].isel(layer=0).values
    unit = "" if score == "accuracy" else " (accuracy)"
    names = [f"chance{unit}", f"control{unit}", *map(shown, layers)]
    values = np.concatenate([chance[None], control[None], values])
    if shows == "change":
        values = np.diff(values, axis=1, prepend=np.nan)
        most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        colors = {"colorscale": diverging_colors(view.theme), "zmin": -most, "zmax": most}
        title, form = f"change of<br>{score}", "+.3f"
    else:
        colors = {"colorscale": scale_colors(view.theme), "zmin": 0, "zmax": 1}
        title, form = score, ".3f"
    few = values.shape[1] <= _WRITTEN
    target = go.Figure(
        go.Heatmap(
            x=history["epoch"].values,
            y=names,
            z=values.astype(np.float32),
            **colors,
            xgap=1,
            ygap=1,
            texttemplate=f"%{{z:{form[:-2]}2f}}" if few else None,
            textfont={"size": 10},
            colorbar={"title": {"text": title}, "thickness": 12},
            hovertemplate=f"%{{y}}, epoch %{{x}}: %{{z:{form}}}<extra></extra>",
            hoverongaps=False,
        )
    )
    target.add_hline(y=1.5, line={"color": LOOKS[view.theme].text, "width": 1})
    target.update_xaxes(showgrid=False)
    return target.update_yaxes(title_text="layer", type="category", showgrid=False)
