"""The loss on a plane in weight space: many points of it at a time, without writing to the model's weights.

Three ways, with the same numbers:

- *batched layers*: the batch is repeated once per point of the plane, and every linear layer multiplies each repetition
  by its own weights. The first linear layer sees the same input everywhere, and its output is affine along the plane:
  three products of its input serve all points. The model's own ``forward`` runs; only ``linear`` and ``layer_norm`` are
  intercepted, so it fits any model whose moved weights are used by these two.
- *vmap*: ``torch.func`` maps the model over weights, whatever its layers.
- *one by one*: a forward pass per point, for a model that cannot be mapped.

A way is taken only if, at two opposite points, its logits are those of one-by-one evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from repviz.diagnostics.batched_layers import BatchedLayers, NotBatchableError

Criterion = Callable[[Tensor, Tensor], Tensor]
Evaluator = Callable[[Tensor, Tensor], Tensor]
"""Coordinates alpha ``(g,)`` and beta ``(g,)`` to logits ``(g, n, n_classes)``."""

BATCHED, VMAP, ONE_BY_ONE = "batched layers", "vmap", "one by one"
WAYS = (BATCHED, VMAP, ONE_BY_ONE)
_CHUNK, _ROWS = 4, 256
"""Points of the plane, and rows of the data, at a time on a CPU. With more, activations leave the cache, and the memory
for them is asked of the system anew at every layer; with less, calls take more time than their products."""
_MOST_CHUNK, _MOST_ROWS, _DEVICE_BYTES = 256, 4096, 2**30
"""The same on a GPU, which has no such cache and many more units to feed: as much as this memory holds of the weights
of the points and of their widest activations."""
_SAME = 1e-4
"""How far logits may be off those of one-by-one evaluation, as a share of the largest: rounding, not another model."""


class Plane(NamedTuple):
    """Weights ``center + alpha * first + beta * second``.

    Attributes:
        center: all parameters of the model by name.
        first: direction of those that move.
        second: the same parameters' other direction.
    """

    center: Mapping[str, Tensor]
    first: Mapping[str, Tensor]
    second: Mapping[str, Tensor]

    def weight(self, name: str, alpha: Tensor, beta: Tensor) -> Tensor:
        """One moved parameter at points ``alpha``, ``beta`` ``(g,)``: ``(g, *shape)``."""
        first = self.first[name]
        shape = (-1, *[1] * first.ndim)
        along = alpha.to(first).view(shape) * first
        return along.addcmul_(beta.to(first).view(shape), self.second[name]).add_(self.center[name])

    def at(self, alpha: Tensor, beta: Tensor) -> dict[str, Tensor]:
        """All moved parameters, as ``weight`` gives them."""
        return {name: self.weight(name, alpha, beta) for name in self.first}


def plane_through(model: nn.Module, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Plane:
    """The plane through the model's present weights; they are read, never written."""
    return Plane({name: p.detach() for name, p in model.named_parameters()}, first, second)


@torch.no_grad()
def losses_on_plane(
    model: nn.Module,
    rows: tuple[Sequence[Tensor], Tensor],
    criterion: Criterion,
    plane: Plane,
    points: Tensor,
    ways: Sequence[str] = WAYS,
) -> tuple[Tensor, str]:
    """The criterion over all rows at each point of the plane, and which way it was evaluated.

    The criterion sees all rows at once, so that a mean with class weights is that of training. A loss that is not
    finite is handed out as it is.

    Args:
        model: in eval mode.
        rows: the model's inputs, each ``(n, ...)``, and labels ``(n,)``, on the model's device.
        criterion: ``(logits, labels) -> loss``.
        plane: the plane.
        points: ``(m, 2)`` float64 on the CPU, coordinates along the two directions.
        ways: which ways to try, in this order; one-by-one evaluation is what they are compared with.

    Returns:
        ``(m,)`` float64 on the CPU, and one of ``WAYS``.
    """
    inputs, labels = rows
    opposite = points[[0, -1]]
    expected = _one_by_one(model, plane, inputs)(*opposite.unbind(1))
    way, evaluate = ONE_BY_ONE, _one_by_one(model, plane, inputs)
    chunk, n_rows = at_once(labels.device, len(labels), plane.first)
    for candidate in ways:
        evaluator = _by_rows(_MAKERS[candidate], model, plane, inputs, n_rows)
        try:
            fits = _same(evaluator(*opposite.unbind(1)), expected)
        except (NotBatchableError, RuntimeError, TypeError, ValueError):
            # The model cannot be evaluated this way. Should the fault be the model's own, one-by-one has shown it.
            continue
        if fits:
            way, evaluate = candidate, evaluator
            break
    over_rows = _batched_criterion(criterion, labels)
    losses = [over_rows(evaluate(*part.unbind(1))) for part in points.split(chunk)]
    return torch.cat(losses).cpu().double(), way


