"""Scaling against scikit-learn, and where it must differ."""

import json
import os
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from repviz.data.folder import FolderReader
from repviz.data.npz import read_npz
from repviz.data.scaling import Scaling, fit_scaling
from repviz.errors import UserError


def columns(seed: int = 0, n_rows: int = 500) -> np.ndarray:
    """Columns of very different means and spreads, two of them constant."""
    rng = np.random.default_rng(seed)
    mean = np.array([0, 1e6, -3, 1e-6, 0, 42])
    spread = np.array([1e-3, 1e4, 7, 1e-7, 0, 0])
    return (mean + spread * rng.normal(size=(n_rows, 6))).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_like_scikit_learn(dtype):
    train = np.random.default_rng(1).gamma(2, size=(300, 7)).astype(dtype)
    other = np.random.default_rng(2).normal(size=(50, 7)).astype(dtype)
    scaling, reference = fit_scaling(train, "always"), StandardScaler().fit(train.astype(np.float64))
    np.testing.assert_allclose(scaling.mean, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, reference.scale_, rtol=1e-12)
    result = scaling.apply(other)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, reference.transform(other.astype(np.float64)), rtol=1e-6, atol=1e-6)


def test_like_scikit_learn_on_the_real_data(packages):
    train, val = (read_npz(packages).splits[name] for name in ("train", "val"))
    for field in ("embeddings", "tabular"):
        scaling = fit_scaling(getattr(train, field), "always")
        reference = StandardScaler().fit(getattr(train, field).astype(np.float64))
        np.testing.assert_allclose(scaling.mean, reference.mean_, rtol=1e-9, atol=1e-15)
        same = np.array(scaling.scale) != 1
        np.testing.assert_allclose(np.array(scaling.scale)[same], reference.scale_[same], rtol=1e-9)
        expected = reference.transform(getattr(val, field).astype(np.float64))
        np.testing.assert_allclose(scaling.apply(getattr(val, field))[:, same], expected[:, same], rtol=1e-5, atol=1e-5)


def test_columns_far_from_zero_and_tiny_ones():
    train = columns()
    scaled = fit_scaling(train, "always").apply(train).astype(np.float64)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 1, 1, 0, 0], atol=1e-5)


def test_many_chunks_are_like_one():
    train = columns(n_rows=400_000)
    scaling = fit_scaling(train, "always")
    np.testing.assert_allclose(scaling.mean, train.mean(axis=0, dtype=np.float64), rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose(scaling.scale[:4], train.std(axis=0, dtype=np.float64)[:4], rtol=1e-10)
    expected = (train.astype(np.float64) - scaling.mean) / scaling.scale
    np.testing.assert_array_equal(scaling.apply(train), expected.astype(np.float32))


def test_parts_are_merged_to_the_moments_of_the_whole(tmp_path, monkeypatch):
    columns = np.random.default_rng(0).normal([5, 0, -1000], [1, 1e-3, 20], size=(4097, 3)).astype(np.float32)
    monkeypatch.setattr("repviz.data.scaling._CHUNK", 300)
    scaling = fit_scaling(columns, "always")
    np.testing.assert_allclose(scaling.mean, columns.mean(0, np.float64), rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, columns.std(0, dtype=np.float64), rtol=1e-10)


def test_constant_columns_get_scale_1():
    scaling = fit_scaling(columns(), "always")
    assert scaling.scale[4:] == [1, 1]
    assert scaling.n_constant == 2
    assert (scaling.apply(columns())[:, 4:] == 0).all()


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-30, -7e8, 3e38, 123456.789])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_repeated_number_is_constant_whatever_its_rounding(value, dtype):
    scaling = fit_scaling(np.full((10_007, 1), value, dtype), "always")
    assert scaling.scale == [1]
    assert abs(scaling.apply(np.full((1, 1), value, dtype))[0, 0]) <= abs(value) * 1e-12


def test_rounding_noise_is_not_blown_up():
    """A constant that a float32 computation left a unit in the last place apart now and then."""
    value = np.float32(0.1)
    train = np.full((1000, 1), value)
    train[::3] = np.nextafter(value, np.float32(1))
    assert StandardScaler().fit(train.astype(np.float64)).scale_[0] < 1e-8
    assert fit_scaling(train, "always").scale == [1]


def test_zeros_that_half_precision_did_not_quite_round_away():
    """Embeddings saved as float16: a column of zeros with a few of the smallest numbers that are not zero."""
    train = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float16)
    train[:, 1] = 0
    train[[5, 700], 1] = np.finfo(np.float16).smallest_subnormal
    for dtype in (np.float16, np.float32):
        scaling = fit_scaling(train.astype(dtype), "always")
        assert scaling.scale[1] == 1
        assert scaling.n_constant == 1
        assert scaling.scale[0] == pytest.approx(1, abs=0.05)


def test_small_numbers_that_mean_something_are_scaled():
    """Not half precision: the same spread, told by float32 numbers, is the column's unit."""
    train = np.random.default_rng(0).normal(scale=1e-9, size=(200, 1)).astype(np.float32)
    np.testing.assert_allclose(fit_scaling(train, "always").apply(train).std(), 1, rtol=1e-5)
    rare = np.zeros((5000, 1), np.float32)
    rare[17] = 1
    assert fit_scaling(rare, "always").scale[0] == pytest.approx(rare.std(), rel=1e-6)


