"""A panel per unit: the points of that unit, its mean and band."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.response import figure, over_epochs
from repviz.figures.view import View


def make(units=("block1:3", "block1:0", "block2:5"), n=20, bins=4):
    rng = np.random.default_rng(0)
    m = len(units)
    mean = rng.random((m, bins))
    center = np.arange(bins) - 1.5
    center[-1] = np.nan
    variables = {
        "activation": (("sample", "unit"), rng.random((n, m)).astype(np.float32)),
        "pc1": ("sample", rng.normal(size=n)),
        "label": ("sample", np.arange(n) % 3),
        "bin_pc1": ("bin", center),
        "mean": (("unit", "bin"), mean),
        "low": (("unit", "bin"), mean - 0.2),
        "high": (("unit", "bin"), mean + 0.3),
        "selectivity": ("unit", [0.25] + [np.nan] * (m - 1)),
        "dead_share": ("layer", [0.5, 0.125]),
        "selectivity_mean": ("layer", [0.3, 0.4]),
    }
    return xr.Dataset(variables, {"unit": list(units), "layer": ["block1", "block2"]}, {"epoch": 4})


def test_each_panel_has_its_own_unit():
    dataset = make()
    drawn = figure(dataset, View())
    points = [t for t in drawn.data if t.type == "scattergl"]
    assert [t.xaxis for t in points] == ["x", "x2", "x3"]
    for i, trace in enumerate(points):
        np.testing.assert_array_equal(trace.y, dataset["activation"][:, i])
        np.testing.assert_allclose(trace.x, dataset["pc1"], rtol=1e-6)
    means = [t for t in drawn.data if t.type == "scatter" and t.fill is None]
    np.testing.assert_array_equal(means[2].y, dataset["mean"][2, :3])
    bands = [t for t in drawn.data if t.fill == "toself"]
    np.testing.assert_array_equal(bands[1].y, np.concatenate([dataset["low"][1, :3], dataset["high"][1, :3][::-1]]))


def test_titles_name_unit_selectivity_and_dead_share():
    layout = figure(make(), View(theme="dark")).layout
    assert [a.text for a in layout.annotations] == ["block1:3 · sel. 0.25", "block1:0", "block2:5"]
    assert "block1 50%, block2 12%" in layout.title.text


def test_one_layer_some_classes_and_no_points():
    drawn = figure(make(), View(layer="block2", classes=(1,)))
    assert list(drawn.data[0].customdata) == list(range(1, 20, 3))
    assert len(drawn.data) == 3
    assert not [t for t in figure(make(), View(options={"points": "hidden"})).data if t.type == "scattergl"]
    with pytest.raises(UserError, match=r"block9.*block1, block2"):
        figure(make(), View(layer="block9"))


def test_more_units_than_panels_is_said():
    assert "36 of 40 units" in figure(make([f"block1:{k}" for k in range(40)]), View()).layout.title.text


def test_layers_over_epochs():
    drawn = over_epochs(xr.concat([make(), make()], xr.Variable("epoch", [0, 1])), View())
    found = {(t.name, t.xaxis): list(t.y) for t in drawn.data}
    assert found == {
        ("block1", "x"): [0.5, 0.5], ("block2", "x"): [0.125, 0.125],
        ("block1", "x2"): [0.3, 0.3], ("block2", "x2"): [0.4, 0.4],
    }  # fmt: skip
