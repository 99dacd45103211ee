"""What all contestants train, and on what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

EVALUATION_BATCH = 4096
Rows = dict[str, tuple[Tensor, Tensor]]
"""``train`` and ``val``: inputs ``(n, d)`` float32, standardized, and labels ``(n,)`` int64."""


@dataclass(frozen=True)
class Setting:
    """Of one training.

    Attributes:
        hidden: widths of the blocks.
        batch: rows per step.
        epochs: of the training; the first is not timed.
        device: ``cpu`` or ``cuda``.
        dropout: share of units.
        lr: peak learning rate of AdamW.
        layer_norm: whether blocks normalise.
    """

    hidden: tuple[int, ...] = (512, 256)
    batch: int = 512
    epochs: int = 6
    device: str = "cpu"
    dropout: float = 0.3
    lr: float = 1e-3
    layer_norm: bool = True

    def steps(self, n_rows: int) -> int:
        """Of the whole training."""
        return self.epochs * -(-n_rows // self.batch)


def network(n_features: int, n_classes: int, setting: Setting) -> nn.Sequential:
    """What ``repviz fit`` trains, by hand."""
    widths = (n_features, *setting.hidden)
    blocks: list[nn.Module] = []
    for a, b in zip(widths, setting.hidden, strict=False):
        norm = [nn.LayerNorm(b)] if setting.layer_norm else []
        blocks += [nn.Linear(a, b), *norm, nn.ReLU(), nn.Dropout(setting.dropout)]
    return nn.Sequential(*blocks, nn.Linear(setting.hidden[-1], n_classes))


def adamw(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 1e-2) -> torch.optim.AdamW:
    """With one kernel for all parameters: the fastest there is, for everyone."""
    return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay, fused=True)


def schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """A learning rate that changes every step."""
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def rows_of(data: Path) -> Rows:
    """Train and val rows of an ``.npz`` file without the excluded ones, standardized by the training rows."""
    with np.load(data) as arrays:
        found = {s: (arrays[f"X_{s}_embed"].astype(np.float32), arrays[f"y_{s}"]) for s in ("train", "val")}
    shift, scale = found["train"][0].mean(0), found["train"][0].std(0)
    scale = np.where(scale > 1e-6, scale, 1)  # a column that is constant in the small sample
    return {s: (torch.from_numpy((x - shift) / scale), torch.from_numpy(y).long()) for s, (x, y) in found.items()}


def without_excluded(data: Path, folder: Path) -> Path:
    """A copy of the file in ``folder`` without rows that only repviz would evaluate."""
    copy = Path(folder) / "data.npz"
    with np.load(data) as arrays:
        np.savez(copy, **{name: arrays[name] for name in arrays.files if "excl" not in name})
    return copy


def rate(n_rows: int, moments: Sequence[float]) -> float:
    """Samples per second of whole epochs after the first.

    Args:
        n_rows: training rows of an epoch.
        moments: seconds at which each epoch began, then that at which the last one had ended.
    """
    return n_rows * (len(moments) - 2) / (moments[-1] - moments[1])
