"""The fixed sample keeps the shares of its strata."""

import numpy as np
import pytest

from repviz.sampling import stratified_indices


def test_shares_are_kept_to_less_than_a_row():
    strata = np.repeat(np.arange(5), [500, 300, 150, 40, 10])
    chosen = stratified_indices(strata, 100, seed=0)
    counts = np.bincount(strata[chosen], minlength=5)
    assert len(np.unique(chosen)) == 100
    np.testing.assert_array_less(np.abs(counts - np.array([50, 30, 15, 4, 1])), 1)


def test_the_draw_follows_the_seed_and_leaves_the_global_generator_alone():
    strata = np.arange(1000) % 7
    before = np.random.get_state()[1].copy()
    first, again, other = (stratified_indices(strata, 100, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_every_row_of_a_stratum_can_be_drawn():
    strata = np.zeros(20, int)
    seen = set()
    for seed in range(200):
        seen |= set(stratified_indices(strata, 3, seed).tolist())
    assert seen == set(range(20))


@pytest.mark.parametrize("size", [10, 50])
def test_all_rows_where_there_are_no_more(size: int):
    np.testing.assert_array_equal(stratified_indices(np.arange(10) % 2, size, 0), np.arange(10))
