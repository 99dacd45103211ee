"""Activations that are kept: what is read back is the snapshot that they were made of."""

import dataclasses

import pytest
import torch

from repviz.diagnostics.activations import Activations, snapshot_of
from repviz.errors import UserError
from repviz.store.artifacts import read_artifact, write_artifact


@pytest.fixture
def snapshot(trained_few):
    """With inputs, as every snapshot of a run has them."""
    found = trained_few[2]
    return dataclasses.replace(found, sample=dataclasses.replace(found.sample, inputs=(found.activations["input"],)))


def test_the_snapshot_comes_back_to_the_bit(snapshot, tmp_path):
    write_artifact(tmp_path, "activations", 2, Activations().compute(snapshot), step=50, version=1)
    found = snapshot_of(read_artifact(tmp_path, "activations", 2), snapshot.sample, 2, 50)
    assert found.layers == snapshot.layers
    for layer in snapshot.layers:
        assert torch.equal(found.activations[layer], snapshot.activations[layer])
    assert torch.equal(found.logits, snapshot.logits)
    assert found.activations["penultimate"] is found.activations["block2"]
    assert found.model is None


def test_the_input_is_not_kept_and_names_of_one_tensor_are_kept_once(snapshot):
    kept = Activations().compute(snapshot)
    assert set(kept.data_vars) == {"block1", "block2", "logits"}
    assert kept.attrs["aliases"] == "penultimate=block2"
    assert set(Activations(layers=("block1",)).compute(snapshot).data_vars) == {"block1", "logits"}
    with pytest.raises(UserError, match="block9"):
        Activations(layers=("block9",)).compute(snapshot)


def test_another_sample_is_refused(snapshot, trained):
    with pytest.raises(ValueError, match="250 points, the sample has 1000"):
        snapshot_of(Activations().compute(snapshot), trained[2].sample, 2, 50)
