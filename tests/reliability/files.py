"""What a run writes, as pairs of an old and a new content."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.store.artifacts import read_artifact, write_artifact
from repviz.store.metrics_table import read_metrics, write_metrics
from repviz.store.run_folder import read_run_file, write_run_file


def dataset(number: int, size: int = 2_000) -> xr.Dataset:
    """Numbers that follow from one."""
    values = np.random.default_rng(number).normal(size=size).astype(np.float32)
    return xr.Dataset({"number": ((), np.int64(number)), "values": ("sample", values)})


def is_whole(found: xr.Dataset) -> bool:
    """Whether it is one of ``dataset``'s."""
    return np.array_equal(found["values"], dataset(int(found["number"]), found.sizes["sample"])["values"])


def _artifact(run_dir: Path, number: int) -> None:
    write_artifact(run_dir, "test", 0, dataset(number), step=number, version=1)


def _checkpoint(run_dir: Path, number: int) -> None:
    import torch  # not for those who start a process to write artifacts

    from repviz.training.checkpoint_io import DurableCheckpointIO

    DurableCheckpointIO().save_checkpoint({"number": number, "weight": torch.full((500,), number)}, run_dir / "a.ckpt")


def _checkpoint_number(run_dir: Path) -> int:
    from repviz.training.checkpoint_io import DurableCheckpointIO

    return DurableCheckpointIO().load_checkpoint(run_dir / "a.ckpt")["number"]


WRITERS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], int]]] = {
    "artifact": (_artifact, lambda run_dir: int(read_artifact(run_dir, "test", 0)["number"])),
    "metrics": (
        lambda run_dir, number: write_metrics(run_dir, [{"epoch": 0, "step": number}]),
        lambda run_dir: read_metrics(run_dir)[0]["step"],
    ),
    "run file": (
        lambda run_dir, number: write_run_file(run_dir, {"state": "finished", "number": number}),
        lambda run_dir: read_run_file(run_dir)["number"],
    ),
    "checkpoint": (_checkpoint, _checkpoint_number),
}
"""By what is written: how, and which number is found there."""
