"""What ``run.json`` says of a run when it starts."""

import platform
from importlib.metadata import version
from typing import Any

from lightning.pytorch import Trainer

from repviz.callbacks.source import Source
from repviz.callbacks.subject import Subject
from repviz.snapshot import SPLIT_NAMES
from repviz.store import artifacts, run_folder
from repviz.version import __version__

_PACKAGES = ("torch", "lightning", "numpy", "scikit-learn", "umap-learn", "h5py", "xarray")


def describe_run(trainer: Trainer, subject: Subject, source: Source) -> dict[str, Any]:
    """Process, versions, classes, layers, data and sizes."""
    split = subject.sample.split
    return run_folder.identity() | {
        "format": 1,
        "state": "running",
        "started": artifacts.now(),
        "repviz_version": __version__,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
        "classes": list(source.classes),
        "layers": list(subject.layers),
        "data": dict(source.description()),
        "sample": {name: int((split == code).sum()) for code, name in enumerate(SPLIT_NAMES)},
        "n_parameters": sum(p.numel() for p in subject.module.parameters()),
        "max_epochs": trainer.max_epochs,
        "world_size": trainer.world_size,
        "continued_from": str(trainer.ckpt_path) if trainer.ckpt_path else None,
    }
