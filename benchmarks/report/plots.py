"""Cost against size, drawn with Matplotlib in repviz's colours; both axes are logarithmic."""

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from .record import Curve, Record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MANY_DECADES = 1e3


def file_name(record: Record, curve: Curve) -> str:
    """Where the plot of a record's curve lies, seen from the folder of results."""
    return f"{record.name}_{re.sub(r'[^a-z0-9]+', '_', curve.title.lower()).strip('_')}.svg"


def draw(record: Record, curve: Curve, folder: Path) -> Path:
    """Draw one plot as SVG."""
    from matplotlib import font_manager, rc_context
    from matplotlib.figure import Figure

    from repviz.theme import LIGHT

    with resources.as_file(resources.files("repviz.exports") / "fonts" / "Inter-Regular.ttf") as font:
        font_manager.fontManager.addfont(font)
        family = font_manager.FontProperties(fname=font).get_name()
    # The salt keeps a plot of the same numbers the same file.
    style = {"font.family": [family, "DejaVu Sans"], "font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "repviz"}
    with rc_context(style):
        figure = Figure(figsize=(6.4, 3.8), facecolor=LIGHT.surface, layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, curve)
        _frame(axes, curve)
        path = folder / file_name(record, curve)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path


def _lines(axes: "Axes", curve: Curve) -> None:
    from repviz.theme import LIGHT, class_colors

    colors = (LIGHT.accent, *(c for k, c in enumerate(class_colors(8)) if k not in (0, 4)))
    for (name, points), color in zip(curve.lines.items(), colors, strict=False):
        sizes, costs = zip(*points, strict=True)
        axes.loglog(sizes, costs, "o-", color=color, markersize=4.5, linewidth=1.8, label=name)
    axes.legend(frameon=False, labelcolor=LIGHT.text, fontsize=9)


def _frame(axes: "Axes", curve: Curve) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from repviz.theme import LIGHT

    axes.set_title(curve.title, loc="left", color=LIGHT.text, fontsize=12)
    axes.set_xlabel(curve.size, color=LIGHT.muted)
    axes.set_ylabel(curve.cost, color=LIGHT.muted)
    sizes = sorted({size for line in curve.lines.values() for size, _ in line})
    axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    costs = [cost for line in curve.lines.values() for _, cost in line]
    # Over a few decades their powers suffice; within one or two the steps between them are needed.
    between = (1.0,) if max(costs) > _MANY_DECADES * min(costs) else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=between))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_facecolor(LIGHT.surface)
    axes.grid(color=LIGHT.grid, linewidth=0.8)
    axes.tick_params(colors=LIGHT.muted, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
