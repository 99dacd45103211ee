"""The shape of each layer's cloud of points: how many dimensions it fills, and how far its classes have collapsed.

Effective rank: Roy & Vetterli (2007), EUSIPCO. Intrinsic dimension from two nearest neighbours: Facco, d'Errico,
Rodriguez & Laio (2017), Scientific Reports 7. Neural collapse: Papyan, Han & Donoho (2020), PNAS 117; NC2 in the one
number of Zhu et al. (2021), arXiv:2105.02375.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.fidelity import sampled_rows
from repviz.diagnostics.layers import TRAIN, activations_of, unique
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes
from repviz.diagnostics.position import block_rows, blocks, coincide
from repviz.errors import UserError
from repviz.snapshot import Snapshot

_DISCARDED = 0.1
"""Share of the largest distance ratios that the fit of the intrinsic dimension leaves out, as in the paper."""
_ASKED = 10_000
"""Points whose two nearest others are found, drawn where there are more."""
_NEGLIGIBLE = 1e-12
_FEEDS = 1e-2
"""How far logits may be off those of the last linear layer on a layer's activations, as a share of the largest."""

VARIABLES: Mapping[str, tuple[str, str]] = {
    "effective_rank": ("exponential of the entropy of the singular values of the centred activations", "dimensions"),
    "intrinsic_dimension": ("two-nearest-neighbours estimate", "dimensions"),
    "nc1": ("within-class over between-class variability, tr(S_W S_B^+) / classes", "1"),
    "nc2": ("distance of the class means from a simplex equiangular tight frame", "1"),
    "nc3": ("squared distance of the class means from the classifier's weights; NaN: it does not read here", "1"),
    "nc4": ("share of points whose nearest class mean is not the network's prediction", "1"),
    "distinct_share": ("share of points that are nobody's duplicate: the others cannot tell a dimension", "1"),
}
"""Long name and units of what there is per layer."""


@dataclass(frozen=True)
class Geometry(Diagnostic):
    """Effective rank, intrinsic dimension and neural collapse NC1 to NC4 of each layer, on train points.

    Attributes:
        layers: which layers; all of the network's when not given.
    """

    kind: ClassVar[str] = "geometry"
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("effective_rank", "intrinsic_dimension", "nc1", "nc2", "nc3", "nc4")

    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.layers is not None and not self.layers:
            raise UserError("geometry.layers must be at least one name, or null for all; it is empty")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The geometry of one epoch; NaN where a number is not defined (too few points, one class, a dead layer).

        Raises:
            UserError: a layer is asked for that the network has not.
            FloatingPointError: activations are NaN or infinite.
        """
        activations = activations_of(snapshot, self.layers, "geometry.layers")
        train = np.flatnonzero(snapshot.sample.split == TRAIN)
        numbers = {id(points): _numbers(points, snapshot, train) for points in unique(activations).values()}
        per_layer = [numbers[id(points)] for points in activations.values()]
        variables: dict[str, Any] = {
            name: ("layer", np.array([found[name] for found in per_layer]), {"long_name": text, "units": units})
            for name, (text, units) in VARIABLES.items()
        }
        attrs = {"train_points": len(train)}
        return xr.Dataset(variables, {"layer": np.array(list(activations), dtype=str)}, attrs)


def effective_rank(points: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values of the centred points, 1 to min(n - 1, d).

    k equally spread dimensions have the effective rank k; unequal ones count less. NaN where all points coincide.

    Args:
        points: ``(n, d)``, finite.
    """
    if len(points) < 2 or coincide(points):
        return float("nan")
    principal = principal_axes(points)
    values = principal.variances[principal.variances > _NEGLIGIBLE * principal.total_variance].sqrt()
    if not len(values):
        return float("nan")
    share = values / values.sum()
    return float(torch.exp(-(share * share.log()).sum()))


