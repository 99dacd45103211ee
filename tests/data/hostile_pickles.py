"""Pickles that would do harm: run code, read out of bounds, take all memory or overflow the stack."""

import functools
import gzip
import io
import operator
import os
import pickle
import struct
import subprocess
import zipfile
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy._core.multiarray import _reconstruct, scalar
from numpy._core.numeric import _frombuffer
from pandas._libs.internals import _unpickle_block
from pandas.core.indexes.base import _new_Index
from pandas.core.internals.managers import BlockManager


class Call:
    """Pickles as a call of ``function`` with ``args``, then BUILD with ``state``, whatever they are."""

    def __init__(self, function: Any, args: tuple = (), state: Any = None) -> None:
        self.parts = (function, args, state)

    def __reduce__(self) -> tuple:
        function, args, state = self.parts
        return (function, args) if state is None else (function, args, state)


class Name:
    """Pickles as the global ``module.name``, which need not exist."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Pickler(pickle._Pickler):
    """Python's own pickler, which also writes ``Name``."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Name):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            function, args, state = obj.parts
            self.save(function)
            self.save(args)
            self.write(pickle.REDUCE)
            if state is not None:
                self.save(state)
                self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def dumps(obj: Any, protocol: int = 4) -> bytes:
    """Pickle ``obj``, recursive or not, real or not."""
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(obj)
    return stream.getvalue()


def dtype(code: str, order: str = "<", *rest: Any) -> Call:
    """A dtype with any state."""
    usual = (3, order, None, None, None, -1, -1, 63 if code[0] == "O" else 0)
    return Call(np.dtype, (code, False, True), rest[0] if rest else usual)


def array(shape: Any, kind: Any, data: Any, fortran: bool = False) -> Call:
    """A NumPy array with any state."""
    return Call(_reconstruct, (np.ndarray, (0,), b"b"), (1, shape, kind, fortran, data))


def objects(cells: list) -> Call:
    """A block of one object column."""
    return array((1, len(cells)), dtype("O8", "|"), cells)


def index(data: Any) -> Call:
    """An index with any data."""
    return Call(_new_Index, (pd.Index, {"data": data, "name": None}))


def frame(values: Any, *, placement: Any = slice(0, 1, 1), columns: Any = None, **state: Any) -> bytes:
    """A DataFrame of one column ``id`` that holds any values."""
    columns = index(array((1,), dtype("O8", "|"), ["id"])) if columns is None else columns
    rows = Call(_new_Index, (pd.RangeIndex, {"name": None, "start": 0, "stop": 2, "step": 1}))
    blocks = (Call(_unpickle_block, (values, placement, 2)),)
    manager = Call(BlockManager, (blocks, [columns, rows]))
    return dumps(Call(pd.DataFrame, (), {"_mgr": manager, "_typ": "dataframe", "attrs": {}, **state}))


def arrow(kind: str, length: int, offset: int, *buffers: bytes | None) -> Call:
    """A column of an Arrow array."""
    made = [None if b is None else Call(Name("pyarrow.lib", "py_buffer"), (b,)) for b in buffers]
    data = (Call(Name("pyarrow.lib", "type_for_alias"), (kind,)), length, 0, offset, made, [], None)
    restored = Call(Name("pyarrow.lib", "_restore_array"), (data,))
    return Call(Name("pandas.arrays", "ArrowStringArray"), (), {"_pa_array": restored, "_dtype": None})


def arrow_text(length: int = 2, offset: int = 0, starts: tuple[int, ...] = (0, 2, 3), text: bytes = b"abc") -> Call:
    """A column of Arrow texts: "ab" and "c"."""
    return arrow("string", length, offset, None, struct.pack(f"<{len(starts)}i", *starts), text)


def backed(kind: str, *state: Any) -> Call:
    """One of pandas' arrays that wrap NumPy's."""
    unpickle = Name("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked")
    return Call(unpickle, (Name("pandas.arrays" if kind != "Categorical" else "pandas", kind), 82904607, None), state)


def categorical(codes: bytes, categories: Any) -> Call:
    """A categorical column of one-byte codes."""
    kind = Call(pd.CategoricalDtype, (), {"categories": categories, "ordered": False})
    return backed("Categorical", kind, array((len(codes),), dtype("i1", "|"), codes))


def corpus(canary: Path) -> dict[str, tuple[bytes, str | None]]:
    """Hostile pickles by name, each with the global that its refusal must name, None where none is to blame.

    Those that run code make the file ``canary``.
    """
    return {**opcodes(canary), **costly()}


def harmless() -> dict[str, bytes]:
    """Frames that are read although a cell holds what would be harmful elsewhere: nobody looks into it."""
    laughs: Any = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    return {"a billion laughs": frame(objects([laughs])), "a table": frame(objects([Call(pd.DataFrame)]))}


