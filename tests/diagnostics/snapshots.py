"""Snapshots made of plain arrays, for tests of the numbers."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from repviz.snapshot import Rows, Sample, Snapshot


def make_snapshot(
    activations: Mapping[str, np.ndarray | Tensor],
    labels: np.ndarray,
    split: np.ndarray | None = None,
    *,
    n_classes: int | None = None,
    logits: np.ndarray | Tensor | None = None,
    epoch: int = 0,
    model: nn.Module | None = None,
    criterion: Callable[[Tensor, Tensor], Tensor] | None = None,
    whole: Mapping[str, Rows] | None = None,
) -> Snapshot:
    """A snapshot of these activations; without a split, every third point is a val point."""
    labels = np.asarray(labels, dtype=np.int64)
    n = len(labels)
    n_classes = n_classes or int(labels.max(initial=0)) + 1
    split = (np.arange(n) % 3 == 2).astype(np.int8) if split is None else np.asarray(split, dtype=np.int8)
    sample = Sample(
        inputs=(),
        labels=labels,
        split=split,
        index=np.arange(n),
        ids=np.array([f"p{i}" for i in range(n)]),
        classes=tuple(f"class {k}" for k in range(n_classes)),
    )
    tensors = {name: torch.as_tensor(values, dtype=torch.float32) for name, values in activations.items()}
    logits = torch.zeros(n, n_classes) if logits is None else torch.as_tensor(logits, dtype=torch.float32)
    return Snapshot(epoch, 10 * epoch, sample, tensors, logits, model, criterion, whole or {})
