"""Two processes: one run folder, nobody hangs, and metrics that do not depend on how many took part."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import repviz
from repviz.cli import main
from repviz.data.converting import convert
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.training.conftest import SMALL, starting

TWO = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]


def finish(process) -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def two(packages, tmp_path_factory) -> Path:
    """A run of two processes that stream, looked at by diagnostics that both share in, and by one that raises."""
    runs_dir = tmp_path_factory.mktemp("two")
    folder = str(convert(packages, tmp_path_factory.mktemp("data") / "folder"))
    streaming = ["--data.path", folder, "--data.loading", "blocks", "--data.block_mib", "1", "--data.mixed_blocks", "2"]
    settings = [o for o in SMALL if o not in ("--diagnostics", "off")] + ["--landscape.resolution", "5"]
    points = ["--sample.size", "120", "--sample.excluded", "10", "--projection.enabled", "false"]
    looking = ["--similarity.enabled", "true", "--similarity.mode", "inline", "--landscape.enabled", "true"]
    raising = ["--response.enabled", "true", "--response.mode", "inline", "--response.units", "[nope:1]"]
    options = [*settings, *points, *looking, *raising, "--trainer.max_epochs", "2", *TWO]
    with starting() as start:
        finish(start("fit", *streaming, "--runs-dir", str(runs_dir), *options))
    (run_dir,) = runs_dir.iterdir()
    return run_dir


ONE = ["--trainer.devices", "1", "--trainer.strategy", "auto", "--data.loading", "memory"]


def test_two_processes_that_stream_train_and_measure_as_one_in_memory(two, packages, capsys):
    info = repviz.open_run(two).info()
    assert (info["state"], info["world_size"]) == ("finished", 2)
    rows = read_metrics(two)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[2]["step"] == 2 * 4  # 1,600 rows for each, in batches of 512

    capsys.readouterr()
    main(["validate", *last(two), *ONE, "--data.path", str(packages)])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("val", "excl")))
    for name, value in printed.items():
        assert float(value) == pytest.approx(rows[2][name], abs=6e-5), name


def last(run_dir: Path) -> list[str]:
    return ["--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")]


@soaking
def test_two_processes_that_stream_predict_as_one_in_memory(two, packages, start, tmp_path):
    finish(start("predict", *last(two), "--out", str(tmp_path / "two.npz")))
    main(["predict", *last(two), *ONE, "--data.path", str(packages), "--out", str(tmp_path / "one.npz")])
    a, b = np.load(tmp_path / "one.npz"), np.load(tmp_path / "two.npz")
    np.testing.assert_array_equal(a["id"], b["id"])
    np.testing.assert_allclose(a["probability"], b["probability"], rtol=1e-4, atol=1e-7)


def test_two_processes_look_once_as_one_does_and_nobody_hangs_where_a_diagnostic_raises(two, tmp_path):
    run = repviz.open_run(two)
    assert {kind: run.epochs(kind) for kind in run.kinds()} == {
        "landscape": [0, 1, 2], "prediction": [0, 1, 2], "similarity": [0, 1, 2], "response": [],
    }  # fmt: skip
    assert set(run.errors("response")) == {0, 1, 2}
    shutil.copytree(two, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "artifacts")
    main(["diagnose", "--run-dir", str(tmp_path / "again"), "--only", "similarity,landscape,prediction"])
    again = repviz.open_run(tmp_path / "again")
    for kind in ("similarity", "landscape", "prediction"):
        for epoch in range(3):
            xr.testing.assert_allclose(run.read(kind, epoch), again.read(kind, epoch), rtol=1e-5)
