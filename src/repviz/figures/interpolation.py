"""Class probabilities along lines between points: mean and band over pairs, and how often the class changes."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.view import View
from repviz.theme import LOOKS, template

OPTIONS = {"shows": ("band", "pairs")}
"""Choices of ``view.options``, the default first."""
HISTORY = ("switches", "same_class")
"""Variables that ``over_epochs`` reads."""
_PANELS = ("Between points of one class", "Between points of two classes", "Class switches per pair")
_MOST_SWITCHES = 8
"""Of a bar: more are counted with it."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left pairs of one class, in the middle of two classes, right the number of class switches.

    ``view.options``: ``shows`` the band over pairs, or every pair as a thin line. ``view.selection``: only pairs with
    an end among these points. ``view.classes``: only pairs with an end of these classes.
    """
    look = LOOKS[view.theme]
    chosen = _chosen(dataset, view)
    same = dataset["same_class"].values.astype(bool)
    target = make_subplots(1, 3, column_widths=[0.36, 0.36, 0.28], subplot_titles=_PANELS, horizontal_spacing=0.07)
    for col, members in enumerate((chosen & same, chosen & ~same), start=1):
        _draw_lines(target, dataset, view, members, col)
        _draw_switches(target, dataset, members, look.splits[col - 1], col)
    target.update_xaxes(title_text="way from one point to the other", row=1)
    target.update_yaxes(title_text="probability", range=[0, 1.02], row=1, col=1)
    target.update_yaxes(range=[0, 1.02], row=1, col=2)
    target.update_xaxes(title_text="switches", range=[-0.5, _MOST_SWITCHES + 0.5], dtick=1, row=1, col=3)
    target.update_yaxes(title_text="share of pairs", range=[0, 1.02], row=1, col=3)
    target.update_layout(
        template=template(view.theme),
        title_text=f"Interpolation · epoch {dataset.attrs.get('epoch', '?')} · {int(chosen.sum())} pairs",
        barmode="group",
        height=440,
        margin={"l": 56, "r": 16, "t": 84, "b": 48},
        legend={"orientation": "h", "y": -0.2},
    )
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Mean number of class switches per pair over epochs, for pairs of one class and of two."""
    look = LOOKS[view.theme]
    switches = history["switches"].transpose("epoch", "pair").values.astype(float)
    same = np.broadcast_to(history["same_class"].values.astype(bool), switches.shape)
    target = go.Figure()
    for number, (members, name) in enumerate(((same, "one class"), (~same, "two classes"))):
        count = members.sum(axis=1)
        target.add_trace(
            go.Scatter(
                x=history["epoch"].values,
                y=np.where(members, switches, 0).sum(axis=1) / np.where(count, count, np.nan),
                name=name,
                mode="lines+markers",
                line={"color": look.splits[number], "width": 2},
                hovertemplate=f"{name}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    target.update_layout(template=template(view.theme), title_text="Class switches between two points, over epochs")
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="mean number of switches", rangemode="tozero")
    return target


def _chosen(dataset: xr.Dataset, view: View) -> np.ndarray:
    chosen = np.ones(dataset.sizes["pair"], bool)
    if view.selection:
        chosen &= np.isin(dataset["pair_index"].values, view.selection).any(axis=1)
    if view.classes is not None:
        chosen &= np.isin(dataset["pair_label"].values, view.classes).any(axis=1)
    return chosen


def _draw_lines(target: go.Figure, dataset: xr.Dataset, view: View, members: np.ndarray, col: int) -> None:
    look = LOOKS[view.theme]
    t = dataset["t"].values
    labels = dataset["pair_label"].values[members]
    probability = dataset["probability"].values[members]
    if not len(labels):
        target.add_annotation(x=0.5, y=0.5, text="no such pair", showarrow=False, row=1, col=col)
    ends = (("class of one end", look.splits[0]), ("class of the other end", look.splits[1]))
    # pairs of one class have one curve: both ends ask for the same probability
    for end, (name, color) in enumerate(ends if col == 2 else (("their class", look.splits[0]),)):
        found = np.take_along_axis(probability, labels[:, None, end : end + 1], axis=2)[:, :, 0]
        if view.option("shows", OPTIONS["shows"]) == "pairs":
            _add_pairs(target, t, found, color, col)
        elif len(found):
            _add_band(target, t, np.quantile(found, (0.1, 0.9), axis=0), color, col)
        target.add_trace(
            go.Scatter(
                x=t,
                y=found.mean(axis=0) if len(found) else np.full(len(t), np.nan),
                name=name,
                mode="lines",
                line={"color": color, "width": 2.5},
                hovertemplate=f"{name}: %{{y:.3f}}<extra>mean of {len(found)} pairs</extra>",
            ),
            row=1,
            col=col,
        )


def _add_band(target: go.Figure, t: np.ndarray, band: np.ndarray, color: str, col: int) -> None:
    target.add_trace(
        go.Scatter(
            x=np.concatenate([t, t[::-1]]),
            y=np.concatenate([band[0], band[1][::-1]]),
            fill="toself",
            fillcolor=color,
            opacity=0.18,
            line={"width": 0},
            mode="lines",
            showlegend=False,
            hoverinfo="skip",
        ),
        row=1,
        col=col,
    )


def _add_pairs(target: go.Figure, t: np.ndarray, found: np.ndarray, color: str, col: int) -> None:
    """All lines as one trace, with gaps between them."""
    apart = np.full((len(found), 1), np.nan)
    x = np.concatenate([np.broadcast_to(t, found.shape), apart], axis=1)
    target.add_trace(
        go.Scatter(
            x=x.ravel().astype(np.float32),
            y=np.concatenate([found, apart], axis=1).ravel().astype(np.float32),
            mode="lines",
            line={"color": color, "width": 0.7},
            opacity=0.5,
            showlegend=False,
            hoverinfo="skip",
        ),
        row=1,
        col=col,
    )


def _draw_switches(target: go.Figure, dataset: xr.Dataset, members: np.ndarray, color: str, col: int) -> None:
    switches = np.minimum(dataset["switches"].values[members], _MOST_SWITCHES)
    count = np.bincount(switches, minlength=_MOST_SWITCHES + 1)
    target.add_trace(
        go.Bar(
            x=np.arange(_MOST_SWITCHES + 1),
            y=count / max(len(switches), 1),
            customdata=count,
            name="one class" if col == 1 else "two classes",
            marker={"color": color},
            hovertemplate="%{x} switches: %{customdata} pairs<extra></extra>",
        ),
        row=1,
        col=3,
    )
