"""The few numbers of a dataset, by name."""

import numpy as np
import pytest
import xarray as xr

from repviz.diagnostics.dynamics import Dynamics
from repviz.diagnostics.key_numbers import labelled_numbers


def test_texts_are_spelled_out_and_means_taken_over_the_rest():
    dataset = xr.Dataset(
        {
            "accuracy": ("layer", [0.5, 0.25]),
            "trust": (("layer", "method"), [[0.1, 0.2], [0.3, np.nan]]),
            "loss": ("sample", [1.0, np.nan, 3.0]),
            "path": (("epoch", "layer"), [[1.0, 2.0], [3.0, 4.0]]),
            "total": ((), 7),
            "never": ("sample", [np.nan] * 3),
        },
        {"layer": ["input", "logits"], "method": ["pca", "umap"], "epoch": [0, 1]},
    )
    assert labelled_numbers(dataset, ["accuracy", "trust", "loss", "path", "total", "never"]) == {
        **{"input/accuracy": 0.5, "logits/accuracy": 0.25},
        **{"input/pca/trust": 0.1, "input/umap/trust": 0.2, "logits/pca/trust": 0.3},
        **{"loss": 2.0, "input/path": 2.0, "logits/path": 3.0, "total": 7.0},
    }
    with pytest.raises(KeyError, match="lost"):
        labelled_numbers(dataset, ["lost"])


def test_rows_without_a_class_do_not_count_as_forgotten():
    floats = dict.fromkeys(("train_loss", "train_correct", "train_suspicion"), ("row", np.array([0.5, 1.5, np.nan])))
    counts = {"train_learned": ("row", np.array([1, 0, -1])), "train_forgetting": ("row", np.array([4, 0, -1]))}
    numbers = Dynamics().key_numbers(xr.Dataset(floats | counts))
    assert numbers["dynamics/train_forgetting"] == 2.0
    assert numbers["dynamics/train_learned"] == 0.5
    assert numbers["dynamics/train_loss"] == 1.0
