"""Looking in the background: which worker computes what, what waits, and how it ends."""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from repviz.background import pending
from repviz.background.handover import Handover, HandoverFile
from repviz.background.lane import Job, Lane, TakeNumbers
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.looking import record_failure
from repviz.callbacks.subject import Subject
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.store import artifacts

log = logging.getLogger("repviz")


class SkippedError(Exception):
    """An epoch was left out because the background worker could not keep up."""


class Background:
    """The worker programs of a run."""

    def __init__(
        self,
        subject: Subject,
        diagnostics: Mapping[str, Diagnostic],
        run_dir: Path,
        settings: BackgroundSettings,
        take_numbers: TakeNumbers = lambda step, numbers: None,
    ) -> None:
        """Hand over the subject; the programs start with the first job.

        Args:
            subject: what is looked at.
            diagnostics: by kind, those that look in the background.
            run_dir: the run.
            settings: threads, workers, and what to do when the queue is full.
            take_numbers: who takes the diagnostics' key numbers.

        Raises:
            UserError: the model cannot be sent to another process.
        """
        self._run_dir = run_dir
        self._settings = settings
        self._file = HandoverFile(Handover(subject, diagnostics, run_dir))
        self._left: dict[int, set[str]] = {}
        self._unwritten: dict[int, set[str]] = {}
        """Epochs and kinds of which the disk took neither an artifact nor why there is none."""
        self._lock = threading.Lock()
        kinds = list(diagnostics)
        shares = [kinds[start :: settings.cpu_jobs] for start in range(min(settings.cpu_jobs, len(kinds)))]
        self._lanes = [
            (tuple(share), Lane(self._file.path, run_dir, settings, self._done, take_numbers)) for share in shares
        ]

    def submit(self, epoch: int, step: int, kinds: Sequence[str], checkpoint: Path) -> None:
        """Have ``kinds`` look at ``epoch``, whose weights ``checkpoint`` holds; returns at once, but for ``wait``.

        A kind that has the epoch before it already is not asked again.

        Raises:
            OSError: the disk does not take the weights that are to wait; 'repviz diagnose' finds the checkpoint.
        """
        with self._lock:
            kinds = [kind for kind in kinds if kind not in self._left.get(epoch, ())]
        if not kinds:
            return
        if self._settings.when_full == "skip" and self.waiting >= self._settings.queue_size:
            for kind in kinds:
                error = SkippedError(
                    f"epoch {epoch} was skipped: {self.waiting} epochs were waiting (background.when_full: skip, "
                    f"queue_size: {self._settings.queue_size}); 'repviz diagnose' computes it from its checkpoint"
                )
                record_failure(kind, error, self._run_dir, epoch)
            return
        with terminated_as_interrupted():
            while self._settings.when_full == "wait" and self.waiting >= self._settings.queue_size:
                time.sleep(0.01)
        with self._lock:
            self._left.setdefault(epoch, set()).update(kinds)  # whatever interrupts the rest: it has not been looked at
            try:
                weights = pending.put(self._run_dir, epoch, checkpoint)
            except OSError:
                self._unwritten.setdefault(epoch, set()).update(kinds)
                self._take_off(epoch, kinds)
                raise
        for share, lane in self._lanes:
            mine = tuple(kind for kind in kinds if kind in share)
            if mine:
                lane.put(Job(epoch, step, mine, weights))

    @property
    def waiting(self) -> int:
        """Epochs that are not finished."""
        return len(self._left)

    def progress(self) -> dict[str, Any]:
        """What is being computed and how much waits, for ``run.json``."""
        current = [lane.current for _, lane in self._lanes if lane.current is not None]
        return {"waiting": self.waiting, "computing": [{"epoch": epoch, "kind": kind} for epoch, kind in current]}

    def drain(self) -> bool:
        """Wait until all is done, with a progress bar; whether it was, and is on the disk.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM; what waits stays on disk, and ``stop`` is to follow.
        """
        total = self._n_left()
        if total:
            log.info(
                "training has ended; %d diagnostics are still to be computed (Ctrl-C leaves them for later)", total
            )
        with terminated_as_interrupted():
            for _, lane in self._lanes:
                lane.finish()
            with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
                task = bar.add_task("diagnostics", total=total)
                while not all(lane.wait(0.1) for _, lane in self._lanes):
                    bar.update(task, completed=total - self._n_left())
        self._file.remove()
        self._say_what_is_left()
        return not self._left and not self._unwritten

    def stop(self) -> None:
        """End now; what waits stays on disk for 'repviz diagnose'."""
        for _, lane in self._lanes:
            lane.stop()
        self._file.remove()
        self._say_what_is_left()

    def _say_what_is_left(self) -> None:
        left = {*self._left, *self._unwritten}
        if left:
            which = "1 epoch has" if len(left) == 1 else f"{len(left)} epochs have"
            log.warning("%s not been looked at; 'repviz diagnose --run-dir %s' does it", which, self._run_dir)

    def _n_left(self) -> int:
        with self._lock:
            return sum(len(kinds) for kinds in self._left.values())

    def _done(self, epoch: int, kinds: tuple[str, ...]) -> None:
        with self._lock:
            self._take_off(epoch, kinds)
            unwritten = {kind for kind in self._unwritten.pop(epoch, set()) | set(kinds) if not self._told(kind, epoch)}
            if unwritten:
                self._unwritten[epoch] = unwritten
            if epoch not in self._left and not unwritten:
                pending.remove(self._run_dir, epoch)

    def _take_off(self, epoch: int, kinds: Sequence[str]) -> None:
        self._left[epoch] = self._left.get(epoch, set()) - set(kinds)
        if not self._left[epoch]:
            del self._left[epoch]

    def _told(self, kind: str, epoch: int) -> bool:
        """Whether the run has the artifact, or says why not."""
        found = artifacts.artifact_path(self._run_dir, kind, epoch), artifacts.error_path(self._run_dir, kind, epoch)
        return any(map(os.path.exists, found))
