"""The landscape's picture: the right way round, gaps where the loss is not finite, losses on the colour bar."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.landscape import OPTIONS, beside, figure, over_epochs
from repviz.figures.view import View


def make(n=5, scale=1.0, epoch=3):
    axis = np.linspace(-1, 1, n)
    loss = scale * np.stack([10 ** (axis[:, None] + 0.5 * axis[None]), 2 + axis[:, None] ** 2 + 0 * axis[None]])
    middle = n // 2
    variables = {
        "loss": (("split", "alpha", "beta"), loss),
        "cut_alpha": (("split", "alpha"), loss[:, :, middle]),
        "cut_beta": (("split", "beta"), loss[:, middle]),
        "center_loss": ("split", loss[:, middle, middle]),
        "n_rows": ("split", [100, 40]),
        "finite_share": ("split", [1.0, 1.0]),
    }
    return xr.Dataset(variables, {"split": ["train", "val"], "alpha": axis, "beta": axis}, {"epoch": epoch})


def planes(drawn):
    return [t for t in drawn.data if t.type in ("contour", "heatmap", "surface")]


def test_the_first_direction_goes_to_the_right():
    dataset = make()
    for trace, loss in zip(planes(figure(dataset, View(options={"scale": "linear"}))), dataset["loss"], strict=True):
        np.testing.assert_allclose(trace.z[4, 1], loss.sel(alpha=-0.5, beta=1.0), rtol=1e-6)


def test_a_colour_is_the_same_loss_in_both_splits():
    drawn = figure(make(), View())
    first, second = planes(drawn)
    assert first.coloraxis == second.coloraxis == "coloraxis"
    assert first.contours.coloring == second.contours.coloring == "heatmap"
    loss = np.log10(make()["loss"].values)
    assert drawn.layout.coloraxis.cmin == pytest.approx(loss.min(), abs=1e-6)
    assert drawn.layout.coloraxis.cmax == pytest.approx(loss.max(), abs=1e-6)


def test_logarithms_are_drawn_and_losses_written():
    dataset = make()
    drawn = figure(dataset, View())
    plane = planes(drawn)[0]
    np.testing.assert_allclose(10**plane.z, dataset["loss"][0].values.T, rtol=1e-5)
    np.testing.assert_allclose(plane.customdata, dataset["loss"][0].values.T, rtol=1e-6)
    bar = drawn.layout.coloraxis.colorbar
    np.testing.assert_allclose([float(text) for text in bar.ticktext], 10 ** np.array(bar.tickvals), rtol=5e-3)
    assert drawn.layout.yaxis3.type == "log"


def test_a_loss_that_is_zero_or_below_is_drawn_linearly():
    drawn = figure(make(scale=-1.0), View())
    np.testing.assert_allclose(planes(drawn)[0].z, make(scale=-1.0)["loss"][0].values.T, rtol=1e-6)
    assert drawn.layout.yaxis3.type == "linear"


def test_what_is_not_finite_is_a_gap_and_said():
    dataset = make()
    dataset["loss"][0, 0, 0] = np.inf
    dataset["finite_share"][0] = 24 / 25
    drawn = figure(dataset, View())
    assert planes(drawn)[0].type == "heatmap"
    assert np.isnan(planes(drawn)[0].z[0, 0])
    assert np.isfinite(planes(drawn)[0].z).sum() == 24
    assert "4.0% not finite" in drawn.layout.annotations[0].text


def test_losses_and_points_are_in_the_titles_and_a_split_without_points_says_so():
    dataset = make()
    dataset["loss"][1] = dataset["cut_alpha"][1] = dataset["cut_beta"][1] = np.nan
    dataset["n_rows"][1] = 0
    drawn = figure(dataset, View(theme="dark"))
    assert "loss 1 on 100 points" in drawn.layout.annotations[0].text
    assert "no point" in drawn.layout.annotations[1].text
    assert "epoch 3" in drawn.layout.title.text


def test_options():
    assert [t.type for t in planes(figure(make(), View(options={"shape": "surface"})))] == ["surface"] * 2
    with pytest.raises(UserError, match=r"shape='cone'.*contour, surface"):
        figure(make(), View(options={"shape": "cone"}))


def test_one_range_over_the_epochs_beside_or_this_epoch_alone():
    dataset, worse = make(), make(scale=10.0, epoch=9)
    view = View(beside={9: worse[["loss"]]})
    ends = [np.log10(dataset["loss"].values.min()), np.log10(worse["loss"].values.max())]
    drawn = figure(dataset, view)
    np.testing.assert_allclose([drawn.layout.coloraxis.cmin, drawn.layout.coloraxis.cmax], ends, atol=1e-6)
    low, high = drawn.layout.yaxis3.range
    assert low < ends[0] < ends[1] < high
    assert drawn.layout.yaxis4.range == (low, high)
    other = figure(worse, View(beside={3: dataset[["loss"]]}))
    assert other.layout.yaxis3.range == (low, high)
    surface = figure(dataset, View(beside=view.beside, options={"shape": "surface"}))
    assert surface.layout.scene.zaxis.range == surface.layout.scene2.zaxis.range == (low, high)
    ticks = surface.layout.scene.zaxis
    np.testing.assert_allclose([float(text) for text in ticks.ticktext], 10 ** np.array(ticks.tickvals), rtol=5e-3)
    alone = figure(dataset, View(beside=view.beside, options={"range": "this epoch"}))
    assert alone.layout.coloraxis.cmax == pytest.approx(np.log10(dataset["loss"].values.max()), abs=1e-6)


def test_an_epoch_that_has_no_logarithm_makes_the_scale_of_all_linear():
    drawn = figure(make(), View(beside={9: make(scale=-1.0)[["loss"]]}))
    np.testing.assert_allclose(planes(drawn)[0].z, make()["loss"][0].values.T, rtol=1e-6)
    assert drawn.layout.yaxis3.type == "linear"


def test_the_camera_outlives_choices_and_epochs():
    views = [View(options={"shape": "surface", "scale": scale}) for scale in ("log", "linear")]
    drawn = [figure(make(epoch=epoch), view) for epoch in (1, 2) for view in views]
    assert {scene.uirevision for one in drawn for scene in (one.layout.scene, one.layout.scene2)} == {"landscape"}


def test_epochs_that_share_the_range():
    assert beside(View(), 3, [0, 3, 7]) == [0, 7]
    assert beside(View(options={"range": "this epoch"}), 3, [0, 3, 7]) == []


@pytest.mark.parametrize("shape", OPTIONS["shape"])
def test_nothing_finite_at_all(shape):
    dataset = make()
    for name in ("loss", "cut_alpha", "cut_beta", "center_loss"):
        dataset[name][:] = np.nan
    assert figure(dataset, View(options={"shape": shape})).to_json()


def test_cuts_over_epochs():
    history = xr.concat([make(scale=s) for s in (1.0, 0.1)], xr.Variable("epoch", [0, 5]))
    train = over_epochs(history, View()).data[0]
    assert list(train.x) == [0, 5]
    np.testing.assert_allclose(10 ** train.z[:, 1], 0.1 * make()["cut_alpha"][0], rtol=1e-5)
