"""Two-dimensional maps of every layer, steady from epoch to epoch, and how far to trust them.

PCA: Pearson (1901). UMAP: McInnes, Healy & Melville (2018), arXiv:1802.03426. Trustworthiness and continuity:
Venna & Kaski (2006), Neural Networks 19.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.alignment import DISTINCT, sign_aligned, steady_axes
from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.fidelity import chance, largest_k, rank_preservation, sampled_rows
from repviz.diagnostics.layers import unusable_points
from repviz.diagnostics.map_neighbors import asks_few, map_neighbors
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.position import coincide
from repviz.diagnostics.umap_descent import Backend, chosen_backend, descent_of, torchdr_is_installed
from repviz.diagnostics.umap_layout import first_layout, new_neighbors, next_layout
from repviz.diagnostics.units import followed_units
from repviz.errors import UserError
from repviz.extras import install_command
from repviz.snapshot import Sample, Snapshot

METHODS = ("pca", "umap")
FIDELITY_ROWS = 2_000
"""Trustworthiness and continuity are averages over all points, or over so many of them where there are more."""
_NO_UNIT = -1
_GREATEST = 1e30
"""Activations up to here keep their distances within float32."""

VARIABLES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "coordinates": (("layer", "method", "sample", "component"), "position on the map", "arbitrary"),
    "scores": (("layer", "sample", "pc"), "principal component scores", "of the activations"),
    "explained_variance_ratio": (("layer", "pc"), "share of the variance along the component", "1"),
    "trustworthiness": (("layer", "method"), "neighbours on the map that are neighbours in the layer", "1"),
    "continuity": (("layer", "method"), "neighbours in the layer that are neighbours on the map", "1"),
    "trustworthiness_chance": (("layer", "method"), "either measure of a map of shuffled points", "1"),
    "neighbors": (
        ("layer", "sample", "k"),
        "nearest other points in the layer; -1: not looked for, or all coincide",
        "index",
    ),
    "neighbor_recall": (("layer",), "share of the true neighbours among neighbors; below 1: a search was used", "1"),
    "new_neighbors": (("layer",), "share of neighbors that were none at the previous epoch", "1"),
    "neuron": (("layer", "sample", "unit"), "activation of the unit that unit_index names", "of the activations"),
    "unit_index": (("layer", "unit"), "unit of the layer; -1: the layer has fewer", "index"),
}
"""Dimensions, long name and units of what is computed per layer."""


@dataclass(frozen=True)
class Projection(Diagnostic):
    """Maps of the sample in every layer: PCA and UMAP, in one frame over the epochs.

    Attributes:
        layers: which layers; all of the network's when not given.
        methods: pca, umap or both.
        n_neighbors: neighbours that UMAP keeps together, and that trustworthiness and continuity judge.
        min_dist: how closely UMAP may place points, 0 to 1.
        n_epochs: UMAP's optimisation steps of the first map; 500 or, beyond 10,000 points, 200 when not given.
        n_epochs_next: steps of later maps; 100 or, beyond 5,000 points, 40 when not given.
        n_pcs: principal components whose scores are kept.
        neurons: units whose activations are kept: those of highest variance at the run's start.
        seed: of UMAP and of the points over which trustworthiness is averaged.
        umap_backend: umap-learn (CPU), torchdr (extra gpu; on the model's device), or auto: torchdr where it is
            installed and the model is on a GPU.
    """

    kind: ClassVar[str] = "projection"
    on_by_default: ClassVar[bool] = True
    version: ClassVar[int] = 1
    needs_model: ClassVar[bool] = False
    chain: ClassVar[Literal["none", "first", "previous"]] = "previous"
    key_variables: ClassVar[tuple[str, ...]] = ("trustworthiness", "continuity")

    layers: tuple[str, ...] | None = None
    methods: tuple[Literal["pca", "umap"], ...] = METHODS
    n_neighbors: int = 15
    min_dist: float = 0.1
    n_epochs: int | None = None
    n_epochs_next: int | None = None
    n_pcs: int = 6
    neurons: int = 12
    seed: int = 0
    umap_backend: Literal["auto", "umap-learn", "torchdr"] = "auto"

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        _require(bool(self.methods), "methods", self.methods, f"at least one of {', '.join(METHODS)}")
        _require(set(self.methods) <= set(METHODS), "methods", self.methods, f"among {', '.join(METHODS)}")
        _require(self.layers is None or bool(self.layers), "layers", self.layers, "at least one name, or null for all")
        _require(self.n_neighbors >= 2, "n_neighbors", self.n_neighbors, "2 or more")
        _require(0 <= self.min_dist <= 1, "min_dist", self.min_dist, "between 0 and 1")
        for name in ("n_epochs", "n_epochs_next"):
            steps = getattr(self, name)
            _require(steps is None or steps >= 1, name, steps, "1 or more, or null")
        _require(self.n_pcs >= 1, "n_pcs", self.n_pcs, "1 or more")
        _require(self.neurons >= 0, "neurons", self.neurons, "0 or more")
        _require(self.seed >= 0, "seed", self.seed, "0 or more")
        if self.umap_backend == "torchdr" and not torchdr_is_installed():
            raise UserError(f"projection.umap_backend is torchdr, which is not installed: {install_command('gpu')}")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The maps of one epoch; what a layer lacks (components beyond its width, units) is NaN.

        Raises:
            UserError: a layer is asked for that the network has not.
            FloatingPointError: activations are NaN, infinite or close to what float32 holds.
            ValueError: the earlier dataset is of another sample.
        """
        layers = self._chosen_layers(snapshot)
        previous = earlier.previous
        if previous is not None and previous.sizes["sample"] != len(snapshot.sample):
            sizes = f"{previous.sizes['sample']} points, this snapshot {len(snapshot.sample)}"
            raise ValueError(f"the earlier projection is of another sample: it has {sizes}")
        backend = self._backend(snapshot)
        numbers: dict[int, dict[str, Any]] = {}
        for layer in layers:
            points = snapshot.activations[layer]
            if id(points) not in numbers:  # names of one tensor (penultimate and the last block) share the work
                _check_finite(points, layer, snapshot.epoch)
                units = _chosen_units(snapshot.sample, layer, points, self.neurons, _of_layer(previous, layer))
                numbers[id(points)] = self._numbers(points, units, _of_layer(previous, layer), backend)
        per_layer = [numbers[id(snapshot.activations[layer])] for layer in layers]
        return self._dataset(snapshot, layers, per_layer, backend)

    def _chosen_layers(self, snapshot: Snapshot) -> tuple[str, ...]:
        layers = snapshot.layers if self.layers is None else tuple(self.layers)
        missing = [layer for layer in layers if layer not in snapshot.activations]
        if missing:
            raise UserError(
                f"projection.layers: the network has no layer {', '.join(missing)}; it has {', '.join(snapshot.layers)}"
            )
        return layers

    def _backend(self, snapshot: Snapshot) -> Backend | None:
        if "umap" not in self.methods:
            return None
        return chosen_backend(self.umap_backend, next(iter(snapshot.activations.values())).device, len(snapshot.sample))

    def _numbers(
        self, points: Tensor, units: np.ndarray, previous: xr.Dataset | None, backend: Backend | None
    ) -> dict[str, np.ndarray | float]:
        """Everything in ``VARIABLES`` for one layer, without its ``layer`` dimension."""
        if points.device.type == "mps":
            points = points.cpu()  # which knows double precision
        n, width = points.shape
        k = min(self.n_neighbors, n - 1)
        numbers = _empty_numbers(n, k, len(self.methods), self.n_pcs)
        numbers |= {"unit_index": units, "neuron": _activations_of(points, units)}
        if coincide(points):
            numbers["scores"][:, : min(width, self.n_pcs)] = 0
            return numbers
        principal = principal_axes(points)
        variances = principal.variances.cpu().numpy()
        kept = min(self.n_pcs, len(variances))
        related = int((variances > (1 - DISTINCT) * variances[:2][-1]).sum())
        scores = principal_scores(points, principal, max(kept, related, 2)).cpu().numpy()
        scores = scores if previous is None else sign_aligned(scores, previous["scores"].values)
        there = min(width, self.n_pcs)  # fewer points than units: the last of them have no variance left
        numbers["scores"][:, :there] = 0
        numbers["scores"][:, :kept] = scores[:, :kept]
        numbers["explained_variance_ratio"][:there] = 0
        numbers["explained_variance_ratio"][:kept] = variances[:kept] / principal.total_variance
        self._add_maps(numbers, points, scores, previous, backend)
        return numbers

    def _add_maps(
        self,
        numbers: dict[str, Any],
        points: Tensor,
        scores: np.ndarray,
        previous: xr.Dataset | None,
        backend: Backend | None,
    ) -> None:
        """Neighbours, maps and their fidelity."""
        n, k = numbers["neighbors"].shape
        judged = sampled_rows(n, FIDELITY_ROWS, self.seed, points.device)
        found = map_neighbors(points, k, judged, self.seed, with_umap="umap" in self.methods)
        near, far = found.indices.cpu().numpy().astype(np.int32), found.distances.cpu().numpy()
        numbers["neighbors"][found.rows] = near
        numbers["neighbor_recall"] = np.float64(found.recall)
        if previous is not None:
            known = previous["neighbors"].values
            numbers["new_neighbors"] = np.float64(new_neighbors(near, known[found.rows]).mean())
        umap: dict[str, Any] = {"n_neighbors": self.n_neighbors, "min_dist": self.min_dist, "seed": self.seed}
        if backend is not None:
            umap["descend"] = descent_of(backend, points.device)
        for number, method in enumerate(self.methods):
            before = _coordinates_before(previous, method)
            if method == "pca":
                coordinates = _pca_map(scores, before)
            elif before is None:
                coordinates = first_layout(near, far, _pca_map(scores, None), n_epochs=self.n_epochs, **umap)
            else:
                coordinates = next_layout(near, far, known, before, n_epochs=self.n_epochs_next, **umap)
            numbers["coordinates"][number] = coordinates
        self._add_fidelity(numbers, points, judged, found.of_judged)

    def _add_fidelity(self, numbers: dict[str, Any], points: Tensor, rows: Tensor, near: Tensor) -> None:
        """Both measures, of ``rows`` whose neighbours in the layer are ``near``."""
        n, k = len(points), min(near.shape[1], largest_k(len(points)))
        if k == 0:
            return
        maps = [torch.from_numpy(found).to(points.device) for found in numbers["coordinates"]]
        on_map = [nearest_neighbors(found, k, rows)[0] for found in maps]
        numbers["trustworthiness"][:] = rank_preservation(points, on_map, rows)
        numbers["continuity"][:] = [rank_preservation(found, [near[:, :k]], rows)[0] for found in maps]
        numbers["trustworthiness_chance"][:] = chance(n, k)

    def _dataset(
        self, snapshot: Snapshot, layers: tuple[str, ...], per_layer: list[dict[str, Any]], backend: Backend | None
    ) -> xr.Dataset:
        sample = snapshot.sample
        variables: dict[str, Any] = {
            name: (dims, np.stack([numbers[name] for numbers in per_layer]), {"long_name": text, "units": units})
            for name, (dims, text, units) in VARIABLES.items()
        }
        variables["label"] = ("sample", sample.labels, {"long_name": "class; -1: none of them", "units": "index"})
        variables["split"] = ("sample", sample.split, {"long_name": "0 train, 1 val, 2 excluded", "units": "index"})
        variables["class_name"] = ("class", np.array(sample.classes, dtype=str), {"long_name": "name of the class"})
        n, k = per_layer[0]["neighbors"].shape
        coords = {
            "layer": np.array(layers, dtype=str),
            "method": np.array(self.methods, dtype=str),
            "component": np.arange(1, 3),
            "pc": np.arange(1, self.n_pcs + 1),
            "k": np.arange(1, k + 1),
        }
        attrs: dict[str, Any] = {
            "n_neighbors": self.n_neighbors,
            "min_dist": self.min_dist,
            "seed": self.seed,
            "fidelity_neighbors": min(k, largest_k(n)),
            "fidelity_rows": min(n, FIDELITY_ROWS),
            "neighbors_of": min(n, FIDELITY_ROWS) if asks_few(n, with_umap="umap" in self.methods) else n,
        }
        if backend is not None:
            attrs["umap_backend"] = backend
        return xr.Dataset(variables, coords, attrs)


def _require(holds: bool, name: str, value: Any, accepted: str) -> None:
    if not holds:
        raise UserError(f"projection.{name} must be {accepted}; it is {value!r}")


def _check_finite(points: Tensor, layer: str, epoch: int) -> None:
    if bad := unusable_points(points, _GREATEST):
        raise FloatingPointError(
            f"layer {layer!r} has activations that are NaN, infinite or above {_GREATEST:g} for {bad} of {len(points)} "
            f"points at epoch {epoch}: training has diverged (a lower learning rate or gradient clipping may help)"
        )


def _of_layer(previous: xr.Dataset | None, layer: str) -> xr.Dataset | None:
    if previous is None or layer not in previous["layer"].values:
        return None
    return previous.sel(layer=layer)


def _coordinates_before(previous: xr.Dataset | None, method: str) -> np.ndarray | None:
    """Where the points were, ``(n, 2)``; None where there was no such map, or all points in one place."""
    if previous is None or method not in previous["method"].values:
        return None
    coordinates = previous["coordinates"].sel({"method": method}).values
    return coordinates if np.ptp(coordinates, axis=0).any() else None


def _pca_map(scores: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """``(n, 2)``; a layer of one unit lies on a line."""
    if scores.shape[1] < 2:
        scores = np.column_stack([scores, np.zeros(len(scores))])
    return scores[:, :2] if before is None else scores @ steady_axes(scores, before)


def _chosen_units(sample: Sample, layer: str, points: Tensor, count: int, previous: xr.Dataset | None) -> np.ndarray:
    """Units that are followed over the run, ``(count,)`` int32; ``_NO_UNIT`` where the layer has fewer."""
    before = None
    if previous is not None and previous.sizes["unit"] == count:
        before = [unit for unit in previous["unit_index"].values if unit != _NO_UNIT]
    units = np.full(count, _NO_UNIT, dtype=np.int32)
    chosen = followed_units(sample, layer, points, count, before)
    units[: len(chosen)] = chosen
    return units


def _activations_of(points: Tensor, units: np.ndarray) -> np.ndarray:
    """``(n, count)`` float32, NaN where the layer has no such unit."""
    activations = np.full((len(points), len(units)), np.nan, dtype=np.float32)
    there = units != _NO_UNIT
    index = torch.from_numpy(units[there].astype(np.int64)).to(points.device)
    activations[:, there] = points[:, index].cpu().numpy()
    return activations


def _empty_numbers(n: int, k: int, n_methods: int, n_pcs: int) -> dict[str, Any]:
    """Every variable but the units, in its dtype, as it is for a layer in which all points coincide."""
    return {
        "coordinates": np.zeros((n_methods, n, 2), dtype=np.float32),
        "scores": np.full((n, n_pcs), np.nan, dtype=np.float32),
        "explained_variance_ratio": np.full(n_pcs, np.nan),
        "trustworthiness": np.full(n_methods, np.nan),
        "continuity": np.full(n_methods, np.nan),
        "trustworthiness_chance": np.full(n_methods, np.nan),
        "neighbors": np.full((n, k), -1, dtype=np.int32),
        "neighbor_recall": np.float64(np.nan),
        "new_neighbors": np.float64(np.nan),
    }
