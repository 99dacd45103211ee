"""Trustworthiness is scikit-learn's; chance is what unrelated maps really get."""

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness

from repviz.diagnostics import fidelity
from repviz.diagnostics.fidelity import chance, largest_k, rank_preservation, sampled_rows
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores


@pytest.fixture(scope="module")
def layer_and_map(trained):
    points = trained[1].activations["penultimate"]
    return points, principal_scores(points, principal_axes(points), 2)


@pytest.mark.parametrize("k", [1, 5, 15])
def test_trustworthiness_and_continuity_are_scikit_learns(layer_and_map, k):
    points, on_map = layer_and_map
    trust = rank_preservation(points, [nearest_neighbors(on_map, k)[0]])[0]
    kept = rank_preservation(on_map, [nearest_neighbors(points, k)[0]])[0]
    layer = points.double().numpy()
    assert trust == pytest.approx(trustworthiness(layer, on_map.numpy(), n_neighbors=k), abs=1e-12)
    # continuity is trustworthiness with layer and map exchanged
    assert kept == pytest.approx(trustworthiness(on_map.numpy(), layer, n_neighbors=k), abs=1e-12)
    assert trust != pytest.approx(kept, abs=0.01)


def test_several_sets_of_neighbours_in_one_pass(layer_and_map):
    points, on_map = layer_and_map
    sets = [nearest_neighbors(on_map, 5)[0], nearest_neighbors(points, 15)[0]]
    assert rank_preservation(points, sets) == [rank_preservation(points, [one])[0] for one in sets]
    assert rank_preservation(points, sets)[1] == 1.0


@pytest.mark.parametrize("k", [1, 7, 19])
def test_chance_is_the_mean_over_all_choices_of_neighbours(k):
    """Over the shifts every other point is every point's neighbour equally often, and the measure is linear in them."""
    n = 40
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(n, 6)))
    steps = (torch.arange(n - 1)[:, None] + torch.arange(k)) % (n - 1) + 1
    shifts = [(torch.arange(n)[:, None] + step) % n for step in steps]
    assert np.mean(rank_preservation(points, shifts)) == pytest.approx(chance(n, k), abs=1e-12)


def test_chance_is_near_a_half_for_few_neighbours_of_many():
    assert chance(100_000, 15) == pytest.approx(0.5, abs=1e-3)


def test_an_average_over_some_rows_is_close_to_that_over_all(layer_and_map):
    points, on_map = layer_and_map
    near = nearest_neighbors(on_map, 15)[0]
    rows = sampled_rows(len(points), 600, 0, points.device)
    assert len(rows.unique()) == 600
    assert torch.equal(rows, sampled_rows(len(points), 600, 0, points.device))
    assert not torch.equal(rows, sampled_rows(len(points), 600, 1, points.device))
    some = rank_preservation(points, [near[rows]], rows)[0]
    assert some == pytest.approx(rank_preservation(points, [near])[0], abs=0.01)
    every = torch.arange(len(points))
    assert torch.equal(sampled_rows(len(points), len(points), 0, points.device), every)


def test_an_outlier_does_not_make_everything_a_tie(layer_and_map):
    _, on_map = layer_and_map
    points = torch.randn(len(on_map), 8, generator=torch.Generator().manual_seed(0))
    points[3] = 1e5
    near = nearest_neighbors(on_map, 15)[0]
    expected = trustworthiness(points.double().numpy(), on_map.numpy(), n_neighbors=15)
    assert rank_preservation(points, [near])[0] == pytest.approx(expected, abs=1e-6)


def test_duplicates_share_the_better_rank():
    points = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).repeat(4, 1)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    points = points[order]
    same = (points[:, None] == points).all(2)
    same.fill_diagonal_(False)
    # any of the three duplicates is a nearest neighbour: naming just one of them is no fault
    for choice in (same.double().argmax(1), 199 - same.flip(1).double().argmax(1)):
        assert rank_preservation(points, [choice[:, None]])[0] == 1.0


def test_blocks_make_no_difference(layer_and_map, monkeypatch):
    points, on_map = layer_and_map
    near = nearest_neighbors(on_map, 5)[0]
    whole = rank_preservation(points, [near])
    assert rank_preservation(points[:, :3], [near]) != whole
    for name, size in (("_BLOCK", 1), ("_POINTS", 97), ("_ROWS", 301)):
        monkeypatch.setattr(fidelity, name, size)
        assert rank_preservation(points, [near]) == pytest.approx(whole, abs=1e-9), name


def test_below_a_limit_is_what_is_less():
    generator = torch.Generator().manual_seed(0)
    distances = torch.randint(0, 9, (6, 50), generator=generator).double()
    limits = torch.randint(0, 9, (6, 4), generator=generator).double().sort(dim=1).values
    assert torch.equal(fidelity._numbers_below(distances, limits), (distances[:, None] < limits[..., None]).sum(2))


def test_too_few_points():
    assert [largest_k(n) for n in (0, 1, 2, 3, 4, 5)] == [0, 0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="2 neighbours among 4 points"):
        chance(4, 2)
    with pytest.raises(ValueError, match="3 neighbours among 6 points"):
        rank_preservation(torch.randn(6, 2), [torch.zeros(6, 3, dtype=torch.int64)])
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert rank_preservation(points, [torch.tensor([[1], [0], [1]])]) == [1.0]
    assert rank_preservation(points, [torch.tensor([[2], [2], [0]])]) == [0.0]
