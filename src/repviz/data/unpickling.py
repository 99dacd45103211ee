"""Reading the table in a pickle without running anything that is in it.

A pickle is a program: it names functions and has them called. Here every name it may use (``pickle_names``) stands for
an inert class of our own, so that unpickling yields a tree of names and plain values, out of which ``pickle_frames``
builds the columns that are asked for. Any other name is refused before anything happens. All of that is done in a
child process with limits on memory and time, which hands back plain arrays; what makes it crash does not reach us.
``python -m repviz.data.unpickling FILE COLUMN ...`` is that child.
"""

import logging
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from repviz.confined import confine, run_confined
from repviz.data.cells import Cell, from_arrays, plain_cell, to_arrays
from repviz.data.messages import data_error, quoted
from repviz.data.pickle_arrays import numpy_scalar
from repviz.data.pickle_frames import read_frame
from repviz.data.pickle_names import NAMES, Conversion, RefusedPickle, is_stand_in, stand_in
from repviz.errors import DataError

log = logging.getLogger("repviz.data")

_EXPECTED = "a DataFrame that pandas 1.5 to 3 pickled (protocol 2 to 5)"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK": "zip", b"\x28\xb5\x2f\xfd": "zstd"}
_MEGABYTE = 2**20
_MEMORY = (1536 * _MEGABYTE, 32)
"""Bytes that the child may take: a base, and as many for each byte of the file (lists of NumPy numbers take 20)."""
_SECONDS = (30, 2)
"""Processor seconds that the child may take: a base, and as many for each MiB of the file."""
_REFUSED = 3


@dataclass(frozen=True, eq=False)
class PickledTable:
    """A table as it was read.

    Attributes:
        names: the names of all its columns.
        columns: the cells of the wanted columns that are there, all equally long.
    """

    names: tuple[str, ...]
    columns: dict[str, list[Cell]]


def read_table(path: Path, wanted: Sequence[str], *, trust_pickle: bool = False) -> PickledTable:
    """Read the wanted columns of a pickled DataFrame.

    Args:
        path: the file.
        wanted: names of columns; those that are not there are left out.
        trust_pickle: read with ``pandas.read_pickle``, which runs whatever code is in the file.

    Raises:
        DataError: the file holds anything but the pickle of a table; it names the function that was asked for.
    """
    path = Path(path)
    if trust_pickle:
        return _read_trusting(path, wanted)
    _check_start(path)
    size = path.stat().st_size
    with tempfile.TemporaryFile() as reply, tempfile.TemporaryFile() as errors:
        status = run_confined(
            "repviz.data.unpickling", [os.path.abspath(path), *wanted], seconds=2 * _seconds(size), output=reply,
            errors=errors,
        )  # fmt: skip
        reply.seek(0)
        if status == 0:
            with np.load(reply, allow_pickle=False) as arrays:
                return _from_reply(dict(arrays))
        raise _failure(path, status, reply, errors)


class TableUnpickler(pickle.Unpickler):
    """Unpickles to inert stand-ins; a name that is not a table's is refused before anything is made of it."""

    def find_class(self, module: str, name: str) -> Any:
        """Give our own stand-in or conversion for a name, never the real thing."""
        if (module, name) in _CONVERSIONS:
            return _CONVERSIONS[module, name]
        if (module, name) in NAMES:
            return stand_in(name)
        raise RefusedPickle(f"it asks for {quoted(f'{module}.{name}', 100)}, which no table needs")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects that are not in the file."""
        raise RefusedPickle("it refers to objects outside of the file")


def _bytes(*args: Any) -> bytes:
    if args == () or (len(args) == 1 and isinstance(args[0], bytes)):
        return args[0] if args else b""
    if len(args) == 2 and isinstance(args[0], str) and args[1] in ("latin1", "latin-1"):
        return args[0].encode("latin1")
    raise RefusedPickle("it makes bytes in a way that no table does")


def _bytearray(*args: Any) -> bytearray:
    return bytearray(_bytes(*args))


def _dict(*args: Any) -> dict[Any, Any]:
    if args:
        raise RefusedPickle("it makes a dictionary in a way that no table does")
    return {}


def _attribute(owner: Any, name: Any) -> Any:
    """Time zones are pickled as ``getattr(ZoneInfo, "_unpickle")``; nothing else may be looked up."""
    if is_stand_in(owner, "ZoneInfo") and name == "_unpickle":
        return stand_in("_unpickle")
    raise RefusedPickle(f"it asks for builtins.getattr of {quoted(name, 60)}, which no table needs")


_CONVERSIONS: dict[tuple[str, str], Conversion] = {
    ("_codecs", "encode"): Conversion(_bytes),
    ("collections", "OrderedDict"): Conversion(_dict),
    ("numpy.core.multiarray", "scalar"): Conversion(numpy_scalar),
    ("numpy._core.multiarray", "scalar"): Conversion(numpy_scalar),
}
for _module in ("builtins", "__builtin__"):
    _CONVERSIONS[_module, "bytes"] = Conversion(_bytes)
    _CONVERSIONS[_module, "bytearray"] = Conversion(_bytearray)
    _CONVERSIONS[_module, "getattr"] = Conversion(_attribute)


def _failure(path: Path, status: int | None, reply: IO[bytes], errors: IO[bytes]) -> DataError:
    """Tell why the child handed back no table."""
    if status == _REFUSED:
        reason = reply.read(2000).decode("utf-8", "replace")
        return data_error(path, "", f"refused, and nothing of it was run: {reason}", _EXPECTED)
    if status is None:
        found = "took far longer to read than a table of its size can; the reader was stopped"
        return data_error(path, "", found, _EXPECTED)
    if status < 0:
        found = f"ended the process that reads it ({signal.Signals(-status).name}); damaged, or made to do harm"
        return data_error(path, "", found, _EXPECTED)
    errors.seek(0)
    last = errors.read()[-400:].decode("utf-8", "replace").strip().splitlines()[-1:]
    return data_error(path, "", f"could not be read (status {status}): {''.join(last)}", _EXPECTED)


def _check_start(path: Path) -> None:
    """Recognise files of another kind by their first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise data_error(path, "", f"cannot be opened ({error.strerror})", _EXPECTED) from error
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise data_error(path, "", f"is compressed ({name})", f"{_EXPECTED}, not compressed")
    if len(start) < 2 or start[0] != 0x80 or not 2 <= start[1] <= 5:
        found = "is empty" if not start else f"starts with {start!r}"
        raise data_error(path, "", found, _EXPECTED)


