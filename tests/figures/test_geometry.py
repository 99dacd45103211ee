"""Six measures, by layer and over epochs."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.geometry import PANELS, figure, over_epochs
from repviz.figures.view import View


def make(start=0):
    layers = np.array(["input", "block1"])
    variables = {name: ("layer", np.array([1.0, 2.0]) + 10 * k + start) for k, name in enumerate(PANELS)}
    return xr.Dataset(variables, {"layer": layers}, {"epoch": 3, "train_points": 40})


def test_a_panel_per_measure():
    drawn = figure(make(), View())
    for k, trace in enumerate(drawn.data):
        assert list(trace.x) == ["input", "block1"]
        np.testing.assert_array_equal(trace.y, [1 + 10 * k, 2 + 10 * k])
        assert trace.xaxis == ("x" if k == 0 else f"x{k + 1}")
    assert len(drawn.data) == 6
    assert drawn.layout.yaxis3.type == "log"
    assert "epoch 3 · 40 train points" in drawn.layout.title.text


def test_over_epochs_one_line_per_layer_and_panel():
    history = xr.concat([make(), make(100)], xr.Variable("epoch", [0, 7]))
    drawn = over_epochs(history, View())
    assert len(drawn.data) == 12
    second = [t for t in drawn.data if t.name == "block1"]
    np.testing.assert_array_equal(second[0].y, [2, 102])
    assert [bool(t.showlegend) for t in second] == [True] + [False] * 5
    assert {t.name for t in over_epochs(history, View(layer="input", theme="dark")).data} == {"input"}
    with pytest.raises(UserError, match=r"nowhere.*input, block1"):
        over_epochs(history, View(layer="nowhere"))
