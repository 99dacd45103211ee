"""Names and texts from an .npz file, in whichever of NumPy's forms they were saved."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repviz.data.machine import memory_limit
from repviz.data.messages import data_error, quoted, sized
from repviz.data.npy_reader import NpyReader
from repviz.data.object_arrays import RefusedPickle, decode_object_array

_MAX_OBJECTS = 1 << 30
"""Bytes of pickled texts that are decoded at all."""
_MAX_SCALAR = 1 << 26
"""Bytes of a single text."""
_CHUNK = 1 << 20
"""Characters looked at together, to bound memory."""
_HOW = "texts without NUL or half characters, saved as np.array(names, dtype=str)"


def read_texts(reader: NpyReader, key: str) -> np.ndarray:
    """A one-dimensional array of texts, bytes (UTF-8), whole numbers or objects that are such, as ``(n,)`` unicode.

    Raises:
        DataError: something else is in it, or no valid text.
    """
    member = reader.header(key)
    if not member.dtype.hasobject:
        return decoded(reader.path, key, reader.read(key))
    texts = _from_objects(reader, key, member.shape[0])
    _check_characters(reader.path, key, texts, range(len(texts)))
    return texts


def decoded(source: Path, key: str, stored: np.ndarray, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
    """Characters, bytes (UTF-8) or whole numbers as ``(n,)`` unicode.

    Args:
        source: the file or folder, for messages.
        key: the user's name for the array.
        stored: ``(n,)``, what the file holds.
        rows: ``(n,)``, which rows of the array they are; by default the first ones.

    Raises:
        DataError: no valid text.
    """
    if stored.dtype.kind in "iu":
        return stored.astype(str)
    texts = _from_bytes(source, key, stored) if stored.dtype.kind == "S" else stored
    _check_characters(source, key, texts, range(len(texts)) if rows is None else rows)
    return texts


def read_scalar_text(reader: NpyReader, key: str) -> str:
    """A single text, saved as an array without dimensions.

    Raises:
        DataError: something else.
    """
    member = reader.header(key)
    if member.shape != () or member.dtype.kind != "U" or member.n_bytes > _MAX_SCALAR:
        raise data_error(reader.path, key, f"shape {member.shape}, dtype {member.dtype}", "a single text")
    text = reader.read(key).reshape(1)
    _check_characters(reader.path, key, text, range(1))
    return str(text[0])


def _from_objects(reader: NpyReader, key: str, length: int) -> np.ndarray:
    payload = reader.read_payload(key, _MAX_OBJECTS)
    try:
        values = [str(value) for value in decode_object_array(payload, length)]
    except RefusedPickle as error:
        found = f"an array of Python objects: {quoted(error, 100)}"
        raise data_error(reader.path, key, found, "texts, saved as np.array(names, dtype=str)") from error
    longest = max(map(len, values), default=0)
    size = 4 * longest * len(values)
    if size > memory_limit() // 4:
        found = f"{len(values)} texts of up to {longest} characters, {sized(size)} in all"
        raise data_error(reader.path, key, found, f"at most {sized(memory_limit() // 4)}; shorten the longest")
    return np.array(values, dtype=str) if values else np.empty(0, dtype="U1")


def _from_bytes(source: Path, key: str, texts: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(texts, "utf-8")
    except UnicodeDecodeError as error:
        raise data_error(source, key, f"bytes that are not UTF-8 ({error.reason})", _HOW) from error


def _check_characters(source: Path, key: str, texts: np.ndarray, numbers: Sequence[int] | np.ndarray) -> None:
    """NumPy takes any 32 bits for a character; one that is none would stop whoever prints or stores it later."""
    codes = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), texts.dtype.itemsize // 4)
    step = max(1, _CHUNK // max(1, codes.shape[1]))
    for start in range(0, len(codes), step):
        part = codes[start : start + step]
        wrong = (part > 0x10FFFF) | ((part >= 0xD800) & (part <= 0xDFFF))
        wrong[:, :-1] |= (part[:, :-1] == 0) & (part[:, 1:] != 0)
        rows = np.flatnonzero(wrong.any(axis=1))
        if len(rows):
            raise data_error(source, key, f"characters that are no text in row {numbers[start + rows[0]]}", _HOW)
