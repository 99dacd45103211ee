"""The folder form: what it gives back, what is said of one that is damaged, and how it is written."""

import json
import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from repviz.atomic import replacing_folder
from repviz.data.converting import convert
from repviz.data.datamodule import EmbeddingDataModule
from repviz.data.folder import RECORD
from repviz.data.inspect import summary
from repviz.data.npz import STORED_SHARE, read_notes, read_npz
from repviz.data.reading import form_of, read
from repviz.data.scaling import fit_scaling
from repviz.data.stored import StoredArray
from repviz.errors import DataError
from tests.data.npz_samples import npy_claiming, save, tiny_arrays
from tests.data.pickled_tables import write_tables

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


@pytest.mark.parametrize("stored", ["always", "never"])
@pytest.mark.parametrize("record", [True, False])
def test_a_folder_gives_what_the_npz_gives(tmp_path, stored, record):
    folder = folder_of(tmp_path, record=record)
    npz = read_npz(save(tmp_path / "data.npz", tiny_arrays()))
    found = read(folder, stored=stored)
    assert form_of(folder) == "arrays"
    assert found.on_disk is (stored == "always")
    same(found, npz)
    assert found.fingerprint == npz.fingerprint
    assert (folder / RECORD).exists() is record


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


def test_a_folder_written_by_hand(tmp_path):
    """As docs/data.md says."""
    rng = np.random.default_rng(0)
    for split, n_rows in (("train", 500), ("val", 100)):
        embeddings = open_memmap(tmp_path / f"X_{split}_embed.npy", "w+", np.float16, (n_rows, 8))
        for start in range(0, n_rows, 64):
            embeddings[start : start + 64] = rng.normal(size=embeddings[start : start + 64].shape)
        embeddings.flush()
        np.save(tmp_path / f"y_{split}.npy", rng.integers(0, 3, n_rows))
    np.save(tmp_path / "classes.npy", np.array(["a", "b", "c"]))
    arrays = read(tmp_path, purpose="fit", stored="always")
    assert arrays.splits["train"].ids[np.array([499])].tolist() == ["train:499"]
    before = arrays.fingerprint
    embeddings[3, 3] += 1
    embeddings.flush()
    assert read(tmp_path, purpose="fit", stored="always").fingerprint != before


RECORDED = {"shape": [1], "dtype": "<i8", "bytes": 1, "crc32": 1}
# What becomes of the folder, the key that the error names, what it says was found and is expected.
DAMAGES = [
    (lambda f: (f / "y_val.npy").unlink(), "y_val", "missing; dataset.json names it", "as it was written"),
    (lambda f: cut(f / "X_train_embed.npy"), "X_train_embed", "holds 196 B (196 bytes)", "200 bytes, as dataset.json"),
    (lambda f: np.save(f / "y_val.npy", np.zeros((2, 2), int)), "y_val", "shape (2, 2), dtype <i8", "shape '(4,)'"),
    (lambda f: (f / RECORD).write_text("{"), RECORD, "is not a record of arrays", "or no dataset.json"),
    (lambda f: (f / RECORD).write_text("[]"), RECORD, "is not a record of arrays", "as repviz data convert wrote"),
    (lambda f: record(f, arrays={"a\nb": RECORDED}), "'a\\nb'", "missing; dataset.json names it", "as it was written"),
    (lambda f: record(f, format=9), RECORD, "has the format '9'", "format 1"),
    (lambda f: record(f, arrays={"y_val": {"bytes": 1}}), f"{RECORD}: 'y_val'", "{'bytes': 1}", "crc32"),
    (lambda f: replaced(f, "y_val", None), "y_val", "'y_val.npy' is not a file", "the whole file"),
]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def record(folder: Path, **changes) -> None:
    text = (folder / RECORD).read_text()
    (folder / RECORD).write_text(json.dumps(json.loads(text) | changes))


