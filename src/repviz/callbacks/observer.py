"""Lets the diagnostics that are due look at an epoch, each where its mode says."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy, Strategy

from repviz.background import pending
from repviz.background.background import Background
from repviz.background.lane import TakeNumbers
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.number_log import key_numbers_of
from repviz.callbacks.run_level import look_at_run
from repviz.callbacks.sharing import Looked
from repviz.callbacks.subject import Subject
from repviz.device import usable_device
from repviz.diagnostics.activations import Activations
from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic
from repviz.errors import UserError
from repviz.snapshot import Sample
from repviz.store import artifacts

log = logging.getLogger("repviz")


class Observer:
    """What looks while a run trains; lives on rank zero."""

    def __init__(
        self,
        subject: Subject,
        callbacks: Sequence[DiagnosticCallback],
        run_dir: Path,
        *,
        background: BackgroundSettings,
        time_budget: float | None = None,
        take_numbers: TakeNumbers = lambda step, numbers: None,
    ) -> None:
        """Make ready; a worker program starts with the first epoch.

        Args:
            subject: what is looked at.
            callbacks: by whom.
            run_dir: the run.
            background: settings of the worker programs.
            time_budget: share of the time that looking inline may take.
            take_numbers: who takes the diagnostics' key numbers.

        Raises:
            UserError: the model cannot be sent to a worker.
        """
        self._subject = subject
        self._callbacks = [callback for callback in callbacks if callback.mode != "offline"]
        self._caches = [callback for callback in callbacks if _is_wanted_cache(callback, callbacks)]
        self._run_dir = run_dir
        self._time_budget = time_budget
        self._take_numbers = take_numbers
        beside = {c.kind: c.diagnostic for c in self._callbacks if c.mode == "background" and not c.of_run}
        self._background = Background(subject, beside, run_dir, background, take_numbers) if beside else None
        self._began = time.monotonic()
        self._spent = 0.0
        self.thinned: list[int] = []
        """Epochs that the time budget left out."""

    @property
    def kinds(self) -> list[str]:
        """Kinds of which the run will have artifacts."""
        return [callback.kind for callback in self._callbacks]

    @property
    def every_n_epochs(self) -> dict[str, int]:
        """How often each kind looks that looks at epochs."""
        return {callback.kind: int(callback.every_n_epochs) for callback in self._callbacks if not callback.of_run}

    def due(self, epoch: int, step: int, checkpoint: Path, *, last: bool) -> tuple[str, ...]:
        """Kinds that are to look inline at the present weights, which ``checkpoint`` holds, and are not there yet.

        What looks in the background gets them here.

        Raises:
            KeyboardInterrupt: training is to end, and does not wait for a place in the background's queue.
        """
        due = [
            callback
            for callback in (*self._callbacks, *self._caches)
            if callback.is_due(epoch, last=last) and epoch not in artifacts.epochs(self._run_dir, callback.kind)
        ]
        beside = [callback for callback in due if callback.mode == "background"]
        if beside:
            with terminated_as_interrupted():
                self._background.submit(epoch, step, [callback.kind for callback in beside], checkpoint)
        inline = [callback for callback in due if callback.mode != "background"]
        left_out = bool(inline) and self._exceeded(epoch, last=last)
        for callback in beside if left_out else due:  # what is left out is due again should training end here
            callback.looked(epoch)
        return () if left_out else tuple(callback.kind for callback in inline)

    def looked(self, step: int, shares: Sequence[Looked], seconds: float) -> None:
        """What was due inline has been looked at; ``seconds`` of training's time went into that."""
        if shares:
            self._spent += seconds
        for share in shares:
            for numbers in share.numbers.values():
                self._take_numbers(step, numbers)

    def take_up(self, steps: Mapping[int, int]) -> None:
        """Go on with what a killed run has left waiting; ``steps`` are the optimiser steps of the epochs it kept."""
        for epoch in pending.pending_epochs(self._run_dir):
            missing = [
                callback.kind
                for callback in self._callbacks
                if callback.mode == "background"
                and callback.is_due(epoch, last=False)
                and epoch not in artifacts.epochs(self._run_dir, callback.kind)
            ]
            if epoch in steps and missing:
                self._background.submit(epoch, steps[epoch], missing, pending.pending_path(self._run_dir, epoch))
            elif epoch not in steps or self._background is not None:
                pending.remove(self._run_dir, epoch)  # else this run looks elsewhere: it stays for 'repviz diagnose'

    def progress(self) -> dict[str, Any]:
        """How far looking is, for ``run.json``."""
        found: dict[str, Any] = {"not_looked_at": self.thinned} if self.thinned else {}
        return found if self._background is None else found | {"background": self._background.progress()}

    def finish(self) -> None:
        """Wait for what looks in the background.

        Raises:
            KeyboardInterrupt: it is to end before that.
        """
        if self._background is not None:
            self._background.drain()

    def stop(self) -> None:
        """End at once; what is not done stays for 'repviz diagnose'."""
        if self._background is not None:
            self._background.stop()

    def look_at_run(self, epoch: int, step: int) -> None:
        """The run is over at ``epoch``: let those look that look at all of it."""
        due = [callback.diagnostic for callback in self._callbacks if isinstance(callback.diagnostic, RunDiagnostic)]
        if not due:
            return

        def report(diagnostic: Diagnostic | RunDiagnostic, dataset: xr.Dataset | None) -> None:
            self._take_numbers(step, key_numbers_of(diagnostic, dataset))

        with terminated_as_interrupted():
            look_at_run(self._subject, due, self._run_dir, epoch=epoch, step=step, report=report)

    def _exceeded(self, epoch: int, *, last: bool) -> bool:
        """Whether this epoch is left out because looking has taken more than its share; first and last never are."""
        share = self._spent / max(time.monotonic() - self._began, 1e-9)
        if self._time_budget is None or epoch == 0 or last or share <= self._time_budget:
            self.thinned = [other for other in self.thinned if other != epoch]
            return False
        log.info(
            "epoch %d is not looked at: looking inline has taken %.0f%% of the time, time_budget is %.0f%%",
            epoch, 100 * share, 100 * self._time_budget,
        )  # fmt: skip
        self.thinned.append(epoch)
        return True


