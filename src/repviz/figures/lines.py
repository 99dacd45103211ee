"""Lines over epochs: smoothing, and a line with a band around it in a panel with a legend of its own."""

from typing import Any

import numpy as np
import plotly.graph_objects as go


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average, free of the bias of its start (Kingma & Ba, 2015, arXiv:1412.6980).

    At t it is ``sum(weight ** (t - i) * values[i]) / sum(weight ** (t - i))`` over what is measured up to t.

    Args:
        values: ``(n,)``, NaN where nothing was measured; these stay NaN, and time does not go on there.
        weight: 0 = as measured, towards 1 = the smoother.

    Returns:
        ``(n,)`` float64.
    """
    result = np.full(len(values), np.nan)
    total, weights = 0.0, 0.0
    for t in np.flatnonzero(np.isfinite(values)):
        total, weights = weight * total + float(values[t]), weight * weights + 1
        result[t] = total / weights
    return result


def add_line(
    target: go.Figure, col: int, epochs: np.ndarray, values: np.ndarray, name: str, line: dict[str, Any]
) -> None:
    """Draw ``values`` of each epoch into column ``col``, whose legend is ``legend`` or ``legend<col>``."""
    target.add_trace(
        go.Scatter(
            x=epochs,
            y=values,
            name=name,
            legend="legend" if col == 1 else f"legend{col}",
            mode="lines+markers",
            line={"width": 2} | line,
            marker={"size": 4},
            hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        ),
        row=1,
        col=col,
    )


def add_band(target: go.Figure, col: int, epochs: np.ndarray, low: np.ndarray, high: np.ndarray, color: str) -> None:
    """Fill between ``low`` and ``high`` in column ``col``; epochs where they are not finite are left out."""
    there = np.isfinite(low) & np.isfinite(high)
    x, low, high = epochs[there], low[there], high[there]
    target.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([low, high[::-1]]),
            fill="toself",
            fillcolor=color,
            opacity=0.18,
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=col,
    )
