"""NumPy and Arrow arrays out of the inert nodes of an unpickled table, built from checked bytes.

Nothing that the pickle says is trusted: dtypes are rebuilt from their two-letter code (a tampered dtype state is what
crashes NumPy's own unpickling), and every shape is held against the bytes that are there.
"""

import functools
import itertools
import math
import re
from typing import Any

import numpy as np

from repviz.data.cells import Cell, Foreign, plain_cells
from repviz.data.pickle_names import Node, RefusedPickle, is_node, is_stand_in

_DTYPE_CODE = re.compile(r"[biufMmSUO]\d{1,6}")
_BYTE_ORDERS = ("<", ">", "|", "=")
_TIME_UNITS = (b"s", b"ms", b"us", b"ns", b"D")

_ARROW_NUMBERS = {
    **{name: name for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
_ARROW_TEXTS = {"string": "<i4", "large_string": "<i8"}
_ARROW_LISTS = {"list_": "<i4", "large_list": "<i8"}
_BITMAP = "bitmap"


def numpy_dtype(node: Any) -> np.dtype:
    """Rebuild a dtype from a node."""
    if not is_node(node, "dtype") or not node.args or not isinstance(node.args[0], str):
        raise RefusedPickle("it holds an array without a dtype")
    code, state = node.args[0], node.state
    if state is None:
        return _plain_dtype(code, "=")
    if not isinstance(state, tuple) or len(state) < 5 or state[1] not in _BYTE_ORDERS or any(state[2:5]):
        raise RefusedPickle("it holds an array with a dtype that no table has")
    return _plain_dtype(code, state[1], _time_unit(state) if code[:1] in "Mm" else "")


@functools.lru_cache(maxsize=100)
def _plain_dtype(code: str, order: str, unit: str = "") -> np.dtype:
    if not _DTYPE_CODE.fullmatch(code):
        raise RefusedPickle(f"it holds an array of dtype {code[:40]!r}")
    return np.dtype(f"{'' if code[0] == 'O' else order}{code}{unit}")


def numpy_scalar(dtype: Any, data: Any = None) -> Cell:
    """Give the plain value of a NumPy scalar; called while unpickling, for lists hold millions of them."""
    kind = numpy_dtype(dtype)
    if kind.kind == "O" or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise RefusedPickle("it holds a NumPy number whose bytes do not fit its dtype")
    if kind.kind not in "biufU":
        return Foreign(f"a {kind} value")
    return np.ndarray((), kind, data).item()


def numpy_array(node: Any) -> np.ndarray:
    """Rebuild an array, of numbers, texts, dates or objects, from a node."""
    if is_node(node, "_reconstruct") and node.args and is_stand_in(node.args[0], "ndarray"):
        state = node.state
        if isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, fortran, data = state
            return _shaped(data, numpy_dtype(dtype), shape, "F" if fortran else "C")
    if is_node(node, "_frombuffer") and len(node.args) in (4, 5):
        data, dtype, shape, order = node.args[:4]
        if order in ("C", "F"):
            return _shaped(data, numpy_dtype(dtype), shape, order)
        if order == "K" and len(node.args) == 5 and isinstance(node.args[4], tuple):
            return _shaped(data, numpy_dtype(dtype), shape, "C").transpose(node.args[4])
    raise RefusedPickle("it holds a damaged NumPy array")


def is_numpy_array(value: Any) -> bool:
    """Tell whether ``numpy_array`` takes ``value``."""
    return is_node(value, "_reconstruct", "_frombuffer")


def arrow_cells(node: Any) -> list[Cell]:
    """Give the cells of an Arrow array or chunked array; pyarrow is not needed."""
    if is_node(node, "chunked_array") and node.args and isinstance(node.args[0], list):
        return [cell for chunk in node.args[0] for cell in arrow_cells(chunk)]
    if is_node(node, "_restore_array") and len(node.args) == 1:
        return _ArrowArray(node.args[0]).cells()
    raise RefusedPickle("it holds a damaged Arrow array")


class _ArrowArray:
    """One Arrow array: its type, length, offset, buffers, children and dictionary, as pyarrow pickles them."""

    def __init__(self, data: Any) -> None:
        if not isinstance(data, tuple) or len(data) != 7:
            raise RefusedPickle("it holds a damaged Arrow array")
        self.type, self.length, _, self.offset, self.buffers, self.children, self.dictionary = data
        if not all(type(size) is int and 0 <= size < 2**40 for size in (self.length, self.offset)):
            raise RefusedPickle("it holds an Arrow array of impossible length")
        if not isinstance(self.buffers, list) or not isinstance(self.children, list):
            raise RefusedPickle("it holds a damaged Arrow array")

    def cells(self) -> list[Cell]:
        """Give the cells; those of types that no column here needs are foreign."""
        values = self._values()
        if values is None:
            return [Foreign(f"an Arrow value of type {self._type_name()}")] * self.length
        valid = self._bits(0) if self.buffers and self.buffers[0] is not None else None
        if valid is None:
            return values
        return [value if known else None for value, known in zip(values, valid.tolist(), strict=True)]

    def _values(self) -> list[Cell] | None:
        name = self._type_name()
        if name == "bool":
            return self._bits(1).tolist()
        if name in _ARROW_NUMBERS:
            return plain_cells(self._numbers(1, _ARROW_NUMBERS[name], self.offset, self.length))
        if name in _ARROW_TEXTS:
            data = bytes(self._buffer(2))
            starts = self._starts(_ARROW_TEXTS[name], len(data))
            return [data[a:b].decode() for a, b in itertools.pairwise(starts)]
        if name in ("list_", "large_list"):
            return self._lists(name)
        if name == "dictionary":
            return self._decoded_dictionary()
        return None

    def _type_name(self) -> str:
        if is_node(self.type, "type_for_alias") and self.type.args:
            return str(self.type.args[0])
        return self.type.name if isinstance(self.type, Node) else "unknown"

    def _lists(self, name: str) -> list[Cell] | None:
        """Lists of numbers become vectors."""
        if len(self.children) != 1:
            raise RefusedPickle("it holds a damaged Arrow list")
        child = _ArrowArray(self.children[0])
        if child._type_name() not in _ARROW_NUMBERS:
            return None
        flat = np.array([np.nan if cell is None else cell for cell in child.cells()], dtype=np.float64)
        width = self.type.args[1] if len(self.type.args) == 2 else None
        if type(width) is int and width > 0:  # lists of one fixed width have no offsets
            starts = ((self.offset + np.arange(self.length + 1)) * width).tolist()
            if starts[-1] > len(flat):
                raise RefusedPickle("it holds a damaged Arrow list")
        else:
            starts = self._starts(_ARROW_LISTS[name], len(flat))
        return [flat[a:b] for a, b in itertools.pairwise(starts)]

    def _decoded_dictionary(self) -> list[Cell]:
        words = _ArrowArray(self.dictionary).cells()
        index = _ARROW_NUMBERS.get(_alias(self.type.args[0] if self.type.args else None), "")
        if not index.startswith(("int", "uint")):
            raise RefusedPickle("it holds a damaged Arrow dictionary")
        codes = self._numbers(1, index, self.offset, self.length).tolist()
        return [words[code] if 0 <= code < len(words) else None for code in codes]

    def _starts(self, dtype: str, end: int) -> list[int]:
        """Where each text or list starts, and where the last one ends."""
        if self.length == 0:
            return [0]
        starts = self._numbers(1, dtype, self.offset, self.length + 1)
        if starts[0] < 0 or starts[-1] > end or (np.diff(starts) < 0).any():
            raise RefusedPickle("it holds an Arrow array whose offsets lead outside of it")
        return starts.tolist()

    def _numbers(self, which: int, dtype: str, start: int, count: int) -> np.ndarray:
        kind = np.dtype(dtype).newbyteorder("<")
        data = self._buffer(which)
        if (start + count) * kind.itemsize > len(data):
            raise RefusedPickle("it holds an Arrow array that is longer than its bytes")
        return np.frombuffer(data, dtype=kind, count=start + count)[start:]

    def _bits(self, which: int) -> np.ndarray:
        data = np.frombuffer(self._buffer(which), dtype=np.uint8)
        if self.offset + self.length > 8 * len(data):
            raise RefusedPickle("it holds an Arrow array that is longer than its bytes")
        return np.unpackbits(data, bitorder="little")[self.offset : self.offset + self.length].astype(bool)

    def _buffer(self, which: int) -> bytes | bytearray:
        node = self.buffers[which] if which < len(self.buffers) else None
        if node is None:
            return b""
        if not is_node(node, "py_buffer") or len(node.args) != 1 or not isinstance(node.args[0], bytes | bytearray):
            raise RefusedPickle("it holds a damaged Arrow buffer")
        return node.args[0]


def _alias(node: Any) -> str:
    return str(node.args[0]) if is_node(node, "type_for_alias") and node.args else ""


def _time_unit(state: tuple[Any, ...]) -> str:
    """Read the unit of a date dtype's state, such as ``[ns]``."""
    metadata = state[8] if len(state) == 9 else None
    if isinstance(metadata, tuple) and len(metadata) == 2 and isinstance(metadata[1], tuple):
        unit = metadata[1]
        if len(unit) == 4 and unit[0] in _TIME_UNITS and tuple(unit[1:3]) == (1, 1):
            return f"[{unit[0].decode()}]"
    raise RefusedPickle("it holds dates in a unit that no table has")


def _shaped(data: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    if not isinstance(shape, tuple) or not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise RefusedPickle("it holds an array of impossible shape")
    size = math.prod(shape)
    if dtype.kind == "O":
        if not isinstance(data, list) or len(data) != size:
            raise RefusedPickle("it holds an array of objects that do not fit its shape")
        # Objects are pickled in the order of their indices, whatever the memory's order was.
        return np.fromiter(data, dtype=object, count=size).reshape(shape)
    if not isinstance(data, bytes | bytearray) or len(data) != size * dtype.itemsize:
        raise RefusedPickle("it holds an array whose bytes do not fit its shape")
    if dtype.kind == "b":
        return (np.frombuffer(data, dtype=np.uint8) != 0).reshape(shape, order=order)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)
