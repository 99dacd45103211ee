"""The optimiser's path over the loss on its own plane, and below it how far that plane is to be trusted."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.landscape import color_bar_ticks, drawn_values, finite_range
from repviz.figures.view import View
from repviz.theme import LOOKS, SPLIT_NAMES, Look, template

OPTIONS = {"scale": ("log", "linear"), "split": ("train", "val")}
"""Choices of ``view.options``, the default first."""

_NAMES = {
    "train": ("loss", "true_loss", "plane_loss"),
    "val": ("val_loss", "true_val_loss", "plane_val_loss"),
}
_EPOCHS = "Plasma"


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Above the plane and the path on it; below what the plane shows of each checkpoint, and what is true.

    A loss that is not finite is a gap. ``view.options``: ``scale`` log or linear, ``split`` train or val.
    """
    split = view.option("split", OPTIONS["split"])
    loss, true, on_plane = (dataset[name] for name in _NAMES[split])
    target = make_subplots(
        2,
        2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        row_heights=[0.62, 0.38],
        horizontal_spacing=0.1,
        vertical_spacing=0.14,
        subplot_titles=["", "Loss of the checkpoint, and of the plane", "Distance of the checkpoint's weights"],
    )
    values, scale = drawn_values(loss.values, view)
    if _is_plane(dataset):
        _draw_plane(target, dataset, loss.values, values)
    else:
        _draw_line(target, dataset, loss.values, view)
    _draw_path(target, dataset, true.values, on_plane.values, view)
    _draw_losses(target, dataset, true.values, on_plane.values, split, view)
    _draw_distances(target, dataset, view)
    return _styled(target, _title(dataset, split), view, finite_range(values), scale)


def _styled(target: go.Figure, title: str, view: View, bounds: tuple[float, float], scale: str) -> go.Figure:
    low, high = bounds
    bar = {"thickness": 12, "len": 0.58, "y": 0.72, "x": 1.01} | color_bar_ticks(low, high, scale)
    legend = {"orientation": "h", "yanchor": "top", "y": -0.08}
    return target.update_layout(
        template=template(view.theme),
        title_text=title,
        coloraxis={"colorscale": "Viridis", "cmin": low, "cmax": high, "colorbar": bar},
        legend=legend | {"x": 0.0},
        legend2=legend | {"x": 0.55},
        width=1000,
        height=860,
        margin={"l": 60, "r": 24, "t": 84, "b": 76},
        uirevision="trajectory",
    )


def _draw_plane(target: go.Figure, dataset: xr.Dataset, loss: np.ndarray, values: np.ndarray) -> None:
    common = {
        "x": dataset["alpha"].values.astype(np.float32),
        "y": dataset["beta"].values.astype(np.float32),
        "z": values.T,
        "customdata": loss.T.astype(np.float32),
        "coloraxis": "coloraxis",
        "hovertemplate": "%{x:.3g}, %{y:.3g}<br>loss %{customdata:.4g}<extra></extra>",
    }
    if np.isfinite(values).all():
        contours = {"coloring": "heatmap"}
        trace = go.Contour(**common, ncontours=28, contours=contours, line={"width": 0.6, "color": "rgba(0,0,0,0.45)"})
    else:
        trace = go.Heatmap(**common)  # contours bend towards gaps; cells show which points are missing
    target.add_trace(trace, row=1, col=1)
    # one length for both axes, so that distances can be compared
    target.update_xaxes(title_text=_axis(dataset, 0), showgrid=False, constrain="domain", row=1, col=1)
    target.update_yaxes(title_text=_axis(dataset, 1), showgrid=False, scaleanchor="x", constrain="domain", row=1, col=1)


def _draw_line(target: go.Figure, dataset: xr.Dataset, loss: np.ndarray, view: View) -> None:
    """Only one axis, or none: the loss along it."""
    target.add_trace(
        go.Scatter(
            x=dataset["alpha"].values,
            y=np.where(np.isfinite(loss[:, 0]), loss[:, 0], np.nan),
            mode="lines",
            line={"color": LOOKS[view.theme].muted, "width": 2},
            showlegend=False,
            hovertemplate="%{x:.3g}: loss %{y:.4g}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    target.update_xaxes(title_text=_axis(dataset, 0), row=1, col=1)
    _name_loss_axis(target, loss, view, row=1)


def _draw_path(target: go.Figure, dataset: xr.Dataset, true: np.ndarray, on_plane: np.ndarray, view: View) -> None:
    look = LOOKS[view.theme]
    epochs = dataset["epoch"].values
    x, y = dataset["path"].values.T
    if not _is_plane(dataset):
        y = on_plane
    facts = np.stack([epochs, true, on_plane, dataset["off_plane_distance"].values], axis=1)
    n = len(epochs)
    target.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines+markers" if _is_plane(dataset) else "markers",
            line={"color": "rgba(255,255,255,0.9)", "width": 2},
            marker={
                "color": epochs,
                "colorscale": _EPOCHS,
                "size": [13 if k in (0, n - 1) else 8 for k in range(n)],
                "symbol": [("star" if k == n - 1 else "square") if k in (0, n - 1) else "circle" for k in range(n)],
                "line": {"color": "#ffffff", "width": 1.2},
            },
            customdata=facts,
            showlegend=False,
            hovertemplate="epoch %{customdata[0]:d}<br>its loss %{customdata[1]:.4g}, the plane's here "
            "%{customdata[2]:.4g}<br>%{customdata[3]:.3g} off the plane<extra></extra>",
        ),
        row=1,
        col=1,
    )
    _name_ends(
        target, x, y, [f"epoch {epoch}: loss {loss:.3g}" for epoch, loss in zip(epochs, true, strict=True)], look
    )


