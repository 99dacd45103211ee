"""A bar per layer and score, and chance in sight."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.lines import smoothed
from repviz.figures.probe import OPTIONS, choices, figure, over_epochs
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


def history(epochs=(0, 4)):
    return xr.concat([make(0.1 * k) for k in range(len(epochs))], xr.Variable("epoch", list(epochs)))


def named(drawn):
    return {trace.name: trace for trace in drawn.data if trace.name}


def test_over_epochs_one_line_per_layer_or_the_asked_one():
    drawn = named(over_epochs(history(), View()))
    assert list(drawn) == ["input", "block1", "control: shuffled labels", "chance"]
    np.testing.assert_allclose(drawn["block1"].y, [0.7, 0.8])
    np.testing.assert_allclose(drawn["control: shuffled labels"].y, [0.11, 0.21])
    one = named(over_epochs(history(), View(layer="input", theme="dark", options={"score": "macro F1"})))
    assert list(one) == ["input", "control: shuffled labels", "chance"]
    np.testing.assert_allclose(one["input"].y, [0.4, 0.5])
    np.testing.assert_allclose(one["control: shuffled labels"].y, [0.1, 0.2])
    with pytest.raises(UserError, match=r"block7.*input, block1"):
        over_epochs(history(), View(layer="block7"))


def test_smoothed_lines_leave_what_was_measured_in_sight():
    drawn = over_epochs(history((0, 1, 2)), View(options={"smoothing": "0.5"}))
    measured, line = (named(drawn)[name] for name in ("input, measured", "input"))
    np.testing.assert_allclose(measured.y, [0.5, 0.6, 0.7])
    assert measured.opacity < 0.5
    np.testing.assert_allclose(line.y, [0.5, (0.25 + 0.6) / 1.5, (0.125 + 0.3 + 0.7) / 1.75])
    assert line.opacity == 1


def test_smoothing_against_its_closed_form():
    values = np.array([np.nan, 3.0, 1.0, np.nan, 2.0, 5.0])
    found = smoothed(values, 0.8)
    there = np.flatnonzero(np.isfinite(values))
    for n, t in enumerate(there):
        weights = 0.8 ** np.arange(n, -1, -1)
        assert found[t] == pytest.approx(np.average(values[there[: n + 1]], weights=weights))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_array_equal(smoothed(values, 0.0), values)
    np.testing.assert_allclose(smoothed(np.full(4, 0.3), 0.9), 0.3)  # no bias towards 0 at the start


def test_the_heatmap_has_a_row_per_layer_above_control_and_chance():
    heat = over_epochs(history(), View(options={"shows": "heatmap"})).data[0]
    assert list(heat.y) == ["chance", "control", "input", "block1"]
    np.testing.assert_allclose(heat.z, [[0.2, 0.3], [0.11, 0.21], [0.5, 0.6], [0.7, 0.8]], rtol=1e-6)
    assert (heat.zmin, heat.zmax, list(heat.x)) == (0, 1, [0, 4])
    f1 = over_epochs(history(), View(options={"shows": "heatmap", "score": "macro F1"})).data[0]
    assert list(f1.y[:2]) == ["chance (accuracy)", "control (accuracy)"]
    np.testing.assert_allclose(f1.z[2], [0.4, 0.5], rtol=1e-6)


def test_change_is_later_minus_earlier_and_no_change_is_in_the_middle():
    fell = history((0, 4, 5))
    fell["accuracy"][2] = 0.25
    heat = over_epochs(fell, View(layer="input", options={"shows": "change"})).data[0]
    np.testing.assert_allclose(heat.z[2], [np.nan, 0.1, -0.35], rtol=1e-5)
    assert heat.zmax == -heat.zmin == pytest.approx(0.35)


@pytest.mark.parametrize("shows", OPTIONS["shows"])
def test_one_layer_one_epoch_and_nothing_measured(shows):
    one = history((3,)).isel(layer=[0])
    assert over_epochs(one, View(options={"shows": shows})).data
    nothing = one.map(lambda variable: variable * np.nan)
    assert over_epochs(nothing, View(options={"shows": shows})).to_json()


def test_only_curves_are_smoothed():
    assert choices(make(), View(), [0]) == {}
    assert choices(make(), View(options={"shows": "heatmap"}), [0]) == {"smoothing": []}
