"""Which form a path has, and what is said of paths that have none."""

import os
import shutil

import pandas as pd
import pytest

from repviz.data.reading import form_of, read
from repviz.errors import DataError
from tests.data.npz_samples import save, tiny_arrays


def error(path, **options) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count("\n") <= 2
    return str(caught.value)


def test_npz_files(tmp_path):
    save(tmp_path / "data.npz", tiny_arrays())
    assert list(read(str(tmp_path / "data.npz")).splits) == ["train", "val", "excluded"]
    (tmp_path / "data.npz").rename(tmp_path / "DATA.NPZ")
    assert len(read(tmp_path / "DATA.NPZ", purpose="fit").splits["train"]) == 6
    assert "X_test_embed, y_test: missing" in error(tmp_path / "DATA.NPZ", purpose="test")


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "data.npz", tiny_arrays())
    assert read("~/data.npz").source == tmp_path / "data.npz"


def test_pickles_are_known_by_their_names(tmp_path):
    (tmp_path / "table.pkl").write_bytes(b"")
    assert form_of(tmp_path / "table.pkl") == "pickles"
    save(tmp_path / "cached_dataset.npz", tiny_arrays())
    (tmp_path / "df_train.pkl").write_bytes(b"")
    assert form_of(tmp_path) == "pickles"


def test_pickles_of_a_folder_and_what_they_lack(tmp_path):
    rows = [[float(i), -float(i)] for i in range(20)]
    table = pd.DataFrame({"id": range(20), "business_description_embedding": rows, "industry": ["a", "b"] * 10})
    table.to_pickle(tmp_path / "df_train.pkl")
    arrays = read(tmp_path, purpose="fit", val_split=0.3, cache=False)
    assert {name: len(split) for name, split in arrays.splits.items()} == {"train": 14, "val": 6}
    assert list(tmp_path.iterdir()) == [tmp_path / "df_train.pkl"]
    assert "the splits train, val\n  expected: test rows" in error(tmp_path, purpose="test")
    read(tmp_path)
    assert (tmp_path / "cached_dataset.npz").is_file()
    table.drop(columns="industry").to_pickle(tmp_path / "df_train.pkl")
    assert list(read(tmp_path, purpose="predict").splits) == ["predict"]
    assert "industry" in error(tmp_path / "df_train.pkl", purpose="fit")


def test_missing_path_names_the_folder_and_what_is_near(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    for name in ("packages_small.npz", "packages.npz", "unrelated.csv"):
        (tmp_path / "data" / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    message = error("data/package_small.npz")
    assert "no such file or folder" in message
    assert f"seen from {tmp_path}" in message
    assert f"there is 'packages_small.npz', 'packages.npz' in {tmp_path / 'data'}" in message
    assert "unrelated" not in message
    message = error("dat/packages.npz")
    assert f"nor a folder {tmp_path / 'dat'}" in message
    assert f"there is 'data' in {tmp_path}" in message
    assert "there is" not in error("zzzzzz.npz")


def test_broken_link(tmp_path):
    (tmp_path / "data.npz").symlink_to("gone.npz")
    assert "is a link to 'gone.npz', which is not there" in error(tmp_path / "data.npz")


@pytest.mark.parametrize("name", ["data.csv", "data.parquet", "data"])
def test_other_forms(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    message = error(tmp_path / name)
    assert ("has the ending" if "." in name else "has no ending") in message
    assert "expected: an .npz file, a .pkl file, or a folder with df_train.pkl" in message


def test_folders_without_the_pickles(tmp_path):
    assert "is a folder without df_train.pkl\n" in error(tmp_path)
    (tmp_path / "df_trian.pkl").write_bytes(b"")
    save(tmp_path / "b.npz", tiny_arrays())
    message = error(tmp_path)
    assert "it holds 'b.npz', 'df_trian.pkl'" in message
    assert f"such as {tmp_path / 'b.npz'}" in message


def test_what_is_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    assert "is neither a file nor a folder" in error(tmp_path / "pipe.npz")


@pytest.mark.parametrize("path", ["", "a\0b.npz", "x" * 5000])
def test_paths_that_no_file_can_have(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        read(path)


def test_file_that_vanishes(tmp_path, monkeypatch):
    path = save(tmp_path / "data.npz", tiny_arrays())
    monkeypatch.setattr("repviz.data.reading.form_of", lambda path: "npz")
    shutil.move(path, tmp_path / "elsewhere.npz")
    assert "cannot be opened (No such file or directory)" in error(path)
