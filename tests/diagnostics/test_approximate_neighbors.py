"""Approximate neighbours: nearly the true ones, at their true distances, the same whatever the machine."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
import torch

from repviz.diagnostics import map_neighbors
from repviz.diagnostics.approximate_neighbors import approximate_neighbors
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.projection import Projection
from tests.diagnostics.conftest import make_snapshot

N, K = 4_000, 15


@pytest.fixture(scope="module")
def points() -> torch.Tensor:
    """Groups in 64 dimensions that vary along 8 of them, as the activations of a layer do."""
    random = np.random.default_rng(0)
    middles, directions = random.normal(size=(10, 64)), random.normal(size=(8, 64))
    group = random.integers(0, 10, N)
    spread = random.normal(size=(N, 8)) @ directions + 0.1 * random.normal(size=(N, 64))
    return torch.from_numpy(np.maximum(0, 3 * middles[group] + spread)).float()


@pytest.fixture(scope="module")
def found(points) -> tuple[torch.Tensor, torch.Tensor]:
    return approximate_neighbors(points, K, seed=0)


def recall(found: torch.Tensor, true: torch.Tensor) -> float:
    return np.mean([len({*a.tolist()} & {*b.tolist()}) / len(b) for a, b in zip(found, true, strict=True)])


def test_nearly_all_true_neighbours_are_found(points, found):
    assert recall(found[0], nearest_neighbors(points, K)[0]) > 0.98


def test_distances_are_those_of_the_points_nearest_first(points, found):
    indices, distances = found
    apart = torch.cdist(points.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distances, apart.gather(1, indices), rtol=1e-9, atol=1e-12)
    assert (distances.diff(dim=1) >= 0).all()
    assert (indices != torch.arange(N)[:, None]).all()
    assert all(len(set(row)) == K for row in indices.tolist())


def test_the_scale_of_the_points_is_none_of_its_business(points, found):
    indices, distances = approximate_neighbors(points.double() * 1e-25, K, seed=0)
    assert recall(indices, found[0]) > 0.97
    assert distances.max() < 1e-22


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one processor core")
def test_it_is_the_same_with_any_number_of_threads(points, found):
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            assert torch.equal(approximate_neighbors(points, K, seed=0)[0], found[0])
            assert numba.get_num_threads() == threads
    finally:
        numba.set_num_threads(before)


def test_it_draws_from_its_own_seed_and_nobody_elses(points, found):
    np.random.seed(3)
    torch.manual_seed(3)
    states = np.random.get_state()[1].copy(), torch.get_rng_state()
    assert not torch.equal(approximate_neighbors(points, K, seed=1)[0], found[0]), "the seed counts"
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_torch_keeps_its_threads():
    """numba's thread pool, once started, changes torch's; training in this process would not be the same."""
    code = """
import numba
import numpy as np
import pynndescent
import torch
from repviz.diagnostics.approximate_neighbors import approximate_neighbors

@numba.njit(parallel=True)
def start_the_pool(values):
    for i in numba.prange(len(values)):
        values[i] += 1

class Search:  # the real one takes most of a minute to compile
    def __init__(self, points, n_neighbors, **_):
        start_the_pool(np.zeros(100))
        torch.randn(500, 500) @ torch.randn(500, 500)
        print(torch.get_num_threads())
        self.neighbor_graph = (np.argsort(((points[:, None] - points) ** 2).sum(2))[:, :n_neighbors],)

pynndescent.NNDescent = Search
torch.set_num_threads(1)
approximate_neighbors(torch.randn(100, 8), 5, seed=0)
torch.randn(500, 500) @ torch.randn(500, 500)
print(torch.get_num_threads())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
    )
    during, after = ended.stdout.split()
    assert during != "1", "else this shows nothing"
    assert after == "1"


def test_a_point_is_not_its_own_neighbour_but_its_duplicates_are(points):
    twins = points[:1_000].repeat(3, 1)
    indices, distances = approximate_neighbors(twins, 5, seed=0)
    assert (indices != torch.arange(3_000)[:, None]).all()
    near = distances[:, :2] == 0
    assert near.float().mean() > 0.95
    assert (indices[:, :2] % 1_000 == torch.arange(3_000)[:, None] % 1_000)[near].all()


def test_many_points_in_one_place_leave_no_gap(points):
    heap = torch.cat([points[:1].repeat(500, 1), points[:500]])
    indices, distances = approximate_neighbors(heap, K, seed=0)
    assert indices.min() >= 0
    assert (distances[:500] == 0).all()
    assert all(len(set(row)) == K for row in indices.tolist())


def test_of_points_in_one_place_any_are_right_neighbours(monkeypatch):
    """A rectified layer in which half the rows are all zero: which of those are found is a matter of luck."""
    monkeypatch.setattr(map_neighbors, "MOST_NEIGHBORED", 999)
    points = torch.randn(1_200, 8, generator=torch.Generator().manual_seed(0)).abs()
    points[::2] = 0
    found = Projection(methods=("umap",), n_epochs=2).compute(make_snapshot({"dead": points}))
    near = found["neighbors"].values[0]
    exact = nearest_neighbors(points, 15)[0].numpy()
    assert (near[::2, :, None] == exact[::2, None, :]).any(axis=2).mean() < 0.9, "else this shows nothing"
    assert float(found["neighbor_recall"][0]) > 0.97


@pytest.mark.parametrize("k", [0, 5])
def test_there_must_be_as_many_other_points(k):
    with pytest.raises(ValueError, match="5 points have no"):
        approximate_neighbors(torch.randn(5, 3), k, seed=0)


def test_of_few_points_all_are_found():
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    indices, distances = approximate_neighbors(points, 29, seed=0)
    true, far = nearest_neighbors(points, 29)
    assert torch.equal(indices, true)
    torch.testing.assert_close(distances, far)
