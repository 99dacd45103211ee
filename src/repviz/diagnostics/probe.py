"""How well a linear classifier reads the classes off each layer.

Linear probes: Alain & Bengio (2017), arXiv:1610.01644. Control tasks and selectivity: Hewitt & Liang (2019),
arXiv:1909.03368; here the control has the points' labels shuffled, as in a permutation test (Ojala & Garriga, 2010,
JMLR 11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.layers import TRAIN, VAL, activations_of, labelled_rows, unique
from repviz.diagnostics.logistic_regression import (
    Axes,
    Problems,
    decision,
    fit,
    predicted,
    principal_position,
    standardized,
)
from repviz.errors import UserError
from repviz.snapshot import Snapshot

C_GRID = 10.0 ** np.arange(-4, 4.25, 0.5)
"""Inverse strengths of the penalty to choose from: the range of scikit-learn's ``LogisticRegressionCV``, in half
decades."""
_PATIENCE = 2
"""How many worse strengths in a row end the search; around the previous epoch's strength a single one does."""
_TOLERANCE, _SEARCH_TOLERANCE = 1e-4, 1e-3
"""Of the fits that are scored, scikit-learn's own; and of those that only choose the strength, which end in the same
choice after half the steps."""
_SHARE, _SEARCH_SHARE = 0.002, 0.02
"""Each is at most so much over the number of classes: with many of them each has a small part in the gradient."""

VARIABLES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("accuracy of the probe on val points", "1"),
    "f1_macro": ("macro F1 of the probe on val points", "1"),
    "chance": ("accuracy on val points of always naming the largest class of the train points", "1"),
    "control_accuracy": ("accuracy on val points of the same probe where all labels are shuffled", "1"),
    "train_accuracy": ("accuracy of the probe on the train points that it was fitted on", "1"),
    "control_train_accuracy": ("share of the shuffled labels that the same probe can fit", "1"),
    "held_out_accuracy": ("accuracy on held-out train points, by which C was chosen", "1"),
    "C": ("inverse strength of the L2 penalty, as in scikit-learn", "1"),
}
"""Long name and units of what there is per layer."""


