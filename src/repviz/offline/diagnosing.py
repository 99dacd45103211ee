"""What ``repviz diagnose`` does: finds out what is missing and has it computed."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from repviz.atomic import remove_leftovers
from repviz.background.pending import pending_epochs, remove
from repviz.callbacks import callback_classes
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.device import usable_device
from repviz.diagnostics.activations import Activations
from repviz.errors import UserError
from repviz.offline import pools
from repviz.offline.claiming import claimed
from repviz.offline.plan import Schedule, Step, missing_steps
from repviz.offline.work import Job, Outcome, failed, forget, recorded, work
from repviz.store import artifacts
from repviz.store.config_file import read_config
from repviz.store.run_folder import CONFIG_FILE, read_run_file

log = logging.getLogger("repviz")

_LOOK_AGAIN = 5.0
"""Seconds after which a cluster is asked anew how many workers it has."""
_SAY_AGAIN = 60.0
"""Seconds between two lines of how far it is, where no bar can be drawn: a step may take minutes."""
_STEADY = 3600.0
"""Seconds over which the time left is estimated: steps may take minutes."""


def diagnose(
    run_dir: Path,
    *,
    data_path: str | None = None,
    epochs: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    force: bool = False,
    jobs: int = 1,
    threads: int | None = None,
    scheduler: str | None = None,
    device: str = "cpu",
    trust_pickle: bool = False,
) -> int:
    """Compute what a run's configuration asks for and is not there yet, from its checkpoints.

    Stopped at any moment (Ctrl-C), what was computed stays, and the same call goes on from there.

    Args:
        run_dir: the run; it may still be training.
        data_path: its data, where that has moved; default: the path in its configuration.
        epochs: which epochs, else those that each diagnostic's ``every_n_epochs`` asks for, the first and the last.
        only: kinds, also ones that the configuration has turned off; default: all that are on.
        settings: settings that replace the configuration's, by ``kind.name``.
        overwrite: compute again what is there.
        force: go on with other data than the run was trained on.
        jobs: processes on this machine.
        threads: of each process; default: torch's own for one process, shared out among several.
        scheduler: address of a Dask scheduler, whose workers see run and data under the same paths.
        device: where the network is looked at, of whatever process; ``cuda``, say.
        trust_pickle: read the data's pickles without the safe reader, which runs whatever code is in them. What the
            run's configuration says of it counts for nothing: it may be a stranger's.

    Returns:
        how many artifacts were computed.

    Raises:
        UserError: there are no checkpoints, an epoch has none, a kind is unknown, the data is another, there is no
            such device, another process diagnoses the same, or a diagnostic failed (the others are computed all the
            same).
    """
    if not (run_dir / CONFIG_FILE).exists():
        raise UserError(
            f"{run_dir} has no {CONFIG_FILE}: a script made it, and only the script knows its model and data; let its "
            "callbacks look inline or in the background"
        )
    if scheduler is None:
        usable_device(device, "--device")
    remove_leftovers(run_dir)
    config = _config(run_dir / CONFIG_FILE)
    not_applicable = () if only else read_run_file(run_dir).get("not_applicable", {})
    callbacks = [c for c in _callbacks(config, only, settings or {}) if c.kind not in not_applicable]
    if jobs > 1 and threads is None:
        threads = max(1, torch.get_num_threads() // jobs)
    job = Job(
        key=uuid.uuid4().hex,
        run_dir=run_dir.absolute(),
        config=config,
        data_path=None if data_path is None else str(Path(data_path).expanduser().absolute()),
        force=force,
        diagnostics={callback.kind: callback.diagnostic for callback in callbacks},
        threads=threads,
        device=device,
        trust_pickle=trust_pickle,
    )
    with claimed(run_dir, job.diagnostics):
        steps = missing_steps(run_dir, callbacks, epochs, overwrite)
        if not steps:
            training = read_run_file(run_dir)["state"] == "running"
            log.info("%s: nothing is missing%s", run_dir, " but what training computes itself" if training else "")
            if not only:
                _let_go_of_waiting(run_dir, callbacks)
            return 0
        # So that other data is refused before anything is computed; the device may be the cluster's alone.
        recorded(job if scheduler is None else replace(job, device="cpu"))
        if jobs > 1 or scheduler is not None:
            forget()
        outcomes = _run(job, steps, _pool(jobs, threads, scheduler), overwrite)
    if not only:
        _let_go_of_waiting(run_dir, callbacks)
    if outcomes[Outcome.FAILED]:
        raise UserError(
            f"{outcomes[Outcome.FAILED]} of {len(steps)} failed; the reasons are in {run_dir / artifacts.ARTIFACTS}"
        )
    return outcomes[Outcome.DONE]


def _config(path: Path) -> dict[str, Any]:
    """The run's configuration, blocks of settings."""
    config = read_config(path)
    if not isinstance(config.get("data"), dict):
        raise UserError(f"{path} is not the configuration of a run: there is no block data in it")
    for kind in set(callback_classes()) & {*config}:
        if not isinstance(config[kind], dict | None):
            raise UserError(f"{path}: {kind} is a {type(config[kind]).__name__}, not a block of settings")
    return config


