"""``repviz fit`` without diagnostics, in this process."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repviz.cli import main as repviz
from training_parts.epoch_times import EpochTimes
from training_parts.setting import Setting


def through_repviz(data: Path, setting: Setting, *options: str) -> list[float]:
    """Train on an ``.npz`` file; gives the moments at which epochs began, and the end."""
    EpochTimes.moments.clear()
    EpochTimes.scores.clear()
    device = ["gpu", "--trainer.devices", "1"] if setting.device == "cuda" else [setting.device]
    with tempfile.TemporaryDirectory() as runs_dir, _said_as_an_error():
        repviz(
            ["fit", "--data.path", str(data), "--data.batch_size", str(setting.batch), "--data.use_tabular", "false",
             "--model.fusion", "none", "--model.hidden_dims", str(list(setting.hidden)),
             "--model.dropout", str(setting.dropout), "--model.lr", str(setting.lr), "--model.warmup_epochs", "0",
             "--model.layer_norm", str(setting.layer_norm).lower(),
             "--diagnostics", "off", "--baseline.enabled", "false", "--early_stopping.enabled", "false",
             "--trainer.accelerator", *device,
             "--trainer.max_epochs", str(setting.epochs), "--trainer.enable_progress_bar", "false",
             "--trainer.callbacks+=training_parts.epoch_times.EpochTimes", "--runs_dir", runs_dir, *options]
        )  # fmt: skip
    return list(EpochTimes.moments)


@contextmanager
def _said_as_an_error() -> Iterator[None]:
    """A command that ends with a mistake of its user ends this program too, but for this."""
    try:
        yield
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(f"repviz fit ended with exit code {ended.code}, and said why above") from ended


def quieten() -> None:
    """Keep warnings and progress of the trainers out of what a benchmark prints."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
