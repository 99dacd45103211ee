"""The frame of a cloud is that of all its points at once, and finding it takes memory for a block of them only."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from repviz.diagnostics import neighbors, position
from repviz.diagnostics.geometry import (
    class_means,
    classifier_weights,
    distinct_rows,
    nearest_mean,
    variability_collapse,
)
from repviz.diagnostics.layers import unusable_points
from repviz.diagnostics.logistic_regression import standardized
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.position import block_rows, centroid, coincide, frame_of, placed, squared_norms, variances
from repviz.diagnostics.units import by_variance


@pytest.fixture(params=[1, 70, 10**6])
def points(request, monkeypatch):
    monkeypatch.setattr(position, "_BLOCK", request.param)
    return torch.from_numpy(np.random.default_rng(0).normal(100, 3, (41, 7)).astype(np.float32))


def test_blocks_hold_every_point_once(points):
    rows = np.concatenate([np.arange(len(points))[part] for part in block_rows(points)])
    assert rows.tolist() == list(range(len(points)))


def test_blocks_are_smaller_where_more_is_made_of_a_point(monkeypatch):
    monkeypatch.setattr(position, "_BLOCK", 100)
    points = torch.zeros(41, 7)
    sizes = {width: {len(points[rows]) for rows in block_rows(points, width)} for width in (1, 7, 50, 1000)}
    assert sizes == {1: {14, 13}, 7: {14, 13}, 50: {2, 1}, 1000: {1}}


def test_what_is_found_by_blocks_is_what_numpy_finds(points):
    whole = points.numpy().astype(np.float64)
    centred = whole - whole.mean(0)
    frame = frame_of(points)
    np.testing.assert_allclose(centroid(points), whole.mean(0), rtol=1e-14)
    np.testing.assert_allclose(variances(points, centroid(points)), whole.var(0), rtol=1e-12)
    assert frame.scale == pytest.approx(np.abs(centred).max(), rel=1e-12)
    np.testing.assert_allclose(placed(points, frame, torch.float64), centred / np.abs(centred).max(), atol=1e-14)
    np.testing.assert_allclose(squared_norms(points, frame), (frame.of(points).numpy() ** 2).sum(1), rtol=1e-12)
    assert placed(points, frame, torch.float32).dtype == torch.float32
    assert points.numpy().max() > 90, "the points themselves stay as they are"


def described(points, labels):
    """Everything that goes over the points by blocks."""
    model = nn.Linear(points.shape[1], 3)
    with torch.no_grad():
        torch.manual_seed(0)
        model.weight.normal_()
        logits = model(points)
        means = class_means(points, labels)
        principal = principal_axes(points)
        yield from (means, nearest_mean(points, means), distinct_rows(points), principal.variances)
        yield from (variability_collapse(points, labels, means), unusable_points(points, 2.0), by_variance(points))
        yield from (principal_scores(points, principal, 2), standardized(points, 30))
        yield from (classifier_weights(model, points, logits), classifier_weights(model, points, -logits))
        yield from nearest_neighbors(points, 4)


def test_nothing_depends_on_where_blocks_end(monkeypatch):
    """A tenth of the points are one, so that neighbours are in doubt and gone through again, by blocks too."""
    points = torch.randn(211, 5, generator=torch.Generator().manual_seed(0))
    points[::10] = 1.5
    labels = torch.arange(211) % 3
    whole = list(described(points, labels))
    for size in (1, 37, 5 * 100):
        monkeypatch.setattr(position, "_BLOCK", size)
        monkeypatch.setattr(neighbors, "_BLOCK", size)
        monkeypatch.setattr(neighbors, "_BLOCK_IN_DOUBT", 40 * 211)
        for found, expected in zip(described(points, labels), whole, strict=True):
            if isinstance(found, torch.Tensor):
                torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
            elif expected is None:
                assert found is None
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_points_that_coincide_up_to_rounding():
    assert coincide(torch.full((5, 3), -7.0))
    assert coincide(torch.tensor([[1.0, -1e6], [1.0, -1e6 * (1 + 1e-7)]]))
    assert not coincide(torch.tensor([[1.0, 0.0], [1.001, 0.0]]))
    assert not coincide(torch.tensor([[-1.0], [-1.001]]))
    assert frame_of(torch.full((5, 3), -7.0)).scale == 1


_LOOKS = """
import torch
from repviz.diagnostics import neighbors, position
from repviz.diagnostics.fidelity import rank_preservation
from repviz.diagnostics.geometry import class_means, distinct_rows, effective_rank
from repviz.diagnostics.layers import unusable_points
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.position import coincide
from repviz.diagnostics.units import by_variance

def look(points):
    rows = torch.arange(0, len(points), len(points) // 50)
    near, _ = nearest_neighbors(points, 5, rows)
    yield "fidelity", rank_preservation(points, [near], rows)
    yield "axes", principal_scores(points, principal_axes(points), 2)
    yield "rank", effective_rank(points)
    yield "distinct", distinct_rows(points)
    yield "means", class_means(points, torch.arange(len(points)) % 7)
    yield "checks", (coincide(points), unusable_points(points, 1.0), by_variance(points))

def resident(what):
    for line in open("/proc/self/status"):
        if line.startswith(what):
            return int(line.split()[1]) * 1024

position._BLOCK = neighbors._BLOCK = neighbors._BLOCK_IN_DOUBT = 2**18
points = torch.rand(60_000, 384, generator=torch.Generator().manual_seed(0))
list(look(points[:1000]))
steps = look(points)
while True:
    before = resident("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    name, _ = next(steps, ("", None))
    if not name:
        break
    print(name, (resident("VmHWM") - before) / points.nbytes)
"""


def test_beside_the_points_one_copy_of_them_is_enough():
    """In single precision: products need it. In double precision it would be two, and two more for their squares."""
    said = subprocess.run([sys.executable, "-c", _LOOKS], capture_output=True, text=True, check=True).stdout
    share = {name: float(number) for name, number in (line.split() for line in said.splitlines())}
    assert 0.9 < share.pop("fidelity") < 1.8, "this is where memory is needed, and where it is seen"
    assert len(share) == 5
    assert max(share.values()) < 0.8, share