def replaced(folder: Path, key: str, content: bytes | None) -> None:
    (folder / f"{key}.npy").unlink()
    if content is None:
        (folder / f"{key}.npy").mkdir()
    else:
        (folder / f"{key}.npy").write_bytes(content)


def one_error(folder: Path, key: str, found: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        read(folder, purpose="fit", stored="always")
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{folder}: {key}: ")
    assert found in first
    assert expected in second


@pytest.mark.parametrize(("damage", "key", "found", "expected"), DAMAGES, ids=[f"{c[1]} {c[2]}"[:40] for c in DAMAGES])
def test_one_error_names_folder_key_found_and_expected(tmp_path, damage, key, found, expected):
    folder = folder_of(tmp_path)
    damage(folder)
    one_error(folder, key, found, expected)


TINY = tiny_arrays()
CONTENTS = [
    ("y_train", None, "missing; the folder has", "y_train for training data"),
    ("X_train_embed", npy_claiming("<f4", (6, 3), b"x" * 71), "72 B, but holds 71 B", "as numpy.save wrote it"),
    ("X_train_embed", npy_claiming("<f4", (10**12, 3), b"x" * 72), "10.9 TiB, but holds 72 B", "the whole file"),
    ("X_val_embed", b"\x93NUMPY\x01\x00\x20\x00" + b"nonsense".ljust(32), "has the damaged header", "the whole file"),
    ("y_val", TINY["y_val"][:3], "3 rows", "4, one for each row of X_val_embed"),
    ("y_train", TINY["y_train"] + 1, "labels are outside the 3 classes: 3 (row 2)", "0 to 2"),
    ("X_val_embed", TINY["X_val_embed"] * np.inf, "infinite numbers in 4 of 4 rows", "finite"),
    ("id_val", np.array(["t3", "x", "y", "z"]), "'t3' (row 0, and id_train row 3)", "every id once"),
    (
        "id_train",
        np.array(["train:0", "val:1", "c", "d", "e", "c"]),
        "'c' (row 5, and id_train row 2)",
        "every id once",
    ),
]


@pytest.mark.parametrize(
    ("key", "content", "found", "expected"), CONTENTS, ids=[f"{c[0]} {c[2]}"[:40] for c in CONTENTS]
)
def test_messages_are_those_of_the_npz_form(tmp_path, key, content, found, expected):
    folder = folder_of(tmp_path, record=False)
    if content is None:
        (folder / f"{key}.npy").unlink()
    elif isinstance(content, bytes):
        (folder / f"{key}.npy").write_bytes(content)
    else:
        np.save(folder / f"{key}.npy", content)
    one_error(folder, key, found, expected)


def test_texts_are_checked_when_they_are_read(tmp_path):
    texts = TINY["text_train"].astype("U5")
    texts.view(np.uint32).reshape(6, 5)[4, :2] = 0xD800, 0
    folder = folder_of(tmp_path, TINY | {"text_train": texts}, record=False)
    found = read(folder, stored="always").splits["train"].texts
    assert found[:4].tolist() == TINY["text_train"][:4].tolist()
    for rows in (slice(3, 6), np.array([4])):
        with pytest.raises(DataError, match="text_train: characters that are no text in row 4"):
            found[rows]


def test_a_folder_is_left_on_the_disk_when_it_would_fill_much_of_the_memory(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    assert not read(folder, stored="auto").on_disk
    needed = sum(a.nbytes for a in TINY.values())
    monkeypatch.setattr("repviz.data.npz.memory_limit", lambda: int(needed / STORED_SHARE) - 100)
    assert read(folder, stored="auto").on_disk
    monkeypatch.setattr("repviz.data.npz.memory_limit", lambda: 500)
    with pytest.raises(DataError, match=r"streamed from the disk \(--data.loading blocks\)"):
        read(folder)
    with pytest.raises(DataError, match=r"streamed from the disk \(repviz data convert --out FOLDER/\)"):
        read(tmp_path / "data.npz")
    with pytest.raises(DataError, match="file, whose rows cannot be read by number"):
        read(tmp_path / "data.npz", stored="always")


def test_scaling_is_that_of_the_rows_in_memory(packages, tmp_path, monkeypatch):
    folder = convert(packages, tmp_path / "folder")
    memory, blocks = EmbeddingDataModule(str(packages)), EmbeddingDataModule(str(folder), loading="blocks")
    for data in (memory, blocks):
        data.setup("fit")
    one, other = memory.state_dict(), blocks.state_dict()
    for part in ("embeddings", "tabular"):
        for name in ("mean", "scale"):
            np.testing.assert_allclose(one[part][name], other[part][name], rtol=1e-6)
    rows = np.array([5, 3199, 0])
    for a, b in zip(memory.rows("train").inputs, blocks.rows("train").inputs, strict=True):
        np.testing.assert_array_equal(a[rows], b[rows])


def test_parts_are_merged_to_the_moments_of_the_whole(tmp_path, monkeypatch):
    columns = np.random.default_rng(0).normal([5, 0, -1000], [1, 1e-3, 20], size=(4097, 3)).astype(np.float32)
    monkeypatch.setattr("repviz.data.scaling._CHUNK", 300)
    scaling = fit_scaling(columns, "always")
    np.testing.assert_allclose(scaling.mean, columns.mean(0, np.float64), rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, columns.std(0, dtype=np.float64), rtol=1e-10)


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


def test_inspect_says_the_same_of_a_folder(packages, tmp_path):
    folder = convert(packages, tmp_path / "folder")
    one, other = (summary(path).splitlines() for path in (packages, folder))
    assert one[2:] == other[2:]
    assert one[1].split(",")[1:] == other[1].split(",")[1:]


def test_a_folder_is_replaced_only_when_told_and_only_if_it_is_one(tmp_path):
    folder = folder_of(tmp_path)
    source, before = tmp_path / "data.npz", read(folder).fingerprint
    with pytest.raises(DataError, match="exists already"):
        convert(source, folder)
    save(source, TINY | {"X_val_embed": TINY["X_val_embed"] + 1})
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
    for change in ({"y_train": TINY["y_train"] + 1}, {"y_val": TINY["y_val"][:2]}):
        path = save(tmp_path / "data.npz", TINY | change)
        with pytest.raises(DataError, match=f"^{path}: y_"):
            convert(path, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [path]


def test_mutants_are_read_or_refused(tmp_path):
    folder = folder_of(tmp_path, record=True)
    rng, files = np.random.default_rng(0), sorted(folder.iterdir())
    refused = []
    for _ in range(150):
        path = files[rng.integers(len(files))]
        content = path.read_bytes()
        mutant = bytearray(content)
        mutant[rng.integers(len(mutant))] = rng.integers(256)
        path.write_bytes(mutant[: rng.integers(len(mutant))] if rng.random() < 0.2 else mutant)
        try:
            for split in read(folder, stored="always").splits.values():
                [part[:] for part in (split.embeddings, split.ids, split.texts) if part is not None]
        except DataError as error:
            refused.append(str(error))
        path.write_bytes(content)
    assert 30 < len(refused) < 150
    assert all(message.startswith(str(folder)) and message.count("\n") == 1 for message in refused)


def test_all_processes_read_alike_where_one_has_less_memory(tmp_path):
    folder = folder_of(tmp_path)
    for of_any in (False, True):
        strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all, of_any=of_any: decision or of_any)
        module = EmbeddingDataModule(str(folder))
        module.trainer = SimpleNamespace(world_size=2, strategy=strategy)
        module.setup("fit")
        assert module.arrays.on_disk is of_any


def test_a_folder_with_too_many_files_is_refused(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    monkeypatch.setattr("repviz.data.folder._MAX_FILES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        read(folder)


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
