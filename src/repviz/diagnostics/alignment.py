"""Keeping maps of successive epochs in one frame, so that what moves on the screen has moved in the network."""

import math

import numpy as np

EQUAL = 0.05
"""Axes whose variances differ by less than this share are as good as equal: any rotation of them is allowed."""
DISTINCT = 0.2
"""Axes whose variances differ by more are principal axes of their own: none is turned towards the other."""


def orthogonal_procrustes(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation or reflection R that brings ``points @ R`` closest to ``target`` (Schönemann, 1966).

    Args:
        points: ``(n, d)``.
        target: ``(n, d)``, the same points elsewhere.

    Returns:
        ``(d, d)``, orthogonal, float64.
    """
    left, _, right = np.linalg.svd(points.astype(np.float64).T @ target.astype(np.float64))
    return left @ right


def rigidly_aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The points shifted and turned (never scaled) onto ``target``; ``(n, d)`` float64."""
    centred = points - points.mean(0, dtype=np.float64)
    center = target.mean(0, dtype=np.float64)
    return centred @ orthogonal_procrustes(centred, target - center) + center


def sign_aligned(scores: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """The scores with each column's sign chosen so that it does not run against the same column of ``previous``.

    Args:
        scores: ``(n, m)``.
        previous: ``(n, m')``; columns beyond the shorter of both, and columns of NaN, leave the sign as it is.
    """
    aligned = scores.copy()
    for column in range(min(scores.shape[1], previous.shape[1])):
        before = previous[:, column].astype(np.float64)
        if scores[:, column] @ (before - before.mean()) < 0:
            aligned[:, column] *= -1
    return aligned


def steady_axes(scores: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """Principal axes, with those of nearly equal variance turned to where the previous ones were.

    Such axes are exchanged or turned by the least noise. So each axis starts as the direction of greatest variance
    that is orthogonal to the axes before it, and is turned towards its predecessor (the direction that best predicts
    the previous coordinate, by least squares) among the directions of nearly as much variance: freely among those
    ``EQUAL`` to the greatest, not at all towards those ``DISTINCT`` from it, and gradually less between the two, so
    that eigenvalues may cross without a jump. Where all are distinct the axes are those of PCA, signs aligned.

    Args:
        scores: ``(n, m)``, uncorrelated columns of mean zero: the first m principal components, m >= c. They must
            include all whose variance is not ``DISTINCT`` from that of the c-th.
        previous: ``(n, c)``, coordinates of the same points at the previous epoch.

    Returns:
        ``(m, c)`` float64, orthonormal columns; the coordinates are ``scores @ steady_axes(...)``.
    """
    variances = np.square(scores).mean(0)
    before = previous - previous.mean(0, dtype=np.float64)
    varied = np.where(variances > 0, variances, np.inf)
    slopes = scores.T @ before / (len(scores) * varied[:, None])
    floor = 1e-12 * variances.max() or 1.0  # tells directions without variance from those that are taken
    axes = np.empty((len(variances), 0))
    for component in range(previous.shape[1]):
        free = np.eye(len(axes)) - axes @ axes.T
        spectrum, directions = np.linalg.eigh((free * (variances + floor)) @ free)
        candidates = directions[:, spectrum > (1 - DISTINCT) * spectrum[-1]]
        wanted = candidates @ (candidates.T @ slopes[:, component])
        axes = np.column_stack([axes, _turned(directions[:, -1], wanted, variances + floor)])
    return axes


def _turned(best: np.ndarray, wanted: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The unit vector ``best`` turned towards ``wanted``, as far as the variance beside it allows."""
    if not wanted.any():
        return best
    wanted = wanted / np.linalg.norm(wanted)
    best = best if best @ wanted >= 0 else -best
    aside = wanted - (best @ wanted) * best
    sine = float(np.linalg.norm(aside))
    if sine == 0:
        return best
    aside = aside / sine
    gap = 1 - (np.square(aside) @ variances) / (np.square(best) @ variances)
    allowed = math.pi / 2 * float(np.clip((DISTINCT - gap) / (DISTINCT - EQUAL), 0, 1))
    angle = min(math.atan2(sine, best @ wanted), allowed)
    return math.cos(angle) * best + math.sin(angle) * aside
