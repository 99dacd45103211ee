"""The callback that makes a run folder: metrics, checkpoints, sample, state, and the moment to look.

After each epoch, in this order: the metrics row, the checkpoint (which holds the rows too), then the diagnostics that
are due, on one shared snapshot. Whatever is killed when, what was finished before stays.
"""

import logging
import shutil
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.utilities.exceptions import SIGTERMException

from repviz.background.settings import BackgroundSettings
from repviz.callbacks.after_run import AfterRun, run_after
from repviz.callbacks.checkpoints import CheckpointKeeper
from repviz.callbacks.dataset_source import Unpack, unpack_pair
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.epoch_numbers import EpochNumbers, say
from repviz.callbacks.founding_files import FoundingFiles
from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.number_log import NumberLog
from repviz.callbacks.observer import Observer, applicable, diagnostics_of, refuse_impossible
from repviz.callbacks.opening import open_folder, restore_folder
from repviz.callbacks.persistence import Persistence, describe
from repviz.callbacks.ranks import Meeting
from repviz.callbacks.run_description import describe_run
from repviz.callbacks.sample import SampleSettings
from repviz.callbacks.sharing import Looker, SharedLook, looker_of_another_rank, of_epochs
from repviz.callbacks.subject import Criterion, named_layers
from repviz.callbacks.subject_of_run import LookAt, subject_of_run
from repviz.callbacks.termination import Termination
from repviz.errors import UserError
from repviz.snapshot import Sample
from repviz.store import run_folder
from repviz.store.checkpoint_paths import LAST
from repviz.store.heartbeat import Heartbeat
from repviz.store.metrics_table import MetricsTable, Row
from repviz.store.results_table import read_results, write_result
from repviz.store.run_folder import CHECKPOINTS
from repviz.training.checkpoint_io import DurableCheckpointIO

log = logging.getLogger("repviz")

