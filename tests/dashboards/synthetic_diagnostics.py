"""Made-up artifacts of the diagnostics for a ``SyntheticRun``: what their figures need, smooth in the epoch."""

import numpy as np
import xarray as xr

from repviz.store.artifacts import read_artifact, write_artifact
from tests.dashboards.synthetic_run import STEPS, SyntheticRun

KINDS = ("probe", "similarity", "geometry", "landscape", "surface", "interpolation", "response", "prediction")


def write_diagnostics(run: SyntheticRun, epoch: int, kinds: tuple[str, ...] = KINDS) -> None:
    """The artifacts of ``kinds`` at ``epoch``."""
    for kind in kinds:
        write(run, kind, epoch, MAKE[kind](run, epoch))


def write(run: SyntheticRun, kind: str, epoch: int, dataset: xr.Dataset) -> None:
    """One artifact."""
    write_artifact(run.path, kind, epoch, dataset, step=epoch * STEPS, version=1)


def add_scores(run: SyntheticRun, epoch: int) -> None:
    """Principal components and neurons, which the projection of a synthetic run lacks."""
    dataset = read_artifact(run.path, "projection", epoch)
    points = run.coordinates(epoch)[:, 0]
    dataset["scores"] = ("layer", "sample", "pc"), np.concatenate([points, points**2, points[..., ::-1]], axis=2)
    dataset["neuron"] = ("layer", "sample", "unit"), np.maximum(np.concatenate([points, -points], axis=2), 0)
    dataset["unit_index"] = ("layer", "unit"), np.tile([3, 5, 8, 13], (len(run.layers), 1))
    dataset.attrs = {}
    write(run, "projection", epoch, dataset)


def learned(epoch: int) -> float:
    return float(1 - np.exp(-epoch / 4))


def _by_layer(run: SyntheticRun, **values: float) -> xr.Dataset:
    depth = np.linspace(0.4, 1, len(run.layers))
    return xr.Dataset({name: ("layer", value * depth) for name, value in values.items()}, {"layer": list(run.layers)})


def _probe(run: SyntheticRun, epoch: int) -> xr.Dataset:
    good = 0.2 + 0.6 * learned(epoch)
    made = _by_layer(run, accuracy=good, f1_macro=0.95 * good, control_accuracy=0.08, chance=0.06)
    return made.assign_attrs(train_points=100, val_points=20)


def _similarity(run: SyntheticRun, epoch: int) -> xr.Dataset:
    past = np.nan if epoch == 0 else 0.9
    made = _by_layer(run, cka_previous=past, cka_first=past * (1 - 0.5 * learned(epoch)))
    apart = np.abs(np.subtract.outer(np.arange(len(run.layers)), np.arange(len(run.layers))))
    made["cka"] = ("layer", "layer_b"), np.exp(-0.3 * apart * (1 + learned(epoch)))
    return made.assign_coords(layer_b=list(run.layers)).assign_attrs(points=100)


def _geometry(run: SyntheticRun, epoch: int) -> xr.Dataset:
    left = 1 - 0.8 * learned(epoch)
    made = _by_layer(run, effective_rank=40 * left, intrinsic_dimension=12 * left, nc1=9 * left, nc2=left, nc3=left)
    made["nc4"] = "layer", np.full(len(run.layers), 0.5 * left)
    return made.assign_attrs(train_points=100)


def _landscape(run: SyntheticRun, epoch: int) -> xr.Dataset:
    alpha = np.linspace(-1, 1, 9)
    bowl = 3 - 2 * learned(epoch) + np.add.outer(alpha**2, 0.5 * alpha**2)
    loss = np.stack([bowl, bowl + 0.3])
    return xr.Dataset(
        {
            "loss": (("split", "alpha", "beta"), loss),
            "cut_alpha": (("split", "alpha"), loss[:, :, 4]),
            "cut_beta": (("split", "beta"), loss[:, 4]),
            "center_loss": ("split", loss[:, 4, 4]),
            "finite_share": ("split", [1.0, 1.0]),
            "n_rows": ("split", [100, 20]),
        },
        {"split": ["train", "val"], "alpha": alpha, "beta": alpha},
    )


