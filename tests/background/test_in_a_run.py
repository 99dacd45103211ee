"""Looking beside training: the same numbers, the same weights, and nothing that happens there reaches training."""

import os
import subprocess
import sys
import textwrap

import pytest
import xarray as xr

import repviz
from repviz.cli import main
from tests.training.conftest import SMALL, fit, same_weights, weights  # noqa: F401

POINTS = ["--sample.size", "150", "--sample.excluded", "20"]
QUICK = ["--projection.enabled", "false", "--similarity.enabled", "true", "--geometry.enabled", "true"]


def test_the_numbers_of_inline_and_the_weights_of_nobody_looking(fit):  # noqa: F811
    """Also where training waits for a place in the queue, and two workers share out the kinds."""
    epochs = ["--trainer.max_epochs", "2"]
    inline = repviz.open_run(fit(*epochs, *POINTS, "--similarity.enabled", "true", "--diagnostics", "inline"))
    two = ["--background.cpu_jobs", "2", "--background.when_full", "wait", "--background.queue_size", "1"]
    beside = repviz.open_run(fit(*epochs, *POINTS, *two, "--similarity.enabled", "true", "--diagnostics", "background"))
    assert set(beside.kinds()) == set(inline.kinds()) == {"projection", "prediction", "similarity"}
    for kind in inline.kinds():
        assert beside.epochs(kind) == inline.epochs(kind) == [0, 1, 2]
        assert not beside.errors(kind)
        for epoch in inline.epochs(kind):
            one, other = inline.read(kind, epoch), beside.read(kind, epoch)
            xr.testing.assert_equal(one, other)
            assert one.attrs.get("previous_epoch") == other.attrs.get("previous_epoch")
            assert one.attrs["step"] == other.attrs["step"]
    assert same_weights(weights(beside.path), weights(inline.path))
    assert same_weights(weights(beside.path), weights(fit(*epochs)))
    assert not (beside.path / "pending").exists()
    assert beside.info()["progress"]["background"] == {"waiting": 0, "computing": []}
    main(["verify", "--run-dir", str(beside.path)])


SCRIPT = """
    import sys, torch, lightning as L
    from torch import nn
    from repviz.callbacks import SimilarityCallback, GeometryCallback, RunRecorder
    from repviz.callbacks.sample import SampleSettings
    from repviz.data.datamodule import EmbeddingDataModule
    from repviz.model.classifier import EmbeddingClassifier

    class Mine(EmbeddingClassifier):
        \"\"\"A model that only this script knows.\"\"\"

    print("script runs", file=open(sys.argv[3], "a"))
    torch.set_num_threads(1)
    L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        callbacks=[SimilarityCallback(mode="background"), RunRecorder(sys.argv[2], SampleSettings(60, 0))],
    ).fit(Mine(hidden_dims=[8], fusion="none"), datamodule=EmbeddingDataModule(sys.argv[1], use_tabular=False))
"""


def test_a_script_without_a_guard_and_with_a_model_of_its_own(packages, tmp_path):
    script, ran = tmp_path / "script.py", tmp_path / "ran.txt"
    script.write_text(textwrap.dedent(SCRIPT))
    arguments = [sys.executable, str(script), str(packages), str(tmp_path / "runs"), str(ran)]
    done = subprocess.run(arguments, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert repviz.open_run(run_dir).epochs("similarity") == [0, 1]
    assert ran.read_text().splitlines() == ["script runs"]


def test_a_skipped_epoch_is_recorded(fit):  # noqa: F811
    skip = ["--background.when_full", "skip", "--background.queue_size", "1", *QUICK]
    run = repviz.open_run(fit("--trainer.max_epochs", "3", *POINTS, *skip, "--diagnostics", "background"))
    errors = run.errors("geometry")
    assert errors
    assert set(errors) | set(run.epochs("geometry")) == set(range(4))
    assert {error["error"] for error in errors.values()} == {"SkippedError"}
    assert "queue_size: 1" in errors[min(errors)]["message"]


def test_a_device_that_is_not_there_is_said_before_anything_of_a_run_is_made(packages, tmp_path, capsys):
    runs_dir = tmp_path / "runs"
    beside = ["--diagnostics", "background", "--background.device", "cuda:7"]
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, *beside])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("error: background.device: this machine has no cuda:7, only cpu\n")
    assert not runs_dir.exists()


def test_a_device_that_nobody_looks_on_need_not_be_there(fit):  # noqa: F811
    fit("--trainer.max_epochs", "1", "--background.device", "cuda:7")
