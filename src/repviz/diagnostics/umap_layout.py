"""UMAP (McInnes, Healy & Melville, 2018) that starts where the previous epoch's map ended.

Neighbours are given, the layout is umap-learn's stochastic gradient descent. ``UMAP(init=...)`` stretches a given
layout to [0, 10] on either axis and so moves every point before it starts; here the descent is called directly, on
the coordinates as they are. The graph is computed here: umap-learn does it on numba's threads, and starting those
changes how many threads torch has in the same process (seen with torch 2.13 and numba 0.68), training included.
"""

import logging
import time
from functools import cache

import numpy as np
from scipy.sparse import coo_array, csr_array

from repviz.diagnostics.alignment import rigidly_aligned

log = logging.getLogger(__name__)

EXTENT = 10.0
"""Largest coordinate of the layout that a first map starts from, as in umap-learn."""
LEAST_LEARNING_RATE = 0.05
GREATEST_LEARNING_RATE = 0.15
"""Between them the learning rate is the share of neighbours that changed. Higher ones do not end in better maps when
the start is good, they only shake them: with umap-learn's 1.0 points that did not move end twice as far off."""

_COMPILED = "_nb_optimize_layout_euclidean_single_epoch"
"""What umap-learn compiles on every start of a program, for it does not ask numba to keep it."""
_SEARCH_STEPS = 64
_TOLERANCE = 1e-5
_LEAST_WIDTH = 1e-3
"""Of the search for the widths of the neighbourhoods, as in umap-learn."""


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
    warm_up()
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
        n_epochs: None = 100 up to 5,000 points and 40 beyond.

    Returns:
        ``(n, 2)`` float32.
    """
    new = new_neighbors(indices, previous_indices)
    if not new.any():
        return previous.astype(np.float32)
    n_epochs = n_epochs or (100 if len(indices) <= 5_000 else 40)
    present = np.median(previous[indices], axis=1)
    start = previous + new[:, None] * (present - previous)
    warm_up()
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
    """UMAP's fuzzy graph: how much each pair of points are neighbours, ``(n, n)`` float32, symmetric, in 0 to 1.

    Args:
        indices: ``(n, k)``, nearest other points of each point, nearest first.
        distances: ``(n, k)``, how far they are.
        n_neighbors: of the k, the first ``n_neighbors - 1`` are used.
    """
    n = len(indices)
    others = min(n_neighbors - 1, indices.shape[1])
    # the graph does not depend on the unit of length
    distances = distances[:, :others].astype(np.float64) / (distances[:, :others].max() or 1.0)
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1)
    beyond = np.maximum(distances - np.where(np.isfinite(nearest), nearest, 0.0)[:, None], 0)
    widths = _neighborhood_widths(beyond, np.log2(others + 1))
    # the mean counts the point itself, at no distance
    widths = np.maximum(widths, _LEAST_WIDTH * distances.sum(axis=1) / (others + 1))
    strengths = np.exp(-beyond / widths[:, None])
    rows = np.repeat(np.arange(n, dtype=np.int32), others)
    directed = csr_array((strengths.astype(np.float32).ravel(), (rows, indices[:, :others].ravel())), shape=(n, n))
    graph = directed + directed.T - directed * directed.T
    graph.eliminate_zeros()
    return graph.tocoo()


def _neighborhood_widths(beyond: np.ndarray, target: float) -> np.ndarray:
    """Per point the width w with ``sum(exp(-beyond / w)) = target``, by bisection; near 0 where none is small enough.

    Args:
        beyond: ``(n, k)``, how much farther than the nearest each neighbour is, not negative.
        target: the sum, at most k.

    Returns:
        ``(n,)``, positive.
    """
    low, high, width = np.zeros(len(beyond)), np.full(len(beyond), np.inf), np.ones(len(beyond))
    searched = np.arange(len(beyond))
    for _ in range(_SEARCH_STEPS):
        total = np.exp(-beyond[searched] / width[searched, None]).sum(axis=1)
        off = np.abs(total - target) >= _TOLERANCE
        searched, total = searched[off], total[off]
        if not len(searched):
            break
        wide = total > target
        high[searched[wide]] = width[searched[wide]]
        low[searched[~wide]] = width[searched[~wide]]
        bounded = np.isfinite(high[searched])
        middle = (low[searched] + high[searched]) / 2
        width[searched] = np.where(bounded, middle, 2 * width[searched])
    return width


@cache
def warm_up() -> None:
    """Load umap-learn and compile what is used of it, once per process.

    Compiled code is kept where numba keeps it (beside umap-learn, else in the user's cache folder, or in
    ``NUMBA_CACHE_DIR``): the first time on a machine takes up to a minute, later processes need a few seconds.
    """
    log.info("loading UMAP: on the first use on a machine it is compiled, for up to a minute; later within seconds")
    began = time.monotonic()
    _keep_compiled()
    ring = (np.arange(6)[:, None] + [1, 5]) % 6
    graph = neighbor_graph(ring, np.ones((6, 2)), 3)
    _descend(graph, np.eye(6)[:, :2], 2, learning_rate=1.0, min_dist=0.1, seed=0)
    log.info("UMAP is ready after %.0f s", time.monotonic() - began)


def _keep_compiled() -> None:
    """Let numba keep on disk what it compiles for umap-learn; where it cannot, it compiles anew in every process."""
    from umap import layouts

    function = vars(layouts).get(_COMPILED)
    if function is None:
        log.info("UMAP compiles anew in every process: this umap-learn has no %s", _COMPILED)
        return
    try:
        function.enable_caching()
    except RuntimeError as error:
        log.info("UMAP compiles anew in every process, for numba has no place to keep it: %s", error)


def _descend(
    graph: coo_array, start: np.ndarray, n_epochs: int, *, learning_rate: float, min_dist: float, seed: int
) -> np.ndarray:
    """umap-learn's descent on the caller's thread: the same start and seed end in the same map."""
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
