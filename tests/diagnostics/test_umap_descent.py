"""Who moves a map's points: umap-learn, compiled once, or TorchDR, to maps that are as true."""

import logging

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from sklearn.manifold import trustworthiness

from repviz.diagnostics import umap_descent
from repviz.diagnostics.projection import Projection
from repviz.diagnostics.umap_descent import chosen_backend, descent_of, umap_learn, warm_up
from repviz.diagnostics.umap_layout import first_layout, neighbor_graph, next_layout
from repviz.errors import UserError
from tests.diagnostics.conftest import displacement, noisy
from tests.diagnostics.test_umap_layout import SETTINGS, near, start_of

CPU = torch.device("cpu")
BACKENDS = ("umap-learn", "torchdr")


@pytest.fixture(scope="module")
def points(trained) -> np.ndarray:
    return trained[1].activations["penultimate"].numpy()[:600]


@pytest.fixture(scope="module")
def maps(points) -> dict[str, np.ndarray]:
    return {
        backend: first_layout(*near(points), start_of(points), descend=descent_of(backend, CPU), **SETTINGS)
        for backend in BACKENDS
    }


def test_a_gpu_is_used_where_it_can_be(monkeypatch):
    gpu = torch.device("cuda")
    assert chosen_backend("auto", gpu, 15_000) == "torchdr"
    assert chosen_backend("auto", CPU, 15_000) == "umap-learn"
    assert chosen_backend("auto", gpu, 1_000_000) == "umap-learn"
    assert chosen_backend("umap-learn", gpu, 15_000) == "umap-learn"
    assert chosen_backend("torchdr", CPU, 1_000_000) == "torchdr"
    monkeypatch.setattr(umap_descent, "find_spec", lambda name: None)
    assert chosen_backend("auto", gpu, 15_000) == "umap-learn"
    with pytest.raises(UserError, match=r"projection.umap_backend .* pip install 'torchdr<"):
        Projection(umap_backend="torchdr")


@pytest.mark.parametrize("backend", BACKENDS)
def test_points_start_where_they_are(points, backend):
    start = 100 + 7 * start_of(points)
    graph = neighbor_graph(*near(points), 15)
    for start_here in (start, start[:, [1, 0]] * [0, 1]):  # the second lies on a line across the first axis
        found = descent_of(backend, CPU)(graph, start_here, 1, learning_rate=1e-6, min_dist=0.1, seed=0)
        np.testing.assert_allclose(found, start_here, atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_neighbours_attract_by_their_weight_and_others_part(backend):
    """Two strong pairs and a weak one, all equally far apart at first."""
    pairs = [(0, 1, 1.0), (2, 3, 1.0), (4, 5, 0.05)]
    rows, columns, weights = (list(axis) for axis in zip(*pairs, strict=True))
    graph = coo_array((weights + weights, (rows + columns, columns + rows)), shape=(6, 6))
    start = np.array([[10 * k, 3 * end] for k in range(3) for end in range(2)], dtype=np.float32)
    found = descent_of(backend, CPU)(graph, start, 30, learning_rate=0.3, min_dist=0.1, seed=0)
    lengths = np.linalg.norm(found[1::2] - found[::2], axis=1)
    assert lengths[:2].max() < 1.5 < lengths[2]


def test_both_maps_are_as_true(points, maps):
    ours, reference = (trustworthiness(points, maps[backend], n_neighbors=15) for backend in reversed(BACKENDS))
    assert ours > reference - 0.02
    assert not np.array_equal(*maps.values())


def test_little_noise_moves_little_on_a_gpu_too(points, maps):
    moved, first = noisy(points), maps["torchdr"]
    settings = {**SETTINGS, "descend": descent_of("torchdr", CPU)}
    found = next_layout(*near(moved), near(points)[0], first, **settings)
    assert 0 < displacement(found, first) < 0.1
    np.testing.assert_array_equal(found, next_layout(*near(moved), near(points)[0], first, **settings))


def test_random_states_stay_as_they_were(points):
    numpys, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    descent_of("torchdr", CPU)(
        neighbor_graph(*near(points), 15), start_of(points), 2, learning_rate=1.0, min_dist=0.1, seed=0
    )
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    assert torch.equal(torch.get_rng_state(), torchs)
    assert not torch.backends.cudnn.benchmark


@pytest.mark.parametrize("n", [2, 3, 16])
def test_few_points_by_torchdr(n):
    few = np.random.default_rng(0).normal(size=(n, 4))
    found = first_layout(*near(few, n - 1), few[:, :2], descend=descent_of("torchdr", CPU), **SETTINGS)
    assert found.shape == (n, 2)
    assert np.isfinite(found).all()


def test_an_artifact_says_who_drew_its_map(trained):
    found = Projection(umap_backend="torchdr", layers=("logits",), n_epochs=5).compute(trained[1])
    assert found.attrs["umap_backend"] == "torchdr"
    assert Projection(layers=("logits",), n_epochs=5).compute(trained[1]).attrs["umap_backend"] == "umap-learn"
    assert "umap_backend" not in Projection(layers=("logits",), methods=("pca",)).compute(trained[1]).attrs
    assert descent_of("umap-learn", CPU) is umap_learn


def test_compiling_happens_once_and_is_said(caplog):
    warm_up.cache_clear()
    with caplog.at_level(logging.INFO, logger="repviz"):
        warm_up()
        warm_up()
    assert [record.message[:12] for record in caplog.records] == ["loading UMAP", "UMAP is read"]


def test_without_a_place_for_compiled_code_it_says_so(caplog, monkeypatch):
    from umap import layouts

    class Uncacheable:
        def enable_caching(self) -> None:
            raise RuntimeError("no locator available")

    with caplog.at_level(logging.INFO, logger="repviz"):
        monkeypatch.setattr(layouts, umap_descent._COMPILED, Uncacheable())
        umap_descent._keep_compiled()
        monkeypatch.delattr(layouts, umap_descent._COMPILED)
        umap_descent._keep_compiled()
    assert [record.message[-20:] for record in caplog.records] == ["no locator available", "clidean_single_epoch"]