def calling(canary: Path) -> dict[str, tuple[bytes, str | None]]:
    """Names that no table needs, reached in every way there is."""
    touch, python = f"touch {canary}", f"open({str(canary)!r}, 'w')"
    wanted = {
        "os.system": (os.system, (touch,), f"{os.system.__module__}.system"),
        "subprocess.Popen": (subprocess.Popen, (["touch", str(canary)],), "subprocess.Popen"),
        "eval": (eval, (python,), "builtins.eval"),
        "exec": (exec, (python,), "builtins.exec"),
        "compile": (compile, (python, "x", "exec"), "builtins.compile"),
        "open": (open, (str(canary), "w"), "open"),
        "import": (__import__, ("os",), "builtins.__import__"),
        "partial": (functools.partial, (os.system, touch), "functools.partial"),
        "attrgetter": (operator.attrgetter, ("system",), "operator.attrgetter"),
        "methodcaller": (operator.methodcaller, ("system", touch), "operator.methodcaller"),
        "getattr of a table": (getattr, (pd.DataFrame, "__init__"), "builtins.getattr"),
        "getattr of a time zone": (getattr, (zoneinfo.ZoneInfo, "__globals__"), "builtins.getattr"),
        "getattr chain": (Call(getattr, (Name("os", "path"), "os")), (touch,), "os.path"),
        "pandas.eval": (pd.eval, ("@__import__('os')",), "pandas."),
        "pandas.read_pickle": (pd.read_pickle, (str(canary),), "pandas."),
        "numpy.load": (np.load, (str(canary),), "numpy.load"),
        "numpy.f2py": (Name("numpy.f2py", "compile"), ("x",), "numpy.f2py.compile"),
        "numpy.testing": (Name("numpy.testing._private.utils", "runstring"), (python, {}), "runstring"),
        "dotted": (Name("pandas", "io.common.os.system"), (touch,), "pandas.io.common.os.system"),
        "dotted in an allowed name": (Name("pandas", "DataFrame.eval"), (touch,), "pandas.DataFrame.eval"),
        "module with a trailing dot": (Name("pandas.", "DataFrame"), (), "pandas..DataFrame"),
        "marshal": (Name("marshal", "loads"), (b"",), "marshal.loads"),
        "a function of code": (Name("types", "FunctionType"), (), "types.FunctionType"),
        "torch": (Name("torch.storage", "_load_from_bytes"), (b"",), "torch.storage._load_from_bytes"),
        "joblib": (Name("joblib.numpy_pickle", "NumpyArrayWrapper"), (), "joblib.numpy_pickle"),
        "codecs": (Name("codecs", "open"), (str(canary), "w"), "codecs.open"),
        "ctypes": (Name("ctypes", "CDLL"), ("libc.so.6",), "ctypes.CDLL"),
        "pickle": (Name("pickle", "loads"), (b"",), "pickle.loads"),
        "this package": (Name("repviz.data.unpickling", "_read_trusting"), (), "repviz.data.unpickling"),
        "a name with a line break": (Name("x\ry", "z\x1b[31m"), (), "x"),
        "a long name": (Name("x" * 5000, "y" * 5000), (), "xxxxxxxx"),
    }
    cases = {}
    for name, (function, args, words) in wanted.items():
        call = Call(function, args)
        cases[f"{name}, reduce"] = dumps(call), words
        cases[f"{name}, protocol 3"] = dumps(call, 3), words
        cases[f"{name}, in a cell"] = frame(objects(["a", call])), words
        cases[f"{name}, in attrs"] = frame(objects(["a", "b"]), attrs={"x": call}), words
    evil = Call(os.system, (touch,))
    words = f"{os.system.__module__}.system"
    cases |= {f"os.system, protocol {p}": (dumps(evil, p), words) for p in (2, 5)}
    cases |= {
        "in a column name": (frame(objects(["a"]), columns=index(array((1,), dtype("O8", "|"), [evil]))), words),
        "in a dtype": (frame(array((1, 1), Call(np.dtype, (evil, False, True)), b"")), words),
        "in a placement": (frame(objects(["a"]), placement=evil), words),
        "as a dictionary key": (dumps({evil: 1}), words),
        "codec": (dumps(Call(Name("_codecs", "encode"), ("x", "rot13"))), None),
        "bytes of a length": (dumps(Call(bytearray, (2**40,))), None),
        "persistent id in a frame": (frame(Call(Name("numpy", "dtype"), ())), None),
    }
    return cases


