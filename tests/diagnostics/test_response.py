"""Responses of units, against counting by hand, scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.response import Response, binned, class_selectivity, dead_share
from repviz.errors import UserError
from tests.diagnostics.models import look_at, make_inputs, make_mlp


def labels_of(n):
    return np.random.default_rng(2).integers(0, 4, n)


def look(model, n=60, **settings):
    return look_at(model, make_inputs(n, 1), labels_of(n), sites=model.sites(), **settings)


def test_activation_component_and_label_are_of_the_same_points():
    model = make_mlp()
    snapshot = look(model, split=np.zeros(60))
    dataset = Response(n_units=3).compute(snapshot)
    score = PCA(1).fit_transform(snapshot.sample.inputs[0].double().numpy())[:, 0]
    np.testing.assert_allclose(np.abs(dataset["pc1"]), np.abs(score), rtol=1e-6)
    np.testing.assert_array_equal(dataset["label"], labels_of(60))
    assert [str(u).partition(":")[0] for u in dataset["unit"].values] == ["block1"] * 3 + ["block2"] * 3
    for i, unit in enumerate(dataset["unit"].values):
        layer, number = str(unit).split(":")
        expected = [snapshot.activations[layer][row, int(number)] for row in range(60)]
        np.testing.assert_array_equal(dataset["activation"][:, i], expected)


def test_units_are_those_of_highest_variance_at_first_and_the_same_ever_after():
    first = look(make_mlp())
    one = Response(n_units=3).compute(first)
    variance = first.activations["block1"].var(0)
    assert [str(u) for u in one["unit"].values[:3]] == [f"block1:{k}" for k in variance.argsort(descending=True)[:3]]
    later = look(make_mlp(seed=7), epoch=1)
    two = Response(n_units=3).compute(later, Earlier(first=one))
    np.testing.assert_array_equal(two["unit"], one["unit"])
    assert not np.array_equal(Response(n_units=3).compute(later)["unit"], one["unit"])
    assert not np.array_equal(two["activation"], one["activation"])


def test_units_and_layers_asked_for():
    snapshot = look(make_mlp())
    dataset = Response(units=("logits:2", "block1:11")).compute(snapshot)
    assert list(dataset["unit"].values) == ["logits:2", "block1:11"]
    np.testing.assert_array_equal(dataset["activation"][:, 0], snapshot.activations["logits"][:, 2])
    assert list(Response(layers=("block2",), n_units=2).compute(snapshot)["layer"].values) == ["block2"]
    for wrong, match in (("block1:12", "0 to 11"), ("block1", "no layer"), ("block1:-1", "0 to 11")):
        with pytest.raises(UserError, match=match):
            Response(units=(wrong,)).compute(snapshot)


def test_a_network_without_blocks_has_its_logits():
    dataset = Response(n_units=9).compute(look(make_mlp(hidden_dims=())))
    assert str(dataset["unit"].values[0]).startswith("logits:")
    assert dataset.sizes["unit"] == 4


def test_bins_have_equally_many_points_and_their_mean_and_band():
    rng = np.random.default_rng(0)
    x = rng.normal(size=103)
    y = np.stack([2 * x, np.abs(x)], 1)
    center, mean, low, high = binned(x, y, 10)
    order = np.argsort(x)
    fourth = order[33:43]  # the first three of the ten bins have eleven points
    assert center[3] == pytest.approx(x[fourth].mean())
    np.testing.assert_allclose(mean[0], 2 * center)
    assert mean[1, 3] == pytest.approx(np.abs(x[fourth]).mean())
    assert low[0, 3] == pytest.approx(np.quantile(2 * x[fourth], 0.1))
    assert high[0, 3] == pytest.approx(np.quantile(2 * x[fourth], 0.9))
    few = binned(x[:3], y[:3], 10)
    assert np.isfinite(few[0]).sum() == 3


def test_dead_units_never_change():
    points = torch.relu(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    points[:, 3] = 0
    points[:, 5] = 0.25
    assert dead_share(points) == pytest.approx(2 / 8)
    points[7, 3] = 0.01
    assert dead_share(points) == pytest.approx(1 / 8)
    assert np.isnan(dead_share(points[:1]))


def test_selectivity_is_morcos_index():
    labels = np.array([0, 0, 1, 1, 2, 2, -1])
    only_one = np.array([2.0, 4, 0, 0, 0, 0, 99])
    even = np.full(7, 0.5)
    mixed = np.array([1.0, 3, 1, 1, 0, 0, 99])  # class means 2, 1, 0: (2 - 0.5) / (2 + 0.5)
    negative = np.array([1.0, 1, -1, -1, 0, 0, 0])
    silent = np.zeros(7)
    found = class_selectivity(np.stack([only_one, even, mixed, negative, silent], 1), labels)
    np.testing.assert_allclose(found, [1, 0, 0.6, np.nan, np.nan])
    assert np.isnan(class_selectivity(only_one[:2, None], labels[:2])).all()


def test_shares_are_per_layer():
    model = make_mlp(layer_norm=False)
    with torch.no_grad():
        model.blocks[0].linear.bias[:6] = -1e3
    dataset = Response(units=("block1:2", "block1:9")).compute(look(model))
    assert list(dataset["dead"].values) == [True, False]
    dataset = Response().compute(look(model))
    assert float(dataset["dead_share"].sel(layer="block1")) >= 0.5
    assert float(dataset["selectivity_defined"].sel(layer="block1")) <= 0.5
    assert 0 <= float(dataset["selectivity_mean"].sel(layer="block1")) <= 1


def test_an_earlier_dataset_of_another_sample_is_refused():
    model = make_mlp()
    earlier = Response().compute(look(model, 30))
    with pytest.raises(ValueError, match="30 points, this snapshot 60"):
        Response().compute(look(model), Earlier(first=earlier))


@pytest.mark.parametrize("settings", [{"n_units": 0}, {"bins": 0}, {"layers": ()}, {"units": ()}])
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=f"response.{next(iter(settings))}"):
        Response(**settings)
