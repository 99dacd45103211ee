"""How single units answer to the main direction of the inputs, how many are dead, and how selective they are.

Class selectivity: Morcos, Barrett, Rabinowitz & Botvinick (2018), arXiv:1803.06959.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.layers import TRAIN, activations_of, unique
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.units import followed_units
from repviz.errors import UserError
from repviz.snapshot import Snapshot

BAND = (0.1, 0.9)
"""Quantiles over the points of a bin between which the band lies."""
_CONSTANT = 1e-6
"""Range below which a unit counts as constant, as a share of the layer's largest activation."""


@dataclass(frozen=True)
class Response(Diagnostic):
    """Activation of chosen units against the first principal component of the input; dead units; class selectivity.

    Attributes:
        layers: which layers; all hidden ones when not given.
        n_units: units per layer, those of highest variance at the run's start, the same ones ever after.
        units: units asked for by name, as in block1:17, instead of those of highest variance.
        bins: along the principal component, each with equally many points.
    """

    kind: ClassVar[str] = "response"
    version: ClassVar[int] = 1
    needs_model: ClassVar[bool] = False
    chain: ClassVar[Literal["none", "first", "previous", "both"]] = "first"
    key_variables: ClassVar[tuple[str, ...]] = ("dead_share", "selectivity_mean")

    layers: tuple[str, ...] | None = None
    n_units: int = 6
    units: tuple[str, ...] | None = None
    bins: int = 20

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        for name in ("n_units", "bins"):
            if getattr(self, name) < 1:
                raise UserError(f"response.{name} must be 1 or more; it is {getattr(self, name)!r}")
        for name in ("layers", "units"):
            if getattr(self, name) is not None and not getattr(self, name):
                raise UserError(f"response.{name} must be at least one name, or null; it is empty")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The responses of one epoch; activations and component are those of the same points, in the same order.

        Raises:
            UserError: a layer or unit is asked for that the network has not.
            FloatingPointError: activations are NaN or infinite.
            ValueError: the earlier dataset is of another sample.
        """
        sample, first = snapshot.sample, earlier.first
        if first is not None and first.sizes["sample"] != len(sample):
            sizes = f"{first.sizes['sample']} points, this snapshot {len(sample)}"
            raise ValueError(f"the earlier response is of another sample: it has {sizes}")
        activations = activations_of(snapshot, self._layers(snapshot), "response.layers")
        units = self._units(snapshot, activations, first)
        activation = np.stack([_numpy(column(activations, unit)) for unit in units], axis=1)
        pc1 = input_component(snapshot)
        center, mean, low, high = binned(pc1, activation, self.bins)
        selective = {layer: class_selectivity(_numpy(points), sample.labels) for layer, points in activations.items()}
        dead = {layer: _numpy(dead_units(points)) for layer, points in activations.items()}
        where = [(layer, int(number)) for layer, _, number in (unit.rpartition(":") for unit in units)]
        of_units = np.array([selective[layer][number] for layer, number in where])
        of_dead = np.array([dead[layer][number] for layer, number in where])
        per_layer = ("layer",)
        names = (
            ("activation", ("sample", "unit"), activation, "activation of the unit", "of the activations"),
            ("pc1", ("sample",), pc1, "first principal component of the input", "of the input"),
            ("label", ("sample",), sample.labels, "class; -1: none of them", "index"),
            ("split", ("sample",), sample.split, "0 train, 1 val, 2 excluded", "index"),
            ("bin_pc1", ("bin",), center, "mean of pc1 in the bin", "of the input"),
            ("mean", ("unit", "bin"), mean, "mean activation in the bin", "of the activations"),
            ("low", ("unit", "bin"), low, f"its {BAND[0]:.0%} quantile in the bin", "of the activations"),
            ("high", ("unit", "bin"), high, f"its {BAND[1]:.0%} quantile in the bin", "of the activations"),
            ("selectivity", ("unit",), of_units, "class selectivity; NaN: not defined", "1"),
            ("dead", ("unit",), of_dead, "the unit never changes", "1"),
            ("dead_share", per_layer, [dead_share(p) for p in activations.values()], "units that never change", "1"),
            ("selectivity_mean", per_layer, [_mean(s) for s in selective.values()], "mean class selectivity", "1"),
            ("selectivity_defined", per_layer, [np.isfinite(s).mean() for s in selective.values()],
             "share of units that have a class selectivity", "1"),
            ("class_name", ("class",), np.array(sample.classes, dtype=str), "name of the class", "name"),
        )  # fmt: skip
        return xr.Dataset(
            {n: (dims, np.asarray(v), {"long_name": text, "units": units_}) for n, dims, v, text, units_ in names},
            {"unit": np.array(units, dtype=str), "layer": np.array(list(activations), dtype=str)},
        )

    def _layers(self, snapshot: Snapshot) -> tuple[str, ...]:
        if self.layers is not None:
            return self.layers
        if self.units is not None:
            return tuple(dict.fromkeys(unit.rpartition(":")[0] for unit in self.units))
        return hidden_layers(snapshot)

    def _units(self, snapshot: Snapshot, activations: Mapping[str, Tensor], first: xr.Dataset | None) -> list[str]:
        if self.units is not None:
            return list(self.units)
        before = units_by_layer(first)
        return [
            f"{layer}:{number}"
            for layer, points in activations.items()
            for number in followed_units(snapshot.sample, layer, points, self.n_units, before.get(layer))
        ]


def hidden_layers(snapshot: Snapshot) -> tuple[str, ...]:
    """Layers between input and logits, each under its first name; the last one there is where nothing lies between."""
    hidden = {name: points for name, points in snapshot.activations.items() if name not in ("input", "logits")}
    given = snapshot.activations.get("input")
    names = tuple(name for name, points in unique(hidden).items() if points is not given)
    return names or snapshot.layers[-1:]


def units_by_layer(dataset: xr.Dataset | None) -> dict[str, list[int]]:
    """Numbers of the units that a dataset names as in block1:17, by layer; nothing where there is no dataset."""
    found: dict[str, list[int]] = {}
    for name in [] if dataset is None or "unit" not in dataset.variables else map(str, dataset["unit"].values):
        layer, _, number = name.rpartition(":")
        found.setdefault(layer, []).append(int(number))
    return found


def column(activations: Mapping[str, Tensor], unit: str) -> Tensor:
    """Activations ``(n,)`` of a unit named ``layer:number``.

    Raises:
        UserError: there is no such layer or unit.
    """
    layer, _, number = unit.rpartition(":")
    if layer not in activations:
        there = ", ".join(activations)
        raise UserError(f"response.units: {unit!r} names none of the layers looked at, {there}; write block1:17, say")
    width = activations[layer].shape[1]
    if not (number.isascii() and number.isdigit() and int(number) < width):
        raise UserError(f"response.units: {unit!r} is not a unit of {layer}, which has 0 to {width - 1}")
    return activations[layer][:, int(number)]


def input_component(snapshot: Snapshot) -> np.ndarray:
    """First principal component ``(n,)`` float64 of the inputs, its direction that of the train points (or of all)."""
    given = snapshot.sample.inputs
    points = given[0].flatten(1) if given else activations_of(snapshot, ["input"], "response")["input"]
    train = torch.from_numpy(snapshot.sample.split == TRAIN).to(points.device)
    principal = principal_axes(points[train] if train.any() else points)
    return _numpy(principal_scores(points, principal, 1)[:, 0])


def binned(x: np.ndarray, y: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean of x, and mean and band of each column of y, in bins along x with equally many points.

    Args:
        x: ``(n,)``.
        y: ``(n, m)``.
        n_bins: where points are fewer, bins beyond them are NaN.

    Returns:
        mean of x ``(n_bins,)``; mean, lower and upper quantile of y, each ``(m, n_bins)`` in y's dtype.
    """
    center = np.full(n_bins, np.nan)
    mean, low, high = (np.full((y.shape[1], n_bins), np.nan, y.dtype) for _ in range(3))
    members = np.array_split(np.argsort(x, kind="stable"), min(n_bins, len(x)))
    for number, rows in enumerate(members):
        center[number], mean[:, number] = x[rows].mean(), y[rows].mean(0)
        low[:, number], high[:, number] = np.quantile(y[rows], BAND, axis=0)
    return center, mean, low, high


