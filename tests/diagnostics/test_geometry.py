"""Geometry of clouds of which it is known."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from torch import nn

from repviz.diagnostics import geometry
from repviz.diagnostics.geometry import (
    Geometry,
    class_means,
    classifier_weights,
    distinct_rows,
    effective_rank,
    intrinsic_dimension,
    nearest_mean,
    self_duality,
    simplex_distance,
    variability_collapse,
)
from repviz.errors import UserError
from tests.diagnostics.snapshots import make_snapshot


def rotated(points, width, seed=0):
    """The points in a space of so many dimensions, turned and shifted."""
    inside = np.zeros((len(points), width))
    inside[:, : points.shape[1]] = points
    return torch.from_numpy(inside @ ortho_group.rvs(width, random_state=seed) + 3.0)


def simplex(n_classes):
    return torch.eye(n_classes, dtype=torch.float64) - 1 / n_classes


@pytest.mark.parametrize("k", [1, 3, 7])
def test_effective_rank_of_k_equal_dimensions_is_k(k):
    corners = np.concatenate([np.eye(k), -np.eye(k)])
    assert effective_rank(rotated(corners, 12)) == pytest.approx(k, rel=1e-6)
    assert effective_rank(5 * rotated(corners, 12)) == pytest.approx(k, rel=1e-6)


def test_effective_rank_counts_small_dimensions_less():
    a = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    p = np.array([0.75, 0.25])  # singular values 3 and 1
    assert effective_rank(rotated(a, 5)) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)
    assert np.isnan(effective_rank(torch.ones(9, 4)))
    assert np.isnan(effective_rank(torch.ones(1, 4)))


@pytest.mark.parametrize(("d", "tolerance"), [(1, 0.1), (2, 0.15), (5, 0.5)])
def test_intrinsic_dimension_of_a_cube(d, tolerance):
    cube = np.random.default_rng(d).random((2500, d))
    dimension, share = intrinsic_dimension(rotated(cube, 10))
    assert dimension == pytest.approx(d, abs=tolerance)
    assert share == 1
    # neither scale nor a curved surface matters
    angle = cube[:, 0] * 2
    curved = np.column_stack([np.cos(angle), np.sin(angle), 2 * cube[:, 1:]])
    assert intrinsic_dimension(100 * rotated(curved, 10))[0] == pytest.approx(d, abs=tolerance)


def test_duplicates_do_not_count():
    cube = rotated(np.random.default_rng(0).random((500, 3)), 5)
    alone, _ = intrinsic_dimension(cube)
    dimension, share = intrinsic_dimension(torch.cat([cube, cube[:300]]))
    assert dimension == pytest.approx(alone)
    assert share == pytest.approx(500 / 800)
    assert np.isnan(intrinsic_dimension(torch.ones(50, 3))[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_first_of_equal_points_stands_for_them(dtype, monkeypatch):
    """Of few values, so that many are equal, among them both zeros; also where all keys are one."""
    points = torch.from_numpy(np.random.default_rng(0).integers(-2, 3, (3000, 5))).to(dtype)
    points[points == 0] = torch.where(torch.rand(int((points == 0).sum())) < 0.5, 0.0, -0.0).to(dtype)
    _, first = np.unique(points.numpy() + 0.0, axis=0, return_index=True)
    assert len(first) < 2000
    assert distinct_rows(points).tolist() == sorted(first)
    monkeypatch.setattr(geometry, "_keys", lambda points: torch.zeros(len(points), dtype=torch.int64))
    assert distinct_rows(points).tolist() == sorted(first)


def test_keys_of_coarse_numbers_differ():
    """Their last bits are zero: of half precision, of small whole numbers, of ones and zeros."""
    grid = torch.cartesian_prod(*[torch.arange(8.0)] * 6)
    assert len(geometry._keys(grid).unique()) == len(grid)
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 17)
    assert len(geometry._keys(bits).unique()) == len(bits)
    assert len(geometry._keys(bits.double()).unique()) == len(bits)


def test_many_points_are_drawn_from_and_keep_their_scale(monkeypatch):
    """Asked among all, some points see the same distances; a thinned cloud would have larger ones."""
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    whole = intrinsic_dimension(points)[0]
    asked = []
    real = geometry.nearest_neighbors
    monkeypatch.setattr(geometry, "nearest_neighbors", lambda *args: asked.append(args) or real(*args))
    monkeypatch.setattr(geometry, "_ASKED", 1000)
    drawn = intrinsic_dimension(points)[0]
    ((cloud, _, rows),) = asked
    assert (len(cloud), len(rows)) == (4000, 1000)
    assert drawn == pytest.approx(whole, abs=0.2)
    assert drawn != whole


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_collapse_is_zero_on_a_simplex(n_classes):
    labels = torch.arange(5 * n_classes) % n_classes
    means = rotated(simplex(n_classes).numpy(), 16)
    points = means[labels]
    assert torch.allclose(class_means(points, labels), means)
    assert variability_collapse(points, labels, means) == pytest.approx(0, abs=1e-20)
    assert simplex_distance(means) == pytest.approx(0, abs=1e-7)
    assert self_duality(means, 7 * (means - means.mean(0)) + 2) == pytest.approx(0, abs=1e-12)
    assert self_duality(means, means.mean(0) - means) == pytest.approx(4)
    assert (nearest_mean(points, means) == labels).all()


def test_within_class_spread_is_measured_in_units_of_the_between_class_one():
    labels = torch.arange(60_000) % 3
    noise = torch.randn(60_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 6.0]], dtype=torch.float64)
    points = means[labels] + 0.5 * noise
    found = class_means(points, labels)
    centred = (means - means.mean(0)).numpy()
    expected = np.trace(0.25 * np.linalg.pinv(centred.T @ centred / 3)) / 3
    assert variability_collapse(points, labels, found) == pytest.approx(expected, rel=0.03)
    turned = torch.from_numpy(ortho_group.rvs(2, random_state=1))
    assert variability_collapse(9 * points @ turned, labels, 9 * found @ turned) == pytest.approx(
        variability_collapse(points, labels, found)
    )


def test_means_that_are_no_simplex():
    square = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]], dtype=torch.float64)
    inner = (square @ square.T / torch.linalg.norm(square @ square.T)).numpy()
    ideal = (np.eye(4) - 0.25) / np.sqrt(3)
    assert simplex_distance(square) == pytest.approx(np.linalg.norm(inner - ideal))
    uneven = simplex(4) * torch.tensor([1.0, 1, 1, 3])[:, None]
    assert simplex_distance(uneven) > 0.1
    assert np.isnan(simplex_distance(torch.ones(3, 2, dtype=torch.float64)))


def test_the_classifier_is_found_by_what_it_does():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    with torch.no_grad():
        first = torch.randn(50, 6)
        second = model[1](model[0](first))
        third = model[3](model[2](second))
        logits = model[4](third)
        assert torch.equal(classifier_weights(model, third, logits), model[4].weight)
        for other in (first, second, logits):
            assert classifier_weights(model, other, logits) is None
        assert classifier_weights(None, third, logits) is None
        model.append(nn.Linear(6, 6))
        model[-1].weight.fill_(np.nan)
        assert torch.equal(classifier_weights(model, third, logits), model[4].weight), "NaN gives no logits"


def test_a_collapsed_layer_and_a_scattered_one():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 600)
    split = np.zeros(600)
    split[500:] = 1
    collapsed = 3 * np.eye(4)[labels]
    collapsed[500:] = 100  # val points do not enter
    head = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(4))
    logits = collapsed.copy()
    logits[:50, :] = -logits[:50, :]  # the network is wrong, or undecided, there
    dataset = Geometry().compute(
        make_snapshot({"last": collapsed, "noise": rng.normal(size=(600, 4))}, labels, split, logits=logits)
    )
    last, noise = dataset.sel(layer="last"), dataset.sel(layer="noise")
    assert float(last["nc1"]) == pytest.approx(0, abs=1e-10)
    assert float(last["nc2"]) == pytest.approx(0, abs=1e-5)
    assert float(last["effective_rank"]) == pytest.approx(3, abs=0.05)
    assert float(last["nc4"]) == pytest.approx(0.1)
    assert float(noise["nc1"]) > 5
    assert float(noise["nc4"]) > 0.5
    assert np.isnan(float(last["nc3"]))
    assert np.isnan(float(last["intrinsic_dimension"]))
    assert float(last["distinct_share"]) < 0.02
    known = make_snapshot({"last": collapsed}, labels, split, logits=collapsed, model=head)
    assert float(Geometry().compute(known)["nc3"][0]) == pytest.approx(0, abs=1e-6)


def test_what_is_not_defined_is_nan():
    points = np.random.default_rng(0).normal(size=(20, 3))
    one = Geometry().compute(make_snapshot({"a": points}, np.zeros(20)))
    assert np.isfinite(one["effective_rank"].values).all()
    assert all(np.isnan(one[name].values).all() for name in ("nc1", "nc2", "nc3", "nc4"))
    none = Geometry().compute(make_snapshot({"a": points}, np.zeros(20), np.ones(20)))
    assert all(np.isnan(none[name].values).all() for name in none.data_vars)
    dead = Geometry().compute(make_snapshot({"a": np.ones((20, 3))}, np.arange(20) % 2))
    assert all(np.isnan(dead[name].values).all() for name in ("effective_rank", "intrinsic_dimension", "nc1", "nc2"))


def test_a_missing_layer_is_named():
    with pytest.raises(UserError, match=r"geometry\.layers.*no layer b; it has a"):
        Geometry(layers=("b",)).compute(make_snapshot({"a": np.ones((4, 1))}, np.zeros(4)))
    with pytest.raises(UserError, match=r"geometry\.layers"):
        Geometry(layers=())
