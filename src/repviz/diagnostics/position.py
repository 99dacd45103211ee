"""Where a cloud of points lies and how far it reaches, by blocks: in double precision all of it would take twice its
size, which for a million points of several hundred units is more than many machines have."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK = 2**21
"""Numbers worked on together, in double precision."""
_ROUNDING = 4 * torch.finfo(torch.float32).eps


class Frame(NamedTuple):
    """Where the points lie, and how far they reach.

    Attributes:
        center: ``(d,)`` float64, their mean.
        scale: largest absolute coordinate about it, 1 where all points coincide.
    """

    center: Tensor
    scale: float

    def of(self, points: Tensor) -> Tensor:
        """Some of the points centred and divided by the scale, so that squares neither cancel nor overflow: float64."""
        return points.to(torch.float64, copy=True).sub_(self.center).div_(self.scale)


def frame_of(points: Tensor) -> Frame:
    """The frame of points ``(n, d)``, finite, n at least 1."""
    center = centroid(points)
    reach = max(float((part.double() - center).abs().max()) for part in blocks(points))
    return Frame(center, reach or 1.0)


def placed(points: Tensor, frame: Frame, dtype: torch.dtype) -> Tensor:
    """All points ``(n, d)`` in the frame, rounded to ``dtype``."""
    out = torch.empty(points.shape, dtype=dtype, device=points.device)
    for rows in block_rows(points):
        out[rows] = frame.of(points[rows])
    return out


def squared_norms(points: Tensor, frame: Frame) -> Tensor:
    """Squared distance of each point from the center, in units of the scale: ``(n,)`` float64."""
    norms = torch.empty(len(points), dtype=torch.float64, device=points.device)
    for rows in block_rows(points):
        norms[rows] = frame.of(points[rows]).square_().sum(1)
    return norms


def centroid(points: Tensor) -> Tensor:
    """Mean of points ``(n, d)``: ``(d,)`` float64."""
    total = torch.zeros(points.shape[1], dtype=torch.float64, device=points.device)
    for part in blocks(points):
        total += part.sum(0, dtype=torch.float64)
    return total / len(points)


def variances(points: Tensor, center: Tensor) -> Tensor:
    """Mean square of points ``(n, d)`` about ``center (d,)``: ``(d,)`` float64."""
    total = torch.zeros_like(center)
    for part in blocks(points):
        total += (part.double() - center).square_().sum(0)
    return total / len(points)


def coincide(points: Tensor) -> bool:
    """Whether all points ``(n, d)``, n at least 1, are one up to rounding in single precision: a dead layer."""
    least, most = torch.aminmax(points, dim=0)
    return float((most - least).max()) <= _ROUNDING * max(float(most.max()), -float(least.min()))


def blocks(points: Tensor, width: int = 1) -> Iterator[Tensor]:
    """The points ``(n, d)``, some rows after the other; see ``block_rows``."""
    return (points[rows] for rows in block_rows(points, width))


def block_rows(points: Tensor, width: int = 1) -> Iterator[slice]:
    """Rows of ``points (n, d)`` that are worked on together, at least one at a time.

    Args:
        points: which.
        width: numbers that are made of each, where those are more than d.
    """
    step = max(1, _BLOCK // max(width, points.shape[1]))
    return (slice(first, first + step) for first in range(0, len(points), step))
