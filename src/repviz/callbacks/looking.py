"""One look at the network: a snapshot, and every diagnostic that is due on it. The same in this process, in the
background and offline.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.callbacks.subject import Subject
from repviz.diagnostics.diagnostic import Diagnostic, Earlier, RunDiagnostic
from repviz.diagnostics.units import unit_order
from repviz.snapshot import Snapshot, observing
from repviz.store import artifacts
from repviz.store.hdf5 import DamagedFileError

log = logging.getLogger("repviz")

FAILURES = (Exception, SystemExit)
"""What a diagnostic may raise: also the exit that someone else's code, made for a command line, asks for."""

Report = Callable[[Diagnostic | RunDiagnostic, xr.Dataset | None], None]
"""Told the diagnostic and its dataset, None where something went wrong, when a diagnostic has looked."""


def report_to_nobody(diagnostic: Diagnostic | RunDiagnostic, dataset: xr.Dataset | None) -> None:
    """The ``Report`` of who asks for none."""


def look(
    subject: Subject,
    due: Sequence[Diagnostic],
    run_dir: Path,
    *,
    epoch: int,
    step: int,
    report: Report = report_to_nobody,
) -> int:
    """Run the sample through the network once and let all of ``due`` look at it; gives how many did so with success.

    Whatever goes wrong is recorded in the run and raised by nobody: training is never the victim.
    """
    with observing(subject.module):
        try:
            snapshot = subject.snapshot(epoch, step)
        except FAILURES as error:
            for diagnostic in due:
                record_failure(diagnostic.kind, error, run_dir, epoch)
                report(diagnostic, None)
            return 0
        return look_at(snapshot, due, run_dir, report)


def present_unit_order(subject: Subject) -> dict[str, np.ndarray]:
    """``Sample.unit_order`` with the weights of now; nothing, and it is said, where the network cannot be run."""
    with observing(subject.module):
        try:
            return unit_order(subject.snapshot(0, 0).activations)
        except FAILURES as error:
            log.warning("which units vary most cannot be told: %s: %s", type(error).__name__, error)
            return {}


def look_at(snapshot: Snapshot, due: Sequence[Diagnostic], run_dir: Path, report: Report = report_to_nobody) -> int:
    """Let all of ``due`` look at a snapshot; gives how many did so with success."""
    succeeded = 0
    for diagnostic in due:
        succeeded += compute_and_store(diagnostic, snapshot, run_dir, report)
    return succeeded


def compute_and_store(
    diagnostic: Diagnostic, snapshot: Snapshot, run_dir: Path, report: Report = report_to_nobody
) -> bool:
    """One diagnostic's dataset of one epoch; what goes wrong is stored instead. Gives whether all went well."""
    try:
        previous_epoch, earlier = earlier_datasets(diagnostic, run_dir, snapshot.epoch)
        dataset = diagnostic.compute(snapshot, earlier)
        artifacts.write_artifact(
            run_dir,
            diagnostic.kind,
            snapshot.epoch,
            dataset,
            step=snapshot.step,
            version=diagnostic.version,
            previous_epoch=previous_epoch,
        )
    except FAILURES as error:  # whatever a diagnostic does, training is never the victim
        record_failure(diagnostic.kind, error, run_dir, snapshot.epoch)
        report(diagnostic, None)
        return False
    report(diagnostic, dataset)
    return True


def record_failure(kind: str, error: BaseException, run_dir: Path, epoch: int | None) -> None:
    """Say and record what went wrong at ``epoch``, or with the whole run."""
    where = "over the run" if epoch is artifacts.WHOLE_RUN else f"at epoch {epoch}"
    log.warning("%s failed %s, the rest goes on: %s", kind, where, error)
    try:
        artifacts.write_error(run_dir, kind, epoch, error, "".join(traceback.format_exception(error)))
    except Exception as second:  # the disk, or an error that cannot even say what it is
        log.warning("and that could not be recorded in %s: %s: %s", run_dir, type(second).__name__, second)


def earlier_datasets(diagnostic: Diagnostic, run_dir: Path, epoch: int) -> tuple[int | None, Earlier]:
    """What the diagnostic's chain asks for of the epochs before ``epoch``; damaged files are passed over and said."""
    before = [number for number in artifacts.epochs(run_dir, diagnostic.kind) if number < epoch]
    first = previous = None, None
    if diagnostic.chain in ("first", "both"):
        first = _next_readable(run_dir, diagnostic.kind, before)
    if diagnostic.chain in ("previous", "both"):
        previous = _next_readable(run_dir, diagnostic.kind, before[::-1])
    number = first[0] if diagnostic.chain == "first" else previous[0]
    return number, Earlier(first[1], previous[1])


def _next_readable(run_dir: Path, kind: str, epochs: list[int]) -> tuple[int | None, xr.Dataset | None]:
    """The first of these epochs whose file is not damaged, and its dataset."""
    for number in epochs:
        try:
            return number, artifacts.read_artifact(run_dir, kind, number)
        except DamagedFileError as error:
            log.warning("%s goes on from another epoch: %s", kind, error)
    return None, None
