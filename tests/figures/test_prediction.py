"""Confusion and calibration, drawn as they were counted."""

import numpy as np
import xarray as xr

from repviz.figures.prediction import figure, over_epochs
from repviz.figures.view import View


def make(accuracy=0.7):
    confusion = np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]])
    variables = {
        "confusion": (("class", "class_predicted"), confusion),
        "accuracy": ((), accuracy),
        "bin_edge": ("edge", np.array([0, 0.5, 1.0])),
        "bin_count": ("bin", np.array([4, 10])),
        "bin_confidence": ("bin", np.array([0.4, 0.8])),
        "bin_accuracy": ("bin", np.array([0.25, 0.9])),
        "calibration_error": ((), 0.125),
        "class_name": ("class", np.array(["cats", "dogs", "eels"])),
    }
    return xr.Dataset(variables, attrs={"epoch": 4, "evaluated_on": "whole val set"})


def test_the_matrix_shows_shares_of_each_class_and_counts_on_hover():
    heat = next(t for t in figure(make(), View()).data if t.type == "heatmap")
    np.testing.assert_allclose(heat.z[:2], [[0.8, 0.2, 0], [0.25, 0.75, 0]], rtol=1e-6)
    assert np.isnan(heat.z[2]).all()  # no row of that class: no share
    np.testing.assert_array_equal(heat.customdata, make()["confusion"].values)
    assert list(heat.y) == ["cats", "dogs", "eels"]


def test_chosen_classes_only():
    heat = next(t for t in figure(make(), View(classes=(1, 0))).data if t.type == "heatmap")
    assert list(heat.x) == ["cats", "dogs"]
    np.testing.assert_allclose(heat.z, [[0.8, 0.2], [0.25, 0.75]], rtol=1e-6)


def test_bars_and_dots_are_the_bins():
    drawn = figure(make(), View(theme="dark"))
    bar = next(t for t in drawn.data if t.type == "bar")
    np.testing.assert_allclose(bar.x, [0.25, 0.75])
    np.testing.assert_allclose(bar.y, [0.25, 0.9])
    np.testing.assert_allclose(drawn.data[-1].x, [0.4, 0.8])
    assert "0.125" in drawn.layout.annotations[1].text
    assert "epoch 4" in drawn.layout.title.text
    assert "70.0%" in drawn.layout.title.text


def test_over_epochs():
    history = xr.concat([make(0.1), make(0.6)], xr.Variable("epoch", [0, 5]))
    drawn = over_epochs(history, View())
    accuracy = next(t for t in drawn.data if t.name == "accuracy")
    assert list(accuracy.x) == [0, 5]
    np.testing.assert_allclose(accuracy.y, [0.1, 0.6])
