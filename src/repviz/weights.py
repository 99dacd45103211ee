"""Which file of a run holds the weights of which epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from repviz.background.pending import pending_epochs, pending_path
from repviz.store.checkpoint_file import reading_checkpoint
from repviz.store.checkpoint_paths import LAST, checkpoint_epochs, checkpoint_path
from repviz.store.run_folder import CHECKPOINTS


def epochs_with_weights(run_dir: Path) -> list[int]:
    """Epochs whose weights are there, in a checkpoint of their own, waiting to be looked at, or the last; ascending."""
    last = _epoch_of_last(run_dir)
    return sorted({*checkpoint_epochs(run_dir), *pending_epochs(run_dir), *([] if last is None else [last])})


def weights_path(run_dir: Path, epoch: int) -> Path:
    """The file with the weights of ``epoch``; one that does not exist where they are nowhere."""
    for path in (checkpoint_path(run_dir, epoch), pending_path(run_dir, epoch)):
        if path.exists():
            return path
    return run_dir / CHECKPOINTS / LAST if epoch == _epoch_of_last(run_dir) else checkpoint_path(run_dir, epoch)


def _epoch_of_last(run_dir: Path) -> int | None:
    """Completed epochs in ``last.ckpt``, None where there is none: it is often no epoch's own checkpoint."""
    path = run_dir / CHECKPOINTS / LAST
    try:
        with checkpoint_at(path, tensors=False) as state:
            rows = [kept["rows"] for kept in state["callbacks"].values() if isinstance(kept, dict) and "rows" in kept]
            return int(rows[0][-1]["epoch"]) if rows and rows[0] else None
    except FileNotFoundError:
        return None


@contextmanager
def checkpoint_at(path: Path, *, tensors: bool = True) -> Iterator[dict[str, Any]]:
    """What a checkpoint holds, tensors and plain values, mapped and not copied.

    Args:
        path: of the checkpoint.
        tensors: whether they are needed; then every byte is compared with the archive's checksums, else only the
            values are.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: a checksum is another.
        UserError: it holds anything else, or, in the block, not what is looked for in it.
    """
    with reading_checkpoint(path, tensors=tensors):
        yield torch.load(path, map_location="cpu", weights_only=True, mmap=True)
