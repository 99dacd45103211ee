"""The network's decisions on a plane through its inputs, and how far that plane speaks for the real points.

The plane is that of the first two principal components (Pearson, 1901) of the embeddings. A slice through a
high-dimensional input space says little about points far from it (Somepalli et al., 2022, CVPR, choose planes through
three points for that reason): distances and the share of equal predictions come with the picture.

The surrogate draws the network's decisions on a map instead: a nearest-neighbour classifier (Fix & Hodges, 1951; as in
Rodrigues, Espadoto, Hirata & Telea, 2019, Information 10) of the network's predictions on a layer's first two
principal components.

On the same plane single units are asked what they answer: the response of a neuron as a surface over its inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.alignment import DISTINCT, steady_axes
from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.forward import required_model
from repviz.diagnostics.layers import TRAIN, VAL, activations_of
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.response import column, units_by_layer
from repviz.diagnostics.units import followed_units
from repviz.errors import UserError
from repviz.snapshot import Sample, Snapshot, capture

REFERENCE = "0: where columns were standardised, their mean over the train set"
_BEYOND = 0.08
"""How far the grid reaches beyond the points, as a share of their extent."""


@dataclass(frozen=True)
class Surface(Diagnostic):
    """Prediction and probabilities on the principal plane of the embeddings, and on a layer's map by a surrogate.

    Attributes:
        resolution: grid points along each side.
        layer: on whose map the surrogate works, and whose units are looked at; when not given, the last before the
            logits.
        n_neighbors: of the surrogate classifier.
        n_units: units of the layer that are looked at on the plane, those of highest variance at the run's start, the
            same ones ever after.
    """

    kind: ClassVar[str] = "surface"
    version: ClassVar[int] = 1
    chain: ClassVar[Literal["none", "first", "previous", "both"]] = "both"
    key_variables: ClassVar[tuple[str, ...]] = ("agreement", "surrogate_agreement")

    resolution: int = 96
    layer: str | None = None
    n_neighbors: int = 15
    n_units: int = 4

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        for name, least in (("resolution", 2), ("n_neighbors", 1), ("n_units", 0)):
            if getattr(self, name) < least:
                raise UserError(f"surface.{name} must be {least} or more; it is {getattr(self, name)!r}")

    @property
    def asked_layers(self) -> tuple[str, ...]:
        """The layer of surrogate and units."""
        return () if self.layer is None else (self.layer,)

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The surface of one epoch; the plane follows from the sample's inputs, so it is the same at every epoch.

        The surrogate's map is another at each: its axes are kept where they were at the epoch before, as far as
        principal axes allow it.

        Raises:
            UserError: the snapshot comes without the model, or the layer is not there.
            FloatingPointError: the layer's activations are NaN or infinite.
        """
        model, sample, layer = required_model(snapshot, self.kind), snapshot.sample, self._layer(snapshot)
        activations = activations_of(snapshot, [layer], "surface.layer")
        embeddings = sample.inputs[0]
        points = embeddings.flatten(1).double().cpu()
        plane = principal_plane(_rows_or_all(points, sample.split == TRAIN))
        xy, distance = onto(plane, points)
        x, y = (grid_axis(xy[:, i], self.resolution) for i in (0, 1))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

        def on_plane(where: np.ndarray) -> tuple[Mapping[str, Tensor], Tensor]:
            there = from_plane(plane, where).to(embeddings).view(-1, *embeddings.shape[1:])
            others = [torch.zeros(len(there), *other.shape[1:]).to(other) for other in sample.inputs[1:]]
            sites = {name: site for name, site in snapshot.sites.items() if name == layer}
            found, logits = capture(model, sites, [there, *others])
            return found, logits.cpu()

        found, logits = on_plane(grid)
        probability = logits.softmax(1).view(len(y), len(x), -1).numpy()
        real = snapshot.logits.argmax(1).cpu().numpy()
        flat = on_plane(xy)[1].argmax(1).numpy()
        units = self._units(sample, layer, activations[layer], earlier.first) if found else []
        answers = [column(found, unit).cpu().numpy().reshape(len(y), len(x)) for unit in units]
        really = [column(activations, unit).cpu().numpy() for unit in units]
        names = (
            ("probability", ("y", "x", "class"), probability, "probability of the class", "1"),
            ("prediction", ("y", "x"), probability.argmax(2), "most probable class", "index"),
            ("sample_xy", ("sample", "axis"), xy, "position of the point's projection on the plane", "embedding"),
            ("off_plane_distance", ("sample",), distance, "distance of the point from the plane", "embedding"),
            ("sample_prediction", ("sample",), real, "class that the network predicts for the point", "index"),
            ("on_plane_prediction", ("sample",), flat, "class that it predicts at the projection", "index"),
            ("agreement", (), (real == flat).mean(), "share of points whose two predictions are equal", "1"),
            ("explained_variance_ratio", ("axis",), plane.share, "share of the variance along the axis", "1"),
            ("unit_activation", ("unit", "y", "x"), _stacked(answers, (len(y), len(x))),
             "activation of the unit on the plane", "of the activations"),
            ("unit_sample_activation", ("unit", "sample"), _stacked(really, (len(sample),)),
             "activation of the unit at the point itself", "of the activations"),
            ("label", ("sample",), sample.labels, "class; -1: none of them", "index"),
            ("split", ("sample",), sample.split, "0 train, 1 val, 2 excluded", "index"),
            ("class_name", ("class",), np.array(sample.classes, dtype=str), "name of the class", "name"),
        )  # fmt: skip
        variables = {n: (dims, values, {"long_name": text, "units": of}) for n, dims, values, text, of in names}
        surrogate = self._surrogate(
            activations[layer].double().cpu(), sample.split, real, _map_before(earlier.previous, layer, len(sample))
        )
        axes = {name: (name, v, {"long_name": f"along PC{i}"}) for i, (name, v) in enumerate((("x", x), ("y", y)), 1)}
        axes |= {"unit": ("unit", np.array(units, dtype=str), {"long_name": "layer and number of the unit"})}
        attrs = {"reference": REFERENCE, "layer": layer}
        return xr.Dataset(variables | surrogate, axes, attrs)

    def _layer(self, snapshot: Snapshot) -> str:
        before = [name for name in snapshot.layers if name != "logits"]
        return self.layer or (before or snapshot.layers)[-1]

    def _units(self, sample: Sample, layer: str, points: Tensor, first: xr.Dataset | None) -> list[str]:
        before = units_by_layer(first).get(layer)
        return [f"{layer}:{k}" for k in followed_units(sample, layer, points, self.n_units, before)]

    def _surrogate(
        self, points: Tensor, split: np.ndarray, predicted: np.ndarray, before: np.ndarray | None
    ) -> dict[str, tuple]:
        learned = split == TRAIN if (split == TRAIN).any() else np.ones(len(split), bool)
        xy, _ = onto(principal_plane(points[learned], None if before is None else before[learned]), points)
        x, y = (grid_axis(xy[:, i], self.resolution) for i in (0, 1))
        regions, agreement = surrogate_regions(xy, predicted, split, (x, y), self.n_neighbors)
        names = (
            ("surrogate_prediction", ("map_y", "map_x"), regions, "class of the surrogate", "index"),
            ("surrogate_xy", ("sample", "axis"), xy, "position on the layer's map", "of the activations"),
            ("surrogate_x", ("map_x",), x, "along the layer's PC1", "of the activations"),
            ("surrogate_y", ("map_y",), y, "along the layer's PC2", "of the activations"),
            ("surrogate_agreement", (), np.float64(agreement), "share of val points on which it is the network's", "1"),
        )
        return {n: (dims, values, {"long_name": text, "units": units}) for n, dims, values, text, units in names}