def opcodes(canary: Path) -> dict[str, tuple[bytes, str | None]]:
    """Opcodes that no table needs."""
    module = os.system.__module__.encode()
    text = f"touch {canary}".encode()
    argument = b"X" + struct.pack("<I", len(text)) + text
    table = b"cpandas\nDataFrame\n"
    words = f"{os.system.__module__}.system"
    return {
        "os.system, INST": (b"\x80\x02(" + argument + b"i" + module + b"\nsystem\n.", words),
        "os.system, OBJ": (b"\x80\x02(c" + module + b"\nsystem\n" + argument + b"o.", words),
        "os.system, STACK_GLOBAL": (
            b"\x80\x04\x8c" + bytes([len(module)]) + module + b"\x8c\x06system\x93" + argument + b"\x85R.",
            words,
        ),
        "Popen, NEWOBJ": (b"\x80\x02csubprocess\nPopen\n" + argument + b"\x85\x81.", "subprocess.Popen"),
        "Popen, NEWOBJ_EX": (b"\x80\x04csubprocess\nPopen\n" + argument + b"\x85}\x92.", "subprocess.Popen"),
        "table, INST": (b"\x80\x02(ipandas\nDataFrame\n.", None),
        "table, OBJ": (b"\x80\x02(" + table + b"o.", None),
        "table, NEWOBJ_EX": (b"\x80\x04" + table + b")}X\x01\x00\x00\x00aK\x01s\x92.", None),
        "EXT1": (b"\x80\x02\x82\x01.", None),
        "EXT2": (b"\x80\x02\x83\x01\x01.", None),
        "EXT4": (b"\x80\x02\x84\x01\x01\x01\x01.", None),
        "PERSID": (b"\x80\x02Pwhatever\n.", None),
        "BINPERSID": (b"\x80\x02K\x01Q.", None),
        "NEXT_BUFFER": (b"\x80\x05\x97.", None),
        "state for a class": (b"\x80\x02" + table + b"}X\x01\x00\x00\x00aK\x01sb.", None),
        "slots for a class": (b"\x80\x02" + table + b"N}X\x0c\x00\x00\x00__setstate__K\x01s\x86b.", None),
        "state for a function": (b"\x80\x02c_codecs\nencode\nN}X\x08\x00\x00\x00__code__K\x01s\x86b.", None),
        "state for a function, then a table": (
            b"\x80\x04c_codecs\nencode\nN}X\x09\x00\x00\x00_functionK\x01s\x86b0" + frame(objects(["a"]))[2:],
            None,
        ),
        "append to a table": (b"\x80\x02" + table + b")RK\x01a.", None),
        "items for a table": (b"\x80\x02" + table + b")RK\x01K\x02s.", None),
        "call of a number": (b"\x80\x02K\x01)R.", None),
        "nothing on the stack": (b"\x80\x02R.", None),
        "only a header": (b"\x80\x04", None),
        "protocol in the middle": (b"\x80\x04\x80\xff.", None),
        "unknown opcode": (b"\x80\x04\xfe.", None),
    }


