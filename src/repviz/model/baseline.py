"""The yardstick: a logistic regression on the inputs that the network gets."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from repviz.errors import DataError
from repviz.model.metrics import Tally, accuracy, f1_confidence, f1_macro, tally

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Values of scikit-learn's C that are tried, from strong regularisation to weak."""

_SCORED_ROWS = 1 << 16
"""Rows that are scored together, to bound memory."""
_HELD_OUT_SHARE = 0.2
_PATIENCE = 2
_MAX_ITER = 1000


class Sliced(Protocol):
    """Rows that are had by slices: an array, or one that is read from the disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class BaselineResult:
    """How a logistic regression does on the validation rows.

    Attributes:
        accuracy: in [0, 1].
        f1_macro: in [0, 1].
        f1_confidence: in [0, 1].
        C: the inverse L2 strength that was chosen on held-out training rows.
        n_iter: iterations of the last fit.
        converged: whether that fit ended before its limit of iterations.
    """

    accuracy: float
    f1_macro: float
    f1_confidence: float
    C: float
    n_iter: int
    converged: bool


def fit_baseline(
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    val_inputs: Sliced,
    val_labels: np.ndarray,
    *,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> BaselineResult:
    """Fit a multinomial logistic regression on the training rows and score it on the validation rows.

    The L2 strength is the one of lowest log loss on a fifth of the training rows, stratified, held out for that;
    then all training rows are fitted. Strengths are tried from strong to weak until the held-out loss has risen
    twice in a row. The validation rows take no part in any choice.

    Args:
        train_inputs: ``(n, n_inputs)`` scaled embeddings, with the scaled tabular columns beside them where used.
        train_labels: ``(n,)`` integers, 0 or more.
        val_inputs: ``(m, n_inputs)``, of which a part at a time is looked at.
        val_labels: ``(m,)`` integers, 0 or more.
        strengths: values of C to choose from, each above 0.
        seed: of the held-out rows.

    Raises:
        DataError: fewer than two classes in training, or no class with two training rows to hold one out of.
    """
    held_out = _held_out_rows(train_labels, seed)
    n_classes = int(max(train_labels.max(), val_labels.max())) + 1
    strength = _choose_strength(
        (train_inputs[~held_out], train_labels[~held_out]), (train_inputs[held_out], train_labels[held_out]), strengths
    )
    model = _fit(_regression(C=strength), train_inputs, train_labels)
    counts = _tally(model, val_inputs, val_labels, n_classes)
    n_iter = int(np.max(model.n_iter_))
    return BaselineResult(
        accuracy=float(accuracy(counts)),
        f1_macro=float(f1_macro(counts)),
        f1_confidence=float(f1_confidence(counts)),
        C=float(strength),
        n_iter=n_iter,
        converged=n_iter < _MAX_ITER,
    )


def _held_out_rows(labels: np.ndarray, seed: int) -> np.ndarray:
    """Mask of about a fifth of each class: at least one row of it, never its last."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(len(labels), dtype=bool)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"the baseline needs two classes in the training rows, found {len(classes)}")
    if counts.max() < 2:
        raise DataError("the baseline needs a class with two training rows to hold one out, every class has one")
    for label, count in zip(classes, counts, strict=True):
        n_held_out = min(max(1, round(_HELD_OUT_SHARE * count)), count - 1)
        mask[rng.permutation(np.flatnonzero(labels == label))[:n_held_out]] = True
    return mask


def _choose_strength(
    fit_rows: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray], strengths: Sequence[float]
) -> float:
    best, lowest, rises, before = min(strengths), np.inf, 0, np.inf
    # Each fit starts at the one before, and a loose one tells the strengths apart: four times faster.
    model = _regression(warm_start=True, tol=1e-3)
    for strength in sorted(strengths):
        _fit(model.set_params(C=strength), *fit_rows)
        # Every class of the held-out rows has rows among the fitted ones, so this is a column of the model.
        columns = np.searchsorted(model.classes_, held_out[1])
        loss = -model.predict_log_proba(held_out[0])[np.arange(len(columns)), columns].mean(dtype=np.float64)
        if loss < lowest:
            best, lowest = strength, loss
        rises = rises + 1 if loss > before else 0
        before = loss
        if rises == _PATIENCE:
            break
    return best


def _regression(**settings: float | bool) -> "LogisticRegression":
    # Here, not above: scikit-learn takes a second to import.
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=_MAX_ITER, **settings)


def _fit(model: "LogisticRegression", inputs: np.ndarray, labels: np.ndarray) -> "LogisticRegression":
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Whether it converged is part of the result.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, labels)


def _tally(model: "LogisticRegression", inputs: Sliced, labels: np.ndarray, n_classes: int) -> Tally:
    """The model's tally over all classes; one that it was not trained on has probability 0."""
    parts = []
    for start in range(0, len(labels), _SCORED_ROWS):
        rows = slice(start, start + _SCORED_ROWS)
        logits = np.full((len(labels[rows]), n_classes), -np.inf)
        logits[:, model.classes_] = model.predict_log_proba(inputs[rows])
        parts.append(tally(torch.from_numpy(logits), torch.from_numpy(labels[rows].astype(np.int64))))
    return Tally(*(torch.stack(counts).sum(0) for counts in zip(*parts, strict=True)))
