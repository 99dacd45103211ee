"""A panel per unit: the points of that unit, its mean and band."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.response import BESIDE, beside, choices, figure, over_epochs, unit_order
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


def test_units_are_sorted_with_dead_ones_last():
    dataset = make([f"block1:{k}" for k in range(5)])
    dataset["selectivity"][:] = [0.3, np.nan, 0.9, 0.5, 0.1]
    dataset["activation"] = ("sample", "unit"), np.linspace(-1, 1, 20)[:, None] * [3, 5, 0, 1, 4]
    dataset["dead"] = "unit", [False, False, True, False, False]
    by = {sort: unit_order(dataset, View(options={"sort": sort})) for sort in ("layer", "selectivity", "variance")}
    assert by == {"layer": [0, 1, 2, 3, 4], "selectivity": [3, 0, 4, 1, 2], "variance": [1, 4, 0, 3, 2]}
    drawn = figure(dataset, View(options={"sort": "selectivity"}))
    assert [a.text for a in drawn.layout.annotations] == [
        *("block1:3 · sel. 0.50", "block1:0 · sel. 0.30", "block1:4 · sel. 0.10", "block1:1", "block1:2 · dead"),
    ]
    points = [t for t in drawn.data if t.type == "scattergl"]
    np.testing.assert_allclose(points[1].y, dataset["activation"][:, 0], rtol=1e-6)


def test_panels_keep_the_order_of_the_epoch_that_they_are_sorted_at():
    units = [f"block1:{k}" for k in range(3)]
    now, last = (make(units).assign_attrs(epoch=epoch) for epoch in (2, 7))
    now["selectivity"][:], last["selectivity"][:] = [0.1, 0.2, 0.3], [0.2, 0.3, 0.1]
    by = {"sort": "selectivity"}
    assert [beside(View(options=by), epoch, [2, 7]) for epoch in (2, 7)] == [[7], []]
    assert beside(View(options=by | {"sorted_at": "2"}), 7, [2, 7]) == [2]
    assert beside(View(options=by | {"sorted_at": "5"}), 2, [2, 7]) == [7]  # of a link from another run
    assert beside(View(), 2, [2, 7]) == []
    drawn = figure(now, View(options=by, beside={7: last[list(BESIDE[:2])]}))
    assert [a.text.split(" ")[0] for a in drawn.layout.annotations] == ["block1:1", "block1:0", "block1:2"]
    assert "sorted by selectivity of epoch 7" in drawn.layout.title.text
    other = last.assign_coords(unit=["x", "y", "z"])
    assert unit_order(now, View(options=by, beside={7: other})) == [2, 1, 0]
    assert choices(now, View(options=by), [2, 7])["sorted_at"] == [("7", "epoch 7"), ("2", "epoch 2")]
    assert choices(now, View(), [2, 7])["sorted_at"] == choices(now, View(options=by), [2])["sorted_at"] == []


def test_the_most_selective_are_drawn_where_not_all_can_be():
    dataset = make([f"block1:{k}" for k in range(40)])
    dataset["selectivity"][:] = np.arange(40) / 40
    titles = [a.text for a in figure(dataset, View(options={"sort": "selectivity"})).layout.annotations]
    assert [title.split(" · ")[0] for title in titles] == [f"block1:{k}" for k in range(39, 3, -1)]


def test_per_class_answers_are_means_of_the_class():
    dataset = make()
    dataset["label"][0] = -1
    drawn = figure(dataset, View(options={"shows": "per class"}))
    bars = [t for t in drawn.data if t.type == "bar" and t.name is None]
    labels, activation = dataset["label"].values, dataset["activation"].values
    for i, bar in enumerate(bars):
        for k in range(3):
            own = activation[labels == k, i]
            assert bar.y[k] == pytest.approx(own.mean(), rel=1e-5)
            assert bar.y[k] + bar.error_y.array[k] == pytest.approx(np.quantile(own, 0.9), rel=1e-5)
            assert bar.y[k] - bar.error_y.arrayminus[k] == pytest.approx(np.quantile(own, 0.1), rel=1e-5)
    assert [t.name for t in drawn.data if t.showlegend] == ["class 0", "class 1", "class 2"]
    some = figure(dataset, View(classes=(2,), options={"shows": "per class"}))
    assert list(next(t for t in some.data if t.type == "bar").x) == [2]
    assert choices(dataset, View(options={"shows": "per class"}), [0])["points"] == []


@pytest.mark.parametrize("labels", [[0] * 20, [-1] * 20, list(range(200, 220))])
def test_one_class_none_and_200_and_one_unit(labels):
    dataset = make(["block1:3"])
    dataset["label"][:] = labels
    drawn = figure(dataset, View(options={"shows": "per class", "sort": "variance"}))
    assert drawn.data
    assert drawn.to_json()


def test_layers_over_epochs():
    drawn = over_epochs(xr.concat([make(), make()], xr.Variable("epoch", [0, 1])), View())
    found = {(t.name, t.xaxis): list(t.y) for t in drawn.data}
    assert found == {
        ("block1", "x"): [0.5, 0.5], ("block2", "x"): [0.125, 0.125],
        ("block1", "x2"): [0.3, 0.3], ("block2", "x2"): [0.4, 0.4],
    }  # fmt: skip
