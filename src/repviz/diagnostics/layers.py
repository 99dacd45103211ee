"""What diagnostics of several layers share: which layers are looked at, and their activations, checked once."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.position import blocks
from repviz.errors import UserError
from repviz.snapshot import SPLIT_NAMES, Snapshot

TRAIN, VAL = SPLIT_NAMES.index("train"), SPLIT_NAMES.index("val")


def activations_of(snapshot: Snapshot, wanted: Sequence[str] | None, setting: str) -> dict[str, Tensor]:
    """Activations ``(n_samples, n_units)`` of the wanted layers, of all of them when None; names may share a tensor.

    Args:
        snapshot: the epoch's.
        wanted: names of layers.
        setting: what asked for them, for the message.

    Raises:
        UserError: a layer is asked for that the network has not.
        FloatingPointError: activations are NaN or infinite.
    """
    layers = snapshot.layers if wanted is None else tuple(wanted)
    missing = [layer for layer in layers if layer not in snapshot.activations]
    if missing:
        raise UserError(
            f"{setting}: the network has no layer {', '.join(missing)}; it has {', '.join(snapshot.layers)}"
        )
    found = {layer: snapshot.activations[layer] for layer in layers}
    for layer, points in unique(found).items():
        if bad := unusable_points(points, torch.finfo(points.dtype).max):
            raise FloatingPointError(
                f"layer {layer!r} has NaN or infinite activations for {bad} of {len(points)} points at epoch "
                f"{snapshot.epoch}: training has diverged (a lower learning rate or gradient clipping may help)"
            )
    return found


def unique(activations: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor once, under the first of its names."""
    found: dict[int, str] = {}
    for layer, points in activations.items():
        found.setdefault(id(points), layer)
    return {layer: activations[layer] for layer in found.values()}


def unusable_points(points: Tensor, largest: float) -> int:
    """How many points ``(n, d)`` have a number that is NaN or beyond ``largest`` to either side."""
    return sum(int((~(part.abs() <= largest).all(dim=1)).sum()) for part in blocks(points))


def labelled_rows(labels: np.ndarray, split: np.ndarray, code: int) -> np.ndarray:
    """Rows of one split that have a class, ascending."""
    return np.flatnonzero((split == code) & (labels >= 0))
