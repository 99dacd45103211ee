"""The loss around the weights: a map of the plane and cuts through its middle, train beside val."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.view import View
from repviz.theme import LOOKS, SPLIT_NAMES, template

OPTIONS = {"scale": ("log", "linear"), "shape": ("contour", "surface"), "range": ("all epochs", "this epoch")}
"""Choices of ``view.options``, the default first."""
HISTORY = ("cut_alpha",)
"""Variables that ``over_epochs`` reads."""
BESIDE = ("loss",)
"""Variables that ``figure`` reads of other epochs."""

_CAMERA = {"eye": {"x": 1.4, "y": 1.4, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.15}}
"""Where the surface is seen from at first: far enough for the names of the axes."""
_BEYOND = 0.04
"""How far the axes of the loss reach beyond the range, as a share of it."""


def beside(view: View, epoch: int, epochs: Sequence[int]) -> list[int]:
    """All other epochs, where they share the range of this one."""
    shared = view.option("range", OPTIONS["range"]) == "all epochs"
    return [other for other in epochs if shared and other != epoch]


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Above the plane, below the cuts through the present weights; both splits in one range of losses.

    A loss that is not finite is a gap. ``view.options``: ``scale`` log or linear, ``shape`` contour or surface, and
    whether the ``range`` is that of this epoch or also of those in ``view.beside``.
    """
    shape = view.option("shape", OPTIONS["shape"])
    everything = _losses_in_range(dataset, view)
    scale = "log" if _logarithmic(everything, view) else "linear"
    low, high = finite_range(on_scale(everything, scale))
    values = on_scale(dataset["loss"].values, scale)
    splits = [str(split) for split in dataset["split"].values]
    kind = "scene" if shape == "surface" else "xy"
    target = make_subplots(
        2,
        len(splits),
        specs=[[{"type": kind}] * len(splits), [{"type": "xy"}] * len(splits)],
        row_heights=[0.68, 0.32],
        subplot_titles=[_title(dataset, split) for split in splits],
        horizontal_spacing=0.08,
        vertical_spacing=0.12,
    )
    for col, loss in enumerate(values, start=1):
        _draw_plane(target, dataset, loss, view, shape, col)
        _draw_cuts(target, dataset, view, col)
    beyond = _BEYOND * (high - low) or 0.5
    ticks = color_bar_ticks(low, high, scale)
    reach = [low - beyond, high + beyond]
    target.update_scenes(zaxis={**ticks, "range": reach}, uirevision="landscape")  # the camera outlives any choice
    target.update_yaxes(title_text="loss", type=scale, range=reach, row=2)
    target.update_yaxes(title_text="", col=2, row=2)
    epoch = dataset.attrs.get("epoch", "?")
    target.update_layout(
        template=template(view.theme),
        title_text=f"Loss landscape · epoch {epoch} · filter-normalised random directions",
        coloraxis={
            "colorscale": "Viridis",
            "cmin": low,
            "cmax": high,
            "colorbar": {"thickness": 12, "len": 0.62, "y": 0.69} | ticks,
        },
        legend={"orientation": "h", "y": -0.1},
        width=1000,
        height=760,
        margin={"l": 60, "r": 24, "t": 84, "b": 48},
        uirevision="landscape",
    )
    return target


def over_epochs(history: xr.Dataset, view: View) -> go.Figure:
    """The cut along the first direction, epoch after epoch, and the loss at its middle."""
    look = LOOKS[view.theme]
    values, scale = drawn_values(history["cut_alpha"].transpose("split", "alpha", "epoch").values, view)
    low, high = finite_range(values)
    splits = [str(split) for split in history["split"].values]
    target = make_subplots(1, len(splits), subplot_titles=splits, horizontal_spacing=0.08)
    for col, cut in enumerate(values, start=1):
        target.add_trace(
            go.Heatmap(
                x=history["epoch"].values,
                y=history["alpha"].values,
                z=cut,
                coloraxis="coloraxis",
                hovertemplate="epoch %{x}, at %{y:.2f}<extra></extra>",
            ),
            row=1,
            col=col,
        )
    target.update_xaxes(title_text="epoch", showgrid=False)
    target.update_yaxes(title_text="along the first direction", showgrid=False, col=1)
    target.update_layout(
        template=template(view.theme),
        title_text="Cut through the loss landscape over epochs",
        coloraxis={"colorscale": "Viridis", "colorbar": {"thickness": 12} | color_bar_ticks(low, high, scale)},
        plot_bgcolor=look.grid,
        height=440,
    )
    return target


def drawn_values(loss: np.ndarray, view: View) -> tuple[np.ndarray, str]:
    """What is drawn of losses, and on which scale: log10 where asked for and all finite ones are above 0; else linear.

    Raises:
        UserError: the scale is not known.
    """
    scale = "log" if _logarithmic(loss, view) else "linear"
    return on_scale(loss, scale), scale


