"""How the network comes to terms with each point's label, over the epochs of training: which labels look wrong.

Forgetting events: Toneva et al. (2019), arXiv:1812.05159. Area under the margin: Pleiss et al. (2020),
arXiv:2001.10528. Dataset cartography (mean and spread of the confidence): Swayamdipta et al. (2020), arXiv:2009.10795.
That a network learns the right labels before it memorises wrong ones: Arpit et al. (2017), arXiv:1706.05394.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.forward import predicted_logits
from repviz.diagnostics.layers import TRAIN
from repviz.diagnostics.prediction import row_losses
from repviz.errors import UserError
from repviz.snapshot import Sample, Snapshot

VARIABLES: dict[str, tuple[str, str]] = {
    "loss": ("loss of the point alone at this epoch", "of the criterion"),
    "confidence": ("probability of the label at this epoch", "1"),
    "correct": ("1: the predicted class is the label at this epoch", "1"),
    "learned": ("1: it was predicted right at a trained epoch", "1"),
    "forgetting": ("times that it was predicted wrong after having been right", "events"),
    "surprise": ("mean of -log(probability of the label) over trained epochs", "nat"),
    "margin_area": ("mean of the label's logit over the largest other one, over trained epochs", "logit"),
    "mean_confidence": ("mean probability of the label over trained epochs", "1"),
    "variability": ("standard deviation of the label's probability over trained epochs", "1"),
    "suspicion": ("how much the label looks wrong, 0 to 1; 0.5: as surprising as a guess among all classes", "1"),
}
"""Long name and units of what is followed; on ``sample``, and with ``train_`` before it on ``row``."""


class Seen(NamedTuple):
    """What the network makes of each label at one epoch; all ``(n,)`` float64, NaN where there is no class.

    Attributes:
        surprise: -log of the label's probability.
        confidence: the label's probability.
        margin: the label's logit less the largest other one.
        correct: 1 or 0.
    """

    surprise: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    correct: np.ndarray


@dataclass(frozen=True)
class Course:
    """Running statistics of points over the ``epochs`` trained epochs that were looked at; all ``(n,)``.

    Attributes:
        epochs: how many.
        surprise: mean of ``Seen.surprise``.
        margin_area: mean of ``Seen.margin``.
        mean_confidence: mean of ``Seen.confidence``.
        variability: its standard deviation, over all epochs (not an estimate from them).
        learned: 1 where the point was ever right, 0 where not.
        forgetting: how often it was wrong at a look when it had been right at the one before.
        correct: of the last look.
    """

    epochs: int
    surprise: np.ndarray
    margin_area: np.ndarray
    mean_confidence: np.ndarray
    variability: np.ndarray
    learned: np.ndarray
    forgetting: np.ndarray
    correct: np.ndarray


@dataclass(frozen=True)
class Dynamics(Diagnostic):
    """Loss, confidence, forgetting and margin of every training point over the epochs, and which labels look wrong.

    Attributes:
        suspects: how many of the most suspect training points the table lists.
    """

    kind: ClassVar[str] = "dynamics"
    version: ClassVar[int] = 1
    chain: ClassVar[Literal["none", "first", "previous", "both"]] = "previous"
    key_variables: ClassVar[tuple[str, ...]] = (
        "train_loss",
        "train_correct",
        "train_suspicion",
        "train_learned",
        "train_forgetting",
    )

    suspects: int = 50

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.suspects < 1:
            raise UserError(f"dynamics.suspects must be 1 or more; it is {self.suspects!r}")

    def key_numbers(self, dataset: xr.Dataset) -> dict[str, float]:
        """Over the followed rows that have a class: what is counted is -1 where there is none."""
        counts = {name: dataset[name] for name in ("train_learned", "train_forgetting")}
        return super().key_numbers(dataset.assign({name: count.where(count >= 0) for name, count in counts.items()}))

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The course of the points of the sample and of all training rows up to this epoch.

        The untrained network has no part in the course: at epoch 0 there are only loss, confidence and correctness.
        Where the snapshot does not come with the whole training set (or without the model), the sample's train
        points are followed in its place; the attribute ``followed`` says so.

        Raises:
            FloatingPointError: logits are NaN or infinite.
            ValueError: the earlier dataset is of other points.
        """
        followed, rows, logits, labels = _training_rows(snapshot)
        on_sample = _double(snapshot.logits, snapshot.epoch), torch.from_numpy(snapshot.sample.labels)
        on_rows = _double(logits, snapshot.epoch), labels
        parts: dict[str, Any] = {}
        for prefix, dim, points in (("", "sample", on_sample), ("train_", "row", on_rows)):
            seen = seen_at(*points)
            course = course_of(earlier.previous, prefix, dim, len(points[1]))
            if snapshot.epoch > 0:
                course = advanced(course, seen)
            losses = _losses(snapshot, *points)
            parts |= _variables(prefix, dim, seen, course, losses, snapshot.logits.shape[1])
        parts |= _labels(snapshot.sample, labels)
        parts |= self._table(snapshot.sample, rows, *on_rows, parts["train_suspicion"][1])
        row = xr.Variable("row", rows, {"long_name": "row of the training split", "units": "index"})
        return xr.Dataset(parts, {"row": row}, {"followed": followed, "trained_epochs": course.epochs})

    def _table(
        self, sample: Sample, rows: np.ndarray, logits: Tensor, labels: Tensor, suspicion: np.ndarray
    ) -> dict[str, Any]:
        """The most suspect training rows, most suspect first; beyond those that there are -1 and NaN."""
        size = min(self.suspects, len(rows))
        chosen = most_suspect(suspicion, size)
        in_sample = {row: i for i, row in enumerate(sample.index.tolist()) if sample.split[i] == TRAIN}
        place = np.array([in_sample.get(row, -1) for row in rows[chosen].tolist()], np.int32)
        others = logits.scatter(1, labels.clamp_min(0)[:, None], -torch.inf)
        table = {
            "row": (rows[chosen], -1, "row of the training split", "index"),
            "label": (labels.numpy()[chosen].astype(np.int16), -1, "its label", "index"),
            "predicted": (logits.argmax(1).numpy()[chosen].astype(np.int16), -1, "its predicted class", "index"),
            "rival": (others.argmax(1).numpy()[chosen].astype(np.int16), -1, "likeliest other class", "index"),
            "suspicion": (suspicion[chosen], np.nan, "how much its label looks wrong", "1"),
            "id": (
                np.array([sample.ids[i] if i >= 0 else "" for i in place], str),
                "",
                "its id, where it is in the sample",
                "name",
            ),
            "sample": (place, -1, "its number in the sample; -1: it is not in it", "index"),
        }
        found: dict[str, Any] = {}
        for name, (values, nothing, text, units) in table.items():
            padded = np.full(size, nothing, values.dtype)
            padded[: len(chosen)] = values
            found[f"suspect_{name}"] = ("suspect", padded, {"long_name": text, "units": units})
        return found


