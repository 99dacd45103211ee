"""Every diagnostic's figures in the trainer's loggers, as far as those take figures."""

import difflib
import logging
import math
import time
from pathlib import Path
from typing import Any

from jsonargparse.typing import PositiveFloat, PositiveInt
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger

from repviz.callbacks.after_run import AfterRun
from repviz.callbacks.figure_takers import Taker, taker_of
from repviz.callbacks.recorder import RunRecorder
from repviz.diagnostics.registry import all_classes
from repviz.errors import UserError
from repviz.exports.drawing import Drawing, Drawn, Results, Wanted
from repviz.run import Run, open_run
from repviz.store.metrics_table import read_metrics
from repviz.theme import Theme

log = logging.getLogger("repviz")


def _when(wanted: Wanted) -> float:
    return math.inf if wanted[1] is None else wanted[1]


class LoggedFiguresCallback(AfterRun):
    """Gives figures to TensorBoard (as pictures), W&B and MLflow (as what can be zoomed), and who else has log_image.

    A program beside training draws them, one after the other, from artifacts as they come; training only hands over
    what is drawn, when an epoch begins, and waits for the rest when it has ended. Lives on rank zero.
    """

    def __init__(
        self,
        enabled: bool = True,
        every_n_epochs: PositiveInt = 10,
        kinds: list[str] | None = None,
        theme: Theme = "light",
        time_limit: PositiveFloat = 600.0,
    ) -> None:
        """Nothing is drawn without a logger that takes figures.

        Args:
            enabled: whether figures are logged.
            every_n_epochs: at least so many epochs from one figure of a kind to its next; the last has one.
            kinds: whose; left out, every diagnostic's that has a figure.
            theme: dark or light.
            time_limit: seconds that drawing may take, at a time and when training has ended; what is drawn by then is
                logged.

        Raises:
            UserError: a kind is not known.
        """
        for kind in kinds or ():
            if kind not in all_classes():
                near = difflib.get_close_matches(kind, all_classes(), n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(all_classes()))}"
                raise UserError(f"logged_figures.kinds: no diagnostic is called {kind!r}; {hint}")
        self.enabled = enabled
        self.every_n_epochs = int(every_n_epochs)
        self.kinds = kinds
        self.theme = theme
        self.time_limit = float(time_limit)
        self._takers: list[tuple[Logger, Taker]] = []
        self._drawing: Drawing | None = None
        self._newest: dict[str, int] = {}
        self._said: set[str] = set()

    def state_dict(self) -> dict[str, Any]:
        """What had been handed over before the checkpoint; what came later, a resume logs again at the same step."""
        return {"newest": dict(self._newest)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._newest = dict(state_dict["newest"])

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """See who takes figures."""
        if stage == "fit" and self.enabled and trainer.is_global_zero:
            found = [(logger, taker_of(logger)) for logger in trainer.loggers]
            self._takers = [(logger, taker) for logger, taker in found if taker is not None]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Another run than the one before, unless it is a resume."""
        if trainer.ckpt_path is None:
            self._newest = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hand over what has been drawn meanwhile, and let what is due be drawn next."""
        if not self._takers or self._is_drawing():
            return
        recorder = next((each for each in trainer.callbacks if isinstance(each, RunRecorder)), None)
        if recorder is None:
            self._say("figures are not logged", "they are drawn from a run's artifacts, and no RunRecorder makes one")
            return
        try:
            self._hand_over(recorder.run_dir, 0)
            run = open_run(recorder.run_dir)
            self._begin(run, [(kind, epoch) for kind in self._kinds(run) for epoch in self._due(run, kind)])
        except Exception as error:  # training is never the victim, and what fails once is not tried at every epoch
            self._takers = []
            self._close()
            self._say("figures are not logged any more", repr(error))

    def after_run(self, run_dir: Path) -> None:
        """Wait for what is being drawn, then draw what is left: the last epoch, and what shows all of them."""
        if not self._takers:
            return
        until = time.monotonic() + self.time_limit
        try:
            self._hand_over(run_dir, self.time_limit)
            run = open_run(run_dir)
            self._begin(run, self._left(run))
            if self._drawing is not None:
                log.info("drawing %d figures for the loggers", len(self._drawing.wanted))
            self._hand_over(run_dir, max(0.0, until - time.monotonic()))
        finally:
            self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Nobody waits any more."""
        self._close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind."""
        self._close()

    def _is_drawing(self) -> bool:
        """Whether it is still to be waited for."""
        return self._drawing is not None and self._drawing.is_running and self._drawing.seconds < self.time_limit

    def _kinds(self, run: Run) -> list[str]:
        from repviz.exports.pictures import CURVES, drawable  # takes its time: not where nothing is drawn

        there = [kind for kind in drawable(run) if kind != CURVES]
        return there if self.kinds is None else [kind for kind in there if kind in self.kinds]

    def _due(self, run: Run, kind: str) -> list[int]:
        """Epochs that are there and far enough from one another, in order."""
        found, newest = [], self._newest.get(kind)
        for epoch in run.epochs(kind):
            if newest is None or epoch >= newest + self.every_n_epochs:
                found.append(epoch)
                newest = epoch
        return found

    def _left(self, run: Run) -> list[Wanted]:
        from repviz.exports.pictures import has_history

        wanted: list[Wanted] = []
        for kind in self._kinds(run):
            epochs, due = run.epochs(kind), self._due(run, kind)
            newest = due[-1] if due else self._newest.get(kind, -1)
            wanted += [(kind, epoch) for epoch in [*due, *(epoch for epoch in epochs[-1:] if epoch > newest)]]
            if not epochs or has_history(run, kind):
                wanted.append((kind, None))
        return wanted

    def _begin(self, run: Run, wanted: list[Wanted]) -> None:
        if not wanted or not self._takers:
            return
        as_images = {taker.as_image for _, taker in self._takers}
        wanted = sorted(wanted, key=_when)  # the earliest first: those are there whenever drawing is ended
        self._drawing = Drawing(
            run.path, wanted, theme=self.theme, figures=False in as_images, images=True in as_images
        )

    def _hand_over(self, run_dir: Path, seconds: float) -> None:
        """Give the loggers what was drawn, in the order of steps."""
        if self._drawing is None:
            return
        try:
            found = self._drawing.results(seconds)
            self._say_problems(found)
            steps = {int(row["epoch"]): int(row["step"]) for row in read_metrics(run_dir)}
            last = max(steps.values(), default=0)
            for each in found.drawn:
                self._give(each, last if each.epoch is None else steps[each.epoch])
        finally:
            for kind, epoch in self._drawing.wanted:
                if epoch is not None:  # what cannot be drawn now is not tried again
                    self._newest[kind] = max(epoch, self._newest.get(kind, epoch))
            self._close()

    def _give(self, drawn: Drawn, step: int) -> None:
        name = f"figures/{drawn.kind}" + ("_over_epochs" if drawn.epoch is None else "")
        for logger, taker in list(self._takers):
            if taker.as_image and drawn.image is None:
                continue
            try:
                taker.give(logger, name, drawn, step)
            except Exception as error:  # one that fails may also take its time to do so: it is not asked again
                self._takers.remove((logger, taker))
                self._say(f"{type(logger).__name__} gets no more figures", f"{type(error).__name__}: {error}")

    def _say_problems(self, found: Results) -> None:
        if found.no_images is not None:  # nor will there be any later
            self._takers = [(logger, taker) for logger, taker in self._takers if not taker.as_image]
            self._say("no pictures for loggers", found.no_images)
        for kind, problem in found.problems.items():
            self._say(f"figures of {kind} are missing in the loggers", problem)
        if found.ended is not None:
            self._say("figures are missing in the loggers", found.ended)

    def _say(self, what: str, why: str) -> None:
        if what not in self._said:
            self._said.add(what)
            log.warning("%s: %s", what, why)

    def _close(self) -> None:
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            drawing.close()
