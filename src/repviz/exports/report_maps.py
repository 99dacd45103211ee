"""The maps of a report: 16-bit integers in base64, that a short script draws and plays."""

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from repviz.errors import UserError
from repviz.exports.footage import Footage, epochs_of, over_epochs
from repviz.figures.shown import outputs
from repviz.run import Run
from repviz.theme import LOOKS, SPLIT_NAMES, SPLIT_SIZES, Theme, class_colors

MOST_LAYERS = 4
MOST_BYTES = 6_000_000
"""Of the coordinates before they become text; more epochs than fit are thinned evenly."""
LONGEST_TEXT = 240
_STEPS = 32767


def map_data(run: Run, layers: Sequence[str] | None, method: str | None, theme: Theme) -> dict[str, Any]:
    """What the player needs, as JSON holds it.

    Args:
        run: whose maps.
        layers: which; default: each output once, of more than four the first, a middle one and the last two.
        method: ``umap`` or ``pca``; default: UMAP where there is one.
        theme: for the colours.

    Raises:
        UserError: a layer or the method is not there.
    """
    newest = run.read("projection", epochs_of(run)[-1])
    known, distinct = [str(layer) for layer in newest["layer"].values], outputs([newest])
    if unknown := [layer for layer in layers or () if layer not in known]:
        raise UserError(f"run {run.name} has no map of {', '.join(unknown)}; there is {', '.join(known)}")
    footage = over_epochs(run, list(layers or usual(distinct)), method)
    stops = thinned(footage)
    n_maps = footage.places.shape[1]
    frames = np.stack([quantised(footage.places[stops, number], footage.box(number)) for number in range(n_maps)], 1)
    sample = run.sample()
    return {
        "epochs": [footage.epochs[stop] for stop in stops],
        "of": len(footage.epochs),
        "layers": footage.titles[0],
        "allLayers": len(distinct),
        "method": footage.method,
        "notes": [footage.notes[stop] for stop in stops],
        "blank": footage.blank.tolist(),
        "shapes": [_shape(footage.box(number)) for number in range(n_maps)],
        "n": len(footage.labels),
        "frames": encoded(frames),
        "labels": encoded(footage.labels.astype("<i2")),
        "splits": encoded(footage.splits.astype("u1")),
        "classes": footage.classes,
        "colors": class_colors(len(footage.classes)),
        "noClass": LOOKS[theme].no_class,
        "splitNames": SPLIT_NAMES,
        "splitSizes": SPLIT_SIZES,
        "ids": [str(name) for name in sample["id"].values] if "id" in sample else None,
        "texts": _texts(sample),
    }


def usual(layers: Sequence[str]) -> list[str]:
    """At most four: the first, one from the middle, and the last two."""
    if len(layers) <= MOST_LAYERS:
        return list(layers)
    return [layers[0], layers[(len(layers) - 2) // 2], *layers[-2:]]


def thinned(footage: Footage) -> list[int]:
    """Stops to keep, evenly spaced, the first and the last among them."""
    n_stops = len(footage.stops)
    size = footage.places[0].size * 2
    most = max(2, MOST_BYTES // max(size, 1))
    return sorted({round(i) for i in np.linspace(0, n_stops - 1, min(n_stops, most))})


def quantised(places: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """``(stop, sample, 2)`` coordinates as int16 ``(stop, 2, sample)``: ±32,767 is half the box's larger side."""
    x_min, x_max, y_min, y_max = box
    middle = np.array([(x_min + x_max) / 2, (y_min + y_max) / 2])
    half = max(x_max - x_min, y_max - y_min) / 2 or 1.0
    return np.rint((places.astype(np.float64) - middle) / half * _STEPS).astype("<i2").transpose(0, 2, 1)


def encoded(values: np.ndarray) -> str:
    """Bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _shape(box: tuple[float, float, float, float]) -> list[float]:
    """Width and height of a map as shares of the larger."""
    wide, high = box[1] - box[0], box[3] - box[2]
    most = max(wide, high)
    return [wide / most, high / most] if most > 0 and math.isfinite(most) else [1.0, 1.0]


def _texts(sample: xr.Dataset) -> list[str] | None:
    if "text" not in sample:
        return None
    texts = [str(text) for text in sample["text"].values]
    return [text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1].rstrip() + "…" for text in texts]