def test_one_pass_tells_which_columns_are_half_precision_however_many_are_in_doubt(tmp_path, monkeypatch):
    """Of 40 columns, 30 are zeros but for a few; six hold as small numbers that float16 does not have."""
    rng = np.random.default_rng(0)
    train = rng.normal(scale=[*[0] * 30, *[1e-9] * 6, *[1] * 4], size=(700, 40)).astype(np.float32)
    train[rng.integers(700, size=30), np.arange(30)] = np.finfo(np.float16).smallest_subnormal
    train[:650, 33] = 0
    monkeypatch.setattr("repviz.data.scaling._CHUNK", 4_000)
    np.save(tmp_path / "X.npy", train)
    on_disk = FolderReader(tmp_path).stored("X")
    read, preadv = [], os.preadv
    monkeypatch.setattr(os, "preadv", lambda *a: read.append(len(a[1][0])) or preadv(*a))
    scaling = fit_scaling(on_disk, "always")
    assert sum(read) == 2 * train.nbytes, "one pass for the moments, one for the columns in doubt"
    assert scaling == fit_scaling(train, "always")
    assert [scale == 1 for scale in scaling.scale] == [True] * 30 + [False] * 10
    np.testing.assert_allclose(scaling.scale[30:], train[:, 30:].std(0, dtype=np.float64), rtol=1e-10)
    read.clear()
    fit_scaling(on_disk.with_columns([36, 37, 38, 39]), "always")
    assert sum(read) == train.nbytes, "none is in doubt"


@pytest.mark.parametrize(
    ("mean", "std", "standardized"),
    [
        (0, 1, True),
        (0.09, 1, True),
        (0.11, 1, False),
        (0, 0.91, True),
        (0, 0.89, False),
        (0, 1.09, True),
        (0, 1.11, False),
    ],
)
def test_auto_judges_the_training_columns(mean, std, standardized):
    rng = np.random.default_rng(0)
    train = rng.normal(size=(1000, 5))
    train = (train - train.mean(axis=0)) / train.std(axis=0) * std + mean * np.array([1, -1, 1, -1, 1])
    scaling = fit_scaling(train.astype(np.float32), "auto")
    assert scaling.applied is not standardized
    assert ("not standardized" in scaling.describe()) is not standardized
    assert ("left as they are" in scaling.describe()) is standardized
    assert fit_scaling(train.astype(np.float32), "always").applied
    assert not fit_scaling(train.astype(np.float32), "never").applied


def test_auto_is_a_mean_over_columns():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(2000, 4)) * [0.5, 1.5, 0.7, 1.3]
    assert not fit_scaling(train.astype(np.float32), "auto").applied


def test_nothing_changes_where_nothing_is_applied():
    train = columns()
    scaling = fit_scaling(train, "never")
    assert scaling.apply(train) is train
    np.testing.assert_array_equal(scaling.apply(train.astype(np.float64)), train)
    out = np.empty_like(train)
    assert scaling.apply(train, out=out) is out
    np.testing.assert_array_equal(out, train)


def test_in_place():
    train = columns()
    expected = fit_scaling(train, "always").apply(train)
    assert fit_scaling(train, "always").apply(train, out=train) is train
    np.testing.assert_array_equal(train, expected)


def test_memory_stays_bounded():
    train = np.random.default_rng(0).normal(size=(300_000, 40)).astype(np.float32)
    tracemalloc.start()
    fit_scaling(train, "always").apply(train, out=train)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < train.nbytes


def test_state_goes_through_a_checkpoint(tmp_path):
    scaling = fit_scaling(columns(), "auto")
    torch.save({"scaling": scaling.state()}, tmp_path / "last.ckpt")
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["scaling"]
    assert Scaling(**state) == scaling
    assert Scaling(**json.loads(json.dumps(state))) == scaling
    np.testing.assert_array_equal(Scaling(**state).apply(columns(1)), scaling.apply(columns(1)))


def test_the_log_line_says_what_was_seen_and_done():
    train = np.zeros((4, 2), np.float32)
    train[:, 1] = [3, 5, 3, 5]
    line = fit_scaling(train, "auto").describe()
    assert line == (
        "2 columns with mean |mean| 2, mean std 0.5, not standardized: "
        "scaled to mean 0, std 1 by the training rows (standardize: auto; 1 constant, scale 1)"
    )


def test_what_cannot_be_fitted_or_applied():
    with pytest.raises(UserError, match="standardize: found 'sometimes'; expected one of auto, always, never"):
        fit_scaling(columns(), "sometimes")
    with pytest.raises(ValueError, match="hold nothing"):
        fit_scaling(np.ones((0, 3), np.float32))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            fit_scaling(np.array([[1.0, bad], [2.0, 3.0]], np.float32))
    with pytest.raises(UserError, match="fitted on 6 columns"):
        fit_scaling(columns(), "always").apply(np.ones((2, 5), np.float32))
