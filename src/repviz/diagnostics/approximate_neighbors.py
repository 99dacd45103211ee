"""Nearest neighbours of very many points, found by looking at the neighbours of neighbours.

Dong, W., Charikar, M. & Li, K. (2011). Efficient k-nearest neighbor graph construction for generic similarity measures.
WWW '11. The search is pynndescent's, which umap-learn uses beyond 4,096 points.
"""

import warnings

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.neighbors import exact_squared, nearest_neighbors
from repviz.diagnostics.position import frame_of, placed

_CANDIDATES = 60
"""Neighbours of neighbours that are looked at in one round, as in umap-learn."""


def approximate_neighbors(points: Tensor, k: int, seed: int) -> tuple[Tensor, Tensor]:
    """Almost the ``k`` nearest other points of every point, nearest first, in a time that grows hardly faster than n.

    Twice as many are searched for, of which the nearest are taken: of those at the end of a list fewer are true.

    The search is on one thread of the CPU, whatever torch has: with several its result depends on their number. It is
    the same for the same points and seed. pynndescent compiles itself, for half a minute in every process.

    Args:
        points: ``(n, d)``, finite, of any floating dtype.
        k: 1 to n - 1.
        seed: of the search.

    Returns:
        indices ``(n, k)`` int64 and Euclidean distances ``(n, k)`` float64, exact for these indices.

    Raises:
        ValueError: there are not ``k`` other points.
    """
    n = len(points)
    if not 1 <= k <= n - 1:
        raise ValueError(f"{n} points have no {k} nearest other points each")
    frame = frame_of(points)
    position = placed(points, frame, torch.float32).cpu().numpy()
    found = torch.from_numpy(_descent(position, min(2 * k + 1, n), seed)).to(points.device)
    del position
    own = found == torch.arange(n, device=found.device)[:, None]
    own[:, -1] |= ~own.any(dim=1)  # among duplicates a point may not have found itself
    found = found[~own].reshape(n, -1)
    found = found.sort(dim=1).values
    missing = found < 0
    squared = exact_squared(torch.arange(n, device=found.device), found.clamp_min(0), points, frame)
    squared, order = squared.masked_fill_(missing, torch.inf).sort(dim=1, stable=True)
    indices, distances = found.gather(1, order[:, :k]), squared[:, :k].sqrt() * frame.scale
    lacking = (indices < 0).any(dim=1).nonzero().flatten()
    if len(lacking):
        indices[lacking], distances[lacking] = nearest_neighbors(points, k, lacking)
    return indices, distances


def _descent(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    """``(n, k)`` int64, the point itself mostly among them; -1 where the search found too few."""
    from pynndescent import NNDescent

    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to correctly find n_neighbors")  # -1, which the caller sees
            search = NNDescent(points, n_neighbors=k, max_candidates=_CANDIDATES, random_state=seed, n_jobs=1)
        return search.neighbor_graph[0].astype(np.int64)
    finally:
        torch.set_num_threads(threads)  # which numba's pool changes
