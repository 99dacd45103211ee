"""What is to be computed, and in which order: a chained diagnostic needs its own earlier epochs."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from repviz.background.pending import pending_epochs
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.diagnostics.activations import Activations
from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic
from repviz.errors import UserError
from repviz.store import artifacts
from repviz.store.hdf5 import DamagedFileError
from repviz.store.run_folder import read_run_file
from repviz.weights import epochs_with_weights

Chain = Literal["none", "first", "previous", "both"]


class Step(NamedTuple):
    """One diagnostic of one epoch; of one that looks at the whole run, the epoch is the run's last."""

    epoch: int
    kind: str


def missing_steps(
    run_dir: Path, callbacks: Sequence[DiagnosticCallback], epochs: Sequence[int] | None, overwrite: bool
) -> list[Step]:
    """What the run has not got, by ascending epoch, and within an epoch in the order of the callbacks.

    What a training that still runs computes itself is left to it.

    Raises:
        UserError: there are no checkpoints, or an epoch that is asked for has none.
    """
    saved = epochs_with_weights(run_dir)
    if not saved:
        raise UserError(f"{run_dir} has no checkpoints of single epochs; keep them with --keep-checkpoints all")
    without = sorted(set(epochs or ()) - set(saved))
    if without:
        raise UserError(
            f"{run_dir} has no checkpoint of epoch {', '.join(map(str, without[:5]))}; "
            f"it has {len(saved)} of epochs {saved[0]} to {saved[-1]}"
        )
    steps = []
    left = left_to_training(run_dir, saved)
    for callback in callbacks:
        if callback.of_run:
            if overwrite or _epoch_of_run_artifact(run_dir, callback.kind) < saved[-1]:
                steps.append(Step(saved[-1], callback.kind))
            continue
        there = set() if overwrite else _there(run_dir, callback.kind)
        there |= left.get(callback.kind, set())
        # Of an epoch without weights there may be activations, which are enough for some.
        kept = [] if callback.diagnostic.needs_model else artifacts.epochs(run_dir, Activations.kind)
        for epoch in sorted({*saved, *kept}):
            asked = epoch in epochs if epochs is not None else callback.is_due(epoch, last=epoch == saved[-1])
            if asked and epoch not in there:
                steps.append(Step(epoch, callback.kind))
    return sorted(steps, key=lambda step: step.epoch)


def left_to_training(run_dir: Path, saved: Sequence[int]) -> dict[str, set[int]]:
    """Epochs, by kind, that a living training computes itself: those that wait for it, and from its newest one on.

    Args:
        run_dir: the run.
        saved: its epochs that have weights.
    """
    run = read_run_file(run_dir)
    if run["state"] != "running":
        return {}
    newest = run.get("progress", {}).get("epoch", 0)
    epochs = {*pending_epochs(run_dir), *(epoch for epoch in saved if epoch >= newest)}
    return dict.fromkeys(run.get("every_n_epochs", {}), epochs)


def _there(run_dir: Path, kind: str) -> set[int]:
    """Epochs that need not be looked at again; one whose writing failed at the last moment has an error beside it."""
    return set(artifacts.epochs(run_dir, kind)) - artifacts.errors(run_dir, kind).keys()


def _epoch_of_run_artifact(run_dir: Path, kind: str) -> int:
    """Up to which epoch the whole run has been looked at; -1 where it has not, or an error is beside it."""
    if artifacts.run_error(run_dir, kind) is not None:
        return -1
    try:
        return artifacts.run_artifact_epoch(run_dir, kind)
    except (FileNotFoundError, DamagedFileError):
        return -1


class Schedule:
    """Gives the steps out, the earliest that may be taken first, so that the numbers are those of one after the other.

    Of a diagnostic that looks back at its previous epoch, one step is under way at a time. Of one that looks back at
    its first epoch, one at a time until that is there; then as many as there is room for.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        diagnostics: Mapping[str, Diagnostic | RunDiagnostic],
        there: Mapping[str, Iterable[int]],
    ) -> None:
        """Args: steps by ascending epoch, what makes them, and the epochs that are there and stay, by kind."""
        self._lines: dict[str, _Line] = {}
        for step in steps:
            if step.kind not in self._lines:
                diagnostic = diagnostics[step.kind]
                chain = diagnostic.chain if isinstance(diagnostic, Diagnostic) else "none"
                has_first = min(there.get(step.kind, ()), default=step.epoch) < step.epoch
                self._lines[step.kind] = _Line(chain, has_first=has_first)
            self._lines[step.kind].waiting.append(step)

    def take(self) -> Step | None:
        """The next step, None where all that are left wait for others."""
        lines = [line for line in self._lines.values() if line.is_ready]
        if not lines:
            return None
        line = min(lines, key=lambda line: line.waiting[0].epoch)
        line.under_way += 1
        return line.waiting.popleft()

    def finished(self, step: Step, well: bool) -> None:
        """A step that was taken is over."""
        line = self._lines[step.kind]
        line.under_way -= 1
        if well and line.opens_with_success:
            line.one_at_a_time = False


class _Line:
    """The steps of one kind."""

    def __init__(self, chain: Chain, *, has_first: bool) -> None:
        self.waiting: deque[Step] = deque()
        self.under_way = 0
        self.one_at_a_time = chain in ("previous", "both") or (chain == "first" and not has_first)
        self.opens_with_success = chain == "first"

    @property
    def is_ready(self) -> bool:
        return bool(self.waiting) and not (self.one_at_a_time and self.under_way)
