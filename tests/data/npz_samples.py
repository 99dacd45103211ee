"""A tiny dataset in the .npz form, and ways to write it wrongly."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np


def tiny_arrays() -> dict[str, np.ndarray]:
    """Training data of 6 rows, validation of 4, excluded of 2; 3 embedding and 2 tabular columns; 3 classes."""
    rng = np.random.default_rng(0)
    return {
        "X_train_embed": rng.normal(size=(6, 3)).astype(np.float32),
        "X_val_embed": rng.normal(size=(4, 3)).astype(np.float32),
        "X_excl": rng.normal(size=(2, 3)).astype(np.float32),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "y_val": np.array([0, 1, 2, 0]),
        "y_excl": np.array([-1, 2]),
        "classes": np.array(["ant", "bee", "cat"]),
        "financial_train": rng.normal(size=(6, 2)).astype(np.float32),
        "financial_val": rng.normal(size=(4, 2)).astype(np.float32),
        "financial_excl": rng.normal(size=(2, 2)).astype(np.float32),
        "id_train": np.array([f"t{i}" for i in range(6)]),
        "id_val": np.array([f"v{i}" for i in range(4)]),
        "id_excl": np.array(["e0", "e1"]),
        "text_train": np.array(["ein", "zwei", "drei", "vier", "fünf", "sechs"]),
    }


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npy_claiming(descr: object, shape: object, data: bytes, fortran_order: object = False) -> bytes:
    """A .npy member whose header says what it likes."""
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran_order!r}, 'shape': {shape!r}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def save_with_member(path: Path, key: str, member: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """The tiny dataset, with valid checksums, in which the member ``key`` consists of these bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, array in (tiny_arrays() | {key: np.empty(0)}).items():
            archive.writestr(f"{name}.npy", member if name == key else npy_bytes(array))
    return path


def directory_entry(content: bytes, key: str) -> int:
    """Where the zip's central directory has the entry of ``key``: sizes at +20 (compressed) and +24."""
    start = 0
    while (start := content.index(b"PK\x01\x02", start)) >= 0:
        length = struct.unpack_from("<H", content, start + 28)[0]
        if content[start + 46 : start + 46 + length] == f"{key}.npy".encode():
            return start
        start += 46
    raise AssertionError(key)
