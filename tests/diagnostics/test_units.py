"""Units that are followed over a run are chosen at its start, whichever epoch is looked at first."""

from dataclasses import replace

import numpy as np
import torch

from repviz.diagnostics.projection import Projection
from repviz.diagnostics.response import Response
from repviz.diagnostics.surface import Surface
from repviz.diagnostics.units import by_variance, unit_order
from tests.diagnostics.models import look_at, make_inputs, make_mlp


def looks(chosen_by=None):
    """The same points before and after: two networks; units in the order that a third gives them."""
    for seed in (0, 7):
        model = make_mlp(seed=seed)
        snapshot = look_at(model, make_inputs(60, 1), np.arange(60) % 3, sites=model.sites())
        if chosen_by is not None:
            snapshot = replace(snapshot, sample=replace(snapshot.sample, unit_order=unit_order(chosen_by.activations)))
        yield snapshot


def test_by_variance_and_the_lower_number_first_among_equals():
    points = torch.tensor([[0.0, 0, 0, 1e3], [0, 3, 1, 1e3]])
    np.testing.assert_array_equal(by_variance(points), [1, 2, 0, 3])
    assert by_variance(points).dtype == np.int32


def test_the_run_decides_whichever_epoch_is_looked_at_first():
    model = make_mlp(seed=3)
    start = look_at(model, make_inputs(60, 1), np.arange(60) % 3, sites=model.sites())
    variance = {layer: points.var(0).argsort(descending=True).tolist() for layer, points in start.activations.items()}
    for snapshot in looks(chosen_by=start):
        response = Response(n_units=3).compute(snapshot)
        assert [str(u) for u in response["unit"].values[:3]] == [f"block1:{k}" for k in variance["block1"][:3]]
        surface = Surface(resolution=3, n_units=2).compute(snapshot)
        assert [str(u) for u in surface["unit"].values] == [f"penultimate:{k}" for k in variance["penultimate"][:2]]
        projection = Projection(methods=("pca",), neurons=5).compute(snapshot)
        np.testing.assert_array_equal(projection["unit_index"].sel(layer="block1"), variance["block1"][:5])
    one, two = (Response(n_units=3).compute(snapshot)["unit"].values for snapshot in looks())
    assert list(one) != list(two)  # without the run's word each epoch chooses for itself
