"""UMAP from where the last map ended: umap-learn's graph and descent, steady, and true to what moved."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness

from repviz.diagnostics.alignment import rigidly_aligned
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.umap_layout import first_layout, neighbor_graph, new_neighbors, next_layout
from tests.diagnostics.conftest import displacement, noisy, umap_from_scratch

SETTINGS = {"n_neighbors": 15, "min_dist": 0.1, "seed": 0}


def near(points: np.ndarray, k: int = 15) -> tuple[np.ndarray, np.ndarray]:
    indices, distances = nearest_neighbors(torch.from_numpy(points), k)
    return indices.numpy(), distances.numpy()


def start_of(points: np.ndarray) -> np.ndarray:
    cloud = torch.from_numpy(points)
    return principal_scores(cloud, principal_axes(cloud), 2).numpy()


@pytest.fixture(scope="module")
def points(trained) -> np.ndarray:
    return trained[1].activations["penultimate"].numpy()


@pytest.fixture(scope="module")
def first(points) -> np.ndarray:
    return first_layout(*near(points), start_of(points), **SETTINGS)


def umap_learns_graph(indices: np.ndarray, distances: np.ndarray, n_neighbors: int) -> np.ndarray:
    """From the point itself and its nearest others; numba's threads change torch's number, which is put back."""
    from umap.umap_ import fuzzy_simplicial_set

    n, threads = len(indices), torch.get_num_threads()
    indices = np.column_stack([np.arange(n), indices])[:, :n_neighbors]
    distances = np.column_stack([np.zeros(n), distances])[:, :n_neighbors]
    graph, _, _ = fuzzy_simplicial_set(
        indices, n_neighbors, None, "euclidean", knn_indices=indices, knn_dists=distances
    )
    torch.set_num_threads(threads)
    return graph.toarray()


@pytest.mark.parametrize("n_neighbors", [2, 15])
@pytest.mark.parametrize("duplicates", [0, 30])
def test_the_graph_is_umap_learns(points, n_neighbors, duplicates):
    points = points[:400].copy()
    points[:duplicates] = points[0]
    found = neighbor_graph(*near(points), n_neighbors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), umap_learns_graph(*near(points), n_neighbors), atol=1e-4)


def test_the_graph_where_many_neighbours_are_equally_near():
    indices = (np.arange(40)[:, None] + np.arange(1, 11)) % 40
    distances = np.tile([1.0] * 6 + [1.0005, 1.001, 1.002, 5], (40, 1))
    found = neighbor_graph(indices, distances, 11).toarray()
    np.testing.assert_allclose(found, umap_learns_graph(indices, distances, 11), atol=1e-4)
    assert 0.01 < found[0, 8] < 0.9


def test_torch_keeps_its_threads():
    """numba's thread pool, once started, changes torch's; training in this process would not be the same."""
    code = """