def dead_units(points: Tensor) -> Tensor:
    """Which units of ``(n, n_units)`` are the same at every point: ``(n_units,)`` bool; none where n < 2."""
    if len(points) < 2:
        return torch.zeros(points.shape[1], dtype=torch.bool, device=points.device)
    spread = points.amax(0) - points.amin(0)
    return spread <= _CONSTANT * points.abs().max()


def dead_share(points: Tensor) -> float:
    """Share of units ``(n, n_units)`` that are the same at every point, 0 to 1; NaN for fewer than two points."""
    return float(dead_units(points).cpu().double().mean()) if len(points) >= 2 else float("nan")


def class_selectivity(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Morcos et al.'s index per unit: ``(largest - rest) / (largest + rest)`` of the class means, 0 to 1.

    The rest is the mean of the other classes' means. NaN where it is not defined: fewer than two classes, a class mean
    below zero (it is made for units that are never negative), or all of them zero.

    Args:
        points: ``(n, n_units)``.
        labels: ``(n,)``; points with -1 are left out.

    Returns:
        ``(n_units,)`` float64.
    """
    classes = np.unique(labels[labels >= 0])
    if len(classes) < 2:
        return np.full(points.shape[1], np.nan)
    means = np.stack([points[labels == k].mean(0, dtype=np.float64) for k in classes])
    largest = means.max(0)
    rest = (means.sum(0) - largest) / (len(classes) - 1)
    defined = (means.min(0) >= 0) & (largest > 0)
    return np.where(defined, (largest - rest) / np.where(defined, largest + rest, 1.0), np.nan)


def _mean(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
