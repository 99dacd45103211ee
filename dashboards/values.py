"""Numbers of the sample's points as the browser gets them: colours of the maps, columns of the table.

Any kind may have some: whatever its artifact holds on the dimension ``sample`` alone. Where it has ``logits``, the
class of the largest one is ``predicted``. A block is a header, as a frame has one, then float32 ``[value][sample]``;
NaN is missing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from repviz.dashboards.frames import with_header
from repviz.store.hdf5 import describe_dataset, read_dataset

PREDICTED = "predicted"
_LOGITS = "logits"
_KNOWN = {"label", "split", "index", "sample"}
"""What the page has from ``sample.h5`` already."""


def values_of(path: Path) -> list[dict[str, str]]:
    """Name, title and units of each number that the artifact has of every point; no array is read.

    Raises:
        Those of ``read_dataset``.
    """
    found = describe_dataset(path)
    listed = [
        {"name": name, "title": str(attributes.get("long_name", name)), "units": str(attributes.get("units", ""))}
        for name, (dimensions, dtype, attributes) in found.items()
        if dimensions == ("sample",) and dtype.kind in "biuf" and name not in _KNOWN
    ]
    if found.get(_LOGITS, ((),))[0] == ("sample", "class"):
        listed.append({"name": PREDICTED, "title": "predicted class", "units": "index"})
    return listed


def read_values(path: Path) -> bytes:
    """The block of an artifact; errors as for ``read_dataset``."""
    listed = values_of(path)
    names = [value["name"] for value in listed]
    dataset = read_dataset(path, [*names, *([_LOGITS] if PREDICTED in names else [])])
    if PREDICTED in names:
        dataset[PREDICTED] = ("sample", dataset[_LOGITS].values.argmax(axis=1))
    return encode(listed, [dataset[name].values for name in names], epoch=int(dataset.attrs.get("epoch", -1)))


def columns(sample: xr.Dataset) -> bytes:
    """The block of the sample's tabular columns; an empty one where it has none."""
    if "tabular" not in sample or "column" not in sample:
        return encode([], [])
    names = [str(name) for name in sample["column"].values]
    return encode(
        [{"name": name, "title": name, "units": ""} for name in names],
        list(sample["tabular"].transpose("column", "sample").values),
    )


def encode(listed: list[dict[str, str]], arrays: list[np.ndarray], **facts: Any) -> bytes:
    """Header and arrays, each ``(n,)``, as one block."""
    n = len(arrays[0]) if arrays else 0
    content = b"".join(np.asarray(values).astype("<f4").tobytes() for values in arrays)
    return with_header({"n": n, "values": listed, **facts}, content)


def near_rows(dataset: xr.Dataset, row: int) -> dict[str, list[int]]:
    """Per layer the rows nearest to ``row`` in the layer's own space, nearest first.

    Args:
        dataset: with ``neighbors`` (layer, sample, k).
        row: of the sample.
    """
    near = dataset["neighbors"].transpose("layer", "sample", "k").values[:, row]
    layers = (str(name) for name in dataset["layer"].values)
    return {layer: [int(k) for k in rows if k >= 0] for layer, rows in zip(layers, near, strict=True)}


def ranks(sample: xr.Dataset, name: str) -> np.ndarray:
    """Place of each row's ``id`` or ``text`` (in UTF-8) in the alphabet, case aside: int32, equal where it is."""
    known = [value.decode().casefold() for value in sample[name].values]
    place = {value: rank for rank, value in enumerate(sorted(set(known)))}
    return np.fromiter((place[value] for value in known), "<i4", len(known))


def matching_rows(sample: xr.Dataset, wanted: str) -> np.ndarray:
    """Rows whose id or text (in UTF-8) holds ``wanted``, whatever the case: int32, ascending."""
    wanted = wanted.casefold()
    found = np.zeros(sample.sizes["sample"], bool)
    for name in ("id", "text"):
        if name in sample:
            found |= np.fromiter((wanted in v.decode().casefold() for v in sample[name].values), bool, len(found))
    return np.flatnonzero(found).astype("<i4")