def applicable(
    callbacks: Sequence[DiagnosticCallback], sample: Sample
) -> tuple[list[DiagnosticCallback], dict[str, str]]:
    """Those that have something to look at in a run with these points, and why the others have not, by kind."""
    reasons = {callback.kind: callback.diagnostic.inapplicable(sample) for callback in callbacks}
    without = {kind: reason for kind, reason in reasons.items() if reason is not None}
    for kind, reason in without.items():
        log.info("%s does not look at this run: %s", kind, reason)
    return [callback for callback in callbacks if callback.kind not in without], without


def diagnostics_of(trainer: Trainer) -> list[DiagnosticCallback]:
    """Those of the trainer's callbacks that are to look, before anything is known of the run.

    Raises:
        UserError: two are of one kind.
    """
    found = [c for c in trainer.callbacks if isinstance(c, DiagnosticCallback) and c.enabled]
    twice = sorted({c.kind for c in found if sum(other.kind == c.kind for other in found) > 1})
    if twice:
        raise UserError(f"two callbacks look for {', '.join(twice)}: a run has one of each kind")
    if _is_sharded(trainer.strategy):  # keeping activations would run the network on rank zero alone
        found = [c for c in found if not isinstance(c.diagnostic, Activations)]
    return found


def _is_sharded(strategy: Strategy) -> bool:
    """Whether each rank has but a part of the network."""
    return isinstance(strategy, (FSDPStrategy, DeepSpeedStrategy, ModelParallelStrategy))


def refuse_impossible(
    strategy: Strategy, callbacks: Sequence[DiagnosticCallback], background: BackgroundSettings
) -> None:
    """Raise where looking while training cannot work.

    Raises:
        UserError: each rank has but a part of the network, and a diagnostic would look before training has ended; or
            there is no device to look on beside training.
    """
    if any(callback.mode == "background" and not callback.of_run for callback in callbacks):
        usable_device(background.device, "background.device")
    early = [callback.kind for callback in callbacks if callback.mode != "offline"]
    if early and _is_sharded(strategy):
        raise UserError(
            f"with {type(strategy).__name__} no process has the whole network, so {', '.join(early)} cannot look at it "
            "while it trains. Train with --diagnostics offline, then run 'repviz diagnose' on the checkpoints"
        )


def _is_wanted_cache(callback: DiagnosticCallback, callbacks: Sequence[DiagnosticCallback]) -> bool:
    """Whether these are activations that are kept for others, which look offline and can do with them."""
    return (
        isinstance(callback.diagnostic, Activations)
        and callback.mode == "offline"
        and any(
            other is not callback and other.mode == "offline" and not other.diagnostic.needs_model
            for other in callbacks
        )
    )
