"""Small networks and snapshots that come with them, for diagnostics that evaluate the model."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from repviz.model.mlp import MLP
from repviz.snapshot import Sample, Snapshot, capture

N_FEATURES, N_TABULAR, N_CLASSES = 7, 3, 4


def make_mlp(seed: int = 0, **settings) -> MLP:
    """A small MLP in eval mode, no parameter of which is zero, as after training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fusion = settings.get("fusion", "none")
        defaults = {"hidden_dims": (12, 9), "n_tabular": 0 if fusion == "none" else N_TABULAR}
        model = MLP(N_FEATURES, N_CLASSES, **(defaults | settings))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
    return model.eval()


def make_inputs(n: int, n_inputs: int = 2, seed: int = 1) -> tuple[Tensor, ...]:
    """Embeddings and, with two inputs, tabular columns."""
    generator = torch.Generator().manual_seed(seed)
    widths = (N_FEATURES, N_TABULAR)[:n_inputs]
    return tuple(torch.randn(n, width, generator=generator) for width in widths)


def look_at(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    labels: np.ndarray,
    split: np.ndarray | None = None,
    *,
    criterion: Callable[[Tensor, Tensor], Tensor] | None = None,
    sites: dict[str, nn.Module | None] | None = None,
    epoch: int = 0,
    n_classes: int = N_CLASSES,
) -> Snapshot:
    """A snapshot of the model on these points; without a split, every third is a val point."""
    n = len(labels)
    split = (np.arange(n) % 3 == 2).astype(np.int8) if split is None else np.asarray(split, np.int8)
    ids = np.array([f"p{i}" for i in range(n)])
    classes = tuple(f"class {k}" for k in range(n_classes))
    sample = Sample(inputs, np.asarray(labels, np.int64), split, np.arange(n), ids, classes)
    sites = sites or {"input": None}
    with torch.no_grad():
        activations, logits = capture(model, sites, inputs)
    criterion = criterion or nn.CrossEntropyLoss()
    return Snapshot(epoch, 10 * epoch, sample, activations, logits, model, criterion, sites=sites)
