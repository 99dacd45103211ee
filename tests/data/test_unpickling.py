"""The reader of pickled tables: what pandas writes is read, what it does not write is refused and never runs."""

import io
import json
import os
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from repviz.data import unpickling
from repviz.data.cells import Foreign, from_arrays, plain_cell, to_arrays
from repviz.data.pickle_frames import read_frame
from repviz.data.pickle_names import RefusedPickle
from repviz.data.unpickling import TableUnpickler, read_table
from repviz.errors import DataError
from tests.data import hostile_pickles as hostile

PICKLES = Path(__file__).parent / "pickles"
UNREAD = {"sparse", "period", "interval"}


def comparable(cells):
    return [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells]


@pytest.mark.parametrize("path", sorted(PICKLES.glob("*.pkl")), ids=lambda path: path.stem)
def test_reads_what_pandas_wrote(path):
    expected = json.loads((PICKLES / f"{path.stem.rpartition('_')[0]}.json").read_text())
    table = read_table(path, list(expected))
    assert set(table.names) == set(expected) | UNREAD
    for name, cells in expected.items():
        got = comparable(table.columns[name])
        assert got == cells, name
        assert [type(cell) for cell in got] == [type(cell) for cell in cells], name


def test_there_is_a_pickle_of_every_version_and_protocol():
    assert len(list(PICKLES.glob("*.pkl"))) == 5 * 4


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_the_installed_pandas(tmp_path, protocol):
    table = pd.DataFrame({"id": ["a", "b", None], "x": [1.5, np.nan, np.inf], "v": [[1, 2.5], (3.0, 4), np.ones(2)]})
    table.to_pickle(tmp_path / "t.pkl", protocol=protocol)
    columns = read_table(tmp_path / "t.pkl", ["id", "x", "v", "absent"]).columns
    assert list(columns) == ["id", "x", "v"]
    assert columns["id"] == ["a", "b", None]
    assert columns["x"] == [1.5, None, np.inf]
    np.testing.assert_array_equal(columns["v"], [[1, 2.5], [3, 4], [1, 1]])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_blocks_of_several_columns_in_any_memory_order(tmp_path, protocol, order):
    values = np.asarray(np.arange(12.0).reshape(4, 3), order=order)
    frame = pd.DataFrame(values, columns=["a", "b", "c"], copy=False)
    for table in (frame, frame.iloc[::2], frame[["c", "a"]], frame.assign(d=1.0, e=2.0)):
        table.to_pickle(tmp_path / "t.pkl", protocol=protocol)
        columns = read_frame(TableUnpickler((tmp_path / "t.pkl").open("rb")).load(), list(table))[1]
        assert columns == table.to_dict("list")


def test_a_column_that_is_not_wanted_is_not_looked_at(tmp_path):
    pd.DataFrame({"id": ["a", "b"], "s": pd.arrays.SparseArray([0, 1])}).to_pickle(tmp_path / "t.pkl")
    assert read_table(tmp_path / "t.pkl", ["id"]).columns == {"id": ["a", "b"]}
    with pytest.raises(DataError, match="SparseArray"):
        read_table(tmp_path / "t.pkl", ["s"])


def test_the_frame_that_the_hostile_ones_are_made_from_is_read(tmp_path):
    """Were it refused, the hostile ones would be refused for the wrong reason."""
    (tmp_path / "t.pkl").write_bytes(hostile.frame(hostile.objects(["a", "b"])))
    assert read_table(tmp_path / "t.pkl", ["id"]).columns == {"id": ["a", "b"]}
    (tmp_path / "t.pkl").write_bytes(hostile.frame(hostile.arrow_text()))
    assert read_table(tmp_path / "t.pkl", ["id"]).columns == {"id": ["ab", "c"]}


def test_the_canary_sings_for_a_plain_unpickler(tmp_path):
    """The payloads do run where nobody stops them, so that their silence below means something."""
    canary = tmp_path / "canary"
    cases = hostile.corpus(canary) | hostile.calling(canary)
    for name in (
        "os.system, reduce",
        "os.system, INST",
        "os.system, OBJ",
        "eval, reduce",
        "os.system, in attrs",
        "os.system, in a cell",
    ):
        pickle.loads(cases[name][0])
        assert canary.exists(), name
        canary.unlink()


CASES = hostile.corpus(Path("unused"))


def test_the_corpus_is_large():
    assert len(CASES) + len(hostile.calling(Path())) + len(hostile.tampered()) >= 200


