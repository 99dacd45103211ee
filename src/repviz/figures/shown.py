"""Names from the data as plotly shows them: it takes some HTML in any text for markup, links too."""

from collections import Counter
from html import escape

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
