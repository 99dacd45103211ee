"""How much of the accuracy each of two inputs carries, and how strongly FiLM modulates each block.

Shapley value: Shapley (1953), A value for n-person games; of features whose absence means a draw from other rows:
Lundberg & Lee (2017), arXiv:1705.07874, Janzing et al. (2020), arXiv:1910.13413. FiLM: Perez et al. (2018),
arXiv:1709.07871.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.forward import predicted_logits, required_model
from repviz.diagnostics.layers import TRAIN, VAL, labelled_rows
from repviz.errors import UserError
from repviz.snapshot import Rows, Sample, Snapshot, as_taken_by

Reference = Literal["shuffle", "mean"]

MODALITIES = ("embeddings", "tabular")
COALITIONS = ("none", *MODALITIES, "both")
"""Which inputs are real."""
_BATCH = 4096


@runtime_checkable
class Modulated(Protocol):
    """A module that can say how it scales and shifts its blocks."""

    def film_parameters(self, tabular: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Gamma and beta of each block, each ``(n, width)``; an empty list without FiLM."""


@dataclass(frozen=True)
class Fusion(Diagnostic):
    """Shapley value of embeddings and of tabular columns for the val accuracy; size of FiLM's gamma and beta.

    Attributes:
        reference: what stands for an input that is taken away: shuffle, the same input of other rows; or mean, the
            mean of the training rows.
        repeats: shuffles to average over.
        seed: of the shuffles.
    """

    kind: ClassVar[str] = "fusion"
    version: ClassVar[int] = 1
    key_variables: ClassVar[tuple[str, ...]] = ("shapley", "gamma_norm", "beta_norm")

    reference: Reference = "shuffle"
    repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises: UserError: a setting is out of range."""
        if self.reference not in get_args(Reference):
            known = " or ".join(get_args(Reference))
            raise UserError(f"fusion.reference must be {known}; it is {self.reference!r}")
        if self.repeats < 1:
            raise UserError(f"fusion.repeats must be 1 or more; it is {self.repeats!r}")
        if self.seed < 0:
            raise UserError(f"fusion.seed must be 0 or more; it is {self.seed!r}")

    def inapplicable(self, sample: Sample) -> str | None:
        """A network of one input has nothing to compare it with."""
        n_inputs = len(sample.inputs)
        if n_inputs == len(MODALITIES):
            return None
        return f"fusion compares two inputs, embeddings and tabular columns, and this network takes {n_inputs}"

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The shares of one epoch; NaN where there is no labelled row at all.

        Evaluated on the whole val set; where the snapshot comes without it, on the sample's val points, or on all of
        its points where none of them is a val point. The attribute ``evaluated_on`` says which.

        Raises:
            UserError: the network takes one input or more than two, or only activations were kept.
        """
        model = required_model(snapshot, "fusion")
        reason = self.inapplicable(snapshot.sample)
        if reason is not None:
            raise UserError(reason)
        where, rows = _evaluated(snapshot)
        if self.reference == "mean":
            about, means = _means(snapshot, rows)
            references = [[mean.expand_as(x) for mean, x in zip(means, rows.inputs, strict=True)]]
        else:
            about = f"the same input of other rows, {self.repeats} shuffles"
            orders = shuffles(len(rows.labels), self.repeats, self.seed)
            references = [[x[order] for x in rows.inputs] for order in orders]
        hits = coalition_hits(model, rows, references)
        accuracy = hits.mean(axis=1) if hits.size else np.full(len(COALITIONS), np.nan)
        value, error = shapley_values(accuracy), standard_error(shapley_values(hits))
        gamma, beta = modulation(model, rows.inputs[1])
        variables = {
            "shapley": ("modality", value, "share of the accuracy that the input carries (Shapley value)", "1"),
            "shapley_error": ("modality", error, "standard error of it, over rows", "1"),
            "accuracy": ("coalition", accuracy, "accuracy with these inputs real and the others at reference", "1"),
            "gamma_norm": ("block", gamma, "root mean square of FiLM's gamma over rows and units", "1"),
            "beta_norm": ("block", beta, "root mean square of FiLM's beta over rows and units", "activation"),
        }
        blocks = np.array([f"block{k}" for k in range(1, len(gamma) + 1)], dtype=str)
        coordinates = {"modality": list(MODALITIES), "coalition": list(COALITIONS), "block": blocks}
        attrs = {"reference": about, "evaluated_on": where, "evaluated_rows": len(rows.labels), "seed": self.seed}
        return xr.Dataset(_described(variables), coordinates, attrs)


