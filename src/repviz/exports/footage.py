"""What a video is about, as arrays: where every point is at every stop, and what is said of the maps."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from repviz.errors import UserError
from repviz.figures.projection import METHOD_NAMES
from repviz.figures.shown import class_names, outputs
from repviz.figures.view import usual_layer, usual_method
from repviz.run import Run
from repviz.store.artifacts import read_artifact

KIND = "projection"
_VARIABLES = ("coordinates", "trustworthiness", "trustworthiness_chance", "label", "split", "class_name")


@dataclass(frozen=True)
class Footage:
    """Maps at stops: of one layer or several at one epoch after another, or of one epoch at one layer after another.

    Attributes:
        stops: what each stop is called: its epoch, or its layer.
        epochs: epoch of each stop.
        titles: layer of each map and stop, ``[stop][map]``.
        notes: trustworthiness of each map and stop, ``[stop][map]``.
        places: ``(stop, map, sample, 2)`` float32; 0 for a component that a layer does not have.
        blank: ``(map,)`` whether the layer has no such map at all.
        labels: ``(sample,)``, -1 for none of the classes.
        splits: ``(sample,)`` 0 train, 1 val, 2 excluded.
        classes: names.
        method: name of the projection's method as it is written.
    """

    stops: list[str]
    epochs: list[int]
    titles: list[list[str]]
    notes: list[list[str]]
    places: np.ndarray
    blank: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    classes: list[str]
    method: str

    def box(self, number: int) -> tuple[float, float, float, float]:
        """x_min, x_max, y_min, y_max of a map over all stops: equal places in the picture mean equal coordinates."""
        points = self.places[:, number].reshape(-1, 2)
        (x_min, y_min), (x_max, y_max) = points.min(0, initial=np.inf), points.max(0, initial=-np.inf)
        return (float(x_min), float(x_max), float(y_min), float(y_max)) if len(points) else (-1.0, 1.0, -1.0, 1.0)


def over_epochs(run: Run, layers: list[str] | None, method: str | None) -> Footage:
    """Maps of ``layers`` (None = each output once) at every epoch that has a projection.

    See ``chosen_layer`` for errors.
    """
    epochs = epochs_of(run)
    first = _read(run, epochs[0])
    method = chosen_method(run, first, method)
    asked = [str(layer) for layer in first["layer"].values] if layers is None else layers
    found = [_read(run, epoch).sel({"layer": asked, "method": method}) for epoch in epochs]
    if layers is None:
        layers = outputs(found)
        found = [dataset.sel(layer=layers) for dataset in found]
    places = np.stack([dataset["coordinates"].values for dataset in found])
    return _footage(
        found[0],
        stops=[str(epoch) for epoch in epochs],
        epochs=epochs,
        titles=[layers] * len(epochs),
        notes=[[_note(dataset.sel(layer=layer)) for layer in layers] for dataset in found],
        places=places,
        blank=np.isnan(places).all(axis=(0, 2, 3)),
        method=METHOD_NAMES.get(method, method),
    )


def through_layers(run: Run, method: str | None, epoch: int | None = None) -> Footage:
    """One map of one epoch (None = the last) that passes through the layers.

    Maps of two layers have nothing in common but the points: each is centred, brought to the same mean square radius
    and turned onto the one before (Schönemann, 1966), so that what moves is the arrangement, not the frame.

    Raises:
        UserError: no layer has a map by that method, or none at that epoch.
    """
    epochs = epochs_of(run)
    epoch = epochs[-1] if epoch is None else epoch
    if epoch not in epochs:
        raise UserError(
            f"run {run.name} has no projection at epoch {epoch}; there is epochs {epochs[0]} to {epochs[-1]}"
        )
    dataset = _read(run, epoch)
    method = chosen_method(run, dataset, method)
    dataset = dataset.sel({"method": method})
    layers = [k for k in outputs([dataset]) if np.isfinite(dataset["coordinates"].sel(layer=k)).any()]
    if not layers:
        raise UserError(f"no layer of run {run.name} has a {method} map at epoch {epoch}")
    turned: list[np.ndarray] = []
    for layer in layers:
        points = unit_size(np.nan_to_num(dataset["coordinates"].sel(layer=layer).values))
        turned.append(points if not turned else turned_onto(points, turned[-1]))
    return _footage(
        dataset,
        stops=layers,
        epochs=[epoch] * len(layers),
        titles=[[layer] for layer in layers],
        notes=[[_note(dataset.sel(layer=layer))] for layer in layers],
        places=np.stack(turned)[:, None],
        blank=np.zeros(1, bool),
        method=METHOD_NAMES.get(method, method),
    )


def unit_size(points: np.ndarray) -> np.ndarray:
    """``(n, 2)`` points around their mean with mean square radius 1; points at one place stay there."""
    centred = points - points.mean(axis=0)
    radius = math.sqrt(float((centred**2).sum(axis=1).mean()))
    return centred / radius if radius > 0 else centred


def turned_onto(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``points`` turned, and mirrored where that helps, as near to ``target`` as can be; both ``(n, 2)``, centred."""
    left, _, right = np.linalg.svd(points.T.astype(np.float64) @ target)
    return (points @ (left @ right)).astype(points.dtype)


def epochs_of(run: Run) -> list[int]:
    """Epochs that have maps.

    Raises:
        UserError: none has.
    """
    found = run.epochs(KIND)
    if not found:
        raise UserError(
            f"run {run.name} has no projection, and so no maps; 'repviz diagnose --only projection' makes them from "
            "its checkpoints"
        )
    return found


def chosen_layer(run: Run, layer: str | None) -> str:
    """``layer``, by default the penultimate one, else the last.

    Raises:
        UserError: there is no map of it.
    """
    layers = [str(name) for name in _read(run, epochs_of(run)[-1])["layer"].values]
    if layer is None:
        return usual_layer(layers)
    if layer not in layers:
        raise UserError(f"run {run.name} has no map of the layer {layer!r}; there is {', '.join(layers)}")
    return layer


def chosen_method(run: Run, dataset: xr.Dataset, method: str | None) -> str:
    """``method``, by default UMAP, else the first there is.

    Raises:
        UserError: there is no map by it.
    """
    methods = [str(name) for name in dataset["method"].values]
    if method is None:
        return usual_method(methods)
    if method not in methods:
        raise UserError(f"run {run.name} has no maps by {method!r}; there is {', '.join(methods)}")
    return method


def _footage(dataset: xr.Dataset, *, places: np.ndarray, **more: object) -> Footage:
    return Footage(
        places=np.nan_to_num(places.astype(np.float32)),
        labels=dataset["label"].values.astype(np.int64),
        splits=dataset["split"].values.astype(np.int64),
        classes=class_names(dataset),
        **more,
    )


def _read(run: Run, epoch: int) -> xr.Dataset:
    return read_artifact(run.path, KIND, epoch, _VARIABLES)


def _note(dataset: xr.Dataset) -> str:
    words = (("trustworthiness", "trust"), ("trustworthiness_chance", "chance"))
    values = [(word, float(dataset[name])) for name, word in words if name in dataset]
    return " · ".join(f"{word} {value:.2f}" for word, value in values if math.isfinite(value))
