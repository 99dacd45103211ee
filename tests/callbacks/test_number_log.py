"""Key numbers of diagnostics in loggers: those of the artifacts, at their steps; a logger that fails harms nobody."""

import csv

import numpy as np
import pytest
import xarray as xr
from lightning.pytorch.loggers import CSVLogger

from repviz.callbacks.number_log import NumberLog, key_numbers_of
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.diagnostics.registry import all_classes
from repviz.run import Run, open_run
from repviz.store.metrics_table import COLUMNS
from tests.conftest import soaking
from tests.training.conftest import _one_thread, fit, same_weights, weights  # noqa: F401

POINTS = ["--sample.size", "150", "--sample.excluded", "20", "--trainer.max_epochs", "2"]
QUICK = ["--projection.enabled", "false", "--similarity.enabled", "true"]
KINDS = ["geometry", "probe", "similarity", "interpolation", "trajectory"]
ALL = ["--projection.methods", "[pca]", *(part for kind in KINDS for part in (f"--{kind}.enabled", "true"))]
MODES = {
    "inline": (ALL, {"prediction", "projection", *KINDS}),
    "background": (QUICK, {"prediction", "similarity"}),
}


def expected(run: Run) -> dict[tuple[str, int], float]:
    """Name and step to the number that the artifacts hold."""
    found = {}
    for kind, known in all_classes().items():
        datasets = [run.read(kind, epoch) for epoch in run.epochs(kind)]
        if kind == "trajectory" and kind in run.kinds():
            datasets = [run.read(kind)]
        for dataset in datasets:
            for name, number in known().key_numbers(dataset).items():
                found[name, int(dataset.attrs["step"])] = number
    return found


def read_csv(folder) -> dict[tuple[str, int], float]:
    (path,) = folder.glob("**/metrics.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {(k, int(row["step"])): float(v) for row in rows for k, v in row.items() if "/" in k and v}


def read_tensorboard(folder) -> dict[tuple[str, int], float]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (path,) = folder.glob("**/events.*")
    events = accumulator.EventAccumulator(str(path)).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if "/" in tag]
    return {(tag, event.step): event.value for tag in tags for event in events.Scalars(tag)}


@pytest.mark.parametrize("mode", ["inline", pytest.param("background", marks=soaking)])
def test_both_loggers_get_what_the_artifacts_hold(fit, tmp_path, mode):  # noqa: F811
    loggers = [
        {"class_path": name, "init_args": {"save_dir": str(tmp_path / name)}}
        for name in ("CSVLogger", "TensorBoardLogger")
    ]
    options, kinds = MODES[mode]
    run = open_run(fit(*POINTS, *options, "--diagnostics", mode, "--trainer.logger", repr(loggers)))
    assert set(run.kinds()) == kinds
    meant = expected(run)
    assert {step for name, step in meant if name == "similarity/penultimate/cka_first"} == {7, 14}
    if mode == "inline":
        assert {"probe/input/accuracy", "projection/logits/pca/continuity"} <= {name for name, _ in meant}
    assert read_csv(tmp_path / "CSVLogger") == pytest.approx(meant, rel=1e-6)
    assert read_tensorboard(tmp_path / "TensorBoardLogger") == pytest.approx(meant, rel=1e-6)
    assert set(run.metrics().columns) == set(COLUMNS)


class Failing(CSVLogger):
    def log_metrics(self, metrics, step=None):
        if any("/" in name for name in metrics):
            raise OSError("no space left")
        super().log_metrics(metrics, step)


def test_a_logger_that_fails_is_recorded_and_nothing_else_changes(fit, tmp_path, capsys):  # noqa: F811
    logger = {"class_path": f"{__name__}.Failing", "init_args": {"save_dir": str(tmp_path / "csv")}}
    seen = open_run(fit(*POINTS, *QUICK, "--diagnostics", "inline", "--trainer.logger", repr(logger)))
    unseen = fit(*POINTS)
    assert seen.info()["state"] == "finished"
    assert seen.info()["progress"]["failed_loggers"] == {"Failing": "OSError: no space left"}
    assert not any(seen.errors(kind) for kind in seen.kinds())
    assert same_weights(weights(seen.path), weights(unseen))
    assert (seen.path / "metrics.csv").read_text() == (unseen / "metrics.csv").read_text()
    assert capsys.readouterr().err.count("Failing gets no more key numbers") == 1


class Kept:
    """A logger that remembers."""

    def __init__(self):
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, dict(metrics)))


def test_late_numbers_are_logged_in_the_order_of_steps_and_once():
    kept = Kept()
    numbers = NumberLog([kept])
    numbers.take(14, {"b": 2.0})
    numbers.take(7, {"a": 1.0})
    numbers.take(14, {"a": 3.0})
    numbers.take(21, {})
    numbers.log()
    numbers.log()
    assert kept.rows == [(7, {"a": 1.0}), (14, {"b": 2.0, "a": 3.0})]
    assert numbers.progress() == {}


def test_key_numbers_that_cannot_be_had_are_said(capsys):
    class Own(Diagnostic):
        kind = "own"

        def compute(self, snapshot, earlier=None):
            raise NotImplementedError

        def key_numbers(self, dataset):
            return {"own/mean": dataset["x"].mean(), "own/nothing": np.nan}

    assert key_numbers_of(Own(), xr.Dataset({"x": ("i", np.arange(3.0))})) == {"own/mean": 1.0}
    assert key_numbers_of(Own(), None) == {}
    assert key_numbers_of(Own(), xr.Dataset()) == {}
    assert "own has no key numbers for the loggers: KeyError" in capsys.readouterr().err


def test_without_a_logger_nothing_is_kept():
    numbers = NumberLog([])
    numbers.take(0, {"a": 1.0})
    numbers.log()
    assert numbers._waiting == {}
