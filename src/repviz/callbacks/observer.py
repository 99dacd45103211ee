"""Lets the diagnostics that are due look at an epoch, each where its mode says."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.looking import look
from repviz.callbacks.subject import Subject
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
        time_budget: float | None = None,
    ) -> None:
        """Args: what is looked at, by whom, the run, and the share of the time that looking inline may take."""
        self._subject = subject
        self._callbacks = [callback for callback in callbacks if callback.mode != "offline"]
        self._run_dir = run_dir
        self._time_budget = time_budget
        self._began = time.monotonic()
        self._spent = 0.0
        self.thinned: list[int] = []
        """Epochs that the time budget left out."""

    @property
    def kinds(self) -> list[str]:
        """Kinds of which the run will have artifacts."""
        return [callback.kind for callback in self._callbacks]

    def look(self, epoch: int, step: int, *, last: bool) -> None:
        """Look at the present weights with whatever is due and not there yet."""
        due = [
            callback
            for callback in self._callbacks
            if callback.is_due(epoch, last=last) and epoch not in artifacts.epochs(self._run_dir, callback.kind)
        ]
        inline = [callback for callback in due if callback.mode == "inline"]
        if inline and not self._exceeded(epoch, last=last):
            for callback in inline:
                callback.looked(epoch)
            began = time.monotonic()
            look(self._subject, [callback.diagnostic for callback in inline], self._run_dir, epoch=epoch, step=step)
            self._spent += time.monotonic() - began

    def _exceeded(self, epoch: int, *, last: bool) -> bool:
        """Whether this epoch is left out because looking has taken more than its share; first and last never are."""
        share = self._spent / max(time.monotonic() - self._began, 1e-9)
        if self._time_budget is None or epoch == 0 or last or share <= self._time_budget:
            return False
        log.info(
            "epoch %d is not looked at: looking inline has taken %.0f%% of the time, time_budget is %.0f%%",
            epoch, 100 * share, 100 * self._time_budget,
        )  # fmt: skip
        self.thinned.append(epoch)
        return True
