"""Callbacks that do something with the finished run: with its metrics and every diagnostic, drained or inline."""

import logging
from abc import abstractmethod
from pathlib import Path

from lightning.pytorch import Callback

log = logging.getLogger("repviz")


class AfterRun(Callback):
    """Called by the run's recorder on rank zero, when training has ended and everything has been looked at."""

    @abstractmethod
    def after_run(self, run_dir: Path) -> None:
        """Do it. What it raises is said in the log; the run stays finished."""


def run_after(callback: AfterRun, run_dir: Path) -> None:
    """Let it do its work; a finished run stays finished whatever comes of that."""
    try:
        callback.after_run(run_dir)
    except Exception as error:
        log.warning("%s: %s", type(callback).__name__.removesuffix("Callback").lower(), error)
