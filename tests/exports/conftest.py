"""A run with every kind of artifact, made up, that the exports only read; and a small one that was really trained."""

import importlib
from pathlib import Path

import pytest
import torch

from repviz.cli import main
from repviz.run import Run, open_run
from repviz.store.artifacts import write_artifact
from repviz.store.results_table import write_result
from tests.conftest import ROOT
from tests.dashboards.synthetic_run import STEPS, SyntheticRun

OTHERS = ("geometry", "interpolation", "landscape", "prediction", "probe", "response", "similarity", "surface")
CONFIGS = ("concat.yaml", "diagnostics/cheap.yaml")
ON = ("probe", "geometry", "landscape", "surface")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> SyntheticRun:
    """Four epochs of 300 points in six classes, the other diagnostics at the first and the last of them."""
    run = SyntheticRun(
        tmp_path_factory.mktemp("runs") / "20260101_120000",
        n=300,
        classes=("admin", "games", "math", "$net$ <b>", "sound", "web"),
        layers=("input", "penultimate", "logits"),
        max_epochs=3,
    )
    for epoch in range(4):
        run.write_epoch(epoch)
    for kind in OTHERS:
        dataset = importlib.import_module(f"tests.figures.test_{kind}").make()
        for epoch in (0, 3):
            write_artifact(run.path, kind, epoch, dataset, step=epoch * STEPS, version=1)
    scores = {"val_accuracy": 0.61, "val_f1_macro": 0.6, "val_f1_confidence": 0.7}
    write_result(run.path, "logistic_regression", scores)
    write_result(run.path, "model_best", scores | {"val_accuracy": 0.66})
    (run.path / "config.yaml").write_text("model:\n  lr: 0.001\n  note: <script>alert(1)</script>\n")
    run.say("finished")
    return run


@pytest.fixture(scope="session")
def run(made) -> Run:
    return open_run(made.path)


@pytest.fixture
def grow(tmp_path):
    """``grow(epochs, **settings)``: another made-up run, for a test that needs it to be different."""

    def make(epochs: list[int], **settings: object) -> Path:
        other = SyntheticRun(tmp_path / "20260202_120000", **settings)
        for epoch in epochs:
            other.write_epoch(epoch)
        other.say("finished")
        return other.path

    return make


@pytest.fixture(scope="session")
def trained(packages, tmp_path_factory) -> Run:
    """Two epochs of a small network, looked at by everything that is quick on few points."""
    runs_dir = tmp_path_factory.mktemp("trained")
    options = [part for name in CONFIGS for part in ("--config", str(ROOT / "configs" / name))]
    options += [part for kind in ON for part in (f"--{kind}.enabled", "true")]
    options += ["--landscape.resolution", "5", "--surface.resolution", "12", "--landscape.every_n_epochs", "1"]
    options += ["--sample.size", "120", "--sample.excluded", "10", "--diagnostics", "inline"]
    options += ["--video.enabled", "false", "--baseline.enabled", "false", "--trainer.max_epochs", "2"]
    options += ["--trainer.accelerator", "cpu", "--runtime.torch_threads", "1"]
    options += ["--model.hidden_dims", "[32, 16]", "--data.path", str(packages), "--runs-dir", str(runs_dir)]
    threads = torch.get_num_threads()
    main(["fit", *options])
    torch.set_num_threads(threads)
    (folder,) = runs_dir.iterdir()
    main(["verify", "--run-dir", str(folder)])
    return open_run(folder)
