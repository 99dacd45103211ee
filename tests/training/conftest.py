"""Running the command as a person does, in this process or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from repviz.cli import main
from tests.conftest import ROOT

SMALL = [
    *("--model.hidden_dims", "[32, 16]"),
    *("--trainer.accelerator", "cpu"),
    *("--runtime.torch_threads", "1"),
    *("--baseline.enabled", "false"),
    *("--diagnostics", "off"),
]
"""Settings that make a run take a second."""


@pytest.fixture(autouse=True)
def _one_thread():
    """Runs set torch's threads for the process; sums of one thread are the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def fit(tmp_path: Path, packages: Path) -> Callable[..., Path]:
    """Train on the sample data in this process; gives the run folder."""

    def run(*options: str, name: str = "runs") -> Path:
        runs_dir = tmp_path / name
        before = set(runs_dir.iterdir()) if runs_dir.exists() else set()
        main(["fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, *options])
        (made,) = set(runs_dir.iterdir()) - before
        return made

    return run


@contextmanager
def starting() -> Iterator[Callable[..., subprocess.Popen]]:
    """What starts ``repviz`` in a process of its own, which is ended in the end."""
    started = []

    def run(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "repviz", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    try:
        yield run
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start ``repviz`` in a process of its own; it is ended with the test."""
    with starting() as run:
        yield run


def weights(run_dir: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    """Parameters and buffers in a checkpoint."""
    return torch.load(run_dir / "checkpoints" / name, weights_only=True)["state_dict"]


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two states are equal, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