_PARTING_SECONDS = 8.0
"""How long a rank that ends because all were told to waits for the others."""
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
        spread_diagnostics: bool = True,
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
            spread_diagnostics: whether several processes share what looks inline; the others see the run folder then.
        """
        self.runs_dir = Path(runs_dir)
        self.points = sample or SampleSettings()
        self.unpack = unpack
        self.criterion = criterion
        self.keeper = CheckpointKeeper(checkpoint_every_n_epochs, keep_checkpoints, monitor, mode)
        self.config_text = config_text
        self.background = background or BackgroundSettings()
        self.time_budget = time_budget
        self.spread_diagnostics = spread_diagnostics
        self.run_dir: Path | None = None
        self._observer: Observer | None = None
        self._looker: Looker | None = None
        self._numbers: NumberLog | None = None
        self._table = MetricsTable()
        self._measured = EpochNumbers()
        self._epoch = 0
        self._should_stop = False
        self._started = time.monotonic()
        self._heartbeat: Heartbeat | None = None
        self._disk = Persistence()
        self._founding: FoundingFiles | None = None
        self._meeting: Meeting | None = None
        self._termination = Termination()
        self._shared: SharedLook | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make checkpoints as safe as artifacts, unless someone chose another way of writing them.

        Raises:
            UserError: someone would look while it trains, and the network is sharded or there is no device for it.
        """
        if stage == "fit":
            self._termination = Termination()
            refuse_impossible(trainer.strategy, diagnostics_of(trainer), self.background)
        if stage == "fit" and type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = DurableCheckpointIO(self._disk.failed)

    def state_dict(self) -> dict[str, Any]:
        """Rows and best epoch travel with the checkpoint: a resume knows them whatever became of the files."""
        return {"rows": self._table.rows, "best": self.keeper.best, "should_stop": self._should_stop}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the rows of the checkpoint."""
        self._table = MetricsTable(state_dict["rows"])
        self.keeper.best = dict(state_dict["best"])
        self._should_stop = bool(state_dict["should_stop"])
        self._epoch = int(self._table.rows[-1]["epoch"])

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The first moment when Lightning listens to signals: in several processes, listen in its place."""
        if trainer.world_size > 1:
            self._termination.listen(trainer.strategy.launcher)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take what validation measured."""
        self._measured.take_validation(trainer.callback_metrics)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the run. Epoch 0 is the untrained network; a resumed run drops what a killed one left of a later epoch.

        Not before: only now are the loaders of training set up, and setting them up earlier would draw from random
        generators in another order than without anyone looking.
        """
        if trainer.ckpt_path is None:  # this recorder may have recorded another run before
            self._table, self.keeper.best, self._should_stop = MetricsTable(), {}, False
        self.on_sanity_check_start(trainer, pl_module)  # which may have been left out
        self._open(trainer, pl_module)
        if not self._table.rows:
            self._finish_epoch(trainer, pl_module, 0, self._measured.validation)
        else:
            self._go_on(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """In several processes, see now and then whether one of them was told to end."""
        self._termination.after_step(self._meeting)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Row, checkpoint, diagnostics."""
        numbers = self._measured.of_epoch(trainer.callback_metrics)
        self._finish_epoch(trainer, pl_module, trainer.current_epoch + 1, numbers)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last epoch is always looked at, also when training ended early; then the run as a whole."""
        self._look(trainer, last=True)
        if trainer.is_global_zero:
            with self._termination.noting(self._meeting), self._disk.trying():
                self._observer.look_at_run(self._epoch, trainer.global_step)
        self._termination.agree(self._meeting)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Results, and the run is finished."""
        if self.run_dir is None and self._table.rows:  # a run that has all its epochs: Lightning passed training by
            self._open(trainer, pl_module)
            self._go_on(trainer)
        if not trainer.is_global_zero or self._heartbeat is None:
            return
        if trainer.received_sigterm or self._termination.told:  # since anyone looked last
            raise SIGTERMException
        with terminated_as_interrupted():
            self._end(trainer)
        if self._disk.problem is not None:
            raise UserError(
                f"training has ended, but its end could not be written ({describe(self._disk.problem)}). Make room, "
                f"then go on from the newest checkpoint: --ckpt-path {self.run_dir / CHECKPOINTS / LAST}"
            )

    def _end(self, trainer: Trainer) -> None:
        if self.keeper.best:
            row = self.keeper.best["row"]
            with self._disk.trying():
                write_result(self.run_dir, "model_best", {name: row.get(name, float("nan")) for name in _RESULTS})
        self._observer.finish()
        self._numbers.log()
        with self._disk.trying():
            if self._disk.problem is None:
                self._heartbeat.stop(state="finished", results=read_results(self.run_dir))
                self._heartbeat = None  # whatever comes of the rest, and should it be cut short, this run is complete
        for callback in trainer.callbacks:
            if isinstance(callback, AfterRun):
                run_after(callback, self.run_dir)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Say in the run how it ended; one that was terminated does not end as if it had been finished."""
        if isinstance(exception, SIGTERMException) and exception.code is None:
            exception.code = 128 + signal.SIGTERM
        if self._heartbeat is not None:
            self._close(exception)
        if self._termination.agreed:  # who ends first with a code other than 0 would have the others killed
            self._meeting.part(_PARTING_SECONDS)

    def _close(self, exception: BaseException) -> None:
        self._observer.stop()
        self._numbers.log()
        stopped = isinstance(exception, (KeyboardInterrupt, SIGTERMException))
        with self._disk.trying():
            self._heartbeat.stop(
                state="stopped" if stopped else "failed",
                error=None if stopped else f"{type(exception).__name__}: {exception}",
            )

    def _open(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Rank zero makes all ready, then tells the others where, or why not: nobody waits for one that has failed."""
        callbacks = diagnostics_of(trainer)
        layers = named_layers(pl_module, [name for c in callbacks for name in c.diagnostic.asked_layers])
        look_at = partial(
            subject_of_run, trainer, pl_module, callbacks, layers, self.points, self.unpack, self.criterion
        )
        problem, is_new = None, False
        if trainer.is_global_zero:
            try:
                checkpoint = Path(trainer.ckpt_path) if trainer.ckpt_path else None
                self.run_dir = open_folder(self.runs_dir, checkpoint, self._epoch, self.config_text)
                is_new = not run_folder.is_run(self.run_dir)
                self._make_ready(trainer, callbacks, look_at)
            except Exception as error:
                problem = error
                if isinstance(error, OSError):
                    problem = UserError(f"the run cannot be written ({describe(error)})")
                self._undo(is_new=is_new)
        folder, message = trainer.strategy.broadcast((str(self.run_dir), problem and str(problem)))
        if problem is not None:
            raise problem
        if message is not None:
            raise UserError(message)
        self.run_dir = Path(folder)
        self._meeting = Meeting()
        if not trainer.is_global_zero and self.spread_diagnostics:
            self._looker = looker_of_another_rank(look_at, callbacks, self.run_dir)
        self._shared = SharedLook(self._meeting, self._termination, self._looker, of_epochs(callbacks))
        self._started = time.monotonic()

    def _make_ready(self, trainer: Trainer, callbacks: Sequence[DiagnosticCallback], look_at: LookAt) -> None:
        log.info("run folder: %s", self.run_dir)
        source, subject = look_at(self.run_dir)
        callbacks, not_applicable = applicable(callbacks, subject.sample)
        self._looker = Looker(subject, of_epochs(callbacks), self.run_dir)
        self._numbers = NumberLog(trainer.loggers)
        looking = {"background": self.background, "time_budget": self.time_budget}
        self._observer = Observer(subject, callbacks, self.run_dir, take_numbers=self._numbers.take, **looking)
        description = describe_run(trainer, subject, source) | {
            "kinds": self._observer.kinds,
            "every_n_epochs": self._observer.every_n_epochs,
            "not_applicable": not_applicable,
            "monitor": self.keeper.monitor,
        }
        self._founding = FoundingFiles(self.run_dir)
        self._heartbeat = Heartbeat(self.run_dir, description, lambda: self._progress(trainer))
        self._heartbeat.start()

    def _undo(self, *, is_new: bool) -> None:
        """A run that could not be opened leaves nothing behind; one that was there before stays."""
        if self._observer is not None:
            self._observer.stop()
        if is_new:
            shutil.rmtree(self.run_dir, ignore_errors=True)
        self._heartbeat = None

    def _go_on(self, trainer: Trainer) -> None:
        """Take up a run where its checkpoint left it; one that had ended early goes on only with more patience."""
        stopping = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]
        self._should_stop = self._should_stop and any(c.wait_count >= c.patience for c in stopping)
        trainer.should_stop = self._should_stop
        if trainer.is_global_zero:
            restore_folder(self.run_dir, self._epoch, self._table, self.keeper, trainer.ckpt_path)
            self._observer.take_up({int(row["epoch"]): int(row["step"]) for row in self._table.rows[:-1]})
        # Killed between the checkpoint and the last diagnostic, the epoch may not have been looked at yet.
        self._look(trainer, last=self._should_stop or self._epoch == trainer.max_epochs)
        self._termination.agree(self._meeting)

    def _finish_epoch(
        self, trainer: Trainer, pl_module: LightningModule, epoch: int, metrics: dict[str, float]
    ) -> None:
        self._measured.begin()
        self._epoch, self._should_stop = epoch, trainer.should_stop
        row: Row = {"epoch": epoch, "step": trainer.global_step, **metrics}
        self._table.append(row)
        is_best = self.keeper.note(epoch, row)
        self._disk.begin()
        if trainer.is_global_zero:
            with self._disk.trying():
                self._founding.restore()
                self._table.write(self.run_dir)
        self.keeper.save(trainer, self.run_dir, epoch, is_best=is_best, disk=self._disk)
        if trainer.is_global_zero and trainer.progress_bar_callback is None:
            say(row, trainer.max_epochs, time.monotonic() - self._started)
        self._look(trainer, last=epoch == trainer.max_epochs)
        if trainer.is_global_zero:
            with self._disk.trying():
                self._numbers.log()
                self._heartbeat.update()
            self._disk.end()
        self._termination.agree(self._meeting)

    def _look(self, trainer: Trainer, *, last: bool) -> None:
        """On every rank: rank zero knows what is due."""
        due: tuple[str, ...] = ()
        # Where the disk takes nothing, the newest checkpoint is not this epoch's.
        if trainer.is_global_zero and self._disk.problem is None:
            with self._termination.noting(self._meeting), self._disk.trying():
                checkpoint = self.keeper.holding(self.run_dir, self._epoch)
                due = self._observer.due(self._epoch, trainer.global_step, checkpoint, last=last)
        began = time.monotonic()
        shares = self._shared.look(due, self._epoch, trainer.global_step)
        if trainer.is_global_zero:
            self._observer.looked(trainer.global_step, shares, time.monotonic() - began)

    def _progress(self, trainer: Trainer) -> dict[str, Any]:
        batches = trainer.num_training_batches
        steps = 0 if batches == float("inf") else int(batches)
        found = {"epoch": self._epoch, "step": trainer.global_step, "steps_per_epoch": steps}
        return found | self._observer.progress() | self._numbers.progress()
