"""Exact nearest neighbours, by blocks of one matrix product on the device that the points are on."""

import os

import torch
from torch import Tensor

from repviz.diagnostics.position import Frame, block_rows, frame_of, placed

_BLOCK = 2**22
"""Distances held at once: some 16 to 32 MB, up to 130,000 points."""
_BLOCK_IN_DOUBT = 2**24
"""The same in double precision, 128 MB."""
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
    frame = frame_of(points)
    fast = placed(points, frame, product_dtype(points.device))
    norms = torch.empty(n, dtype=fast.dtype, device=points.device)
    for some in block_rows(fast):
        norms[some] = fast[some].square().sum(1)
    rows = torch.arange(n, device=points.device) if rows is None else rows
    indices = torch.empty(len(rows), k, dtype=torch.int64, device=points.device)
    squared = torch.empty(len(rows), k, dtype=torch.float64, device=points.device)
    if k:
        every = torch.arange(len(rows), device=points.device)
        doubtful = torch.zeros(len(rows), dtype=torch.bool, device=points.device)
        for at in every.split(rows_at_once(n)):
            own = rows[at]
            indices[at], squared[at], reach = _nearest(own, squared_distances(fast[own], fast, norms), points, frame, k)
            doubtful[at] = squared[at, -1] > reach - rounding(norms[own] + norms.max(), points.shape[1])
        # Together: whatever their number, all points are brought to double precision for them.
        for at in every[doubtful].split(rows_at_once(n, _BLOCK_IN_DOUBT)) if fast.dtype != torch.float64 else ():
            own = rows[at]
            indices[at], squared[at], _ = _nearest(own, _doubly_exact(own, points, frame), points, frame, k)
    return indices, squared.sqrt() * frame.scale


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

    Rounding errors of a dot product add up like a random walk, hence the square root; the factor leaves room, and the
    summand covers a few errors that all point one way, as those of two columns may.
    """
    return 2 * torch.finfo(squared_norms.dtype).eps * (width + 6) ** 0.5 * squared_norms


def exact_squared(rows: Tensor, candidates: Tensor, points: Tensor, frame: Frame) -> Tensor:
    """Squared distances of some points to their candidates, from differences in double precision.

    Args:
        rows: ``(m,)`` int64, which points.
        candidates: ``(m, c)`` int64, their candidates.
        points: ``(n, d)``.
        frame: of the points; its scale is the unit of the distances.

    Returns:
        ``(m, c)`` float64.
    """
    squared = torch.empty(candidates.shape, dtype=torch.float64, device=points.device)
    at_once = max(1, _BLOCK // (candidates.shape[1] * points.shape[1]))
    for first in range(0, len(rows), at_once):
        some = slice(first, first + at_once)
        apart = frame.of(points[candidates[some]]).sub_(frame.of(points[rows[some], None]))
        squared[some] = apart.square_().sum(2)
    return squared


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


def rows_at_once(n: int, block: int | None = None) -> int:
    """How many rows of distances to ``n`` points are held at once; ``block``: of so many distances, by default 4 M."""
    return max(_FEWEST_ROWS, (_BLOCK if block is None else block) // n)


def _nearest(rows: Tensor, distances: Tensor, points: Tensor, frame: Frame, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices and squared distances ``(m, k)``, and how near a point that was no candidate may seem ``(m,)``.

    Args: rows, their ``distances (m, n)``, which are overwritten, to all points, their frame, how many are wanted.
    """
    n = len(points)
    distances[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    kept, candidates = distances.topk(min(k + _SPARE, n - 1), largest=False)
    candidates = candidates.sort(dim=1).values
    true, order = exact_squared(rows, candidates, points, frame).sort(dim=1, stable=True)
    reach = kept[:, -1] if candidates.shape[1] < n - 1 else torch.full_like(kept[:, -1], torch.inf)
    return candidates.gather(1, order[:, :k]), true[:, :k], reach


def _doubly_exact(rows: Tensor, points: Tensor, frame: Frame) -> Tensor:
    """Squared distances ``(m, n)`` of some points to all, the product in double precision."""
    own = frame.of(points[rows])
    distances = torch.empty(len(rows), len(points), dtype=torch.float64, device=points.device)
    for some in block_rows(points):
        part = frame.of(points[some])
        distances[:, some] = squared_distances(own, part, part.square().sum(1))
    return distances
