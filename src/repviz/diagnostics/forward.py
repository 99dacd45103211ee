"""Running the model again, for diagnostics to which the sample's activations are not enough."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from repviz.errors import UserError
from repviz.snapshot import Snapshot

_BATCH = 4096


def required_model(snapshot: Snapshot, kind: str) -> nn.Module:
    """The snapshot's model.

    Raises:
        UserError: only its activations were kept.
    """
    if snapshot.model is None:
        raise UserError(f"{kind} must run the model, and this snapshot has only activations: use checkpoints")
    return snapshot.model


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters lie; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def predicted_logits(model: nn.Module, inputs: Sequence[Tensor], batch_size: int = _BATCH) -> Tensor:
    """Logits ``(n, n_classes)`` float32 on the CPU, by batches.

    Args:
        model: in eval mode.
        inputs: its positional arguments, each ``(n, ...)``.
        batch_size: rows per forward pass.
    """
    device = device_of(model)
    parts = zip(*(x.split(batch_size) for x in inputs), strict=True)
    return torch.cat([model(*(x.to(device) for x in part)).float().cpu() for part in parts])
