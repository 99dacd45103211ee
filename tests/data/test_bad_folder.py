"""What is said of a folder of arrays that is damaged or not as it must be."""

import json
from pathlib import Path

import numpy as np
import pytest

from repviz.data.folder import RECORD
from repviz.data.reading import read
from repviz.errors import DataError
from tests.data.folder_samples import folder_of
from tests.data.npz_samples import npy_claiming, tiny_arrays

TINY = tiny_arrays()


RECORDED = {"shape": [1], "dtype": "<i8", "bytes": 1, "crc32": 1}
# What becomes of the folder, the key that the error names, what it says was found and is expected.
DAMAGES = [
    (lambda f: (f / "y_val.npy").unlink(), "y_val", "missing; dataset.json names it", "as it was written"),
    (lambda f: flip(f / "y_train.npy"), "y_train", "is damaged: its CRC-32 is ", ", as dataset.json has it"),
    (lambda f: cut(f / "X_train_embed.npy"), "X_train_embed", "holds 196 B (196 bytes)", "200 bytes, as dataset.json"),
    (lambda f: np.save(f / "y_val.npy", np.zeros((2, 2), int)), "y_val", "shape (2, 2), dtype <i8", "shape '(4,)'"),
    (lambda f: (f / RECORD).write_text("{"), RECORD, "is not a record of arrays", "or no dataset.json"),
    (lambda f: (f / RECORD).write_text("[]"), RECORD, "is not a record of arrays", "as repviz data convert wrote"),
    (lambda f: record(f, arrays={"a\nb": RECORDED}), "'a\\nb'", "missing; dataset.json names it", "as it was written"),
    (lambda f: record(f, format=9), RECORD, "has the format '9'", "format 1"),
    (lambda f: record(f, arrays={"y_val": {"bytes": 1}}), f"{RECORD}: 'y_val'", "{'bytes': 1}", "crc32"),
    (lambda f: replaced(f, "y_val", None), "y_val", "'y_val.npy' is not a file", "the whole file"),
]


def flip(path: Path) -> None:
    """The label of the first row becomes another that is one."""
    content = bytearray(path.read_bytes())
    content[-TINY["y_train"].nbytes] ^= 1
    path.write_bytes(content)


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


def put(folder: Path, key: str, content: np.ndarray | bytes | None) -> None:
    """Have an array hold this, or these bytes, or take it away."""
    if content is None:
        (folder / f"{key}.npy").unlink()
    elif isinstance(content, bytes):
        (folder / f"{key}.npy").write_bytes(content)
    else:
        np.save(folder / f"{key}.npy", content)


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
    put(folder, key, content)
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


def test_a_folder_with_too_many_files_is_refused(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    monkeypatch.setattr("repviz.data.folder._MAX_FILES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        read(folder)