def at_once(device: torch.device, n_rows: int, moved: Mapping[str, Tensor]) -> tuple[int, int]:
    """Points of the plane, and rows of the data, to evaluate at a time.

    Args:
        device: where.
        n_rows: rows of the data.
        moved: the parameters that move.
    """
    if device.type == "cpu":
        return _CHUNK, _ROWS
    rows = max(1, min(n_rows, _MOST_ROWS))
    widest = max(p.element_size() * (p.shape[0] if p.ndim else 1) for p in moved.values())
    per_point = sum(p.nbytes for p in moved.values()) + rows * widest
    return max(1, min(_MOST_CHUNK, _DEVICE_BYTES // per_point)), rows


def _by_rows(
    maker: Callable[[nn.Module, Plane, Sequence[Tensor]], Evaluator],
    model: nn.Module,
    plane: Plane,
    inputs: Sequence[Tensor],
    n_rows: int,
) -> Evaluator:
    """Blocks of rows one after the other, so that memory does not grow with the rows."""
    blocks = [maker(model, plane, part) for part in zip(*(x.split(n_rows) for x in inputs), strict=True)]
    return lambda alpha, beta: torch.cat([block(alpha, beta) for block in blocks], dim=1)


def _one_by_one(model: nn.Module, plane: Plane, inputs: Sequence[Tensor]) -> Evaluator:
    def evaluate(alpha: Tensor, beta: Tensor) -> Tensor:
        found = []
        for a, b in zip(alpha.split(1), beta.split(1), strict=True):
            moved = {name: weight[0] for name, weight in plane.at(a, b).items()}
            found.append(functional_call(model, moved, tuple(inputs)))
        return torch.stack(found)

    return evaluate


def _mapped(model: nn.Module, plane: Plane, inputs: Sequence[Tensor]) -> Evaluator:
    mapped = vmap(lambda moved: functional_call(model, moved, tuple(inputs)))
    return lambda alpha, beta: mapped(plane.at(alpha, beta))


_MAKERS: Mapping[str, Callable[[nn.Module, Plane, Sequence[Tensor]], Evaluator]] = {
    BATCHED: BatchedLayers,
    VMAP: _mapped,
    ONE_BY_ONE: _one_by_one,
}


def _same(logits: Tensor, expected: Tensor) -> bool:
    if logits.shape != expected.shape:
        return False
    finite = expected[torch.isfinite(expected)]
    tolerance = _SAME * float(finite.abs().max()) if len(finite) else 0.0
    return torch.allclose(logits, expected, rtol=_SAME, atol=tolerance, equal_nan=True)


def _batched_criterion(criterion: Criterion, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """``(g, n, n_classes)`` to ``(g,)``; one after the other for a criterion that cannot be mapped."""
    mapped = vmap(lambda logits: criterion(logits, labels))

    def over_rows(logits: Tensor) -> Tensor:
        try:
            return mapped(logits)
        except RuntimeError:  # it looks at values (`.item()`, `if`)
            return torch.stack([criterion(part, labels) for part in logits])

    return over_rows
