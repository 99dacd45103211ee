"""Weights of epochs that wait to be looked at: ``pending/epoch_000003.ckpt`` in the run folder.

Each is a hard link to the checkpoint that training has just written, so that handing an epoch over copies nothing,
whatever the size of the network, and the weights stay when the checkpoint itself is thinned out. What is left after a
kill is found by ``repviz diagnose``.
"""

import contextlib
import os
import re
from pathlib import Path

from repviz.atomic import link_or_copy

PENDING = "pending"
_EPOCH = re.compile(r"epoch_(\d{6,})\.ckpt")


def pending_path(run_dir: Path, epoch: int) -> Path:
    """The weights of ``epoch`` that wait."""
    return Path(run_dir) / PENDING / f"epoch_{epoch:06d}.ckpt"


def pending_epochs(run_dir: Path) -> list[int]:
    """Epochs that wait, ascending."""
    folder = Path(run_dir) / PENDING
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(match[1]) for name in names if (match := _EPOCH.fullmatch(name)))


def put(run_dir: Path, epoch: int, checkpoint: Path) -> Path:
    """Let the weights in ``checkpoint`` wait as those of ``epoch``; they may wait already.

    Raises:
        OSError: the disk does not take them; what lies there is whole all the same, or not there.
    """
    target = pending_path(run_dir, epoch)
    if target.exists() and os.path.samefile(checkpoint, target):
        return target
    target.parent.mkdir(exist_ok=True)
    link_or_copy(checkpoint, target)
    return target


def remove(run_dir: Path, epoch: int) -> None:
    """``epoch`` has been looked at; an empty folder goes too."""
    path = pending_path(run_dir, epoch)
    with contextlib.suppress(OSError):  # others wait, or the disk lets nothing go: later, then
        path.unlink(missing_ok=True)
        path.parent.rmdir()
