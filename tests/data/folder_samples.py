"""The tiny dataset as a folder of arrays, and whether two readings give the same."""

from pathlib import Path

import numpy as np

from repviz.data.converting import convert
from tests.data.npz_samples import save, tiny_arrays

FIELDS = ("embeddings", "labels", "tabular", "ids", "texts")


def folder_of(tmp_path: Path, arrays=None, *, record: bool = True) -> Path:
    """The tiny dataset as a folder, converted, or as someone would write it by hand."""
    arrays = tiny_arrays() if arrays is None else arrays
    if record:
        return convert(save(tmp_path / "data.npz", arrays), f"{tmp_path / 'folder'}/")
    folder = tmp_path / "folder"
    folder.mkdir()
    for key, array in arrays.items():
        np.save(folder / f"{key}.npy", array)
    return folder


def same(one, other) -> None:
    """Assert that two datasets hold the same, in memory or on the disk."""
    assert (one.classes, one.tabular_names, list(one.splits)) == (
        other.classes,
        other.tabular_names,
        list(other.splits),
    )
    for name, split in one.splits.items():
        for field in FIELDS:
            a, b = getattr(split, field), getattr(other.splits[name], field)
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_array_equal(a[:], b[:])
                assert a[:].dtype.kind == b[:].dtype.kind
