"""Data as arrays by key: an .npz file, as ``numpy.savez`` writes it, or a folder of ``.npy`` files."""

import difflib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from repviz.atomic import replacing
from repviz.data.arrays import NO_CLASS, Arrays, Split
from repviz.data.checks import check, check_shapes
from repviz.data.folder import FolderReader, open_arrays, read_record
from repviz.data.keys import FIELDS, NPZ_KEYS, default_tabular_names
from repviz.data.machine import memory_limit
from repviz.data.messages import data_error, listed, quoted, sized
from repviz.data.npy_reader import Member, NpyReader
from repviz.data.npz_members import BOMB_SIZE
from repviz.data.npz_texts import decoded, read_scalar_text, read_texts
from repviz.data.stored import Matrix, NumberedIds, StoredTexts, Texts

Purpose = Literal["any", "fit", "test", "predict"]
"""What the data is wanted for; ``any`` is whatever the file holds."""

_REQUIRED = {
    "fit": ("X_train_embed", "y_train", "X_val_embed", "y_val", "classes"),
    "test": ("X_test_embed", "y_test", "classes"),
    "predict": ("X_embed",),
}
_SPLITS = {"fit": ("train", "val", "excluded"), "test": ("test",), "predict": ("predict",)}
RECIPE = "recipe"
_NOTE = "note_"
_BY_ROW = ("embeddings", "tabular", "ids", "texts")
"""What can stay on the disk."""
_MEMORY_SHARE = 0.8
"""Data that would fill more than this share of the memory is refused before it is read."""
STORED_SHARE = 0.2
"""``auto`` leaves a folder's rows on the disk when they would fill more than this share of the memory.

Scaled rows lie beside the unscaled ones, so data that is read takes twice its size.
"""
Stored = Literal["auto", "always", "never"]
"""Whether embeddings, tabular columns, ids and texts of a folder stay on the disk."""


def read_npz(path: Path, purpose: Purpose = "any", *, tabular: bool = True, stored: Stored = "never") -> Arrays:
    """Read and check the splits that ``purpose`` needs: embeddings and tabular float32, labels int64.

    ``path`` is an .npz file or a folder of the same arrays; of a folder, rows may stay on the disk (``stored``).

    ``predict`` reads ``X_embed``; from a file without it the test rows, or else the validation rows, then without
    asking for labels. Ids that the file does not give are ``"train:0"`` and so on. Without ``tabular``, tabular
    columns are as if they were not in the file.

    Raises:
        DataError: a key is missing, or something in the file is not as it must be.
    """
    arrays = load_npz(path, purpose, tabular=tabular, stored=stored)
    check(arrays)
    return arrays


def load_npz(path: Path, purpose: Purpose = "any", *, tabular: bool = True, stored: Stored = "never") -> Arrays:
    """``read_npz`` without a look at the values: keys, shapes and dtypes are checked, labels and NaN are not.

    Raises:
        DataError: a key is missing, of the wrong form, or damaged; or rows of an .npz file are to stay on the disk.
    """
    path = Path(path)
    with open_arrays(path) as reader:
        splits, members = checked_headers(reader, purpose, tabular=tabular)
        on_disk = _stay_on_disk(reader, members, stored)
        _check_memory(reader, members, on_disk=on_disk)
        classes = ("", "classes") in members
        return Arrays(
            splits={split: _read_split(reader, split, members, on_disk=on_disk) for split in splits},
            classes=tuple(read_texts(reader, "classes").tolist()) if classes else (),
            tabular_names=_tabular_names(reader, members),
            source=path,
            fingerprint=reader.fingerprint(ignored_prefix=_NOTE),
            recipe=_recipe(reader) if tabular else None,
        )


def checked_headers(
    reader: NpyReader, purpose: Purpose = "any", *, tabular: bool = True
) -> tuple[list[str], dict[tuple[str, str], Member]]:
    """The splits that ``purpose`` needs, and the headers of their arrays by split and field, embeddings first.

    Raises:
        DataError: a key is missing, or the arrays do not fit together.
    """
    splits = _wanted_splits(reader.path, reader.keys, purpose)
    members = _members(reader, splits, tabular=tabular)
    check_shapes({name: (m.shape, m.dtype) for name, m in members.items()}, reader.path)
    return splits, members


