"""The picture of the path: the right way round, true losses beside the plane's, a line where there is no plane."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.trajectory import figure
from repviz.figures.view import View


def make(n_alpha=5, n_beta=4, epochs=(0, 2, 7), left_out="none"):
    alpha, beta = np.linspace(-3, 1, n_alpha) if n_alpha > 1 else np.zeros(1), np.linspace(-1, 2, n_beta)
    beta = beta if n_beta > 1 else np.zeros(1)
    n = len(epochs)
    loss = np.exp(alpha[:, None] + 0.5 * beta[None])
    path = np.stack([np.linspace(-2, 0, n), np.linspace(1, 0, n)], axis=1)
    variables = {
        "loss": (("alpha", "beta"), loss),
        "val_loss": (("alpha", "beta"), 2 * loss),
        "path": (("epoch", "axis"), path),
        "true_loss": ("epoch", np.linspace(3, 1, n)),
        "true_val_loss": ("epoch", np.linspace(4, 2, n)),
        "plane_loss": ("epoch", np.linspace(2, 1, n)),
        "plane_val_loss": ("epoch", np.linspace(3, 2, n)),
        "off_plane_distance": ("epoch", np.linspace(0.5, 0, n)),
        "distance": ("epoch", np.linspace(2.3, 0, n)),
        "explained_variance_ratio": ("axis", [0.7, 0.2] if n > 1 else [np.nan, np.nan]),
        "n_rows": ("split", [100, 0]),
        "center": epochs[-1],
    }
    coordinates = {"alpha": alpha, "beta": beta, "epoch": list(epochs), "axis": ["first", "second"]}
    return xr.Dataset(variables, coordinates | {"split": ["train", "val"]}, {"left_out": left_out})


def traces(drawn, row_col):
    return [t for t in drawn.data if (t.xaxis or "x") == row_col]


def test_the_first_axis_goes_to_the_right_and_the_path_lies_on_the_plane():
    dataset = make()
    plane, path = traces(figure(dataset, View(options={"scale": "linear"})), "x")
    np.testing.assert_allclose(plane.z[3, 1], dataset["loss"][1, 3], rtol=1e-6)
    np.testing.assert_allclose(np.stack([path.x, path.y], 1), dataset["path"])
    assert list(path.marker.color) == [0, 2, 7]
    assert list(path.marker.symbol) == ["square", "circle", "star"]
    np.testing.assert_allclose(path.customdata, [[0, 3, 2, 0.5], [2, 2, 1.5, 0.25], [7, 1, 1, 0]])


def test_distances_on_the_plane_can_be_compared():
    assert figure(make(), View()).layout.yaxis.scaleanchor == "x"


def test_true_losses_stand_beside_the_planes_and_distances_below():
    for split, names in (("train", ("true_loss", "plane_loss")), ("val", ("true_val_loss", "plane_val_loss"))):
        dataset = make()
        drawn = figure(dataset, View(options={"split": split}))
        for trace, name in zip(traces(drawn, "x2"), names, strict=True):
            np.testing.assert_allclose(trace.y, dataset[name])
        for trace, name in zip(traces(drawn, "x3"), ("off_plane_distance", "distance"), strict=True):
            np.testing.assert_allclose(trace.y, dataset[name])
            assert list(trace.x) == [0, 2, 7]
    assert "no val point" in drawn.layout.title.text


def test_logarithms_are_drawn_and_losses_written():
    dataset = make()
    drawn = figure(dataset, View())
    plane = traces(drawn, "x")[0]
    np.testing.assert_allclose(10**plane.z, dataset["loss"].values.T, rtol=1e-5)
    np.testing.assert_allclose(plane.customdata, dataset["loss"].values.T, rtol=1e-6)
    assert drawn.layout.yaxis2.type == "log"


def test_a_loss_that_is_not_finite_is_a_gap():
    dataset = make()
    dataset["loss"][0, 0] = np.inf
    plane = traces(figure(dataset, View()), "x")[0]
    assert plane.type == "heatmap"
    assert np.isnan(plane.z).sum() == 1


def test_with_one_axis_the_checkpoints_lie_on_a_line_at_the_planes_loss():
    dataset = make(n_beta=1, epochs=(3, 7))
    line, path = traces(figure(dataset, View(theme="dark")), "x")
    np.testing.assert_allclose(line.y, dataset["loss"][:, 0])
    np.testing.assert_allclose(path.y, dataset["plane_loss"])
    drawn = figure(dataset, View())
    np.testing.assert_allclose([a.y for a in drawn.layout.annotations if "epoch" in a.text], np.log10([2, 1]))


def test_one_checkpoint_is_one_point_and_what_is_left_out_is_said():
    drawn = figure(make(1, 1, epochs=(4,), left_out="epoch 5: NaN or infinite weights (a)"), View())
    assert "nothing moved" in drawn.layout.title.text
    assert "epoch 5: NaN" in drawn.layout.title.text
    assert list(traces(drawn, "x")[1].x) == [-2]


def test_options():
    with pytest.raises(UserError, match=r"split='excluded'.*train, val"):
        figure(make(), View(options={"split": "excluded"}))
