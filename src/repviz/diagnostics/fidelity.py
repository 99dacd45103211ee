"""How far a map can be trusted: do neighbours on it belong together, and are neighbours in the layer kept together.

Venna, J. & Kaski, S. (2006). Local multidimensional scaling. Neural Networks 19, 889-899.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.neighbors import block_rows, rounding, squared_distances, standard_position

_BLOCK, _BLOCK_OF_A_GPU = 2**18, 2**26
"""Distances that are counted at once: they are passed over once per neighbour, so they should stay in a processor's
cache; a GPU wants much to do at a time."""


def rank_preservation(space: Tensor, neighbors: Sequence[Tensor], rows: Tensor | None = None) -> list[float]:
    """One minus the normalised excess over k of the ranks that some neighbours have in ``space``.

    *Trustworthiness* of a map: the neighbours on the map, ranked in the layer (scikit-learn's ``trustworthiness``).
    *Continuity*: the neighbours in the layer, ranked on the map. Points that are equally far share the better rank.

    Args:
        space: ``(n, d)``, finite: where the ranks are taken.
        neighbors: sets of neighbours to judge, each ``(m, k)``: indices of k other points of each row, k < n / 2.
        rows: ``(m,)`` int64, the points over which to average; None = all, m = n.

    Returns:
        One value per set. 1: all ranks are within k; neighbours at random give ``chance(n, k)`` in the mean.

    Raises:
        ValueError: there are too few points for so many neighbours.
    """
    n = len(space)
    for indices in neighbors:
        _check(n, indices.shape[1])
    position, _ = standard_position(space)
    rows = torch.arange(n, device=space.device) if rows is None else rows
    norms = position.square().sum(1)
    excess = [0] * len(neighbors)
    for product in torch.arange(len(rows), device=rows.device).split(block_rows(n)):
        distances = squared_distances(position[rows[product]], position, norms)
        counted = max(1, (_BLOCK if space.device.type == "cpu" else _BLOCK_OF_A_GPU) // n)
        for block, part in zip(product.split(counted), distances.split(counted), strict=True):
            near = [indices[block] for indices in neighbors]
            for number, found in enumerate(_excess(part, rows[block], norms, position.shape[1], near)):
                excess[number] += found
    sizes = [indices.shape[1] for indices in neighbors]
    return [1 - 2 / (len(rows) * k * (2 * n - 3 * k - 1)) * total for k, total in zip(sizes, excess, strict=True)]


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


def _excess(distances: Tensor, rows: Tensor, norms: Tensor, width: int, neighbors: Sequence[Tensor]) -> list[int]:
    """For each set of neighbours of ``rows``, the sum of what their ranks are above k, by the rows' ``distances``."""
    limits = []
    for near in neighbors:
        # what is nearer by less than rounding counts as equally far, so that duplicates share a rank
        slack = rounding(norms[rows, None] + norms[near], width)
        limits.append(distances.gather(1, near) - slack)
    distances[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    nearer = torch.empty(distances.shape, dtype=torch.bool, device=distances.device)
    found = []
    for limit in limits:
        # bytes are summed into 32 bits: half the time of summing booleans, which takes 64
        ranks = [
            1 + torch.lt(distances, column[:, None], out=nearer).view(torch.int8).sum(1, dtype=torch.int32)
            for column in limit.T
        ]
        found.append(int((torch.stack(ranks) - limit.shape[1]).clamp_min(0).sum()))
    return found


def _check(n: int, k: int) -> None:
    if not 1 <= k <= largest_k(n):
        raise ValueError(f"ranks of {k} neighbours among {n} points are not defined: k must be below n / 2")
