"""The loss around the present weights, on a plane through them.

Li, Xu, Taylor, Studer & Goldstein (2018), Visualizing the Loss Landscape of Neural Nets, NeurIPS, arXiv:1712.09913:
two random directions, filter by filter as long as the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.filter_normalization import filter_normalized_directions
from repviz.diagnostics.forward import required_criterion, required_model, rows_at
from repviz.diagnostics.layers import labelled_rows
from repviz.diagnostics.weight_plane import losses_on_plane, plane_through
from repviz.errors import UserError
from repviz.sampling import stratified_indices
from repviz.snapshot import SPLIT_NAMES, Sample, Snapshot

SPLITS = SPLIT_NAMES[:2]
"""Train and val."""

_TEXTS = {
    "loss": (("split", "alpha", "beta"), "criterion of training at this point of the plane", "of the criterion"),
    "cut_alpha": (("split", "alpha"), "loss along the first direction, beta = 0", "of the criterion"),
    "cut_beta": (("split", "beta"), "loss along the second direction, alpha = 0", "of the criterion"),
    "center_loss": (("split",), "loss at the present weights, by a plain forward pass", "of the criterion"),
    "n_rows": (("split",), "points over which the loss is taken", "rows"),
    "finite_share": (("split",), "share of the grid on which the loss is finite", "1"),
}


@dataclass(frozen=True)
class Landscape(Diagnostic):
    """Loss on the plane of two random, filter-normalised, orthogonal directions through the weights.

    Attributes:
        resolution: grid points along each direction, odd, so that the present weights are one of them.
        radius: of the plane; 1 = as far as each filter is long.
        n_points: points of the sample per split over which the loss is taken, stratified by class.
        seed: of the directions and of the points.
    """

    kind: ClassVar[str] = "landscape"
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("center_loss", "finite_share")

    resolution: int = 21
    radius: float = 1.0
    n_points: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.resolution < 3 or self.resolution % 2 == 0:
            raise UserError(f"landscape.resolution must be odd, 3 or more; it is {self.resolution!r}")
        if not 0 < self.radius < float("inf"):
            raise UserError(f"landscape.radius must be above 0; it is {self.radius!r}")
        if self.n_points < 1:
            raise UserError(f"landscape.n_points must be 1 or more; it is {self.n_points!r}")
        if self.seed < 0:
            raise UserError(f"landscape.seed must be 0 or more; it is {self.seed!r}")

    def fixed(self, sample: Sample) -> dict[str, xr.Variable]:
        """The points over which the loss is taken."""
        rows = [chosen_points(sample, code, self.n_points, self.seed) for code in range(len(SPLITS))]
        text = {"long_name": "point of the sample over which the landscape's loss is taken"}
        return {"landscape_point": xr.Variable("landscape", np.concatenate(rows), text)}

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The landscape of one epoch; NaN for a split of which the sample has no point with a class.

        A loss that is not finite (a point of the plane where the network overflows) is stored as it is.

        Raises:
            UserError: the snapshot comes without the model or the criterion.
            FloatingPointError: the weights are NaN or infinite.
        """
        model, criterion = _required(snapshot)
        weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        _check_finite(weights, snapshot.epoch)
        plane = plane_through(model, *filter_normalized_directions(weights, self.seed))
        steps = np.linspace(-self.radius, self.radius, self.resolution)
        grid = torch.cartesian_prod(torch.from_numpy(steps), torch.from_numpy(steps))
        numbers: dict[str, list[Any]] = {name: [] for name in _TEXTS}
        evaluation = "none"
        for code in range(len(SPLITS)):
            chosen = chosen_points(snapshot.sample, code, self.n_points, self.seed)
            loss, center = np.full((len(steps), len(steps)), np.nan), np.nan
            if len(chosen):
                rows = rows_at(snapshot.sample, chosen, model)
                with torch.no_grad():
                    center = float(criterion(model(*rows[0]), rows[1]))
                found, evaluation = losses_on_plane(model, rows, criterion, plane, grid)
                loss = found.numpy().reshape(loss.shape)
            middle = self.resolution // 2
            cuts = loss[:, middle], loss[middle]
            values = (loss, *cuts, center, len(chosen), np.isfinite(loss).mean())
            for name, value in zip(_TEXTS, values, strict=True):
                numbers[name].append(value)
        variables = {
            name: (dims, np.array(numbers[name]), {"long_name": text, "units": units})
            for name, (dims, text, units) in _TEXTS.items()
        }
        axis = {"long_name": "distance along the direction", "units": "norms of each filter"}
        coordinates = {
            "split": np.array(SPLITS),
            "alpha": ("alpha", steps, axis),
            "beta": ("beta", steps, axis),
        }
        return xr.Dataset(variables, coordinates, {"evaluation": evaluation})


def chosen_points(sample: Sample, split: int, n_points: int, seed: int) -> np.ndarray:
    """Rows of the sample that belong to a split and have a class: at most ``n_points``, stratified, ascending."""
    rows = labelled_rows(sample.labels, sample.split, split)
    return rows[stratified_indices(sample.labels[rows], n_points, seed)]


def _required(snapshot: Snapshot) -> tuple[nn.Module, Callable[[Tensor, Tensor], Tensor]]:
    model = required_model(snapshot, "landscape")
    criterion = required_criterion(snapshot, "landscape")
    if not any(p.ndim >= 2 and p.is_floating_point() for p in model.parameters()):
        raise UserError("landscape needs weights to move: the model has no parameter of two or more dimensions")
    return model, criterion


def _check_finite(weights: dict[str, Tensor], epoch: int) -> None:
    bad = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if bad:
        raise FloatingPointError(
            f"the weights {', '.join(bad)} are NaN or infinite at epoch {epoch}: training has diverged "
            "(a lower learning rate or gradient clipping may help)"
        )
