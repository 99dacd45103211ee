"""The one callback behind every diagnostic: when it looks, and where."""

import dataclasses
import inspect
from typing import Any, ClassVar, get_args

from jsonargparse.typing import PositiveInt
from lightning.pytorch import Callback, LightningModule, Trainer

from repviz.diagnostics.diagnostic import Diagnostic, Mode, RunDiagnostic
from repviz.errors import UserError


class DiagnosticCallback(Callback):
    """Has one diagnostic look at the untrained network, every n epochs and at the last.

    One of the whole run looks once, when training ends. The run's recorder asks what is due, and lets all of an epoch
    look at one snapshot. A diagnostic that fails is recorded in the run, and training goes on.
    """

    diagnostic_class: ClassVar[type[Diagnostic] | type[RunDiagnostic]]

    def __init__(
        self,
        diagnostic: Diagnostic | RunDiagnostic,
        *,
        enabled: bool = True,
        every_n_epochs: int = 1,
        mode: Mode = "background",
    ) -> None:
        """Set when and where the diagnostic looks.

        Args:
            diagnostic: with its settings.
            enabled: whether it looks at all.
            every_n_epochs: how often.
            mode: where.

        Raises:
            UserError: one of them is out of range.
        """
        if mode not in get_args(Mode):
            raise UserError(f"{diagnostic.kind}.mode is {mode!r}; choose one of {', '.join(get_args(Mode))}")
        if every_n_epochs < 1:
            raise UserError(f"{diagnostic.kind}.every_n_epochs must be 1 or more; it is {every_n_epochs!r}")
        self.diagnostic = diagnostic
        self.enabled = enabled
        self.every_n_epochs = every_n_epochs
        self.mode = mode
        self._looked: int | None = None

    @property
    def kind(self) -> str:
        """Name of the artifacts."""
        return self.diagnostic.kind

    @property
    def of_run(self) -> bool:
        """Whether it looks at the whole run and not at single epochs."""
        return isinstance(self.diagnostic, RunDiagnostic)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make sure that someone records the run, also in a script that only asked for this callback."""
        from repviz.callbacks.recorder import RunRecorder

        if stage == "fit" and self.enabled and not any(isinstance(c, RunRecorder) for c in trainer.callbacks):
            trainer.callbacks.append(RunRecorder())

    def is_due(self, epoch: int, *, last: bool) -> bool:
        """Whether to look at ``epoch``: the untrained network, every n-th epoch, and the last one."""
        if self.of_run:
            return False
        return self._looked != epoch and (last or epoch % self.every_n_epochs == 0)

    def looked(self, epoch: int) -> None:
        """``epoch`` has been looked at, or will be: it is not due again."""
        self._looked = epoch


def callback_for(diagnostic_class: type[Diagnostic] | type[RunDiagnostic], name: str) -> type[DiagnosticCallback]:
    """A callback class whose arguments are ``enabled``, ``every_n_epochs``, ``mode`` and the diagnostic's own settings.

    One of the whole run has no ``every_n_epochs``.

    LightningCLI reads names, types, defaults and help from the signature and the docstring, so that nothing about a
    diagnostic is written twice.
    """

    def __init__(
        self: DiagnosticCallback,
        enabled: bool = True,
        every_n_epochs: int = 1,
        mode: Mode = diagnostic_class.mode_by_default,
        **settings: Any,
    ) -> None:
        found = diagnostic_class(**settings)
        DiagnosticCallback.__init__(self, found, enabled=enabled, every_n_epochs=every_n_epochs, mode=mode)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("enabled", keyword, default=True, annotation=bool),
        inspect.Parameter("every_n_epochs", keyword, default=1, annotation=PositiveInt),
        inspect.Parameter("mode", keyword, default=diagnostic_class.mode_by_default, annotation=Mode),
    ]
    if issubclass(diagnostic_class, RunDiagnostic):
        parameters = [p for p in parameters if p.name != "every_n_epochs"]
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


def _help(diagnostic_class: type[Diagnostic] | type[RunDiagnostic]) -> str:
    """The docstring from which the command line takes its help: the class's ``Attributes`` as ``Args``."""
    text = inspect.getdoc(diagnostic_class) or ""
    summary, _, attributes = text.partition("Attributes:")
    when = [
        "    every_n_epochs: look every n epochs, at the untrained network, and at the last epoch.",
        "    mode: background, in a program beside training; inline, between epochs; or offline, later from the",
        "        checkpoints by 'repviz diagnose'.",
    ]
    if issubclass(diagnostic_class, RunDiagnostic):
        when = ["    mode: inline or background, when training ends; or offline, later by 'repviz diagnose'."]
    settings = [
        "Args:",
        "    enabled: whether this diagnostic runs.",
        *when,
    ]
    return summary.strip().splitlines()[0] + "\n\n" + "\n".join(settings) + attributes.rstrip()
