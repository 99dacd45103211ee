"""The names that the pickle of a table may ask for, and the inert stand-ins that it gets instead of them.

No name here is ever imported. A pickle that asks for ``pandas.DataFrame`` gets a class of our own that keeps the
arguments and the state it is given and does nothing else, so that REDUCE, NEWOBJ and BUILD have nothing to run.
The names are those that pandas 1.5 to 3 write (with NumPy 1 and 2, with and without pyarrow), exact, by module.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

_PANDAS_DTYPES = (
    "ArrowDtype BooleanDtype CategoricalDtype DatetimeTZDtype Float32Dtype Float64Dtype Int16Dtype Int32Dtype "
    "Int64Dtype Int8Dtype IntervalDtype NumpyEADtype PandasDtype PeriodDtype SparseDtype StringDtype UInt16Dtype "
    "UInt32Dtype UInt64Dtype UInt8Dtype"
)
_PANDAS_INDEXES = (
    "CategoricalIndex DatetimeIndex Float64Index Index Int64Index IntervalIndex MultiIndex PeriodIndex RangeIndex "
    "TimedeltaIndex UInt64Index"
)
_PANDAS_ARRAYS = (
    "ArrowExtensionArray ArrowStringArray BooleanArray Categorical DatetimeArray FloatingArray IntegerArray "
    "IntervalArray NumpyExtensionArray PeriodArray SparseArray StringArray TimedeltaArray"
)

_BY_MODULE = {
    "builtins": "complex frozenset set slice",
    "collections": "Counter defaultdict deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "dateutil.relativedelta": "relativedelta",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "numpy": "dtype ndarray",
    "numpy._core.multiarray": "_reconstruct",
    "numpy._core.numeric": "_frombuffer",
    "numpy.core.multiarray": "_reconstruct",
    "numpy.core.numeric": "_frombuffer",
    "pandas": f"{_PANDAS_DTYPES} {_PANDAS_INDEXES} Categorical DataFrame DateOffset Interval NA Period Series",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.interval": "Interval __pyx_unpickle_IntervalMixin",
    "pandas._libs.missing": "NA",
    "pandas._libs.sparse": "BlockIndex IntIndex",
    "pandas._libs.tslibs.nattype": "__nat_unpickle _nat_unpickle",
    "pandas._libs.tslibs.offsets": (
        "BHalfYearBegin BHalfYearEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd BusinessDay BusinessHour "
        "BusinessMonthBegin BusinessMonthEnd CustomBusinessDay CustomBusinessHour CustomBusinessMonthBegin "
        "CustomBusinessMonthEnd DateOffset Day Easter FY5253 FY5253Quarter HalfYearBegin HalfYearEnd Hour "
        "LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd Nano QuarterBegin QuarterEnd Second SemiMonthBegin "
        "SemiMonthEnd Week WeekOfMonth YearBegin YearEnd"
    ),
    "pandas._libs.tslibs.period": "Period",
    "pandas._libs.tslibs.timedeltas": "_timedelta_unpickle",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
    "pandas.arrays": _PANDAS_ARRAYS,
    "pandas.core.arrays.arrow.array": "ArrowExtensionArray",
    "pandas.core.arrays.arrow.dtype": "ArrowDtype",
    "pandas.core.arrays.boolean": "BooleanArray BooleanDtype",
    "pandas.core.arrays.categorical": "Categorical",
    "pandas.core.arrays.datetimes": "DatetimeArray",
    "pandas.core.arrays.floating": "Float32Dtype Float64Dtype FloatingArray",
    "pandas.core.arrays.integer": (
        "Int16Dtype Int32Dtype Int64Dtype Int8Dtype IntegerArray UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype"
    ),
    "pandas.core.arrays.interval": "IntervalArray",
    "pandas.core.arrays.numpy_": "NumpyExtensionArray PandasArray",
    "pandas.core.arrays.period": "PeriodArray",
    "pandas.core.arrays.sparse.array": "SparseArray",
    "pandas.core.arrays.sparse.dtype": "SparseDtype",
    "pandas.core.arrays.string_": "StringArray StringArrayNumpySemantics StringDtype",
    "pandas.core.arrays.string_arrow": "ArrowStringArray ArrowStringArrayNumpySemantics",
    "pandas.core.arrays.timedeltas": "TimedeltaArray",
    "pandas.core.dtypes.dtypes": _PANDAS_DTYPES,
    "pandas.core.frame": "DataFrame",
    "pandas.core.indexes.base": "Index _new_Index",
    "pandas.core.indexes.category": "CategoricalIndex",
    "pandas.core.indexes.datetimes": "DatetimeIndex _new_DatetimeIndex",
    "pandas.core.indexes.frozen": "FrozenList",
    "pandas.core.indexes.interval": "IntervalIndex _new_IntervalIndex",
    "pandas.core.indexes.multi": "MultiIndex",
    "pandas.core.indexes.numeric": "Float64Index Int64Index UInt64Index",
    "pandas.core.indexes.period": "PeriodIndex _new_PeriodIndex",
    "pandas.core.indexes.range": "RangeIndex",
    "pandas.core.indexes.timedeltas": "TimedeltaIndex",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pandas.core.series": "Series",
    "pyarrow.lib": (
        "_restore_array binary chunked_array date32 date64 decimal128 decimal256 dictionary duration field "
        "large_list list_ map_ py_buffer struct time32 time64 timestamp type_for_alias"
    ),
    "pytz": "_UTC _p",
    "uuid": "UUID",
    "zoneinfo": "ZoneInfo",
}
# Protocol 2 spells these modules as Python 2 did.
_BY_MODULE["__builtin__"] = _BY_MODULE["builtins"]
_BY_MODULE["copy_reg"] = _BY_MODULE["copyreg"]

NAMES = frozenset((module, name) for module, names in _BY_MODULE.items() for name in names.split())
"""The exact ``(module, name)`` pairs that get a stand-in."""


class RefusedPickle(Exception):
    """The pickle asks for, or holds, something that the pickle of a table does not."""


class Node:
    """What one call or object in the pickle was: its name, arguments and state; nothing of it has run."""

    __slots__ = ("args", "state")
    name: ClassVar[str]
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> "Node":
        node = object.__new__(cls)
        node.args = args
        node.state = None
        return node

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Conversion:
    """A function of our own that the pickle may call; it cannot be given state, so it stays what it is."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickle("it gives state to a function")


@functools.cache
def stand_in(name: str) -> type[Node]:
    """Give the class that stands for ``name``, the same one each time."""
    return type(name, (Node,), {"__slots__": (), "name": name})


def is_node(value: Any, *names: str) -> bool:
    """Tell whether ``value`` is an object or a call result of one of ``names``."""
    return isinstance(value, Node) and value.name in names


def is_stand_in(value: Any, name: str) -> bool:
    """Tell whether ``value`` is the very class that stands for ``name``."""
    return isinstance(value, type) and value is stand_in(name)
