"""The cache beside the tables: used while nothing has changed, never when anything has."""

import logging
import subprocess
import sys

import numpy as np
import pytest

from repviz.data import pickles
from repviz.data.cache import CACHE_NAME, cached
from repviz.data.npz import read_notes, read_npz
from repviz.data.pickles import read_pickles
from repviz.data.tabular import RECIPE_VERSION, TabularRecipe
from tests.data.pickled_tables import main_table, write_tables


@pytest.fixture
def reads(monkeypatch):
    """Names of the pickles that are really read."""
    names = []
    original = pickles.read_table

    def counting(path, *args, **kwargs):
        names.append(path.name)
        return original(path, *args, **kwargs)

    monkeypatch.setattr(pickles, "read_table", counting)
    return names


def assert_equal(a, b):
    assert (a.classes, a.tabular_names, a.source, a.fingerprint, a.recipe) == (
        *(b.classes, b.tabular_names, b.source, b.fingerprint, b.recipe),
    )
    assert list(a.splits) == list(b.splits)
    for name in a.splits:
        for field in ("embeddings", "labels", "tabular", "ids"):
            one, other = getattr(a.splits[name], field), getattr(b.splits[name], field)
            assert one.dtype.kind == other.dtype.kind
            np.testing.assert_array_equal(one, other, strict=field != "ids")


def test_the_second_reading_is_the_cache_and_the_same_bit_for_bit(tmp_path, reads, caplog):
    caplog.set_level(logging.INFO, "repviz.data")
    write_tables(tmp_path)
    first = read_pickles(tmp_path)
    assert reads == ["df_train.pkl", "df_financials_train.pkl"]
    second = read_pickles(tmp_path)
    assert len(reads) == 2
    assert "inputs and settings are unchanged" in caplog.text
    assert_equal(first, second)
    assert_equal(first, read_pickles(tmp_path, cache=False))


def test_the_cache_is_itself_a_data_path(tmp_path):
    write_tables(tmp_path)
    arrays, alone = read_pickles(tmp_path), read_npz(tmp_path / CACHE_NAME, "fit")
    assert alone.recipe == arrays.recipe
    assert alone.tabular_names == arrays.tabular_names
    np.testing.assert_array_equal(alone.splits["train"].embeddings, arrays.splits["train"].embeddings)
    assert read_notes(tmp_path / CACHE_NAME)["made_from"] == "df_financials_train.pkl, df_train.pkl"


def test_any_change_makes_it_anew(tmp_path, reads, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "repviz.data")
    table, financials = write_tables(tmp_path)
    results = [read_pickles(tmp_path)]

    def after(**settings):
        before = len(reads)
        caplog.clear()
        results.append(read_pickles(tmp_path, **settings))
        assert len(reads) > before
        assert "made from other inputs or settings" in caplog.text
        assert_equal(results[-1], read_pickles(tmp_path, cache=False, **settings))

    after(seed=1)
    after(val_split=0.3)
    after(recipe=TabularRecipe(max_z=2))
    financials.loc[financials.index[0], "ebitda_margin"] = 123.0
    financials.to_pickle(tmp_path / "df_financials_train.pkl")
    after()
    table.loc[5, "industry"] = "alpha"
    table.to_pickle(tmp_path / "df_train.pkl")
    after()
    (tmp_path / "df_financials_train.pkl").unlink()
    after_without = len(reads)
    assert read_pickles(tmp_path).n_tabular == 0
    assert len(reads) == after_without + 1
    monkeypatch.setattr(pickles, "RECIPE_VERSION", RECIPE_VERSION + 1)
    read_pickles(tmp_path)
    assert len(reads) == after_without + 2
    assert len({arrays.fingerprint for arrays in results}) == len(results)


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path, reads):
    import os

    table, _ = write_tables(tmp_path, form="array")
    first = read_pickles(tmp_path)
    path = tmp_path / "df_train.pkl"
    stat = path.stat()
    table["business_description_embedding"] = [-vector for vector in table["business_description_embedding"]]
    table.to_pickle(path)
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = read_pickles(tmp_path)
    np.testing.assert_array_equal(second.splits["val"].embeddings, -first.splits["val"].embeddings)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "empty", "without note"])
def test_a_damaged_cache_is_rebuilt_and_said_so(tmp_path, caplog, damage):
    caplog.set_level(logging.INFO, "repviz.data")
    write_tables(tmp_path)
    first = read_pickles(tmp_path)
    path = tmp_path / CACHE_NAME
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        place = content.find(first.splits["train"].embeddings.tobytes()) + 100
        assert place > 100
        content[place] ^= 1
    elif damage == "without note":
        np.savez(path, x=np.zeros(3))
        content = path.read_bytes()
    else:
        content = {"truncated": content[: len(content) // 2], "foreign": b"hello", "empty": b""}[damage]
    path.write_bytes(content)
    caplog.clear()
    assert_equal(first, read_pickles(tmp_path))
    said = "made from other inputs" if damage == "without note" else "damaged"
    assert sum("is rebuilt" in record.message and said in record.message for record in caplog.records) == 1
    caplog.clear()
    assert_equal(first, read_pickles(tmp_path))
    assert "unchanged" in caplog.text


def test_where_it_cannot_be_written_reading_still_works(tmp_path, caplog):
    write_tables(tmp_path)
    (tmp_path / CACHE_NAME).mkdir()  # a file cannot replace a folder, not even for root
    arrays = read_pickles(tmp_path)
    assert len(arrays.splits["train"]) > 0
    assert sum("cannot be written" in record.message for record in caplog.records) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"df_train.pkl", "df_financials_train.pkl", CACHE_NAME}


def test_statistics_from_a_checkpoint_and_rows_to_predict_are_not_cached(tmp_path):
    write_tables(tmp_path)
    fitted = read_pickles(tmp_path)
    (tmp_path / CACHE_NAME).unlink()
    read_pickles(tmp_path, recipe_statistics=fitted.recipe)
    read_pickles(tmp_path, labels_required=False)
    read_pickles(tmp_path, cache=False)
    assert not (tmp_path / CACHE_NAME).exists()


def test_errors_leave_no_cache(tmp_path):
    with pytest.raises(RuntimeError):
        cached(tmp_path / CACHE_NAME, "key", [], lambda: (_ for _ in ()).throw(RuntimeError()))
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_build_it_once(tmp_path):
    write_tables(tmp_path)
    code = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from repviz.data.pickles import read_pickles
print("ready", flush=True)
sys.stdin.readline()
print(read_pickles(sys.argv[1]).fingerprint)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sum("are unchanged" in output for output in outputs) == 2
    assert sum("rows there belong to none" in output for output in outputs) == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert len(main_table()) == sum(len(split) for split in read_pickles(tmp_path).splits.values())


def test_it_is_there_whole_or_not_at_all(tmp_path):
    """A process killed at any moment of its first reading leaves a folder that the next one reads well."""
    write_tables(tmp_path)
    code = f"from repviz.data.pickles import read_pickles; read_pickles({str(tmp_path)!r})"
    expected = read_pickles(tmp_path, cache=False)
    for seconds in (0.5, 0.9, 1.3):
        (tmp_path / CACHE_NAME).unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code])
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if (tmp_path / CACHE_NAME).exists():
            read_npz(tmp_path / CACHE_NAME)
        assert_equal(read_pickles(tmp_path), expected)
