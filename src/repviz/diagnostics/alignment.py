"""Keeping maps of successive epochs in one frame, so that what moves on the screen has moved in the network."""

import math

import numpy as np

SLACK = 0.05
"""Share of an axis's variance that may be given up to keep it where it was."""


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


def steady_axes(
    scores: np.ndarray, previous: np.ndarray, n_components: int = 2, slack: float = SLACK
) -> np.ndarray:
    """Axes that explain nearly the most variance and, among those that do, stay nearest to the previous ones.

    Principal axes of nearly equal variance are exchanged or turned by the least noise. So each axis starts as the
    direction of greatest variance that is orthogonal to the axes before it, and is turned towards its predecessor
    (the direction that best predicts the previous coordinate, by least squares) as far as it keeps ``1 - slack`` of
    that variance. Distinct principal axes thus stay what they are, up to sign; nearly equal ones stay put.

    Args:
        scores: ``(n, m)``, uncorrelated columns of mean zero: principal components, in any order.
        previous: ``(n, n_components)``, coordinates of the same points at the previous epoch.
        n_components: number of axes, at most m.
        slack: 0 (principal axes, signs aligned) to 1 (the previous axes, wherever they point).

    Returns:
        ``(m, n_components)`` float64, orthonormal columns; coordinates are ``scores @ steady_axes(...)``.
    """
    variances = np.square(scores).mean(0)
    before = previous - previous.mean(0, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(variances[:, None] > 0, scores.T @ before / (len(scores) * variances[:, None]), 0.0)
    axes = np.empty((scores.shape[1], 0))
    floor = 1e-12 * max(float(variances.max()), np.finfo(np.float64).tiny)
    for component in range(n_components):
        free = np.eye(len(axes)) - axes @ axes.T
        # the floor keeps directions without variance apart from those that are taken
        _, vectors = np.linalg.eigh((free * (variances + floor)) @ free)
        axis = _turned(vectors[:, -1], free @ slopes[:, component], variances, slack)
        axes = np.column_stack([axes, axis])
    return axes


def _turned(best: np.ndarray, wanted: np.ndarray, variances: np.ndarray, slack: float) -> np.ndarray:
    """``best`` turned towards ``wanted`` as far as the variance along it stays above ``1 - slack`` of the best."""
    length = np.linalg.norm(wanted)
    if length == 0:
        return best
    wanted = wanted / length
    best = best if best @ wanted >= 0 else -best
    aside = wanted - (best @ wanted) * best
    sine = np.linalg.norm(aside)
    if sine == 0:
        return best
    aside = aside / sine
    greatest, least = np.square(best) @ variances, np.square(aside) @ variances
    # the variance along the way is cos² greatest + sin² least: there is no mixed term from an eigenvector
    affordable = slack * greatest / (greatest - least) if greatest > least else 1.0
    angle = min(math.atan2(sine, best @ wanted), math.asin(math.sqrt(min(1.0, affordable))))
    return math.cos(angle) * best + math.sin(angle) * aside
