"""UMAP (McInnes, Healy & Melville, 2018) that starts where the previous epoch's map ended.

Neighbours are given, the layout is umap-learn's stochastic gradient descent. ``UMAP(init=...)`` stretches a given
layout to [0, 10] on either axis and so moves every point before it starts; here the descent is called directly, on
the coordinates as they are.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from scipy.sparse import coo_array

from repviz.diagnostics.alignment import rigidly_aligned

log = logging.getLogger(__name__)

EXTENT = 10.0
"""Largest coordinate of the layout that a first map starts from, as in umap-learn."""
LEAST_LEARNING_RATE = 0.05
GREATEST_LEARNING_RATE = 0.15
"""Between them the learning rate is the share of neighbours that changed. Higher ones do not end in better maps when
the start is good, they only shake them: with umap-learn's 1.0 points that did not move end twice as far off."""

_COMPILED = {
    "umap.umap_": ("smooth_knn_dist", "compute_membership_strengths"),
    "umap.layouts": ("_nb_optimize_layout_euclidean_single_epoch",),
}
"""What umap-learn compiles on every start of a program, for it does not ask numba to keep it."""
_one_at_a_time = threading.Lock()


def first_layout(
    indices: np.ndarray,
    distances: np.ndarray,
    start: np.ndarray,
    *,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    n_epochs: int | None = None,
) -> np.ndarray:
    """A map from scratch, started from principal components (Kobak & Linderman, 2021).

    Args:
        indices: ``(n, k)``, nearest other points of each point, nearest first.
        distances: ``(n, k)``, how far they are.
        start: ``(n, 2)``, principal components.
        n_neighbors: as in umap-learn, the point itself counted; of the k, ``n_neighbors - 1`` are used.
        min_dist: 0 to 1, how closely points may lie together.
        seed: of the negative samples.
        n_epochs: None = 500 up to 10,000 points and 200 beyond, as umap-learn has it.

    Returns:
        ``(n, 2)`` float32.
    """
    n_epochs = n_epochs or (500 if len(indices) <= 10_000 else 200)
    random = np.random.default_rng(seed)
    largest = float(np.abs(start).max()) or 1.0
    # a little noise lets points that coincide here part, and those on a line leave it
    start = start * (EXTENT / largest) + random.normal(scale=1e-5 * EXTENT, size=start.shape)
    graph = neighbor_graph(indices, distances, n_neighbors)
    return _descend(graph, start, n_epochs, learning_rate=1.0, min_dist=min_dist, seed=seed)


def next_layout(
    indices: np.ndarray,
    distances: np.ndarray,
    previous_indices: np.ndarray,
    previous: np.ndarray,
    *,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    n_epochs: int | None = None,
) -> np.ndarray:
    """The previous map, moved as far as the neighbourhoods have changed, and turned back into its frame.

    Every point starts between where it was and the median of where its present neighbours were, in proportion to how
    many of them are new; the learning rate is the share of neighbours that are new, within limits. When none is, the
    previous map is returned as it is.

    Args:
        indices: ``(n, k)``, nearest other points of each point, nearest first.
        distances: ``(n, k)``, how far they are.
        previous_indices: ``(n, k')``, the same at the previous epoch; of both the first min(k, k') count.
        previous: ``(n, 2)``, coordinates at the previous epoch.
        n_neighbors: as in umap-learn, the point itself counted; of the k, ``n_neighbors - 1`` are used.
        min_dist: 0 to 1, how closely points may lie together.
        seed: of the negative samples.
        n_epochs: None = 100 up to 5,000 points and 50 beyond.

    Returns:
        ``(n, 2)`` float32.
    """
    new = new_neighbors(indices, previous_indices)
    if not new.any():
        return previous.astype(np.float32)
    n_epochs = n_epochs or (100 if len(indices) <= 5_000 else 50)
    present = np.median(previous[indices], axis=1)
    start = previous + new[:, None] * (present - previous)
    graph = neighbor_graph(indices, distances, n_neighbors)
    rate = float(np.clip(new.mean(), LEAST_LEARNING_RATE, GREATEST_LEARNING_RATE))
    layout = _descend(graph, start, n_epochs, learning_rate=rate, min_dist=min_dist, seed=seed)
    return rigidly_aligned(layout, previous).astype(np.float32)


def new_neighbors(indices: np.ndarray, previous_indices: np.ndarray) -> np.ndarray:
    """Share of each point's nearest neighbours that were not among them before: ``(n,)`` in 0 to 1."""
    k = min(indices.shape[1], previous_indices.shape[1])
    kept = (indices[:, :k, None] == previous_indices[:, None, :k]).any(axis=2)
    return 1 - kept.mean(axis=1)