def write_npz(arrays: Arrays, path: Path, *, notes: Mapping[str, str] | None = None) -> None:
    """Write ``arrays`` so that ``read_npz`` gives them back, whole or not at all.

    Texts are compressed, as far as the reader does not take them for a zip bomb then. Numbers are not: embeddings
    hardly shrink, and are read faster so.

    Args:
        arrays: the data.
        path: the file, replaced if it exists.
        notes: texts to keep beside the data, for ``read_notes``.

    Raises:
        ValueError: rows to predict have labels, for which the form has no key.
    """
    with replacing(Path(path)) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        noted = ((f"{_NOTE}{name}", np.array(text)) for name, text in (notes or {}).items())
        for key, array in (*contents(arrays), *noted):
            info = zipfile.ZipInfo(f"{key}.npy")
            if array.dtype.kind == "U" and array.nbytes < BOMB_SIZE:
                info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_notes(path: Path) -> dict[str, str]:
    """The notes that ``write_npz`` or ``write_folder`` put beside the data.

    Raises:
        DataError: not such data, or a note is not a text.
    """
    if path.is_dir():
        return {str(name): str(text) for name, text in read_record(path).get("notes", {}).items()}
    with open_arrays(Path(path)) as reader:
        keys = [key for key in reader.keys if key.startswith(_NOTE)]
        return {key.removeprefix(_NOTE): read_scalar_text(reader, key) for key in keys}


def stored_dtypes(path: Path) -> dict[str, np.dtype]:
    """The dtype of every known array as the file has it, before any conversion.

    Raises:
        DataError: neither an .npz file nor a folder of arrays, or a header is damaged.
    """
    with open_arrays(Path(path)) as reader:
        return {key: reader.header(key).dtype for key in NPZ_KEYS.values() if key in reader.keys}


def unused_keys(path: Path) -> tuple[str, ...]:
    """Keys of the file that repviz does not know and does not read.

    Raises:
        DataError: neither an .npz file nor a folder of arrays.
    """
    with open_arrays(Path(path)) as reader:
        known = {*NPZ_KEYS.values(), RECIPE}
        return tuple(key for key in reader.keys if key not in known and not key.startswith(_NOTE))


def _wanted_splits(path: Path, keys: tuple[str, ...], purpose: Purpose) -> list[str]:
    """Names of the splits to read, after a look at which keys there are."""
    if purpose == "predict":
        found = next((s for s in ("predict", "test", "val") if NPZ_KEYS[s, "embeddings"] in keys), None)
        if found is None:
            raise _missing(path, keys, ["X_embed"], "rows to predict")
        labelled = NPZ_KEYS.get((found, "labels")) in keys
        if labelled and "classes" not in keys:
            raise _missing(path, keys, ["classes"], "labels")
        return [found]
    groups = [purpose] if purpose != "any" else [group for group in _REQUIRED if _any_of(group, keys)]
    if not groups:
        wanted = [*_REQUIRED["fit"]]
        raise _missing(path, keys, wanted, "training data (X_embed alone to predict)")
    splits = []
    for group in groups:
        missing = [key for key in _REQUIRED[group] if key not in keys]
        if missing:
            raise _missing(path, keys, missing, {"fit": "training data", "test": "test data"}.get(group, group))
        splits += _SPLITS[group]
    excluded = [NPZ_KEYS["excluded", field] for field in FIELDS]
    if "excluded" in splits and not any(key in keys for key in excluded):
        splits.remove("excluded")
    elif "excluded" in splits and "X_excl" not in keys:
        raise _missing(path, keys, ["X_excl"], f"excluded rows ({listed(k for k in excluded if k in keys)})")
    return splits


def _any_of(group: str, keys: tuple[str, ...]) -> bool:
    return any(key in keys for key in _REQUIRED[group] if key != "classes")


def _missing(path: Path, keys: tuple[str, ...], missing: list[str], purpose: str) -> Exception:
    near = {key: difflib.get_close_matches(key, keys, n=1, cutoff=0.8) for key in missing}
    meant = [f"{quoted(match)} for {key}" for key, matches in near.items() for match in matches]
    found = f"missing; the {'folder' if path.is_dir() else 'file'} has {listed(map(quoted, keys), 8) or 'no arrays'}"
    expected = f"{listed(missing)} for {purpose}" + (f"; is {listed(meant)} a misspelling?" if meant else "")
    return data_error(path, listed(missing), found, expected)


def _members(reader: NpyReader, splits: list[str], *, tabular: bool) -> dict[tuple[str, str], Member]:
    """The headers of the arrays to read, by split and field, embeddings first."""
    keys = set(reader.keys)
    if not tabular:
        keys -= {key for (_, field), key in NPZ_KEYS.items() if field in ("tabular", "tabular_names")}
    names = [(split, field) for split in splits for field in FIELDS]
    names += [("", "classes")] if any(NPZ_KEYS.get((s, "labels")) in keys for s in splits) else []
    names += [("", "tabular_names")] if any(NPZ_KEYS[s, "tabular"] in keys for s in splits) else []
    return {name: reader.header(NPZ_KEYS[name]) for name in names if NPZ_KEYS.get(name) in keys}


def _sizes(members: Mapping[tuple[str, str], Member]) -> dict[tuple[str, str], int]:
    """Bytes of each array as it would lie in memory."""
    widths = {"embeddings": 4, "tabular": 4, "labels": 8}
    sizes = {}
    for (split, field), member in members.items():
        # Bytes become four-byte characters; a pickled text lies there as an object first.
        width = widths.get(field, member.dtype.itemsize * (4 if member.dtype.kind == "S" else 1))
        n_bytes = member.n_bytes * 8 if member.dtype.hasobject else math.prod(member.shape) * width
        sizes[split, field] = n_bytes
    return sizes


