"""A surface over a rectangle, seen from a point that moves: what lies where on the picture, and what before what."""

from typing import NamedTuple

import numpy as np

_DISTANCE = 7.0
"""Of the eye from the middle of the box, in half sides of its floor."""


class View(NamedTuple):
    """From where the box is seen.

    Attributes:
        azimuth: degrees that the box is turned about the vertical.
        elevation: degrees above the horizon; 90 is a map.
    """

    azimuth: float
    elevation: float


def seen(points: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Where points are seen, and how near they are to the eye.

    Args:
        points: ``(..., 3)``: right, away from the eye, and up, around the middle of the box.
        view: from where.

    Returns:
        ``(..., 2)`` places on the picture, and ``(...)`` nearness, greater for what hides the rest.
    """
    turn, tilt = np.radians(view)
    x = points[..., 0] * np.cos(turn) - points[..., 1] * np.sin(turn)
    away = points[..., 0] * np.sin(turn) + points[..., 1] * np.cos(turn)
    up = points[..., 2] * np.cos(tilt) + away * np.sin(tilt)
    nearness = points[..., 2] * np.sin(tilt) - away * np.cos(tilt)
    size = _DISTANCE / (_DISTANCE - nearness)
    return np.stack([x * size, up * size], axis=-1), nearness


def corners(shape: tuple[int, int]) -> np.ndarray:
    """Indices ``(n_faces, 4)`` into a raveled ``(n_x, n_y)`` grid: each face's corners, one after another around it."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    around = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    return np.stack([part.ravel() for part in around], axis=1)


def lighting(points: np.ndarray) -> np.ndarray:
    """Brightness ``(n_x - 1, n_y - 1)``, 0 to 1, of the faces of a grid of ``(n_x, n_y, 3)`` points, lit from above."""
    one = points[1:, 1:] - points[:-1, :-1]
    other = points[:-1, 1:] - points[1:, :-1]
    normal = np.cross(one, other)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    light = np.array([-0.45, -0.55, 0.70])
    return np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)


def resampled(values: np.ndarray, n: int) -> np.ndarray:
    """``(n_x, n_y)`` values at about ``n`` by ``n`` places, straight between the points of the grid.

    A coarse grid keeps its points and gets others between them; one that has about as many is left alone.
    """
    for axis, size in enumerate(values.shape):
        if not 0.6 * n <= size <= n:
            times = -(-(n - 1) // (size - 1))
            at = np.linspace(0, size - 1, n if size > n else (size - 1) * times + 1)
            before = np.minimum(at.astype(int), size - 2)
            share = np.expand_dims(at - before, 1 - axis)
            values = np.take(values, before, axis) * (1 - share) + np.take(values, before + 1, axis) * share
    return values


def heights_at(heights: np.ndarray, places: np.ndarray, axes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Height of the surface, straight between the points of its grid, at ``(n, 2)`` places.

    Args:
        heights: ``(n_x, n_y)``.
        places: in the units of the axes; those beyond the grid take its rim.
        axes: evenly spaced coordinates of the grid.
    """
    from scipy.ndimage import map_coordinates

    at = [(places[:, k] - axis[0]) / (axis[-1] - axis[0]) * (len(axis) - 1) for k, axis in enumerate(axes)]
    return map_coordinates(heights, at, order=1, mode="nearest")
