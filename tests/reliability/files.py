"""What a run writes, as pairs of an old and a new content."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from repviz import atomic
from repviz.background import pending
from repviz.data.arrays import Arrays, Split
from repviz.data.npz import load_npz
from repviz.store.artifacts import error, read_artifact, write_artifact, write_error
from repviz.store.metrics_table import read_metrics, write_metrics
from repviz.store.results_table import COLUMNS, read_results, write_result
from repviz.store.run_folder import read_run_file, write_run_file
from repviz.store.sample_file import read_sample, write_sample


def dataset(number: int, size: int = 2_000) -> xr.Dataset:
    """Numbers that follow from one."""
    values = np.random.default_rng(number).random(size, np.float32)
    return xr.Dataset({"number": ((), np.int64(number)), "values": ("sample", values)})


def is_whole(found: xr.Dataset) -> bool:
    """Whether it is one of ``dataset``'s."""
    return np.array_equal(found["values"], dataset(int(found["number"]), found.sizes["sample"])["values"])


def _artifact(run_dir: Path, number: int, size: int = 2_000) -> None:
    write_artifact(run_dir, "test", 0, dataset(number, size), step=number, version=1)


def _artifact_number(run_dir: Path) -> int:
    found = read_artifact(run_dir, "test", 0)
    assert is_whole(found)
    return int(found["number"])


def _checkpoint(run_dir: Path, number: int, size: int = 500) -> None:
    import torch  # not for those who start a process to write artifacts

    from repviz.training.checkpoint_io import DurableCheckpointIO

    content = {"number": number, "weights": [torch.full((size // 5,), number) for _ in range(5)]}
    DurableCheckpointIO().save_checkpoint(content, run_dir / "a.ckpt")


def _checkpoint_number(run_dir: Path) -> int:
    from repviz.training.checkpoint_io import DurableCheckpointIO

    found = DurableCheckpointIO().load_checkpoint(run_dir / "a.ckpt")
    assert all((weight == found["number"]).all() for weight in found["weights"])
    return found["number"]


def _sample_number(run_dir: Path) -> int:
    found = read_sample(run_dir)
    assert is_whole(found)
    return int(found["number"])


def _result(run_dir: Path, number: int) -> None:
    write_result(run_dir, "model_best", dict.fromkeys(COLUMNS[1:], float(number)))


def _handed_over(run_dir: Path, number: int) -> None:
    """From a file of its own: what training writes next is another one too, and here both may lie apart."""
    with tempfile.TemporaryDirectory(dir=run_dir.parent) as folder:
        checkpoint = Path(folder) / "last.ckpt"
        checkpoint.write_text(f"{number:08d}" * 1_000)
        pending.put(run_dir, 0, checkpoint)


def _handed_over_number(run_dir: Path) -> int:
    text = pending.pending_path(run_dir, 0).read_text()
    assert text == text[:8] * 1_000
    return int(text[:8])


def arrays(number: int) -> Arrays:
    """Data of a few rows, all of one number."""

    def split(name: str, rows: int) -> Split:
        ids = np.array([f"{name}:{row}" for row in range(rows)])
        return Split(np.full((rows, 3), number, np.float32), np.arange(rows) % 2, None, ids)

    return Arrays({"train": split("train", 60), "val": split("val", 20)}, ("ant", "bee"), (), Path("made up"), "")


def number_of_arrays(path: Path) -> int:
    """Which of ``arrays`` a file or folder holds."""
    found = load_npz(path)
    values = [np.unique(split.embeddings[:]) for split in found.splits.values()]
    assert [len(split) for split in found.splits.values()] == [60, 20]
    assert all(value.tolist() == values[0].tolist() and len(value) == 1 for value in values)
    return int(values[0][0])


WRITERS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], int]]] = {
    "artifact": (_artifact, _artifact_number),
    "metrics": (
        lambda run_dir, number: write_metrics(run_dir, [{"epoch": 0, "step": number}]),
        lambda run_dir: read_metrics(run_dir)[0]["step"],
    ),
    "run file": (
        lambda run_dir, number: write_run_file(run_dir, {"state": "finished", "number": number}),
        lambda run_dir: read_run_file(run_dir)["number"],
    ),
    "checkpoint": (_checkpoint, _checkpoint_number),
    "sample": (lambda run_dir, number: write_sample(run_dir, dataset(number)), _sample_number),
    "results": (_result, lambda run_dir: int(read_results(run_dir)["model_best"]["val_accuracy"])),
    "recorded error": (
        lambda run_dir, number: write_error(run_dir, "failing", 0, ValueError(str(number)), "details"),
        lambda run_dir: int(error(run_dir, "failing", 0)["message"]),
    ),
    "hand-over": (_handed_over, _handed_over_number),
}
"""By what is written: how, and which number is found there."""

LARGE = {
    "artifact": (partial(_artifact, size=1_000_000), _artifact_number),
    "checkpoint": (partial(_checkpoint, size=1_000_000), _checkpoint_number),
}
"""As ``WRITERS``: files of 4 and 8 MB, so that a write takes a while."""


@contextmanager
def in_place(target: Path) -> Iterator[Path]:
    """What takes the place of ``atomic.replacing`` where broken files are wanted."""
    content = target.with_suffix(".content")
    yield content
    with content.open("rb") as source, target.open("wb", buffering=0) as file:
        while part := source.read(1 << 20):
            file.write(part)
            atomic.flush(target)


def write_in_place() -> None:
    """From now on this process writes its files without a temporary one."""
    durably = atomic.replacing
    for module in list(sys.modules.values()):
        if getattr(module, "replacing", None) is durably:
            module.replacing = in_place