@dataclass(frozen=True)
class Probe(Diagnostic):
    """Multinomial logistic regression on each layer's activations: fitted on train points, scored on val points.

    Attributes:
        layers: which layers; all of the network's when not given.
        folds: of the cross-validation on train points that chooses the L2 penalty.
        seed: of the folds and of the control's shuffled labels.
    """

    kind: ClassVar[str] = "probe"
    version: ClassVar[int] = 1
    needs_model: ClassVar[bool] = False
    chain: ClassVar[Literal["none", "first", "previous"]] = "previous"
    key_variables: ClassVar[tuple[str, ...]] = ("accuracy", "f1_macro", "chance", "control_accuracy")

    layers: tuple[str, ...] | None = None
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.layers is not None and not self.layers:
            raise UserError("probe.layers must be at least one name, or null for all; it is empty")
        if self.folds < 2:
            raise UserError(f"probe.folds must be 2 or more; it is {self.folds!r}")
        if self.seed < 0:
            raise UserError(f"probe.seed must be 0 or more; it is {self.seed!r}")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The probes of one epoch; NaN where there is no point to fit on or to score on.

        Only the search for the penalty starts from the previous epoch (around its strength): the fits themselves do
        not, so that no fold knows the labels that it is to be judged by.

        Raises:
            UserError: a layer is asked for that the network has not.
            FloatingPointError: activations are NaN or infinite.
        """
        activations = activations_of(snapshot, self.layers, "probe.layers")
        sample = snapshot.sample
        train = labelled_rows(sample.labels, sample.split, TRAIN)
        val = labelled_rows(sample.labels, sample.split, VAL)
        numbers: dict[int, dict[str, Any]] = {}
        for layer, points in unique(activations).items():
            before = _strength_before(earlier.previous, layer)
            numbers[id(points)] = self._numbers(points, sample.labels, train, val, len(sample.classes), before)
        per_layer = [numbers[id(points)] for points in activations.values()]
        variables: dict[str, Any] = {
            name: ("layer", np.array([found[name] for found in per_layer]), {"long_name": text, "units": units})
            for name, (text, units) in VARIABLES.items()
        }
        recall = np.stack([found["recall"] for found in per_layer])
        about = {"long_name": "share of the class's val points that the probe finds; NaN: there is none", "units": "1"}
        variables["recall"] = (("layer", "class"), recall, about)
        names = {"long_name": "name of the class", "units": "name"}
        variables["class_name"] = ("class", np.array(sample.classes, dtype=str), names)
        attrs = {"train_points": len(train), "val_points": len(val), "folds": self.folds, "seed": self.seed}
        return xr.Dataset(variables, {"layer": np.array(list(activations), dtype=str)}, attrs)

    def _numbers(
        self, points: Tensor, labels: np.ndarray, train: np.ndarray, val: np.ndarray, n_classes: int, before: float
    ) -> dict[str, Any]:
        """Everything in ``VARIABLES``, and ``recall``, of one layer."""
        numbers: dict[str, Any] = dict.fromkeys(VARIABLES, np.nan) | {"recall": np.full(n_classes, np.nan)}
        if not len(train):
            return numbers
        axes = _axes(points, train, val)
        classes, truth = np.unique(labels[train], return_inverse=True)
        on_train = Axes(axes.scores[: len(train)], axes.variances)
        fold = stratified_folds(truth, self.folds, self.seed)
        c, held_out = chosen_strength(on_train, truth, fold, len(classes), before)
        random = np.random.default_rng(self.seed)
        shuffled, shuffled_val = random.permutation(truth), random.permutation(labels[val])
        both = _problems(
            np.stack([truth, shuffled], axis=1), np.ones((len(train), 2)), len(classes), axes.scores.device
        )
        theta, _ = fit(on_train, both, c, tolerance=min(_TOLERANCE, _SHARE / len(classes)))
        named = classes[predicted(axes, theta).cpu().numpy()]
        numbers["C"], numbers["held_out_accuracy"] = c, held_out
        numbers["train_accuracy"] = np.mean(named[: len(train), 0] == labels[train])
        numbers["control_train_accuracy"] = np.mean(named[: len(train), 1] == classes[shuffled])
        if len(val):
            named = named[len(train) :]
            numbers["accuracy"] = np.mean(named[:, 0] == labels[val])
            numbers["control_accuracy"] = np.mean(named[:, 1] == shuffled_val)
            numbers["chance"] = np.mean(labels[val] == classes[np.bincount(truth).argmax()])
            numbers["f1_macro"] = f1_macro(labels[val], named[:, 0], n_classes)
            numbers["recall"] = recall(labels[val], named[:, 0], n_classes)
        return numbers


def chosen_strength(
    axes: Axes, labels: np.ndarray, fold: np.ndarray, n_classes: int, before: float = np.nan
) -> tuple[float, float]:
    """The inverse strength that reads held-out points best.

    That is the one of least log loss among those whose accuracy is within one standard error of the best: accuracy
    is what counts, but it alone, on few points, picks at random among strengths that are equally good. Strengths are
    tried from strong to weak, each fit starting where the one before ended, until more of them gain nothing; around
    the strength ``before``, when it is given.

    Args:
        axes: of the points to fit on.
        labels: ``(n,)`` 0 … n_classes - 1.
        fold: ``(n,)`` 0 … number of folds - 1; when there is but one fold, nothing can be held out.
        n_classes: number of classes.
        before: the previous epoch's; NaN when there is none.

    Returns:
        C, and its accuracy on held-out points (NaN, and the middle of the grid, where nothing can be held out).
    """
    n_folds = int(fold.max()) + 1
    if n_folds < 2:
        return float(C_GRID[len(C_GRID) // 2]), float("nan")
    fitted = fold[:, None] != np.arange(n_folds)
    problems = _problems(np.repeat(labels[:, None], n_folds, axis=1), fitted, n_classes, axes.scores.device)
    held_out = [torch.from_numpy(np.flatnonzero(fold == k)).to(axes.scores.device) for k in range(n_folds)]
    tried: dict[int, tuple[int, float]] = {}
    anew = bool(np.isnan(before))
    first = 0 if anew else max(0, int(np.abs(np.log(C_GRID / before)).argmin()) - 1)
    _walk(range(first, len(C_GRID)), axes, problems, held_out, tried, _PATIENCE if anew else 1)
    if first and _best(tried, len(labels)) == first:  # stronger penalties may be better still
        _walk(range(first - 1, -1, -1), axes, problems, held_out, tried, _PATIENCE)
    best = _best(tried, len(labels))
    return float(C_GRID[best]), tried[best][0] / len(labels)


def _walk(
    numbers: range,
    axes: Axes,
    problems: Problems,
    held_out: Sequence[Tensor],
    tried: dict[int, tuple[int, float]],
    patience: int,
) -> None:
    """Try these strengths in turn, noting hits and mean log loss on held-out points.

    It ends when ``patience`` of them in a row were worse in both (in one alone is not enough: with a strong penalty
    accuracy may stay at chance while the loss falls), or, on the way to weaker penalties, when one no longer
    moves anything.
    """
    theta, worse = None, 0
    tolerance = min(_SEARCH_TOLERANCE, _SEARCH_SHARE / problems.n_classes)
    truth = problems.labels[torch.cat(held_out), 0]
    for number in numbers:
        theta, steps = fit(axes, problems, float(C_GRID[number]), theta, tolerance=tolerance)
        logits = torch.cat([decision(axes, theta[:, [k]], rows)[:, 0] for k, rows in enumerate(held_out)])
        hits = int((logits.argmax(1) == truth).sum())
        loss = float(torch.nn.functional.cross_entropy(logits, truth))
        is_worse = bool(tried) and hits < max(h for h, _ in tried.values()) and loss > min(x for _, x in tried.values())
        worse = worse + 1 if is_worse else 0
        tried[number] = hits, loss
        if (steps == 0 and numbers.step > 0) or worse == patience:
            return


def _best(tried: Mapping[int, tuple[int, float]], n: int) -> int:
    """The strength of least log loss among those whose accuracy is within one standard error of the best."""
    most = max(hits for hits, _ in tried.values())
    error = np.sqrt(most * (n - most) / n)
    near = [number for number, (hits, _) in tried.items() if hits >= most - error]
    return min(near, key=lambda number: tried[number][1])


def stratified_folds(labels: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each point, 0 … min(n_folds, n) - 1, so that every class is spread evenly: ``(n,)`` int64."""
    n = len(labels)
    shuffled = np.random.default_rng(seed).permutation(n)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(n, dtype=np.int64)
    fold[by_class] = np.arange(n) % min(n_folds, n)
    return fold


