"""``repviz diagnose`` killed at random moments: what it had finished stays, and the same command ends the work."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

import repviz
from repviz.atomic import TEMPORARY_SUFFIX
from repviz.cli import main
from tests.conftest import ROOT
from tests.reliability.scripts import wait_for
from tests.reliability.test_killed_trainings import digests
from tests.training.conftest import _one_thread, fit  # noqa: F401

EPOCHS = 2
KINDS = {"geometry", "prediction", "projection", "similarity"}
OPTIONS = [
    *("--trainer.max_epochs", str(EPOCHS), "--early_stopping.enabled", "false", "--projection.methods", "[pca]"),
    *("--sample.size", "60", "--sample.excluded", "0", "--geometry.enabled", "true", "--similarity.enabled", "true"),
    *("--diagnostics", "offline", "--activations.enabled", "false"),
]


def diagnosing(run_dir: Path) -> subprocess.Popen:
    """The command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "repviz", "diagnose", "--run-dir", str(run_dir), "--only", ",".join(sorted(KINDS))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def numbers(run_dir: Path) -> dict[tuple[str, int], xr.Dataset]:
    """All artifacts, each of which can be read."""
    run = repviz.open_run(run_dir)
    assert not any(run.errors(kind) for kind in run.kinds())
    return {(kind, epoch): run.read(kind, epoch) for kind in run.kinds() for epoch in run.epochs(kind)}


@pytest.fixture
def finished(fit) -> Path:  # noqa: F811
    return fit(*OPTIONS)


def seconds_of(run_dir: Path) -> float:
    """How long the command takes when nobody kills it."""
    began = time.monotonic()
    assert diagnosing(run_dir).wait() == 0
    return time.monotonic() - began


def test_killed_at_any_moment_it_goes_on_from_there(finished, tmp_path, times):
    missing = len(KINDS) * (EPOCHS + 1)
    whole_dir = tmp_path / "whole" / "run"
    shutil.copytree(finished, whole_dir)
    main(["diagnose", "--run-dir", str(whole_dir), "--only", ",".join(sorted(KINDS))])
    whole = numbers(whole_dir)
    assert len(whole) == len(numbers(finished)) + missing
    moments, kills = random.Random(0), times(1, 20)
    took = seconds_of(Path(shutil.copytree(finished, tmp_path / "timed" / "run"))) if kills > 1 else 0.0
    for number in range(kills):
        run_dir = Path(shutil.copytree(finished, tmp_path / str(number) / "run"))
        process = diagnosing(run_dir)
        if number % 2:
            time.sleep(moments.uniform(0, took))
        else:  # most of the time goes into starting; here the kill comes among the files
            written = len(digests(run_dir)) + moments.randrange(missing - 1)
            wait_for(process, lambda run_dir=run_dir, written=written: len(digests(run_dir)) >= written)
            time.sleep(moments.uniform(0, 0.05))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept, found = digests(run_dir), numbers(run_dir)
        assert number % 2 or len(found) < len(whole)
        main(["diagnose", "--run-dir", str(run_dir), "--only", ",".join(sorted(KINDS))])
        assert kept.items() <= digests(run_dir).items()
        after = numbers(run_dir)
        assert found.keys() <= after.keys() == whole.keys()
        for place, dataset in after.items():
            xr.testing.assert_equal(dataset, whole[place])
            assert dataset.attrs.get("previous_epoch") == whole[place].attrs.get("previous_epoch")
        assert not list(run_dir.rglob(f"*{TEMPORARY_SUFFIX}"))