def _surface(run: SyntheticRun, epoch: int) -> xr.Dataset:
    n_classes, side = len(run.classes), 12
    axis = np.linspace(-6, 6, side)
    places = np.stack(np.meshgrid(axis, axis), axis=-1)
    logits = -((places[:, :, None] - run.centers[:n_classes]) ** 2).sum(axis=-1) * learned(epoch + 1)
    probability = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probability /= probability.sum(axis=-1, keepdims=True)
    points = run.coordinates(epoch)[-1, 0].astype(float)
    return xr.Dataset(
        {
            "probability": (("y", "x", "class"), probability.astype(np.float32)),
            "prediction": (("y", "x"), probability.argmax(axis=-1)),
            "surrogate_prediction": (("map_y", "map_x"), probability.argmax(axis=-1)),
            "surrogate_x": ("map_x", axis),
            "surrogate_y": ("map_y", axis),
            "sample_xy": (("sample", "axis"), points),
            "surrogate_xy": (("sample", "axis"), points),
            "off_plane_distance": ("sample", np.abs(points[:, 0])),
            "agreement": ((), 0.3 + 0.5 * learned(epoch)),
            "surrogate_agreement": ((), 0.2 + 0.5 * learned(epoch)),
            "explained_variance_ratio": ("axis", [0.4, 0.1]),
            "label": ("sample", run.labels),
            "split": ("sample", run.split),
            "class_name": ("class", np.array(run.classes)),
        },
        {"x": axis, "y": axis},
    ).assign_attrs(layer="penultimate")


def _interpolation(run: SyntheticRun, epoch: int) -> xr.Dataset:
    n_classes, n_pairs, t = len(run.classes), 8, np.linspace(0, 1, 5)
    ends = np.stack([np.arange(n_pairs) % n_classes, (np.arange(n_pairs) + np.arange(n_pairs) % 2) % n_classes], axis=1)
    probability = np.full((n_pairs, len(t), n_classes), 0.01)
    for pair, (first, last) in enumerate(ends):
        probability[pair, :, first] += learned(epoch) * (1 - t)
        probability[pair, :, last] += learned(epoch) * t
    return xr.Dataset(
        {
            "probability": (("pair", "t", "class"), probability),
            "pair_index": (("pair", "end"), np.stack([np.arange(n_pairs), np.arange(n_pairs) + 1], axis=1)),
            "pair_label": (("pair", "end"), ends),
            "same_class": ("pair", ends[:, 0] == ends[:, 1]),
            "switches": ("pair", np.arange(n_pairs) % 3),
            "mean": (("relation", "end", "t"), np.full((2, 2, len(t)), 0.4)),
        },
        {"t": t, "relation": ["same class", "different class"]},
    )


def _response(run: SyntheticRun, epoch: int) -> xr.Dataset:
    pc1 = run.coordinates(epoch)[0, 0, :, 0].astype(float)
    units = ["block1:3", "block1:5", "block2:1"]
    activation = np.maximum(pc1[:, None] * [1, -1, 0.5] * learned(epoch + 1), 0)
    bins = np.linspace(pc1.min(), pc1.max(), 6)
    mean = np.maximum(bins * np.array([1, -1, 0.5])[:, None] * learned(epoch + 1), 0)
    return xr.Dataset(
        {
            "pc1": ("sample", pc1),
            "activation": (("sample", "unit"), activation),
            "label": ("sample", run.labels),
            "bin_pc1": ("bin", bins),
            "mean": (("unit", "bin"), mean),
            "low": (("unit", "bin"), 0.8 * mean),
            "high": (("unit", "bin"), 1.2 * mean),
            "selectivity": ("unit", [0.2, 0.3, 0.4]),
            "dead": ("unit", [False, False, True]),
            "dead_share": ("layer", [0.1, 0.0]),
            "selectivity_mean": ("layer", [0.2, 0.1 + 0.2 * learned(epoch)]),
        },
        {"unit": units, "layer": ["block1", "block2"]},
    )


def _prediction(run: SyntheticRun, epoch: int) -> xr.Dataset:
    n_classes, edges = len(run.classes), np.linspace(0, 1, 6)
    middle = (edges[1:] + edges[:-1]) / 2
    return xr.Dataset(
        {
            "confusion": (("class", "class_predicted"), np.eye(n_classes, dtype=int) * 5 + 1),
            "class_name": ("class", np.array(run.classes)),
            "bin_edge": ("edge", edges),
            "bin_count": ("bin", [10, 20, 30, 20, 20]),
            "bin_accuracy": ("bin", middle**2),
            "bin_confidence": ("bin", middle),
            "accuracy": ((), 0.2 + 0.6 * learned(epoch)),
            "calibration_error": ((), 0.1),
        }
    )


MAKE = {
    "probe": _probe,
    "similarity": _similarity,
    "geometry": _geometry,
    "landscape": _landscape,
    "surface": _surface,
    "interpolation": _interpolation,
    "response": _response,
    "prediction": _prediction,
}
