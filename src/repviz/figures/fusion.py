"""What each input adds to the accuracy, and how strongly FiLM modulates each block."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.lines import add_band, add_line
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, template

HISTORY = ("shapley", "shapley_error", "accuracy", "gamma_norm", "beta_norm")
"""Variables that ``over_epochs`` reads."""
_ERRORS = 2
"""Standard errors that a band or bar reaches on either side."""


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """From the accuracy without any real input to that with both, step by step; beside it FiLM, where there is any."""
    film = dataset.sizes["block"] > 0
    titles = ["What each input adds (Shapley)", "Accuracy with real inputs", "Size of FiLM"][: 3 if film else 2]
    target = make_subplots(
        1,
        len(titles),
        column_widths=[0.38, 0.36, 0.26] if film else [0.55, 0.45],
        horizontal_spacing=0.09,
        subplot_titles=titles,
    )
    _draw_steps(target, dataset, view)
    _draw_coalitions(target, dataset, view)
    if film:
        _draw_film(target, dataset, view)
    target.update_xaxes(tickangle=0)
    target.update_xaxes(title_text="gain by joining, mean of both orders", col=1)
    target.update_xaxes(title_text="inputs that are real", col=2)
    target.update_layout(
        template=template(view.theme),
        title_text=_title(dataset),
        barmode="group",
        width=1120 if film else 860,
        height=480,
        margin={"l": 60, "r": 24, "t": 104, "b": 48},
        legend={"x": 1.0, "y": 1.0, "xanchor": "right", "yanchor": "top"},
    )
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """Each input's share of the accuracy over epochs, with two standard errors, and the size of FiLM per block."""
    look = LOOKS[view.theme]
    epochs = history["epoch"].values
    blocks = [str(block) for block in history["block"].values]
    titles = ["Share of the accuracy", *(["Size of FiLM"] if blocks else [])]
    target = make_subplots(1, len(titles), horizontal_spacing=0.09, subplot_titles=titles)
    for number, name in enumerate(str(modality) for modality in history["modality"].values):
        value, error = history["shapley"].values[:, number], history["shapley_error"].values[:, number]
        add_band(target, 1, epochs, value - _ERRORS * error, value + _ERRORS * error, look.splits[number])
        add_line(target, 1, epochs, value, name, {"color": look.splits[number]})
    both, none = (history["accuracy"].sel(coalition=name).values for name in ("both", "none"))
    add_line(target, 1, epochs, both, "accuracy, both real", {"color": look.muted, "width": 1.5})
    add_line(target, 1, epochs, none, "accuracy, none real", {"color": look.muted, "width": 1.5, "dash": "dot"})
    for variable, name, dash in (("gamma_norm", "gamma", "solid"), ("beta_norm", "beta", "dash")):
        for number, block in enumerate(blocks):
            color = class_colors(len(blocks))[number]
            values = history[variable].sel(block=block).values
            add_line(target, 2, epochs, values, f"{block} {name}", {"color": color, "dash": dash})
    target.update_xaxes(title_text="epoch")
    target.update_yaxes(title_text="accuracy; band: two standard errors", row=1, col=1)
    if blocks:
        target.update_yaxes(title_text="root mean square", rangemode="tozero", row=1, col=2)
    return target.update_layout(
        template=template(view.theme),
        title_text="Fusion over epochs",
        height=460,
        legend={"x": 0.0, "y": -0.18, "orientation": "h"},
        legend2={"x": 0.55, "y": -0.18, "orientation": "h", "font": {"size": 11}},
        margin={"t": 84, "b": 96},
    )


def _title(dataset: xr.Dataset) -> str:
    rows, where = dataset.attrs.get("evaluated_rows", "?"), dataset.attrs.get("evaluated_on", "val set")
    reference = dataset.attrs.get("reference", "its reference")
    return (
        f"Fusion · epoch {dataset.attrs.get('epoch', '?')} · {where}, {rows} rows"
        f"<br><sup>an input that is taken away is replaced by {reference}</sup>"
    )


def _draw_steps(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    """A waterfall: the Shapley values lead exactly from one accuracy to the other."""
    look = LOOKS[view.theme]
    names = [str(name) for name in dataset["modality"].values]
    accuracy = dataset["accuracy"]
    none, both = float(accuracy.sel(coalition="none")), float(accuracy.sel(coalition="both"))
    shares, errors = dataset["shapley"].values, dataset["shapley_error"].values
    below = np.concatenate([[0, none], none + np.cumsum(shares)[:-1], [0]])
    heights = np.array([none, *shares, both])
    texts = [_percent(none), *(_points(v, e) for v, e in zip(shares, errors, strict=True)), _percent(both)]
    colors = [look.muted, *look.splits[: len(names)], look.muted]
    x = ["none", *names, "both"]
    target.add_trace(
        go.Bar(
            x=x,
            y=heights,
            base=below,
            width=0.62,
            marker={"color": colors},
            customdata=texts,
            showlegend=False,
            hovertemplate="%{x}: %{customdata}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    tops = np.maximum(below, below + heights)
    target.add_trace(
        go.Scatter(x=x, y=tops, text=texts, mode="text", textposition="top center", showlegend=False, hoverinfo="skip"),
        row=1,
        col=1,
    )
    target.update_yaxes(title_text="accuracy", tickformat=".0%", range=[0, _room(tops)], row=1, col=1)


def _draw_coalitions(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    values = dataset["accuracy"].values
    target.add_trace(
        go.Bar(
            x=[str(name) for name in dataset["coalition"].values],
            y=values,
            width=0.62,
            marker={"color": [look.muted, *look.splits[:2], look.accent]},
            text=[_percent(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            showlegend=False,
            hovertemplate="real: %{x}<br>accuracy %{y:.2%}<extra></extra>",
        ),
        row=1,
        col=2,
    )
    target.update_yaxes(title_text="accuracy", tickformat=".0%", range=[0, _room(values)], row=1, col=2)


def _draw_film(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    for variable, name, color in (("gamma_norm", "gamma", look.accent), ("beta_norm", "beta", look.splits[2])):
        target.add_trace(
            go.Bar(
                x=[str(block) for block in dataset["block"].values],
                y=dataset[variable].values,
                name=name,
                marker={"color": color},
                hovertemplate=f"%{{x}} {name}: %{{y:.4f}}<extra></extra>",
            ),
            row=1,
            col=3,
        )
    tops = np.maximum(dataset["gamma_norm"].values, dataset["beta_norm"].values)
    target.update_yaxes(title_text="root mean square", range=[0, 1.2 * max(float(tops.max()), 0.01)], row=1, col=3)


def _percent(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "?"


def _points(value: float, error: float) -> str:
    """A share in points of accuracy, with its standard error."""
    if not np.isfinite(value):
        return "?"
    return f"{100 * value:+.1f}" + (f" ± {100 * error:.1f}" if np.isfinite(error) else "")


def _room(tops: np.ndarray) -> float:
    """Top of an axis that leaves room for a text above the highest bar."""
    finite = tops[np.isfinite(tops)]
    return 1.15 * max(float(finite.max(initial=0)), 0.05)
