"""What the network predicts: per point of the sample, and over the whole validation set with its calibration.

Reliability diagram: DeGroot & Fienberg (1983), The Statistician 32. Expected calibration error: Naeini, Cooper &
Hauskrecht (2015), AAAI; with the confidence of the predicted class: Guo et al. (2017), arXiv:1706.04599.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.forward import device_of, predicted_logits
from repviz.diagnostics.layers import VAL, labelled_rows
from repviz.errors import UserError
from repviz.snapshot import Snapshot

Criterion = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Prediction(Diagnostic):
    """Logits, loss and confidence of every point of the sample; confusion and calibration over the whole val set.

    Attributes:
        bins: of the reliability diagram, all equally wide.
    """

    kind: ClassVar[str] = "prediction"
    on_by_default: ClassVar[bool] = True
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("accuracy", "calibration_error")

    bins: int = 15

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.bins < 1:
            raise UserError(f"prediction.bins must be 1 or more; it is {self.bins!r}")

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The predictions of one epoch.

        A point without a class has neither loss nor correctness: NaN. Where the snapshot does not come with the whole
        val set (or without the model), its points of the sample stand for it; the attribute ``evaluated_on`` says so.
        """
        sample = snapshot.sample
        logits = snapshot.logits.float()
        labels = torch.from_numpy(sample.labels).to(logits.device)
        predicted, confidence = predicted_class(logits)
        has_class = labels >= 0
        correct = torch.where(has_class, (predicted == labels).float(), torch.nan)
        losses = torch.full_like(confidence, torch.nan)
        if snapshot.criterion is not None:
            losses[has_class] = row_losses(snapshot.criterion, logits[has_class], labels[has_class])
        variables: dict[str, Any] = {
            "logits": (("sample", "class"), _numpy(logits), "logits", "1"),
            "loss": ("sample", _numpy(losses), "loss of the point alone; NaN: it has no class", "of the criterion"),
            "confidence": ("sample", _numpy(confidence), "probability of the predicted class", "1"),
            "correct": ("sample", _numpy(correct), "1: the predicted class is the label; NaN: it has no class", "1"),
            "label": ("sample", sample.labels, "class; -1: none of them", "index"),
            "split": ("sample", sample.split, "0 train, 1 val, 2 excluded", "index"),
            "class_name": ("class", np.array(sample.classes, dtype=str), "name of the class", "name"),
        }
        where, on_val, val_labels = _val_logits(snapshot)
        variables |= self._over_val(on_val, val_labels)
        labelled = {
            name: (dims, values, {"long_name": text, "units": units})
            for name, (dims, values, text, units) in variables.items()
        }
        return xr.Dataset(labelled, attrs={"evaluated_on": where, "evaluated_rows": len(val_labels)})

    def _over_val(self, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        n_classes = logits.shape[1]
        predicted, confidence = predicted_class(logits)
        confusion = confusion_matrix(_numpy(labels), _numpy(predicted), n_classes)
        hit = _numpy(predicted == labels)
        edges, count, mean_confidence, accuracy = reliability(_numpy(confidence), hit, self.bins)
        error = calibration_error(count, mean_confidence, accuracy)
        return {
            "confusion": (("class", "class_predicted"), confusion, "rows by class and predicted class", "rows"),
            "accuracy": ((), np.float64(hit.mean() if len(hit) else np.nan), "accuracy on the val set", "1"),
            "bin_edge": ("edge", edges, "confidence between which a bin lies", "1"),
            "bin_count": ("bin", count, "rows in the bin", "rows"),
            "bin_confidence": ("bin", mean_confidence, "mean confidence in the bin; NaN: no row", "1"),
            "bin_accuracy": ("bin", accuracy, "accuracy in the bin; NaN: no row", "1"),
            "calibration_error": ((), np.float64(error), "expected calibration error", "1"),
        }


def predicted_class(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Class of the largest logit ``(n,)``, and its probability ``(n,)`` in logits' dtype, of ``(n, n_classes)``."""
    top, predicted = logits.max(dim=1)
    return predicted, (top - logits.logsumexp(dim=1)).exp()


def row_losses(criterion: Criterion, logits: Tensor, labels: Tensor) -> Tensor:
    """The criterion of every row alone: ``(n,)``.

    A criterion that averages with class weights gives, for one row, the loss without its weight; its mean over rows
    is the average of these losses weighted by ``w[label]``.

    Args:
        criterion: ``(logits, labels) -> mean loss``.
        logits: ``(n, n_classes)``.
        labels: ``(n,)``, each one of the classes.
    """

    def alone(row: Tensor, label: Tensor) -> Tensor:
        return criterion(row[None], label[None])

    if not len(labels):
        return logits.new_empty(0)
    try:
        return torch.func.vmap(alone)(logits, labels).to(logits.dtype)
    except RuntimeError:  # a criterion that looks at values (`.item()`, `if`) cannot be batched: same numbers, slower
        return torch.stack([alone(row, label) for row, label in zip(logits, labels, strict=True)]).to(logits.dtype)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Rows by class and predicted class: ``(n_classes, n_classes)`` int64."""
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def reliability(
    confidence: np.ndarray, correct: np.ndarray, n_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edges ``(n_bins + 1,)``, and per bin the number of rows, mean confidence and accuracy (NaN where no row is).

    Args:
        confidence: ``(n,)`` in 0 to 1; a bin holds its upper edge, the first one 0 as well.
        correct: ``(n,)`` bool.
        n_bins: equally wide ones.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    number = np.clip(np.searchsorted(edges, confidence.astype(np.float64), side="left") - 1, 0, n_bins - 1)
    count = np.bincount(number, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(number, confidence, n_bins) / count
        accuracy = np.bincount(number, correct.astype(np.float64), n_bins) / count
    return edges, count, mean_confidence, accuracy


def calibration_error(count: np.ndarray, confidence: np.ndarray, accuracy: np.ndarray) -> float:
    """Expected calibration error: mean distance of accuracy from confidence over rows, 0 to 1; NaN without rows."""
    there = count > 0
    if not there.any():
        return float("nan")
    return float(np.average(np.abs(accuracy[there] - confidence[there]), weights=count[there]))


def _val_logits(snapshot: Snapshot) -> tuple[str, Tensor, Tensor]:
    """Where the val rows come from, their logits ``(n, n_classes)`` float32 and labels ``(n,)``; rows with a class."""
    rows = snapshot.whole.get("val")
    if snapshot.model is not None and rows is not None:
        labels = rows.labels
        logits = predicted_logits(snapshot.model, rows.inputs, device=device_of(snapshot.model))
        where = "whole val set"
    else:
        index = torch.from_numpy(labelled_rows(snapshot.sample.labels, snapshot.sample.split, VAL))
        logits = snapshot.logits.float()[index.to(snapshot.logits.device)]
        labels = torch.from_numpy(snapshot.sample.labels)[index]
        where = "val points of the sample"
    labels = labels.to(logits.device)
    return where, logits[labels >= 0], labels[labels >= 0]


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