def test_each_is_refused_in_a_child_of_its_own(tmp_path, times):
    """As whoever reads a table meets it; below many of them share a child, which is faster."""
    canary, path = tmp_path / "canary", tmp_path / "df_train.pkl"
    cases = {name: (content, None) for name, content in hostile.tampered().items()} | hostile.calling(canary)
    for name, (content, words) in random.Random(0).sample(sorted(cases.items()), times(6, len(cases))):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_table(path, ["id"])
        message = str(caught.value)
        assert "refused, and nothing of it was run" in message, name
        assert words is None or words in message, name
        assert "trust" not in message.replace("._read_trusting", "")  # one of the names that they ask for
        assert len(message.splitlines()) <= 3
    assert not canary.exists()


@pytest.mark.parametrize("name", CASES)
def test_hostile_pickles_are_refused_and_do_not_run(tmp_path, name):
    canary = tmp_path / "canary"
    content, words = hostile.corpus(canary)[name]
    path = tmp_path / "df_train.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(path, ["id"])
    assert not canary.exists()
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 1000
    assert len(message.splitlines()) <= 3
    assert words is None or words in message
    assert "trust" not in message


def outcomes(folder: Path, contents: list[bytes]) -> list[str]:
    """What one child says of each file: its answer, then its exit status. A crash of any is a crash of it."""
    for number, content in enumerate(contents):
        (folder / f"{number}.pkl").write_bytes(content)
    code = """
import sys
from pathlib import Path
from repviz.data import unpickling
for number in range(int(sys.argv[2])):
    status = unpickling._child(Path(sys.argv[1]) / f"{number}.pkl", ["id"])
    print(f" #{status}", flush=True)
"""
    command = [sys.executable, "-c", code, str(folder), str(len(contents))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_names_that_no_table_needs_are_refused_by_name(tmp_path):
    cases = hostile.calling(tmp_path / "canary")
    lines = outcomes(tmp_path, [content for content, _ in cases.values()])
    for (name, (_, words)), line in zip(cases.items(), lines, strict=True):
        assert line.endswith(" #3"), (name, line)
        assert words is None or words in line, (name, line)
        assert len(line) < 300
        assert line.isprintable()
    assert not (tmp_path / "canary").exists()


def test_tampered_frames_are_refused_without_a_crash(tmp_path):
    cases = hostile.tampered()
    lines = dict(zip(cases, outcomes(tmp_path, list(cases.values())), strict=True))
    assert {name: line for name, line in lines.items() if not line.endswith(" #3")} == {}


@pytest.mark.parametrize("name", hostile.harmless())
def test_what_a_cell_holds_stays_inert(tmp_path, name):
    (tmp_path / "t.pkl").write_bytes(hostile.harmless()[name])
    (cell,) = read_table(tmp_path / "t.pkl", ["id"]).columns["id"]
    assert isinstance(cell, Foreign)


def test_the_name_is_refused_before_it_is_imported(tmp_path):
    """A module whose import alone would do harm is never imported."""
    harm = tmp_path / "harmful_module.py"
    harm.write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nclass DataFrame: pass\n")
    content = b"\x80\x04\x8c\x0eharmful_module\x8c\tDataFrame\x93)R."
    path = tmp_path / "t.pkl"
    path.write_bytes(content)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = f"from repviz.data.unpickling import read_table; read_table({str(path)!r}, ['id'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "harmful_module.DataFrame" in done.stderr
    assert not (tmp_path / "canary").exists()


def test_the_unpickler_itself_never_gives_the_real_thing(tmp_path):
    for module, name in (("builtins", "getattr"), ("pandas", "DataFrame"), ("numpy", "ndarray"), ("numpy", "dtype")):
        found = TableUnpickler(io.BytesIO()).find_class(module, name)
        assert type(found).__module__.startswith(("repviz.", "builtins"))
        assert getattr(found, "__module__", "repviz.").startswith("repviz."), name
    with pytest.raises(RefusedPickle, match=r"pandas\.eval"):
        TableUnpickler(io.BytesIO()).find_class("pandas", "eval")


def test_mutants_never_crash_the_reader(times):
    """Bytes changed at random: every one of them is read or refused within the child's limits, none in over 2 s."""
    each = times(40, 2_000)
    code = """
import io, random, sys, time
from pathlib import Path
from repviz.confined import confine
from repviz.data import unpickling
from repviz.data.pickle_frames import read_frame
from repviz.data.pickle_names import RefusedPickle
each = int(sys.argv[2])
confine(memory=2 << 30, seconds=50 + each)
rng, outcomes = random.Random(0), {"read": 0, "refused": 0}
for path in sorted(Path(sys.argv[1]).glob("*protocol5.pkl")):
    original = path.read_bytes()
    for _ in range(each):
        started, mutant = time.process_time(), bytearray(original)
        for _ in range(rng.randint(1, 4)):
            mutant[rng.randrange(2, len(mutant))] = rng.randrange(256)
        try:
            names, columns = read_frame(unpickling.TableUnpickler(io.BytesIO(bytes(mutant))).load(), ["id", "texts"])
            for cells in columns.values():
                unpickling.to_arrays(cells)
            outcomes["read"] += 1
        except Exception:
            outcomes["refused"] += 1
        assert time.process_time() - started < 2
print(outcomes["read"], outcomes["refused"])
"""
    command = [sys.executable, "-c", code, str(PICKLES), str(each)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + each)
    assert done.returncode == 0, done.stderr
    read, refused = map(int, done.stdout.split())
    assert read + refused == 5 * each
    assert refused > each


def test_memory_is_bounded(tmp_path):
    """A memo entry far away takes 3 GiB, which this machine may well have and the child may not."""
    path = tmp_path / "t.pkl"
    path.write_bytes(b"\x80\x02Nr\x00\x00\x00\x0c.")
    with pytest.raises(DataError, match="takes more memory"):
        read_table(path, ["id"])


def test_time_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "t.pkl"
    path.write_bytes(hostile.frame(hostile.objects(["a"])))
    monkeypatch.setattr(unpickling, "_seconds", lambda size: 0.005)
    with pytest.raises(DataError, match="far longer"):
        read_table(path, ["id"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"(lp0\n.", "starts with"),
        (b"id,industry\n", "starts with"),
        (b"\x80\x06N.", "starts with"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, content, words):
    (tmp_path / "t.pkl").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_table(tmp_path / "t.pkl", ["id"])


def test_a_missing_file_is_one_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_table(tmp_path / "t.pkl", ["id"])


def test_trusting_reads_the_same_and_says_so(tmp_path, caplog):
    path = tmp_path / "t.pkl"
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "x": [1.5, np.nan, np.inf],
            "v": [[1.0, 2.0], None, np.ones(2, np.float32)],
            "c": pd.Categorical(["u", None, "v"]),
            "b": [True, False, True],
        }
    )
    table.to_pickle(path)
    trusted = read_table(path, list(table), trust_pickle=True)
    assert "code in it runs" in caplog.text
    safe = read_table(path, list(table))
    assert trusted.names == safe.names
    for name in table:
        assert comparable(trusted.columns[name]) == comparable(safe.columns[name])


