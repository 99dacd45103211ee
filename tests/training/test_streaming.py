"""Training from a folder that stays on the disk: the same points, metrics and resumption as in memory."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.lib.format import open_memmap

import repviz
from repviz.cli import main
from repviz.data.converting import convert
from repviz.store.metrics_table import read_metrics
from tests.training.conftest import same_weights, weights

POINTS = ["--sample.size", "200", "--sample.excluded", "20", "--projection.enabled", "false"]


@pytest.fixture
def blocks(packages, tmp_path) -> list[str]:
    """Settings that stream the sample data: five blocks of 665 rows, two of them mixed."""
    folder = convert(packages, tmp_path / "folder")
    return ["--data.path", str(folder), "--data.loading", "blocks", "--data.block-mib", "1", "--data.mixed-blocks", "2"]


def test_a_streamed_run_is_measured_and_looked_at_as_one_in_memory(fit, blocks, packages, capsys):
    looking = ["--trainer.max_epochs", "2", *POINTS, "--diagnostics", "inline"]
    memory, streamed = fit(*looking), fit(*looking, *blocks)
    one, other = repviz.open_run(memory), repviz.open_run(streamed)
    assert other.kinds() == one.kinds()
    assert other.epochs("prediction") == one.epochs("prediction") == [0, 1, 2]
    xr.testing.assert_identical(one.sample(), other.sample())
    # The untrained network is the same: so is all that is measured of it, over the whole val set too.
    xr.testing.assert_equal(one.read("prediction", 0), other.read("prediction", 0))
    assert read_metrics(memory)[0] == read_metrics(streamed)[0]
    before, after = (read_metrics(run)[2]["train_loss"] for run in (memory, streamed))
    assert after == pytest.approx(before, rel=0.05)

    last = ["--ckpt-path", str(streamed / "checkpoints" / "last.ckpt"), "--data.loading", "memory"]
    capsys.readouterr()
    main(["validate", *last, "--data.path", str(packages)])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("val", "excl")))
    assert len(printed) == 6
    for name, value in printed.items():
        assert float(value) == pytest.approx(read_metrics(streamed)[2][name], abs=6e-5), name


def test_a_streamed_run_that_goes_on_ends_as_if_it_had_not_stopped(fit, blocks):
    whole = fit("--trainer.max_epochs", "3", *blocks)
    first = str(whole / "checkpoints" / "epoch_000001.ckpt")
    rest = fit("--trainer.max_epochs", "3", *blocks, "--ckpt-path", first)
    assert same_weights(weights(whole), weights(rest))
    assert (whole / "metrics.csv").read_text() == (rest / "metrics.csv").read_text()
    other = fit("--trainer.max_epochs", "3", *blocks, "--data.seed", "1")
    assert not same_weights(weights(whole), weights(other))


def test_predictions_are_in_order(fit, blocks, tmp_path):
    run = fit("--trainer.max_epochs", "1", *blocks)
    last = ["--ckpt-path", str(run / "checkpoints" / "last.ckpt")]
    found = {}
    for loading in ("blocks", "memory"):
        main(["predict", *last, "--data.loading", loading, "--out", str(tmp_path / f"{loading}.npz")])
        found[loading] = np.load(tmp_path / f"{loading}.npz")
    np.testing.assert_array_equal(found["blocks"]["id"], found["memory"]["id"])
    np.testing.assert_allclose(found["blocks"]["probability"], found["memory"]["probability"], rtol=1e-5)


def test_diagnose_looks_at_a_streamed_run_later(fit, blocks):
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, *blocks, "--diagnostics", "offline"))
    main(["diagnose", "--run-dir", str(run.path), "--only", "prediction"])
    assert run.epochs("prediction") == [0, 1]


def test_the_baseline_of_a_large_folder_is_fitted_on_some_of_its_rows(fit, blocks, monkeypatch, capsys):
    monkeypatch.setattr("repviz.callbacks.baseline._MAX_READ", 800 * 394 * 4)
    monkeypatch.setattr("repviz.callbacks.source._MAX_READ", 1 << 20)
    run = fit("--trainer.max_epochs", "1", *POINTS, *blocks, "--diagnostics", "inline", "--baseline.enabled", "true")
    assert "the baseline is fitted on 800 of 3200 training rows" in capsys.readouterr().err
    assert repviz.open_run(run).info()["results"]["logistic_regression"]["val_accuracy"] > 0.4
    assert "val points of the sample" in str(repviz.open_run(run).read("prediction", 1).attrs)


def _peak_megabytes(folder: Path, n_rows: int) -> float:
    """What a training takes at its most that streams so many rows of 384 numbers, all zero, from a file of holes."""
    folder.mkdir()
    for split, n in (("train", n_rows), ("val", 50)):
        open_memmap(folder / f"X_{split}_embed.npy", "w+", np.float32, (n, 384)).flush()
        np.save(folder / f"y_{split}.npy", np.arange(n) % 2)
    np.save(folder / "classes.npy", np.array(["a", "b"]))
    arguments = [
        *("fit", "--data.path", str(folder), "--data.loading", "blocks", "--data.block-mib", "2"),
        *("--data.batch_size", "4096", "--data.use_tabular", "false", "--model.fusion", "none"),
        *("--model.hidden_dims", "[8]", "--diagnostics", "off", "--baseline.enabled", "false"),
        *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--runs_dir", str(folder.parent / "runs")),
    ]
    # Not what the parent is told when it has ended: that begins with what the parent itself has taken.
    code = f"from repviz.cli import main; main({arguments!r}); print(open('/proc/self/status').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(re.search(r"VmHWM:\s*(\d+) kB", done.stdout)[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path):
    few, many = 10_000, 210_000
    added = (many - few) * 384 * 4 / 2**20
    grown = _peak_megabytes(tmp_path / "many", many) - _peak_megabytes(tmp_path / "few", few)
    assert grown < added / 6, f"{grown:.0f} MB more for {added:.0f} MB of rows"
