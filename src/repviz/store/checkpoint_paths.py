"""Where the checkpoints of a run lie: ``checkpoints/epoch_000003.ckpt``, ``last.ckpt`` and ``best.ckpt``."""

import re
from pathlib import Path

from repviz.store.run_folder import CHECKPOINTS

LAST, BEST = "last.ckpt", "best.ckpt"
_EPOCH = re.compile(r"epoch_(\d{6,})\.ckpt")


def checkpoint_path(run_dir: Path, epoch: int) -> Path:
    """The checkpoint after ``epoch`` completed epochs."""
    return run_dir / CHECKPOINTS / f"epoch_{epoch:06d}.ckpt"


def checkpoint_epochs(run_dir: Path) -> list[int]:
    """Epochs that have a checkpoint of their own, ascending."""
    folder = run_dir / CHECKPOINTS
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(match[1]) for name in names if (match := _EPOCH.fullmatch(name)))
