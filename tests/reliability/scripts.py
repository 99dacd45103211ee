"""Training in a process of its own, by a script, with diagnostics that the test needs."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.conftest import ROOT

TRAINING = """
    import os, sys, time, datetime
    from pathlib import Path
    from typing import ClassVar
    from dataclasses import dataclass
    import lightning as L, torch, xarray as xr
    from lightning.pytorch.strategies import DDPStrategy
    from repviz.background.settings import BackgroundSettings
    from repviz.callbacks import GeometryCallback, RunRecorder, SimilarityCallback
    from repviz.callbacks.diagnostic import callback_for
    from repviz.callbacks.sample import SampleSettings
    from repviz.cli import main
    from repviz.data.datamodule import EmbeddingDataModule
    from repviz.diagnostics.diagnostic import Diagnostic
    from repviz.model.classifier import EmbeddingClassifier
    from repviz.training.random_state import RandomState

    data, runs = sys.argv[1:3]
    torch.set_num_threads(1)

    def diagnostic(name, compute):
        members = {"kind": name, "compute": compute, "__annotations__": {"kind": ClassVar[str]}, "__doc__": name}
        return callback_for(dataclass(frozen=True)(type(name.title(), (Diagnostic,), members)), name.title())

    def seen(snapshot):
        return xr.Dataset({"logits": (("sample", "class"), snapshot.logits.numpy())})

    def fit(callbacks, epochs=500, batch_size=32, **settings):
        L.seed_everything(0)
        trainer = L.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False,
            use_distributed_sampler=False, num_sanity_val_steps=0,
            callbacks=[*callbacks, RandomState(), RunRecorder(runs, SampleSettings(100, 0))], **settings,
        )
        network = EmbeddingClassifier(hidden_dims=[32, 16], fusion="none")
        trainer.fit(network, datamodule=EmbeddingDataModule(data, use_tabular=False, batch_size=batch_size))
    """


@pytest.fixture
def script(tmp_path: Path, packages: Path) -> Callable[..., subprocess.Popen]:
    """Starts ``TRAINING`` and the code that is given, and ends it with the test; runs lie in ``tmp_path/runs``.

    Names with values besides go into its environment.
    """
    started = []

    def start(code: str, **environment: str) -> subprocess.Popen:
        path = tmp_path / f"script_{len(started)}.py"
        path.write_text(textwrap.dedent(TRAINING) + textwrap.dedent(code))
        process = subprocess.Popen(
            [sys.executable, str(path), str(packages), str(tmp_path / "runs")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
            env={
                **os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(ROOT), **environment,
            },
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        others = children_of(process.pid) if process.poll() is None else []
        process.kill()
        end(others)
        process.communicate()


def wait_for(process: subprocess.Popen, condition: Callable[[], object], seconds: float = 180) -> None:
    """Wait until something is so, while the process lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def words_of(process: subprocess.Popen, seconds: float = 60) -> str:
    """What it says until it ends; one that does not end says where it hangs, as do those that it has started."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        for pid in (*children_of(process.pid), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)
        pytest.fail(f"after {seconds:g} s it has not ended:\n{process.communicate()[0]}")


def children_of(pid: int) -> list[int]:
    """Processes that any thread of ``pid`` has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listed in lists for child in listed.read_text().split()]


def lives(pid: int) -> bool:
    """Whether it runs and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(pids: Iterable[int]) -> None:
    """Kill those that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def only_run(tmp_path: Path) -> Path:
    """The run that the script has made."""
    (run_dir,) = (tmp_path / "runs").iterdir()
    return run_dir
