"""Arrays of Python objects: texts and whole numbers come out, nothing is ever executed."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from repviz.data.npz import read_npz
from repviz.data.object_arrays import RefusedPickle, decode_object_array
from repviz.errors import DataError
from tests.data.npz_samples import npy_bytes, npy_claiming, save, save_with_member, tiny_arrays


def payload(array: np.ndarray, protocol: int = 4) -> bytes:
    return pickle.dumps(array, protocol=protocol)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol_that_writes_texts(protocol):
    values = ["ant", "ä漢\n'\\", "", "x" * 70_000, 7, -(2**40), 2**62]
    array = np.array(values, dtype=object)
    assert decode_object_array(payload(array, protocol), len(array)) == values


def test_thousands_of_texts_with_repeats():
    values = [f"name {i % 700}" for i in range(5000)]
    assert decode_object_array(payload(np.array(values, dtype=object)), 5000) == values


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_scalars_among_the_objects(protocol):
    values = [np.str_("ä"), np.array("漢", ">U1")[()], np.bytes_(b"b"), np.int8(-3), np.uint64(2**63 - 1), "plain"]
    array = np.array(values, dtype=object)
    assert decode_object_array(payload(array, protocol), 6) == ["ä", "漢", "b", -3, 2**63 - 1, "plain"]


def test_older_numpy_wrote_another_module_name():
    array = payload(np.array(["a", "b"], dtype=object), 3)
    old = array.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != array
    assert decode_object_array(old, 2) == ["a", "b"]


class Hostile:
    """On unpickling it calls ``function(*args)``."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def hostile_objects(canary: Path) -> dict[str, object]:
    import builtins
    import os
    import subprocess

    touch = f"touch {canary}"
    code = f"open({str(canary)!r}, 'w').close()"
    return {
        "system": Hostile(os.system, touch),
        "popen": Hostile(subprocess.Popen, ["touch", str(canary)]),
        "eval": Hostile(builtins.eval, code),
        "exec": Hostile(builtins.exec, code),
        "open": Hostile(open, str(canary), "w"),
        "getattr": Hostile(builtins.getattr, os, "system"),
        "mkdir": Hostile(os.mkdir, str(canary)),
        "write": Hostile(Path.touch, canary),
        "memmap": Hostile(np.memmap, str(canary), "f4", "w+", 0, (9,)),
        "numpy load": Hostile(np.load, str(canary), None, True),
        "save": Hostile(np.save, str(canary), np.ones(3)),
    }


@pytest.mark.parametrize("name", hostile_objects(Path("canary")))
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_is_executed(tmp_path, name, protocol):
    canary = tmp_path / "canary"
    hostile = hostile_objects(canary)[name] if name != "getattr" else hostile_objects(canary)["system"]
    inside = np.array(["ant", hostile, "cat"], dtype=object)
    for element in (pickle.dumps(inside, protocol=protocol), pickle.dumps(hostile, protocol=protocol)):
        for key in ("classes", "id_train", "text_train"):
            length = len(tiny_arrays()[key])
            path = save_with_member(tmp_path / "data.npz", key, npy_claiming("|O", (length,), element))
            with pytest.raises(DataError, match=f"{key}: an array of Python objects"):
                read_npz(path)
            assert not canary.exists()


def test_the_canary_would_appear_if_it_were_unpickled(tmp_path):
    canary = tmp_path / "canary"
    pickle.loads(npy_bytes(np.array([hostile_objects(canary)["system"]], dtype=object)).split(b"\n", 1)[1])
    assert canary.exists()


def test_the_error_says_what_was_asked_for(tmp_path):
    arrays = tiny_arrays() | {"classes": np.array(["a", Hostile(print, "x"), "b"], dtype=object)}
    with pytest.raises(DataError, match=r"classes: .*asks for builtins\.print"):
        read_npz(save(tmp_path / "data.npz", arrays))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"", "damaged"),
        (b".", "damaged"),
        (b"N.", "NoneType instead of an array"),
        (b"]q\x00h\x00a.", "list instead of an array"),
        (b"(lp0\nh\x05.", "damaged"),
        (b"\x94.", "damaged"),
        (b"(((.", "damaged"),
        (b"t.", "damaged"),
        (b"]]e.", "damaged"),
        (b"NN\x93.", "asks for None.None"),
        (b"cnumpy\nndarray\nN\x81.", "NEWOBJ"),
        (b"cnumpy\nndarray\n)R.", "instead of an array"),
        (b"cnumpy\ndtype\nNR.", "calls something"),
        (b"NNb.", "sets attributes"),
        (b"}N.", "EMPTY_DICT"),
        (b"(ios\nsystem\n.", "INST"),
        (b"Pid\n.", "PERSID"),
        (b"\x82\x01.", "EXT1"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fx", "damaged"),
        (b"\x8b\xff\xff\xff\x7f1", "damaged"),
        (b"I" + b"9" * 5000 + b"\n.", "damaged"),
        (b"c_codecs\nencode\nVx\nVrot13\n\x86R.", "damaged"),
        (b"cnumpy\nloadtxt\n.", "asks for numpy.loadtxt"),
        (b"cnumpy.core.multiarray\nscalar\n)R.", "a pickled _Call instead of an array"),
    ],
)
def test_streams_that_numpy_does_not_write(stream, reason):
    with pytest.raises(RefusedPickle, match=reason):
        decode_object_array(stream, 1)


@pytest.mark.parametrize(
    "element",
    [None, 1.5, True, 2**63, b"\xff", ["a"], ("a",), np.float64(1), np.bool_(True), np.datetime64("2020"), {"a"}],
)
def test_elements_that_are_no_names(element):
    array = np.empty(2, dtype=object)
    array[:] = "a", None
    array[1] = element
    with pytest.raises(RefusedPickle):
        decode_object_array(payload(array), 2)


def test_the_pickle_must_be_the_array_that_the_header_announced():
    array = payload(np.array(["a", "b"], dtype=object))
    for length in (0, 1, 3):
        with pytest.raises(RefusedPickle, match="does not fit"):
            decode_object_array(array, length)
    longer = array.replace(b"K\x02\x85", b"K\x03\x85")
    assert longer != array
    with pytest.raises(RefusedPickle, match="does not fit"):
        decode_object_array(longer, 3)


def test_texts_that_would_fill_the_memory_as_an_array(tmp_path, monkeypatch):
    """Thousands of references to one long text: small as a pickle, huge as NumPy's equally wide rows."""
    monkeypatch.setattr("repviz.data.npz_texts.memory_limit", lambda: 32 << 30)
    arrays = tiny_arrays()
    long = "x" * 2_000_000
    arrays["X_train_embed"] = np.ones((30_000, 3), np.float32)
    arrays |= {"y_train": np.arange(30_000) % 3, "text_train": np.array([long] * 30_000, dtype=object)}
    arrays = {key: value for key, value in arrays.items() if not key.startswith(("id", "financial"))}
    with pytest.raises(DataError, match=r"text_train: 30000 texts of up to 2000000 characters, 223\.5 GiB"):
        read_npz(save(tmp_path / "data.npz", arrays))
