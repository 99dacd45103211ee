"""Names that NumPy saved as Python objects, read without unpickling.

NumPy writes an array of dtype ``object`` as a pickle, and unpickling can run anything. This reads the opcodes with
``pickletools`` and acts on those that build texts, whole numbers, bytes, tuples and lists, and on the four functions
that NumPy's own form of such an array asks for, none of which is ever imported or called: a call is only noted down.
"""

import pickletools
from dataclasses import dataclass
from io import BytesIO
from typing import Any

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_ALLOWED = {
    **{(module, name): name for module in _ARRAY_MODULES for name in ("_reconstruct", "scalar")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): "string_dtype",
    ("_codecs", "encode"): "encode",
}
_CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_SINGLETONS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


class RefusedPickle(ValueError):
    """The pickle is not an array of texts or whole numbers; the message says what it is instead."""


@dataclass(frozen=True)
class _Name:
    """An importable name that the pickle mentions."""

    name: str


@dataclass(eq=False)
class _Call:
    """A call that the pickle asks for; noted, never made."""

    function: str
    args: tuple
    state: Any = None


def decode_object_array(payload: bytes, length: int) -> list[str | int]:
    """The texts and whole numbers of a one-dimensional NumPy object (or StringDType) array.

    Args:
        payload: the pickle after the array's header.
        length: number of elements that the header claims.

    Raises:
        RefusedPickle: anything else is in it; nothing of it was executed.
    """
    try:
        return _elements(_Machine().run(payload), length)
    except RefusedPickle:
        raise
    # What pickletools and a stack that runs empty raise on damaged bytes.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise RefusedPickle("a damaged pickle") from error


def _elements(array: Any, length: int) -> list[str | int]:
    if not isinstance(array, _Call) or array.function != "_reconstruct":
        raise RefusedPickle(f"a pickled {type(array).__name__} instead of an array")
    if not isinstance(array.state, tuple) or len(array.state) != 5:
        raise RefusedPickle("a damaged pickle")
    _, shape, _, _, elements = array.state
    if not isinstance(elements, list) or shape != (length,) or len(elements) != length:
        raise RefusedPickle("a pickle that does not fit the array's header")
    return [_plain(element, index) for index, element in enumerate(elements)]


def _plain(element: Any, index: int) -> str | int:
    if isinstance(element, _Call) and element.function == "scalar":
        element = _scalar(element)
    if isinstance(element, bytes):
        element = element.decode("utf-8")
    if type(element) is str or (type(element) is int and abs(element) < 1 << 63):
        return element
    kind = element.function if isinstance(element, _Call) else type(element).__name__
    raise RefusedPickle(f"a Python object ({kind}) at position {index}")


def _scalar(call: _Call) -> str | int | None:
    """The value of a pickled ``numpy.str_``, ``numpy.bytes_`` or NumPy integer; None for any other."""
    dtype, data = call.args if len(call.args) == 2 else (None, None)
    if not isinstance(dtype, _Call) or dtype.function != "dtype" or not isinstance(data, bytes):
        return None
    code = dtype.args[0] if dtype.args and isinstance(dtype.args[0], str) else ""
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "|"
    kind, size = code[:1], code[1:]
    if not size.isascii() or not size.isdigit() or len(size) > 9:
        return None
    big = order == ">"
    if kind == "U" and len(data) == 4 * int(size):
        return data.decode("utf-32-be" if big else "utf-32-le")
    if kind == "S" and len(data) == int(size):
        return data.decode("utf-8")
    if kind in ("i", "u") and len(data) == int(size) <= 8:
        return int.from_bytes(data, "big" if big else "little", signed=kind == "i")
    return None


class _Machine:
    """The pickle machine without its dangerous half: a stack, a memo, and notes of calls."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, payload: bytes) -> Any:
        for opcode, arg, _ in pickletools.genops(BytesIO(payload)):
            name = opcode.name
            if name in _CONSTANTS:
                self.stack.append(arg)
            elif name in _SINGLETONS:
                self.stack.append(_SINGLETONS[name])
            elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
                self.memo[len(self.memo) if name == "MEMOIZE" else arg] = self.stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[arg])
            elif name not in ("PROTO", "FRAME", "STOP"):
                self._build(name, arg)
        if len(self.stack) != 1:
            raise RefusedPickle("a damaged pickle")
        return self.stack[0]

    def _build(self, name: str, arg: Any) -> None:
        stack = self.stack
        if name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append([] if name == "EMPTY_LIST" else ())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._wrap(int(name[-1]))
        elif name in ("TUPLE", "LIST"):
            items = self._since_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._since_mark()
            self._top_list().extend(items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
            else:
                module, _, attribute = arg.partition(" ")
            stack.append(_allowed(module, attribute))
        elif name == "REDUCE":
            args, function = stack.pop(), stack.pop()
            stack.append(_call(function, args))
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], _Call) or stack[-1].state is not None:
                raise RefusedPickle("a pickle that sets attributes")
            stack[-1].state = state
        else:
            raise RefusedPickle(f"a pickle with {name}")

    def _wrap(self, count: int) -> None:
        if len(self.stack) < count:
            raise RefusedPickle("a damaged pickle")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _since_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise RefusedPickle("a damaged pickle")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def _top_list(self) -> list[Any]:
        if not isinstance(self.stack[-1], list):
            raise RefusedPickle("a damaged pickle")
        return self.stack[-1]


def _allowed(module: Any, attribute: Any) -> _Name:
    if not isinstance(module, str) or not isinstance(attribute, str) or (module, attribute) not in _ALLOWED:
        raise RefusedPickle(f"a pickle that asks for {str(module)[:40]}.{str(attribute)[:40]}")
    return _Name(_ALLOWED[module, attribute])


def _call(function: Any, args: Any) -> Any:
    if not isinstance(function, _Name) or not isinstance(args, tuple):
        raise RefusedPickle("a pickle that calls something")
    if function.name == "encode":  # how protocol 2 spells bytes
        if len(args) != 2 or not isinstance(args[0], str) or args[1] != "latin1":
            raise RefusedPickle("a damaged pickle")
        return args[0].encode("latin-1")
    return _Call(function.name, args)
