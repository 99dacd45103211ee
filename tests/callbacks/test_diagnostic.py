"""When a diagnostic looks, what is stored, and that its failure is nobody else's."""

import inspect
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
import xarray as xr

from repviz.callbacks.diagnostic import callback_for
from repviz.callbacks.looking import compute_and_store, earlier_datasets
from repviz.diagnostics.diagnostic import Diagnostic, Earlier
from repviz.diagnostics.trajectory import Trajectory
from repviz.snapshot import Sample, Snapshot
from repviz.store import artifacts


@dataclass(frozen=True)
class Mean(Diagnostic):
    """Mean of the logits.

    Attributes:
        power: raised to it.
    """

    kind: ClassVar[str] = "mean"
    version: ClassVar[int] = 3
    chain: ClassVar[str] = "previous"
    power: int = 1

    def compute(self, snapshot: Snapshot, earlier: Earlier = Earlier()) -> xr.Dataset:  # noqa: B008
        if snapshot.epoch == 2:
            raise FloatingPointError("logits are not finite")
        before = -1.0 if earlier.previous is None else float(earlier.previous["mean"])
        return xr.Dataset({"mean": ((), float(snapshot.logits.mean()) ** self.power), "before": ((), before)})


MeanCallback = callback_for(Mean, "MeanCallback")


def snapshot(epoch: int) -> Snapshot:
    sample = Sample((), np.zeros(4), np.zeros(4), np.arange(4), np.array(list("abcd")), ("x", "y"))
    return Snapshot(epoch, epoch * 10, sample, {}, torch.full((4, 2), float(epoch)))


def test_the_signature_and_help_are_the_diagnostics_settings():
    parameters = inspect.signature(MeanCallback).parameters
    assert list(parameters) == ["enabled", "every_n_epochs", "mode", "power"]
    assert parameters["power"].default == 1
    assert "power: raised to it." in MeanCallback.__init__.__doc__
    assert MeanCallback(power=2, every_n_epochs=5).diagnostic == Mean(power=2)
    with pytest.raises(TypeError, match="powr"):
        MeanCallback(powr=2)


def test_one_of_the_whole_run_is_not_due_at_epochs_and_has_no_setting_for_them():
    found = callback_for(Trajectory, "TrajectoryCallback")
    assert list(inspect.signature(found).parameters)[:3] == ["enabled", "mode", "resolution"]
    assert "every_n_epochs" not in found.__init__.__doc__
    callback = found(resolution=7)
    assert callback.of_run
    assert not callback.is_due(0, last=True)
    assert not MeanCallback().of_run


def test_due_at_the_untrained_network_every_n_epochs_and_at_the_last():
    callback = MeanCallback(every_n_epochs=3)
    assert [e for e in range(8) if callback.is_due(e, last=e == 7)] == [0, 3, 6, 7]
    callback.looked(7)
    assert not callback.is_due(7, last=True)


def test_a_failure_is_recorded_and_the_chain_goes_on_from_the_epoch_before(tmp_path):
    assert [compute_and_store(Mean(), snapshot(epoch), tmp_path) for epoch in range(4)] == [True, True, False, True]
    assert artifacts.epochs(tmp_path, "mean") == [0, 1, 3]
    error = artifacts.errors(tmp_path, "mean")[2]
    assert (error["error"], error["message"]) == ("FloatingPointError", "logits are not finite")
    assert "compute" in error["details"]
    last = artifacts.read_artifact(tmp_path, "mean", 3)
    assert float(last["before"]) == 1.0
    assert last.attrs["previous_epoch"] == 1
    assert last.attrs["version"] == 3
    assert last.attrs["step"] == 30


def test_a_damaged_earlier_epoch_is_passed_over(tmp_path):
    for epoch in range(2):
        compute_and_store(Mean(), snapshot(epoch), tmp_path)
    artifacts.artifact_path(tmp_path, "mean", 1).write_bytes(b"damaged")
    number, earlier = earlier_datasets(Mean(), tmp_path, 2)
    assert number == 0
    assert float(earlier.previous["mean"]) == 0.0


def test_a_full_disk_does_not_stop_training(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_artifact", full)
    monkeypatch.setattr(artifacts, "write_error", full)
    assert not compute_and_store(Mean(), snapshot(0), tmp_path)
    assert artifacts.epochs(tmp_path, "mean") == []


@pytest.mark.parametrize(
    ("chain", "expected"), [("none", None), ("first", (0, None)), ("previous", (None, 2)), ("both", (0, 2))]
)
def test_the_chain_says_which_earlier_epochs_are_read(tmp_path, monkeypatch, chain, expected):
    for epoch in range(4):
        dataset = xr.Dataset({"at": ((), epoch)})
        artifacts.write_artifact(tmp_path, "mean", epoch, dataset, step=0, version=3)
    monkeypatch.setattr(Mean, "chain", chain)
    number, earlier = earlier_datasets(Mean(), tmp_path, 3)
    found = tuple(None if dataset is None else int(dataset["at"]) for dataset in (earlier.first, earlier.previous))
    assert found == (expected or (None, None))
    assert number == (None if chain == "none" else 0 if chain == "first" else 2)
    assert earlier_datasets(Mean(), tmp_path, 0) == (None, Earlier())
