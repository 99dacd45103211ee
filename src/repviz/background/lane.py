"""One worker program and the jobs that wait for it: started when needed, restarted when it dies, ended in the end."""

import contextlib
import json
import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from repviz.background.settings import BackgroundSettings
from repviz.callbacks.looking import record_failure
from repviz.store.artifacts import artifact_path

log = logging.getLogger("repviz")

LOG_FILE = "background.log"
_START_LIMIT = 600.0
"""Seconds that a worker may take to start."""
_FAREWELL_SECONDS = 5.0
"""For a worker to end with nothing left to do, and for a lane once its worker is dead."""
_STARTS = 2
"""Starts that fail one after the other before a lane gives up."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

TakeNumbers = Callable[[int, Mapping[str, float]], None]
"""Told the optimiser steps done, and a diagnostic's key numbers then; from any thread."""


class WorkerEndedError(Exception):
    """A worker program ended, or was ended, before its work was done."""


@dataclass(frozen=True)
class Job:
    """An epoch to be looked at.

    Attributes:
        epoch: completed epochs.
        step: optimiser steps done.
        kinds: what is due.
        checkpoint: file with the weights.
    """

    epoch: int
    step: int
    kinds: tuple[str, ...]
    checkpoint: Path


class Lane:
    """A worker program and its queue, looked after by a thread.

    Ctrl-C raises wherever training is just then. Within a lock's own code that leaves it locked, and the thread would
    wait for it for good: so the two have no lock in common, and jobs go through a queue that nothing interrupts.
    """

    def __init__(
        self,
        handover: Path,
        run_dir: Path,
        settings: BackgroundSettings,
        done: Callable[[int, tuple[str, ...]], None],
        take_numbers: TakeNumbers,
    ) -> None:
        """Args: the file with subject and diagnostics, the run, settings, who is told what has been dealt with, and who
        takes key numbers.
        """
        self._handover = handover
        self._run_dir = run_dir
        self._settings = settings
        self._done = done
        self._take_numbers = take_numbers
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = False
        self._process: subprocess.Popen | None = None
        self._unread = b""
        self._failed_starts = 0
        self.current: tuple[int, str] | None = None
        """Epoch and kind that is being computed."""
        self._thread = threading.Thread(target=self._serve, name="repviz-background", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Add a job at the end."""
        self._jobs.put(job)

    def finish(self) -> None:
        """Let the worker end once all is done; it does not wait for that."""
        self._jobs.put(None)

    def wait(self, seconds: float) -> bool:
        """Whether the lane has ended, after at most so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End now: what waits stays undone, what is being computed is dropped."""
        self._stopped = True
        self._jobs.put(None)
        process = self._process
        if process is not None:
            process.kill()
        self._thread.join(_FAREWELL_SECONDS)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stopped:
            left = list(job.kinds)
            while left and not self._stopped:
                self._attempt(job, left)
            self.current = None
            if not left:
                self._done(job.epoch, job.kinds)
        self._say_farewell()

    def _attempt(self, job: Job, left: list[str]) -> None:
        """Have a worker compute the kinds in ``left``, which it takes off; one that brings it down is recorded."""
        try:
            if self._process is not None and self._process.poll() is not None:
                log.info("the background worker ended with nothing to do, and is started anew")
                self._reap()  # it ended while it had nothing to do: that is the fault of nothing it looks with
            if self._process is None:
                self._start()
        except Exception as error:  # whatever it is: a lane that ended would lose all that waits in it
            self._give_up(error)
            if self._failed_starts >= _STARTS:
                while left:
                    record_failure(left.pop(0), error, self._run_dir, job.epoch)
            return
        try:
            self._send({
                "epoch": job.epoch, "step": job.step, "kinds": left, "checkpoint": str(job.checkpoint),
            })  # fmt: skip
            while True:
                self.current = (job.epoch, left[0]) if left else None
                event = self._event(self._settings.time_limit, "background.time_limit")
                if event["event"] == "done":
                    return
                left.remove(event["kind"])
                self._take_numbers(job.step, event["numbers"])
        except Exception as error:
            self._give_up(error)
            if left and not self._stopped:
                kind = left.pop(0)
                # Else it ended before it could say so; Path.exists raises what a disk may say to that.
                if not os.path.exists(artifact_path(self._run_dir, kind, job.epoch)):
                    record_failure(kind, error, self._run_dir, job.epoch)

    def _start(self) -> None:
        settings = self._settings
        threads = {name: str(int(settings.threads)) for name in _THREAD_VARIABLES}
        with self._log_file() as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "repviz.background.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={**os.environ, **threads},
                process_group=0,  # Ctrl-C in the terminal reaches training alone
            )
        if self._stopped:  # by one who saw no process to end
            self._process.kill()
        self._unread = b""
        self._send({
            "handover": str(self._handover), "nice": int(settings.nice), "threads": int(settings.threads),
            "device": settings.device, "sys_path": sys.path,
        })  # fmt: skip
        self._event(_START_LIMIT, "a worker may take to start")
        self._failed_starts = 0

    def _log_file(self) -> BinaryIO:
        """Where the worker's words go; on a disk that takes nothing they are lost, and it works all the same."""
        try:
            return (self._run_dir / LOG_FILE).open("ab")
        except OSError as error:
            log.warning("what the background worker says is lost: %s cannot be opened (%s)", LOG_FILE, error.strerror)
            return Path(os.devnull).open("ab")

    def _give_up(self, error: Exception) -> None:
        """The worker is of no use any more; the next attempt starts another."""
        if not self._stopped:
            log.warning("the background worker is started anew: %s", error)
        self._failed_starts += 1
        if self._process is not None:
            self._process.kill()
            self._reap()

    def _send(self, message: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _event(self, seconds: float, limit: str) -> dict[str, Any]:
        """The next thing the worker says.

        Raises:
            WorkerEndedError: it ended, or said nothing for so long.
        """
        deadline = time.monotonic() + seconds
        output = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerEndedError(f"it took longer than {limit}, {seconds:g} s, and was ended")
            received = os.read(output, 65536)
            if not received:
                raise WorkerEndedError(f"the background worker ended {self._how()}; its words are in {LOG_FILE}")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _how(self) -> str:
        code = self._process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"

    def _say_farewell(self) -> None:
        if self._process is None:
            return
        try:
            self._send({})
            self._process.wait(_FAREWELL_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        self._reap()

    def _reap(self) -> None:
        process, self._process = self._process, None
        process.wait()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # what it has not read is lost with it
            process.stdin.close()
