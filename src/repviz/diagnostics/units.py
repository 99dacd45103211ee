"""Which units of a layer are followed over a run: those that vary most at its start, the same ones at every epoch."""

from collections.abc import Iterable, Mapping

import numpy as np
from torch import Tensor

from repviz.diagnostics.position import centroid, variances
from repviz.snapshot import Sample


def by_variance(points: Tensor) -> np.ndarray:
    """All units of ``points (n, n_units)`` by descending variance, the lower number first among equals: int32."""
    found = variances(points, centroid(points)).cpu().numpy()
    return np.argsort(-found, kind="stable").astype(np.int32)


def unit_order(activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """What ``Sample.unit_order`` holds, from the activations ``(n, n_units)`` per layer at a run's start."""
    found: dict[int, np.ndarray] = {}
    for points in activations.values():
        if id(points) not in found:
            found[id(points)] = by_variance(points)
    return {layer: found[id(points)] for layer, points in activations.items()}


def followed_units(
    sample: Sample, layer: str, points: Tensor, count: int, before: Iterable[int] | None = None
) -> list[int]:
    """The units of a layer that are looked at, at most ``count``.

    Args:
        sample: of the run; its order decides where it has one for the layer.
        layer: its name.
        points: ``(n, n_units)``, its activations at this epoch; they decide where nothing else does.
        count: how many are wanted.
        before: those of an earlier epoch, for runs that were begun without an order.
    """
    if layer in sample.unit_order:
        return [int(unit) for unit in sample.unit_order[layer][:count]]
    if before is not None:
        return [int(unit) for unit in before]
    return [int(unit) for unit in by_variance(points)[:count]]
