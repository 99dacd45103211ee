"""Every diagnostic's key numbers in the trainer's loggers, at the step that they belong to, whenever they come."""

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import xarray as xr

from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic

log = logging.getLogger("repviz")


class Logger(Protocol):
    """What is asked of a logger of Lightning's."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Take numbers."""


def key_numbers_of(diagnostic: Diagnostic | RunDiagnostic, dataset: xr.Dataset | None) -> dict[str, float]:
    """The finite key numbers of a dataset, none where there is no dataset; what goes wrong is said, and not raised."""
    if dataset is None:
        return {}
    try:
        numbers = {str(name): float(number) for name, number in diagnostic.key_numbers(dataset).items()}
    except Exception as error:  # the artifact is there: that it cannot be summed up is no failure of the diagnostic
        log.warning("%s has no key numbers for the loggers: %s: %s", diagnostic.kind, type(error).__name__, error)
        return {}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


class NumberLog:
    """Collects numbers from whoever computes them, and gives them to the loggers when it is told to.

    Loggers are only asked from the thread that trains, for few of them can be asked from several. Lives on rank zero.
    """

    def __init__(self, loggers: Sequence[Logger]) -> None:
        """Args: who takes numbers; without any, none are kept."""
        self._loggers = list(loggers)
        self._waiting: dict[int, dict[str, float]] = {}
        self._lock = threading.Lock()
        self._failed: dict[str, str] = {}

    def take(self, step: int, numbers: Mapping[str, float]) -> None:
        """Keep numbers of the network as it was after ``step`` optimiser steps; from any thread."""
        if self._loggers and numbers:
            with self._lock:
                self._waiting.setdefault(step, {}).update(numbers)

    def log(self) -> None:
        """Give what has come to the loggers, in the order of steps. Never raises: training is never the victim."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for step, numbers in sorted(waiting.items()):
            for logger in list(self._loggers):
                try:
                    logger.log_metrics(numbers, step)
                except Exception as error:  # one that fails may also take its time to do so: it is not asked again
                    name = type(logger).__name__
                    self._loggers.remove(logger)
                    self._failed[name] = f"{type(error).__name__}: {error}"
                    log.warning("%s gets no more key numbers of diagnostics: %s", name, self._failed[name])

    def progress(self) -> dict[str, Any]:
        """Loggers that have failed, for ``run.json``."""
        return {"failed_loggers": dict(self._failed)} if self._failed else {}
