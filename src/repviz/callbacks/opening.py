"""Which folder a run is recorded in: a new one, or that of the run that goes on, brought to where it left off."""

import shutil
from pathlib import Path

from repviz.atomic import link_or_copy, make_folder, remove_leftovers, write_text
from repviz.callbacks.checkpoints import CheckpointKeeper
from repviz.errors import UserError
from repviz.store import artifacts, run_folder
from repviz.store.checkpoint_paths import LAST, checkpoint_epochs, checkpoint_path
from repviz.store.metrics_table import MetricsTable


def open_folder(runs_dir: Path, checkpoint: Path | None, epoch: int, config_text: str | None) -> Path:
    """A new folder, or the checkpoint's own when its run goes on from where it ended; with its configuration.

    A new one that cannot be filled is not left behind.

    Args:
        runs_dir: where new folders are made.
        checkpoint: what training goes on from.
        epoch: that of the checkpoint.
        config_text: the resolved YAML, where there is one.

    Raises:
        UserError: the run is still being trained, or no folder can be made.
    """
    run_dir = None if checkpoint is None else run_folder.run_of_checkpoint(checkpoint)
    is_new = run_dir is None or not _goes_on(run_dir, checkpoint)
    if not is_new:
        content = run_folder.read_run_file(run_dir)
        if content["state"] == "running":
            raise UserError(
                f"{run_dir} is still being trained by process {content['pid']} on {content['host']}; "
                "stop it first, or leave --ckpt-path out to start a new run"
            )
    else:
        run_dir = run_folder.claim(runs_dir)
    try:
        make_folder(run_dir / run_folder.CHECKPOINTS)
        if config_text is not None:
            _write_config(run_dir, epoch, config_text)
    except OSError:
        if is_new:
            shutil.rmtree(run_dir, ignore_errors=True)
        raise
    return run_dir


def restore_folder(
    run_dir: Path, epoch: int, table: MetricsTable, keeper: CheckpointKeeper, checkpoint: str | Path
) -> None:
    """Leave in the folder what belongs to the epochs up to a checkpoint's, and nothing of later ones.

    Args:
        run_dir: the run that goes on, or branches off.
        epoch: that of the checkpoint.
        table: the rows up to it.
        keeper: of the run's checkpoints.
        checkpoint: what training goes on from.
    """
    if not keeper.holding(run_dir, epoch).exists():
        keeper.begin_from(Path(checkpoint), run_dir, epoch, table.rows[-1])
    remove_leftovers(run_dir)
    artifacts.remove_after(run_dir, epoch)
    table.write(run_dir)


def _goes_on(run_dir: Path, checkpoint: Path) -> bool:
    """From the newest checkpoint a run goes on; from an earlier one a new run branches off."""
    if checkpoint.name == LAST:
        return True
    saved = checkpoint_epochs(run_dir)
    return bool(saved) and checkpoint.name == checkpoint_path(run_dir, saved[-1]).name


def _write_config(run_dir: Path, epoch: int, text: str) -> None:
    target = run_dir / run_folder.CONFIG_FILE
    if target.exists() and target.read_text("utf-8") != text:
        # Resumed with other settings: what the epochs so far were trained with is kept beside.
        link_or_copy(target, run_dir / f"config_until_epoch_{epoch:06d}.yaml")
    write_text(target, text)
