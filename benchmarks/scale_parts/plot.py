"""Costs against size, both axes logarithmic."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from repviz.theme import class_colors
from scale_parts.costs import Costs

_UNITS = {"s": ("processor time (ms)", 1e3), "B": ("size (kB)", 1e-3)}
_WIDTH, _HEIGHT = 6.2, 4.6


def save(path: Path, found: list[Costs]) -> None:
    """A panel for each item and unit."""
    panels = list(dict.fromkeys((costs.item.strip(), costs.unit) for costs in found))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(_WIDTH * columns, _HEIGHT * rows), squeeze=False, layout="constrained"
    )
    for axis, (item, unit) in zip(axes.flat, panels, strict=False):
        _panel(axis, item, unit, [c for c in found if (c.item.strip(), c.unit) == (item, unit)])
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _panel(axis: Axes, item: str, unit: str, lines: list[Costs]) -> None:
    label, factor = _UNITS[unit]
    for costs, color in zip(lines, class_colors(len(lines)), strict=True):
        sizes = sorted(costs.at)
        values = [factor * costs.at[size] for size in sizes]
        axis.plot(sizes, values, marker="o", color=color, label=costs.what, linewidth=1.8, markersize=5)
    axis.set(xscale="log", yscale="log", xlabel=f"{item}s".replace("classs", "classes"), ylabel=label)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, 1.0))
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** (0.06 * len(lines)))  # room for the legend
