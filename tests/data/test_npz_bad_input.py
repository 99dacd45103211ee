"""Whatever is wrong with an .npz file, one short error says which file, which key, what was found and expected."""

import io
import pickle
import time
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from repviz.data.npz import read_npz
from repviz.errors import DataError
from tests.data.npz_samples import directory_entry, npy_bytes, npy_claiming, save, save_with_member, tiny_arrays

TINY = tiny_arrays()


def changed(row: int, column: int, value: float, key: str = "X_train_embed") -> np.ndarray:
    array = TINY[key].copy()
    array[row, column] = value
    return array


# What is put in the place of which keys (None: left out), the purpose, the key that the error names,
# and what it says was found and is expected.
CONTENTS: list[tuple[dict[str, np.ndarray | None], str, str, str, str]] = [
    ({"X_train_embed": None}, "fit", "X_train_embed", "missing; the file has 'X_val_embed'", "for training data"),
    ({"X_val_embed": None}, "fit", "X_val_embed", "missing", "for training data"),
    ({"y_train": None}, "any", "y_train", "missing", "y_train for training data"),
    ({"y_val": None, "classes": None}, "fit", "y_val, classes", "missing", "y_val, classes"),
    ({"X_val_embed": None, "X_valid_embed": TINY["X_val_embed"]}, "any", "X_val_embed", "missing", "misspelling"),
    ({"X_excl": None}, "fit", "X_excl", "missing", "excluded rows (y_excl, financial_excl, id_excl)"),
    ({}, "test", "X_test_embed, y_test", "missing", "test data"),
    ({"X_test_embed": TINY["X_val_embed"]}, "any", "y_test", "missing", "test data"),
    ({"X_val_embed": None}, "predict", "X_embed", "missing", "rows to predict"),
    ({"X_train_embed": TINY["X_train_embed"].ravel()}, "fit", "X_train_embed", "shape (18,)", "shape (rows, columns)"),
    ({"X_train_embed": np.float32(1)}, "fit", "X_train_embed", "shape ()", "shape (rows, columns)"),
    ({"X_train_embed": TINY["X_train_embed"][None]}, "fit", "X_train_embed", "shape (1, 6, 3)", "(rows, columns)"),
    ({"y_train": TINY["y_train"][:, None]}, "fit", "y_train", "shape (6, 1)", "one dimension"),
    ({"y_train": np.eye(3)[TINY["y_train"]]}, "fit", "y_train", "shape (6, 3)", "one dimension"),
    ({"classes": TINY["classes"][None]}, "fit", "classes", "shape (1, 3)", "one dimension"),
    ({"classes": np.array("ant")}, "fit", "classes", "shape ()", "one dimension"),
    ({"id_train": TINY["id_train"][:, None]}, "fit", "id_train", "shape (6, 1)", "one dimension"),
    ({"financial_train": np.ones(6)}, "fit", "financial_train", "shape (6,)", "shape (rows, columns)"),
    ({"y_train": TINY["y_train"][:5]}, "fit", "y_train", "5 rows", "6, one for each row of X_train_embed"),
    ({"id_val": TINY["id_val"][:3]}, "fit", "id_val", "3 rows", "4, one for each row of X_val_embed"),
    ({"text_train": TINY["text_train"][:1]}, "fit", "text_train", "1 rows", "6, one for each row"),
    ({"financial_val": np.ones((5, 2))}, "fit", "financial_val", "5 rows", "4, one for each row of X_val_embed"),
    ({"y_excl": np.array([-1])}, "fit", "y_excl", "1 rows", "2, one for each row of X_excl"),
    ({"X_val_embed": np.ones((4, 5))}, "fit", "X_val_embed", "5 columns", "3 columns, as in X_train_embed"),
    ({"X_excl": np.ones((2, 2))}, "fit", "X_excl", "2 columns", "3 columns, as in X_train_embed"),
    ({"financial_excl": np.ones((2, 9))}, "fit", "financial_excl", "9 columns", "2 columns, as in financial_train"),
    ({"financial_val": None}, "fit", "financial_val", "missing", "shape (4, 2), as financial_train has 2 columns"),
    ({"financial_train": None}, "fit", "financial_train", "missing", "shape (6, 2)"),
    ({"financial_names": np.array(["a"])}, "fit", "financial_names", "1 names", "2, one for each column"),
    ({"financial_names": np.array(["a", "a"])}, "fit", "financial_names", "'a' more than once", "every name once"),
    ({"X_train_embed": np.ones((0, 3)), "y_train": np.array([], int)}, "fit", "X_train_embed", "(0, 3)", "one row"),
    ({"X_val_embed": np.ones((0, 3))}, "fit", "X_val_embed", "shape (0, 3)", "at least one row"),
    ({"X_train_embed": np.ones((6, 0))}, "fit", "X_train_embed", "shape (6, 0)", "and one column"),
    ({"X_train_embed": np.ones((6, 3), int)}, "fit", "X_train_embed", "int64", "floating point numbers"),
    ({"X_train_embed": np.ones((6, 3), bool)}, "fit", "X_train_embed", "bool", "floating point numbers"),
    ({"X_train_embed": np.ones((6, 3), complex)}, "fit", "X_train_embed", "'<c16'", "floating point numbers"),
    ({"X_train_embed": np.full((6, 3), "1.5")}, "fit", "X_train_embed", "<U3", "floating point numbers"),
    ({"X_train_embed": TINY["X_train_embed"].astype(object)}, "fit", "X_train_embed", "object", "floating point"),
    ({"y_train": TINY["y_train"].astype(float)}, "fit", "y_train", "float64", "integers"),
    ({"y_train": TINY["classes"][TINY["y_train"]]}, "fit", "y_train", "<U3", "integers"),
    ({"y_train": TINY["y_train"].astype("M8[s]")}, "fit", "y_train", "'<M8[s]'", "integers"),
    ({"classes": np.array([0.5, 1.5, 2.5])}, "fit", "classes", "float64", "texts or integers"),
    ({"text_train": np.arange(6)}, "fit", "text_train", "int64", "texts"),
    ({"X_train_embed": np.zeros(6, dtype=[("a", "f4")])}, "fit", "X_train_embed", "[('a', '<f4')]", "floating point"),
    ({"X_train_embed": np.zeros((6, 3), "V2")}, "fit", "X_train_embed", "'|V2'", "floating point"),
    ({"X_train_embed": changed(4, 1, np.nan)}, "fit", "X_train_embed", "1 NaN and 0 infinite", "finite"),
    ({"X_excl": changed(1, 2, -np.inf, "X_excl")}, "fit", "X_excl", "infinite numbers in 1 of 2 rows: row 1", "finite"),
    ({"X_val_embed": np.full((4, 3), 1e300)}, "fit", "X_val_embed", "0 NaN and 12 infinite", "as float32"),
    ({"financial_val": changed(0, 0, np.nan, "financial_val")}, "fit", "financial_val", "1 NaN", "finite"),
    ({"y_train": TINY["y_train"] + 1}, "fit", "y_train", "2 of 6 labels are outside the 3 classes: 3 (row", "0 to 2"),
    ({"y_val": TINY["y_val"] - 1}, "fit", "y_val", "-1 (row 0)", "rows of no class go to X_excl"),
    ({"y_excl": np.array([-2, 0])}, "fit", "y_excl", "-2 (row 0)", "or -1 for none of them"),
    ({"y_val": np.full(4, 2**64 - 1, np.uint64)}, "fit", "y_val", "18446744073709551615", "positions"),
    ({"y_excl": np.array([0, 2**64 - 1], np.uint64)}, "fit", "y_excl", "18446744073709551615", "positions"),
    ({"y_train": np.full(6, 1)}, "fit", "y_train", "all 6 rows are of class 'bee'", "at least two classes"),
    ({"classes": np.array(["ant"])}, "fit", "classes", "1 classes", "at least two classes"),
    ({"classes": np.array([], str)}, "fit", "classes", "0 classes", "at least two classes"),
    ({"classes": np.array(["ant", "bee", "ant"])}, "fit", "classes", "'ant' more than once", "every name once"),
    ({"id_train": np.array(list("abcdea"))}, "fit", "id_train", "'a' (row 5, and id_train row 0)", "every id once"),
    ({"id_val": np.array(["t3", "x", "y", "z"])}, "fit", "id_val", "'t3' (row 0, and id_train row 3)", "splits"),
    ({"classes": np.array([b"\xff", b"b", b"c"])}, "fit", "classes", "not UTF-8", "texts"),
    ({"classes": np.array(["a", None, "b"], object)}, "fit", "classes", "NoneType) at position 1", "texts"),
    ({"classes": np.array([1.5, "b", "c"], object)}, "fit", "classes", "BINFLOAT", "texts"),
    ({"classes": np.array({"ant": 0}, object)}, "fit", "classes", "shape ()", "one dimension"),
    ({"recipe": np.array("[1, 2]")}, "fit", "recipe", "'[1, 2]'", "a JSON object"),
    ({"recipe": np.array(["{}"])}, "fit", "recipe", "shape (1,)", "a single text"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "purpose", "key", "found", "expected"), CONTENTS)
