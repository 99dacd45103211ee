"""Principal axes of many states of one network's weights, in double precision, one parameter after the other.

The axes come from the inner products of the states' differences (states are few, weights many), so that no matrix of
states x weights in double precision is ever made: a block of columns at a time is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK = 2**22
"""Numbers of a block in double precision: 32 MiB."""
_NO_AXIS = 1e-10
"""An axis with a smaller share of the variance of the first is rounding, not a direction."""

Weights = Mapping[str, Tensor]


class PrincipalPlane(NamedTuple):
    """The plane of the first two principal axes, laid through one of the states.

    Attributes:
        coordinates: ``(n, 2)`` float64, of each state from the reference; 0 along an axis that there is not.
        distances: ``(n,)`` float64, of each state from the reference, in the space of all weights.
        off_plane: ``(n,)`` float64, of each state from the plane.
        axes: as many as there are (at most two), each of length 1 over all parameters together.
        explained_variance_ratio: ``(2,)`` float64; NaN where all states are the same.
        variance_share: by parameter, its share of the variance; NaN where all states are the same.
    """

    coordinates: Tensor
    distances: Tensor
    off_plane: Tensor
    axes: tuple[dict[str, Tensor], ...]
    explained_variance_ratio: Tensor
    variance_share: dict[str, float]


def principal_plane(states: Sequence[Weights], reference: int = -1) -> PrincipalPlane:
    """Principal axes of the states (their mean is taken off, as PCA does), and where the states lie on them.

    The sign of an axis is such that the state farthest along it has a negative coordinate: a path to the reference
    goes upwards.

    Args:
        states: parameters by name, all finite, the same names and shapes in each.
        reference: the state through which the plane passes.
    """
    inner, variances = _inner_products(states, reference)
    n = len(states)
    centring = torch.eye(n, dtype=torch.float64) - 1 / n
    spectrum, vectors = torch.linalg.eigh(centring @ inner @ centring)
    spectrum, vectors = spectrum.flip(0).clamp_min(0), vectors.flip(1)
    n_axes = int((spectrum[:2] > _NO_AXIS * spectrum[0]).sum())
    # an axis is this combination of the differences
    combinations = centring @ vectors[:, :n_axes] / spectrum[:n_axes].sqrt()
    farthest = (inner @ combinations).gather(0, (inner @ combinations).abs().argmax(0, keepdim=True))
    combinations = combinations * torch.where(farthest > 0, -1.0, 1.0)
    coordinates = torch.zeros(n, 2, dtype=torch.float64)
    coordinates[:, :n_axes] = inner @ combinations
    squared = inner.diagonal()
    total = sum(variances.values())
    ratios = torch.full((2,), torch.nan, dtype=torch.float64)
    if total > 0:
        ratios = torch.nn.functional.pad(spectrum[:2], (0, max(2 - n, 0))) / total
    return PrincipalPlane(
        coordinates,
        squared.sqrt(),
        (squared - coordinates.square().sum(1)).clamp_min(0).sqrt(),
        _combined(states, reference, combinations),
        ratios,
        {name: share / total if total > 0 else float("nan") for name, share in variances.items()},
    )


def _inner_products(states: Sequence[Weights], reference: int) -> tuple[Tensor, dict[str, float]]:
    """``(n, n)`` of the differences from the reference, and by parameter the squares around the mean, summed."""
    inner = torch.zeros(len(states), len(states), dtype=torch.float64)
    variances = {}
    for name in states[0]:
        variances[name] = 0.0
        for block in _differences(states, name, reference):
            inner.addmm_(block, block.T)
            variances[name] += float((block - block.mean(0)).square().sum())
    return inner, variances


def _combined(states: Sequence[Weights], reference: int, combinations: Tensor) -> tuple[dict[str, Tensor], ...]:
    """The axes, in each parameter's own shape and dtype."""
    axes: tuple[dict[str, Tensor], ...] = tuple({} for _ in range(combinations.shape[1]))
    for name, like in states[0].items():
        blocks = [combinations.T @ block for block in _differences(states, name, reference)]
        along = torch.cat(blocks, 1) if blocks else torch.zeros(len(axes), 0, dtype=torch.float64)
        for axis, values in zip(axes, along, strict=True):
            axis[name] = values.view(like.shape).to(like.dtype)
    return axes


def _differences(states: Sequence[Weights], name: str, reference: int) -> Iterator[Tensor]:
    """Differences of one parameter from the reference, ``(n, up to so many columns)`` float64."""
    flat = [state[name].flatten() for state in states]
    columns = max(_BLOCK // len(states), 1)
    for start in range(0, len(flat[0]), columns):
        block = torch.stack([part[start : start + columns].double() for part in flat])
        yield block - block[reference].clone()
