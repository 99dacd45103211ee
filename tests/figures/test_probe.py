"""A bar per layer and score, and chance in sight."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.probe import figure, over_epochs
from repviz.figures.view import View


def make(shift=0.0):
    layers = np.array(["input", "block1"])
    values = {"accuracy": [0.5, 0.7], "f1_macro": [0.4, 0.6], "control_accuracy": [0.1, 0.12], "chance": [0.2, 0.2]}
    variables = {name: ("layer", np.array(found) + shift) for name, found in values.items()}
    return xr.Dataset(variables, {"layer": layers}, {"epoch": 2, "train_points": 9, "val_points": 3})


def test_every_number_is_drawn():
    drawn = figure(make(), View())
    by_name = {trace.name: trace for trace in drawn.data}
    np.testing.assert_allclose(by_name["accuracy"].y, [0.5, 0.7])
    np.testing.assert_allclose(by_name["macro F1"].y, [0.4, 0.6])
    np.testing.assert_allclose(by_name["control: shuffled labels"].y, [0.1, 0.12])
    np.testing.assert_allclose(by_name["chance: largest class"].y, [0.2, 0.2])
    assert "epoch 2 · 9 train and 3 val points" in drawn.layout.title.text


def test_over_epochs_one_line_per_layer_or_the_asked_one():
    history = xr.concat([make(), make(0.1)], xr.Variable("epoch", [0, 4]), combine_attrs="drop_conflicts")
    drawn = over_epochs(history, View())
    assert [trace.name for trace in drawn.data] == ["input", "block1", "chance"]
    np.testing.assert_allclose(drawn.data[1].y, [0.7, 0.8])
    assert [trace.name for trace in over_epochs(history, View(layer="input", theme="dark")).data] == ["input", "chance"]
    with pytest.raises(UserError, match=r"block7.*input, block1"):
        over_epochs(history, View(layer="block7"))
