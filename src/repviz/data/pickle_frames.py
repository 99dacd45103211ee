"""The columns of a DataFrame out of the inert nodes of its pickle, without pandas.

pandas 1.5 to 3 all write ``DataFrame`` with the state ``_mgr``: a ``BlockManager`` called with its blocks and its two
axes. A block is ``_unpickle_block(values, placement, ndim)``, where the values are a NumPy array (column, row), or one
of pandas' own arrays.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from repviz.data.cells import Cell, Foreign, plain_cell, plain_cells
from repviz.data.pickle_arrays import arrow_cells, is_numpy_array, numpy_array
from repviz.data.pickle_names import Node, RefusedPickle, is_node, is_stand_in

_MAX_DEPTH = 8
"""Categories are an index whose data may be another array, and so on; a table has at most three such steps."""


def read_frame(root: Any, wanted: Iterable[str]) -> tuple[list[str], dict[str, list[Cell]]]:
    """Give the names of all columns, and the cells of those that are wanted and there.

    The other columns are not looked at: whatever they hold stays inert.

    Raises:
        RefusedPickle: not a DataFrame as pandas 1.5 to 3 write it.
    """
    if not is_node(root, "DataFrame"):
        raise RefusedPickle(f"it holds {_called(root)} instead of a DataFrame")
    manager = root.state.get("_mgr") if isinstance(root.state, dict) else None
    if not is_node(manager, "BlockManager") or len(manager.args) != 2 or manager.state is not None:
        raise RefusedPickle("it is not a DataFrame as pandas 1.5 to 3 write it")
    blocks, axes = manager.args
    if not isinstance(blocks, tuple) or not isinstance(axes, list | tuple) or len(axes) != 2:
        raise RefusedPickle("it is a damaged DataFrame")
    names = [str(name) if isinstance(name, str | int) else "" for name in _index_cells(axes[0])]
    owners = _owners(blocks, len(names))
    columns = {}
    for name in dict.fromkeys(wanted):
        if names.count(name) > 1:
            raise RefusedPickle(f"it has {names.count(name)} columns named {name!r}")
        if name in names:
            values, row = owners[names.index(name)]
            columns[name] = _column(values, row)
    if len({len(cells) for cells in columns.values()}) > 1:
        raise RefusedPickle("its columns differ in length")
    return names, columns


def _called(value: Any) -> str:
    return f"a {value.name}" if isinstance(value, Node) else f"a value of type {type(value).__name__}"


def _owners(blocks: Sequence[Any], n_columns: int) -> list[tuple[Any, int]]:
    """For every column the values of its block, and which of the block's columns it is."""
    owners: dict[int, tuple[Any, int]] = {}
    for block in blocks:
        if not is_node(block, "_unpickle_block") or len(block.args) != 3:
            raise RefusedPickle("it holds a damaged block of columns")
        values, placement, _ = block.args
        for row, column in enumerate(_placement(placement, n_columns)):
            if column in owners:
                raise RefusedPickle("two of its blocks claim the same column")
            owners[column] = (values, row)
    if sorted(owners) != list(range(n_columns)):
        raise RefusedPickle("its blocks do not make up its columns")
    return [owners[column] for column in range(n_columns)]


def _placement(node: Any, n_columns: int) -> list[int]:
    """The columns that a block's rows are."""
    if is_node(node, "slice") and len(node.args) == 3:
        start, stop, step = node.args
        if all(type(x) is int for x in (start, stop, step)) and step != 0:
            places = range(start, stop, step)
        else:
            raise RefusedPickle("it holds a damaged block of columns")
    else:
        array = numpy_array(node)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise RefusedPickle("it holds a damaged block of columns")
        places = array.tolist()
    if len(places) > n_columns or not all(0 <= place < n_columns for place in places):
        raise RefusedPickle("it holds a block of columns that are not there")
    return list(places)


def _column(values: Any, row: int) -> list[Cell]:
    if is_numpy_array(values):
        return _cells_of(_row(numpy_array(values), row))
    if is_node(values, "__pyx_unpickle_NDArrayBacked") and is_stand_in(_first(values.args), "DatetimeArray"):
        return _cells_of(_row(numpy_array(_backing(values)[1]), row))
    if row != 0:
        raise RefusedPickle("it holds a damaged block of columns")
    return _extension_cells(values, 0)


def _row(array: np.ndarray, row: int) -> np.ndarray:
    if array.ndim == 1 and row == 0:
        return array
    if array.ndim != 2 or row >= len(array):
        raise RefusedPickle("it holds a damaged block of columns")
    return array[row]


def _extension_cells(node: Any, depth: int) -> list[Cell]:
    """The cells of a one-dimensional array, pandas' own or NumPy's."""
    if depth > _MAX_DEPTH:
        raise RefusedPickle("it holds arrays nested without end")
    if is_numpy_array(node):
        return _cells_of(_flat(numpy_array(node)))
    if is_node(node, "__pyx_unpickle_NDArrayBacked"):
        return _backed_cells(node, depth)
    if not isinstance(node, Node) or node.name not in _READERS:
        return _foreign_column(node)
    state = node.state
    if not isinstance(state, dict):
        raise RefusedPickle(f"it holds a damaged {node.name}")
    return _READERS[node.name](state)


