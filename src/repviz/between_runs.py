"""Two runs on the points that they have in common: which these are, and how alike their layers are there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.kernel_alignment import Kernel, debiased_cka, kernel_of_layer
from repviz.store.hdf5 import read_dataset

KINDS = ("activations", "similarity")
"""Kinds whose artifacts keep activations: of all points, and of the points that it compares."""
MOST_POINTS = 1000
"""How many common points are compared; more would cost time and change the third digit."""


@dataclass(frozen=True)
class KeptActivations:
    """Where one epoch's activations are.

    Attributes:
        path: of the artifact.
        rows: ``(m,)``, which rows of the sample they are of.
        variables: names of the arrays ``(m, units)`` by layer; several layers may be one array.
    """

    path: Path
    rows: np.ndarray
    variables: dict[str, str]


def kept_activations(path: Path, kind: str) -> KeptActivations:
    """What the artifact of one of ``KINDS`` keeps; only its smallest arrays are read.

    Raises:
        ValueError: it has no activations; and as ``read_dataset``.
    """
    if kind == "activations":
        dataset = read_dataset(path, ["logits"])
        own = dict(pair.split("=") for pair in str(dataset.attrs.get("aliases", "")).split())
        # The input is not kept: the data has it.
        names = [name for name in str(dataset.attrs.get("layers", "")).split() if own.get(name, name) != "input"]
        return KeptActivations(path, np.arange(dataset.sizes["sample"]), {name: own.get(name, name) for name in names})
    dataset = read_dataset(path, ["stored", "point_index"])
    if not {"stored", "point_index"} <= {*dataset}:
        raise ValueError(f"{path} keeps no activations: it was not written by the diagnostic {kind!r} of repviz")
    layers = zip(dataset["layer"].values, dataset["stored"].values, strict=True)
    return KeptActivations(path, dataset["point_index"].values, {str(name): f"activations_{k}" for name, k in layers})


def joined_rows(ids: np.ndarray, other: np.ndarray) -> np.ndarray:
    """For each of ``ids (n,)`` the row of ``other (m,)`` with the same id: ``(n,)`` int64, -1 where there is none.

    An id that stands for several points of either run is joined to none, for nobody knows which are the same.
    """
    known, first, counts = np.unique(other, return_index=True, return_counts=True)
    _, number, own_counts = np.unique(ids, return_inverse=True, return_counts=True)
    place = np.minimum(np.searchsorted(known, ids), max(0, len(known) - 1))
    if not len(known):
        return np.full(len(ids), -1)
    same = (known[place] == ids) & (counts[place] == 1) & (own_counts[number] == 1)
    return np.where(same, first[place], -1)


def cka_between(one: KeptActivations, other: KeptActivations, joined: np.ndarray) -> xr.Dataset:
    """Debiased linear CKA of every layer of one run with every layer of another, on points that both have kept.

    Args:
        one: whose layers are on ``layer``.
        other: whose layers are on ``layer_other``.
        joined: ``joined_rows`` of the sample of ``one`` to that of ``other``.

    Returns:
        ``cka`` (layer, layer_other), NaN for fewer than four common points, dead layers and activations that are not
        finite; the attribute ``points`` says how many were compared, ``common`` how many could have been.

    Raises:
        ValueError: activations and sample do not belong together; and as ``read_dataset``.
    """
    if one.rows.max(initial=-1) >= len(joined):
        raise ValueError(f"{one.path} is of {one.rows.max() + 1} points or more, the run's sample has {len(joined)}")
    place = {int(row): at for at, row in enumerate(other.rows)}
    pairs = [(at, place[int(joined[row])]) for at, row in enumerate(one.rows) if int(joined[row]) in place]
    chosen = np.array(pairs, np.int64).reshape(-1, 2)
    if len(pairs) > MOST_POINTS:
        chosen = chosen[np.linspace(0, len(pairs) - 1, MOST_POINTS).astype(np.int64)]
    left, right = _kernels(one, chosen[:, 0]), _kernels(other, chosen[:, 1])
    known: dict[tuple[str, str], float] = {}
    for a in left:
        for b in right:
            kernels = left[a], right[b]
            known[a, b] = np.nan if None in (kernels[0], kernels[1]) else debiased_cka(*kernels)
    values = [[known[a, b] for b in other.variables.values()] for a in one.variables.values()]
    return xr.Dataset(
        {"cka": (("layer", "layer_other"), np.array(values), {"long_name": "debiased linear CKA", "units": "1"})},
        {"layer": list(one.variables), "layer_other": list(other.variables)},
        {"points": len(chosen), "common": len(pairs)},
    )


def _kernels(kept: KeptActivations, places: np.ndarray) -> dict[str, Kernel | None]:
    """By name of the array; one array after the other, for together they may be large."""
    found: dict[str, Kernel | None] = {}
    for name in dict.fromkeys(kept.variables.values()):
        points = read_dataset(kept.path, [name])[name].values[places].astype(np.float64)
        found[name] = kernel_of_layer(points) if len(points) and np.isfinite(points).all() else None
    return found
