"""Lines between points: mean and band of the ends' classes, and bars of switches."""

import numpy as np
import pytest
import xarray as xr

from repviz.figures.interpolation import figure, over_epochs
from repviz.figures.view import View


def make(n=10, n_same=4, steps=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], (n, 1))
    labels[:n_same] = 2
    variables = {
        "probability": (("pair", "t", "class"), rng.dirichlet(np.ones(3), (n, steps)).astype(np.float32)),
        "pair_index": (("pair", "end"), np.arange(2 * n).reshape(n, 2)),
        "pair_label": (("pair", "end"), labels),
        "same_class": ("pair", np.arange(n) < n_same),
        "switches": ("pair", np.arange(n) % 3),
    }
    return xr.Dataset(variables, {"t": np.linspace(0, 1, steps)}, {"epoch": 2})


def trace(drawn, name):
    return next(t for t in drawn.data if t.name == name)


def test_curves_are_means_over_the_pairs_of_each_kind():
    dataset = make()
    drawn = figure(dataset, View())
    probability = dataset["probability"].values
    np.testing.assert_allclose(trace(drawn, "their class").y, probability[:4, :, 2].mean(0))
    np.testing.assert_allclose(trace(drawn, "class of one end").y, probability[4:, :, 0].mean(0))
    np.testing.assert_allclose(trace(drawn, "class of the other end").y, probability[4:, :, 1].mean(0))
    bands = [t for t in drawn.data if t.type == "scatter" and t.fill == "toself"]
    assert len(bands) == 3
    np.testing.assert_allclose(bands[0].y[:5], np.quantile(probability[:4, :, 2], 0.1, axis=0), rtol=1e-6)


def test_bars_are_shares_of_pairs():
    bars = [t for t in figure(make(), View()).data if t.type == "bar"]
    np.testing.assert_allclose(bars[0].y[:3], [0.5, 0.25, 0.25])
    np.testing.assert_allclose(bars[1].y[:3], [2 / 6, 2 / 6, 2 / 6])


def test_every_pair_as_a_line_with_gaps():
    drawn = figure(make(), View(options={"shows": "pairs"}))
    lines = [t for t in drawn.data if t.type == "scatter" and len(t.x) == 6 * 6]
    assert len(lines) == 2
    assert np.isnan(lines[0].y.reshape(6, 6)[:, -1]).all()
    np.testing.assert_allclose(lines[0].y.reshape(6, 6)[:, :-1], make()["probability"][4:, :, 0])


def test_selection_and_classes_choose_pairs():
    assert "1 pairs" in figure(make(), View(selection=(3,))).layout.title.text
    assert "4 pairs" in figure(make(), View(classes=(2,))).layout.title.text


@pytest.mark.parametrize(("n", "n_same"), [(0, 0), (1, 1), (1, 0)])
def test_one_pair_and_none(n, n_same):
    drawn = figure(make(n, n_same), View())
    assert drawn.data
    assert sum(a.text == "no such pair" for a in drawn.layout.annotations) == 2 - n


def test_mean_switches_over_epochs():
    datasets = [make(), make()]
    datasets[1]["switches"][:] = 2
    drawn = over_epochs(xr.concat(datasets, xr.Variable("epoch", [0, 4])), View())
    np.testing.assert_allclose(drawn.data[0].y, [0.75, 2])
    np.testing.assert_allclose(drawn.data[1].y, [1.0, 2])
