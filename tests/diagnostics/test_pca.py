"""Principal axes are scikit-learn's up to sign, for more points than units and for fewer."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from repviz.diagnostics import position
from repviz.diagnostics.pca import principal_axes, principal_scores


@pytest.mark.parametrize("shape", [(300, 40), (40, 40), (30, 200), (500, 1)])
def test_like_scikit_learn_up_to_sign(shape):
    rng = np.random.default_rng(0)
    spread = np.linspace(3, 0.1, shape[1])
    points = (rng.normal(size=shape) * spread + 5).astype(np.float32)
    ours = principal_axes(torch.from_numpy(points))
    n = min(6, min(shape) - 1) or 1
    theirs = PCA(n, svd_solver="full").fit(points.astype(np.float64))
    np.testing.assert_allclose(ours.variances[:n], theirs.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(ours.variances[:n] / ours.total_variance, theirs.explained_variance_ratio_, rtol=1e-9)
    scores = principal_scores(torch.from_numpy(points), ours, n).numpy()
    expected = theirs.transform(points.astype(np.float64))
    expected *= np.sign((scores * expected).sum(0))
    np.testing.assert_allclose(scores, expected, atol=1e-8)


@pytest.mark.parametrize("shape", [(300, 40), (30, 200)])
def test_axes_are_orthonormal_also_where_no_variance_is_left(shape):
    points = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    points[:, 5:] = points[:, :1]
    axes = principal_axes(points).axes
    torch.testing.assert_close(axes.T @ axes, torch.eye(min(shape), dtype=torch.float64))
    assert (principal_axes(points).variances >= 0).all()


def test_signs_do_not_depend_on_the_order_of_the_points():
    points = torch.randn(200, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9)
    axes = principal_axes(points).axes
    torch.testing.assert_close(axes, principal_axes(points.flip(0)).axes)
    assert (axes.gather(0, axes.abs().argmax(0, keepdim=True)) > 0).all()


def test_blocks_make_no_difference(monkeypatch):
    points = torch.randn(500, 10, generator=torch.Generator().manual_seed(0))
    whole = principal_axes(points)
    monkeypatch.setattr(position, "_BLOCK", 64 * 10)
    parts = principal_axes(points)
    torch.testing.assert_close(whole.variances, parts.variances)
    torch.testing.assert_close(principal_scores(points, whole, 3), principal_scores(points, parts, 3))


def test_one_point_and_identical_points_have_no_variance():
    for n in (1, 7):
        found = principal_axes(torch.full((n, 3), 2.5))
        assert found.total_variance == 0
        assert torch.isfinite(found.axes).all()
