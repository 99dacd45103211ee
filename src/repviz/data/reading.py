"""Reading data in whichever form the path names."""

import difflib
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from repviz.data.arrays import Arrays
from repviz.data.folder import is_dataset
from repviz.data.keys import NPZ_KEYS
from repviz.data.messages import data_error, listed, quoted
from repviz.data.npz import Purpose, Stored, read_npz
from repviz.errors import DataError

FORMS = "an .npz file, a .pkl file, or a folder with df_train.pkl or with arrays (X_train_embed.npy …)"
_PICKLE_SUFFIXES = (".pkl", ".pickle")
_NEEDED = {"fit": ("train", "val"), "test": ("test",), "predict": (), "any": ()}
_MAX_ENTRIES = 10_000
"""Entries of a folder that are looked through for a name like the missing one."""


def read(
    path: str | Path,
    *,
    purpose: Purpose = "any",
    val_split: float = 0.2,
    seed: int = 0,
    trust_pickle: bool = False,
    recipe_statistics: Mapping[str, Any] | None = None,
    cache: bool = True,
    tabular: bool = True,
    stored: Stored = "never",
) -> Arrays:
    """Read and check data.

    Args:
        path: an .npz file, a folder of arrays, a .pkl file, or a folder with the pickled tables.
        purpose: what the data is wanted for.
        val_split: pickles: share of the rows that validate.
        seed: pickles: of the split.
        trust_pickle: pickles: read without the safe reader.
        recipe_statistics: pickles: statistics of the tabular recipe to use instead of fitting them.
        cache: pickles: whether the result is kept beside them.
        tabular: .npz and arrays: whether tabular columns are read at all.
        stored: arrays: whether rows stay on the disk; auto: when they would fill much of the memory.

    Raises:
        DataError: there is no such file, it has another form, or its content is not as it must be.
    """
    path = Path(path).expanduser()
    form = form_of(path)
    if form != "pickles":
        return read_npz(path, purpose, tabular=tabular, stored=stored)
    if stored == "always":
        raise data_error(path, "", "pickled tables, whose rows cannot be read by number", "a folder of arrays")
    from repviz.data.pickles import read_pickles  # it is not needed for .npz

    arrays = read_pickles(
        path,
        val_split=val_split,
        seed=seed,
        trust_pickle=trust_pickle,
        cache=cache,
        recipe_statistics=recipe_statistics,
        labels_required=purpose != "predict",
    )
    missing = [split for split in _NEEDED[purpose] if split not in arrays.splits]
    if missing:
        found = f"pickled tables with the splits {listed(arrays.splits)}"
        raise data_error(path, "", found, f"{' and '.join(missing)} rows; the .npz form can hold them")
    return arrays


def form_of(path: Path) -> str:
    """``"npz"``, ``"arrays"`` or ``"pickles"``, by what lies at ``path``.

    Raises:
        DataError: nothing does, or nothing that can be read.
    """
    if not os.path.exists(path):  # unlike Path.exists, it never raises
        raise _nothing_there(path)
    if path.is_dir():
        return _form_of_folder(path)
    if not path.is_file():
        raise data_error(path, "", "is neither a file nor a folder", FORMS)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return "npz"
    if suffix in _PICKLE_SUFFIXES:
        return "pickles"
    raise data_error(path, "", f"has the ending {quoted(suffix)}" if suffix else "has no ending", FORMS)


def _form_of_folder(path: Path) -> str:
    names = _entries(path)
    if "df_train.pkl" in names:
        return "pickles"
    if is_dataset(names, NPZ_KEYS.values()):
        return "arrays"
    files = sorted(name for name in names if name.lower().endswith((".npz", *_PICKLE_SUFFIXES)))
    if files:
        found = f"is a folder without df_train.pkl; it holds {listed(map(quoted, files))}"
        raise data_error(path, "", found, f"the path of a file itself, such as {path / files[0]}")
    near = difflib.get_close_matches("df_train.pkl", names, n=1)
    found = "is a folder without df_train.pkl" + (f"; it holds {quoted(near[0])}" if near else "")
    raise data_error(path, "", found, FORMS)


def _nothing_there(path: Path) -> DataError:
    """The error for a path that does not exist, with what may have been meant."""
    if os.path.islink(path):
        return data_error(path, "", f"is a link to {quoted(os.readlink(path), 100)}, which is not there", FORMS)
    absolute = Path(os.path.abspath(path))
    missing = absolute
    while not os.path.exists(missing.parent):
        missing = missing.parent
    near = difflib.get_close_matches(missing.name, _entries(missing.parent), n=3)
    meant = f"; there is {listed(quoted(name) for name in near)} in {missing.parent}" if near else ""
    found = "no such file or folder" if missing == absolute else f"no such file, nor a folder {missing}"
    return data_error(path, "", f"{found} (seen from {Path.cwd()})", FORMS + meant)


def _entries(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, _MAX_ENTRIES)]
    except OSError as error:
        raise data_error(folder, "", f"cannot be opened ({error.strerror})", "a readable folder") from error