def f1_macro(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> float:
    """Mean F1 over the classes that occur as a label or as a prediction, as scikit-learn's."""
    hits = np.bincount(labels[labels == predicted], minlength=n_classes)
    both = np.bincount(labels, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    return float(np.mean(2 * hits[both > 0] / both[both > 0]))


def recall(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Share of each class's points that are predicted so: ``(n_classes,)``, NaN for a class without points."""
    hits = np.bincount(labels[labels == predicted], minlength=n_classes)
    count = np.bincount(labels, minlength=n_classes)
    return np.divide(hits, count, out=np.full(n_classes, np.nan), where=count > 0)


def _axes(points: Tensor, train: np.ndarray, val: np.ndarray) -> Axes:
    """Train points, then val points, standardised and in the principal axes of the train points."""
    rows = torch.from_numpy(np.concatenate([train, val])).to(points.device)
    return principal_position(standardized(points[rows], len(train)), len(train))


def _problems(labels: np.ndarray, weights: np.ndarray, n_classes: int, device: torch.device) -> Problems:
    weight = torch.from_numpy(weights.astype(np.float32))
    return Problems(torch.from_numpy(labels).to(device), weight.to(device), n_classes)


def _strength_before(previous: xr.Dataset | None, layer: str) -> float:
    if previous is None or layer not in previous["layer"].values:
        return float("nan")
    return float(previous["C"].sel(layer=layer))