def test_one_error_names_file_key_found_and_expected(tmp_path, change, purpose, key, found, expected):
    arrays = {name: array for name, array in (TINY | change).items() if array is not None}
    check_message(save(tmp_path / "data.npz", arrays), purpose, key, found, expected)


def check_message(path, purpose, key, found, expected):
    start = time.perf_counter()
    with pytest.raises(DataError) as caught:
        read_npz(path, purpose)
    assert time.perf_counter() - start < 1
    first, second, *more = str(caught.value).split("\n")
    assert first.startswith(f"{path}: {key}: " if key else f"{path}: ")
    assert found in first
    assert expected in second
    assert not more


def _stored_twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("y_train.npy", npy_bytes(TINY["y_train"]))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("y_train.npy", npy_bytes(TINY["y_train"]))
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **TINY)
    return buffer.getvalue()


def _patched(key: str, offset: int, value: bytes) -> bytes:
    content = bytearray(_npz())
    at = directory_entry(content, key) + offset
    content[at : at + len(value)] = value
    return bytes(content)


def _flipped_bit() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **TINY)
    content = bytearray(buffer.getvalue())
    at = content.index(TINY["X_train_embed"].tobytes())
    content[at + 5] ^= 1
    return bytes(content)


TRAINING = ("X_train_embed", "y_train", "X_val_embed", "y_val", "classes")
FILES: list[tuple[str, Callable[[], bytes], str, str, str]] = [
    ("empty", lambda: b"", "", "is empty", "the whole file"),
    ("text", lambda: b"id,label\n1,2\n", "", "is not an .npz file", "the whole file"),
    ("npy", lambda: npy_bytes(np.ones(3)), "", "a single NumPy array (.npy)", "numpy.savez"),
    ("pickle", lambda: pickle.dumps({"X": 1}), "", "is a pickle", "numpy.savez"),
    ("hdf5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "", "is an HDF5 file", "numpy.savez"),
    ("parquet", lambda: b"PAR1" + bytes(99), "", "is a Parquet file", "numpy.savez"),
    ("gzip", lambda: b"\x1f\x8b" + bytes(99), "", "is a gzip file", "numpy.savez"),
    ("no members", lambda: b"PK\x05\x06" + bytes(18), ", ".join(TRAINING), "no arrays", "for training"),
    ("duplicate", _stored_twice, "'y_train'", "more than once", "every key once"),
    ("flipped bit", _flipped_bit, "X_train_embed", "Bad CRC-32", "the whole file"),
    ("encrypted", lambda: _patched("y_val", 8, b"\x01\x00"), "y_val", "is encrypted", "stored or deflated"),
    ("method", lambda: _patched("y_val", 10, b"\x0c\x00"), "y_val", "compression method 12", "stored or deflated"),
    ("claim", lambda: _patched("y_val", 24, b"\xff\xff\xff\x7f"), "y_val", "claims 2.0 GiB in", "the whole file"),
    ("packed", lambda: _patched("y_val", 20, b"\xff\xff\xff\x7f"), "", "compressed data in", "the whole file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "key", "found", "expected"), [case[1:] for case in FILES], ids=[c[0] for c in FILES]
)
def test_foreign_and_damaged_files(tmp_path, content, key, found, expected):
    path = tmp_path / "data.npz"
    path.write_bytes(content())
    check_message(path, "any", key, found, expected)


DATA = TINY["X_train_embed"].tobytes()
MEMBERS: list[tuple[str, bytes, str, str]] = [
    ("no header", b"\x93NUM", "is not a NumPy array", "the whole file"),
    ("raw", DATA, "is not a NumPy array", "the whole file"),
    ("header cut", npy_claiming("<f4", (6, 3), b"")[:40], "ends early", "the whole file"),
    ("data cut", npy_claiming("<f4", (6, 3), DATA[:-1]), "shape (6, 3) of float32, 72 B, but holds 71 B", "whole"),
    ("data left", npy_claiming("<f4", (6, 3), DATA + b"x"), "72 B, but holds 73 B", "the whole file"),
    ("huge", npy_claiming("<f4", (10**12, 3), DATA), "10.9 TiB, but holds 72 B", "the whole file"),
    ("overflow", npy_claiming("<f4", (2**62, 4), DATA), "has the shape", "a tuple of sizes"),
    ("negative", npy_claiming("<f4", (-6, -3), DATA), "has the shape '(-6, -3)'", "a tuple of sizes"),
    ("no tuple", npy_claiming("<f4", [6, 3], DATA), "has the shape '[6, 3]'", "a tuple of sizes"),
    ("float size", npy_claiming("<f4", (6.0, 3), DATA), "has the shape", "a tuple of sizes"),
    ("bool size", npy_claiming("<f4", (True, 18), DATA), "has the shape", "a tuple of sizes"),
    ("order", npy_claiming("<f4", (6, 3), DATA, "maybe"), "fortran_order 'maybe'", "True or False"),
    ("dtype width", npy_claiming("<f3", (6, 4), DATA), "has the dtype '<f3'", "numbers"),
    ("dtype zero", npy_claiming("<U0", (10**12, 3), DATA), "has the dtype '<U0'", "numbers"),
    ("dtype list", npy_claiming("f4,f4", (6, 3), DATA), "has the dtype 'f4,f4'", "numbers"),
    ("dtype code", npy_claiming("__import__('os')", (6, 3), DATA), "has the dtype", "numbers"),
    ("long header", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"(" * 9000, "header too long", "numbers or texts"),
    ("deep header", b"\x93NUMPY\x01\x00\xe8\x03" + b"-" * 1000 + DATA, "damaged header", "the whole file"),
    ("code header", b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').getcwd()".ljust(32), "damaged header", "whole"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "found", "expected"), [c[1:] for c in MEMBERS], ids=[c[0] for c in MEMBERS])
def test_headers_that_lie(tmp_path, member, found, expected):
    path = save_with_member(tmp_path / "data.npz", "X_train_embed", member)
    check_message(path, "fit", "X_train_embed", found, expected)


def test_no_key_may_break_the_lines_of_a_message(tmp_path):
    arrays = {"X_train\n\n\nembed\x1b[31m\u202e": np.ones(3), "X" * 5000: np.ones(3)}
    with pytest.raises(DataError) as caught:
        read_npz(save(tmp_path / "data.npz", arrays))
    assert str(caught.value).count("\n") == 1
    assert len(str(caught.value)) < 1000
    assert all(character.isprintable() for character in str(caught.value).replace("\n", ""))
