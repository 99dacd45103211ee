"""What a machine is trained on has, and what it lacks."""

import random

import numpy as np
import pytest
import torch

from repviz.errors import UserError
from repviz.training.accelerator import in_double_precision
from repviz.training.random_state import RandomState, _state


@pytest.mark.parametrize(
    ("asked", "apple", "cuda", "found"),
    [
        ("auto", False, False, "auto"),
        ("auto", True, False, "cpu"),
        ("auto", True, True, "auto"),
        ("gpu", False, True, "gpu"),
        ("gpu", True, False, None),
        ("mps", True, False, None),
        ("cpu", True, False, "cpu"),
    ],
)
def test_no_metrics_are_summed_where_there_is_no_double_precision(asked, apple, cuda, found, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    if found is None:
        with pytest.raises(UserError, match=f"trainer.accelerator={asked}: .* no double precision"):
            in_double_precision(asked)
    else:
        assert in_double_precision(asked) == found


def test_a_run_of_two_gpus_goes_on_with_one(monkeypatch):
    callback, restored = RandomState(), []
    state = _state() | {"cuda": [torch.tensor([1], dtype=torch.uint8), torch.tensor([2], dtype=torch.uint8)]}
    torch.rand(1), random.random(), np.random.rand()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: restored.append((device, int(state))))
    callback._pending = state
    callback.on_train_epoch_start(None, None)
    assert restored == [(0, 1)]
    assert torch.equal(torch.get_rng_state(), state["torch"])
