"""Principal axes of weights: against scikit-learn, block by block, and where there is nothing to find."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from repviz.diagnostics import weight_pca
from repviz.diagnostics.weight_pca import principal_plane

SHAPES = {"weight": (5, 4), "bias": (5,), "scale": ()}


def make_states(n, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [{k: torch.randn(s, generator=generator, dtype=dtype) for k, s in SHAPES.items()} for _ in range(n)]


def flat(state):
    return torch.cat([values.flatten().double() for values in state.values()]).numpy()


@pytest.mark.parametrize("block", [2**22, 16])
def test_axes_and_coordinates_are_those_of_scikit_learn(block, monkeypatch):
    monkeypatch.setattr(weight_pca, "_BLOCK", block)
    states = make_states(9)
    matrix = np.stack([flat(state) for state in states])
    found = principal_plane(states)
    expected = PCA(2).fit(matrix)
    for axis, component in zip(found.axes, expected.components_, strict=True):
        np.testing.assert_allclose(abs(flat(axis) @ component), 1, rtol=1e-6)
    np.testing.assert_allclose(found.explained_variance_ratio, expected.explained_variance_ratio_, rtol=1e-10)
    scores = expected.transform(matrix)
    np.testing.assert_allclose(found.coordinates.abs(), np.abs(scores - scores[-1]), rtol=1e-6, atol=1e-12)
    rest = (matrix - matrix[-1]) - (scores - scores[-1]) @ expected.components_
    np.testing.assert_allclose(found.off_plane, np.linalg.norm(rest, axis=1), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.distances, np.linalg.norm(matrix - matrix[-1], axis=1), rtol=1e-12)
    share = matrix[:, :20].var(0).sum() / matrix.var(0).sum()
    assert found.variance_share["weight"] == pytest.approx(share, rel=1e-10)
    assert sum(found.variance_share.values()) == pytest.approx(1)


def test_the_farthest_state_has_negative_coordinates():
    coordinates = principal_plane(make_states(7)).coordinates
    assert (coordinates.gather(0, coordinates.abs().argmax(0, keepdim=True)) < 0).all()


def test_axes_have_the_parameters_shapes_and_dtypes():
    for axis in principal_plane(make_states(4, dtype=torch.bfloat16)).axes:
        assert {name: (tuple(v.shape), v.dtype) for name, v in axis.items()} == {
            name: (shape, torch.bfloat16) for name, shape in SHAPES.items()
        }


def test_states_on_a_line_have_one_axis():
    start, step = make_states(2, dtype=torch.float64)
    states = [{name: start[name] + k * step[name] for name in start} for k in (0.0, 1.0, 3.0)]
    found = principal_plane(states)
    assert len(found.axes) == 1
    length = np.linalg.norm(flat(step))
    np.testing.assert_allclose(found.coordinates[:, 0], [-3 * length, -2 * length, 0], rtol=1e-10)
    np.testing.assert_allclose(found.coordinates[:, 1], 0)
    np.testing.assert_allclose(found.off_plane, 0, atol=1e-6 * length)
    np.testing.assert_allclose(found.explained_variance_ratio, [1, 0], atol=1e-10)


@pytest.mark.parametrize("n", [1, 4])
def test_equal_states_have_no_axis(n):
    found = principal_plane(make_states(1) * n)
    assert found.axes == ()
    assert not found.coordinates.any()
    assert not found.distances.any()
    assert found.explained_variance_ratio.isnan().all()
    assert np.isnan(list(found.variance_share.values())).all()