def _read_trusting(path: Path, wanted: Sequence[str]) -> PickledTable:
    import pandas as pd

    log.warning("%s is read with pandas.read_pickle (data.trust_pickle): code in it runs", path)
    try:
        frame = pd.read_pickle(path)
    except Exception as error:  # a pickle can raise anything
        raise data_error(path, "", f"pandas.read_pickle failed: {type(error).__name__}: {error}", _EXPECTED) from error
    if not isinstance(frame, pd.DataFrame):
        raise data_error(path, "", f"holds {type(frame).__name__} instead of a table", _EXPECTED)
    columns = {}
    for name in wanted:
        if name not in frame.columns:
            continue
        series = frame[name]
        if not isinstance(series, pd.Series):
            raise data_error(path, name, f"{series.shape[1]} columns of this name", "one")
        values = series.astype(object)
        columns[name] = [plain_cell(v) for v in values.where(series.notna(), None).tolist()]
    return PickledTable(tuple(map(str, frame.columns)), columns)


def _from_reply(arrays: dict[str, np.ndarray]) -> PickledTable:
    names = [str(cell) for cell in from_arrays(_part(arrays, "names"))]
    found = [str(cell) for cell in from_arrays(_part(arrays, "found"))]
    return PickledTable(
        tuple(names), {name: from_arrays(_part(arrays, str(number))) for number, name in enumerate(found)}
    )


def _part(arrays: dict[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {key.partition("/")[2]: array for key, array in arrays.items() if key.partition("/")[0] == part}


def _child(path: Path, wanted: Sequence[str]) -> int:
    """Read ``path`` under limits and write the columns, or the reason for refusing, to standard output."""
    size = path.stat().st_size
    confine(memory=_memory(size), seconds=_seconds(size))
    try:
        with path.open("rb") as file:
            names, columns = read_frame(TableUnpickler(file).load(), wanted)
        parts: dict[str, Sequence[Cell]] = {"names": names, "found": list(columns)}
        parts |= {str(number): cells for number, cells in enumerate(columns.values())}
        arrays = {f"{part}/{key}": a for part, cells in parts.items() for key, a in to_arrays(cells).items()}
    except RefusedPickle as error:
        return _refuse(str(error))
    except MemoryError:
        return _refuse(f"it takes more memory ({_memory(size) // _MEGABYTE} MiB) than a table of its size")
    except Exception as error:  # the unpickler raises whatever a damaged file leads to
        return _refuse(f"it is damaged ({type(error).__name__}: {str(error)[:200]})")
    np.savez(sys.stdout.buffer, **arrays)
    sys.stdout.buffer.flush()
    return 0


def _refuse(reason: str) -> int:
    sys.stdout.buffer.write(reason.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return _REFUSED


def _memory(size: int) -> int:
    return _MEMORY[0] + _MEMORY[1] * size


def _seconds(size: int) -> int:
    return int(_SECONDS[0] + _SECONDS[1] * size / _MEGABYTE)


if __name__ == "__main__":
    # Without the interpreter's own clean-up: taking apart millions of objects, nested at will, is not worth its risk.
    os._exit(_child(Path(sys.argv[1]), sys.argv[2:]))
