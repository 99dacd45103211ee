"""Running the model again, for diagnostics to which the sample's activations are not enough."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from repviz.errors import UserError
from repviz.snapshot import Sample, Snapshot, as_taken_by

_BATCH = 4096


def required_model(snapshot: Snapshot, kind: str) -> nn.Module:
    """The snapshot's model.

    Raises:
        UserError: only its activations were kept.
    """
    if snapshot.model is None:
        raise UserError(f"{kind} must run the model, and this snapshot has only activations: use checkpoints")
    return snapshot.model


def required_criterion(snapshot: Snapshot, kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The snapshot's criterion.

    Raises:
        UserError: it comes without one.
    """
    if snapshot.criterion is None:
        raise UserError(f"{kind} needs the criterion of training, and this snapshot comes without it")
    return snapshot.criterion


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters lie; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def rows_at(sample: Sample, chosen: np.ndarray, model: nn.Module) -> tuple[tuple[Tensor, ...], Tensor]:
    """Inputs, as the model takes them, and labels of some points of the sample, on its device."""
    index = torch.from_numpy(chosen)
    inputs = as_taken_by(model, [x[index.to(x.device)] for x in sample.inputs])
    return inputs, torch.from_numpy(sample.labels)[index].to(device_of(model))


@torch.no_grad()
def predicted_logits(
    model: nn.Module, inputs: Sequence[Tensor], batch_size: int = _BATCH, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Logits ``(n, n_classes)`` float32, by batches.

    Args:
        model: in eval mode.
        inputs: its positional arguments, each ``(n, ...)``.
        batch_size: rows per forward pass.
        device: where the logits are collected.
    """
    parts = zip(*(x.split(batch_size) for x in inputs), strict=True)
    return torch.cat([model(*as_taken_by(model, part)).float().to(device) for part in parts])
