"""Bringing columns to mean 0 and standard deviation 1 by what the training rows say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from repviz.data.stored import Matrix
from repviz.errors import UserError

Mode = Literal["auto", "always", "never"]

_LARGEST_MEAN = 0.1
_STD_RANGE = (0.9, 1.1)
_HALF_STEP = 2.0**-24
"""The smallest difference between half-precision numbers."""
_CHUNK = 1 << 20
"""Numbers worked on together, in double precision, to bound memory."""


@dataclass(frozen=True)
class Scaling:
    """``(x - mean) / scale`` per column, and why; all fields are of plain types, so that any checkpoint holds them.

    Attributes:
        mean: per column, subtracted.
        scale: per column, divided by; 1 for constant columns.
        mode: the setting it comes from.
        applied: whether columns are changed at all; if not, mean is 0 and scale 1.
        mean_abs_mean: mean over the training columns of their absolute mean.
        mean_std: mean over the training columns of their standard deviation.
        n_constant: number of columns that were constant in training.
    """

    mean: Sequence[float]
    scale: Sequence[float]
    mode: str
    applied: bool
    mean_abs_mean: float
    mean_std: float
    n_constant: int

    def apply(self, columns: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Scale ``(n, n_columns)`` to float32, computed in double precision.

        Args:
            columns: the columns the scaling was fitted on, in that order.
            out: ``(n, n_columns)`` float32 to write to, which may be ``columns``; a new array without it. A scaling
                that changes nothing gives ``columns`` itself where neither dtype nor ``out`` ask for a copy.

        Raises:
            UserError: another number of columns than the scaling was fitted on.
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.mean):
            raise UserError(f"found data of shape {columns.shape}; the scaling was fitted on {len(self.mean)} columns")
        if not self.applied and out is None:
            return columns.astype(np.float32, copy=False)
        result = np.empty(columns.shape, np.float32) if out is None else out
        mean, scale = np.asarray(self.mean), np.asarray(self.scale)
        for rows in _chunks(columns):
            result[rows] = (columns[rows].astype(np.float64) - mean) / scale
        return result

    def state(self) -> dict[str, Any]:
        """The fields as plain Python types: ``Scaling(**state)`` is the same scaling again."""
        plain = {"mean": list(self.mean), "scale": list(self.scale)}
        return {**vars(self), **plain}

    def describe(self) -> str:
        """What was seen in the training columns, and what is done, in one line."""
        seen = f"{len(self.mean)} columns with mean |mean| {self.mean_abs_mean:.3g}, mean std {self.mean_std:.3g}"
        if self.mode == "auto":
            seen += f", {'not ' if self.applied else ''}standardized"
        if not self.applied:
            return f"{seen}: left as they are (standardize: {self.mode})"
        constant = f"; {self.n_constant} constant, scale 1" if self.n_constant else ""
        return f"{seen}: scaled to mean 0, std 1 by the training rows (standardize: {self.mode}{constant})"


def fit_scaling(columns: Matrix, mode: Mode = "auto") -> Scaling:
    """Look at the training columns and decide.

    Columns whose mean |mean| is at most 0.1 and whose mean standard deviation is 0.9 to 1.1 count as standardized;
    ``auto`` leaves those as they are.

    Args:
        columns: ``(n, n_columns)`` training rows, finite, in memory or on the disk.
        mode: whether to scale always, never, or where the columns are not standardized.

    Raises:
        UserError: an unknown mode.
        ValueError: no rows, or numbers that are not finite.
    """
    if mode not in get_args(Mode):
        raise UserError(f"standardize: found {mode!r}; expected one of {', '.join(get_args(Mode))}")
    if columns.ndim != 2 or columns.size == 0:
        raise ValueError(f"columns of shape {columns.shape} hold nothing to fit on")
    mean, std = _moments(columns)
    constant = _is_constant(columns, mean, std)
    mean_abs_mean, mean_std = float(np.abs(mean).mean()), float(std.mean())
    standardized = mean_abs_mean <= _LARGEST_MEAN and _STD_RANGE[0] <= mean_std <= _STD_RANGE[1]
    applied = mode == "always" or (mode == "auto" and not standardized)
    if applied:
        scale = np.where(constant, 1.0, std)
    else:
        mean, scale = np.zeros_like(mean), np.ones_like(std)
    return Scaling(mean.tolist(), scale.tolist(), mode, applied, mean_abs_mean, mean_std, int(constant.sum()))


def _moments(columns: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, in one pass in double precision.

    Parts are merged as by Chan, Golub & LeVeque, "Algorithms for computing the sample variance" (1983).
    """
    n, mean, squares = 0, np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    with np.errstate(invalid="ignore"):
        for rows in _chunks(columns):
            part = columns[rows]
            own = part.sum(axis=0, dtype=np.float64) / len(part)
            shift, total = own - mean, n + len(part)
            squares += np.square(part - own).sum(axis=0) + np.square(shift) * (n * len(part) / total)
            mean += shift * (len(part) / total)
            n = total
    if not np.isfinite(mean).all():
        raise ValueError("columns must be finite")
    return mean, np.sqrt(squares / n)


def _is_constant(columns: Matrix, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Whether a column's spread is no more than rounding, which dividing by it would blow up to unit variance.

    Rounding of the column's sums (scikit-learn's bound), of its numbers (the spacing of its dtype at their magnitude),
    or of half-precision numbers it was made from: those differ by 2**-24 at least, so a smaller spread is that of
    zeros and a few that were not quite rounded to zero.
    """
    n_rows = len(columns)
    double = np.finfo(np.float64).eps
    own = np.finfo(columns.dtype).eps if columns.dtype.kind == "f" else double
    variance = std**2
    constant = variance <= n_rows * double * variance + np.maximum(n_rows * double, own) ** 2 * mean**2
    doubtful = np.flatnonzero(~constant & (std < _HALF_STEP))
    if len(doubtful):
        constant[doubtful] = _is_half_precision(columns, doubtful)
    return constant


def _is_half_precision(columns: Matrix, numbers: np.ndarray) -> np.ndarray:
    """Which of some columns hold half-precision numbers only; one pass for all, which ends when none is left."""
    half = np.ones(len(numbers), bool)
    for rows in _chunks(columns):
        with np.errstate(over="ignore"):
            values = columns[rows][:, numbers]
            half &= (values == values.astype(np.float16)).all(axis=0)
        if not half.any():
            break
    return half


def _chunks(columns: Matrix) -> Iterator[slice]:
    step = max(1, _CHUNK // columns.shape[1])
    for start in range(0, len(columns), step):
        yield slice(start, start + step)
