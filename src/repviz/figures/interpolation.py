"""Class probabilities along lines between points: mean and band over pairs, and how often the class changes."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.interpolation_pairs import SORTS, add_pair, add_sorted, names_of, pair_text, sorted_pairs
from repviz.figures.lines import add_line
from repviz.figures.view import View
from repviz.theme import LOOKS, scale_colors, template

OPTIONS = {"shows": ("band", "pairs", "sorted", "one pair"), "sort": SORTS, "pair": ()}
"""Choices of ``view.options``, the default first; none: see ``choices``."""
HISTORY = ("switches", "same_class", "mean")
"""Variables that ``over_epochs`` reads."""
_PANELS = ("Between points of one class", "Between points of two classes", "Class switches per pair")
_OVER = ("Class switches", "Their class, between points of one class", "Either end's class, between two classes")
_MOST_SWITCHES = 8
"""Of a bar: more are counted with it."""


def choices(dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> dict[str, list[tuple[str, str]]]:
    """The pairs, where one of them is drawn, those first on whose way most happens."""
    shows = view.option("shows", OPTIONS["shows"])
    if shows != "one pair":
        return {} if shows == "sorted" else {"sort": []}
    if "probability" not in dataset:  # a history, whose pairs are the same ones
        return {"pair": [(str(pair), str(pair)) for pair in range(dataset.sizes["pair"])]}
    names = names_of(dataset)
    pairs = sorted_pairs(dataset, _chosen(dataset, view), view.option("sort", SORTS))
    return {"pair": [(str(pair), pair_text(dataset, pair, names)) for pair in pairs]}


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left pairs of one class, in the middle of two classes, right the number of class switches.

    ``view.options``: ``shows`` the band over pairs, every pair as a thin line, every pair as a row of a heatmap
    (``sorted``: by what ``sort`` says, see ``pair_facts``), or ``one pair``: its number is ``pair``, and without one
    the first in that order is drawn. ``view.selection``: only pairs with an end among these points. ``view.classes``:
    only pairs with an end of these classes.

    Raises:
        UserError: an option is not known, or there is no such pair.
    """
    chosen = _chosen(dataset, view)
    if view.option("shows", OPTIONS["shows"]) == "one pair":
        return _one_pair(dataset, view, chosen)
    return _all_pairs(dataset, view, chosen)


def _all_pairs(dataset: xr.Dataset, view: View, chosen: np.ndarray) -> go.Figure:
    look = LOOKS[view.theme]
    is_sorted = view.option("shows", OPTIONS["shows"]) == "sorted"
    same = dataset["same_class"].values.astype(bool)
    target = make_subplots(1, 3, column_widths=[0.36, 0.36, 0.28], subplot_titles=_PANELS, horizontal_spacing=0.07)
    for col, members in enumerate((chosen & same, chosen & ~same), start=1):
        _say_if_none(target, members, col)
        if is_sorted:
            add_sorted(target, dataset, sorted_pairs(dataset, members, view.option("sort", SORTS)), view, col)
        else:
            _draw_lines(target, dataset, view, members, col)
        _draw_switches(target, dataset, members, look.splits[col - 1], col)
    if is_sorted:
        # from the left edge of the first pair's row downwards; the number of a row says nothing
        target.update_yaxes(title_text=f"pairs, by {view.option('sort', SORTS)}", row=1, col=1)
        for col in (1, 2):
            target.update_yaxes(autorange="reversed", showticklabels=False, showgrid=False, row=1, col=col)
    else:
        target.update_yaxes(title_text="probability", row=1, col=1)
        for col in (1, 2):
            target.update_yaxes(range=[0, 1.02], row=1, col=col)
    target.update_xaxes(title_text="way from one point to the other", row=1)
    target.update_xaxes(title_text="switches", range=[-0.5, _MOST_SWITCHES + 0.5], dtick=1, row=1, col=3)
    target.update_yaxes(title_text="share of pairs", range=[0, 1.02], row=1, col=3)
    return target.update_layout(
        template=template(view.theme),
        title_text=f"Interpolation · epoch {dataset.attrs.get('epoch', '?')} · {_counted(int(chosen.sum()))}",
        barmode="group",
        height=440,
        margin={"l": 56, "r": 16, "t": 84, "b": 48},
        legend={"orientation": "h", "y": -0.2},
    )