def seen_at(logits: Tensor, labels: Tensor) -> Seen:
    """What the network makes of each label at one epoch.

    Args:
        logits: ``(n, n_classes)`` float64.
        labels: ``(n,)`` int64; -1 = no class.
    """
    at = labels.clamp_min(0)[:, None]
    log_p = logits.log_softmax(1).gather(1, at)[:, 0]
    margin = logits.gather(1, at)[:, 0] - logits.scatter(1, at, -torch.inf).amax(1)
    correct = (logits.argmax(1) == labels).double()
    found = torch.stack([-log_p, log_p.exp(), margin, correct])
    return Seen(*torch.where(labels >= 0, found, torch.nan).numpy())


def advanced(course: Course, seen: Seen) -> Course:
    """The course with one more trained epoch (means and standard deviation by Welford's recurrence)."""
    n = course.epochs + 1
    mean = course.mean_confidence + (seen.confidence - course.mean_confidence) / n
    off, off_now = seen.confidence - course.mean_confidence, seen.confidence - mean
    squares = course.epochs * course.variability**2 + off * off_now
    right = seen.correct == 1
    forgotten = (course.correct == 1) & (seen.correct == 0)
    return Course(
        epochs=n,
        surprise=course.surprise + (seen.surprise - course.surprise) / n,
        margin_area=course.margin_area + (seen.margin - course.margin_area) / n,
        mean_confidence=mean,
        variability=np.sqrt(squares / n),
        learned=np.maximum(course.learned, right),
        forgetting=course.forgetting + forgotten,
        correct=seen.correct,
    )


def suspicion_of(surprise: np.ndarray, n_classes: int) -> np.ndarray:
    """``s / (s + log n_classes)`` of the mean surprise s in nat: 0 where none, 0.5 at that of a guess, 1 at infinity.

    The mean of -log p is the choice because it stays with what the network made of a label *before* it memorised
    it: a memorised epoch adds next to nothing, whereas margins go on growing with the logits.
    """
    return surprise / (surprise + np.log(n_classes))


