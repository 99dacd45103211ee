"""Converting: what is written is what was read, needs no memory for the whole, and replaces nothing untold."""

import os
import shutil
import subprocess
import tracemalloc

import numpy as np
import pytest

from repviz.atomic import replacing_folder
from repviz.data.converting import convert
from repviz.data.datamodule import EmbeddingDataModule
from repviz.data.npz import read_notes, read_npz
from repviz.data.reading import read
from repviz.data.stored import StoredArray
from repviz.errors import DataError
from tests.data.folder_samples import folder_of, same
from tests.data.npz_samples import save, tiny_arrays
from tests.data.pickled_tables import write_tables


def test_the_real_sample_keeps_dtypes_and_goes_back_and_forth(packages, tmp_path):
    folder = convert(packages, tmp_path / "folder")
    with np.load(packages) as whole:
        for key in whole.files:
            stored = np.load(folder / f"{key}.npy", mmap_mode="r")
            assert stored.dtype == whole[key].dtype
            np.testing.assert_array_equal(stored, whole[key])
    convert(folder, tmp_path / "again.npz")
    same(read_npz(tmp_path / "again.npz"), read_npz(packages))
    assert read_notes(folder)["source"] == "packages_small.npz"
    convert(folder, tmp_path / "copy")
    assert read(tmp_path / "copy").fingerprint == read(folder).fingerprint == read(packages).fingerprint


def test_pickled_tables_become_a_folder(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    write_tables(tables)
    folder = convert(tables, tmp_path / "folder", seed=3)
    convert(tables, tmp_path / "data.npz", seed=3)
    same(read(folder, stored="always"), read(tmp_path / "data.npz"))
    assert read(folder).recipe == read(tmp_path / "data.npz").recipe
    assert read_notes(folder)["seed"] == "3"


def test_what_cannot_be_copied_as_it_is_is_read_first(tmp_path):
    """Texts that are Python objects, and a matrix whose columns come one after the other."""
    arrays = tiny_arrays()
    odd = arrays | {
        "text_train": arrays["text_train"].astype(object),
        "id_val": np.array([b"v0", b"v1", b"v2", "ü".encode()]),
        "X_train_embed": np.asfortranarray(arrays["X_train_embed"]),
        "not_known": np.arange(3),
    }
    folder = folder_of(tmp_path, odd)
    same(read(folder, stored="always"), read_npz(tmp_path / "data.npz"))
    assert not (folder / "not_known.npy").exists()
    np.save(folder / "X_train_embed.npy", odd["X_train_embed"])
    with pytest.raises(DataError, match=r"X_train_embed: its rows are scattered"):
        read(folder, stored="always")


def test_neither_converting_nor_reading_needs_memory_for_the_whole(tmp_path):
    n_rows = 60_000
    rng = np.random.default_rng(0)
    big = {
        "X_train_embed": rng.standard_normal((n_rows, 256), np.float32), "y_train": rng.integers(0, 3, n_rows),
        "X_val_embed": rng.standard_normal((10, 256), np.float32), "y_val": np.arange(10) % 3,
        "classes": np.array(["a", "b", "c"]),
    }  # fmt: skip
    path, size = save(tmp_path / "data.npz", big), big["X_train_embed"].nbytes
    del big
    tracemalloc.start()
    folder = convert(path, tmp_path / "folder")
    data = EmbeddingDataModule(str(folder), loading="blocks", block_mib=1)
    data.setup("fit")
    for _, labels in data.train_dataloader():
        assert len(labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size * 0.8
    assert isinstance(data.arrays.splits["train"].embeddings, StoredArray)


@pytest.mark.parametrize("key", ["X_train_embed", "y_train", "text_train"])
@pytest.mark.parametrize("form", ["npz", "folder"])
def test_a_bit_that_flipped_in_the_source_is_an_error_and_no_copy(tmp_path, monkeypatch, form, key):
    """Each change is a value like any other: only the checksum tells."""
    monkeypatch.setattr("repviz.data.converting.CHUNK", 100)
    source = save(tmp_path / "data.npz", tiny_arrays())
    if form == "folder":
        source = convert(source, f"{tmp_path / 'source'}/")
    file = source / f"{key}.npy" if form == "folder" else source
    content = bytearray(file.read_bytes())
    content[content.index(tiny_arrays()[key].tobytes())] ^= 1
    file.write_bytes(content)
    for out in ("copy/", "copy.npz"):
        with pytest.raises(DataError, match=f"^{source}: {key}: is damaged.*CRC-32"):
            convert(source, f"{tmp_path / out}")
        assert not (tmp_path / out).exists()


def test_a_folder_is_replaced_only_when_told_and_only_if_it_is_one(tmp_path):
    folder = folder_of(tmp_path)
    source, before = tmp_path / "data.npz", read(folder).fingerprint
    with pytest.raises(DataError, match="exists already"):
        convert(source, folder)
    save(source, tiny_arrays() | {"X_val_embed": tiny_arrays()["X_val_embed"] + 1})
    convert(source, folder, overwrite=True)
    assert read(folder).fingerprint != before
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="holds other files than arrays"):
        convert(source, folder, overwrite=True)
    assert (folder / "thesis.tex").exists()
    (tmp_path / "empty").mkdir()
    convert(source, tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.npz", "empty", "folder"]


def test_data_that_is_not_as_it_must_be_leaves_no_folder(tmp_path):
    for change in ({"y_train": tiny_arrays()["y_train"] + 1}, {"y_val": tiny_arrays()["y_val"][:2]}):
        path = save(tmp_path / "data.npz", tiny_arrays() | change)
        with pytest.raises(DataError, match=f"^{path}: y_"):
            convert(path, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_conversion_left_goes_with_the_next(tmp_path):
    child = subprocess.Popen(["sleep", "60"])
    with replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "a.npy").write_bytes(b"half")
        left = temporary.with_name(temporary.name.replace(f"-{os.getpid()}.", f"-{child.pid}."))
        shutil.copytree(temporary, left)
    with replacing_folder(tmp_path / "folder"):
        assert left.exists()
    child.kill()
    child.wait()
    with replacing_folder(tmp_path / "folder"):
        assert not left.exists()