def tampered() -> dict[str, bytes]:
    """Frames whose arrays are not what they claim."""
    number, obj = dtype("f8"), dtype("O8", "|")
    loop: list = []
    loop.append(loop)
    plain = np.arange(2)
    own = index(plain)
    own.parts = (_new_Index, (pd.Index, {"data": categorical(b"\0\0", own), "name": None}), None)
    fields = dtype("V8", "|", (3, "|", None, ("a",), {"a": (obj, 0)}, 8, 1, 0))
    frames = {
        "objects out of bytes": array((1, 1), obj, b"\x10" * 8),
        "scalar object out of bytes": Call(scalar, (obj, b"\x41" * 8)),
        "object cell out of bytes": objects([Call(scalar, (obj, b"\x41" * 8))]),
        "numbers out of objects": array((1, 1), number, [1]),
        "dtype with fields": array((1, 1), fields, b"1" * 8),
        "dtype with a base": array((1, 1), dtype("V8", "|", (3, "|", (obj, (1,)), None, None, 8, 1, 0)), b"1" * 8),
        "dtype with a size": array((1, 1), dtype("V8", "|", (3, "|", None, None, None, 2**40, 1, 63)), b"1" * 8),
        "dtype with flags": array((1, 1), dtype("f8", "<", (3, "<", "x", None, None, 8, 1, 63)), b"1" * 8),
        "dtype of no kind": array((1, 1), dtype("Z9"), b"1" * 8),
        "dtype of commas": array((1, 1), dtype("f8,O"), b"1" * 16),
        "dtype without state": array((1, 1), Call(np.dtype, (["x"],)), b""),
        "dtype of a wrong order": array((1, 1), dtype("f8", "?"), b"1" * 8),
        "dates without a unit": array((1, 1), dtype("M8"), b"1" * 8),
        "shape larger than bytes": array((1, 2**35), number, b"1" * 8),
        "negative shape": array((1, -1), number, b""),
        "shape of floats": array((1.0, 1.0), number, b"1" * 8),
        "shape that overflows": array((2**39, 2**39), number, b""),
        "no shape": array(None, number, b"1" * 8),
        "buffer larger than bytes": Call(_frombuffer, (b"1" * 8, number, (1, 2), "C")),
        "buffer of a wrong order": Call(_frombuffer, (b"1" * 8, number, (1, 1), "Z")),
        "buffer with a wrong axis": Call(_frombuffer, (b"1" * 8, number, (1, 1), "K", (5, 5))),
        "array of a wrong class": Call(_reconstruct, (pd.DataFrame, (0,), b"b"), (1, (1, 1), number, False, b"1" * 8)),
        "array without state": Call(_reconstruct, (np.ndarray, (0,), b"b")),
        "texts beyond Unicode": array((1, 1), dtype("U1"), b"\xff\xff\xff\x7f"),
        "codes beyond categories": categorical(b"\x05\x00", index(objects(["a", "b"]))),
        "codes below categories": categorical(b"\x80\x00", index(objects(["a", "b"]))),
        "categories in themselves": categorical(b"\0\0", own),
        "offsets outside": arrow_text(starts=(0, 2, 2**30)),
        "negative offsets": arrow_text(starts=(-5, 2, 3)),
        "falling offsets": arrow_text(starts=(0, 3, 1)),
        "too few offsets": arrow_text(length=1000),
        "impossible length": arrow_text(length=2**62),
        "negative length": arrow_text(length=-1),
        "texts that are not UTF-8": arrow_text(text=b"\xff\xfe\xfd"),
        "too few numbers": arrow("double", 10, 0, None, b"1" * 8),
        "too few bits": arrow("bool", 100, 0, b"\xff", b"\xff"),
        "nullable with a wrong mask": Call(
            Name("pandas.arrays", "FloatingArray"), (), {"_data": array((2,), number, b"1" * 16), "_mask": plain}
        ),
        "values of no kind": {"a": 1},
        "values without end": loop,
    }
    cases = {name: frame(values) for name, values in frames.items()}
    cases["scalar object out of bytes, alone"] = dumps(Call(scalar, (obj, b"\x41" * 8)))
    far = index(array((1,), obj, ["id"]))
    cases |= {
        "placement beyond": frame(objects(["a"]), placement=slice(5, 6, 1)),
        "placement without end": frame(objects(["a"]), placement=slice(0, 2**62, 1)),
        "placement of no step": frame(objects(["a"]), placement=slice(0, 1, 0)),
        "columns of several levels": frame(objects(["a"]), columns=Call(_new_Index, (pd.MultiIndex, {}))),
        "columns without end": frame(
            objects(["a"]), columns=Call(_new_Index, (pd.RangeIndex, {"start": 0, "stop": 2**62, "step": 1}))
        ),
        "rows of a wrong axis": dumps(Call(pd.DataFrame, (), {"_mgr": Call(BlockManager, ((), [far]))})),
        "state that is no dictionary": dumps(Call(pd.DataFrame, (), [1, 2])),
        "a series": dumps(pd.Series([1])),
        "a list": dumps([1, 2]),
        "a list in itself": dumps(loop),
    }
    return cases


def costly() -> dict[str, tuple[bytes, str | None]]:
    """Small files that ask for all memory, or for the whole stack."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", b"0" * 10**6)
    laughs: Any = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    whole = frame(objects(["a", "b"]))
    return {
        "memo far away": (b"\x80\x02Nr\xff\xff\xff\xff.", None),
        "memo that is not there": (b"\x80\x02h\x07.", None),
        "a frame of exabytes": (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.", None),
        "bytes of exabytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"N.", None),
        "a text of exabytes": (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"N.", None),
        "a number of gigabytes": (b"\x80\x02\x8b\xff\xff\xff\x7f.", None),
        "a negative number length": (b"\x80\x02\x8b\xff\xff\xff\xff.", None),
        "deep tuple": (b"\x80\x02)" + b"\x85" * 10**6 + b".", None),
        "deep tuple as a key": (b"\x80\x02})" + b"\x85" * 10**6 + b"Ns.", None),
        "deep marks": (b"\x80\x02" + b"(" * 10**6 + b".", None),
        "a billion laughs": (frame(laughs), None),
        "gzip bomb": (gzip.compress(b"\x80\x04" + b"N" * 10**7), None),
        "zip bomb": (packed.getvalue(), None),
        "truncated": (whole[: len(whole) // 2], None),
        "truncated at the end": (whole[:-1], None),
        "empty": (b"", None),
    }
