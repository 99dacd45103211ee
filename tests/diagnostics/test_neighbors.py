"""Neighbours are those that scikit-learn finds in double precision, whatever the data's scale and offset."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from repviz.diagnostics import neighbors
from repviz.diagnostics.neighbors import nearest_neighbors, product_dtype, squared_distances


def by_scikit_learn(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    distances, indices = (
        NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(points.astype(np.float64)).kneighbors()
    )
    return indices, distances


@pytest.mark.parametrize("layer", ["input", "block1", "logits"])
def test_real_activations(trained, layer):
    points = trained[10].activations[layer]
    indices, distances = nearest_neighbors(points, 15)
    expected_indices, expected_distances = by_scikit_learn(points.numpy(), 15)
    np.testing.assert_array_equal(indices.numpy(), expected_indices)
    np.testing.assert_allclose(distances.numpy(), expected_distances, rtol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e25])
def test_cancellation_underflow_and_overflow(offset, scale):
    cloud = np.random.default_rng(0).normal(size=(400, 20)) + offset
    points = torch.from_numpy((cloud * scale).astype(np.float32))
    indices, distances = nearest_neighbors(points, 8)
    expected_indices, expected_distances = by_scikit_learn(points.numpy().astype(np.float64) / scale - offset, 8)
    np.testing.assert_array_equal(indices.numpy(), expected_indices)
    np.testing.assert_allclose(distances.numpy() / scale, expected_distances, rtol=1e-6)


def test_far_from_the_origin():
    cloud = np.round(np.random.default_rng(0).normal(size=(400, 20)) * 2**20) / 2**20  # stays exact beside 2^27
    indices, distances = nearest_neighbors(torch.from_numpy(cloud + 2**27), 8)
    expected_indices, expected_distances = by_scikit_learn(cloud, 8)
    np.testing.assert_array_equal(indices.numpy(), expected_indices)
    np.testing.assert_allclose(distances.numpy(), expected_distances, rtol=1e-6)


def test_an_outlier_does_not_drown_the_others():
    points = np.random.default_rng(0).normal(size=(300, 10)).astype(np.float32)
    points[7] = 1e6
    indices, _ = nearest_neighbors(torch.from_numpy(points), 5)
    np.testing.assert_array_equal(indices.numpy(), by_scikit_learn(points, 5)[0])


def test_products_of_lowered_precision_are_not_relied_on(monkeypatch):
    devices = [torch.device(name) for name in ("cpu", "cuda")]
    assert [product_dtype(device) for device in devices] == [torch.float32] * 2
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    assert [product_dtype(device) for device in devices] == [torch.float64] * 2
    monkeypatch.undo()
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert [product_dtype(device) for device in devices] == [torch.float64] * 2


def test_rows_that_single_precision_leaves_in_doubt_are_done_again(monkeypatch):
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32))
    expected = nearest_neighbors(points, 5)[0]

    def coarse(rows, points, norms):
        exact = squared_distances(rows, points, norms)
        return exact if points.dtype == torch.float64 else exact.round()

    monkeypatch.setattr(neighbors, "squared_distances", coarse)
    monkeypatch.setattr(neighbors, "rounding", lambda norms, width: torch.zeros_like(norms))
    assert not torch.equal(nearest_neighbors(points, 5)[0], expected), "coarse ones lead astray"
    monkeypatch.setattr(neighbors, "rounding", lambda norms, width: torch.ones_like(norms))
    assert torch.equal(nearest_neighbors(points, 5)[0], expected)
    rows = torch.arange(199, -1, -1)
    assert torch.equal(nearest_neighbors(points, 5, rows)[0], expected[rows])


def test_a_point_is_not_its_own_neighbour_but_its_duplicates_are():
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    indices, distances = nearest_neighbors(points, 2)
    own = torch.arange(120)[:, None]
    assert not (indices == own).any()
    assert (indices % 40 == own % 40).all()
    assert (distances == 0).all()


def test_many_more_duplicates_than_neighbours():
    points = torch.zeros(100, 4)
    points[60:] = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    indices, distances = nearest_neighbors(points, 5)
    assert (distances[:60] == 0).all()
    assert (indices[:60] < 60).all()
    assert all(len(set(row)) == 5 and i not in row for i, row in enumerate(indices.tolist()))


def test_blocks_make_no_difference(monkeypatch):
    points = torch.randn(150, 12, generator=torch.Generator().manual_seed(0))
    whole = nearest_neighbors(points, 149)
    monkeypatch.setattr(neighbors, "_BLOCK", 7 * 150)
    parts = nearest_neighbors(points, 149)
    assert torch.equal(whole[0], parts[0])
    torch.testing.assert_close(whole[1], parts[1])


def test_no_neighbours_and_too_many():
    assert nearest_neighbors(torch.randn(3, 2), 0)[0].shape == (3, 0)
    assert nearest_neighbors(torch.randn(1, 2), 0)[0].shape == (1, 0)
    with pytest.raises(ValueError, match="3 points have no 3 nearest"):
        nearest_neighbors(torch.randn(3, 2), 3)


def test_of_some_rows_they_are_what_they_are_of_all(trained, monkeypatch):
    points = trained[1].activations["block1"]
    rows = torch.tensor([5, 2, 700, 2])
    indices, distances = nearest_neighbors(points, 6)
    for block in (neighbors._BLOCK, 1):
        monkeypatch.setattr(neighbors, "_BLOCK", block)
        some_indices, some_distances = nearest_neighbors(points, 6, rows)
        assert torch.equal(some_indices, indices[rows])
        torch.testing.assert_close(some_distances, distances[rows], rtol=1e-12, atol=0)
