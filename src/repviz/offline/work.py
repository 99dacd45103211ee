"""One step of ``repviz diagnose``, in whatever process: data and sample are loaded once per process."""

import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from repviz.callbacks.looking import record_failure
from repviz.callbacks.run_level import compute_and_store_run
from repviz.device import usable_device
from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic
from repviz.offline.plan import Step
from repviz.recorded import RecordedRun
from repviz.store import artifacts
from repviz.weights import epochs_with_weights, weights_path


class Outcome(StrEnum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    GONE = "gone"
    """Its checkpoint has been deleted since."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a process has to know of one call of ``diagnose``; goes with every step.

    Attributes:
        key: tells this call from others, for what a process keeps.
        run_dir: the run, absolute.
        config: its configuration.
        data_path: its data, absolute, where that has moved.
        force: go on with other data than the run was trained on.
        diagnostics: by kind.
        threads: of each process; None = as many as it has by itself.
        device: where the network is looked at.
        trust_pickle: whether code in the data's pickles may run.
    """

    key: str
    run_dir: Path
    config: Mapping[str, Any]
    data_path: str | None
    force: bool
    diagnostics: Mapping[str, Diagnostic | RunDiagnostic]
    threads: int | None
    device: str = "cpu"
    trust_pickle: bool = False


_one_at_a_time = threading.Lock()
"""Where a cluster gives a process several threads, one looks: eval mode and random state are the process's."""
_loaded: dict[str, RecordedRun] = {}


def recorded(job: Job) -> RecordedRun:
    """The job's run with its data, loaded once per process; the newest checkpoint gives the scaling, as any would.

    Raises:
        UserError: the data is another.
    """
    if job.key not in _loaded:
        _loaded.clear()
        _loaded[job.key] = RecordedRun(
            job.run_dir,
            job.config,
            scaled_by=weights_path(job.run_dir, epochs_with_weights(job.run_dir)[-1]),
            data_path=job.data_path,
            asked_layers=[layer for diagnostic in job.diagnostics.values() for layer in diagnostic.asked_layers],
            force=job.force,
            device=usable_device(job.device, "--device"),
            trust_pickle=job.trust_pickle,
        )
    return _loaded[job.key]


def forget() -> None:
    """Let go of what this process has loaded."""
    _loaded.clear()


def work(job: Job, step: Step) -> Outcome:
    """Compute and store one step; what goes wrong is recorded in the run."""
    with _one_at_a_time, nullcontext() if job.threads is None else threadpool_limits(job.threads):
        if job.threads is not None:
            torch.set_num_threads(job.threads)
        try:
            return Outcome.DONE if _compute(job, step) else Outcome.FAILED
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not weights_path(job.run_dir, step.epoch).exists():
                return Outcome.GONE
            failed(job, step, error)
            return Outcome.FAILED


def failed(job: Job, step: Step, error: BaseException) -> None:
    """Say and record why there is no artifact."""
    of_run = isinstance(job.diagnostics[step.kind], RunDiagnostic)
    record_failure(step.kind, error, job.run_dir, artifacts.WHOLE_RUN if of_run else step.epoch)


def _compute(job: Job, step: Step) -> bool:
    run, diagnostic = recorded(job), job.diagnostics[step.kind]
    if isinstance(diagnostic, RunDiagnostic):
        with run.observed(step.epoch) as snapshot:
            return compute_and_store_run(diagnostic, snapshot, job.run_dir)
    return run.look(step.epoch, [diagnostic]) == 1
