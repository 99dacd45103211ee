"""The decision surface, against a boundary built by hand, closed forms and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.surface import Surface, from_plane, grid_axis, onto, principal_plane, surrogate_regions
from repviz.errors import UserError
from tests.diagnostics.models import look_at, make_inputs, make_mlp


def labels_of(n, n_classes=4):
    return np.random.default_rng(2).integers(0, n_classes, n)


def flat_points(n=80, seed=0):
    """Points that lie in the plane of the first two of seven coordinates, wider along the first."""
    rng = np.random.default_rng(seed)
    points = np.zeros((n, 7))
    points[:, :2] = rng.normal(size=(n, 2)) * [3, 1] + [5, -2]
    return torch.from_numpy(points).float()


def linear(weight, bias):
    model = nn.Linear(7, 2)
    with torch.no_grad():
        model.weight.copy_(torch.stack([torch.zeros(7), torch.as_tensor(weight, dtype=torch.float32)]))
        model.bias.copy_(torch.tensor([0.0, bias]))
    return model


def test_a_linear_boundary_lies_where_it_must():
    """Logit of class 1 is x0 + 2 x1 - 1: on the plane, prediction and probability follow from the coordinates."""
    points = flat_points()
    model = linear([1, 2, 0, 0, 0, 0, 0], -1.0)
    dataset = Surface(resolution=21).compute(look_at(model, (points,), labels_of(80, 2), np.zeros(80), n_classes=2))
    plane = principal_plane(points.double())
    x, y = np.meshgrid(dataset["x"], dataset["y"])
    there = from_plane(plane, np.stack([x, y], -1).reshape(-1, 2)).numpy().reshape(21, 21, 7)
    logit = there[..., 0] + 2 * there[..., 1] - 1
    assert dataset["probability"].dims == ("y", "x", "class")
    np.testing.assert_allclose(dataset["probability"][..., 1], 1 / (1 + np.exp(-logit)), rtol=1e-4, atol=1e-6)
    clear = np.abs(logit) > 1e-4
    np.testing.assert_array_equal(dataset["prediction"].values[clear], (logit > 0)[clear])
    assert 0 < dataset["prediction"].values.mean() < 1
    assert dataset["off_plane_distance"].max() < 1e-5
    assert float(dataset["agreement"]) == 1


def test_distance_and_agreement_tell_when_the_plane_is_not_where_the_points_are():
    """The network looks at the third coordinate alone, along which the plane is flat."""
    points = flat_points(40).repeat(2, 1)
    # above and below the same places, so that the third coordinate goes with none of the others
    height = torch.linspace(0.1, 0.5, 40)
    points[:, 2] = torch.cat([height, -height])
    model = linear([0, 0, 1, 0, 0, 0, 0], 1e-3)
    dataset = Surface(resolution=5).compute(look_at(model, (points,), labels_of(80, 2), np.zeros(80), n_classes=2))
    np.testing.assert_allclose(dataset["off_plane_distance"], points[:, 2].abs(), rtol=1e-5)
    real = (points[:, 2] > 0).numpy()
    np.testing.assert_array_equal(dataset["sample_prediction"], real)
    assert (dataset["on_plane_prediction"] == 1).all()
    assert float(dataset["agreement"]) == 0.5


def test_the_plane_is_scikit_learns_and_projections_are_orthogonal():
    points = make_inputs(50, 1)[0].double() * torch.tensor([5, 4, 3, 2, 1, 1, 1])
    plane = principal_plane(points)
    reference = PCA(2).fit(points.numpy())
    np.testing.assert_allclose(plane.share, reference.explained_variance_ratio_, rtol=1e-10)
    xy, distance = onto(plane, points)
    expected = reference.transform(points.numpy())
    np.testing.assert_allclose(np.abs(xy), np.abs(expected), rtol=1e-8, atol=1e-10)
    residual = points.numpy() - reference.inverse_transform(expected)
    np.testing.assert_allclose(distance, np.linalg.norm(residual, axis=1), rtol=1e-8)
    back, none = onto(plane, from_plane(plane, xy))
    np.testing.assert_allclose(back, xy, atol=1e-10)
    assert none.max() < 1e-10


@pytest.mark.parametrize("points", [torch.ones(1, 7), torch.ones(4, 7), torch.eye(7)[:2], torch.arange(5.0)[:, None]])
def test_where_points_span_no_plane_there_is_one_all_the_same(points):
    plane = principal_plane(points)
    axes = plane.axes.numpy()
    expected = np.diag([1.0, 0.0 if points.shape[1] == 1 else 1.0])
    np.testing.assert_allclose(axes.T @ axes, expected, atol=1e-8)
    xy, _ = onto(plane, points)
    assert np.isfinite(xy).all()
    assert (np.diff(grid_axis(xy[:, 0], 5)) > 0).all()


def test_the_plane_does_not_move_with_the_network_and_tabular_columns_stay_at_the_reference():
    inputs, labels = make_inputs(60), labels_of(60)
    model = make_mlp(fusion="film")
    one = Surface(resolution=7).compute(look_at(model, inputs, labels))
    two = Surface(resolution=7).compute(look_at(make_mlp(fusion="film", seed=5), inputs, labels))
    for name in ("x", "y", "sample_xy", "off_plane_distance"):
        np.testing.assert_array_equal(one[name], two[name])
    plane = principal_plane(inputs[0].double()[np.arange(60) % 3 != 2])
    corner = from_plane(plane, np.array([[one["x"].values[3], one["y"].values[6]]])).float()
    with torch.no_grad():
        expected = model(corner, torch.zeros(1, 3)).softmax(1)[0]
    np.testing.assert_allclose(one["probability"][6, 3], expected, rtol=1e-4, atol=1e-6)
    assert "0" in one.attrs["reference"]


def test_a_plane_stays_where_it_was_as_far_as_principal_axes_do():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(400, 6))
    even = np.linalg.qr(cloud - cloud.mean(0))[0] * 20  # the same variance along all axes
    round_, long = even * [3, 3, 1, 1, 1, 1], even * [5, 3, 1, 1, 1, 1]
    for points, free in ((round_, True), (long, False)):
        points = torch.from_numpy(points)
        plain, _ = onto(principal_plane(points), points)
        angle = 0.9 if free else np.pi
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        held = principal_plane(points, plain @ turn)
        np.testing.assert_allclose(onto(held, points)[0], plain @ turn, atol=1e-8)
        np.testing.assert_allclose(held.axes.T @ held.axes, np.eye(2), atol=1e-8)
        assert held.share.sum() == pytest.approx(principal_plane(points).share.sum(), rel=0.02)


def test_the_map_of_the_surrogate_does_not_flip_between_epochs():
    look = look_at(make_mlp(), make_inputs(60, 1), labels_of(60))
    first = Surface(resolution=4).compute(look)
    mirrored = first.assign(surrogate_xy=first["surrogate_xy"] * [-1, 1])
    again = Surface(resolution=4).compute(look, Earlier(previous=mirrored))
    np.testing.assert_allclose(again["surrogate_xy"], mirrored["surrogate_xy"], atol=1e-9)
    np.testing.assert_allclose(again["surrogate_x"], -first["surrogate_x"][::-1], atol=1e-9)
    np.testing.assert_array_equal(again["prediction"], first["prediction"])
    other = Surface(resolution=4).compute(look, Earlier(previous=mirrored.assign_attrs(layer="another")))
    np.testing.assert_array_equal(other["surrogate_xy"], first["surrogate_xy"])


def test_inputs_that_are_images_keep_their_shape():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    inputs = (torch.randn(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)),)
    sites = {"input": None, "features": model[1]}
    dataset = Surface(resolution=4).compute(look_at(model, inputs, labels_of(20, 3), sites=sites, n_classes=3))
    assert dataset["probability"].shape == (4, 4, 3)
    assert dataset.attrs["layer"] == "features"


def test_the_surrogate_learns_on_train_and_is_judged_on_val():
    rng = np.random.default_rng(0)
    xy = rng.uniform(-1, 1, (600, 2))
    predicted = (xy[:, 0] > 0).astype(np.int64)
    split = np.arange(600) % 3
    axis = np.linspace(-0.9, 0.9, 8)
    regions, agreement = surrogate_regions(xy, predicted, split, (axis, axis), 5)
    np.testing.assert_array_equal(regions, np.broadcast_to(axis > 0, (8, 8)))
    assert agreement > 0.95
    predicted[split == 1] = 1 - predicted[split == 1]
    assert surrogate_regions(xy, predicted, split, (axis, axis), 5)[1] == pytest.approx(1 - agreement)
    assert np.isnan(surrogate_regions(xy, predicted, np.zeros(600), (axis, axis), 5)[1])


@pytest.mark.parametrize("settings", [{"resolution": 1}, {"n_neighbors": 0}])
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=f"surface.{next(iter(settings))}"):
        Surface(**settings)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"surface\.layer.*block9"):
        Surface(resolution=3, layer="block9").compute(look_at(make_mlp(), make_inputs(12, 1), labels_of(12)))


def test_units_on_the_plane_answer_as_the_network_does_there():
    model, inputs = make_mlp(), make_inputs(60, 1)
    snapshot = look_at(model, inputs, labels_of(60), np.zeros(60), sites=model.sites())
    dataset = Surface(resolution=7, n_units=3).compute(snapshot)
    units = [str(unit) for unit in dataset["unit"].values]
    variance = snapshot.activations["penultimate"].var(0).argsort(descending=True)
    assert units == [f"penultimate:{k}" for k in variance[:3]]
    grid = np.stack(np.meshgrid(dataset["x"], dataset["y"]), -1).reshape(-1, 2)
    there = from_plane(principal_plane(inputs[0].double()), grid).float()
    with torch.no_grad():
        for block in model.blocks:
            there = block(there)
    numbers = [int(unit.partition(":")[2]) for unit in units]
    expected = there[:, numbers].T.reshape(3, 7, 7)
    np.testing.assert_allclose(dataset["unit_activation"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(dataset["unit_sample_activation"], snapshot.activations["penultimate"][:, numbers].T)


def test_units_are_the_same_ever_after_as_long_as_the_layer_is():
    first = make_mlp()
    one = Surface(resolution=3).compute(look_at(first, make_inputs(60, 1), labels_of(60), sites=first.sites()))
    later = make_mlp(seed=7)
    snapshot = look_at(later, make_inputs(60, 1), labels_of(60), sites=later.sites(), epoch=1)
    two = Surface(resolution=3).compute(snapshot, Earlier(first=one))
    np.testing.assert_array_equal(two["unit"], one["unit"])
    assert not np.array_equal(Surface(resolution=3).compute(snapshot)["unit"], one["unit"])
    other = Surface(resolution=3, layer="block1").compute(snapshot, Earlier(first=one))
    assert [str(unit).partition(":")[0] for unit in other["unit"].values] == ["block1"] * 4
    assert Surface(resolution=3, n_units=0).compute(snapshot).sizes["unit"] == 0
