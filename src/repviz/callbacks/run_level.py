"""Diagnostics that look at the whole run: its checkpoints, read when asked for, and the network with its sample."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from repviz.callbacks.looking import FAILURES, Report, record_failure, report_to_nobody
from repviz.callbacks.subject import Subject
from repviz.diagnostics.diagnostic import RunDiagnostic
from repviz.errors import UserError
from repviz.snapshot import Snapshot, observing
from repviz.store import artifacts
from repviz.weights import checkpoint_at, epochs_with_weights, weights_path


class SavedCheckpoints(Mapping[int, Mapping[str, Tensor]]):
    """Weights of the epochs that have them on disk, ascending; files are mapped, not copied."""

    def __init__(self, run_dir: Path) -> None:
        """Args: the run; which epochs there are is settled now."""
        self._run_dir = run_dir
        self._epochs = epochs_with_weights(run_dir)

    def __getitem__(self, epoch: int) -> Mapping[str, Tensor]:
        path = weights_path(self._run_dir, epoch)
        try:
            with checkpoint_at(path) as state:
                return state["state_dict"]
        except FileNotFoundError:
            raise KeyError(epoch) from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)


def look_at_run(
    subject: Subject,
    due: Sequence[RunDiagnostic],
    run_dir: Path,
    *,
    epoch: int,
    step: int,
    report: Report = report_to_nobody,
) -> int:
    """Let all of ``due`` look at the run as far as ``epoch``; gives how many did so with success.

    Whatever goes wrong is recorded in the run and raised by nobody, as by ``looking.look``.
    """
    with observing(subject.module):
        try:
            snapshot = subject.snapshot(epoch, step)
        except FAILURES as error:
            for diagnostic in due:
                record_failure(diagnostic.kind, error, run_dir, artifacts.WHOLE_RUN)
                report(diagnostic, None)
            return 0
        return sum(compute_and_store_run(diagnostic, snapshot, run_dir, report) for diagnostic in due)


def compute_and_store_run(
    diagnostic: RunDiagnostic, snapshot: Snapshot, run_dir: Path, report: Report = report_to_nobody
) -> bool:
    """One diagnostic's dataset of the run; what goes wrong is stored instead. Gives whether all went well."""
    try:
        checkpoints = SavedCheckpoints(run_dir)
        if not checkpoints:
            raise UserError(f"{run_dir} has no checkpoints of single epochs; keep them with --keep-checkpoints all")
        dataset = diagnostic.compute_run(checkpoints, snapshot)
        artifacts.write_run_artifact(
            run_dir,
            diagnostic.kind,
            dataset,
            epoch=snapshot.epoch,
            step=snapshot.step,
            version=diagnostic.version,
        )
    except FAILURES as error:  # whatever a diagnostic does, training is never the victim
        record_failure(diagnostic.kind, error, run_dir, artifacts.WHOLE_RUN)
        report(diagnostic, None)
        return False
    report(diagnostic, dataset)
    return True
