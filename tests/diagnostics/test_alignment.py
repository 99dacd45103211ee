"""One frame over the epochs: nothing moves that need not, and PCA stays PCA."""

import numpy as np
import pytest
import scipy.linalg
from scipy.stats import ortho_group

from repviz.diagnostics.alignment import orthogonal_procrustes, rigidly_aligned, sign_aligned, steady_axes
from tests.diagnostics.conftest import displacement


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def uncorrelated(rng: np.random.Generator, variances: list[float], n: int = 500) -> np.ndarray:
    """``(n, m)`` columns of mean zero, without any correlation, of just these variances."""
    raw = rng.normal(size=(n, len(variances)))
    whitened = np.linalg.qr(raw - raw.mean(0))[0] * np.sqrt(n)
    return whitened * np.sqrt(variances)


def test_procrustes_is_scipys_and_undoes_a_rotation(rng):
    points, target = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    np.testing.assert_allclose(
        orthogonal_procrustes(points, target), scipy.linalg.orthogonal_procrustes(points, target)[0], atol=1e-12
    )
    for seed in range(4):
        turn = ortho_group.rvs(3, random_state=seed)  # reflections among them
        np.testing.assert_allclose(orthogonal_procrustes(points @ turn, points), turn.T, atol=1e-12)


def test_rigid_alignment_undoes_turn_and_shift_but_not_scale(rng):
    points = rng.normal(size=(80, 2))
    turn = ortho_group.rvs(2, random_state=1)
    np.testing.assert_allclose(rigidly_aligned(points @ turn + [3, -7], points), points, atol=1e-12)
    grown = rigidly_aligned(2 * points @ turn, points)
    np.testing.assert_allclose(grown.std(0), 2 * points.std(0))


def test_signs_follow_the_previous_scores(rng):
    scores = uncorrelated(rng, [3, 2, 1])
    flipped = scores * [-1, 1, -1]
    np.testing.assert_array_equal(sign_aligned(flipped, scores.astype(np.float32)), scores)
    before = np.column_stack([scores[:, 0], np.full(len(scores), np.nan)])  # one layer had one component only
    np.testing.assert_array_equal(sign_aligned(flipped, before), scores * [1, 1, -1])


def test_distinct_axes_are_those_of_pca_with_the_previous_signs(rng):
    scores = uncorrelated(rng, [5, 3, 1, 0.5])
    previous = scores @ ortho_group.rvs(4, random_state=0)[:, :2]
    axes = steady_axes(scores, previous)
    np.testing.assert_allclose(np.abs(axes), np.eye(4)[:, :2], atol=1e-12)
    assert ((scores @ axes * previous).sum(0) >= 0).all()


def test_equal_axes_stay_where_they_were(rng):
    scores = uncorrelated(rng, [2.0, 2.0, 1.99, 1.98, 0.1])
    turn = scipy.linalg.block_diag(ortho_group.rvs(4, random_state=0), 1.0)[:, :2]
    np.testing.assert_allclose(steady_axes(scores, scores @ turn), turn, atol=1e-8)


def test_an_unchanged_representation_gives_the_unchanged_map(rng):
    scores = uncorrelated(rng, [2.0, 1.8, 1.7, 1.6, 1.5, 0.3])
    before = scores @ steady_axes(scores, rng.normal(size=(500, 2)))
    np.testing.assert_allclose(scores @ steady_axes(scores, before), before, atol=1e-8)


@pytest.mark.parametrize("crossing", [(0, 1), (1, 2)])
def test_eigenvalues_cross_without_a_jump_and_end_as_pca(rng, crossing):
    cloud = uncorrelated(rng, [1, 1, 1, 1])
    variances = np.array([4.0, 2.0, 0.7, 0.1])
    middle = variances[list(crossing)].mean()
    where, before, steps, jumps = None, None, [], []
    for lead in np.linspace(0.4, -0.4, 81):
        now = variances.copy()
        now[list(crossing)] = middle * (1 + lead / 2), middle * (1 - lead / 2)
        order = np.argsort(-now)
        scores = (cloud * np.sqrt(now))[:, order]
        plain = scores[:, :2]
        found = plain if where is None else scores @ steady_axes(scores, where)
        if where is not None and before is not None:
            steps.append(displacement(found, where))
            jumps.append(displacement(sign_aligned(plain, before), before))
        where, before = found, plain
    assert max(jumps) > 0.5
    assert max(steps) < 0.1
    assert displacement(sign_aligned(plain, where), where) < 1e-6


@pytest.mark.parametrize("variances", [[1, 0], [1, 0, 0], [0, 0], [1, 1, 1]])
@pytest.mark.parametrize("still", [0.0, 1.0])
def test_axes_are_orthonormal_whatever_the_past(rng, variances, still):
    scores = uncorrelated(rng, variances)
    axes = steady_axes(scores, still * rng.normal(size=(500, 2)))
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-10)