def on_scale(loss: np.ndarray, scale: str) -> np.ndarray:
    """Losses, or their log10 where ``scale`` is ``log``, float32; NaN where they are not finite."""
    finite = np.where(np.isfinite(loss), loss, np.nan)
    return (np.log10(finite) if scale == "log" else finite).astype(np.float32)


def _draw_plane(target: go.Figure, dataset: xr.Dataset, loss: np.ndarray, view: View, shape: str, col: int) -> None:
    look = LOOKS[view.theme]
    # rows of z lie along y: the first direction goes to the right
    common = {
        "x": dataset["alpha"].values.astype(np.float32),
        "y": dataset["beta"].values.astype(np.float32),
        "z": loss.T,
        "customdata": dataset["loss"].values[col - 1].T.astype(np.float32),
        "coloraxis": "coloraxis",
        "hovertemplate": "%{x:.2f}, %{y:.2f}<br>loss %{customdata:.4g}<extra></extra>",
    }
    if shape == "surface":
        target.add_trace(go.Surface(**common), row=1, col=col)
        ticks = {"nticks": 5, "tickfont": {"size": 10}}
        axes = {"xaxis": {"title": "first", **ticks}, "yaxis": {"title": "second", **ticks}}
        axes["zaxis"] = {"title": "loss", "tickfont": {"size": 10}}
        target.update_scenes(**axes, camera=_CAMERA, row=1, col=col)
        return
    if np.isfinite(loss).all():
        # colours by value: filled contours would stretch each split's own levels over the whole scale
        contours = {"coloring": "heatmap"}
        target.add_trace(go.Contour(**common, ncontours=24, contours=contours, line={"width": 0.6}), row=1, col=col)
    else:
        # contours bend towards gaps; cells show which points are missing
        target.add_trace(go.Heatmap(**common), row=1, col=col)
    target.add_trace(
        go.Scatter(
            x=[0],
            y=[0],
            mode="markers",
            marker={"symbol": "cross", "size": 10, "color": look.surface, "line": {"width": 1.5, "color": look.text}},
            showlegend=False,
            hovertemplate="the weights of this epoch<extra></extra>",
        ),
        row=1,
        col=col,
    )
    target.update_xaxes(title_text="first direction", showgrid=False, row=1, col=col)
    target.update_yaxes(title_text="second direction", showgrid=False, row=1, col=col)


def _draw_cuts(target: go.Figure, dataset: xr.Dataset, view: View, col: int) -> None:
    look = LOOKS[view.theme]
    split = str(dataset["split"].values[col - 1])
    color = look.splits[SPLIT_NAMES.index(split)] if split in SPLIT_NAMES else look.accent
    cuts = (("alpha", "along the first direction", "solid"), ("beta", "along the second", "dot"))
    values = [dataset[f"cut_{axis}"].values[col - 1] for axis, _, _ in cuts]
    for (axis, name, dash), cut in zip(cuts, values, strict=True):
        target.add_trace(
            go.Scatter(
                x=dataset[axis].values,
                y=np.where(np.isfinite(cut), cut, np.nan),
                name=name,
                legendgroup=axis,
                showlegend=col == 1,
                mode="lines",
                line={"color": color, "dash": dash, "width": 2},
                hovertemplate="at %{x:.2f}: loss %{y:.4g}<extra></extra>",
            ),
            row=2,
            col=col,
        )
    target.update_xaxes(title_text="distance from the weights", row=2, col=col)


def _title(dataset: xr.Dataset, split: str) -> str:
    of_split = dataset.sel(split=split)
    rows = int(of_split["n_rows"])
    if not rows:
        return f"<b>{split}</b>: no point with a class"
    gaps = 1 - float(of_split["finite_share"])
    missing = f", {gaps:.1%} not finite" if gaps else ""
    return f"<b>{split}</b>: loss {float(of_split['center_loss']):.4g} on {rows} points{missing}"


def _losses_in_range(dataset: xr.Dataset, view: View) -> np.ndarray:
    """All losses whose range is drawn, of any shape: those of this epoch, and of those beside it."""
    others = view.beside.values() if view.option("range", OPTIONS["range"]) == "all epochs" else ()
    return np.concatenate([one["loss"].values.ravel() for one in (dataset, *others)])


def _logarithmic(loss: np.ndarray, view: View) -> bool:
    finite = loss[np.isfinite(loss)]
    return view.option("scale", OPTIONS["scale"]) == "log" and len(finite) > 0 and finite.min() > 0


def finite_range(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of the finite values; 0 and 1 where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def color_bar_ticks(low: float, high: float, scale: str) -> dict[str, object]:
    """The colour bar says losses, also where logarithms are drawn."""
    if scale == "linear":
        return {"title": {"text": "loss"}}
    at = np.linspace(low, high, 6)
    return {"title": {"text": "loss"}, "tickvals": at, "ticktext": [f"{10**value:.3g}" for value in at]}