def test_trusting_runs_code_and_reports_its_failures(tmp_path):
    canary = tmp_path / "canary"
    (tmp_path / "t.pkl").write_bytes(hostile.calling(canary)["os.system, reduce"][0])
    with pytest.raises(DataError, match="holds int instead"):
        read_table(tmp_path / "t.pkl", ["id"], trust_pickle=True)
    assert canary.exists()
    (tmp_path / "t.pkl").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(DataError, match="read_pickle failed"):
        read_table(tmp_path / "t.pkl", ["id"], trust_pickle=True)


def test_cells_survive_the_way_between_processes():
    cells = [None, True, False, 0, -(2**70), 1.5, np.inf, "", "é\n\U0001f600", np.array([0.1, np.nan]), np.empty(0)]
    cells.append(Foreign("a date"))
    back = from_arrays(to_arrays(cells))
    assert [type(cell) for cell in back] == [type(cell) for cell in cells]
    for before, after in zip(cells, back, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after
    assert from_arrays(to_arrays([])) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0, None], "NoneType"),
        ([1.0, "2"], "str"),
        ([1.0, True], "bool"),
        (np.ones((1, 3)), r"shape \(1, 3\)"),
        (b"bytes", "bytes"),
        ("\ud800", "Unicode"),
        (10**200, "bits"),
        (np.datetime64("2020-01-01"), "datetime64"),
        ([10**400], "float64"),
    ],
)
def test_what_is_no_plain_cell_is_foreign(value, words):
    cell = plain_cell(value)
    assert isinstance(cell, Foreign)
    assert re.search(words, cell.description)
