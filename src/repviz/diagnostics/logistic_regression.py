"""Multinomial logistic regression with an L2 penalty, for many labelings of the same points at once.

The penalty does not see a rotation of the units, so the points come in their principal axes: there the curvature is
nearly diagonal, a bound on it (Böhning, 1992, Annals of the Institute of Statistical Mathematics 44) scales the steps,
and L-BFGS (Liu & Nocedal, 1989, Mathematical Programming 45) needs few of them. Several problems (the folds of a
cross-validation, a control on shuffled labels) share every product with the points.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from repviz.diagnostics.pca import principal_axes, principal_scores

_NEGLIGIBLE = 1e-10
"""Share of the largest variance below which an axis is rounding."""
_MEMORY = 10
_SUFFICIENT = 1e-4
_HALVINGS = 30


class Axes(NamedTuple):
    """Standardised points in their principal axes: ``scores (n, r)`` float32, ``variances (r,)`` float32."""

    scores: Tensor
    variances: Tensor


class Problems(NamedTuple):
    """B problems on the same points.

    Attributes:
        labels: ``(n, B)`` int64, classes 0 … n_classes - 1.
        weights: ``(n, B)`` float32, 1 for points that a problem is fitted on, else 0.
        n_classes: number of classes.
    """

    labels: Tensor
    weights: Tensor
    n_classes: int


def standardized(points: Tensor, fitted_on: Tensor) -> Tensor:
    """The points less the mean and by the standard deviation of the fitted ones; a constant unit becomes 0.

    Args:
        points: ``(n, d)``.
        fitted_on: ``(n,)`` indices.

    Returns:
        ``(n, d)`` float32.
    """
    seen = points[fitted_on].double()
    mean, deviation = seen.mean(0), seen.std(0, correction=0)
    constant = deviation <= 1e-6 * seen.abs().amax(0)
    scale = torch.where(constant, 0.0, 1 / torch.where(constant, 1.0, deviation))
    return torch.cat([((part - mean) * scale).float() for part in points.split(4096)])


def principal_position(points: Tensor, fitted_on: Tensor) -> Axes:
    """The points along the principal axes of those fitted on, without axes that are rounding."""
    principal = principal_axes(points[fitted_on])
    keep = int((principal.variances > _NEGLIGIBLE * principal.total_variance).sum())
    scores = principal_scores(points, principal, keep).float()
    return Axes(scores, principal.variances[:keep].float())


def fit(
    axes: Axes, problems: Problems, c: float, start: Tensor | None = None, *, tolerance: float, max_iter: int = 1000
) -> tuple[Tensor, int]:
    """Minimise ``sum of log losses + |coefficients|^2 / (2 c)`` of every problem; intercepts are free.

    Args:
        axes: of the points.
        problems: what is to be told apart.
        c: inverse strength of the penalty, scikit-learn's ``C``.
        start: ``(r + 1, B, n_classes)``, from where; zeros when not given.
        tolerance: on the largest entry of the gradient of the mean loss, as scikit-learn's ``tol``.
        max_iter: steps at most.

    Returns:
        coefficients ``(r + 1, B, n_classes)`` float32, the last row the intercepts; and the number of steps.
    """
    loss = _Loss(axes, problems, c)
    theta = loss.zero() if start is None else start
    logits = loss.logits(theta)
    slope, now = loss.gradient(logits, theta), loss.value(logits, theta)
    steps: list[_Step] = []
    for iteration in range(max_iter):
        if float(slope.abs().max()) <= tolerance:
            return theta, iteration
        direction = -_times_inverse_curvature(slope, steps, loss.bound)
        change = loss.logits(direction)  # logits are linear: one product serves every step length
        along = partial(loss.value_along, logits, change, theta, direction)
        length, now = _line_search(along, now, (slope * direction).sum((0, 2)))
        if not (length > 0).any():  # as low as single precision can tell
            return theta, iteration
        moved = length[:, None] * direction
        theta, logits, before = theta + moved, logits + length[:, None] * change, slope
        slope = loss.gradient(logits, theta)
        steps = [*steps[1 - _MEMORY :], _Step(moved, slope - before, (moved * (slope - before)).sum((0, 2)))]
    return theta, max_iter


def decision(axes: Axes, theta: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
    """Logits ``(m, B, n_classes)`` of these rows."""
    scores = axes.scores[rows]
    return torch.einsum("nr,rbk->nbk", scores, theta[:-1]) + theta[-1]


class _Step(NamedTuple):
    """How far the coefficients moved and the gradient turned, each ``(r + 1, B, n_classes)``; their product (B,)."""

    moved: Tensor
    turned: Tensor
    product: Tensor


class _Loss:
    """Mean log loss plus penalty of every problem, as functions of coefficients ``(r + 1, B, n_classes)``."""

    def __init__(self, axes: Axes, problems: Problems, c: float) -> None:
        n, r = axes.scores.shape
        ones = axes.scores.new_ones(n, 1)
        self.points = torch.cat([axes.scores, ones], dim=1)
        self.labels = problems.labels
        self.targets = torch.nn.functional.one_hot(problems.labels, problems.n_classes).float()
        total = problems.weights.sum(0)
        self.share = problems.weights / total
        penalty = (1 / (c * total)).expand(r, -1)
        self.ridge = torch.cat([penalty, torch.zeros_like(total)[None]])[:, :, None]
        self.bound = torch.cat([axes.variances, ones[0]])[:, None, None] / 2 + self.ridge

    def zero(self) -> Tensor:
        return self.points.new_zeros(self.points.shape[1], *self.targets.shape[1:])

    def logits(self, theta: Tensor) -> Tensor:
        return (self.points @ theta.flatten(1)).view(self.targets.shape)

    def gradient(self, logits: Tensor, theta: Tensor) -> Tensor:
        residual = (logits.softmax(2) - self.targets) * self.share[:, :, None]
        return (self.points.T @ residual.flatten(1)).view(theta.shape) + self.ridge * theta

    def value(self, logits: Tensor, theta: Tensor) -> Tensor:
        losses = logits.logsumexp(2) - logits.gather(2, self.labels[:, :, None])[:, :, 0]
        penalty = (self.ridge * theta.square()).sum((0, 2), dtype=torch.float64) / 2
        return (losses * self.share).sum(0, dtype=torch.float64) + penalty

    def value_along(self, logits: Tensor, change: Tensor, theta: Tensor, direction: Tensor, length: Tensor) -> Tensor:
        return self.value(logits + length[:, None] * change, theta + length[:, None] * direction)


def _times_inverse_curvature(slope: Tensor, steps: list[_Step], bound: Tensor) -> Tensor:
    """The slope through L-BFGS's inverse Hessian, per problem (Nocedal & Wright, 2006, algorithm 7.4)."""
    result, kept = slope, []
    for step in reversed(steps):
        inverse = torch.where(step.product > 0, 1 / step.product, 0.0)  # 0: this problem did not move then
        alpha = inverse * (step.moved * result).sum((0, 2))
        result = result - alpha[:, None] * step.turned
        kept.append((step, inverse, alpha))
    gamma = slope.new_ones(slope.shape[1])
    if steps:
        size = (steps[-1].turned.square() / bound).sum((0, 2))
        gamma = torch.where((steps[-1].product > 0) & (size > 0), steps[-1].product / size, 1.0)
    result = gamma[:, None] * result / bound
    for step, inverse, alpha in reversed(kept):
        beta = inverse * (step.turned * result).sum((0, 2))
        result = result + (alpha - beta)[:, None] * step.moved
    return result


def _line_search(value: Callable[[Tensor], Tensor], now: Tensor, descent: Tensor) -> tuple[Tensor, Tensor]:
    """Per problem the first of 1, 1/2, 1/4 … that lowers the value enough, 0 where none does; and the values there.

    Args:
        value: of the ``(B,)`` step lengths.
        now: ``(B,)``, at length 0.
        descent: ``(B,)``, slope there, negative.
    """
    length = torch.ones_like(descent)
    for _ in range(_HALVINGS):
        then = value(length)
        enough = then <= now + _SUFFICIENT * length * descent
        if enough.all():
            return length, then
        length = torch.where(enough, length, length / 2)
    return torch.where(enough, length, 0.0), torch.where(enough, then, now)
