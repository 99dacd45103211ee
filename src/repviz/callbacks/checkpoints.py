"""Which checkpoints a run keeps: every n-th epoch, the last and the best."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Trainer

from repviz.atomic import link_or_copy
from repviz.callbacks.persistence import Persistence
from repviz.store.checkpoint_paths import BEST, LAST, checkpoint_epochs, checkpoint_path
from repviz.store.run_folder import CHECKPOINTS


@dataclass
class CheckpointKeeper:
    """Writes the run's checkpoints and remembers which epoch was best.

    Attributes:
        every_n_epochs: epochs between two checkpoints of their own; ``last.ckpt`` is written every epoch.
        keep: how many of them stay, newest first; ``last.ckpt`` and ``best.ckpt`` always do.
        monitor: the metric that decides what is best, and ``mode`` in which direction.
        best: epoch and value of the best epoch so far.
    """

    every_n_epochs: int = 1
    keep: int | Literal["all"] = "all"
    monitor: str = "val_accuracy"
    mode: Literal["max", "min"] = "max"
    best: dict[str, Any] = field(default_factory=dict)

    def note(self, epoch: int, row: dict[str, float]) -> bool:
        """Whether ``row`` is the best so far; the untrained network is not a candidate."""
        value = row.get(self.monitor)
        if value is None or epoch == 0:
            return False
        sign = 1 if self.mode == "max" else -1
        if self.best and sign * value <= sign * self.best["value"]:
            return False
        self.best = {"epoch": epoch, "value": value, "row": dict(row)}
        return True

    def holding(self, run_dir: Path, epoch: int) -> Path:
        """The file that holds the weights of ``epoch``, the one that was saved last."""
        own = checkpoint_path(run_dir, epoch)
        return own if own.exists() else run_dir / CHECKPOINTS / LAST

    def begin_from(self, checkpoint: Path, run_dir: Path, epoch: int, row: dict[str, float]) -> None:
        """A run that branches off another one's checkpoint has that as its first, and so far its best."""
        own = checkpoint_path(run_dir, epoch)
        link_or_copy(checkpoint, own)
        link_or_copy(own, run_dir / CHECKPOINTS / LAST)
        self.best = {}
        if self.note(epoch, row):
            link_or_copy(own, run_dir / CHECKPOINTS / BEST)

    def save(self, trainer: Trainer, run_dir: Path, epoch: int, *, is_best: bool, disk: Persistence) -> None:
        """Write the checkpoint of ``epoch``; called on every rank, for gathering its content is a collective.

        What cannot be written is noted on ``disk``; the checkpoints before it then stay as they are.
        """
        last = run_dir / CHECKPOINTS / LAST
        own = checkpoint_path(run_dir, epoch)
        target = own if epoch % self.every_n_epochs == 0 else last
        trainer.save_checkpoint(target)
        if not trainer.is_global_zero or disk.problem is not None:
            return
        with disk.trying():
            # The best one first: after a kill between the two, the run resumes from the epoch before and comes here
            # again.
            if is_best:
                link_or_copy(target, run_dir / CHECKPOINTS / BEST)
            if target is own:
                link_or_copy(own, last)
            if self.keep != "all":
                for old in checkpoint_epochs(run_dir)[: -self.keep]:
                    checkpoint_path(run_dir, old).unlink(missing_ok=True)