class PrincipalPlane(NamedTuple):
    """A plane in a space of d dimensions.

    Attributes:
        mean: ``(d,)`` float64, a point on it.
        axes: ``(d, 2)`` float64, orthonormal; a column of zeros in a space of one dimension.
        share: ``(2,)`` share of the variance along each axis; 0 where there is none.
    """

    mean: Tensor
    axes: Tensor
    share: np.ndarray


def principal_plane(points: Tensor, before: np.ndarray | None = None) -> PrincipalPlane:
    """The plane of the first two principal components of ``points (n, d)``, through their mean.

    Where the points span less, the missing axis is the coordinate axis that is least along the one there is. With
    ``before (n, 2)``, where the points were on another such plane, the axes are turned towards that one's as
    ``steady_axes`` has it.
    """
    principal = principal_axes(points)
    variances, share = principal.variances.cpu().numpy(), np.zeros(2)
    turn = np.eye(len(variances), min(2, len(variances)))
    if before is not None and len(variances) > 1 and variances[0] > 0:
        related = max(2, int((variances > (1 - DISTINCT) * variances[1]).sum()))
        turn = np.zeros((len(variances), 2))
        turn[:related] = steady_axes(principal_scores(points, principal, related).cpu().numpy(), before)
    axes = principal.axes @ torch.from_numpy(turn)
    if principal.total_variance > 0:
        share[: axes.shape[1]] = np.square(turn).T @ variances / principal.total_variance
    while axes.shape[1] < 2:
        other = torch.zeros(len(axes), 1, dtype=axes.dtype)
        if len(axes) > 1:
            other[axes.abs().sum(1).argmin()] = 1
            other = other - axes @ (axes.T @ other)
            other /= other.norm()
        axes = torch.cat([axes, other], dim=1)
    return PrincipalPlane(principal.mean, axes, share)


