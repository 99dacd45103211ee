"""Diagnostics that fail in every way there is, in the place of real ones."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
import xarray as xr

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, RunDiagnostic

ANYWHERE = ("raises", "runs out of memory", "exits", "gives NaN")
BESIDE = ("hangs", "is killed")
"""What brings down the process that it happens in."""


def without_numbers(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with NaN for every floating-point number that is no coordinate."""
    return dataset.assign({
        name: variable.copy(data=np.full_like(variable.values, np.nan))
        for name, variable in dataset.data_vars.items()
        if variable.dtype.kind == "f"
    })  # fmt: skip


def fail(how: str) -> None:
    """Fail; does nothing for ``gives NaN``, which is done to a result."""
    match how:
        case "raises":
            raise RuntimeError("it raises")
        case "runs out of memory":
            raise MemoryError("it runs out of memory")
        case "exits":
            raise SystemExit("it exits")
        case "hangs":
            time.sleep(600)
        case "is killed":
            os.kill(os.getpid(), signal.SIGKILL)


class _InPlaceOf:
    """Has the kind, the chain and the settings of the one in whose place it is."""

    kind = property(lambda self: self.real.kind)
    version = property(lambda self: self.real.version)
    needs_model = property(lambda self: self.real.needs_model)
    asked_layers = property(lambda self: self.real.asked_layers)
    key_variables = property(lambda self: self.real.key_variables)


@dataclass(frozen=True)
class Failing(_InPlaceOf, Diagnostic):
    """Fails at epoch 1 in one way, and at the others as ``elsewhere`` says."""

    real: Diagnostic = None
    how: str = "raises"
    elsewhere: str = "raises"

    chain = property(lambda self: self.real.chain)

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        how = self.how if snapshot.epoch == 1 else self.elsewhere
        fail(how)
        return without_numbers(self.real.compute(snapshot, earlier))


@dataclass(frozen=True)
class FailingOfRun(_InPlaceOf, RunDiagnostic):
    """Fails when it looks at the run."""

    real: RunDiagnostic = None
    how: str = "raises"

    def compute_run(self, checkpoints, snapshot):
        fail(self.how)
        return without_numbers(self.real.compute_run(checkpoints, snapshot))