def intrinsic_dimension(points: Tensor) -> tuple[float, float]:
    """Dimension of the surface on which the points lie, from the ratio of the distances to their two nearest others.

    The ratio mu has the distribution 1 - mu^-d where the density hardly changes up to the second neighbour; d is the
    slope of -log(1 - F(mu)) on log(mu) through the origin, without the largest tenth. Of duplicates one is kept. Of
    more than 10,000 points, so many are asked for their nearest among all.

    Args:
        points: ``(n, d)``, finite.

    Returns:
        the dimension (NaN with fewer than three distinct points), and the share of the points that are distinct.
    """
    first = distinct_rows(points)
    share = len(first) / max(len(points), 1)
    distinct = points if len(first) == len(points) else points[first]
    if len(distinct) < 3:
        return float("nan"), share
    _, distances = nearest_neighbors(distinct, 2, sampled_rows(len(distinct), _ASKED, 0, distinct.device))
    apart = distances[:, 0] > 0  # else rounding has made one of two
    ratio = (distances[apart, 1] / distances[apart, 0]).log().sort().values
    n = len(ratio)
    kept = ratio[: max(1, int(n * (1 - _DISCARDED)))]
    survival = -torch.log1p(-torch.arange(1, len(kept) + 1, dtype=torch.float64, device=kept.device) / (n + 1))
    squares = float(kept.square().sum())
    return (float((kept * survival).sum()) / squares if squares > 0 else float("nan")), share


def distinct_rows(points: Tensor) -> Tensor:
    """The first of all equal points, each: numbers of rows ``(m,)`` int64, ascending.

    Points are told apart by a key of 64 bits; those of one key are compared.

    Args:
        points: ``(n, d)``, finite.
    """
    every = torch.arange(len(points), device=points.device)
    keys = torch.empty_like(every)
    for rows in block_rows(points):
        keys[rows] = _keys(points[rows])
    first = _first_of_its_kind(keys)
    others = every[first != every]
    if not all(torch.equal(points[some], points[first[some]]) for some in others.split(4096)):
        first = _first_of_its_kind(torch.unique(points, dim=0, return_inverse=True)[1])
    return every[first == every]


def class_means(points: Tensor, labels: Tensor) -> Tensor:
    """Means of classes 0 … C - 1, every one of which has points: ``(C, d)`` float64."""
    count = torch.bincount(labels)
    total = torch.zeros(len(count), points.shape[1], dtype=torch.float64, device=points.device)
    for rows in block_rows(points):
        total.index_add_(0, labels[rows], points[rows].double())
    return total / count[:, None]


def variability_collapse(points: Tensor, labels: Tensor, means: Tensor) -> float:
    """NC1: tr(S_W S_B^+) / C, 0 or more; 0 when every point lies on its class's mean.

    S_W is the mean over points, S_B the mean over classes, about the mean of the class means.

    Args:
        points: ``(n, d)``.
        labels: ``(n,)`` 0 … C - 1.
        means: ``(C, d)``.
    """
    centred = means - means.mean(0)
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    there = values > 1e-6 * means.abs().max() * len(means) ** 0.5
    if not there.any():
        return float("nan")
    between = values[there].square() / len(means)
    within = sum(
        ((points[rows].double() - means[labels[rows]]) @ axes[there].T).square().sum(0) for rows in block_rows(points)
    )
    return float((within / len(points) / between).sum() / len(means))


def simplex_distance(means: Tensor) -> float:
    """NC2: Frobenius distance of the centred class means' inner products from those of a simplex ETF, 0 to 2.

    Both are scaled to norm 1 first. It is 0 when all centred means are equally long and at equal, largest angles.

    Args:
        means: ``(C, d)``.
    """
    centred = means - means.mean(0)
    inner = centred @ centred.T
    if float(inner.diagonal().max()) <= (1e-6 * float(means.abs().max())) ** 2:
        return float("nan")
    n = len(means)
    ideal = (torch.eye(n, dtype=inner.dtype, device=inner.device) - 1 / n) / (n - 1) ** 0.5
    return float(torch.linalg.norm(inner / torch.linalg.norm(inner) - ideal))


