"""How far a map can be trusted: do neighbours on it belong together, and are neighbours in the layer kept together.

Venna, J. & Kaski, S. (2006). Local multidimensional scaling. Neural Networks 19, 889-899.
"""

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.neighbors import product_dtype, rounding, squared_distances, standard_position

_BLOCK = 2**18
"""Distances held at once: they are passed over once per neighbour, so they should stay in the cache."""


def rank_preservation(space: Tensor, neighbors: Tensor, rows: Tensor | None = None) -> float:
    """One minus the normalised excess of the ranks that ``neighbors`` have in ``space``.

    *Trustworthiness* of a map: the neighbours on the map, ranked in the layer (scikit-learn's ``trustworthiness``).
    *Continuity*: the neighbours in the layer, ranked on the map. Points that are equally far have the better rank.

    Args:
        space: ``(n, d)``, finite: where the ranks are taken.
        neighbors: ``(n, k)``, indices of k other points each, k < n / 2.
        rows: the points over which to average; None = all.

    Returns:
        At most 1, all ranks are within k; the expected value of unrelated neighbours is ``chance(n, k)``.

    Raises:
        ValueError: there are too few points for so many neighbours.
    """
    n, k = neighbors.shape
    _check(n, k)
    position, _ = standard_position(space)
    position = position.to(product_dtype(position.device) if space.dtype == torch.float32 else torch.float64)
    rows = torch.arange(n, device=space.device) if rows is None else rows
    excess = 0
    for block in rows.split(max(1, _BLOCK // n)):
        excess += _excess(position, block, neighbors[block])
    return 1 - 2 / (len(rows) * k * (2 * n - 3 * k - 1)) * excess


def chance(n: int, k: int) -> float:
    """What ``rank_preservation`` gives in the mean when neighbours are drawn at random: near 0.5 for k far below n.

    In closed form: a random neighbour's rank is uniform on 1 ... n - 1.

    Raises:
        ValueError: there are too few points for so many neighbours.
    """
    _check(n, k)
    return 1 - (n - 1 - k) * (n - k) / ((n - 1) * (2 * n - 3 * k - 1))


def largest_k(n: int) -> int:
    """The most neighbours for which the measure is defined among ``n`` points (0: for none)."""
    return max(0, (n - 1) // 2)


def sampled_rows(n: int, limit: int, seed: int, device: torch.device) -> Tensor:
    """All rows, or ``limit`` of them drawn without replacement; ``(min(n, limit),)`` int64, ascending."""
    if n <= limit:
        return torch.arange(n, device=device)
    drawn = np.random.default_rng(seed).choice(n, limit, replace=False)
    return torch.from_numpy(np.sort(drawn)).to(device)


def _excess(position: Tensor, rows: Tensor, neighbors: Tensor) -> int:
    distances = squared_distances(position[rows], position)
    near = distances.gather(1, neighbors)
    distances[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    # what is nearer by less than the rounding error counts as equally far: duplicates keep the same rank
    near -= rounding(position[rows], position)
    total = 0
    for column in near.T:
        rank = (distances < column[:, None]).sum(1) + 1
        total += int((rank - neighbors.shape[1]).clamp_min(0).sum())
    return total


def _check(n: int, k: int) -> None:
    if not 1 <= k <= largest_k(n):
        raise ValueError(f"ranks of {k} neighbours among {n} points are not defined: k must be below n / 2")