import numpy as np, torch
from repviz.diagnostics.umap_layout import first_layout
torch.set_num_threads(1)
points = np.random.default_rng(0).normal(size=(50, 2))
distances = np.linalg.norm(points[:, None] - points, axis=2)
indices = np.argsort(distances, axis=1)[:, 1:10]
near = np.take_along_axis(distances, indices, axis=1)
first_layout(indices, near, points, n_neighbors=10, min_dist=0.1, seed=0)
torch.randn(500, 500) @ torch.randn(500, 500)
print(torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


def test_a_first_map_is_as_true_as_umap_learns(points, first):
    theirs = umap_from_scratch(points)
    ours, reference = (trustworthiness(points, found, n_neighbors=15) for found in (first, theirs))
    assert ours >= reference - 0.01
    assert first.dtype == np.float32


def test_little_noise_moves_little(points, first):
    moved = noisy(points)
    found = next_layout(*near(moved), near(points)[0], first, **SETTINGS)
    assert 0 < displacement(found, first) < 0.1
    assert trustworthiness(moved, found, n_neighbors=15) > trustworthiness(points, first, n_neighbors=15) - 0.005


def test_nothing_moves_when_no_neighbour_is_new(points, first):
    grown = 3 * points + 1
    np.testing.assert_array_equal(next_layout(*near(grown), near(points)[0], first, **SETTINGS), first)


def test_where_and_how_the_previous_map_lay_is_kept(points, first):
    """A long, shifted map would be stretched to a square by ``UMAP(init=...)``."""
    elsewhere = first @ np.diag([3.0, 0.3]) + [100, -50]
    moved = noisy(points)
    found = next_layout(*near(moved), near(points)[0], elsewhere.astype(np.float32), n_epochs=3, **SETTINGS)
    assert displacement(found, elsewhere) < 0.15
    np.testing.assert_allclose(found.mean(0), elsewhere.mean(0), atol=0.01)


def test_the_map_comes_back_in_the_frame_of_the_previous_one(trained, points, first):
    later = trained[10].activations["penultimate"].numpy()
    found = next_layout(*near(later), near(points)[0], first, **SETTINGS)
    np.testing.assert_allclose(rigidly_aligned(found, first), found, atol=1e-3)


def test_same_input_same_map_whatever_the_random_state(points, first):
    moved = noisy(points)
    now, before = near(moved), near(points)[0]
    state = np.random.get_state()[1].copy()
    once = next_layout(*now, before, first, **SETTINGS)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.random.seed(99)
    np.testing.assert_array_equal(once, next_layout(*now, before, first, **SETTINGS))
    other = next_layout(*now, before, first, **{**SETTINGS, "seed": 1})
    assert not np.array_equal(once, other)


def test_the_previous_map_is_not_written_to(points, first):
    copy = first.copy()
    next_layout(*near(noisy(points)), near(points)[0], first, n_epochs=2, **SETTINGS)
    np.testing.assert_array_equal(first, copy)


def test_new_neighbours_are_counted_whatever_their_order():
    now = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 9]])
    before = np.array([[3, 1, 2], [0, 7, 8], [4, 5, 6]])
    np.testing.assert_allclose(new_neighbors(now, before), [0, 2 / 3, 1])
    np.testing.assert_allclose(new_neighbors(now, before[:, :1]), [1, 0, 1])
    np.testing.assert_allclose(new_neighbors(now, np.full((3, 3), -1)), 1)


def test_min_dist_is_how_close_points_come(points):
    def nearest(min_dist: float) -> float:
        found = first_layout(*near(points), start_of(points), n_neighbors=15, min_dist=min_dist, n_epochs=100, seed=0)
        return float(np.median(near(found, 1)[1]))

    assert nearest(0.8) > 2 * nearest(0.01)


@pytest.mark.parametrize("n", [2, 3, 5, 16])
def test_few_points(n):
    few = np.random.default_rng(0).normal(size=(n, 4))
    indices, distances = near(few, n - 1)
    found = first_layout(indices, distances, few[:, :2], **SETTINGS)
    assert found.shape == (n, 2)
    assert np.isfinite(found).all()
    moved = next_layout(indices, distances, np.roll(indices, 1, axis=0), found, **SETTINGS)
    assert np.isfinite(moved).all()


def test_points_on_a_line_leave_it():
    line = np.random.default_rng(0).normal(size=(300, 1))
    found = first_layout(*near(line), np.column_stack([line, np.zeros(300)]), **SETTINGS)
    assert found.std(0).min() > 0.5


def test_heaps_of_duplicates():
    heaps = np.repeat(np.eye(3), 40, axis=0)
    indices, distances = near(heaps)
    assert (distances == 0).all()
    found = first_layout(indices, distances, heaps[:, :2], **SETTINGS)
    assert np.isfinite(found).all()
    centers = found.reshape(3, 40, 2).mean(1)
    assert np.linalg.norm(found.reshape(3, 40, 2) - centers[:, None], axis=2).max() < min(
        np.linalg.norm(centers[i] - centers[j]) for i, j in ((0, 1), (0, 2), (1, 2))
    )