def self_duality(means: Tensor, weights: Tensor) -> float:
    """NC3: squared Frobenius distance of the centred class means from the classifier's rows, both of norm 1: 0 to 4.

    The rows are centred too: what all of them share changes no prediction.

    Args:
        means: ``(C, d)``.
        weights: ``(C, d)``.
    """
    sides = [side - side.mean(0) for side in (means.double(), weights.double())]
    norms = [torch.linalg.norm(side) for side in sides]
    if min(float(norm) for norm in norms) == 0:
        return float("nan")
    return float((sides[0] / norms[0] - sides[1] / norms[1]).square().sum())


def nearest_mean(points: Tensor, means: Tensor) -> Tensor:
    """Number of the class mean that is nearest to each point: ``(n,)``."""
    return torch.cat([torch.cdist(part.double(), means).argmin(1) for part in blocks(points, len(means))])


def classifier_weights(model: nn.Module | None, points: Tensor, logits: Tensor) -> Tensor | None:
    """Weights ``(n_classes, d)`` of the linear layer that turns these activations into the logits, if there is one.

    It is found by what it does, not by its name: of the linear layers of the right widths, the one that gives the
    logits.
    """
    for module in reversed(list(model.modules() if model is not None else [])):
        if not isinstance(module, nn.Linear) or module.weight.shape != (logits.shape[1], points.shape[1]):
            continue
        weight = module.weight.detach().to(points.device).float()
        offset = 0 if module.bias is None else module.bias.detach().to(points.device).float()
        off = torch.zeros((), device=points.device)
        for rows in block_rows(points, logits.shape[1]):
            off = torch.maximum(off, (points[rows] @ weight.T + offset - logits[rows]).abs().max())  # NaN stays NaN
        if float(off) <= _FEEDS * float(logits.abs().max()):
            return weight
    return None


def _numbers(points: Tensor, snapshot: Snapshot, train: np.ndarray) -> dict[str, float]:
    """Everything in ``VARIABLES`` for one layer."""
    numbers = dict.fromkeys(VARIABLES, float("nan"))
    if not len(train):
        return numbers
    weights = classifier_weights(snapshot.model, points, snapshot.logits)
    rows = torch.from_numpy(train).to(points.device)
    seen = points[rows]
    numbers["effective_rank"] = effective_rank(seen)
    numbers["intrinsic_dimension"], numbers["distinct_share"] = intrinsic_dimension(seen)
    labels = snapshot.sample.labels[train]
    classes, own = np.unique(labels[labels >= 0], return_inverse=True)
    if len(classes) < 2:
        return numbers
    in_class = torch.from_numpy(labels >= 0).to(points.device)
    of_class = seen if in_class.all() else seen[in_class]
    own, names = (torch.from_numpy(array).to(points.device) for array in (own, classes))
    means = class_means(of_class, own)
    numbers["nc1"] = variability_collapse(of_class, own, means)
    numbers["nc2"] = simplex_distance(means)
    predicted = snapshot.logits.to(points.device)[rows][in_class].argmax(1)
    numbers["nc4"] = float((names[nearest_mean(of_class, means)] != predicted).double().mean())
    if weights is not None:
        numbers["nc3"] = self_duality(means, weights.to(points.device)[names])
    return numbers


def _keys(points: Tensor) -> Tensor:
    """A number of 64 bits for each point, the same for equal ones: ``(n,)`` int64."""
    bits = (points.float() if points.dtype.itemsize < 4 else points) + 0.0  # -0.0 equals 0.0
    words = bits.view(torch.int32 if bits.dtype == torch.float32 else torch.int64).long()
    factors = np.random.default_rng(0).integers(-(2**63), 2**63, words.shape[1], dtype=np.int64) | 1
    for shift in (32, 29):  # else numbers whose last bits are zero would share keys
        words = (words ^ (words >> shift)) * torch.from_numpy(factors).to(points.device)
    return (words ^ (words >> 32)).sum(1)


def _first_of_its_kind(keys: Tensor) -> Tensor:
    """For each key ``(n,)`` where it comes first: ``(n,)`` int64."""
    kinds, kind = torch.unique(keys, return_inverse=True)
    first = torch.full((len(kinds),), len(keys), device=keys.device)
    return first.scatter_reduce_(0, kind, torch.arange(len(keys), device=keys.device), "amin")[kind]
