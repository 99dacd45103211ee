"""What the decision surface is shaded by: a measure of the probabilities, or its difference between two epochs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from repviz.errors import UserError
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, diverging_colors

SHADES = ("class", "confidence", "entropy", "margin", "probability")
"""``probability`` is that of one class."""
NOTHING = "nothing"
EARLIER = ("first", "previous")
"""What a surface may be set against, besides a numbered epoch."""
_LEVELS = {"start": 0.1, "end": 0.9, "size": 0.1}
"""Of contours: every tenth."""


def shading(probability: np.ndarray, shade: str, of_class: int = 0) -> np.ndarray:
    """Confidence, margin of the first over the second class, entropy in units of the uniform one; all 0 to 1.

    Args:
        probability: ``(..., n_classes)``; of one class alone the margin is 1 and the entropy 0.
        shade: ``confidence``, ``margin``, ``entropy``, or ``probability`` of one class.
        of_class: which.

    Raises:
        UserError: there is no such class.
    """
    n_classes = probability.shape[-1]
    if shade == "probability":
        if of_class not in range(n_classes):
            raise UserError(f"class={of_class} is not there; the surface has the classes 0 to {n_classes - 1}")
        return probability[..., of_class]
    if shade == "confidence":
        return probability.max(axis=-1)
    if n_classes == 1:
        return np.full(probability.shape[:-1], 1.0 if shade == "margin" else 0.0)
    if shade == "margin":
        ordered = np.sort(probability, axis=-1)
        return ordered[..., -1] - ordered[..., -2]
    logarithm = np.log(probability, out=np.zeros_like(probability), where=probability > 0)
    return -(probability * logarithm).sum(axis=-1) / np.log(n_classes)


@dataclass(frozen=True)
class Shade:
    """What is drawn of a surface.

    Attributes:
        name: one of ``SHADES``.
        text: as a colour bar says it.
        of_class: whose probability; None for the other shades.
    """

    name: str
    text: str
    of_class: int | None = None

    def of(self, surface: xr.Dataset) -> np.ndarray:
        """Its values ``(y, x)``; of classes, which have none, their confidence."""
        measure = "confidence" if self.name == "class" else self.name
        return shading(surface["probability"].values, measure, self.of_class or 0)


def asked_shade(view: View, names: Sequence[str]) -> Shade:
    """The shade that ``view.options`` asks for.

    Raises:
        UserError: it is not known, or the class is not a number.
    """
    name = view.option("shade", SHADES)
    if name != "probability":
        return Shade(name, name)
    value = str(view.options.get("class", 0))
    if not re.fullmatch(r"\d{1,6}", value):
        raise UserError(f"class={value!r} is not the number of a class, counted from 0")
    number = int(value)
    return Shade(name, f"probability of {names[number] if number < len(names) else number}", number)


def set_against(view: View) -> str:
    """What the surface is set against: nothing, the first epoch, the previous one, or an epoch's number.

    Raises:
        UserError: it is none of them.
    """
    value = str(view.options.get("against", NOTHING))
    if value not in (NOTHING, *EARLIER) and not re.fullmatch(r"\d{1,9}", value):
        raise UserError(f"against={value!r} is not known; choose {NOTHING}, {', '.join(EARLIER)} or an epoch's number")
    return value


def reference_epoch(view: View, epoch: int, epochs: Sequence[int]) -> int | None:
    """The epoch that ``set_against`` means at ``epoch``; None where there is none of ``epochs``, or none but itself."""
    against = set_against(view)
    before = [other for other in epochs if other < epoch]
    if against in EARLIER:
        return (before[0] if against == "first" else before[-1]) if before else None
    return int(against) if against != NOTHING and int(against) in epochs and int(against) != epoch else None


def reference_surface(dataset: xr.Dataset, view: View) -> tuple[int, xr.Dataset] | None:
    """Epoch and dataset that this one is set against; None where it is against nothing, or ``view`` brings none.

    Raises:
        UserError: it was computed on another grid, or for other classes.
    """
    if set_against(view) == NOTHING or not view.beside:
        return None
    epoch, other = next(iter(view.beside.items()))
    axes = all(np.array_equal(other[axis].values, dataset[axis].values) for axis in ("x", "y"))
    if not axes or other["probability"].shape != dataset["probability"].shape:
        raise UserError(f"the surface of epoch {epoch} is on another grid: the two cannot be subtracted")
    return epoch, other


def in_time(dataset: xr.Dataset, epoch: int, other: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset, str]:
    """The later and the earlier of two surfaces, and the words ``epoch 5 − epoch 2``."""
    own = int(dataset.attrs.get("epoch", epoch + 1))
    if own < epoch:
        return other, dataset, f"epoch {epoch} − epoch {own}"
    return dataset, other, f"epoch {own} − epoch {epoch}"


def changed_classes(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """The later prediction where it is another one than the earlier, NaN elsewhere: float32 of their shape."""
    return np.where(later != earlier, later, np.nan).astype(np.float32)


def add_shade(target: go.Figure, dataset: xr.Dataset, values: np.ndarray, shade: Shade, view: View) -> None:
    """A shade from 0 to 1; of one class in its colour."""
    look = LOOKS[view.theme]
    strongest = look.muted if shade.of_class is None else class_colors(shade.of_class + 1)[-1]
    _add_heatmap(target, dataset, values, shade.text, (0, 1), [[0, look.surface], [1, strongest]])


def add_difference(target: go.Figure, dataset: xr.Dataset, values: np.ndarray, text: str, view: View) -> None:
    """A difference, no change in the colour of the background."""
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    colors = diverging_colors(view.theme)
    _add_heatmap(target, dataset, values, f"change of {text}", (-most, most), colors, form="+.2g")


def add_contours(target: go.Figure, dataset: xr.Dataset, values: np.ndarray, view: View, *, signed: bool) -> None:
    """Labelled lines of equal value: every tenth, or quarters of the largest difference."""
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    levels = {"start": -0.75 * most, "end": 0.75 * most, "size": 0.25 * most} if signed else _LEVELS
    ink = LOOKS[view.theme].text
    target.add_trace(
        go.Contour(
            x=dataset["x"].values,
            y=dataset["y"].values,
            z=values.astype(np.float32),
            contours=levels
            | {"coloring": "lines", "showlabels": True, "labelformat": ".2~f", "labelfont": {"size": 9, "color": ink}},
            autocontour=False,
            colorscale=[[0, ink], [1, ink]],
            showscale=False,
            line={"width": 0.8},
            opacity=0.75,
            hoverinfo="skip",
        )
    )


def _add_heatmap(
    target: go.Figure,
    dataset: xr.Dataset,
    values: np.ndarray,
    text: str,
    limits: tuple[float, float],
    colors: Sequence[Sequence],
    form: str = ".3f",
) -> None:
    ticks, signed = [limits[0], sum(limits) / 2, limits[1]], limits[0] < 0
    target.add_trace(
        go.Heatmap(
            x=dataset["x"].values,
            y=dataset["y"].values,
            z=values.astype(np.float32),
            zmin=limits[0],
            zmax=limits[1],
            colorscale=colors,
            colorbar={
                "title": {"text": text, "side": "top"},
                "orientation": "h",
                "thickness": 10,
                "len": 0.5,
                "y": -0.12,
                "yanchor": "top",
                "tickangle": 0,
                "tickvals": ticks,
                "ticktext": [f"{tick:{form}}" if signed and tick else f"{tick:g}" for tick in ticks],
            },
            hovertemplate=f"{text} %{{z:{form}}}<extra></extra>",
        )
    )
