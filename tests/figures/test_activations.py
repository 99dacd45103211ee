"""The distribution of activations: quantiles and zeros of every layer."""

import numpy as np
import pytest
import xarray as xr

from repviz.figures.activations import figure
from repviz.figures.view import View


def test_quantiles_and_share_of_zeros():
    points = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    relu = np.maximum(points, 0)
    dataset = xr.Dataset({"block1": (("sample", "unit_block1"), relu), "logits": (("sample", "class"), points)})
    box, bar = figure(dataset, View()).data
    assert list(box.x) == ["block1", "logits"]
    np.testing.assert_allclose(box.median, [np.median(relu), np.median(points)], rtol=1e-6)
    np.testing.assert_allclose(box.upperfence[1], np.quantile(points, 0.99), rtol=1e-6)
    assert bar.y[0] == pytest.approx((relu == 0).mean())
    assert bar.y[1] == 0
    assert list(figure(dataset, View(layer="logits", theme="dark")).data[0].x) == ["logits"]