def _stay_on_disk(reader: NpyReader, members: Mapping[tuple[str, str], Member], stored: Stored) -> bool:
    if isinstance(reader, FolderReader):
        large = sum(_sizes(members).values()) > STORED_SHARE * memory_limit()
        return stored == "always" or (stored == "auto" and large)
    if stored == "always":
        expected = "a folder of arrays; repviz data convert FILE.npz --out FOLDER/ makes one"
        raise data_error(reader.path, "", "an .npz file, whose rows cannot be read by number", expected)
    return False


def _check_memory(reader: NpyReader, members: Mapping[tuple[str, str], Member], *, on_disk: bool) -> None:
    """What is read as a whole must leave room for the rest."""
    sizes = {NPZ_KEYS[name]: size for name, size in _sizes(members).items() if not on_disk or name[1] not in _BY_ROW}
    needed, limit = sum(sizes.values()), int(_MEMORY_SHARE * memory_limit())
    if needed > limit:
        largest = max(sizes, key=sizes.__getitem__)
        found = f"needs {sized(sizes[largest])} of memory ({sized(needed)} with the other arrays)"
        expected = f"at most {sized(limit)} on this machine"
        if not on_disk:
            streamed = (
                "--data.loading blocks" if isinstance(reader, FolderReader) else "repviz data convert --out FOLDER/"
            )
            expected += f"; a folder of arrays is streamed from the disk ({streamed})"
        raise data_error(reader.path, largest, found, expected)


def _read_split(reader: NpyReader, split: str, members: Mapping[tuple[str, str], Member], *, on_disk: bool) -> Split:
    has = {field: (split, field) in members for field in FIELDS}
    keys = {field: NPZ_KEYS.get((split, field), "") for field in FIELDS}
    n_rows = members[split, "embeddings"].shape[0]
    labels = _read_labels(reader, keys["labels"]) if has["labels"] else None
    if split == "excluded" and labels is None:
        labels = np.full(n_rows, NO_CLASS, dtype=np.int64)

    def matrix(key: str) -> Matrix:
        return reader.stored(key, np.float32) if on_disk else reader.read(key, np.float32)

    def texts(key: str) -> Texts:
        if on_disk and not reader.header(key).dtype.hasobject:
            return StoredTexts(reader.stored(key), partial(decoded, reader.path, key))
        return read_texts(reader, key)

    ids = NumberedIds(split, n_rows)
    return Split(
        embeddings=matrix(keys["embeddings"]),
        labels=labels,
        tabular=matrix(keys["tabular"]) if has["tabular"] else None,
        ids=texts(keys["ids"]) if has["ids"] else ids if on_disk else ids[:],
        texts=texts(keys["texts"]) if has["texts"] else None,
    )


def _read_labels(reader: NpyReader, key: str) -> np.ndarray:
    labels = reader.read(key)
    largest = int(labels.max(initial=0))
    if largest > np.iinfo(np.int64).max:
        raise data_error(reader.path, key, f"the label {largest}", "positions in classes, counted from 0")
    return labels.astype(np.int64)


def _tabular_names(reader: NpyReader, members: Mapping[tuple[str, str], Member]) -> tuple[str, ...]:
    if ("", "tabular_names") in members:
        return tuple(read_texts(reader, NPZ_KEYS["", "tabular_names"]).tolist())
    width = next((member.shape[1] for (_, field), member in members.items() if field == "tabular"), 0)
    return default_tabular_names(width)


def _recipe(reader: NpyReader) -> Mapping[str, Any] | None:
    if RECIPE not in reader.keys:
        return None
    text = read_scalar_text(reader, RECIPE)
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        recipe = None
    if not isinstance(recipe, dict):
        raise data_error(reader.path, RECIPE, quoted(text), "a JSON object, as repviz wrote it")
    return recipe


def contents(arrays: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    """Keys and arrays as the .npz form has them.

    Raises:
        ValueError: rows to predict have labels, for which the form has no key.
    """
    for split, rows in arrays.splits.items():
        for field in FIELDS:
            array = getattr(rows, field)
            if array is not None and (split, field) not in NPZ_KEYS:
                raise ValueError(f"the .npz form has no key for the {field} of {split}")
            if array is not None:
                yield NPZ_KEYS[split, field], array
    if arrays.classes:
        yield "classes", np.array(arrays.classes, dtype=str)
    if arrays.tabular_names:
        yield NPZ_KEYS["", "tabular_names"], np.array(arrays.tabular_names, dtype=str)
    if arrays.recipe is not None:
        yield RECIPE, np.array(json.dumps(arrays.recipe, sort_keys=True, allow_nan=False))