def _let_go_of_waiting(run_dir: Path, callbacks: Sequence[DiagnosticCallback]) -> None:
    """Remove weights that waited for what has now been computed; training that still runs sees to its own."""
    if read_run_file(run_dir)["state"] == "running":
        return
    needed = {step.epoch for step in missing_steps(run_dir, callbacks, None, overwrite=False)}
    for epoch in set(pending_epochs(run_dir)) - needed:
        remove(run_dir, epoch)


def _pool(jobs: int, threads: int | None, scheduler: str | None) -> AbstractContextManager[pools.Pool]:
    if scheduler is not None:
        return pools.dask_cluster(scheduler)
    return pools.this_process() if jobs == 1 else pools.local_processes(jobs, threads or 1)


def _run(
    job: Job, steps: Sequence[Step], opening: AbstractContextManager[pools.Pool], overwrite: bool
) -> Counter[Outcome]:
    """Have all steps computed; how many ended how."""
    anew = set(steps) if overwrite else set()
    there = {
        kind: [epoch for epoch in artifacts.epochs(job.run_dir, kind) if Step(epoch, kind) not in anew]
        for kind in job.diagnostics
    }
    schedule = Schedule(steps, job.diagnostics, there)
    outcomes: Counter[Outcome] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with opening as pool, Progress(*columns, transient=True, speed_estimate_period=_STEADY) as progress:
            bar, said = progress.add_task("diagnosing", total=len(steps)), time.monotonic()
            under_way: dict[Future[Outcome], Step] = {}
            while True:
                while len(under_way) < pool.room() and (step := schedule.take()) is not None:
                    progress.update(bar, description=f"diagnosing: {step.kind} of epoch {step.epoch}")
                    under_way[pool.submit(work, job, step)] = step
                if not under_way:
                    return outcomes
                for future in wait(under_way, _LOOK_AGAIN, FIRST_COMPLETED).done:
                    step = under_way.pop(future)
                    outcome = _outcome(future, job, step)
                    schedule.finished(step, outcome is Outcome.DONE)
                    outcomes[outcome] += 1
                    progress.advance(bar)
                    if not progress.console.is_terminal and time.monotonic() - said >= _SAY_AGAIN:
                        said = time.monotonic()
                        log.info(
                            "%d of %d are dealt with, the last of them %s of epoch %d",
                            outcomes.total(), len(steps), step.kind, step.epoch,
                        )  # fmt: skip
    except KeyboardInterrupt:
        log.info(
            "stopped: %d of %d are computed; the same command computes the rest", outcomes[Outcome.DONE], len(steps)
        )
        raise


def _outcome(future: "Future[Outcome]", job: Job, step: Step) -> Outcome:
    """How a step ended, also where its process did not live to say so."""
    try:
        outcome = future.result()
    except pools.LOST:
        raise
    except Exception as error:
        failed(job, step, error)
        return Outcome.FAILED
    if outcome is Outcome.GONE:
        log.info("%s of epoch %d is left out: its checkpoint has been deleted meanwhile", step.kind, step.epoch)
    return outcome


def _callbacks(
    config: Mapping[str, Any], only: Sequence[str] | None, settings: Mapping[str, Any]
) -> list[DiagnosticCallback]:
    """The run's diagnostics with its settings, checked as the command line checks them."""
    known = callback_classes()
    unknown = sorted({*(only or ()), *(name.partition(".")[0] for name in settings)} - set(known))
    if unknown:
        raise UserError(f"there is no diagnostic {', '.join(unknown)}; there are {', '.join(known)}")
    parser = ArgumentParser(exit_on_error=False)
    for kind, found in known.items():
        parser.add_class_arguments(found, kind)
    blocks = {
        kind: {"enabled": found.diagnostic_class.on_by_default} | (config.get(kind) or {})
        for kind, found in known.items()
    }
    for name, value in settings.items():
        kind, _, setting = name.partition(".")
        blocks[kind][setting.replace("-", "_")] = value
    try:
        made = parser.instantiate(parser.parse_object(blocks))
    except Exception as error:  # jsonargparse raises several types; each message names the key
        raise UserError(str(error).strip()) from error
    # Activations are kept while training, to spare the others a forward pass; later they spare nobody anything.
    return [made[kind] for kind in known if (kind in only if only else made[kind].enabled and kind != Activations.kind)]