def _one_pair(dataset: xr.Dataset, view: View, chosen: np.ndarray) -> go.Figure:
    """Class probabilities on the way between the points of one pair."""
    epoch = dataset.attrs.get("epoch", "?")
    target = go.Figure()
    pairs = [str(pair) for pair in sorted_pairs(dataset, chosen, view.option("sort", SORTS))]
    if pairs:
        pair = int(view.option("pair", pairs))
        add_pair(target, dataset, pair, view)
        start, end = dataset["pair_index"].values[pair]
        text = f"pair {pair_text(dataset, pair, names_of(dataset))} · switches: {int(dataset['switches'].values[pair])}"
        target.update_xaxes(title_text=f"way from sample {start} to sample {end}")
    else:
        target.add_annotation(x=0.5, y=0.5, text="no such pair", showarrow=False)
        text = "no such pair"
    target.update_yaxes(title_text="probability", range=[0, 1.02])
    return target.update_layout(
        template=template(view.theme), title_text=f"Interpolation · epoch {epoch} · {text}", height=440
    )


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Over epochs: class switches per pair, and what the ends' classes are given on the way, mean over pairs.

    ``view.options``: where ``one pair`` is shown its switches stand beside the means.

    Raises:
        UserError: there is no such pair.
    """
    target = make_subplots(1, 3, column_widths=[0.36, 0.32, 0.32], subplot_titles=_OVER, horizontal_spacing=0.08)
    _draw_mean_switches(target, history, view)
    mean = history["mean"].transpose("epoch", "relation", "end", "t").values
    # of one class both ends ask for the same probability; of two both together are what no third class gets
    for col, values in ((2, mean[:, 0, 0]), (3, mean[:, 1].sum(axis=1))):
        _say_if_none(target, np.isfinite(values), col)
        target.add_trace(
            go.Heatmap(
                x=history["epoch"].values,
                y=history["t"].values,
                z=values.T.astype(np.float32),
                coloraxis="coloraxis",
                hovertemplate="epoch %{x}, at %{y:.2f}: %{z:.3f}<extra></extra>",
            ),
            row=1,
            col=col,
        )
        target.update_yaxes(showgrid=False, row=1, col=col)
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="switches per pair", rangemode="tozero", row=1, col=1)
    target.update_yaxes(title_text="way", row=1, col=2)
    return target.update_layout(
        template=template(view.theme),
        title_text="Interpolation over epochs",
        coloraxis={
            "colorscale": scale_colors(view.theme),
            "cmin": 0,
            "cmax": 1,
            "colorbar": {"title": {"text": "mean<br>probability"}, "thickness": 10},
        },
        legend={"orientation": "h", "y": -0.2},
        height=400,
        margin={"t": 84},
    )


def _draw_mean_switches(target: go.Figure, history: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    switches = history["switches"].transpose("epoch", "pair").values.astype(float)
    same = np.broadcast_to(history["same_class"].values.astype(bool), switches.shape)
    lines = []
    for members, name, color in ((same, "one class", look.splits[0]), (~same, "two classes", look.splits[1])):
        count = members.sum(axis=1)
        mean = np.where(members, switches, 0).sum(axis=1) / np.where(count, count, np.nan)
        lines.append((mean, f"mean of pairs of {name}", color))
    if view.option("shows", OPTIONS["shows"]) == "one pair" and "pair" in view.options:
        pair = view.option("pair", [str(pair) for pair in range(switches.shape[1])])
        lines.append((switches[:, int(pair)], f"pair {pair}", look.text))
    for values, name, color in lines:
        add_line(target, 1, history["epoch"].values, values, name, {"color": color})


def _chosen(dataset: xr.Dataset, view: View) -> np.ndarray:
    chosen = np.ones(dataset.sizes["pair"], bool)
    if view.selection:
        chosen &= np.isin(dataset["pair_index"].values, view.selection).any(axis=1)
    if view.classes is not None:
        chosen &= np.isin(dataset["pair_label"].values, view.classes).any(axis=1)
    return chosen


def _counted(n_pairs: int) -> str:
    return "1 pair" if n_pairs == 1 else f"{n_pairs} pairs"


def _say_if_none(target: go.Figure, members: np.ndarray, col: int) -> None:
    if not members.any():
        middle = {"x": 0.5, "y": 0.5, "xref": "x domain", "yref": "y domain"}
        target.add_annotation(text="no such pair", showarrow=False, row=1, col=col, **middle)


def _draw_lines(target: go.Figure, dataset: xr.Dataset, view: View, members: np.ndarray, col: int) -> None:
    look = LOOKS[view.theme]
    t = dataset["t"].values
    labels = dataset["pair_label"].values[members]
    probability = dataset["probability"].values[members]
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
