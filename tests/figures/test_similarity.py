"""The matrix, and each layer's past."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.similarity import figure, over_epochs
from repviz.figures.view import View


def make(previous=(0.9, 0.8)):
    names = np.array(["input", "block1"])
    variables = {
        "cka": (("layer", "layer_b"), np.array([[1, 0.4], [0.4, 1]])),
        "cka_previous": ("layer", np.array(previous)),
        "cka_first": ("layer", np.array([0.5, -0.1])),
    }
    return xr.Dataset(variables, {"layer": names, "layer_b": names}, {"epoch": 3, "points": 500})


def test_matrix_and_bars():
    drawn = figure(make(), View())
    heat, previous, first = drawn.data
    np.testing.assert_allclose(heat.z, [[1, 0.4], [0.4, 1]], rtol=1e-6)
    assert list(heat.y) == ["input", "block1"]
    np.testing.assert_allclose(previous.y, [0.9, 0.8])
    np.testing.assert_allclose(first.y, [0.5, -0.1])
    assert drawn.layout.yaxis2.range[0] <= -0.1
    assert "epoch 3 · debiased linear CKA of 500 points" in drawn.layout.title.text


def test_over_epochs_with_nothing_before_the_first():
    nan = (np.nan, np.nan)
    history = xr.concat([make(nan), make()], xr.Variable("epoch", [0, 2]), combine_attrs="drop_conflicts")
    drawn = over_epochs(history, View(theme="dark"))
    assert [(t.name, t.xaxis) for t in drawn.data] == [
        ("input", "x"),
        ("block1", "x"),
        ("input", "x2"),
        ("block1", "x2"),
    ]
    np.testing.assert_allclose(drawn.data[1].y, [np.nan, 0.8])
    assert {t.name for t in over_epochs(history, View(layer="block1")).data} == {"block1"}
    with pytest.raises(UserError, match=r"nowhere.*input, block1"):
        over_epochs(history, View(layer="nowhere"))


def test_the_first_epoch_says_why_there_is_nothing_of_its_past():
    first = make((np.nan, np.nan))
    first["cka_first"][:] = np.nan
    said = [note.text for note in figure(first, View()).layout.annotations]
    assert any("no past" in text for text in said)
    assert not any("no past" in note.text for note in figure(make((np.nan, np.nan)), View()).layout.annotations)
