"""What the network says between two points: class probabilities along the straight line from one input to another.

Few class switches between points of one class speak for regions that hang together: Fawzi, Moosavi-Dezfooli, Frossard
& Soatto (2018), CVPR; between classes the line is that of mixup: Zhang et al. (2018), arXiv:1710.09412.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.forward import predicted_logits, required_model
from repviz.errors import UserError
from repviz.snapshot import SPLIT_NAMES, Sample, Snapshot

RELATIONS = ("same class", "different class")
BAND = (0.1, 0.9)
"""Quantiles over pairs between which the band lies."""
_EXCLUDED = SPLIT_NAMES.index("excluded")


@dataclass(frozen=True)
class Interpolation(Diagnostic):
    """Class probabilities along straight lines between pairs of points, of one class and of two.

    Attributes:
        pairs: how many; half of them of one class, as far as there are such pairs.
        steps: points along each line, both ends included.
        seed: of the choice of pairs.
    """

    kind: ClassVar[str] = "interpolation"
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("switches",)

    pairs: int = 64
    steps: int = 33
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        for name, least in (("pairs", 1), ("steps", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"interpolation.{name} must be {least} or more; it is {getattr(self, name)!r}")

    def fixed(self, sample: Sample) -> dict[str, xr.Variable]:
        """The pairs."""
        _, pairs, _ = self._pairs(sample)
        return {"pair_index": xr.Variable(("pair", "end"), pairs, {"long_name": "point of the sample at either end"})}

    def _pairs(self, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels by which pairs are chosen, the pairs, and whether each is of one class."""
        labels = np.where(sample.split == _EXCLUDED, -1, sample.labels)
        return labels, *choose_pairs(labels, self.pairs, self.seed)

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The lines of one epoch; no pair at all where fewer than two points have a class.

        Raises:
            UserError: the snapshot comes without the model, or an input is not made of real numbers.
        """
        model = required_model(snapshot, self.kind)
        sample = snapshot.sample
        labels, pairs, same = self._pairs(sample)
        t = np.linspace(0, 1, self.steps)
        probability = line_probabilities(model, sample.inputs, pairs, t, len(sample.classes))
        ends = end_probabilities(probability, labels[pairs])
        mean, low, high = bands(ends, same)
        names = (
            ("probability", ("pair", "t", "class"), probability, "probability of the class", "1"),
            ("pair_index", ("pair", "end"), pairs, "point of the sample at either end", "index"),
            ("pair_label", ("pair", "end"), labels[pairs], "class of the point at either end", "index"),
            ("same_class", ("pair",), same, "both ends are of one class", "1"),
            ("switches", ("pair",), class_switches(probability), "changes of the predicted class", "switches"),
            ("mean", ("relation", "end", "t"), mean, "probability of the end's class, mean over pairs", "1"),
            ("low", ("relation", "end", "t"), low, f"its {BAND[0]:.0%} quantile over pairs", "1"),
            ("high", ("relation", "end", "t"), high, f"its {BAND[1]:.0%} quantile over pairs", "1"),
            ("class_name", ("class",), np.array(sample.classes, dtype=str), "name of the class", "name"),
        )
        axis = {"long_name": "way along the line", "units": "1"}
        return xr.Dataset(
            {name: (dims, values, {"long_name": text, "units": units}) for name, dims, values, text, units in names},
            {"t": ("t", t, axis), "relation": np.array(RELATIONS), "end": np.array(["start", "end"])},
        )


def choose_pairs(labels: np.ndarray, n_pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of points, half of one class and half of two, the classes and pairs of classes taken in turn.

    No two pairs are the same two points. Where one kind runs out, the other makes up for it.

    Args:
        labels: ``(n,)``; points with -1 are left out.
        n_pairs: wanted; fewer come where there are no more.
        seed: of the choice.

    Returns:
        rows of the points at either end ``(m, 2)`` int64, and whether they are of one class ``(m,)`` bool; those of
        one class come first.
    """
    generator = np.random.default_rng(seed)
    members = [generator.permutation(np.flatnonzero(labels == k)) for k in np.unique(labels[labels >= 0])]
    alike = [_within(points) for points in members]
    unlike = [_between(one, other) for one, other in combinations(members, 2)]
    of_one = _in_turn([alike[i] for i in generator.permutation(len(alike))])
    of_two = _in_turn([unlike[i] for i in generator.permutation(len(unlike))])
    same = _take(of_one, n_pairs // 2)
    different = _take(of_two, n_pairs - len(same))
    same += _take(of_one, n_pairs - len(same) - len(different))
    pairs = np.array(same + different, dtype=np.int64).reshape(-1, 2)
    turned = generator.random(len(pairs)) < 0.5
    pairs[turned] = pairs[turned, ::-1]
    return pairs, np.arange(len(pairs)) < len(same)


def line_probabilities(
    model: nn.Module, inputs: tuple[Tensor, ...], pairs: np.ndarray, t: np.ndarray, n_classes: int
) -> np.ndarray:
    """Softmax probabilities ``(n_pairs, n_steps, n_classes)`` float32 on the lines; all inputs move together.

    Args:
        model: in eval mode.
        inputs: of the sample, each ``(n, ...)``.
        pairs: ``(n_pairs, 2)`` rows of the sample.
        t: ``(n_steps,)``, 0 at the first point, 1 at the second.
        n_classes: of the result where there is no pair.

    Raises:
        UserError: an input is not made of real numbers.
    """
    if not len(pairs):
        return np.empty((0, len(t), n_classes), np.float32)
    lines = []
    for number, x in enumerate(inputs):
        if not x.is_floating_point():
            raise UserError(f"interpolation: input {number} of the model is {x.dtype}; between such values is nothing")
        start, end = (x[torch.from_numpy(pairs[:, i]).to(x.device)].unsqueeze(1) for i in (0, 1))
        way = torch.from_numpy(t).to(x.device, x.dtype).view(1, -1, *[1] * (x.ndim - 1))
        lines.append(((1 - way) * start + way * end).flatten(0, 1))
    return predicted_logits(model, lines).softmax(1).view(len(pairs), len(t), -1).numpy()


def class_switches(probability: np.ndarray) -> np.ndarray:
    """How often the most probable class changes along each line: ``(n_pairs,)`` int64."""
    predicted = probability.argmax(2)
    return np.count_nonzero(np.diff(predicted, axis=1), axis=1)


def end_probabilities(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability of either end's class along the line: ``(n_pairs, 2, n_steps)``, from labels ``(n_pairs, 2)``."""
    return np.take_along_axis(probability, labels[:, None, :], axis=2).transpose(0, 2, 1)


def bands(ends: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lower and upper quantile over pairs of one class and of two, ``(2, 2, n_steps)`` each; NaN: no pair."""
    shape = (len(RELATIONS), *ends.shape[1:])
    mean, low, high = (np.full(shape, np.nan, np.float32) for _ in range(3))
    for row, chosen in enumerate((ends[same], ends[~same])):
        if len(chosen):
            mean[row] = chosen.mean(0)
            low[row], high[row] = np.quantile(chosen, BAND, axis=0)
    return mean, low, high


def _within(points: np.ndarray) -> Iterator[tuple[int, int]]:
    """Every pair once, neighbours first, so that early pairs have different points."""
    for shift in range(1, len(points)):
        for i in range(len(points) - shift):
            yield points[i], points[i + shift]


def _between(one: np.ndarray, other: np.ndarray) -> Iterator[tuple[int, int]]:
    """Every pair of a point of each once, with new points first."""
    if len(one) < len(other):
        one, other = other, one
    for shift in range(len(other)):
        for i in range(len(one)):
            yield one[i], other[(i + shift) % len(other)]


def _in_turn(sources: list[Iterator[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    while sources:
        left = []
        for source in sources:
            pair = next(source, None)
            if pair is not None:
                left.append(source)
                yield pair
        sources = left


def _take(pairs: Iterator[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    return [pair for _, pair in zip(range(n), pairs, strict=False)]
