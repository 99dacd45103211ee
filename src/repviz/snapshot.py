"""One look at the model at one epoch on the fixed sample, shared by all diagnostics that are due."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from repviz.errors import UserError
from repviz.precision import full_single_precision

SPLIT_NAMES = ("train", "val", "excluded")
"""Names of the split codes 0, 1, 2 of ``Sample.split``."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The fixed points that every epoch is looked at with.

    Attributes:
        inputs: the model's positional arguments, each ``(n_samples, ...)``.
        labels: ``(n_samples,)`` int64; -1 = none of the classes.
        split: ``(n_samples,)`` int8, index into ``SPLIT_NAMES``.
        index: ``(n_samples,)`` int64, the row in its split's dataset.
        ids: ``(n_samples,)`` unicode.
        classes: names of the classes.
        unit_order: per layer all its units, int32, by descending variance over the points at the run's start; empty
            where that is not known.
    """

    inputs: tuple[Tensor, ...]
    labels: np.ndarray
    split: np.ndarray
    index: np.ndarray
    ids: np.ndarray
    classes: tuple[str, ...]
    unit_order: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.labels)


class Rows(NamedTuple):
    """A whole split as the model takes it: inputs, each ``(n, ...)``, and labels ``(n,)`` int64, -1 = no class."""

    inputs: tuple[Tensor, ...]
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the model makes of the sample at one epoch, and the model itself, in eval mode.

    Attributes:
        epoch: completed epochs, 0 for the untrained network.
        step: optimiser steps done.
        sample: the fixed points.
        activations: per layer ``(n_samples, n_units)`` float32, in the order of the network.
        logits: ``(n_samples, n_classes)`` float32.
        model: the network, in eval mode while the snapshot is looked at; None where only activations were kept.
        criterion: ``(logits, labels) -> loss``, the one that training uses.
        whole: the whole splits by name, for diagnostics that need more than the sample.
        sites: the module whose output each layer is, None for the first input; empty where only activations were kept.
    """

    epoch: int
    step: int
    sample: Sample
    activations: Mapping[str, Tensor]
    logits: Tensor
    model: nn.Module | None = field(default=None, repr=False)
    criterion: Callable[[Tensor, Tensor], Tensor] | None = field(default=None, repr=False)
    whole: Mapping[str, Rows] = field(default_factory=dict, repr=False)
    sites: Mapping[str, nn.Module | None] = field(default_factory=dict, repr=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, from input to logits."""
        return tuple(self.activations)


def on_device(snapshot: Snapshot, device: torch.device) -> Snapshot:
    """The snapshot with its activations and logits there; names of one tensor go on sharing it."""
    moved = {id(points): points.to(device) for points in snapshot.activations.values()}
    activations = {layer: moved[id(points)] for layer, points in snapshot.activations.items()}
    return replace(snapshot, activations=activations, logits=snapshot.logits.to(device))


@contextmanager
def isolated_random_state() -> Iterator[None]:
    """Put Python's, NumPy's and torch's global random generators back to where they were."""
    python, numpy_state, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def observing(model: nn.Module) -> Iterator[nn.Module]:
    """Eval mode, no gradients, full precision and private random state while someone looks; all restored afterwards.

    Every submodule gets its own mode back (a frozen part may have been in eval mode before). A compiled module runs
    uncompiled meanwhile: hooks on its parts would make it compile anew. The number of threads is restored too:
    numba's first parallel function sets OpenMP's, which is torch's, and sums on two threads differ from those on one.
    """
    threads = torch.get_num_threads()
    before = [(module, module.training, module._compiled_call_impl) for module in model.modules()]
    with isolated_random_state(), full_single_precision(), torch.no_grad():
        model.eval()
        for module, _, _ in before:
            module._compiled_call_impl = None
        try:
            yield model
        finally:
            for module, mode, compiled in before:
                module.training = mode
                module._compiled_call_impl = compiled
            torch.set_num_threads(threads)


def capture(
    model: nn.Module,
    sites: Mapping[str, nn.Module | None],
    inputs: Sequence[Tensor],
    batch_size: int = 4096,
) -> tuple[dict[str, Tensor], Tensor]:
    """Run ``inputs`` through ``model`` and keep what comes out at each site.

    Args:
        model: called as ``model(*inputs)``; must be under ``observing``.
        sites: layer name to the module whose output is that layer; None stands for the model's first argument.
            Two names of one module share one tensor.
        inputs: the model's positional arguments, each ``(n, ...)``.
        batch_size: rows per forward pass.

    Returns:
        activations per layer ``(n, n_units)`` float32 and logits ``(n, n_classes)``, on the model's device; on the CPU
        where that device has no double precision, as Apple's GPUs: diagnostics compute in it. Of a module that runs
        several times in a pass, the last output.

    Raises:
        UserError: a module gives something else than a row for each row of the batch, or does not run.
    """
    inputs = as_taken_by(model, inputs)
    n = len(inputs[0])
    kept: dict[int | None, Tensor] = {}
    rows, ran = slice(0, 0), set[int | None]()

    def keep(key: int | None, names: str, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != rows.stop - rows.start:
            found = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise UserError(f"{names} gives {found} for {rows.stop - rows.start} points; needed is a row for each")
        part = _kept(output.detach() if key is None else output.detach().reshape(len(output), -1))
        if key not in kept:  # room for all at once: parts put together in the end would take twice the memory
            kept[key] = part.new_empty(n, *part.shape[1:])
        kept[key][rows] = part
        ran.add(key)

    modules = {id(module): module for module in sites.values() if module is not None}
    layers: dict[int, list[str]] = {key: [] for key in modules}
    for name, module in sites.items():
        if module is not None:
            layers[id(module)].append(repr(name))
    names = {key: f"layer {' or '.join(known)}" for key, known in layers.items()}
    handles = [
        module.register_forward_hook(lambda _m, _a, output, key=key: keep(key, names[key], output))
        for key, module in modules.items()
    ]
    try:
        for first in range(0, n, batch_size):
            rows = slice(first, min(first + batch_size, n))
            ran.clear()
            keep(None, "the model", model(*(x[rows] for x in inputs)))
            if idle := modules.keys() - ran:
                raise UserError(f"{names[min(idle)]} does not run when the model does")
    finally:
        for handle in handles:
            handle.remove()
    embeddings = _kept(inputs[0].flatten(1))
    activations = {name: embeddings if module is None else kept[id(module)] for name, module in sites.items()}
    return activations, kept[None]


def as_taken_by(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The inputs on the model's device, those of floating point in the precision of its weights."""
    parameter = next(model.parameters(), torch.empty(0))
    return tuple(x.to(parameter.device, parameter.dtype if x.is_floating_point() else None) for x in inputs)


def _kept(outputs: Tensor) -> Tensor:
    return (outputs.cpu() if outputs.device.type == "mps" else outputs).float()
