"""What a worker program gets once, at its start: the subject and the diagnostics, in a private temporary file.

The file holds pickled objects, so it is read only by the program that this process starts, from a folder that only
this user may enter, and it goes with the run. Tensors lie in it as they lie in memory and are mapped, not copied:
several workers share one copy of the data. cloudpickle takes classes and functions of a script by value, so that a
model defined in ``__main__`` arrives without the script being run again.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import torch
from torch import nn

from repviz.atomic import private_folder
from repviz.callbacks.subject import Subject
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.errors import UserError


@dataclass(frozen=True, eq=False)
class Handover:
    """What is handed over.

    Attributes:
        subject: what is looked at; its module with the weights of the start.
        diagnostics: by kind.
        run_dir: the run.
    """

    subject: Subject
    diagnostics: Mapping[str, Diagnostic]
    run_dir: Path


class HandoverFile:
    """The file on disk; ``remove`` takes it away."""

    def __init__(self, handover: Handover) -> None:
        """Write it.

        Raises:
            UserError: the model or something with it cannot be sent to another process.
        """
        self._folder = private_folder("handover")
        self.path = self._folder / "handover.pt"
        try:
            torch.save(handover, self.path, pickle_module=cloudpickle)
        except Exception as error:  # pickling raises what the objects' own methods raise
            self.remove()
            raise UserError(
                f"the model cannot be sent to the background worker ({type(error).__name__}: {error}). "
                "Set mode: inline for the diagnostics (or --diagnostics inline), then they look in this process"
            ) from error

    def remove(self) -> None:
        """Take the file away."""
        shutil.rmtree(self._folder, ignore_errors=True)


def receive(path: Path, device: str) -> Handover:
    """Read what the process that started this one has written: this runs pickled code, and nothing else may give it."""
    handover: Handover = torch.load(path, map_location="cpu", weights_only=False, mmap=True)
    handover.subject.module.to(device)
    if isinstance(handover.subject.criterion, nn.Module):  # it need not be a part of the module
        handover.subject.criterion.to(device)
    return handover
