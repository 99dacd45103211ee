"""UMAP (McInnes, Healy & Melville, 2018) that starts where the previous epoch's map ended.

Neighbours are given, the layout is a library's stochastic gradient descent. umap-learn's ``UMAP(init=...)`` stretches a
given layout to [0, 10] on either axis and so moves every point before it starts; here the descent is called directly,
on the coordinates as they are. The graph is computed here: umap-learn does it on numba's threads, and starting those
changes how many threads torch has in the same process (seen with torch 2.13 and numba 0.68), training included.
"""

import numpy as np
from scipy.sparse import coo_array, csr_array

from repviz.diagnostics.alignment import rigidly_aligned
from repviz.diagnostics.umap_descent import Descent, umap_learn

EXTENT = 10.0
"""Largest coordinate of the layout that a first map starts from, as in umap-learn."""
LEAST_LEARNING_RATE = 0.05
GREATEST_LEARNING_RATE = 0.15
"""Between them the learning rate is the share of neighbours that changed. Higher ones do not end in better maps when
the start is good, they only shake them: with umap-learn's 1.0 points that did not move end twice as far off."""

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
    descend: Descent = umap_learn,
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
        descend: who does the descent.

    Returns:
        ``(n, 2)`` float32.
    """
    n_epochs = n_epochs or (500 if len(indices) <= 10_000 else 200)
    random = np.random.default_rng(seed)
    largest = float(np.abs(start).max()) or 1.0
    # a little noise lets points that coincide here part, and those on a line leave it
    start = start * (EXTENT / largest) + random.normal(scale=1e-5 * EXTENT, size=start.shape)
    graph = neighbor_graph(indices, distances, n_neighbors)
    return descend(graph, start, n_epochs, learning_rate=1.0, min_dist=min_dist, seed=seed)


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
    descend: Descent = umap_learn,
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
        descend: who does the descent.

    Returns:
        ``(n, 2)`` float32.
    """
    new = new_neighbors(indices, previous_indices)
    if not new.any():
        return previous.astype(np.float32)
    n_epochs = n_epochs or (100 if len(indices) <= 5_000 else 40)
    present = np.median(previous[indices], axis=1)
    start = previous + new[:, None] * (present - previous)
    graph = neighbor_graph(indices, distances, n_neighbors)
    rate = float(np.clip(new.mean(), LEAST_LEARNING_RATE, GREATEST_LEARNING_RATE))
    layout = descend(graph, start, n_epochs, learning_rate=rate, min_dist=min_dist, seed=seed)
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
