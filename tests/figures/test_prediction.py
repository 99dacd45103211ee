"""Confusion and calibration, drawn as they were counted."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import precision_recall_fscore_support

from repviz.figures.prediction import calibration, confusion, figure, over_epochs, per_class
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


def test_numbers_per_class_are_scikit_learns():
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, 6, 400), rng.integers(0, 6, 400)
    counts = np.zeros((6, 6), int)
    np.add.at(counts, (labels, predicted), 1)
    found = per_class(counts)
    expected = precision_recall_fscore_support(labels, predicted)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-12)


def test_what_cannot_be_divided_is_no_number():
    found = per_class(np.array([[8, 2, 0, 0], [1, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]))
    np.testing.assert_array_equal(np.isnan(found["precision"]), [False, False, True, True])
    np.testing.assert_array_equal(np.isnan(found["recall"]), [False, False, False, True])
    np.testing.assert_array_equal(np.isnan(found["f1"]), [False, False, False, True])
    assert found["f1"][2] == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_half_alone_draws_what_the_whole_does(theme):
    view = View(theme=theme)
    whole = figure(make(), view).data
    for part, kinds in (
        (confusion(make(), view), ["heatmap"]),
        (calibration(make(), view), ["scatter", "bar", "scatter"]),
    ):
        assert [trace.type for trace in part.data] == kinds
        assert not part.layout.title.text
        for trace in part.data:
            twin = next(
                t for t in whole if t.type == trace.type and getattr(t, "mode", None) == getattr(trace, "mode", None)
            )
            np.testing.assert_array_equal(np.asarray(trace.y), np.asarray(twin.y))
