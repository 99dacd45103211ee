"""What training minimises: cross-entropy or focal loss, with class weights and label smoothing."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repviz.errors import UserError

Loss = Literal["cross_entropy", "focal"]


class CrossEntropyLoss(nn.CrossEntropyLoss):
    """Cross-entropy of ``(n, n_classes)`` logits and ``(n,)`` labels, averaged as torch does it.

    The mean is weighted: with class weights w it divides by the sum of w[label], not by n.
    """

    def normalizer(self, labels: Tensor) -> Tensor | int:
        """What the mean over ``labels`` divided by: sum of w[label], or n without class weights."""
        return _normalizer(self.weight, labels)


class FocalLoss(nn.Module):
    """Focal loss (Lin et al., 2017): cross-entropy in which well-classified rows count less.

    With probabilities p, class weights w, K classes and smoothed targets q (1 - s at the label, plus s / K at every
    class), a row's loss is ``sum_c q_c w_c (1 - p_c)^gamma (-log p_c)``; without smoothing that is the paper's
    ``w_y (1 - p_y)^gamma (-log p_y)``. The mean divides by the sum of w[label], as torch's cross-entropy does, so
    that gamma = 0 is that cross-entropy, with weights and smoothing too.
    """

    weight: Tensor | None

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.label_smoothing = label_smoothing
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss, a scalar, of logits ``(n, n_classes)`` and labels ``(n,)``; in float32 or wider."""
        log_p = F.log_softmax(logits, dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
        at_label = self._terms(log_p.gather(1, labels[:, None])[:, 0], None if self.weight is None else labels)
        total = (1 - self.label_smoothing) * at_label.sum()
        if self.label_smoothing > 0:
            total = total + self.label_smoothing / logits.shape[1] * self._terms(log_p, slice(None)).sum()
        return total / self.normalizer(labels)

    def normalizer(self, labels: Tensor) -> Tensor | int:
        """What the mean over ``labels`` divided by: sum of w[label], or n without class weights."""
        return _normalizer(self.weight, labels)

    def _terms(self, log_p: Tensor, classes: Tensor | slice | None) -> Tensor:
        # The floor keeps the gradient finite at p = 1 for gamma < 1, where the power's derivative is infinite.
        miss = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
        terms = -(miss**self.gamma) * log_p
        return terms if self.weight is None else terms * self.weight[classes]


def make_criterion(
    loss: Loss = "cross_entropy",
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> CrossEntropyLoss | FocalLoss:
    """The criterion ``(logits, labels) -> mean loss`` that the settings name.

    Args:
        loss: ``cross_entropy`` or ``focal``.
        gamma: focusing strength of the focal loss, 0 or more; the cross-entropy does not use it.
        label_smoothing: in [0, 1), the share of the target spread evenly over all classes.
        class_weights: ``(n_classes,)`` finite weights, 0 or more; kept as a buffer, so that it moves with the module.

    Raises:
        UserError: a setting is out of its range.
    """
    if loss not in get_args(Loss):
        raise UserError(f"model.loss is {loss!r}: choose one of {', '.join(get_args(Loss))}")
    if not 0 <= gamma < float("inf"):
        raise UserError(f"model.focal_gamma is {gamma}: the focal loss needs a finite number, 0 or more (2 is usual)")
    if not 0 <= label_smoothing < 1:
        raise UserError(
            f"model.label_smoothing is {label_smoothing}: it is a share from 0 to below 1, where no label would count "
            "any more (0.1 is usual)"
        )
    if class_weights is not None:
        class_weights = _checked_weights(class_weights)
    if loss == "focal":
        return FocalLoss(gamma, class_weights, label_smoothing)
    return CrossEntropyLoss(weight=class_weights, label_smoothing=label_smoothing)


def balanced_class_weights(counts: Tensor) -> Tensor:
    """Weights ``n / (n_present * count)`` per class, scikit-learn's ``compute_class_weight("balanced")``.

    A class without rows does not count as present and gets weight 1, the mean weight of a row, so that rows of it
    in other splits have a finite loss.

    Args:
        counts: ``(n_classes,)`` training rows per class.

    Returns:
        ``(n_classes,)`` float32.
    """
    counts = counts.to(torch.float64)
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp_min(1))
    return torch.where(present, weights, 1.0).float()


def _normalizer(weight: Tensor | None, labels: Tensor) -> Tensor | int:
    return labels.numel() if weight is None else weight[labels].sum()


def _checked_weights(class_weights: Tensor) -> Tensor:
    if class_weights.ndim != 1:
        raise UserError(
            f"model.class_weights has shape {tuple(class_weights.shape)}: give one weight per class, (n_classes,)"
        )
    if not torch.isfinite(class_weights).all() or (class_weights < 0).any() or not (class_weights > 0).any():
        raise UserError(
            f"model.class_weights is {class_weights.tolist()}: weights must be finite, 0 or more, and not all 0"
        )
    return class_weights if class_weights.is_floating_point() else class_weights.float()