def _backed_cells(node: Node, depth: int) -> list[Cell]:
    """Arrays of pandas that wrap one of NumPy's."""
    dtype, backing = _backing(node)
    array = _flat(numpy_array(backing))
    kind = getattr(_first(node.args), "name", "")
    if kind == "Categorical":
        state = dtype.state if is_node(dtype, "CategoricalDtype") else None
        if array.dtype.kind != "i" or not isinstance(state, dict):
            raise RefusedPickle("it holds a damaged Categorical")
        categories = _index_cells(state.get("categories"), depth + 1)
        if array.size and not -1 <= array.min() <= array.max() < len(categories):
            raise RefusedPickle("it holds a Categorical whose codes lead outside of its categories")
        return [None if code < 0 else categories[code] for code in array.tolist()]
    if kind in ("StringArray", "StringArrayNumpySemantics", "DatetimeArray", "NumpyExtensionArray", "PandasArray"):
        return _cells_of(array)
    return [Foreign(f"a value of a {kind or 'column of unknown type'}")] * len(array)


def _backing(node: Node) -> tuple[Any, Any]:
    """The dtype and the NumPy array of a wrapping array: its state, or the third argument."""
    state = node.state if node.state is not None else (node.args[2] if len(node.args) == 3 else None)
    if not isinstance(state, tuple) or len(state) < 2:
        raise RefusedPickle("it holds a damaged pandas array")
    return state[0], state[1]


def _masked(state: dict[str, Any]) -> list[Cell]:
    """Nullable numbers: values and a mask of the missing."""
    values, mask = _flat(numpy_array(state.get("_data"))), _flat(numpy_array(state.get("_mask")))
    if mask.dtype.kind != "b" or len(mask) != len(values):
        raise RefusedPickle("it holds nullable numbers whose mask does not fit")
    return [None if missing else cell for cell, missing in zip(plain_cells(values), mask.tolist(), strict=True)]


def _arrow(state: dict[str, Any]) -> list[Cell]:
    return arrow_cells(state["_pa_array"] if "_pa_array" in state else state.get("_data"))


_READERS: dict[str, Callable[[dict[str, Any]], list[Cell]]] = {
    "ArrowExtensionArray": _arrow,
    "ArrowStringArray": _arrow,
    "ArrowStringArrayNumpySemantics": _arrow,
    "BooleanArray": _masked,
    "FloatingArray": _masked,
    "IntegerArray": _masked,
}


def _foreign_column(node: Any) -> list[Cell]:
    """Sparse columns and intervals are read by no part of repviz; their length is not worth finding out."""
    raise RefusedPickle(f"a column that is needed is {_called(node)}; convert it with astype() before saving")


def _index_cells(node: Any, depth: int = 0) -> list[Cell]:
    """The entries of an index."""
    if depth > _MAX_DEPTH:
        raise RefusedPickle("it holds arrays nested without end")
    if not is_node(node, "_new_Index") or len(node.args) != 2 or not isinstance(node.args[1], dict):
        raise RefusedPickle("it holds an index that is not a plain one")
    parts = node.args[1]
    if is_stand_in(node.args[0], "RangeIndex"):
        bounds = [parts.get(name) for name in ("start", "stop", "step")]
        if not all(type(bound) is int and abs(bound) < 2**31 for bound in bounds) or bounds[2] == 0:
            raise RefusedPickle("it holds a damaged RangeIndex")
        return list(range(*bounds))
    if is_stand_in(node.args[0], "MultiIndex"):
        raise RefusedPickle("its columns have names of several levels; give each column one plain name")
    return _extension_cells(parts.get("data"), depth + 1)


def _cells_of(array: np.ndarray) -> list[Cell]:
    if array.dtype.kind != "O":
        return plain_cells(array)
    return [_cell(value) for value in array.tolist()]


def _cell(value: Any) -> Cell:
    """A cell of an object column: a plain value, or a node that stands for one."""
    if is_stand_in(value, "NA") or is_node(value, "__nat_unpickle", "_nat_unpickle"):
        return None
    if is_numpy_array(value):
        return plain_cell(numpy_array(value))
    if is_node(value, "Decimal") and len(value.args) == 1 and isinstance(value.args[0], str):
        return _decimal(value.args[0])
    return Foreign(f"a {value.name}") if isinstance(value, Node) else plain_cell(value)


def _decimal(text: str) -> Cell:
    try:
        return plain_cell(float(text))
    except ValueError:
        return Foreign(f"the Decimal {text[:40]!r}")


def _first(items: Sequence[Any]) -> Any:
    return items[0] if items else None


def _flat(array: np.ndarray) -> np.ndarray:
    """The only row of an array that pandas keeps as a block of one row, or the array itself."""
    if array.ndim == 2 and len(array) == 1:
        return array[0]
    if array.ndim != 1:
        raise RefusedPickle("it holds a damaged pandas array")
    return array