def _name_ends(target: go.Figure, x: np.ndarray, y: np.ndarray, texts: list[str], look: Look) -> None:
    if target.layout.yaxis.type == "log":
        y = np.log10(y)  # annotations on a logarithmic axis are placed by the logarithm
    for k in sorted({0, len(x) - 1}):
        target.add_annotation(
            x=x[k],
            y=y[k],
            text=texts[k],
            showarrow=False,
            yshift=18,
            bgcolor=look.surface,
            opacity=0.9,
            borderpad=2,
            font={"size": 11, "color": look.text},
            row=1,
            col=1,
        )


def _draw_losses(
    target: go.Figure, dataset: xr.Dataset, true: np.ndarray, on_plane: np.ndarray, split: str, view: View
) -> None:
    color = LOOKS[view.theme].splits[SPLIT_NAMES.index(split)]
    for values, name, dash in (
        (true, "the checkpoint's own", "solid"),
        (on_plane, "the plane's, where it is drawn", "dot"),
    ):
        _draw_over_epochs(target, dataset, values, name, color, dash, col=1)
    _name_loss_axis(target, np.concatenate([true, on_plane]), view, row=2)
    target.update_xaxes(title_text="epoch", row=2, col=1)


def _draw_distances(target: go.Figure, dataset: xr.Dataset, view: View) -> None:
    look = LOOKS[view.theme]
    center = f"from those of epoch {int(dataset['center'])}"
    for name, text, color, dash in (
        ("off_plane_distance", "off the plane", look.accent, "solid"),
        ("distance", center, look.muted, "dot"),
    ):
        _draw_over_epochs(target, dataset, dataset[name].values, text, color, dash, col=2)
    target.update_yaxes(title_text="L2 norm", rangemode="tozero", row=2, col=2)
    target.update_xaxes(title_text="epoch", row=2, col=2)


def _draw_over_epochs(
    target: go.Figure, dataset: xr.Dataset, values: np.ndarray, name: str, color: str, dash: str, col: int
) -> None:
    target.add_trace(
        go.Scatter(
            x=dataset["epoch"].values,
            y=np.where(np.isfinite(values), values, np.nan),
            name=name,
            legend="legend" if col == 1 else "legend2",
            mode="lines+markers",
            line={"color": color, "dash": dash, "width": 2},
            marker={"size": 4},
            hovertemplate="epoch %{x}: %{y:.4g}<extra>" + name + "</extra>",
        ),
        row=2,
        col=col,
    )


def _title(dataset: xr.Dataset, split: str) -> str:
    epochs = dataset["epoch"].values
    share = float(dataset["explained_variance_ratio"].sum())
    which = f"epochs {epochs[0]} (square) to {epochs[-1]} (star)" if len(epochs) > 1 else f"epoch {epochs[0]}"
    held = f"the plane holds {share:.0%} of the checkpoints' variance" if share > 0 else "nothing moved"
    rows = int(dataset["n_rows"].sel(split=split))
    notes = [f"loss on {rows} <b>{split}</b> points" if rows else f"no {split} point with a class"]
    if dataset.attrs.get("left_out", "none") != "none":
        notes.append(f"left out: {dataset.attrs['left_out']}")
    return f"Path of the optimiser · {which} · {held}<br><sup>{' · '.join(notes)}</sup>"


def _axis(dataset: xr.Dataset, axis: int) -> str:
    share = float(dataset["explained_variance_ratio"][axis])
    name = str(dataset["axis"].values[axis])
    return f"{name} axis ({share:.0%} of the variance)" if np.isfinite(share) else f"{name} axis (nothing moved)"


def _name_loss_axis(target: go.Figure, loss: np.ndarray, view: View, row: int) -> None:
    _, scale = drawn_values(loss, view)
    ticks = {"type": "log", "dtick": "D2", "tickformat": ".3~g"} if scale == "log" else {}
    target.update_yaxes(title_text="loss", **ticks, row=row, col=1)


def _is_plane(dataset: xr.Dataset) -> bool:
    return dataset.sizes["beta"] > 1
