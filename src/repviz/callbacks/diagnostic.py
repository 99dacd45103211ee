"""The one callback behind every diagnostic: when it looks, and what becomes of what it sees."""

import dataclasses
import inspect
import logging
import traceback
from pathlib import Path
from typing import Any, ClassVar, Literal

import xarray as xr
from jsonargparse.typing import PositiveInt
from lightning.pytorch import Callback, LightningModule, Trainer

from repviz.diagnostics.diagnostic import Diagnostic, Earlier
from repviz.snapshot import Snapshot
from repviz.store import artifacts
from repviz.store.hdf5 import DamagedFileError

log = logging.getLogger("repviz")

Mode = Literal["inline", "offline"]


class DiagnosticCallback(Callback):
    """Runs one diagnostic at the untrained network, every n epochs and at the last, and stores its dataset.

    The run's recorder calls ``look`` with a snapshot that all diagnostics of the epoch share. A diagnostic that fails
    is recorded in the run, and training goes on.
    """

    diagnostic_class: ClassVar[type[Diagnostic]]

    def __init__(
        self, diagnostic: Diagnostic, *, enabled: bool = True, every_n_epochs: int = 1, mode: Mode = "inline"
    ) -> None:
        """Args: the diagnostic with its settings, whether it runs at all, how often, and where."""
        self.diagnostic = diagnostic
        self.enabled = enabled
        self.every_n_epochs = every_n_epochs
        self.mode = mode
        self._looked: int | None = None

    @property
    def kind(self) -> str:
        """Name of the artifacts."""
        return self.diagnostic.kind

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make sure that someone records the run, also in a script that only asked for this callback."""
        from repviz.callbacks.recorder import RunRecorder

        if stage == "fit" and self.enabled and not any(isinstance(c, RunRecorder) for c in trainer.callbacks):
            trainer.callbacks.append(RunRecorder())

    def is_due(self, epoch: int, *, last: bool) -> bool:
        """Whether to look at ``epoch``: the untrained network, every n-th epoch, and the last one."""
        return self._looked != epoch and (last or epoch % self.every_n_epochs == 0)

    def look(self, snapshot: Snapshot, run_dir: Path) -> bool:
        """Compute and store; what goes wrong is stored instead. Gives whether all went well."""
        self._looked = snapshot.epoch
        try:
            previous_epoch, earlier = earlier_datasets(self.diagnostic, run_dir, snapshot.epoch)
            dataset = self.diagnostic.compute(snapshot, earlier)
            artifacts.write_artifact(
                run_dir,
                self.kind,
                snapshot.epoch,
                dataset,
                step=snapshot.step,
                version=self.diagnostic.version,
                previous_epoch=previous_epoch,
            )
        except Exception as error:  # whatever a diagnostic does, training is never the victim
            self.failed(error, run_dir, snapshot.epoch)
            return False
        return True

    def failed(self, error: Exception, run_dir: Path, epoch: int) -> None:
        """Say and record what went wrong at ``epoch``."""
        self._looked = epoch
        log.warning("%s failed at epoch %d, training goes on: %s", self.kind, epoch, error)
        _record(run_dir, self.kind, epoch, error)


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


def callback_for(diagnostic_class: type[Diagnostic], name: str) -> type[DiagnosticCallback]:
    """A callback class whose arguments are ``enabled``, ``every_n_epochs`` and the diagnostic's own settings.

    LightningCLI reads names, types, defaults and help from the signature and the docstring, so that nothing about a
    diagnostic is written twice.
    """

    def __init__(
        self: DiagnosticCallback,
        enabled: bool = diagnostic_class.on_by_default,
        every_n_epochs: int = 1,
        mode: Mode = "inline",
        **settings: Any,
    ) -> None:
        found = diagnostic_class(**settings)
        DiagnosticCallback.__init__(self, found, enabled=enabled, every_n_epochs=every_n_epochs, mode=mode)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("enabled", keyword, default=diagnostic_class.on_by_default, annotation=bool),
        inspect.Parameter("every_n_epochs", keyword, default=1, annotation=PositiveInt),
        inspect.Parameter("mode", keyword, default="inline", annotation=Mode),
    ]
    for field in dataclasses.fields(diagnostic_class):
        parameters.append(inspect.Parameter(field.name, keyword, default=field.default, annotation=field.type))
    __init__.__signature__ = inspect.Signature(parameters)
    __init__.__annotations__ = {p.name: p.annotation for p in parameters[1:]}
    __init__.__doc__ = _help(diagnostic_class)
    __init__.__qualname__ = f"{name}.__init__"
    members = {
        "__init__": __init__,
        "__doc__": inspect.getdoc(diagnostic_class),
        "__module__": "repviz.callbacks",
        "diagnostic_class": diagnostic_class,
    }
    return type(name, (DiagnosticCallback,), members)


def _help(diagnostic_class: type[Diagnostic]) -> str:
    """The docstring from which the command line takes its help: the class's ``Attributes`` as ``Args``."""
    text = inspect.getdoc(diagnostic_class) or ""
    summary, _, attributes = text.partition("Attributes:")
    settings = [
        "Args:",
        "    enabled: whether this diagnostic runs.",
        "    every_n_epochs: look every n epochs, at the untrained network, and at the last epoch.",
        "    mode: inline, between epochs; or offline, later from the checkpoints by 'repviz diagnose'.",
    ]
    return summary.strip().splitlines()[0] + "\n\n" + "\n".join(settings) + attributes.rstrip()


def _record(run_dir: Path, kind: str, epoch: int, error: Exception) -> None:
    try:
        artifacts.write_error(run_dir, kind, epoch, error, "".join(traceback.format_exception(error)))
    except OSError as second:
        log.warning("and that could not be recorded in %s: %s", run_dir, second)
