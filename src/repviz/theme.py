"""Colours, fonts, markers and plotly templates: one look, dark and light, for figures, pages, video and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from repviz.palette import CLASS_COLORS

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]

FONT_FAMILY = "Inter Variable, Inter, system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"

SPLIT_NAMES = ("train", "val", "excluded")
"""Names of the codes 0, 1, 2 of a sample's ``split``."""

SPLIT_SYMBOLS = ("circle", "diamond", "x")
"""Marker shape of each split, plotly's names."""

SPLIT_SIZES = (4.0, 6.0, 6.5)
"""Marker size of each split in pixels; validation points are fewer and matter more."""


@dataclass(frozen=True)
class Look:
    """Colours of one theme.

    Attributes:
        page: behind everything.
        surface: behind a figure.
        text: titles and values.
        muted: axis titles, ticks, notes.
        grid: grid lines and borders.
        accent: what is active; the line of the current epoch.
        no_class: points that belong to none of the classes.
        outline: thin rim of points, for the palest colours on white and the darkest on black.
        splits: lines of train, val and excluded.
    """

    page: str
    surface: str
    text: str
    muted: str
    grid: str
    accent: str
    no_class: str
    outline: str
    splits: tuple[str, str, str]


LIGHT = Look(
    page="#f5f6f8",
    surface="#ffffff",
    text="#1c2430",
    muted="#5d6876",
    grid="#e4e7ec",
    accent="#4c5fd7",
    no_class="#9aa3ae",
    outline="rgba(20,26,36,0.3)",
    splits=("#2f7fc8", "#d95b00", "#832db6"),
)
DARK = Look(
    page="#0e1116",
    surface="#161a21",
    text="#e8ebf0",
    muted="#98a2b0",
    grid="#262c36",
    accent="#8b9bff",
    no_class="#6b7685",
    outline="rgba(232,235,240,0.35)",
    splits=("#5aa9ee", "#ff9142", "#9a5fd0"),
)
LOOKS: dict[str, Look] = {"light": LIGHT, "dark": DARK}


def class_colors(n_classes: int) -> list[str]:
    """Colours of ``n_classes`` classes, ``#rrggbb``; class k has the same colour however many there are.

    Petroff's ten come first; beyond 256 classes the colours repeat.
    """
    return [CLASS_COLORS[k % len(CLASS_COLORS)] for k in range(n_classes)]


YES_COLOR, NO_COLOR = CLASS_COLORS[0], CLASS_COLORS[6]
"""Points for which something holds (blue), and for which it does not (orange): far apart for colour-blind eyes too."""

_VIRIDIS_SHARE = {"light": (0.84, 0.0), "dark": (0.26, 1.0)}
"""The part of Viridis that stands out from the background; what is more is farther from it (Schloss et al., 2019)."""


def scale_colors(theme: Theme, n: int = 64) -> list[str]:
    """``n`` colours of a scale from little to much, ``#rrggbb``, of evenly changing lightness."""
    from plotly.colors import sample_colorscale

    low, high = _VIRIDIS_SHARE[theme]
    shares = [low + (high - low) * k / (n - 1) for k in range(n)]
    colors = sample_colorscale("Viridis", shares, colortype="tuple")
    return ["#" + "".join(f"{round(255 * part):02x}" for part in color) for color in colors]


def diverging_colors(theme: Theme) -> list[tuple[float, str]]:
    """A scale from less (orange) over no difference (the background) to more (blue)."""
    return [(0.0, NO_COLOR), (0.5, LOOKS[theme].surface), (1.0, YES_COLOR)]


def template(theme: Theme) -> go.layout.Template:
    """The plotly template of ``theme``."""
    import plotly.graph_objects as go

    look = LOOKS[theme]
    axis = {
        "gridcolor": look.grid,
        "linecolor": look.grid,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickfont": {"color": look.muted, "size": 11},
        "title": {"font": {"color": look.muted, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT_FAMILY, "size": 12, "color": look.text},
            "title": {"font": {"size": 15, "color": look.text}, "x": 0, "xref": "paper", "xanchor": "left"},
            "paper_bgcolor": look.surface,
            "plot_bgcolor": look.surface,
            "colorway": class_colors(10),
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"font": {"color": look.text, "size": 11}, "bgcolor": "rgba(0,0,0,0)"},
            "hoverlabel": {
                "bgcolor": look.surface,
                "bordercolor": look.grid,
                "font": {"family": FONT_FAMILY, "size": 12, "color": look.text},
            },
            "margin": {"l": 56, "r": 16, "t": 48, "b": 44},
            "hovermode": "closest",
        }
    )
