"""Principal component analysis (Pearson, 1901; Hotelling, 1933), exact, in double precision."""

from typing import NamedTuple

import torch
from torch import Tensor

from repviz.diagnostics.position import block_rows, blocks, centroid


class PrincipalAxes(NamedTuple):
    """Directions of greatest variance of a cloud of points.

    Attributes:
        mean: ``(d,)`` float64.
        axes: ``(d, m)`` float64, orthonormal columns, m = min(n, d); the largest loading of each is positive.
        variances: ``(m,)`` float64, descending, with n - 1 as the divisor; never negative.
        total_variance: their sum.
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor
    total_variance: float


def principal_axes(points: Tensor) -> PrincipalAxes:
    """Principal axes from the eigenvectors of the covariance, or of the inner products where points are fewer.

    Args:
        points: ``(n, d)``, finite, of any floating dtype.
    """
    n, d = points.shape
    mean = centroid(points)
    if d <= n:
        spectrum, vectors = torch.linalg.eigh(_covariance(points, mean))
        axes = vectors.flip(1)
    else:
        centred = points.double() - mean
        spectrum, vectors = torch.linalg.eigh(centred @ centred.T / max(n - 1, 1))
        axes = torch.linalg.qr(centred.T @ vectors.flip(1)).Q
    variances = spectrum.flip(0).clamp_min(0)
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return PrincipalAxes(mean, axes * torch.where(largest < 0, -1.0, 1.0), variances, float(variances.sum()))


def principal_scores(
    points: Tensor, principal: PrincipalAxes, n_components: int, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Coordinates of the points along the first axes: ``(n, n_components)``, rounded to ``dtype`` in the end."""
    axes = principal.axes[:, :n_components]
    scores = torch.empty(len(points), axes.shape[1], dtype=dtype, device=points.device)
    for rows in block_rows(points):
        scores[rows] = ((points[rows].double() - principal.mean) @ axes).to(dtype)
    return scores


def _covariance(points: Tensor, mean: Tensor) -> Tensor:
    """By blocks, so that no copy of all points in double precision is needed."""
    total = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=points.device)
    for part in blocks(points):
        centred = part.double() - mean
        total.addmm_(centred.T, centred)
    return total / max(len(points) - 1, 1)
