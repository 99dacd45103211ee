"""How activations are distributed, layer by layer: quantiles over all points and units, and the share of zeros."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from repviz.figures.shown import shown
from repviz.figures.view import View
from repviz.theme import LOOKS, template

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


def figure(dataset: xr.Dataset, view: View) -> go.Figure:
    """Left, a box per layer from its 1 % to its 99 % quantile; right, the share of activations that are zero."""
    look = LOOKS[view.theme]
    layers = [str(name) for name in dataset.data_vars if view.layer in (None, name)]
    values = [dataset[name].values for name in layers]
    low, first, middle, third, high = np.array([np.quantile(points, QUANTILES) for points in values]).T
    zeros = [float((points == 0).mean()) for points in values]
    target = make_subplots(1, 2, subplot_titles=["activations, 1 % to 99 %", "share of zeros"], horizontal_spacing=0.12)
    target.add_trace(
        go.Box(
            x=list(map(shown, layers)), lowerfence=low, q1=first, median=middle, q3=third, upperfence=high,
            line={"color": look.splits[0], "width": 1.5}, showlegend=False,
        ),
        row=1,
        col=1,
    )  # fmt: skip
    target.add_trace(
        go.Bar(
            x=list(map(shown, layers)), y=zeros, marker={"color": look.splits[1]}, showlegend=False,
            hovertemplate="%{x}: %{y:.1%} zeros<extra></extra>",
        ),
        row=1,
        col=2,
    )  # fmt: skip
    target.update_yaxes(title_text="activation", row=1, col=1)
    target.update_yaxes(title_text="share", range=[0, 1.02], row=1, col=2)
    target.update_layout(
        template=template(view.theme),
        title_text=f"Activations · epoch {dataset.attrs.get('epoch', '?')}",
        width=900,
        height=440,
        uirevision="activations",
    )
    return target
