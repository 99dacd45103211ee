"""Exact nearest neighbours, by blocks of one matrix product on the device that the points are on."""

import os

import torch
from torch import Tensor

_BLOCK = 2**22
"""Distances held at once: some 16 to 32 MB, up to 130,000 points."""
_FEWEST_ROWS = 32
"""Of distances held at once where there are more: every block reads all points."""
_SPARE = 5
"""Candidates beyond the k nearest: enough that rounding in the product hardly ever moves one out."""


def nearest_neighbors(points: Tensor, k: int, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The ``k`` nearest other points of every point, or of some, nearest first.

    Candidates come from a product, in single precision where that is trustworthy; their distances are then computed
    from differences in double precision, and rows in which rounding could have hidden a neighbour are done again in
    double precision altogether. A point is never its own neighbour, but its duplicates are; which of several equally
    distant points are taken is arbitrary, and the taken ones are in order of their index.

    Args:
        points: ``(n, d)``, finite, of any floating dtype.
        k: 0 to n - 1.
        rows: ``(m,)`` int64, the points whose neighbours are wanted; None = all, m = n.

    Returns:
        indices ``(m, k)`` int64 and Euclidean distances ``(m, k)`` float64, in the units of the points.

    Raises:
        ValueError: there are not ``k`` other points.
    """
    n = len(points)
    if not 0 <= k <= n - 1:
        raise ValueError(f"{n} points have no {k} nearest other points each")
    exact, scale = standard_position(points)
    fast = exact.to(product_dtype(exact.device))
    rows = torch.arange(n, device=exact.device) if rows is None else rows
    indices = torch.empty(len(rows), k, dtype=torch.int64, device=exact.device)
    squared = torch.empty(len(rows), k, dtype=torch.float64, device=exact.device)
    if k:
        norms = {fast.dtype: fast.square().sum(1), exact.dtype: exact.square().sum(1)}
        for at in torch.arange(len(rows), device=exact.device).split(block_rows(n)):
            indices[at], squared[at], certain = _nearest(rows[at], fast, norms[fast.dtype], exact, k)
            if fast.dtype != exact.dtype and not certain.all():
                doubt = at[~certain]
                indices[doubt], squared[doubt], _ = _nearest(rows[doubt], exact, norms[exact.dtype], exact, k)
    return indices, squared.sqrt() * scale


def standard_position(points: Tensor) -> tuple[Tensor, float]:
    """The points centred and divided by their largest coordinate, so that squares neither cancel nor overflow.

    Args:
        points: ``(n, d)``.

    Returns:
        ``(n, d)`` float64, and the divisor (1 where all points coincide).
    """
    position = points.to(torch.float64, copy=True)
    position -= position.mean(0)
    scale = float(position.abs().max()) or 1.0
    position /= scale
    return position, scale


def squared_distances(rows: Tensor, points: Tensor, norms: Tensor) -> Tensor:
    """Squared Euclidean distances through one product; rounding can make those of near points slightly negative.

    Args:
        rows: ``(m, d)``.
        points: ``(n, d)``.
        norms: ``(n,)`` squared norms of the points, which every block of rows needs.

    Returns:
        ``(m, n)`` in the points' dtype.
    """
    return (rows.square().sum(1)[:, None] + norms).addmm_(rows, points.T, alpha=-2)


def rounding(squared_norms: Tensor, width: int) -> Tensor:
    """How far ``squared_distances`` can be off for a pair of points, given the sum of their squared norms.

    Rounding errors of a dot product add up like a random walk, hence the square root; the factor leaves room.
    """
    return 2 * torch.finfo(squared_norms.dtype).eps * width**0.5 * squared_norms


def exact_squared(rows: Tensor, candidates: Tensor, exact: Tensor) -> Tensor:
    """Squared distances of some points to their candidates, from differences.

    Args:
        rows: ``(m,)`` int64, which points.
        candidates: ``(m, c)`` int64, their candidates.
        exact: ``(n, d)`` float64.

    Returns:
        ``(m, c)`` float64.
    """
    at_once = max(1, _BLOCK // (candidates.shape[1] * exact.shape[1]))
    parts = zip(rows.split(at_once), candidates.split(at_once), strict=True)
    return torch.cat([(exact[near] - exact[own, None]).square_().sum(2) for own, near in parts])


def product_dtype(device: torch.device) -> torch.dtype:
    """Single precision where a product of single-precision matrices has it, else double precision.

    Where the precision of products was lowered (``torch.set_float32_matmul_precision("high")``, or by the driver's
    variable), factors may be rounded to TF32 or bfloat16, far too coarse to tell neighbours apart.
    """
    try:
        lowered = torch.get_float32_matmul_precision() != "highest" or os.environ.get("NVIDIA_TF32_OVERRIDE") == "1"
        single = device.type in ("cpu", "cuda") and not lowered
    except RuntimeError:  # the precision was set per backend, of which this function does not know
        single = False
    return torch.float32 if single else torch.float64


def block_rows(n: int) -> int:
    """How many rows of distances to ``n`` points are held at once."""
    return max(_FEWEST_ROWS, _BLOCK // n)


def _nearest(rows: Tensor, approximate: Tensor, norms: Tensor, exact: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices ``(m, k)``, squared distances ``(m, k)``, and ``(m,)`` whether no other point can be nearer."""
    n = len(exact)
    distances = squared_distances(approximate[rows], approximate, norms)
    distances[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    kept, candidates = distances.topk(min(k + _SPARE, n - 1), largest=False)
    candidates = candidates.sort(dim=1).values
    true, order = exact_squared(rows, candidates, exact).sort(dim=1, stable=True)
    error = rounding(norms[rows] + norms.max(), exact.shape[1])
    certain = (true[:, k - 1] <= kept[:, -1] - error) | (candidates.shape[1] == n - 1)
    return candidates.gather(1, order[:, :k]), true[:, :k], certain
