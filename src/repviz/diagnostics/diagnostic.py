"""What every diagnostic is: settings, and one pure function from a snapshot, or a run, to a labelled dataset."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import xarray as xr
from torch import Tensor

from repviz.diagnostics.key_numbers import KeyNumbers
from repviz.snapshot import Sample, Snapshot

Mode = Literal["inline", "background", "offline"]
"""Where a diagnostic looks: between epochs, in a program beside training, or later from the checkpoints."""


@dataclass(frozen=True)
class Earlier:
    """A diagnostic's own datasets of earlier epochs, as far as its ``chain`` asks for them.

    Attributes:
        first: dataset of the first observed epoch, None at that epoch.
        previous: dataset of the observed epoch before this one, None at the first.
    """

    first: xr.Dataset | None = None
    previous: xr.Dataset | None = None


NOTHING_EARLIER = Earlier()


@dataclass(frozen=True)
class Diagnostic(KeyNumbers, ABC):
    """Settings (the fields) and numbers (``compute``) of one way of looking at a network.

    A subclass is a frozen dataclass whose fields have defaults; they become the keys of its YAML block.
    Its picture is the function ``figure`` in ``repviz.figures`` of the same module name.
    """

    kind: ClassVar[str]
    """Name of the artifacts' folder, of the YAML block and of the module."""
    version: ClassVar[int] = 1
    """Raised when a variable is renamed or changes its meaning."""
    on_by_default: ClassVar[bool] = False
    """Whether its block is on where no configuration speaks of it."""
    mode_by_default: ClassVar[Mode] = "background"
    """Where it looks where no configuration speaks of it."""
    needs_model: ClassVar[bool] = True
    """Whether ``compute`` runs the model; if not, kept activations of the sample are enough for it."""
    chain: ClassVar[Literal["none", "first", "previous", "both"]] = "none"
    """Which of its own earlier datasets ``compute`` wants; both = the first and the previous one."""

    @property
    def asked_layers(self) -> tuple[str, ...]:
        """Layers that the settings name; empty = whichever there are."""
        named = [getattr(self, field.name) for field in fields(self) if field.name == "layers"]
        return tuple(named[0] or ()) if named else ()

    def fixed(self, sample: Sample) -> Mapping[str, xr.Variable]:
        """What is chosen once per run, before the first look, for ``sample.h5``; follows from sample and settings."""
        return {}

    def inapplicable(self, sample: Sample) -> str | None:
        """Why there is nothing to look at in a run with these points; None where there is."""
        return None

    @abstractmethod
    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The numbers of one epoch, with named dimensions, units and long names, in the dtypes that are stored.

        Must not change the model, nor draw from any global random generator.
        """


Checkpoints = Mapping[int, Mapping[str, Tensor]]
"""Weights (a module's ``state_dict``) by epoch, ascending; read when they are asked for.

A checkpoint that has been deleted since is a ``KeyError``.
"""


@dataclass(frozen=True)
class RunDiagnostic(KeyNumbers, ABC):
    """Settings and numbers of one way of looking at a whole run: once, over its checkpoints.

    What else is said of ``Diagnostic`` holds here too.
    """

    kind: ClassVar[str]
    """Name of the artifact's folder, of the YAML block and of the module."""
    version: ClassVar[int] = 1
    """Raised when a variable is renamed or changes its meaning."""
    on_by_default: ClassVar[bool] = False
    """Whether its block is on where no configuration speaks of it."""
    mode_by_default: ClassVar[Mode] = "background"
    """Where it looks; inline and background are one: in training's own process, when training has ended."""
    needs_model: ClassVar[bool] = True
    """Always: checkpoints are of no use without the model."""

    @property
    def asked_layers(self) -> tuple[str, ...]:
        """None: what looks at checkpoints needs no layer's activations."""
        return ()

    def fixed(self, sample: Sample) -> Mapping[str, xr.Variable]:
        """Nothing: what it chooses follows from sample and settings anew."""
        return {}

    def inapplicable(self, sample: Sample) -> str | None:
        """Why there is nothing to look at in a run with these points; None where there is."""
        return None

    @abstractmethod
    def compute_run(self, checkpoints: Checkpoints, snapshot: Snapshot) -> xr.Dataset:
        """The numbers of the run so far, in the dtypes that are stored.

        Must not change the model, nor draw from any global random generator.

        Args:
            checkpoints: at least one.
            snapshot: of the last epoch; gives network, sample and criterion.
        """
