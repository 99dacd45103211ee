"""Joining points by id, and layers of two runs against the same formulas on whole arrays."""

import numpy as np
import pytest
import xarray as xr

from repviz.between_runs import MOST_POINTS, cka_between, joined_rows, kept_activations
from repviz.diagnostics.activations import Activations
from repviz.diagnostics.similarity import Similarity
from repviz.kernel_alignment import debiased_cka, linear_kernel
from repviz.store.hdf5 import write_dataset
from tests.diagnostics.snapshots import make_snapshot


def test_ids_are_joined_where_they_stand_for_one_point_in_both():
    ids, other = np.array([b"a", b"b", b"c", b"d", b"d", b"long"]), np.array([b"c", b"d", b"a", b"e", b"b", b"b"])
    assert joined_rows(ids, other).tolist() == [2, -1, 0, -1, -1, -1]
    assert joined_rows(ids, other[:0]).tolist() == [-1] * 6
    assert joined_rows(ids[:0], other).tolist() == []


def written(path, kind, dataset):
    write_dataset(path, dataset, {})
    return kept_activations(path, kind)


def test_either_kind_serves_and_gives_what_whole_arrays_give(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 120))
    b = np.concatenate([a[::-1, :60] + 0.5 * rng.normal(size=(80, 60)), rng.normal(size=(80, 5))], axis=1)
    labels = np.arange(80) % 4
    one = written(tmp_path / "one", "activations", Activations().compute(make_snapshot({"block1": a}, labels)))
    half = Similarity(points=40).compute(make_snapshot({"block1": b, "logits": b[:, :4]}, labels))
    other = written(tmp_path / "other", "similarity", half)
    joined = np.arange(79, -1, -1)
    found = cka_between(one, other, joined)
    rows = half["point_index"].values
    expected = debiased_cka(linear_kernel(a[joined[rows]]), linear_kernel(b[rows]))
    assert found.attrs == {"points": 40, "common": 40}
    assert found["layer_other"].values.tolist() == ["block1", "logits"]
    assert float(found["cka"].sel(layer="block1", layer_other="block1")) == pytest.approx(expected, abs=1e-5)
    assert expected > 0.3


def test_what_cannot_be_compared_is_nan_and_many_points_are_thinned(tmp_path):
    rng = np.random.default_rng(0)
    n = 3 * MOST_POINTS
    layers = {"block1": rng.normal(size=(n, 3)), "dead": np.full((n, 2), 7.0), "block2": np.full((n, 2), np.nan)}
    variables = {name: (("sample", f"unit_{name}"), values) for name, values in layers.items()}
    variables["logits"] = ("sample", "class"), np.zeros((n, 2))
    dataset = xr.Dataset(variables, attrs={"layers": "block1 dead block2", "aliases": ""})
    kept = written(tmp_path / "one", "activations", dataset)
    found = cka_between(kept, kept, np.arange(n))
    assert (found.attrs["points"], found.attrs["common"]) == (MOST_POINTS, n)
    values = found["cka"].values
    assert values[0, 0] == pytest.approx(1)
    assert np.isnan(values[1:]).all()
    assert np.isnan(values[:, 1:]).all()
    assert np.isnan(cka_between(kept, kept, np.full(n, -1))["cka"].values).all()
    with pytest.raises(ValueError, match="the run's sample has 5"):
        cka_between(kept, kept, np.arange(5))
