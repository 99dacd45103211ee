"""Which file of a run holds the weights of which epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from repviz.background.pending import pending_epochs, pending_path
from repviz.callbacks.checkpoints import LAST, checkpoint_epochs, checkpoint_path
from repviz.errors import UserError
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
        with checkpoint_at(path) as state:
            rows = [kept["rows"] for kept in state["callbacks"].values() if isinstance(kept, dict) and "rows" in kept]
            return int(rows[0][-1]["epoch"]) if rows and rows[0] else None
    except FileNotFoundError:
        return None


@contextmanager
def checkpoint_at(path: Path) -> Iterator[dict[str, Any]]:
    """What a checkpoint holds, tensors and plain values, mapped and not copied.

    Raises:
        FileNotFoundError: there is none.
        UserError: it holds anything else, or, in the block, not what is looked for in it.
    """
    try:
        yield torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (FileNotFoundError, UserError):
        raise
    except Exception as error:  # torch and its unpickler have many ways to say it, some of them pages long
        why = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(
            f"{path} is not a checkpoint of a run: it is damaged, or holds more than tensors and plain values "
            f"({type(error).__name__}: {why})"
        ) from error
