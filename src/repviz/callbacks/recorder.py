"""The callback that makes a run folder: metrics, checkpoints, sample, state, and the moment to look.

After each epoch, in this order: the metrics row, the checkpoint (which holds the rows too), then the diagnostics that
are due, on one shared snapshot. Whatever is killed when, what was finished before stays.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from repviz.atomic import link_or_copy, write_text
from repviz.background.settings import BackgroundSettings
from repviz.callbacks import sample as sampling
from repviz.callbacks.after_run import AfterRun, run_after
from repviz.callbacks.checkpoints import LAST, CheckpointKeeper, checkpoint_epochs, checkpoint_path
from repviz.callbacks.dataset_source import Unpack, source_of, unpack_pair
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.observer import Observer, applicable, refuse_sharded
from repviz.callbacks.run_description import describe_run
from repviz.callbacks.sample import SampleSettings
from repviz.callbacks.source import Source
from repviz.callbacks.subject import Criterion, HasCriterion, Subject, named_layers
from repviz.errors import UserError
from repviz.snapshot import Sample
from repviz.store import artifacts, run_folder
from repviz.store.heartbeat import Heartbeat
from repviz.store.metrics_table import Row, write_metrics
from repviz.store.results_table import read_results, write_result
from repviz.store.sample_file import SAMPLE_FILE, read_sample, write_sample
from repviz.training.checkpoint_io import DurableCheckpointIO

log = logging.getLogger("repviz")

_RESULTS = ("val_accuracy", "val_f1_macro", "val_f1_confidence")


class RunRecorder(Checkpoint):
    """Records a training run in a folder of its own.

    It is a ``Checkpoint`` so that Lightning calls it after the model has logged its epoch.
    """

    def __init__(
        self,
        runs_dir: str | Path = "runs",
        sample: SampleSettings | Sample | None = None,
        keep_checkpoints: int | Literal["all"] = "all",
        checkpoint_every_n_epochs: int = 1,
        monitor: str = "val_accuracy",
        mode: Literal["max", "min"] = "max",
        background: BackgroundSettings | None = None,
        time_budget: float | None = None,
        config_text: str | None = None,
        unpack: Unpack = unpack_pair,
        criterion: Criterion | None = None,
    ) -> None:
        """Nothing is made yet.

        Args:
            runs_dir: where the run folder is made.
            sample: how the fixed points are drawn, or the points themselves.
            keep_checkpoints: how many epochs' checkpoints stay besides the last and the best.
            checkpoint_every_n_epochs: epochs from one checkpoint to the next.
            monitor: metric that decides the best epoch.
            mode: whether larger or smaller is better.
            background: settings of the worker programs beside training.
            time_budget: share of the time that diagnostics may take inline; when it is exceeded, epochs are left out.
            config_text: the resolved YAML.
            unpack: a batch to the model's inputs and labels; needed where a batch is not a pair of them.
            criterion: ``(logits, labels) -> loss``, the one that training uses; the module's own ``criterion`` when
                not given.
        """
        self.runs_dir = Path(runs_dir)
        self.points = sample or SampleSettings()
        self.unpack = unpack
        self.criterion = criterion
        self.keeper = CheckpointKeeper(checkpoint_every_n_epochs, keep_checkpoints, monitor, mode)
        self.config_text = config_text
        self.background = background or BackgroundSettings()
        self.time_budget = time_budget
        self.run_dir: Path | None = None
        self._observer: Observer | None = None
        self._rows: list[Row] = []
        self._validation_names: set[str] = set()
        self._training_names: set[str] = set()
        self._measured: dict[str, float] = {}
        self._epoch = 0
        self._should_stop = False
        self._started = time.monotonic()
        self._heartbeat: Heartbeat | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make checkpoints as safe as artifacts, unless someone chose another way of writing them.

        Raises:
            UserError: the network is sharded, and someone would look at it on rank zero alone.
        """
        if stage == "fit":
            refuse_sharded(trainer.strategy, self._diagnostics(trainer))
        if stage == "fit" and type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = DurableCheckpointIO()

    def state_dict(self) -> dict[str, Any]:
        """Rows and best epoch travel with the checkpoint: a resume knows them whatever became of the files."""
        return {"rows": self._rows, "best": self.keeper.best, "should_stop": self._should_stop}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the rows of the checkpoint."""
        self._rows = list(state_dict["rows"])
        self.keeper.best = dict(state_dict["best"])
        self._should_stop = bool(state_dict["should_stop"])
        self._epoch = int(self._rows[-1]["epoch"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take what validation measured: it counts for this epoch only, while Lightning keeps the last value."""
        metrics = trainer.callback_metrics
        self._validation_names |= set(metrics) - self._training_names
        self._measured = {name: float(metrics[name]) for name in metrics if name in self._validation_names}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the run. Epoch 0 is the untrained network; a resumed run drops what a killed one left of a later epoch.

        Not before: only now are the loaders of training set up, and setting them up earlier would draw from random
        generators in another order than without anyone looking.
        """
        self._open(trainer, pl_module)
        self._started = time.monotonic()
        if not self._rows:
            self._finish_epoch(trainer, pl_module, 0, self._measured)
            return
        trainer.should_stop = self._should_stop
        if trainer.is_global_zero:
            artifacts.remove_after(self.run_dir, self._epoch)
            write_metrics(self.run_dir, self._rows)
            self._observer.take_up({int(row["epoch"]): int(row["step"]) for row in self._rows[:-1]})
            # Killed between the checkpoint and the last diagnostic, the epoch may not have been looked at yet.
            self._look(trainer, last=self._should_stop or self._epoch == trainer.max_epochs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Row, checkpoint, diagnostics."""
        metrics = trainer.callback_metrics
        self._training_names |= set(metrics) - self._validation_names
        training = {name: float(metrics[name]) for name in metrics if name in self._training_names}
        self._finish_epoch(trainer, pl_module, trainer.current_epoch + 1, training | self._measured)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last epoch is always looked at, also when training ended early; then the run as a whole."""
        if trainer.is_global_zero:
            self._look(trainer, last=True)
            self._observer.look_at_run(self._epoch, trainer.global_step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Results, and the run is finished."""
        if not trainer.is_global_zero or self._heartbeat is None:
            return
        if self.keeper.best:
            row = self.keeper.best["row"]
            write_result(self.run_dir, "model_best", {name: row.get(name, float("nan")) for name in _RESULTS})
        self._observer.finish()
        for callback in trainer.callbacks:
            if isinstance(callback, AfterRun):
                run_after(callback, self.run_dir)
        self._heartbeat.stop(state="finished", results=read_results(self.run_dir))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Say in the run how it ended."""
        if self._heartbeat is None:
            return
        self._observer.stop()
        stopped = isinstance(exception, (KeyboardInterrupt, SIGTERMException))
        self._heartbeat.stop(
            state="stopped" if stopped else "failed",
            error=None if stopped else f"{type(exception).__name__}: {exception}",
        )

    def _open(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Claim or reopen the folder, on rank zero; the others are told which it is."""
        callbacks = self._diagnostics(trainer)
        layers = named_layers(pl_module, [name for c in callbacks for name in c.diagnostic.asked_layers])
        folder = self._open_folder(trainer) if trainer.is_global_zero else None
        self.run_dir = Path(trainer.strategy.broadcast(str(folder)))
        if not trainer.is_global_zero:
            return
        log.info("run folder: %s", self.run_dir)
        given = self.points if isinstance(self.points, Sample) else None
        source = source_of(trainer, pl_module, self.unpack, given)
        sample = self._sample(source, callbacks)
        own = pl_module.criterion if isinstance(pl_module, HasCriterion) else None
        callbacks, not_applicable = applicable(callbacks, sample)
        subject = Subject(pl_module, layers, self.criterion or own, sample, source.whole())
        self._observer = Observer(
            subject, callbacks, self.run_dir, background=self.background, time_budget=self.time_budget
        )
        description = describe_run(trainer, subject, source) | {
            "kinds": self._observer.kinds,
            "not_applicable": not_applicable,
            "monitor": self.keeper.monitor,
        }
        self._heartbeat = Heartbeat(self.run_dir, description, lambda: self._progress(trainer))
        self._heartbeat.start()

    def _finish_epoch(
        self, trainer: Trainer, pl_module: LightningModule, epoch: int, metrics: dict[str, float]
    ) -> None:
        self._epoch, self._measured, self._should_stop = epoch, {}, trainer.should_stop
        row: Row = {"epoch": epoch, "step": trainer.global_step, **metrics}
        self._rows.append(row)
        is_best = self.keeper.note(epoch, row)
        if trainer.is_global_zero:
            write_metrics(self.run_dir, self._rows)
        self.keeper.save(trainer, self.run_dir, epoch, is_best=is_best)
        if trainer.is_global_zero:
            self._say(trainer, row)
            self._look(trainer, last=epoch == trainer.max_epochs)
            self._heartbeat.update()

    def _look(self, trainer: Trainer, *, last: bool) -> None:
        checkpoint = self.keeper.holding(self.run_dir, self._epoch)
        self._observer.look(self._epoch, trainer.global_step, checkpoint, last=last)

    def _sample(self, source: Source, callbacks: Sequence[DiagnosticCallback]) -> Sample:
        """The points that were given, or that the run has already, else new ones."""
        stored = self.run_dir / SAMPLE_FILE
        if isinstance(self.points, Sample):
            sample, dataset = self.points, sampling.describe(self.points)
        else:
            there = stored.exists()
            rows = sampling.rows_of(read_sample(self.run_dir)) if there else sampling.draw(source, self.points)
            sample, dataset = sampling.build(source, rows)
        if not stored.exists():
            for callback in callbacks:
                dataset = dataset.assign(callback.diagnostic.fixed(sample))
            write_sample(self.run_dir, dataset)
        return sample

    def _diagnostics(self, trainer: Trainer) -> list[DiagnosticCallback]:
        return [c for c in trainer.callbacks if isinstance(c, DiagnosticCallback) and c.enabled]

    def _open_folder(self, trainer: Trainer) -> Path:
        """A new folder, or the checkpoint's own when its run goes on from where it ended."""
        run_dir = run_folder.run_of_checkpoint(Path(trainer.ckpt_path)) if trainer.ckpt_path else None
        if run_dir is not None and self._goes_on(run_dir, Path(trainer.ckpt_path)):
            content = run_folder.read_run_file(run_dir)
            if content["state"] == "running":
                raise UserError(
                    f"{run_dir} is still being trained by process {content['pid']} on {content['host']}; "
                    "stop it first, or leave --ckpt-path out to start a new run"
                )
        else:
            run_dir = run_folder.claim(self.runs_dir)
        (run_dir / run_folder.CHECKPOINTS).mkdir(exist_ok=True)
        if self.config_text is not None:
            self._write_config(run_dir)
        return run_dir

    def _goes_on(self, run_dir: Path, checkpoint: Path) -> bool:
        """From the newest checkpoint a run goes on; from an earlier one a new run branches off."""
        if checkpoint.name == LAST:
            return True
        saved = checkpoint_epochs(run_dir)
        return bool(saved) and checkpoint.name == checkpoint_path(run_dir, saved[-1]).name

    def _write_config(self, run_dir: Path) -> None:
        target = run_dir / run_folder.CONFIG_FILE
        if target.exists() and target.read_text("utf-8") != self.config_text:
            # Resumed with other settings: what the epochs so far were trained with is kept beside.
            link_or_copy(target, run_dir / f"config_until_epoch_{self._epoch:06d}.yaml")
        write_text(target, self.config_text)

    def _progress(self, trainer: Trainer) -> dict[str, Any]:
        batches = trainer.num_training_batches
        return {
            "epoch": self._epoch,
            "step": trainer.global_step,
            "steps_per_epoch": int(batches) if batches != float("inf") else 0,
        } | self._observer.progress()

    def _say(self, trainer: Trainer, row: Row) -> None:
        """One line per epoch where no progress bar shows it."""
        if trainer.progress_bar_callback is not None:
            return
        shown = ("train_loss", "val_loss", "val_accuracy", "val_f1_macro")
        values = "  ".join(f"{name} {row[name]:.4f}" for name in shown if name in row)
        log.info("epoch %d/%s  %s  %.1f s", row["epoch"], trainer.max_epochs, values, time.monotonic() - self._started)
