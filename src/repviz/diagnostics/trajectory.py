"""The optimiser's path through weight space, on the plane in which most of it lies, over the loss there.

Li, Xu, Taylor, Studer & Goldstein (2018), Visualizing the Loss Landscape of Neural Nets, NeurIPS, arXiv:1712.09913,
section 7: PCA of the checkpoints' differences from the last one, the plane laid through the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.func import functional_call

from repviz.diagnostics.diagnostic import Checkpoints, RunDiagnostic
from repviz.diagnostics.forward import device_of, required_criterion, required_model, rows_at
from repviz.diagnostics.landscape import SPLITS, chosen_points
from repviz.diagnostics.weight_pca import PrincipalPlane, Weights, principal_plane
from repviz.diagnostics.weight_plane import Criterion, Plane, losses_on_plane
from repviz.errors import UserError
from repviz.snapshot import Snapshot

_NARROWEST = 0.25
"""The plane's shorter side is at least this share of the longer one: a ribbon shows no landscape."""
_BATCH = 4096

_TEXTS = {
    "loss": (("alpha", "beta"), "criterion of training on train points, on the plane", "of the criterion"),
    "val_loss": (("alpha", "beta"), "criterion of training on val points, on the plane", "of the criterion"),
    "path": (("epoch", "axis"), "coordinates of the checkpoint's weights on the plane", "L2 norm of weights"),
    "true_loss": (("epoch",), "loss of the checkpoint itself on the train points", "of the criterion"),
    "true_val_loss": (("epoch",), "loss of the checkpoint itself on the val points", "of the criterion"),
    "plane_loss": (("epoch",), "train loss of the plane where the checkpoint is drawn", "of the criterion"),
    "plane_val_loss": (("epoch",), "val loss of the plane where the checkpoint is drawn", "of the criterion"),
    "off_plane_distance": (("epoch",), "distance of the checkpoint's weights from the plane", "L2 norm of weights"),
    "distance": (("epoch",), "distance of the checkpoint's weights from the center's", "L2 norm of weights"),
    "explained_variance_ratio": (("axis",), "share of the checkpoints' variance along the axis", "1"),
    "variance_share": (("parameter",), "share of the checkpoints' variance that lies in this parameter", "1"),
    "n_rows": (("split",), "points over which the loss is taken", "rows"),
    "center": ((), "epoch through whose weights the plane passes", "epochs"),
}


class State(NamedTuple):
    """A checkpoint's weights that can be moved along (floating-point parameters), and whatever else it holds."""

    parameters: Weights
    others: Weights


