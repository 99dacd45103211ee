"""What a reader of a run should know before believing its pictures: errors, and numbers that speak against them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from repviz.figures.metrics import best_epoch
from repviz.run import Run
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.results_table import read_results

LEAST_TRUST = 0.3
"""Of the way from chance to 1: below it a map shows little of a layer's neighbourhoods."""
MOST_DEAD = 0.2
LEAST_AGREEMENT = 0.5
LEAST_SURROGATE = 0.7
MOST_CALIBRATION_ERROR = 0.1
MOST_CONTROL = 0.1
"""How far above chance a probe may read shuffled labels."""
OVERFITTED = 1.1
"""Val loss at the end in units of its least."""


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        level: ``error`` something is missing, ``warning`` a picture may mislead, ``note`` worth knowing.
        kind: what it is about.
        text: in words, with the number and where it lies.
    """

    level: Literal["error", "warning", "note"]
    kind: str
    text: str


def findings(run: Run) -> list[Finding]:
    """Everything there is to say of ``run``, errors first."""
    found = [*_of_run(run), *_of_training(run)]
    for kind in run.kinds():
        found += _of_kind(run, kind)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: order[finding.level])


def _of_run(run: Run) -> Iterator[Finding]:
    info = run.info()
    if info["state"] != "finished":
        yield Finding("warning", "run", f"The run is {info['state']}: what follows is as far as it got.")
    for kind in info.get("kinds", []):
        if kind not in run.kinds():
            yield Finding("error", kind, "It is configured, but there is no artifact of it.")


def _of_training(run: Run) -> Iterator[Finding]:
    table, monitor = run.metrics(), run.info().get("monitor", "val_accuracy")
    results = read_results(run.path)
    model, baseline = results.get("model_best"), results.get("logistic_regression")
    if model and baseline and model["val_accuracy"] <= baseline["val_accuracy"]:
        yield Finding(
            "note",
            "results",
            f"The network's best epoch (val accuracy {model['val_accuracy']:.3f}) is not better than a logistic "
            f"regression on the same inputs ({baseline['val_accuracy']:.3f}).",
        )
    best = best_epoch(table, monitor)
    if best is not None and best == table["epoch"].max():
        yield Finding(
            "note", "metrics", f"The last epoch has the best {monitor}: with more epochs it might have gone on."
        )
    loss = table["val_loss"].dropna()
    if len(loss) and loss.iloc[-1] > OVERFITTED * loss.min():
        yield Finding(
            "warning",
            "metrics",
            f"The val loss has risen from {loss.min():.3f} to {loss.iloc[-1]:.3f}: the network has over-fitted.",
        )


def _of_kind(run: Run, kind: str) -> Iterator[Finding]:
    errors = run.errors(kind)
    if errors:
        epoch, error = next(reversed(errors.items()))
        more = f" (and at {len(errors) - 1} more)" if len(errors) > 1 else ""
        yield Finding("error", kind, f"It failed at epoch {epoch}{more}: {error.get('error')}: {error.get('message')}")
    epochs = run.epochs(kind)
    if not epochs:
        return
    try:
        dataset = run.read(kind, epochs[-1])
    except (DamagedFileError, NewerFormatError) as error:
        yield Finding("error", kind, str(error))
        return
    for text in _RULES.get(kind, lambda _: iter(()))(dataset):
        yield Finding("warning", kind, f"Epoch {epochs[-1]}: {text}")


def _projection(dataset: xr.Dataset) -> Iterator[str]:
    if "trustworthiness" not in dataset or "trustworthiness_chance" not in dataset:
        return
    for layer in dataset["layer"].values:
        for method in dataset["method"].values:
            at = {"layer": layer, "method": method}
            trust = float(dataset["trustworthiness"].sel(at))
            chance = float(dataset["trustworthiness_chance"].sel(at))
            if trust - chance < LEAST_TRUST * (1 - chance):
                yield f"the {method} map of {layer} has trust {trust:.2f}, near the {chance:.2f} of a random layout."


def _response(dataset: xr.Dataset) -> Iterator[str]:
    for layer, share in _above(dataset, "dead_share", MOST_DEAD):
        yield f"{share:.0%} of the units of {layer} are dead: they give the same value at every point."


def _surface(dataset: xr.Dataset) -> Iterator[str]:
    agreement = float(dataset.get("agreement", math.nan))
    if agreement < LEAST_AGREEMENT:
        yield f"only {agreement:.0%} of the points are predicted on the plane as they really are: trust no border."
    surrogate = float(dataset.get("surrogate_agreement", math.nan))
    if surrogate < LEAST_SURROGATE:
        yield f"the surrogate agrees with the network on only {surrogate:.0%} of the val points."


def _prediction(dataset: xr.Dataset) -> Iterator[str]:
    error = float(dataset.get("calibration_error", math.nan))
    if error > MOST_CALIBRATION_ERROR:
        yield f"confidence and accuracy are {error:.2f} apart on average: take the confidence with care."


def _probe(dataset: xr.Dataset) -> Iterator[str]:
    if "control_accuracy" not in dataset or "chance" not in dataset:
        return
    above = dataset["control_accuracy"] - dataset["chance"]
    for layer, value in zip(dataset["layer"].values, above.values, strict=True):
        if value > MOST_CONTROL:
            yield f"the probe of {layer} reads shuffled labels {value:.2f} above chance: it memorises."


def _landscape(dataset: xr.Dataset) -> Iterator[str]:
    if "finite_share" not in dataset:
        return
    for split, share in zip(dataset["split"].values, dataset["finite_share"].values, strict=True):
        if share < 1:
            yield f"{1 - share:.0%} of the {split} losses are not finite: gaps in the picture."


def _above(dataset: xr.Dataset, variable: str, limit: float) -> list[tuple[str, float]]:
    if variable not in dataset:
        return []
    pairs = zip(dataset["layer"].values, np.asarray(dataset[variable].values, float), strict=True)
    return [(str(layer), float(value)) for layer, value in pairs if value > limit]


_RULES: dict[str, Callable[[xr.Dataset], Iterator[str]]] = {
    "projection": _projection,
    "response": _response,
    "surface": _surface,
    "prediction": _prediction,
    "probe": _probe,
    "landscape": _landscape,
}
