"""Accuracy, macro F1, confidence-weighted F1 and mean loss, kept as sums: exact for any batches and any ranks.

Nothing here waits for the device before ``compute``, and low-precision logits are widened to float32 first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric


class Tally(NamedTuple):
    """What the classification scores need to know about a set of rows; tallies of disjoint rows add up.

    Attributes:
        confusion: ``(n_classes, n_classes)`` int64 rows by label and predicted class.
        confidence: ``(3, n_classes)`` float64, per class c the sum of the predicted probability of c over its true
            positives, its false positives and its false negatives.
    """

    confusion: Tensor
    confidence: Tensor


def tally(logits: Tensor, labels: Tensor) -> Tally:
    """Tally of logits ``(n, n_classes)`` and labels ``(n,)`` in 0 … n_classes - 1."""
    n_classes = logits.shape[1]
    logits = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))
    top, predicted = logits.max(dim=1)
    log_norm = logits.logsumexp(dim=1)
    p_predicted = (top - log_norm).exp().double()
    p_label = (logits.gather(1, labels[:, None])[:, 0] - log_norm).exp().double()
    hit = predicted == labels
    # scatter_add_ rather than bincount: the latter makes the host wait for the device.
    confusion = torch.zeros(n_classes**2, dtype=torch.int64, device=logits.device)
    confusion.scatter_add_(0, labels * n_classes + predicted, torch.ones_like(labels))
    confidence = torch.zeros(3, n_classes, dtype=torch.float64, device=logits.device)
    confidence[0].scatter_add_(0, labels, p_label * hit)
    confidence[1].scatter_add_(0, predicted, p_predicted * ~hit)
    confidence[2].scatter_add_(0, labels, p_label * ~hit)
    return Tally(confusion.view(n_classes, n_classes), confidence)


def accuracy(counts: Tally) -> Tensor:
    """Share of rows whose predicted class is their label, in [0, 1]; NaN without rows."""
    return counts.confusion.diagonal().sum().double() / counts.confusion.sum()


def f1_macro(counts: Tally) -> Tensor:
    """Mean F1 over the classes present, in [0, 1], as scikit-learn's ``f1_score(average="macro")``; NaN without rows.

    Present is a class that some row has as its label or as its prediction.
    """
    labelled, predicted = counts.confusion.sum(1), counts.confusion.sum(0)
    f1 = 2 * counts.confusion.diagonal().double() / (labelled + predicted).clamp_min(1)
    present = labelled + predicted > 0
    return (f1 * present).sum() / present.sum()


def f1_confidence(counts: Tally) -> Tensor:
    """Confidence-weighted F1, in [0, 1]; ``ConfidenceWeightedF1`` says what it is. NaN without rows."""
    true_positive, false_positive, false_negative = counts.confidence
    denominator = 2 * true_positive + false_positive + false_negative
    # A present class whose probabilities all underflow to zero has no true positive either: its F1 is 0.
    f1 = torch.where(denominator == 0, 0.0, 2 * true_positive / denominator)
    support = counts.confusion.sum(1)
    present = support + counts.confusion.sum(0) > 0
    macro = (f1 * present).sum() / present.sum()
    weighted = (f1 * support).sum() / support.sum()
    return torch.maximum(macro, weighted)


class _TallyMetric(Metric):
    """A metric whose state is a tally."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    confusion: Tensor
    confidence: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.add_state("confusion", torch.zeros(n_classes, n_classes, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("confidence", torch.zeros(3, n_classes, dtype=torch.float64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Self:
        # Sums keep their dtype when the model around them is cast (to bfloat16, say); only the device follows.
        return super()._apply(lambda tensor: tensor.to(fn(tensor).device), *args, **kwargs)

    def _add(self, counts: Tally) -> None:
        # Not in place: a state made under inference_mode could not be changed in place outside of it.
        self.confusion = self.confusion + counts.confusion
        self.confidence = self.confidence + counts.confidence

    @property
    def counts(self) -> Tally:
        """The tally of all rows seen."""
        return Tally(self.confusion, self.confidence)


class ConfidenceWeightedF1(_TallyMetric):
    """F1 in which every row counts as much as the model believes in the class at hand.

    Let p_i(c) be the softmax probability of class c at row i, y_i its label and ŷ_i the class of highest probability.
    For each class c, the sum of p_i(c) is taken over

    - the true positives, rows with y_i = c and ŷ_i = c;
    - the false positives, rows with y_i ≠ c and ŷ_i = c;
    - the false negatives, rows with y_i = c and ŷ_i ≠ c;

    and F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c). So a confident error costs the predicted class more than a hesitant one
    does, and the missed class less: the score is no measure of calibration, and lies above the plain F1 where missed
    classes get little probability. Reported is the larger of the macro mean and the mean weighted by the number of
    rows with each label. The macro mean is over the classes that occur as a label or as a prediction (as in
    scikit-learn and torchmetrics); one that is only ever predicted counts with F1 = 0.
    """

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add rows: logits ``(n, n_classes)``, labels ``(n,)`` int64 in 0 … n_classes - 1."""
        self._add(tally(logits, labels))

    def compute(self) -> Tensor:
        """The score of all rows, over all ranks: a float64 scalar in [0, 1]."""
        return f1_confidence(self.counts)


class EvaluationMetrics(_TallyMetric):
    """All that validation reports, from one pass: mean loss, accuracy, macro F1, confidence-weighted F1."""

    loss_sum: Tensor
    loss_weight: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__(n_classes)
        self.add_state("loss_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("loss_weight", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, labels: Tensor, loss: Tensor, weight: Tensor | int) -> None:
        """Add rows.

        Args:
            logits: ``(n, n_classes)``.
            labels: ``(n,)`` int64 in 0 … n_classes - 1.
            loss: mean loss of these rows, a scalar.
            weight: what that mean divided by, the criterion's ``normalizer(labels)``: n without class weights.
        """
        self._add(tally(logits, labels))
        total = loss.detach().double() * weight
        if isinstance(weight, Tensor):
            # Rows whose classes all weigh nothing have the mean loss 0 / 0.
            total = torch.where(weight > 0, total, 0.0)
        self.loss_sum = self.loss_sum + total
        self.loss_weight = self.loss_weight + weight

    def compute(self) -> dict[str, Tensor]:
        """``loss``, ``accuracy``, ``f1_macro``, ``f1_confidence`` of all rows, over all ranks: float64 scalars."""
        return {
            "loss": self.loss_sum / self.loss_weight,
            "accuracy": accuracy(self.counts),
            "f1_macro": f1_macro(self.counts),
            "f1_confidence": f1_confidence(self.counts),
        }


class TrainingTally:
    """Mean loss, accuracy and gradient norm of an epoch's training steps, at a few microseconds per step.

    Args:
        device: where the steps run; the sums live there until ``compute``.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._loss, self._weight, self._hits, self._norm = (
            torch.zeros((), dtype=torch.float64, device=device) for _ in range(4)
        )
        self._rows = 0
        self._steps: int | Tensor = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor, weight: Tensor | int) -> None:
        """Add one step's rows; the arguments are those of ``EvaluationMetrics.update``."""
        self._loss.add_(loss.detach() * weight)
        self._weight.add_(weight)
        self._hits.add_((logits.detach().argmax(dim=1) == labels).count_nonzero())
        self._rows += len(labels)

    def add_gradient_norm(self, norm: Tensor, scale: Tensor | None = None) -> None:
        """Add one step's gradient norm, a scalar.

        Args:
            norm: of the gradients as they are.
            scale: what the loss was multiplied by, of a step that is left out where the gradients overflow.
        """
        if scale is None:
            self._norm.add_(norm.detach())
            self._steps += 1
            return
        taken = norm.isfinite()
        self._norm.add_(torch.where(taken, norm / scale, 0.0))
        self._steps = self._steps + taken

    def compute(self) -> dict[str, float]:
        """``loss``, ``accuracy`` and ``grad_norm`` (mean per step) over all ranks; NaN where nothing was added.

        Under ``torch.distributed`` it is a collective: every rank must call it.
        """
        counts = torch.tensor([self._rows, int(self._steps)], dtype=torch.float64, device=self._loss.device)
        sums = torch.cat((torch.stack((self._loss, self._weight, self._hits, self._norm)), counts))
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(sums)
        loss, weight, hits, norm, rows, steps = sums.tolist()
        return {
            "loss": loss / weight if weight else float("nan"),
            "accuracy": hits / rows if rows else float("nan"),
            "grad_norm": norm / steps if steps else float("nan"),
        }

    def reset(self) -> None:
        """Forget all steps."""
        for total in (self._loss, self._weight, self._hits, self._norm):
            total.zero_()
        self._rows = self._steps = 0
