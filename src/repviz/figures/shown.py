"""Names from the data as plotly shows them: it takes some HTML in any text for markup, links too."""

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np
import xarray as xr

LONGEST = 40
"""Characters of a name in a legend or on an axis; more would leave no room for the picture."""


def shown(name: str, longest: int = LONGEST) -> str:
    """``name`` on one line, cut to ``longest`` characters, with nothing in it that plotly would obey."""
    text = " ".join(name.split())
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return escape(cut, quote=False).replace("%{", "%&#123;")


def shown_layers(dataset: xr.Dataset) -> list[str]:
    """Names of the layers as they are shown: anyone's own model has its own."""
    return [shown(str(name)) for name in dataset["layer"].values]


def outputs(datasets: Sequence[xr.Dataset]) -> list[str]:
    """Names of the layers, of those with the same map in all of the datasets the last: penultimate is the last block.

    Args:
        datasets: ``coordinates (layer, …)`` of the same layers, of one epoch or several. A layer without a map is kept.
    """
    names = [str(layer) for layer in datasets[0]["layer"].values]
    maps = np.stack([dataset["coordinates"].values for dataset in datasets])
    return [name for number, name in enumerate(names) if not _are_one(*np.moveaxis(maps[:, number : number + 2], 1, 0))]


def _are_one(one: np.ndarray, other: np.ndarray | None = None) -> bool:
    return other is not None and np.array_equal(one, other, equal_nan=True) and bool(np.isfinite(one).any())


def class_names(dataset: xr.Dataset) -> list[str]:
    """Names of the classes as they are: the dataset's ``class_name``, or numbers."""
    if "class_name" in dataset:
        return [str(name) for name in dataset["class_name"].values]
    labels = dataset["label"].values
    return [f"class {k}" for k in range(int(labels.max(initial=-1)) + 1)]


def shown_classes(dataset: xr.Dataset) -> list[str]:
    """``class_names`` as they are shown, numbered where two have become the same."""
    found = [shown(name) for name in class_names(dataset)]
    count = Counter(found)
    return [name if count[name] == 1 else f"{name} ({k})" for k, name in enumerate(found)]
