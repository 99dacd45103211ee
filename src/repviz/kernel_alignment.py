"""Linear centred kernel alignment without its bias: how alike two descriptions of the same points are.

CKA: Kornblith, Norouzi, Lee & Hinton (2019), arXiv:1905.00414. The unbiased estimator of HSIC in it: Song, Smola,
Gretton, Bedo & Borgwardt (2012), JMLR 13. Why the biased one misleads where units outnumber points: Murphy, Zylberberg
& Fyshe (2024), arXiv:2405.01012.

Arrays are NumPy's or torch's, float64: only what both understand alike is asked of them, so that the page, which
never loads torch, computes as the diagnostic does.
"""

from typing import Any, NamedTuple

_ROUNDING = 1e-12
"""Share of the largest term of HSIC below which what is left of its sum is rounding."""
_SINGLE = 2.0**-23
"""Rounding of float32, in which activations are kept."""


class Kernel(NamedTuple):
    """What HSIC needs of a linear kernel ``K = X X'`` whose diagonal is taken as 0, without forming it.

    Attributes:
        points: ``(n, d)`` float64, X, centred.
        diagonal: ``(n,)``, what K's diagonal was.
        row_sums: ``(n,)``, of K with a diagonal of 0.
    """

    points: Any
    diagonal: Any
    row_sums: Any


def debiased_cka(one: Kernel, other: Kernel) -> float:
    """Unbiased HSIC of two kernels over the geometric mean of either with itself: at most 1; about 0 if independent.

    NaN for fewer than four points, and for a kernel that has no variance to compare.
    """
    if len(one.points) < 4:
        return float("nan")
    within = unbiased_hsic(one, one), unbiased_hsic(other, other)
    if min(within) <= 0:
        return float("nan")
    return unbiased_hsic(one, other) / (within[0] * within[1]) ** 0.5


def unbiased_hsic(one: Kernel, other: Kernel) -> float:
    """The estimator HSIC_1 of Song et al. times n (n - 3), for n >= 4; 0 where only rounding is left of it."""
    n = len(one.points)
    cross = ((one.points.T @ other.points) ** 2).sum()
    own = one.diagonal @ other.diagonal
    total = one.row_sums.sum() * other.row_sums.sum() / ((n - 1) * (n - 2))
    rows = 2 / (n - 2) * (one.row_sums @ other.row_sums)
    value = float(cross - own + total - rows)
    largest = max(float(cross), float(own), abs(float(total)), abs(float(rows)))
    return value if abs(value) > _ROUNDING * largest else 0.0


def linear_kernel(points: Any) -> Kernel:
    """The kernel of points ``(n, d)``: neither a shift, nor a rotation, nor (for CKA) a scale changes what it gives."""
    centred = points - points.mean(0)
    centred = centred / (float(abs(centred).max()) or 1.0)
    diagonal = (centred**2).sum(1)
    return Kernel(centred, diagonal, centred @ centred.sum(0) - diagonal)


def kernel_of_layer(points: Any) -> Kernel:
    """The kernel of activations ``(n, d)``; a dead layer's is 0 throughout, also where rounding has left a little."""
    spread = float(abs(points - points.mean(0)).max())
    dead = spread <= 4 * _SINGLE * float(abs(points).max())
    return linear_kernel(0 * points if dead else points)
