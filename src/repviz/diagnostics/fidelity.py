"""How far a map can be trusted: do neighbours on it belong together, and are neighbours in the layer kept together.

Venna, J. & Kaski, S. (2006). Local multidimensional scaling. Neural Networks 19, 889-899.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from repviz.diagnostics.neighbors import exact_squared, rounding, squared_distances
from repviz.diagnostics.position import Frame, frame_of, squared_norms

_ROWS = 2048
"""Points whose neighbours are judged at once."""
_POINTS, _POINTS_OF_A_GPU = 2**11, 2**15
"""Points among which what is nearer is counted at once."""
_BLOCK, _BLOCK_OF_A_GPU = 2**18, 2**26
"""Distances that are sorted in among the neighbours' at once: for each set of neighbours they are passed over, so they
should stay in a processor's cache; a GPU wants much to do at a time."""


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
    frame = frame_of(space)
    norms = squared_norms(space, frame)
    rows = torch.arange(n, device=space.device) if rows is None else rows
    excess = [0] * len(neighbors)
    for some in torch.arange(len(rows), device=rows.device).split(_ROWS):
        near = [indices[some] for indices in neighbors]
        for number, found in enumerate(_excess(rows[some], near, space, frame, norms)):
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


def _excess(rows: Tensor, neighbors: Sequence[Tensor], space: Tensor, frame: Frame, norms: Tensor) -> list[int]:
    """For each set of neighbours of ``rows``, each ``(m, k)``, the sum of what their ranks in ``space`` are above k.

    What is nearer than a neighbour is counted among some points after the other, so that memory does not grow with n.
    """
    limits = []
    for near in neighbors:
        # what is nearer by less than rounding counts as equally far, so that duplicates share a rank
        slack = rounding(norms[rows, None] + norms[near], space.shape[1])
        limits.append((exact_squared(rows, near, space, frame) - slack).sort(dim=1).values)
    own, at = frame.of(space[rows]), torch.arange(len(rows), device=rows.device)
    nearer = [torch.zeros(near.shape, dtype=torch.int64, device=rows.device) for near in neighbors]
    points, counted = (_POINTS, _BLOCK) if space.device.type == "cpu" else (_POINTS_OF_A_GPU, _BLOCK_OF_A_GPU)
    for first in range(0, len(space), points):
        last = min(first + points, len(space))
        distances = squared_distances(own, frame.of(space[first:last]), norms[first:last])
        among = at[(rows >= first) & (rows < last)]
        distances[among, rows[among] - first] = torch.inf
        step = max(1, counted // (last - first))
        for part in (slice(start, start + step) for start in range(0, len(rows), step)):
            for count, limit in zip(nearer, limits, strict=True):
                count[part] += _numbers_below(distances[part], limit[part])
    return [int((count + 1 - count.shape[1]).clamp_min(0).sum()) for count in nearer]


def _numbers_below(distances: Tensor, limits: Tensor) -> Tensor:
    """Of each row ``(m, n)`` how many are below each of its limits ``(m, k)``, ascending: ``(m, k)`` int64."""
    m, k = limits.shape
    bins = torch.searchsorted(limits, distances, right=True, out_int32=True)
    bins += torch.arange(m, dtype=torch.int32, device=bins.device)[:, None] * (k + 1)
    return torch.bincount(bins.flatten(), minlength=m * (k + 1)).view(m, k + 1)[:, :k].cumsum(1)


def _check(n: int, k: int) -> None:
    if not 1 <= k <= largest_k(n):
        raise ValueError(f"ranks of {k} neighbours among {n} points are not defined: k must be below n / 2")
