"""Writing any readable data as one .npz file, or as a folder of arrays from which training can stream."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from repviz.atomic import replacing_folder
from repviz.data.arrays import Arrays
from repviz.data.checks import check
from repviz.data.folder import RECORD, Writer, may_be_replaced, open_arrays, write_arrays
from repviz.data.keys import NPZ_KEYS
from repviz.data.messages import data_error
from repviz.data.npy_reader import CHUNK, NpyReader
from repviz.data.npz import RECIPE, checked_headers, contents, load_npz, write_npz
from repviz.data.npz_texts import read_texts
from repviz.data.reading import form_of, read
from repviz.version import __version__


def convert(
    path: str | Path,
    out: str | Path,
    *,
    val_split: float = 0.2,
    seed: int = 0,
    trust_pickle: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the data at ``path`` to ``out``, which is then a valid ``--data.path`` itself.

    An .npz file or a folder of arrays becomes a folder without ever lying in memory as a whole.

    Args:
        path: an .npz file, a folder of arrays, a .pkl file, or a folder with the pickled tables.
        out: a file ending in ``.npz``, or a folder: one that is there, or a name that ends in ``/`` or has no ending.
        val_split: pickles: share of the rows that validate.
        seed: pickles: of the split.
        trust_pickle: pickles: read without the safe reader.
        overwrite: whether what is already at ``out`` is replaced.

    Raises:
        DataError: the data is not as it must be, or ``out`` cannot be written.
    """
    to_folder = _is_folder(str(out))
    path, out = Path(path).expanduser(), Path(out).expanduser()
    form = form_of(path)
    _check_out(out, overwrite=overwrite, to_folder=to_folder)
    notes = {"source": path.name, "repviz_version": __version__}
    if form == "pickles":
        notes |= {"val_split": str(val_split), "seed": str(seed)}
    try:
        if to_folder and form != "pickles":
            _stream(path, out, notes)
            return out
        arrays = read(path, val_split=val_split, seed=seed, trust_pickle=trust_pickle, cache=False)
        if to_folder:
            with replacing_folder(out) as folder:
                write_arrays(folder, ((key, _writing(array)) for key, array in contents(arrays)), notes)
        else:
            write_npz(arrays, out, notes=notes)
    except OSError as error:
        raise data_error(out, "", f"cannot be written ({error.strerror})", "a writable folder with space") from error
    return out


def _is_folder(out: str) -> bool:
    """Whether ``out`` names a folder, as it is written or as it is there."""
    path = Path(out).expanduser()
    return out.endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def _check_out(out: Path, *, overwrite: bool, to_folder: bool) -> None:
    if not to_folder and out.suffix.lower() != ".npz":
        expected = "the name of an .npz file to write, or a folder: FOLDER/"
        raise data_error(out, "", "does not end in .npz", expected)
    if to_folder and out.exists() and not out.is_dir():
        raise data_error(out, "", "is a file", "the name of a folder to write")
    if to_folder and out.is_dir() and not may_be_replaced(out):
        raise data_error(out, "", f"holds other files than arrays and {RECORD}", "an empty folder, or a new name")
    if out.exists() and not overwrite and not (to_folder and not any(out.iterdir())):
        raise data_error(out, "", "exists already", "another name, or --overwrite to replace it")
    if not out.absolute().parent.is_dir():
        what = "folder" if to_folder else "file"
        raise data_error(out, "", f"there is no folder {out.parent}", f"a {what} in a folder that exists")


def _stream(path: Path, out: Path, notes: Mapping[str, str]) -> None:
    """Copy what repviz knows, array by array and part by part; then look at the values of what was written."""
    known = {*NPZ_KEYS.values(), RECIPE}
    with open_arrays(path) as reader, replacing_folder(out) as folder:
        checked_headers(reader)
        write_arrays(folder, ((key, _copying(reader, key)) for key in reader.keys if key in known), notes)
        arrays: Arrays = load_npz(folder, stored="always")
        check(replace(arrays, source=path))


def _copying(reader: NpyReader, key: str) -> Writer:
    """What copies an array byte for byte, whatever its dtype.

    Arrays of objects, and matrices whose rows are scattered (Fortran order), are read as a whole first.
    """
    member = reader.header(key)
    if member.dtype.hasobject:
        return _writing_lazily(lambda: read_texts(reader, key))
    if member.fortran_order and len(member.shape) > 1:
        return _writing_lazily(lambda: reader.read(key))

    def copy(target: BinaryIO) -> None:
        with reader.damage(key), reader.open(key) as source:
            while part := source.read(CHUNK):
                target.write(part)

    return copy


def _writing(array: np.ndarray) -> Writer:
    return _writing_lazily(lambda: array)


def _writing_lazily(array: Callable[[], np.ndarray]) -> Writer:
    return lambda stream: np.lib.format.write_array(stream, array(), allow_pickle=False)
