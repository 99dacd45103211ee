"""The data map of the training points with the most suspect labels, and how they fare over epochs."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.lines import add_band, add_line
from repviz.figures.shown import shown, shown_classes
from repviz.figures.view import View
from repviz.theme import LOOKS, SPLIT_NAMES, class_colors, template

OPTIONS = {"color": ("suspicion", "forgetting", "class"), "points": ("train", "sample")}
"""Choices of ``view.options``, the default first."""
_MANY = 30
"""Classes beyond which there is no legend: the hover says the class."""
_LISTED = 11
"""Rows of the table that fit beside the map."""
_LONGEST = 22
"""Letters of an id that fit into a line of the table."""
_SYMBOLS = np.array([0, 2, 4], np.uint8)
"""plotly's numbers of circle, diamond and x: train, val and excluded."""
_REGIONS = (("easy to learn", 0.25, 0.99), ("ambiguous", 0.48, 0.5), ("hard to learn", 0.25, 0.01))
_NOTHING_YET = (("The course begins with the first trained epoch.", 0.42, 0.5),)
_MAP = {"row": 1, "col": 1}
_SHARES = (
    ("train_correct", "predicted right now", lambda v: v == 1),
    ("train_learned", "right at some epoch", lambda v: v == 1),
    ("train_forgetting", "forgotten at least once", lambda v: v > 0),
)
HISTORY = ("train_confidence", "confidence", "split", "suspect_row", *(name for name, _, _ in _SHARES))
"""Variables that ``over_epochs`` reads."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left the data map: mean and spread of the label's probability; right the most suspect rows, and all suspicions.

    ``view.options``: ``color`` by suspicion, forgetting events or class; ``points`` all training rows, or those of
    the sample (with val and excluded ones, and ``view.selection``). ``view.classes``: points of these classes only.
    """
    color = view.option("color", OPTIONS["color"])
    of_train = view.option("points", OPTIONS["points"]) == "train"
    target = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"rowspan": 2}, {"type": "table"}], [None, {}]],
        column_widths=[0.58, 0.42],
        row_heights=[0.62, 0.38],
        horizontal_spacing=0.13,
        vertical_spacing=0.13,
        subplot_titles=["Data map", "Most suspect training labels", "Suspicion of all points"],
    )
    _draw_map(target, dataset, view, color, of_train=of_train)
    _draw_table(target, dataset, view)
    _draw_histogram(target, dataset, view)
    looks = int(dataset.attrs.get("trained_epochs", 0))
    title = f"Sample dynamics · epoch {dataset.attrs.get('epoch', '?')} · {dataset.sizes['row']} training points"
    target.update_layout(
        template=template(view.theme),
        title_text=f"{title} · {looks} trained epochs looked at" if looks else f"{title} · nothing trained yet",
        legend={"x": 0.0, "y": -0.1, "orientation": "h", "itemsizing": "constant"},
        width=1180,
        height=750 if color == "class" else 680,
        margin={"l": 60, "r": 24, "t": 88, "b": 56},
        bargap=0.04,
        uirevision="dynamics",
    )
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Probability of the label over epochs, of training, val and suspect points; shares of learned and forgotten."""
    look = LOOKS[view.theme]
    epochs = history["epoch"].values
    target = make_subplots(
        1, 2, horizontal_spacing=0.09, subplot_titles=["Probability of the label", "Share of the training points"]
    )
    train = history["train_confidence"].values
    val = history["confidence"].values[:, history["split"].values[-1] == SPLIT_NAMES.index("val")]
    suspects = train[:, np.isin(history["row"].values, history["suspect_row"].values[-1])]
    low, high = (_over_points(train, lambda row, q=q: np.quantile(row, q)) for q in (0.1, 0.9))
    add_band(target, 1, epochs, low, high, look.splits[0])
    lines = (
        ("training points", train, look.splits[0]),
        ("val points of the sample", val, look.splits[1]),
        ("most suspect at the end", suspects, look.text),
    )
    for name, values, color in lines:
        add_line(target, 1, epochs, _over_points(values, np.median), name, {"color": color})
    colors = (look.splits[0], look.muted, look.splits[2])
    for (variable, name, holds), color in zip(_SHARES, colors, strict=True):
        values = history[variable].values.astype(np.float64)
        there = np.isfinite(values) & (values >= 0)
        share = _over_points(np.where(there, holds(values), np.nan), np.mean)
        add_line(target, 2, epochs, share, name, {"color": color})
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="median; band: 10 to 90 % of training points", range=[-0.02, 1.02], row=1, col=1)
    target.update_yaxes(title_text="share", range=[-0.02, 1.02], row=1, col=2)
    return target.update_layout(
        template=template(view.theme),
        title_text="Sample dynamics over epochs",
        legend={"x": 0.0, "y": -0.2, "orientation": "h"},
        legend2={"x": 0.54, "y": -0.2, "orientation": "h", "font": {"size": 11}},
        height=460,
        margin={"t": 84, "b": 96},
    )


def _draw_map(target: go.Figure, dataset: xr.Dataset, view: View, color: str, *, of_train: bool) -> None:
    prefix = "train_" if of_train else ""
    labels = dataset[prefix + "label"].values
    there = np.isfinite(dataset[prefix + "suspicion"].values)
    if view.classes is not None:
        there &= np.isin(labels, view.classes)
    names = shown_classes(dataset)
    if color == "class":
        for k, (name, class_color) in enumerate(zip(names, class_colors(len(names)), strict=True)):
            rows = np.flatnonzero(there & (labels == k))
            if len(rows):
                _add_points(target, dataset, prefix, rows, {"color": class_color}, view, name)
    else:
        rows = np.flatnonzero(there)
        values = dataset[prefix + color].values[rows].astype(np.float32)
        _add_points(target, dataset, prefix, rows, _scale(values, color, view), view)
    if of_train:
        _draw_rings(target, dataset, view)
    muted = {"color": LOOKS[view.theme].muted, "size": 12}
    for text, x, y in _REGIONS if there.any() else _NOTHING_YET:
        target.add_annotation(text=text, x=x, y=y, xanchor="right", showarrow=False, font=muted, row=1, col=1)
    target.update_xaxes(title_text="spread of the label's probability over epochs", range=[-0.01, 0.51], row=1, col=1)
    target.update_yaxes(title_text="mean of the label's probability over epochs", range=[-0.04, 1.04], row=1, col=1)


def _add_points(
    target: go.Figure,
    dataset: xr.Dataset,
    prefix: str,
    rows: np.ndarray,
    marker: dict[str, object],
    view: View,
    name: str | None = None,
) -> None:
    """Rows of the training points, or of the sample (empty prefix), in one trace; a name puts it into the legend."""
    look = {"size": 4, "opacity": 0.65, "line": {"width": 0}}
    number, selected, word = dataset["row"].values, None, "training row"
    if not prefix:
        look |= {"size": 6, "symbol": _SYMBOLS[dataset["split"].values[rows]]}
        number, word = np.arange(dataset.sizes["sample"]), "sample"
        selected = view.selected(rows)
    names, labels = shown_classes(dataset), dataset[prefix + "label"].values[rows]
    target.add_trace(
        go.Scattergl(
            x=dataset[prefix + "variability"].values[rows],
            y=dataset[prefix + "mean_confidence"].values[rows],
            customdata=number[rows].astype(np.int32),
            text=np.array(names, dtype=object)[labels],
            mode="markers",
            name=name,
            showlegend=name is not None and len(names) <= _MANY,
            selectedpoints=selected,
            marker=look | marker,
            hovertemplate=f"{word} %{{customdata}}, %{{text}}<br>mean %{{y:.3f}}, spread %{{x:.3f}}<extra></extra>",
        ),
        **_MAP,
    )


def _scale(values: np.ndarray, color: str, view: View) -> dict[str, object]:
    """Colours from pale to strong, and their bar."""
    look = LOOKS[view.theme]
    top = 1.0 if color == "suspicion" else max(float(values.max(initial=0)), 1.0)
    bar = {"title": {"text": color}, "thickness": 12, "x": 0.52, "len": 1.0, "y": 0.5}
    if color == "forgetting":
        bar |= {"title": {"text": "forgetting<br>events"}, "tickformat": "d"}
    return {
        "color": values,
        "cmin": 0,
        "cmax": top,
        # suspicion: strong from 0.5 on, where a label surprises more than a guess
        "colorscale": [[0, look.no_class], [0.25, look.splits[0]], [0.5, look.splits[1]], [1, look.splits[1]]],
        "colorbar": bar,
    }


def _draw_rings(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    """Rings around the suspects that the table lists."""
    place = {int(row): i for i, row in enumerate(dataset["row"].values)}
    listed = _listed(dataset, view)
    ring = {"symbol": "circle-open", "size": 11, "color": LOOKS[view.theme].text, "line": {"width": 1.5}}
    at = [place[int(row)] for row in dataset["suspect_row"].values[listed]]
    target.add_trace(
        go.Scattergl(
            x=dataset["train_variability"].values[at],
            y=dataset["train_mean_confidence"].values[at],
            mode="markers",
            showlegend=False,
            marker=ring,
            hoverinfo="skip",
        ),
        **_MAP,
    )


def _listed(dataset: xr.Dataset, view: View) -> np.ndarray:
    """Places in the table of suspects that are shown: the first of those that there are, of the chosen classes."""
    labels = dataset["suspect_label"].values
    there = dataset["suspect_row"].values >= 0
    if view.classes is not None:
        there &= np.isin(labels, view.classes)
    return np.flatnonzero(there)[:_LISTED]


def _draw_table(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    listed = _listed(dataset, view)
    names = np.array(shown_classes(dataset), dtype=object)
    rows, ids = dataset["suspect_row"].values[listed], dataset["suspect_id"].values[listed]
    columns = (
        [shown(str(id_), _LONGEST) or f"row {row}" for row, id_ in zip(rows, ids, strict=True)],
        list(names[dataset["suspect_label"].values[listed]]),
        list(names[dataset["suspect_rival"].values[listed]]),
        [f"{value:.3f}" for value in dataset["suspect_suspicion"].values[listed]],
    )
    cells = {"fill": {"color": look.surface}, "line": {"color": look.grid}, "align": ["left", "left", "left", "right"]}
    target.add_trace(
        go.Table(
            columnwidth=[30, 22, 22, 18],
            header=cells
            | {"values": ["point", "its label", "rather", "suspicion"], "font": {"color": look.muted}, "height": 24},
            cells=cells | {"values": columns, "font": {"color": look.text, "size": 11}, "height": 23},
        ),
        row=1,
        col=2,
    )


def _draw_histogram(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    """Suspicion of all training points beside that of the sample's val points, as shares of each."""
    look = LOOKS[view.theme]
    on_val = dataset["split"].values == SPLIT_NAMES.index("val")
    groups = (
        ("training points", dataset["train_suspicion"].values, look.splits[0]),
        ("val points of the sample", dataset["suspicion"].values[on_val], look.splits[1]),
    )
    edges = np.linspace(0, 1, 41)
    for name, values, color in groups:
        values = values[np.isfinite(values)]
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        target.add_trace(
            go.Scatter(
                x=(edges[:-1] + edges[1:]) / 2,
                y=share,
                name=name,
                mode="lines",
                line={"color": color, "width": 2, "shape": "hvh"},
                fill="tozeroy",
                opacity=0.8,
                legend="legend2",
                hovertemplate=f"{name}, suspicion about %{{x:.2f}}: %{{y:.1%}}<extra></extra>",
            ),
            row=2,
            col=2,
        )
    target.update_layout(legend2={"x": 1.0, "y": 0.3, "xanchor": "right", "yanchor": "top"})
    guess = {"type": "line", "x0": 0.5, "x1": 0.5, "xref": "x2", "y0": 0, "y1": 1, "yref": "y2 domain"}
    target.add_shape(guess, line={"color": look.muted, "dash": "dot", "width": 1})
    target.update_xaxes(title_text="suspicion (0.5: as surprising as a guess)", range=[0, 1], row=2, col=2)
    target.update_yaxes(title_text="share of the points", tickformat=".0%", rangemode="tozero", row=2, col=2)


def _over_points(values: np.ndarray, average: Callable[[np.ndarray], float]) -> np.ndarray:
    """The average of each epoch's ``(n_epochs, n)`` finite values; NaN where there is none."""
    finite = [row[np.isfinite(row)] for row in values]
    return np.array([average(row) if len(row) else np.nan for row in finite])
