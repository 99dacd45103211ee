"""Multinomial logistic regression with an L2 penalty, for many labelings of the same points at once.

The penalty does not see a rotation of the units, so the points come in their principal axes: there the curvature is
nearly diagonal, the diagonal of it where a fit begins (Böhning, 1992, Annals of the Institute of Statistical
Mathematics 44, has its form) scales the steps, and L-BFGS (Liu & Nocedal, 1989, Mathematical Programming 45) needs few
of them. Several problems (the folds of a cross-validation, a control on shuffled labels) share every product with the
points, and a fit makes no more logits at a time than a cache holds.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.position import block_rows, centroid, variances

_NEGLIGIBLE = 1e-10
"""Share of the largest variance below which an axis is rounding."""
_MEMORY = 10
_SUFFICIENT = 1e-4
_ROUNDING = 1e-6
"""Share of a loss below which a difference may be rounding."""
_HALVINGS = 30
_LEAST_LOGIT = -60.0
"""Below the largest one: what is less likely changes no sum, and numbers near the least that there is are slow."""
_LOGITS_OF_A_PROCESSOR = 2**17
"""At a time: they stay in its cache while they are worked on."""
_COLUMNS = 2**10
"""Of coefficients at a time, of all classes of some problems: more of them push one another out of the cache."""
_LOGITS_OF_A_GPU = 2**26
_FEWEST_ROWS = 32
_RARE = 0.1
"""Points that a class counts for where the fit has none of it: its intercept has no least loss."""
_CERTAIN = 1e-6
"""The least curvature of a class's log loss that is believed, as a share of the mean class's."""


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


def standardized(points: Tensor, n_fitted: int) -> Tensor:
    """The points less the mean and by the standard deviation of the fitted ones; a constant unit becomes 0.

    Args:
        points: ``(n, d)``.
        n_fitted: the first so many are fitted.

    Returns:
        ``(n, d)`` float32.
    """
    seen = points[:n_fitted]
    mean = centroid(seen)
    deviation = variances(seen, mean).sqrt()
    least, most = torch.aminmax(seen, dim=0)
    constant = deviation <= 1e-6 * torch.maximum(most, -least)
    scale = torch.where(constant, 0.0, 1 / torch.where(constant, 1.0, deviation))
    result = torch.empty(points.shape, dtype=torch.float32, device=points.device)
    for rows in block_rows(points):
        result[rows] = ((points[rows] - mean) * scale).float()
    return result


def principal_position(points: Tensor, n_fitted: int) -> Axes:
    """The points along the principal axes of the first ``n_fitted``, without axes that are rounding."""
    principal = principal_axes(points[:n_fitted])
    keep = int((principal.variances > _NEGLIGIBLE * principal.total_variance).sum())
    scores = principal_scores(points, principal, keep, torch.float32)
    return Axes(scores, principal.variances[:keep].float())


def fit(
    axes: Axes, problems: Problems, c: float, start: Tensor | None = None, *, tolerance: float, max_iter: int = 1000
) -> tuple[Tensor, int]:
    """Minimise ``sum of log losses + |coefficients|^2 / (2 c)`` of every problem; intercepts are free.

    Args:
        axes: of the points.
        problems: what is to be told apart.
        c: inverse strength of the penalty, scikit-learn's ``C``.
        start: ``(r + 1, B, n_classes)``, from where; each class's share of the points when not given.
        tolerance: on the largest entry of the gradient of the mean loss, as scikit-learn's ``tol``.
        max_iter: steps at most.

    Returns:
        coefficients ``(r + 1, B, n_classes)`` float32, the last row the intercepts; and the number of steps.
    """
    loss = _Loss(axes, problems, c)
    theta = loss.of_shares() if start is None else start
    curvature = loss.curvature(theta)
    now, gradient = loss.at(theta)
    steps: list[_Step] = []
    for iteration in range(max_iter):
        if float(gradient.abs().max()) <= tolerance:
            return theta, iteration
        direction = -_times_inverse_curvature(gradient, steps, curvature)
        before = theta, gradient
        descent = (gradient * direction).sum((0, 2))
        theta, now, gradient = _line_search(loss, theta, direction, now, descent)
        moved, turned = theta - before[0], gradient - before[1]
        if not now.isfinite().all():
            raise FloatingPointError("the points or their weights are not finite")
        if not moved.any():  # as low as single precision can tell
            return theta, iteration
        steps = [*steps[1 - _MEMORY :], _Step(moved, turned, (moved * turned).sum((0, 2)))]
    return theta, max_iter


def decision(axes: Axes, theta: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
    """Logits ``(m, B, n_classes)`` of these rows."""
    scores = axes.scores[rows]
    return torch.einsum("nr,rbk->nbk", scores, theta[:-1]) + theta[-1]


def predicted(axes: Axes, theta: Tensor) -> Tensor:
    """The class that each problem names for each point: ``(n, B)`` int64."""
    parts = torch.arange(len(axes.scores), device=theta.device).split(_rows_at_a_time(theta))
    return torch.cat([decision(axes, theta, rows).argmax(2) for rows in parts])


class _Step(NamedTuple):
    """How far the coefficients moved and the gradient turned, each ``(r + 1, B, n_classes)``; their product (B,)."""

    moved: Tensor
    turned: Tensor
    product: Tensor


class _Loss:
    """Mean log loss plus penalty of every problem, as functions of coefficients ``(r + 1, B, n_classes)``."""

    def __init__(self, axes: Axes, problems: Problems, c: float) -> None:
        n, r = axes.scores.shape
        self.points = torch.cat([axes.scores, axes.scores.new_ones(n, 1)], dim=1)
        self.labels = problems.labels[:, :, None]
        self.weights = problems.weights
        self.n_classes = problems.n_classes
        self.total = problems.weights.sum(0)
        self.share = (problems.weights / self.total)[:, :, None]
        penalty = (1 / (c * self.total)).expand(r, -1)
        self.ridge = torch.cat([penalty, torch.zeros_like(self.total)[None]])[:, :, None]
        self.variances = torch.cat([axes.variances, axes.variances.new_ones(1)])[:, None, None]

    def of_shares(self) -> Tensor:
        """Where no point tells anything: intercepts that give each class its share of the points, and nothing else."""
        theta = self.points.new_zeros(self.points.shape[1], len(self.total), self.n_classes)
        count = theta.new_zeros(theta.shape[1:]).scatter_add_(1, self.labels[:, :, 0].T, self.weights.T)
        theta[-1] = (count.clamp(min=_RARE) / self.total[:, None]).log()
        return theta

    def at(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The value of every problem ``(B,)``, float64, and its gradient, like ``theta``."""
        value = (self.ridge * theta * theta).sum((0, 2), dtype=torch.float64) / 2
        gradients = []
        for some in self._few_problems():
            gradient = theta.new_zeros(len(theta), theta[0, some].numel())
            for points, labels, share, logits in self._parts(theta[:, some], some):
                logits -= logits.amax(2, keepdim=True)
                of_label = logits.gather(2, labels)
                odds = logits.clamp_(min=_LEAST_LOGIT).exp_()
                total = odds.sum(2, keepdim=True)
                value[some] += ((total.log() - of_label) * share).sum((0, 2), dtype=torch.float64)
                residual = odds.mul_(share / total).scatter_add_(2, labels, -share)
                gradient.addmm_(points.T, residual.flatten(1))
            gradients.append(gradient.view_as(theta[:, some]))
        return value, torch.cat(gradients, 1) + self.ridge * theta

    def curvature(self, theta: Tensor) -> Tensor:
        """The Hessian's diagonal, as if points of all classes had the same variance along an axis: like ``theta``."""
        doubt = theta.new_zeros(theta.shape[1:])
        for some in self._few_problems():
            for _, _, share, logits in self._parts(theta[:, some], some):
                probability = logits.softmax(2)
                doubt[some] += (probability * (1 - probability) * share).sum(0)
        least = _CERTAIN * doubt.mean(1, keepdim=True) + torch.finfo(doubt.dtype).tiny
        return self.variances * torch.maximum(doubt, least) + self.ridge

    def _few_problems(self) -> Iterator[slice]:
        """Some problems after the other: as many as a product is good for."""
        step = max(1, (_COLUMNS if self.points.device.type == "cpu" else _LOGITS_OF_A_GPU) // self.n_classes)
        return (slice(first, first + step) for first in range(0, len(self.total), step))

    def _parts(self, theta: Tensor, some: slice) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Points, labels, shares and new logits ``(rows, B, n_classes)`` of some rows after the other."""
        rows = _rows_at_a_time(theta)
        columns = theta.flatten(1)
        of_rows = (self.points.split(rows), self.labels[:, some].split(rows), self.share[:, some].split(rows))
        for points, labels, share in zip(*of_rows, strict=True):
            yield points, labels, share, (points @ columns).view(-1, *theta.shape[1:])


def _rows_at_a_time(theta: Tensor) -> int:
    most = _LOGITS_OF_A_PROCESSOR if theta.device.type == "cpu" else _LOGITS_OF_A_GPU
    return max(_FEWEST_ROWS, most // theta[0].numel())


def _times_inverse_curvature(gradient: Tensor, steps: list[_Step], curvature: Tensor) -> Tensor:
    """The gradient through L-BFGS's inverse Hessian, per problem (Nocedal & Wright, 2006, algorithm 7.4).

    Args: gradient, steps so far, and the Hessian's diagonal that it begins with, like the gradient.
    """
    result, kept = gradient, []
    for step in reversed(steps):
        inverse = torch.where(step.product > 0, 1 / step.product, 0.0)  # 0: this problem did not move then
        alpha = inverse * (step.moved * result).sum((0, 2))
        result = result - alpha[:, None] * step.turned
        kept.append((step, inverse, alpha))
    gamma = gradient.new_ones(gradient.shape[1])
    if steps:
        size = (steps[-1].turned.square() / curvature).sum((0, 2))
        gamma = torch.where((steps[-1].product > 0) & (size > 0), steps[-1].product / size, 1.0)
    result = gamma[:, None] * result / curvature
    for step, inverse, alpha in reversed(kept):
        beta = inverse * (step.turned * result).sum((0, 2))
        result = result + (alpha - beta)[:, None] * step.moved
    return result


def _line_search(
    loss: _Loss, theta: Tensor, direction: Tensor, now: Tensor, descent: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Go per problem the first of 1, 1/2, 1/4 … of the way that lowers the value enough, nowhere where none does.

    Where rounding hides what is gained, the slope tells it, which single precision knows better than the value: the
    approximate condition of Hager & Zhang (2005), SIAM Journal on Optimization 16.

    Args:
        loss: what is to be lowered.
        theta: from where.
        direction: whereto.
        now: ``(B,)``, the value there.
        descent: ``(B,)``, the slope along the way, negative.

    Returns:
        Coefficients, values and gradients in the end.
    """
    length = torch.ones_like(descent)
    for _ in range(_HALVINGS):
        there = theta + length[:, None] * direction
        value, gradient = loss.at(there)
        gained = value <= now + _SUFFICIENT * length * descent
        turned_little = (gradient * direction).sum((0, 2)) <= (2 * _SUFFICIENT - 1) * descent
        enough = gained | (turned_little & (value <= now + _ROUNDING * now.abs()))
        if enough.all():
            return there, value, gradient
        length = torch.where(enough, length, length / 2)
    there = theta + torch.where(enough, length, 0.0)[:, None] * direction
    return there, *loss.at(there)
