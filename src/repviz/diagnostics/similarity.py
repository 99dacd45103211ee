"""How alike two layers are, and a layer and its own past: linear centred kernel alignment, without its bias.

The maths and its sources are in ``repviz.kernel_alignment``.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.layers import activations_of, unique
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.errors import UserError
from repviz.kernel_alignment import Kernel, debiased_cka, kernel_of_layer
from repviz.sampling import stratified_indices
from repviz.snapshot import Snapshot


@dataclass(frozen=True)
class Similarity(Diagnostic):
    """Debiased linear CKA between layers, and of each layer with itself one epoch before and at the first epoch.

    Attributes:
        layers: which layers; all of the network's when not given.
        points: how many points of the sample are compared; their activations are stored, for later epochs.
        seed: of the draw of these points.
    """

    kind: ClassVar[str] = "similarity"
    version: ClassVar[int] = 1
    needs_model: ClassVar[bool] = False
    chain: ClassVar[Literal["none", "first", "previous", "both"]] = "both"
    key_variables: ClassVar[tuple[str, ...]] = ("cka_previous", "cka_first")

    layers: tuple[str, ...] | None = None
    points: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.layers is not None and not self.layers:
            raise UserError("similarity.layers must be at least one name, or null for all; it is empty")
        if self.points < 4:
            raise UserError(
                f"similarity.points must be 4 or more, for fewer have no debiased CKA; it is {self.points!r}"
            )
        if self.seed < 0:
            raise UserError(f"similarity.seed must be 0 or more; it is {self.seed!r}")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The similarities of one epoch; NaN for fewer than four points, a dead layer, and where nothing is earlier.

        Raises:
            UserError: a layer is asked for that the network has not.
            FloatingPointError: activations are NaN or infinite.
            ValueError: an earlier dataset is of other points.
        """
        activations = activations_of(snapshot, self.layers, "similarity.layers")
        sample = snapshot.sample
        strata = sample.labels * 3 + sample.split
        rows = stratified_indices(strata, self.points, self.seed)
        for dataset in (earlier.first, earlier.previous):
            _check_points(dataset, rows)
        layers = tuple(activations)
        once = {id(points): _compared(points, rows) for points in unique(activations).values()}
        compared = list(once.values())
        number = np.array([list(once).index(id(points)) for points in activations.values()], dtype=np.int32)
        kernels = [_kernel(points) for points in compared]
        between = np.array([[debiased_cka(one, other) for other in kernels] for one in kernels])
        variables: dict[str, Any] = {
            "cka": (("layer", "layer_b"), between[np.ix_(number, number)], "debiased linear CKA of two layers", "1"),
            "cka_previous": (
                "layer",
                _with_past(kernels, number, layers, earlier.previous),
                "with one epoch before",
                "1",
            ),
            "cka_first": ("layer", _with_past(kernels, number, layers, earlier.first), "with the first epoch", "1"),
            "point_index": ("point", rows, "rows of the sample that are compared", "index"),
            "stored": ("layer", number, "k: activations_k holds this layer", "index"),
        }
        for k, points in enumerate(compared):
            text = "activations of the compared points, up to a shift and a rotation"
            variables[f"activations_{k}"] = (("point", f"axis_{k}"), points.cpu().numpy(), text, "of the activations")
        data = {
            name: (dims, values, {"long_name": text, "units": units})
            for name, (dims, values, text, units) in variables.items()
        }
        names = np.array(layers, dtype=str)
        return xr.Dataset(data, {"layer": names, "layer_b": names}, {"points": len(rows), "seed": self.seed})


def _compared(points: Tensor, rows: np.ndarray) -> Tensor:
    """The points that are compared, ``(m, min(m, d))`` float32: turned into as many axes as they can fill."""
    chosen = points[torch.from_numpy(rows).to(points.device)]
    if len(rows) < chosen.shape[1]:
        chosen = principal_scores(chosen, principal_axes(chosen), len(rows)).float()
    return chosen


def _kernel(points: Tensor) -> Kernel:
    return kernel_of_layer(points.double())


def _with_past(
    kernels: list[Kernel], number: np.ndarray, layers: tuple[str, ...], past: xr.Dataset | None
) -> np.ndarray:
    """CKA of each layer with what it was: ``(n_layers,)``, NaN where it is not known."""
    found = np.full(len(layers), np.nan)
    if past is None:
        return found
    known = {str(layer): int(k) for layer, k in zip(past["layer"].values, past["stored"].values, strict=True)}
    device = kernels[0].points.device
    then = {k: _kernel(torch.from_numpy(past[f"activations_{k}"].values).to(device)) for k in set(known.values())}
    for i, layer in enumerate(layers):
        if layer in known:
            found[i] = debiased_cka(kernels[number[i]], then[known[layer]])
    return found


def _check_points(past: xr.Dataset | None, rows: np.ndarray) -> None:
    if past is not None and not np.array_equal(past["point_index"].values, rows):
        raise ValueError(
            f"the earlier similarity is of other points: it has {past.sizes['point']}, this one {len(rows)}, or "
            "another choice of them (similarity.points, similarity.seed or the sample has changed)"
        )