def neighbor_graph(indices: np.ndarray, distances: np.ndarray, n_neighbors: int) -> coo_array:
    """UMAP's fuzzy graph of the ``n_neighbors - 1`` nearest other points and the point itself: ``(n, n)`` float32."""
    warm_up()
    return _neighbor_graph(indices, distances, n_neighbors)


@cache
def warm_up() -> None:
    """Load umap-learn and compile what is used of it, once per process.

    Compiled code is kept where numba keeps it (beside umap-learn, else in the user's cache folder, or in
    ``NUMBA_CACHE_DIR``): the first time on a machine takes up to a minute, later processes need a few seconds.
    """
    log.info("loading UMAP: on the first use on a machine it is compiled, for up to a minute; later within seconds")
    began = time.monotonic()
    _keep_compiled()
    points = np.random.default_rng(0).normal(size=(32, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    indices = np.argsort(distances, axis=1)[:, 1:9]
    graph = _neighbor_graph(indices, np.take_along_axis(distances, indices, axis=1), 9)
    _descend(graph, points, 2, learning_rate=1.0, min_dist=0.1, seed=0)
    log.info("UMAP is ready after %.0f s", time.monotonic() - began)


def _keep_compiled() -> None:
    """Let numba keep on disk what it compiles for umap-learn; where it cannot, it compiles anew in every process."""
    from importlib import import_module

    for module, names in _COMPILED.items():
        functions = vars(import_module(module))
        for name in names:
            if name not in functions:
                log.info("%s.%s is not in this umap-learn: it compiles anew in every process", module, name)
                continue
            try:
                functions[name].enable_caching()
            except RuntimeError as error:
                log.info("UMAP compiles anew in every process, for numba has no place to keep it: %s", error)


def _neighbor_graph(indices: np.ndarray, distances: np.ndarray, n_neighbors: int) -> coo_array:
    from umap.umap_ import fuzzy_simplicial_set

    n = len(indices)
    others = min(n_neighbors - 1, indices.shape[1])
    itself = np.arange(n, dtype=np.int32)[:, None]
    indices = np.concatenate([itself, indices[:, :others].astype(np.int32)], axis=1)
    distances = np.concatenate([np.zeros((n, 1)), distances[:, :others]], axis=1)
    # the graph does not depend on the unit of length; in this one nothing leaves the range of float32
    distances = (distances / (distances.max() or 1.0)).astype(np.float32)
    with _one_numba_thread():
        graph, _, _ = fuzzy_simplicial_set(
            distances, others + 1, None, "euclidean", knn_indices=indices, knn_dists=distances
        )
    graph = coo_array(graph)
    graph.sum_duplicates()
    return graph


def _descend(
    graph: coo_array, start: np.ndarray, n_epochs: int, *, learning_rate: float, min_dist: float, seed: int
) -> np.ndarray:
    """umap-learn's descent on one thread: the same start and seed end in the same map."""
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import make_epochs_per_sample

    # edges that would not be drawn once in so many epochs are dropped, as umap-learn does
    drawn = graph.data >= graph.data.max() / n_epochs
    head, tail = (np.ascontiguousarray(axis[drawn], dtype=np.int32) for axis in (graph.row, graph.col))
    a, b = _curve(min_dist)
    layout = np.array(start, dtype=np.float32, order="C")
    limits = np.iinfo(np.int32)
    state = np.random.default_rng(seed).integers(limits.min, limits.max, 3, dtype=np.int64)
    return optimize_layout_euclidean(
        layout,
        layout,
        head,
        tail,
        n_epochs,
        len(layout),
        make_epochs_per_sample(graph.data[drawn], n_epochs),
        a,
        b,
        state,
        initial_alpha=learning_rate,
        parallel=False,
        move_other=True,
    )


@cache
def _curve(min_dist: float) -> tuple[float, float]:
    """Parameters of 1 / (1 + a d^2b), the curve that stands for "neighbours down to ``min_dist``"."""
    from umap.umap_ import find_ab_params

    a, b = find_ab_params(1.0, min_dist)
    return float(a), float(b)


@contextmanager
def _one_numba_thread() -> Iterator[None]:
    """One caller (numba's simplest thread pool bears no more) and one thread (for the same sums in the same order)."""
    import numba

    with _one_at_a_time:
        before = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(before)