def shapley_values(worth: np.ndarray) -> np.ndarray:
    """Exact Shapley values of two players ``(2, ...)``: the mean gain by joining, over both orders.

    Args:
        worth: of the coalitions none, first, second and both, ``(4, ...)``.
    """
    none, first, second, both = worth
    return np.stack([(first - none) + (both - second), (second - none) + (both - first)]) / 2


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over rows, of values ``(2, n)``: ``(2,)``; NaN for fewer than two rows."""
    n = values.shape[1]
    return values.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(values), np.nan)


def shuffles(n: int, repeats: int, seed: int) -> list[Tensor]:
    """Orders ``(n,)`` of the rows in which none is where it was (as far as there are two)."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        circle = random.permutation(n)
        order = np.empty(n, np.int64)
        order[circle] = np.roll(circle, 1)
        found.append(torch.from_numpy(order))
    return found


def coalition_hits(model: nn.Module, rows: Rows, references: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """How often each row is predicted right with none, the first, the second or both inputs real: ``(4, n)``, 0 to 1.

    Args:
        model: of two inputs, in eval mode.
        rows: with a class, all of them.
        references: to average over; each two inputs like the rows'.
    """

    def hits(*inputs: Tensor) -> np.ndarray:
        return (predicted_logits(model, inputs).argmax(1) == rows.labels.cpu()).double().numpy()

    first, second = rows.inputs
    found = [(hits(a, b), hits(first, b), hits(a, second)) for a, b in references]
    return np.stack([*np.mean(found, axis=0), hits(first, second)])


@torch.no_grad()
def modulation(model: nn.Module, tabular: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square over rows and units of gamma and of beta, each ``(n_blocks,)``; empty without FiLM."""
    module = next((m for m in model.modules() if isinstance(m, Modulated)), None)
    if module is None or not len(tabular):
        return np.empty(0), np.empty(0)
    squares = []
    for part in tabular.split(_BATCH):
        pairs = module.film_parameters(*as_taken_by(model, [part]))
        squares.append([[float(x.cpu().double().square().mean(1).sum()) for x in pair] for pair in pairs])
    total = np.sum(np.array(squares).reshape(len(squares), -1, 2), axis=0)
    gamma, beta = np.sqrt(total / len(tabular)).T
    return gamma, beta


def _evaluated(snapshot: Snapshot) -> tuple[str, Rows]:
    """Where the rows come from, and those with a class."""
    rows = snapshot.whole.get("val")
    if rows is not None:
        where, there = "whole val set", torch.nonzero(rows.labels >= 0)[:, 0]
    else:
        sample = snapshot.sample
        rows = Rows(sample.inputs, torch.from_numpy(sample.labels))
        where, index = "val points of the sample", labelled_rows(sample.labels, sample.split, VAL)
        if not len(index):
            where, index = "all points of the sample", np.flatnonzero(sample.labels >= 0)
        there = torch.from_numpy(index)
    return where, Rows(tuple(x[there.to(x.device)] for x in rows.inputs), rows.labels[there])


def _means(snapshot: Snapshot, evaluated: Rows) -> tuple[str, list[Tensor]]:
    """What stands for a row that is taken away, and in words; the training rows', as far as there are such."""
    train = snapshot.whole.get("train")
    if train is not None and len(train.labels):
        where, inputs = "training rows", train.inputs
    elif (snapshot.sample.split == TRAIN).any():
        index = torch.from_numpy(np.flatnonzero(snapshot.sample.split == TRAIN))
        where, inputs = "sample's train points", tuple(x[index.to(x.device)] for x in snapshot.sample.inputs)
    else:
        where, inputs = "rows themselves", evaluated.inputs
    return f"the mean of the {where}", [x.double().mean(0, keepdim=True).to(x.dtype) for x in inputs]


def _described(variables: Mapping[str, tuple[str, Any, str, str]]) -> dict[str, Any]:
    return {
        name: (dims, values, {"long_name": text, "units": units})
        for name, (dims, values, text, units) in variables.items()
    }
