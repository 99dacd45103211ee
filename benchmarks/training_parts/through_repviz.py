"""``repviz fit`` without diagnostics, in this process."""

import logging
import tempfile
import warnings
from pathlib import Path

from repviz.cli import main as repviz
from training_parts.epoch_times import EpochTimes
from training_parts.setting import Setting


def through_repviz(data: Path, setting: Setting, *options: str) -> list[float]:
    """Train on an ``.npz`` file; gives the moments at which epochs began, and the end."""
    EpochTimes.moments.clear()
    EpochTimes.scores.clear()
    with tempfile.TemporaryDirectory() as runs_dir:
        repviz(
            ["fit", "--data.path", str(data), "--data.batch_size", str(setting.batch), "--data.use_tabular", "false",
             "--model.fusion", "none", "--model.hidden_dims", str(list(setting.hidden)),
             "--model.dropout", str(setting.dropout), "--model.lr", str(setting.lr), "--model.warmup_epochs", "0",
             "--model.layer_norm", str(setting.layer_norm).lower(),
             "--diagnostics", "off", "--baseline.enabled", "false", "--early_stopping.enabled", "false",
             "--trainer.accelerator", "gpu" if setting.device == "cuda" else setting.device,
             "--trainer.max_epochs", str(setting.epochs), "--trainer.enable_progress_bar", "false",
             "--trainer.callbacks+=training_parts.epoch_times.EpochTimes", "--runs_dir", runs_dir, *options]
        )  # fmt: skip
    return list(EpochTimes.moments)


def quieten() -> None:
    """Keep warnings and progress of the trainers out of what a benchmark prints."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
