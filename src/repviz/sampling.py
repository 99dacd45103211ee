"""Choosing the fixed points that every epoch is looked at with."""

import numpy as np


def stratified_indices(strata: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draw ``size`` of n rows without replacement so that each stratum keeps its share.

    Shares are rounded by largest remainder, so no stratum is off by a whole row; ties go to the larger stratum.

    Args:
        strata: ``(n,)``; rows with equal values form a stratum.
        size: rows to draw; all of them where there are no more.
        seed: of the draw.

    Returns:
        ``(min(size, n),)`` int64, ascending.
    """
    n = len(strata)
    if size >= n:
        return np.arange(n)
    _, group, counts = np.unique(strata, return_inverse=True, return_counts=True)
    exact = counts * (size / n)
    quota = np.floor(exact).astype(np.int64)
    order = np.lexsort((-counts, -(exact - quota)))
    quota[order[: size - quota.sum()]] += 1
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(n)
    # Within the shuffled rows of each stratum, the first `quota` ones are taken.
    by_group = shuffled[np.argsort(group[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    chosen = [by_group[start : start + take] for start, take in zip(starts, quota, strict=True)]
    return np.sort(np.concatenate(chosen))