@dataclass(frozen=True)
class Trajectory(RunDiagnostic):
    """The optimiser's path on the principal plane of the checkpoints, with the loss on that plane.

    Attributes:
        resolution: grid points along each axis.
        margin: how far the plane reaches beyond the path on each side, as a share of the path's extent.
        n_points: points of the sample per split over which the loss is taken, stratified by class.
        max_checkpoints: of more checkpoints, so many are taken, evenly spaced, first and last always.
        seed: of the points.
    """

    kind: ClassVar[str] = "trajectory"
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("explained_variance_ratio", "off_plane_distance")

    resolution: int = 31
    margin: float = 0.3
    n_points: int = 1024
    max_checkpoints: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        for name, least in (("resolution", 2), ("n_points", 1), ("max_checkpoints", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"trajectory.{name} must be {least} or more; it is {getattr(self, name)!r}")
        if not 0 < self.margin < float("inf"):
            raise UserError(f"trajectory.margin must be above 0; it is {self.margin!r}")

    def compute_run(self, checkpoints: Checkpoints, snapshot: Snapshot) -> xr.Dataset:
        """The path so far; NaN for a split of which the sample has no point with a class.

        An axis along which nothing moved has one grid point. Where a network has statistics that are no parameters
        (batch norm), each checkpoint's true loss takes its own, and the whole plane those of the snapshot's network.

        Raises:
            UserError: the snapshot comes without model or criterion, or a checkpoint is of another network.
            FloatingPointError: no checkpoint's weights are finite.
        """
        model, criterion = required_model(snapshot, self.kind), required_criterion(snapshot, self.kind)
        states, left_out = _gather(checkpoints, evenly_spaced(list(checkpoints), self.max_checkpoints), model)
        parameters = [state.parameters for state in states.values()]
        found = principal_plane(parameters)
        plane = _plane(model, parameters[-1], found)
        axes = [_steps(found, k, self.margin, self.resolution) for k in range(2)]
        numbers, evaluation = self._losses(snapshot, criterion, plane, torch.cartesian_prod(*axes), states, found)
        shape = tuple(map(len, axes))
        numbers |= {name: numbers[name].reshape(shape) for name in ("loss", "val_loss")}
        numbers |= {
            "path": found.coordinates.numpy(),
            "off_plane_distance": found.off_plane.numpy(),
            "distance": found.distances.numpy(),
            "explained_variance_ratio": found.explained_variance_ratio.numpy(),
            "variance_share": np.array(list(found.variance_share.values())),
            "center": np.array(list(states)[-1]),
        }
        attributes = {
            "evaluation": evaluation,
            "checkpoints": f"{len(states)} of {len(checkpoints)}",
            "left_out": "; ".join(left_out) or "none",
        }
        return _dataset(numbers, states, axes, found, attributes)

    def _losses(
        self,
        snapshot: Snapshot,
        criterion: Criterion,
        plane: Plane,
        grid: Tensor,
        states: Mapping[int, State],
        found: PrincipalPlane,
    ) -> tuple[dict[str, np.ndarray], str]:
        """On the grid, where the checkpoints are drawn, and of the checkpoints themselves; and how it was evaluated."""
        model = required_model(snapshot, self.kind)
        points = torch.cat([grid, found.coordinates])
        numbers, n_rows, evaluation = {}, [], "none"
        for code, prefix in enumerate(("", "val_")):
            chosen = chosen_points(snapshot.sample, code, self.n_points, self.seed)
            on_plane, true = torch.full((len(points),), torch.nan, dtype=torch.float64), [np.nan] * len(states)
            if len(chosen):
                rows = rows_at(snapshot.sample, chosen, model)
                on_plane, evaluation = losses_on_plane(model, rows, criterion, plane, points)
                true = [_loss(model, state, rows, criterion) for state in states.values()]
            numbers[f"{prefix}loss"] = on_plane[: len(grid)].numpy()
            numbers[f"plane_{prefix}loss"] = on_plane[len(grid) :].numpy()
            numbers[f"true_{prefix}loss"] = np.array(true)
            n_rows.append(len(chosen))
        return numbers | {"n_rows": np.array(n_rows)}, evaluation


def evenly_spaced(epochs: Sequence[int], at_most: int) -> list[int]:
    """All epochs, or ``at_most`` of them, evenly spaced in their order, first and last always."""
    ordered = sorted(epochs)
    if len(ordered) <= at_most:
        return ordered
    return [ordered[k] for k in np.linspace(0, len(ordered) - 1, at_most).round().astype(int)]


def _gather(checkpoints: Checkpoints, epochs: Sequence[int], model: nn.Module) -> tuple[dict[int, State], list[str]]:
    """The states by epoch, and why which are left out."""
    found, left_out = {}, []
    for epoch in epochs:
        try:
            weights = checkpoints[epoch]
        except KeyError:
            left_out.append(f"epoch {epoch}: its checkpoint is gone")
            continue
        state = _state(weights, model, epoch)
        bad = [name for name, values in state.parameters.items() if not torch.isfinite(values).all()]
        if bad:
            left_out.append(f"epoch {epoch}: NaN or infinite weights ({bad[0]}{', …' if len(bad) > 1 else ''})")
        else:
            found[epoch] = state
    if not found:
        raise FloatingPointError(f"no checkpoint can be used. {'; '.join(left_out[:3])}")
    return found, left_out


def _state(weights: Mapping[str, Tensor], model: nn.Module, epoch: int) -> State:
    parameters, others = {}, {}
    for name, like in model.state_dict().items():
        if name not in weights or weights[name].shape != like.shape:
            there = tuple(weights[name].shape) if name in weights else "not there"
            raise UserError(
                f"the checkpoint of epoch {epoch} is of another network: {name} is {there}, here {tuple(like.shape)}"
            )
    for name, parameter in model.named_parameters():  # each tied parameter under one of its names
        (parameters if parameter.is_floating_point() else others)[name] = weights[name].detach()
    others |= {name: weights[name].detach() for name, _ in model.named_buffers() if name in weights}
    return State(parameters, others)


def _plane(model: nn.Module, center: Weights, found: PrincipalPlane) -> Plane:
    """The plane on the model's device, over all parameters that move or are not as the model has them now."""
    now = dict(model.named_parameters())
    nothing = {name: torch.zeros_like(values) for name, values in center.items()}
    first, second = (*found.axes, nothing, nothing)[:2]
    device = device_of(model)
    moves = [
        name
        for name, values in center.items()
        if first[name].any() or second[name].any() or not torch.equal(values.to(device), now[name])
    ]
    # nothing at all moves: a point, and the model has to be evaluated somehow
    moves = moves or list(center)
    here = [{name: part[name].to(device) for name in moves} for part in (center, first, second)]
    return Plane(now | here[0], here[1], here[2])


def _steps(found: PrincipalPlane, axis: int, margin: float, resolution: int) -> Tensor:
    """Grid coordinates along an axis: the path and the margin."""
    if axis >= len(found.axes):
        return torch.zeros(1, dtype=torch.float64)
    low, high = found.coordinates.min(0).values, found.coordinates.max(0).values
    extent = high - low
    half = torch.maximum(extent[axis], _NARROWEST * extent.max()) * (0.5 + margin)
    middle = (low[axis] + high[axis]) / 2
    return torch.linspace(float(middle - half), float(middle + half), resolution, dtype=torch.float64)


@torch.no_grad()
def _loss(model: nn.Module, state: State, rows: tuple[Sequence[Tensor], Tensor], criterion: Criterion) -> float:
    """The criterion at a checkpoint's own weights."""
    inputs, labels = rows
    weights = {name: values.to(labels.device) for name, values in {**state.parameters, **state.others}.items()}
    parts = zip(*(x.split(_BATCH) for x in inputs), strict=True)
    return float(criterion(torch.cat([functional_call(model, weights, part) for part in parts]), labels))


def _dataset(
    numbers: Mapping[str, np.ndarray],
    states: Mapping[int, State],
    axes: Sequence[Tensor],
    found: PrincipalPlane,
    attributes: Mapping[str, str],
) -> xr.Dataset:
    variables = {
        name: (dims, numbers[name], {"long_name": text, "units": units}) for name, (dims, text, units) in _TEXTS.items()
    }
    along = {"long_name": "distance along the axis from the center", "units": "L2 norm of weights"}
    coordinates = {
        "epoch": np.array(list(states), dtype=np.int64),
        "axis": np.array(["first", "second"]),
        "alpha": ("alpha", axes[0].numpy(), along),
        "beta": ("beta", axes[1].numpy(), along),
        "parameter": np.array(list(found.variance_share)),
        "split": np.array(SPLITS),
    }
    return xr.Dataset(variables, coordinates, dict(attributes))
