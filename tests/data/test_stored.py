"""Arrays on the disk give what the same array in memory gives, and read no more than that takes."""

import os
import pickle

import numpy as np
import pytest

from repviz.data import stored
from repviz.data.folder import FolderReader
from repviz.data.stored import NumberedIds, StoredArray, spans
from repviz.errors import DataError

ARRAY = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float16)


def on_disk(folder, array=ARRAY, dtype=np.float32) -> StoredArray:
    np.save(folder / "X.npy", array)
    return FolderReader(folder).stored("X", dtype)


@pytest.mark.parametrize(
    "rows",
    [
        slice(None), slice(3, 9), slice(990, 2000), slice(5, 2), slice(-4, None),
        np.array([], np.int64), np.array([7]), np.array([999, 0, 500, 0, 1, 2, 998]), np.arange(0, 1000, 37),
    ],
)  # fmt: skip
def test_rows_are_those_of_the_array_in_memory(tmp_path, monkeypatch, rows):
    for near in (0, 1 << 13):  # each row read by itself, and many at once
        monkeypatch.setattr(stored, "_NEAR", near)
        monkeypatch.setattr(stored, "READ_BYTES", 1 << 9)
        found = on_disk(tmp_path)[rows]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, ARRAY[rows].astype(np.float32))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", ">i4", "<U5", "|S3"])
def test_any_dtype_and_byte_order(tmp_path, dtype):
    array = np.arange(50).astype(dtype)
    found = on_disk(tmp_path, array, None)
    np.testing.assert_array_equal(found[np.array([40, 3])], array[[40, 3]])
    assert found[:].dtype.isnative
    assert (found.shape, found.nbytes, len(found)) == (array.shape, array.nbytes, 50)


def test_single_rows_are_read_without_what_lies_between_them(tmp_path, monkeypatch):
    array = on_disk(tmp_path, np.zeros((100_000, 16), np.float32))
    read, pread = [], os.preadv
    monkeypatch.setattr(os, "preadv", lambda *a: read.append(len(a[1][0])) or pread(*a))
    array[np.array([99_999, 5, 50_000, 6])]
    assert read == [2 * 64, 64, 64]


def test_columns_in_another_order(tmp_path):
    array = on_disk(tmp_path)
    some = array.with_columns([4, 0, 6])
    assert some.shape == (1000, 3)
    np.testing.assert_array_equal(some[:], ARRAY[:, [4, 0, 6]])
    np.testing.assert_array_equal(some.with_columns([1])[10:12], ARRAY[10:12, [0]])


@pytest.mark.parametrize("rows", [np.array([1000]), np.array([-1]), slice(0, 9, 2)])
def test_rows_that_are_not_there(tmp_path, rows):
    with pytest.raises(IndexError):
        on_disk(tmp_path)[rows]


def test_a_file_that_was_replaced_is_not_read_as_if_it_were_the_old_one(tmp_path):
    array = on_disk(tmp_path)
    np.save(tmp_path / "new.npy", ARRAY * 2)
    os.replace(tmp_path / "new.npy", tmp_path / "X.npy")
    with pytest.raises(DataError, match=f"{tmp_path}: X: has changed since its header was read"):
        array[:5]
    os.unlink(tmp_path / "X.npy")
    with pytest.raises(DataError, match="X: cannot be read"):
        array[:5]


def test_it_goes_to_another_process(tmp_path):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(on_disk(tmp_path)))[4:6], ARRAY[4:6])


def test_numbered_ids():
    ids = NumberedIds("val", 12)
    assert ids[8:20].tolist() == ["val:8", "val:9", "val:10", "val:11"]
    assert ids[np.array([3, 0])].tolist() == ["val:3", "val:0"]


def test_spans_cover_every_row_once(tmp_path):
    array = on_disk(tmp_path)
    parts = list(spans(array, 4 * 7 * 64))
    assert len(parts) == 16
    np.testing.assert_array_equal(np.concatenate([array[part] for part in parts]), ARRAY)
