"""The neighbours that maps of a layer are made from and judged by, of as many points as can be asked."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.approximate_neighbors import approximate_neighbors
from repviz.diagnostics.neighbors import nearest_neighbors

MOST_NEIGHBORED = 50_000
"""Points up to which every point is compared with all others for its neighbours; on CUDA for any number.

Beyond, UMAP gets approximate ones, and without UMAP only the points are asked by which a map is judged.
"""
_SAME = 1e-9
"""Relative difference of two distances of the same points, computed in another order."""


class MapNeighbors(NamedTuple):
    """Neighbours of ``rows``, the true ones of the points that judge maps, and which share of these is found."""

    rows: slice | np.ndarray
    indices: Tensor
    distances: Tensor
    of_judged: Tensor
    recall: float


def map_neighbors(points: Tensor, k: int, judged: Tensor, seed: int, *, with_umap: bool) -> MapNeighbors:
    """The ``k`` nearest of all points, or of those alone that are ``judged``.

    Args:
        points: ``(n, width)``.
        k: how many of each.
        judged: rows of the points by which maps are judged.
        seed: of an approximate search.
        with_umap: whether UMAP wants the neighbours of every point.
    """
    n = len(points)
    if asks_few(n, with_umap=with_umap):
        indices, distances = nearest_neighbors(points, k, judged)
        return MapNeighbors(judged.cpu().numpy(), indices, distances, indices, 1.0)
    if n > MOST_NEIGHBORED and points.device.type == "cpu":
        indices, distances = approximate_neighbors(points, k, seed)
        true, within = nearest_neighbors(points, k, judged)
        return MapNeighbors(slice(None), indices, distances, true, _recall(distances[judged], within))
    indices, distances = nearest_neighbors(points, k)
    return MapNeighbors(slice(None), indices, distances, indices[judged], 1.0)


def asks_few(n: int, *, with_umap: bool) -> bool:
    """Whether only the neighbours of the points are found by which a map is judged."""
    return not with_umap and n > MOST_NEIGHBORED


def _recall(found: Tensor, true: Tensor) -> float:
    """Share of neighbours no farther than the farthest true one: of equally distant points any are right.

    Args:
        found: ``(m, k)``, how far the neighbours are that were found. true: ``(m, k)``, how far the true ones are.
    """
    return float((found <= true[:, -1:] * (1 + _SAME)).to(torch.float64).mean())