def most_suspect(suspicion: np.ndarray, size: int) -> np.ndarray:
    """Up to ``size`` points of highest suspicion, highest first, without those that have none (NaN)."""
    order = np.argsort(-suspicion, kind="stable")  # NaN sorts last
    return order[: min(size, int(np.isfinite(suspicion).sum()))]


def course_of(previous: xr.Dataset | None, prefix: str, dim: str, n: int) -> Course:
    """The course that an earlier dataset of this kind has got to; an empty one before the first trained epoch.

    Raises:
        ValueError: it is of another number of points.
    """
    if previous is not None and previous.sizes[dim] != n:
        raise ValueError(f"the previous dynamics follow {previous.sizes[dim]} points ({dim}), this snapshot {n}")
    if previous is None or not previous.attrs["trained_epochs"]:
        return Course(0, *np.zeros((7, n)))
    names = ("surprise", "margin_area", "mean_confidence", "variability", "learned", "forgetting", "correct")
    values = (previous[prefix + name].values.astype(np.float64) for name in names)
    return Course(int(previous.attrs["trained_epochs"]), *values)


def _variables(
    prefix: str, dim: str, seen: Seen, course: Course, losses: np.ndarray, n_classes: int
) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Everything in ``VARIABLES``, small: float32, and whole numbers with -1 for a point without a class."""
    mean = {
        "surprise": course.surprise,
        "margin_area": course.margin_area,
        "mean_confidence": course.mean_confidence,
        "variability": course.variability,
        "suspicion": suspicion_of(course.surprise, n_classes),
    }
    found = {"loss": losses, "confidence": seen.confidence, "correct": seen.correct}
    found |= {name: values if course.epochs else np.full(len(values), np.nan) for name, values in mean.items()}
    found = {name: values.astype(np.float32) for name, values in found.items()}
    has_class = np.isfinite(seen.correct)
    found["learned"] = np.where(has_class, course.learned, -1).astype(np.int8)
    found["forgetting"] = np.where(has_class, course.forgetting, -1).astype(np.int16)
    without = {name: "NaN" if values.dtype.kind == "f" else "-1" for name, values in found.items()}
    return {
        prefix + name: (dim, found[name], {"long_name": f"{text}; {without[name]}: no class", "units": units})
        for name, (text, units) in VARIABLES.items()
    }


def _labels(sample: Sample, train_labels: Tensor) -> dict[str, Any]:
    index, none = {"units": "index"}, "class; -1: none of them"
    return {
        "label": ("sample", sample.labels, index | {"long_name": none}),
        "split": ("sample", sample.split, index | {"long_name": "0 train, 1 val, 2 excluded"}),
        "train_label": ("row", train_labels.numpy().astype(np.int16), index | {"long_name": none}),
        "class_name": ("class", np.array(sample.classes, str), {"long_name": "name of the class", "units": "name"}),
    }


def _training_rows(snapshot: Snapshot) -> tuple[str, np.ndarray, Tensor, Tensor]:
    """Who is followed, their rows in the training split int32, logits ``(n, n_classes)`` and labels ``(n,)``."""
    rows = snapshot.whole.get("train")
    if snapshot.model is not None and rows is not None:
        numbers = np.arange(len(rows.labels), dtype=np.int32)
        return "whole training set", numbers, predicted_logits(snapshot.model, rows.inputs), rows.labels.cpu()
    sample = snapshot.sample
    index = np.flatnonzero(sample.split == TRAIN)
    labels = torch.from_numpy(sample.labels[index])
    logits = snapshot.logits.cpu()[torch.from_numpy(index)]
    return "train points of the sample", sample.index[index].astype(np.int32), logits, labels


def _losses(snapshot: Snapshot, logits: Tensor, labels: Tensor) -> np.ndarray:
    losses = torch.full((len(labels),), torch.nan)
    if snapshot.criterion is not None:
        there = labels >= 0
        device = snapshot.logits.device  # where the criterion's class weights are
        there_losses = row_losses(snapshot.criterion, logits[there].float().to(device), labels[there].to(device))
        losses[there] = there_losses.cpu()
    return losses.numpy()


def _double(logits: Tensor, epoch: int) -> Tensor:
    """On the CPU in double precision.

    Raises:
        FloatingPointError: they are not finite: a mean over epochs would never be a number again.
    """
    bad = int((~torch.isfinite(logits).all(1)).sum())
    if bad:
        raise FloatingPointError(
            f"logits are NaN or infinite for {bad} of {len(logits)} points at epoch {epoch}: training has diverged "
            "(a lower learning rate or gradient clipping may help)"
        )
    return logits.detach().cpu().double()
