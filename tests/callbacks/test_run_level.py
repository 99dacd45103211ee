"""Diagnostics of the whole run: at the end of training, from the checkpoints there are, and nobody's ruin."""

import numpy as np
import pytest
import torch

import repviz
from repviz.callbacks.run_level import SavedCheckpoints
from repviz.diagnostics.trajectory import Trajectory
from repviz.store.checkpoint_paths import checkpoint_path
from tests.training.conftest import fit, same_weights, weights  # noqa: F401

ON = ["--diagnostics", "inline", "--prediction.enabled", "false", "--projection.enabled", "false"]
ON += ["--trajectory.enabled", "true", "--trajectory.resolution", "3", "--sample.size", "100"]


def test_the_path_is_drawn_when_training_ends(fit):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *ON))
    assert run.kinds() == ["trajectory"]
    assert run.info()["kinds"] == ["trajectory"]
    dataset = run.read("trajectory")
    assert list(dataset["epoch"].values) == [0, 1, 2]
    assert dataset.attrs["epoch"] == 2
    assert dataset.attrs["step"] == run.metrics()["step"].iloc[-1]
    np.testing.assert_allclose(dataset["plane_loss"][-1], dataset["true_loss"][-1], rtol=1e-5)
    assert run.figure("trajectory").data


def test_a_failure_is_recorded_and_the_run_is_finished(fit, monkeypatch):  # noqa: F811
    def fail(self, checkpoints, snapshot):
        raise FloatingPointError("not today")

    monkeypatch.setattr(Trajectory, "compute_run", fail)
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *ON))
    assert run.info()["state"] == "finished"
    assert run.run_error("trajectory")["message"] == "not today"


def test_checkpoints_are_read_when_asked_for_and_a_deleted_one_is_a_missing_key(fit):  # noqa: F811
    run_dir = fit("--trainer.max_epochs", "2", "--diagnostics", "off")
    checkpoints = SavedCheckpoints(run_dir)
    assert list(checkpoints) == [0, 1, 2]
    assert same_weights(checkpoints[2], weights(run_dir))
    assert not same_weights(checkpoints[0], weights(run_dir))
    held = checkpoints[1]
    before = {name: value.clone() for name, value in held.items()}
    checkpoint_path(run_dir, 1).unlink()
    with pytest.raises(KeyError):
        checkpoints[1]
    assert all(torch.equal(value, before[name]) for name, value in held.items())