def onto(plane: PrincipalPlane, points: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates ``(n, 2)`` float64 of the points' projections, and the points' distances ``(n,)`` from the plane."""
    centred = points.double() - plane.mean
    xy = centred @ plane.axes
    return xy.numpy(), (centred - xy @ plane.axes.T).norm(dim=1).numpy()


def from_plane(plane: PrincipalPlane, xy: np.ndarray) -> Tensor:
    """Points ``(n, d)`` float64 of the space at coordinates ``(n, 2)``."""
    return plane.mean + torch.from_numpy(xy) @ plane.axes.T


def grid_axis(values: np.ndarray, resolution: int) -> np.ndarray:
    """Evenly spaced coordinates ``(resolution,)`` that reach a little beyond all values; by 1 if they coincide."""
    low, high = float(values.min()), float(values.max())
    beyond = _BEYOND * (high - low) or 1.0
    return np.linspace(low - beyond, high + beyond, resolution)


def surrogate_regions(
    xy: np.ndarray, predicted: np.ndarray, split: np.ndarray, axes: tuple[np.ndarray, np.ndarray], n_neighbors: int
) -> tuple[np.ndarray, float]:
    """Classes on the grid by nearest neighbours among train points, and agreement with the network on val points.

    Args:
        xy: ``(n, 2)`` positions on the map.
        predicted: ``(n,)`` the network's predictions, which the surrogate learns and is judged by.
        split: ``(n,)`` codes.
        axes: coordinates of the grid along x and y.
        n_neighbors: at most as many as there are points to learn from.

    Returns:
        ``(n_y, n_x)`` classes, and the agreement, NaN without val points.
    """
    from sklearn.neighbors import KNeighborsClassifier

    learned = np.flatnonzero(split == TRAIN) if (split == TRAIN).any() else np.arange(len(xy))
    judge = np.setdiff1d(np.flatnonzero(split == VAL), learned)
    classifier = KNeighborsClassifier(min(n_neighbors, len(learned))).fit(xy[learned], predicted[learned])
    regions = classifier.predict(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2))
    agreement = float((classifier.predict(xy[judge]) == predicted[judge]).mean()) if len(judge) else float("nan")
    return regions.reshape(len(axes[1]), len(axes[0])), agreement


def _map_before(previous: xr.Dataset | None, layer: str, n: int) -> np.ndarray | None:
    """Where the points were on the layer's map at the epoch before; None where that one shows another."""
    if previous is None or previous.attrs.get("layer") != layer or previous.sizes["sample"] != n:
        return None
    return previous["surrogate_xy"].values


def _stacked(parts: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(parts) if parts else np.zeros((0, *shape), np.float32)


def _rows_or_all(points: Tensor, wanted: np.ndarray) -> Tensor:
    return points[torch.from_numpy(wanted)] if wanted.any() else points
